//! Values as the configuration has them.

/// A string of TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A time as the configuration has it: nothing is shorter than a millisecond.
pub(super) fn duration(seconds: f64) -> String {
    if seconds.fract() == 0.0 { format!("\"{seconds:.0}s\"") } else { format!("\"{:.0}ms\"", (seconds * 1e3).max(1.0)) }
}
