//! The order of the layers: who may import whom, and what must stand in one place only.

use crate::source::{Source, all, module_path};

/// Each module of the top level and what it may import of ours.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Pure: `wire` and `sql` do not know that policy exists, `guard` does not know that bytes exist.
    ("units", &[]),
    ("wire", &[]),
    ("sql", &[]),
    ("guard", &["sql", "units"]),
    // Leaves.
    ("address", &[]),
    ("clock", &[]),
    ("traffic", &[]),
    ("worker", &[]),
    ("config", &["units"]),
    ("roster", &["address", "traffic", "units", "clock"]),
    ("control", &["units", "clock"]),
    ("telemetry", &["units", "clock"]),
    ("shutdown", &["control"]),
    // The two ends, and what reads the server's catalogue beside them.
    ("net", &["address", "wire", "config"]),
    ("auth", &["net", "wire", "config", "telemetry", "units", "clock"]),
    ("server", &["address", "auth", "net", "wire", "config", "telemetry", "units", "clock"]),
    ("catalog", &["sql", "config", "telemetry", "net", "units", "clock"]),
    ("client", &["address", "auth", "net", "wire", "guard", "config", "telemetry", "roster", "units", "clock"]),
    // The data path. It never sees who watches it.
    (
        "session",
        &[
            "address",
            "units",
            "wire",
            "sql",
            "guard",
            "auth",
            "clock",
            "worker",
            "config",
            "roster",
            "traffic",
            "control",
            "telemetry",
            "net",
            "server",
            "catalog",
            "client",
        ],
    ),
    // Who watches and steers. They never see the data path.
    ("console", &["roster", "traffic", "control", "telemetry", "config", "import", "units", "clock"]),
    ("admin", &["roster", "control", "telemetry", "config", "units", "clock"]),
    // Commands.
    ("ctl", &["config", "units"]),
    ("import", &[]),
    ("linter", &["config", "guard", "sql", "units"]),
    ("pass", &["clock", "config", "guard", "units"]),
    // These know everyone.
    ("app", EVERYONE),
    ("cli", EVERYONE),
    ("main", EVERYONE),
    ("lib", EVERYONE),
];

const EVERYONE: &[&str] = &["*"];

/// Where the letters of messages may stand. `sql` reads text, whose letters are no codes, and sees no message.
const LETTERS: &[&str] = &["wire/", "console/", "sql/"];
/// Types that make a `static` change its value.
const MUTABLE: &[&str] =
    &["Atomic", "Mutex", "RwLock", "OnceLock", "OnceCell", "LazyLock", "LazyCell", "Cell<", "ArcSwap", "Notify"];
/// Where such a `static` may stand.
const STATICS: &[&str] = &["telemetry/", "clock.rs"];
const MOD_RS_LINES: usize = 200;

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn below(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

#[test]
fn modules_import_only_what_the_table_allows() {
    report(&all().iter().flat_map(forbidden_imports).collect::<Vec<_>>());
}

#[test]
fn letters_of_messages_stand_in_wire() {
    let faults = all().into_iter().filter(|source| !below(&source.path, LETTERS)).flat_map(|source| {
        let letters = source.bytes.iter().filter(|(_, byte)| byte.is_ascii_alphabetic());
        letters
            .map(|(line, byte)| {
                format!("src/{}:{line}: b'{}': message codes stand in `wire`", source.path, char::from(*byte))
            })
            .collect::<Vec<_>>()
    });
    report(&faults.collect::<Vec<_>>());
}

#[test]
fn no_static_changes_its_value_outside_telemetry_and_clock() {
    report(&all().iter().filter(|source| !below(&source.path, STATICS)).flat_map(mutable_statics).collect::<Vec<_>>());
}

#[test]
fn words_for_clients_stand_in_one_place() {
    let faults = all().into_iter().filter(|source| !source.path.starts_with("client/refuse/")).flat_map(|source| {
        let words = source.strings.iter().filter(|(_, text)| text.contains("FLOODWALL["));
        words
            .map(|(line, _)| format!("src/{}:{line}: text for clients stands in client/refuse", source.path))
            .collect::<Vec<_>>()
    });
    report(&faults.collect::<Vec<_>>());
}

#[test]
fn a_mod_rs_stays_small() {
    let large = all().into_iter().filter(|source| source.path.ends_with("mod.rs") && source.lines > MOD_RS_LINES);
    report(
        &large
            .map(|source| format!("src/{}: {} lines; {MOD_RS_LINES} at the most", source.path, source.lines))
            .collect::<Vec<_>>(),
    );
}

/// Each import of a module that its importer may not know, and each module without a row.
fn forbidden_imports(source: &Source) -> Vec<String> {
    let own = source.path.split(['/', '.']).next().unwrap();
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(module, _)| *module == own) else {
        return vec![format!("src/{}: `{own}` has no row in the table of tests/pure/layers.rs", source.path)];
    };
    let forbidden = |name: &str| {
        let known = MAY_IMPORT.iter().any(|(module, _)| *module == name);
        known && name != own && !allowed.contains(&name) && *allowed != EVERYONE
    };
    imports(source)
        .into_iter()
        .filter(|(_, name)| forbidden(name))
        .map(|(line, name)| format!("src/{}:{line}: `{own}` imports `{name}`; it may import {allowed:?}", source.path))
        .collect()
}

