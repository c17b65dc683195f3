//! The texts that people read say what the code does: README, config.toml and CHANGELOG.

use std::collections::BTreeSet;

use floodwall::app;
use floodwall::config::{self, Config, RulesTable, Secret, SecretSource, SettingError, Surroundings};
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

/// The rows of README's table of keys: key, default and meaning.
fn rows_of_readme() -> impl Iterator<Item = (&'static str, &'static str)> {
    let (_, reference) = README.split_once("<!-- config:").expect("the table of keys");
    let reference = reference.split("\n## ").next().unwrap();
    reference.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
}

fn keys_of_readme() -> BTreeSet<String> {
    rows_of_readme().map(|(key, _)| key.to_owned()).collect()
}

/// A key, and a word that it may have as its value.
type Offer = (String, String);

/// The words of "`a`, `b` or `c` …" and of "`a`: …; `b`: …".
fn words_of(meaning: &str) -> Vec<String> {
    let word = |part: &str| Some(part.strip_prefix('`')?.split_once('`')?.0.to_owned());
    let list = meaning.split("; ").next().unwrap_or_default().replace(" or ", ", ");
    let listed: Vec<_> = list.split(", ").map_while(word).collect();
    listed.into_iter().chain(meaning.split("; ").filter_map(word)).collect()
}

fn offered_by_readme() -> Vec<Offer> {
    let meaning =
        |row: &'static str| row.trim_start_matches(" | ").split_once(" | ").map_or("", |(_, meaning)| meaning);
    let offers =
        |(key, row): (&str, _)| words_of(meaning(row)).into_iter().map(|word| (key.to_owned(), word)).collect();
    rows_of_readme().flat_map::<Vec<_>, _>(offers).collect()
}

/// The words of `# …: a | b | c` above a key.
fn offered_by_config() -> Vec<Offer> {
    let word = |part: &'static str| part.rsplit(": ").next().and_then(|part| part.split([' ', '.']).next());
    let (mut offers, mut section, mut words) = (Vec::new(), "", Vec::new());
    for line in CONFIG.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            words.extend(comment.contains(" | ").then(|| comment.split(" | ").filter_map(word)).into_iter().flatten());
            continue;
        }
        section = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(section);
        let key = line.split_once(" = ").map_or("", |(key, _)| key);
        offers.extend(
            words.drain(..).filter(|_| !key.is_empty()).map(|word| (format!("{section}.{key}"), word.to_owned())),
        );
    }
    offers
}

/// What is said to that word at that key.
fn complaints((key, word): &Offer) -> Vec<String> {
    let mut file: Table = with_examples().parse().unwrap();
    let (path, key) = key.rsplit_once('.').unwrap();
    let section = path.split('.').fold(&mut file, |table, step| match step.strip_suffix("[]") {
        Some(list) => table[list][0].as_table_mut().unwrap(),
        None => table[step].as_table_mut().unwrap(),
    });
    section.insert(key.to_owned(), Value::from(word.as_str()));
    let Err(problems) = config::read(&file.to_string(), &Machine, &app::check_rules) else { return Vec::new() };
    let of_key = problems.list.iter().filter(|problem| problem.key.ends_with(key)).map(ToString::to_string);
    let unknown = [format!("\"{word}\" is not known"), format!("is \"{word}\": write")];
    of_key.filter(|told| unknown.iter().any(|words| told.contains(words))).collect()
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
fn each_word_that_is_offered_for_a_key_is_taken() {
    let (readme, config) = (offered_by_readme(), offered_by_config());
    assert!(readme.len() > 50 && config.len() > 8, "{readme:?} {config:?}");
    let refused: Vec<_> = readme.iter().chain(&config).flat_map(complaints).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(!complaints(&("rules.unbounded_select.unknown_table".to_owned(), "enforce".to_owned())).is_empty());
}

#[test]
fn what_config_toml_marks_for_a_restart_is_what_a_reload_leaves_out() {
    let (mut section, mut marked, mut marks, mut wrong) = (String::new(), false, 0, Vec::new());
    for line in CONFIG.lines() {
        let example = line.strip_prefix('#').unwrap_or(line);
        let key = example.split_once(" = ").map(|(key, _)| key).filter(|key| !key.contains(' '));
        if let Some(key) = key {
            let key = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            marks += usize::from(marked);
            wrong.extend((marked == Config::is_reloadable(&key)).then_some(key));
        } else if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).replace("listener", "listener.main");
        }
        // A mark is of the key that follows its comment.
        marked = line.starts_with("# ") && (marked || line.contains("(restart)"));
    }
    assert!(wrong.is_empty() && marks == 11, "{marks} marks; wrong: {wrong:?}");
}

#[test]
fn the_changelog_has_room_for_what_is_not_released() {
    let first = CHANGELOG.lines().find(|line| line.starts_with("## ")).expect("a section");
    assert_eq!(first, "## Unreleased");
}
