//! Reading `[rules]`: every error at once, each with the path of its key.

use std::time::Duration;

use toml::{Table, Value};

use super::breach::Mode;
use super::measure::Measure;

use crate::units::{ByteSize, Unit, display_duration, parse_duration};

/// A setting that means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    /// The keys that lead to it, inside the table that was read: `["unbounded_select", "max_rows"]`.
    pub path: Vec<String>,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl std::fmt::Display for SettingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.join("."), self.message)
    }
}

/// One table of settings while it is read: what nobody asked for is unknown.
#[derive(Debug)]
pub(super) struct Section<'a> {
    path: &'a [&'a str],
    table: &'a Table,
    known: Vec<&'static str>,
    errors: &'a mut Vec<SettingError>,
}

const MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("warn", Mode::Warn), ("off", Mode::Off)];

impl<'a> Section<'a> {
    pub(super) fn new(path: &'a [&'a str], table: &'a Table, errors: &'a mut Vec<SettingError>) -> Self {
        Self { path, table, known: Vec::new(), errors }
    }

    fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.table.get(key)
    }

    fn error(&mut self, key: &str, message: String) {
        let path = self.path.iter().copied().chain([key]).map(str::to_owned).collect();
        self.errors.push(SettingError { path, message });
    }

    /// A mode, where one is given.
    pub(super) fn mode(&mut self) -> Option<Mode> {
        self.value("mode").is_some().then(|| self.choice("mode", MODES, Mode::Enforce))
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)], default: T) -> T {
        let Some(value) = self.value(key) else { return default };
        let found = value.as_str().and_then(|text| choices.iter().find(|(name, _)| *name == text));
        if let Some((_, choice)) = found {
            return *choice;
        }
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        self.error(key, format!("is {}: write one of {}", shown(value), names.join(", ")));
        default
    }

    /// True or false, and false where not given.
    pub(super) fn boolean(&mut self, key: &'static str) -> bool {
        let Some(value) = self.value(key) else { return false };
        value.as_bool().unwrap_or_else(|| {
            self.error(key, format!("is {}: write true or false", shown(value)));
            false
        })
    }

    /// A positive whole number.
    pub(super) fn count(&mut self, key: &'static str, default: u64) -> u64 {
        let Some(value) = self.value(key) else { return default };
        let count = value.as_integer().and_then(|number| u64::try_from(number).ok()).filter(|count| *count > 0);
        count.unwrap_or_else(|| {
            self.error(key, format!("is {}: write a whole number above 0, such as {default}", shown(value)));
            default
        })
    }

    /// A number of bytes with its unit.
    pub(super) fn size(&mut self, key: &'static str, default: ByteSize) -> ByteSize {
        let Some(value) = self.value(key) else { return default };
        let parsed = match value.as_str() {
            Some(text) => text.parse::<ByteSize>().map_err(|bad| bad.to_string()),
            None => Err(format!("is {}: write a size with its unit, such as \"{default}\"", shown(value))),
        };
        match parsed {
            Ok(size) if size.0 > 0 => return size,
            Ok(_) => self.error(key, format!("is 0: write a size such as \"{default}\"")),
            Err(message) => self.error(key, message),
        }
        default
    }

    /// A duration with its unit.
    pub(super) fn duration(&mut self, key: &'static str, default: Duration) -> Duration {
        let Some(value) = self.value(key) else { return default };
        let shown_default = display_duration(default);
        let parsed = match value.as_str() {
            Some(text) => parse_duration(text).map_err(|bad| bad.to_string()),
            None => Err(format!("is {}: write a duration with its unit, such as \"{shown_default}\"", shown(value))),
        };
        match parsed {
            Ok(duration) if !duration.is_zero() => return duration,
            Ok(_) => self.error(key, format!("is 0: write a duration such as \"{shown_default}\"")),
            Err(message) => self.error(key, message),
        }
        default
    }

    /// A list of names.
    pub(super) fn names(&mut self, key: &'static str) -> Vec<&'a str> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let names = value.as_array().and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        names.unwrap_or_else(|| {
            self.error(key, format!("is {}: write a list of names, such as [\"countries\"]", shown(value)));
            Vec::new()
        })
    }

    /// Notes keys that belong to somebody else.
    pub(super) fn also_known(&mut self, keys: impl IntoIterator<Item = &'static str>) {
        self.known.extend(keys);
    }

    /// Refuses every key that nobody asked for.
    pub(super) fn finish(mut self) {
        let unknown: Vec<&str> =
            self.table.keys().map(String::as_str).filter(|key| !self.known.contains(key)).collect();
        for key in unknown {
            let near = self.known.iter().map(|known| (strsim::jaro_winkler(known, key), *known));
            let near = near.filter(|(score, _)| *score > 0.75).max_by(|a, b| a.0.total_cmp(&b.0));
            let message = match near {
                Some((_, known)) => format!("is not a setting: did you mean \"{known}\"?"),
                None => format!("is not a setting: known here are {}", self.known.join(", ")),
            };
            self.error(key, message);
        }
    }
}

/// A `[rules]` table with some settings changed. A `mode` for all rules replaces the mode of each.
pub(super) fn merged(table: &Table, overrides: &Table) -> Table {
    let mut merged = table.clone();
    if overrides.contains_key("mode") {
        for (_, section) in merged.iter_mut() {
            if let Value::Table(section) = section {
                section.remove("mode");
            }
        }
    }
    for (key, value) in overrides {
        match (merged.get_mut(key), value) {
            (Some(Value::Table(section)), Value::Table(changes)) => section.extend(changes.clone()),
            _ => {
                merged.insert(key.clone(), value.clone());
            }
        }
    }
    merged
}

/// The settings of a rule on one line: from its section, or its defaults.
pub(super) fn line(section: Option<&Value>, defaults: &[(&str, &str)]) -> String {
    let section = section.and_then(Value::as_table);
    let value = |key: &str, default: &str| {
        section.and_then(|section| section.get(key)).map_or_else(|| default.to_owned(), ToString::to_string)
    };
    let settings = defaults.iter().map(|(key, default)| format!("{key} = {}", value(key, default)));
    settings.collect::<Vec<_>>().join(", ")
}

/// The setting that limits a measure, as its number: from the section of its rule, or among the defaults of that rule.
pub(super) fn limit(section: Option<&Value>, defaults: &[(&str, &str)], measure: Measure) -> Option<u64> {
    let given = section.and_then(|section| section.get(measure.setting())).map(ToString::to_string);
    let default =
        || defaults.iter().find(|(key, _)| *key == measure.setting()).map(|(_, default)| (*default).to_owned());
    let text = given.or_else(default)?;
    let text = text.trim_matches('"');
    match measure.unit() {
        Unit::Count => text.parse().ok(),
        Unit::Bytes => text.parse::<ByteSize>().ok().map(|size| size.0),
        Unit::Time => u64::try_from(parse_duration(text).ok()?.as_micros()).ok(),
    }
}

/// A value as an error shows it, cut short.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