/// Modules of the top level that are named, with the line.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in ["crate::", "floodwall::"] {
        for (at, _) in source.code.match_indices(root) {
            if !source.code[..at].ends_with(is_word) {
                found.extend(heads(&source.code[at + root.len()..]).map(|name| (source.line_of(at), name)));
            }
        }
    }
    let depth = module_path(&source.path).len();
    let mut at = 0;
    while let Some(next) = source.code[at..].find("super::").map(|next| at + next) {
        let rest = source.code[next..].trim_start_matches("super::");
        let supers = (source.code.len() - next - rest.len()) / "super::".len();
        if supers >= depth {
            found.extend(heads(rest).map(|name| (source.line_of(next), name)));
        }
        at = source.code.len() - rest.len();
    }
    found
}

/// The first names of a path: one, or those of a group in braces.
fn heads(rest: &str) -> impl Iterator<Item = String> {
    let mut names = Vec::new();
    if let Some(group) = rest.strip_prefix('{') {
        let mut depth = 0;
        let mut start = true;
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                letter if start && is_word(letter) => {
                    names.push(word(&group[at..]));
                    start = false;
                }
                _ => {}
            }
        }
    } else {
        names.push(word(rest));
    }
    names.into_iter()
}

fn word(text: &str) -> String {
    text.chars().take_while(|&letter| is_word(letter)).collect()
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn mutable_statics(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, found) in source.code.match_indices("static ").chain(source.code.match_indices("thread_local!")) {
        let before = source.code[..at].chars().next_back();
        let declared = source.code[at..].split(['=', ';', '{']).next().unwrap_or_default();
        let changes = MUTABLE.iter().any(|kind| declared.contains(kind)) || declared.contains("mut ");
        let is_item = !before.is_some_and(|letter| is_word(letter) || letter == '\'');
        if is_item && (changes || found.starts_with("thread")) {
            faults.push(format!(
                "src/{}:{}: a static that changes: {}",
                source.path,
                source.line_of(at),
                declared.trim()
            ));
        }
    }
    faults
}

/// What the rules say of one invented file.
fn faults(path: &str, text: &str) -> usize {
    let source = Source::read(path, text);
    forbidden_imports(&source).len() + mutable_statics(&source).len()
}

#[test]
fn the_rules_see_what_they_are_meant_to_see() {
    for (path, text, expected) in [
        ("wire/pg/mod.rs", "use crate::wire::Head;", 0),
        ("wire/pg/mod.rs", "use crate::{sql, guard::{Guard, rules}, units};", 3),
        ("guard/mod.rs", "use super::wire;", 1),
        ("guard/rules/x.rs", "use super::super::wire::Head;", 0),
        ("guard/rules/x.rs", "use super::super::super::wire::Head;", 1),
        ("guard/rules/x.rs", "fn f() { crate::clock::now() }", 1),
        ("session/relay.rs", "use crate::console::Sources;", 1),
        ("client/mod.rs", "pub(in crate::client) use self::listener;", 0),
        ("app/mod.rs", "use crate::{session, console};", 0),
        ("linter.rs", "use super::session;", 1),
        ("main.rs", "use floodwall::app;", 0),
        ("novel.rs", "", 1),
        ("session/mod.rs", "static COUNT: AtomicU64 = AtomicU64::new(0);", 1),
        ("session/mod.rs", "thread_local! { static X: u8 = 0; }", 1),
        ("session/mod.rs", "static NAMES: &[&str] = &[]; fn f(x: &'static str) {}", 0),
    ] {
        assert_eq!(faults(path, text), expected, "{path}: {text}");
    }
}
