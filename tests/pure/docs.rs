//! The texts that people read say what the code does: README, config.toml and CHANGELOG.

use std::collections::BTreeSet;

use floodwall::config::{self, RulesTable, Secret, SecretSource, SettingError, Surroundings};
use floodwall::guard::rules;
use toml::{Table, Value};

const README: &str = include_str!("../../README.md");
const CONFIG: &str = include_str!("../../config.toml");
const CHANGELOG: &str = include_str!("../../CHANGELOG.md");

/// Keys that README lists and config.toml only mentions: there is no place for them in an inline table, or they belong to another way
/// to log in than the one that the file shows.
const MENTIONED: &[&str] = &[
    "listener[].monitor.password_env",
    "listener[].monitor.password_file",
    "listener[].users_file",
    "listener[].auth_query",
    "listener[].auth",
];

/// A machine with every secret.
struct Machine;

impl Surroundings for Machine {
    fn variable(&self, _name: &str) -> Option<String> {
        Some("x".to_owned())
    }

    fn secret(&self, _source: &SecretSource) -> Result<Secret, String> {
        Ok(Secret::new("x"))
    }

    fn is_root(&self) -> bool {
        true
    }

    fn cores(&self) -> usize {
        2
    }
}

fn any_rules(_: RulesTable<'_>) -> Vec<SettingError> {
    Vec::new()
}

/// config.toml with its examples switched on: `#key = …` and `#[[table]]`, without a space behind the `#`.
fn with_examples() -> String {
    let is_example = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        line.starts_with('[') || (line.contains(" = ") && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    };
    let switch_on = |line: &'static str| match line.strip_prefix('#') {
        Some(example) if is_example(example) => example,
        _ => line,
    };
    CONFIG.lines().map(switch_on).collect::<Vec<_>>().join("\n")
}

/// Keys as README writes them: `caps.client.key`, `listener[].bind`.
fn keys(table: &Table, path: &str, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value {
            Value::Table(table) => keys(table, &path, found),
            Value::Array(tables) if tables.iter().any(Value::is_table) => {
                tables.iter().filter_map(Value::as_table).for_each(|table| keys(table, &format!("{path}[]"), found));
            }
            _ => drop(found.insert(path)),
        }
    }
}

fn keys_of(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    keys(&text.parse().unwrap(), "", &mut found);
    found
}

fn keys_of_readme() -> BTreeSet<String> {
    let (_, reference) = README.split_once("<!-- config:").expect("the table of keys");
    let reference = reference.split("\n## ").next().unwrap();
    let rows = reference.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    rows.map(str::to_owned).collect()
}

/// A table that README explains as a whole covers the keys in it.
fn covers(row: &str, key: &str) -> bool {
    key == row || key.strip_prefix(row).is_some_and(|rest| rest.starts_with('.'))
}

#[test]
fn readme_lists_the_keys_of_config_toml_and_no_others() {
    let (rows, keys) = (keys_of_readme(), keys_of(&with_examples()));
    let unlisted: Vec<_> = keys.iter().filter(|key| !rows.iter().any(|row| covers(row, key))).collect();
    assert!(unlisted.is_empty(), "not in README: {unlisted:?}");
    let mentioned =
        |row: &&String| MENTIONED.contains(&row.as_str()) && CONFIG.contains(row.rsplit('.').next().unwrap());
    let strange: Vec<_> =
        rows.iter().filter(|row| !keys.iter().any(|key| covers(row, key)) && !mentioned(row)).collect();
    assert!(strange.is_empty(), "in README and not in config.toml: {strange:?}");
    assert!(rows.len() > 50, "the table was not found: {rows:?}");
}

#[test]
fn the_code_knows_every_key_of_config_toml() {
    let Err(problems) = config::read(&with_examples(), &Machine, &any_rules) else { return };
    let unknown: Vec<_> =
        problems.list.iter().map(ToString::to_string).filter(|text| text.contains("unknown key")).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn what_the_code_resolves_is_listed_in_readme() {
    let config = config::read(CONFIG, &Machine, &any_rules).unwrap().config;
    let rows = keys_of_readme();
    let unlisted: Vec<_> =
        keys_of(&config.to_toml()).into_iter().filter(|key| !rows.iter().any(|row| covers(row, key))).collect();
    assert!(unlisted.is_empty(), "resolved and not in README: {unlisted:?}");
}

#[test]
fn each_rule_has_its_section_with_each_setting_and_its_default() {
    let file: Table = CONFIG.parse().unwrap();
    for rule in rules::ALL {
        let section = file["rules"].get(rule.name).and_then(Value::as_table);
        let section = section.unwrap_or_else(|| panic!("config.toml has no [rules.{}]", rule.name));
        let mut expected: BTreeSet<&str> = rule.settings.iter().map(|(key, _)| *key).collect();
        expected.insert("mode");
        assert_eq!(section.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected, "[rules.{}]", rule.name);
        for (key, default) in rule.settings {
            let default: Table = format!("it = {default}").parse().unwrap();
            assert_eq!(section[*key], default["it"], "rules.{}.{key}", rule.name);
        }
        assert!(README.contains(&format!("`{}`", rule.name)), "README does not name {}", rule.name);
    }
}

#[test]
fn the_changelog_has_room_for_what_is_not_released() {
    let first = CHANGELOG.lines().find(|line| line.starts_with("## ")).expect("a section");
    assert_eq!(first, "## Unreleased");
}
