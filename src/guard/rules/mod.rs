//! The registry of rules: one line each.

mod hint;

use super::rule::RuleDef;

macro_rules! rules {
    ($($name:ident),+ $(,)?) => {
        $(mod $name;)+

        /// Every rule, in the order in which breaches of one statement are reported.
        pub static ALL: &[RuleDef] = &[$($name::DEF),+];
    };
}

rules! {
    unfiltered_write, bulk_write, unbounded_select,
    result_budget, write_budget, pipeline_write, stream_write,
    statement_timeout, transaction_timeout, idle_transaction_timeout,
}
