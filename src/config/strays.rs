//! Keys that no section knows where they stand: another one may, and that is told once all have been read.

use super::problem::Fault;

/// A key that is unknown where it stands.
#[derive(Debug)]
pub(super) struct Stray {
    /// Where it stands.
    pub(super) path: Vec<String>,
    /// What is known there, for people.
    pub(super) known: String,
}

/// The strays of a file, and what its sections know.
#[derive(Debug, Default)]
pub(super) struct Strays {
    found: Vec<Stray>,
    known: Vec<(String, Vec<&'static str>)>,
}

impl Strays {
    /// Keeps a stray until all sections have been read.
    pub(super) fn note(&mut self, stray: Stray) {
        self.found.push(stray);
    }

    /// Keeps what the section at that path knows.
    pub(super) fn learn(&mut self, path: &[String], keys: Vec<&'static str>) {
        let heading = heading(path);
        if self.known.iter().all(|(known, _)| *known != heading) {
            self.known.push((heading, keys));
        }
    }

    /// What to say of each.
    pub(super) fn into_faults(self) -> Vec<(Vec<String>, Fault)> {
        let Self { found, known } = self;
        let fault = |stray: Stray| {
            let advice = advice(&stray, &known);
            (stray.path, Fault::new("unknown key").advise(advice))
        };
        found.into_iter().map(fault).collect()
    }
}

/// The one section that knows the key, or what PgBouncer calls so; where several do, as with `name`, none is likelier.
fn advice(stray: &Stray, known: &[(String, Vec<&'static str>)]) -> String {
    let key = stray.path.last().map_or("", String::as_str);
    if let [(section, _)] = sections(known, |ours| ours == key)[..] {
        return format!("it stands {section}");
    }
    match sections(known, |ours| OTHERS.contains(&(key, ours)))[..] {
        [(section, meant)] => format!("did you mean \"{meant}\" {section}?"),
        _ => format!("known here: {}", stray.known),
    }
}

fn sections<'k>(known: &'k [(String, Vec<&'static str>)], fits: impl Fn(&str) -> bool) -> Vec<(&'k str, &'static str)> {
    let key = |(heading, keys): &'k (String, Vec<&'static str>)| {
        Some((heading.as_str(), *keys.iter().find(|key| fits(key))?))
    };
    known.iter().filter_map(key).collect()
}

/// Our word for a key of PgBouncer's, where the section knows it.
pub(super) fn translated(key: &str, asked: &[&'static str]) -> Option<&'static str> {
    OTHERS.iter().find(|(other, ours)| *other == key && asked.contains(ours)).map(|(_, ours)| *ours)
}

/// What PgBouncer calls some of our keys, where the nearest word would be another key.
const OTHERS: [(&str, &str); 7] = [
    ("pool_mode", "pool"),
    ("default_pool_size", "pool_size"),
    ("auth_file", "users_file"),
    ("auth_type", "login"),
    ("listen_addr", "bind"),
    ("listen_port", "bind"),
    ("max_client_conn", "max_clients"),
];

/// `["listener", "0"]` as `in [[listener]]`, `["caps", "client"]` as `in [caps.client]`.
fn heading(path: &[String]) -> String {
    let is_number = |step: &String| step.bytes().all(|byte| byte.is_ascii_digit());
    let names: Vec<&str> = path.iter().filter(|step| !is_number(step)).map(String::as_str).collect();
    match path.last() {
        None => "at the top level of the file".to_owned(),
        Some(last) if is_number(last) => format!("in [[{}]]", names.join(".")),
        Some(_) => format!("in [{}]", names.join(".")),
    }
}
