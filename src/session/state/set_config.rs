//! Calls of ours that set settings: names and values travel beside the text, so neither can become SQL.

/// How long a value stays. Source: PostgreSQL manual, `set_config`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// Until the session sets another one.
    Session,
    /// Until the transaction ends.
    Transaction,
}

/// A list of calls for so many settings: `$1` is the name of the first and `$2` its value, and so on.
pub fn calls(settings: usize, lasts: Lasts) -> String {
    let is_local = lasts == Lasts::Transaction;
    let call = |value: usize| format!("pg_catalog.set_config(${}, ${value}, {is_local})", value.saturating_sub(1));
    let calls: Vec<String> = (1..=settings).map(|at| call(at.saturating_mul(2))).collect();
    calls.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_its_name_and_its_value() {
        assert_eq!(calls(1, Lasts::Session), "pg_catalog.set_config($1, $2, false)");
        assert_eq!(
            calls(2, Lasts::Transaction),
            "pg_catalog.set_config($1, $2, true), pg_catalog.set_config($3, $4, true)"
        );
    }
}
