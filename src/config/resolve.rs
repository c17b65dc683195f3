//! From the text of `config.toml` to a [`Config`], or to every error in it.

use std::path::{Path, PathBuf};

use toml::Table;

use super::context::{Context, RulesCheck, RulesTable};
use super::document::{Document, Section, key_text};
use super::problem::{Fault, Problem, Problems, SettingError, not_yet};
use super::surroundings::Surroundings;
use super::{
    Config, Limits, Log, LogFormat, Secret, access, admin, break_glass, caps, client, databases, defaults, listener,
    pools, value,
};

/// A configuration that may be run, and what its author should know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What works, but hardly as meant.
    pub warnings: Problems,
}

/// Reads a file. Relative paths in it start at its folder.
///
/// The error lists everything that is wrong, each with key and line; secrets are never shown.
pub fn load(path: &Path, surroundings: &dyn Surroundings, rules: &RulesCheck<'_>) -> Result<Loaded, Problems> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let context = Context { surroundings, rules, folder };
    resolve(&text, &context)
        .map_err(|list| of_pgbouncer(path).map_or(list, |problem| vec![problem]))
        .map_err(|list| Problems { file: path.display().to_string(), list })
        .map(|(config, list)| Loaded { config, warnings: Problems { file: path.display().to_string(), list } })
}

/// As [`load`], for a text that is at hand; relative paths stay as they are. The error is the same.
pub fn read(text: &str, surroundings: &dyn Surroundings, rules: &RulesCheck<'_>) -> Result<Loaded, Problems> {
    let context = Context { surroundings, rules, folder: Path::new("") };
    let problems = |list| Problems { file: "config".to_owned(), list };
    resolve(text, &context).map_err(problems).map(|(config, list)| Loaded { config, warnings: problems(list) })
}

/// What is wrong with keys that could be read, where only their use has shown it: an address that is taken, a file that holds no
/// certificate. Each path is counted from the top of the file, which is read again for the lines.
pub fn locate(path: &Path, wrong: Vec<SettingError>) -> Problems {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let document = Document::parse(&text).ok();
    let problem = |SettingError { path, message }| {
        let line = document.as_ref().and_then(|document| document.line(&path));
        Problem { key: key_text(&path), line, message, advice: None }
    };
    let mut list: Vec<_> = wrong.into_iter().map(problem).collect();
    list.sort_by_key(|problem| problem.line);
    Problems { file: path.display().to_string(), list }
}

/// As [`load`], for whoever only looks for the console: a mistake elsewhere in the file must not keep the operator out.
///
/// The error is that the file cannot be read, is no TOML, or is wrong about the console itself.
pub fn load_console(path: &Path, surroundings: &dyn Surroundings) -> Result<Config, Problems> {
    load_part(path, surroundings, &["state_dir", "admin"])
}

/// As [`load`], for whoever signs break-glass passes, often where no other secret is at hand: all that matters is the key.
///
/// The error is that the file cannot be read, is no TOML, or is wrong about the key.
pub fn load_break_glass(path: &Path, surroundings: &dyn Surroundings) -> Result<Option<Secret>, Problems> {
    load_part(path, surroundings, &["break_glass"]).map(|config| config.break_glass)
}

/// Only errors of these sections count.
fn load_part(path: &Path, surroundings: &dyn Surroundings, sections: &[&str]) -> Result<Config, Problems> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let context = Context { surroundings, rules: &|_| Vec::new(), folder };
    let problems = |list| Problems { file: path.display().to_string(), list };
    let document = Document::parse(&text).map_err(problems)?;
    let config = resolve_root(document.root(), &context);
    let mut errors = document.into_problems().0;
    errors.retain(|problem| problem.key.split(['.', '[']).next().is_some_and(|section| sections.contains(&section)));
    if errors.is_empty() { Ok(config) } else { Err(problems(errors)) }
}

fn resolve(text: &str, context: &Context<'_>) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    let document = Document::parse(text)?;
    let config = resolve_root(document.root(), context);
    admin::check(&config.admin, &document);
    listener::check(&config, &document);
    client::check(&config, &document);
    access::check(&config, &document);
    databases::check(&config, &document);
    pools::check(&config, &document);
    let (errors, warnings) = document.into_problems();
    if errors.is_empty() { Ok((config, warnings)) } else { Err(errors) }
}

fn resolve_root(mut root: Section<'_>, context: &Context<'_>) -> Config {
    let state_dir = root.read("state_dir", value::path).map(|path| context.folder.join(path));
    let workers = root.read("workers", value::count_or_zero).filter(|workers| *workers != 0);
    let drain_timeout = root.read("drain_timeout", value::duration);
    let limits = resolve_limits(root.section("limits"));
    let admin = admin::resolve(root.section("admin"), context);
    let listeners = resolve_listeners(&mut root, context);
    let caps = caps::resolve(root.section("caps"));
    let clients = root.sections("client").into_iter().map(|section| client::resolve(section, context)).collect();
    let access = root.sections("access").into_iter().filter_map(access::resolve).collect();
    let databases = root.sections("database");
    let databases = databases.into_iter().filter_map(|section| databases::resolve(section, context)).collect();
    let pools = root.sections("pool").into_iter().map(pools::resolve).collect();
    let rules = resolve_rules(&root.section("rules"), context);
    let break_glass = break_glass::resolve(root.section("break_glass"), context);
    let log = resolve_log(root.section("log"));
    root.refuse("watch", || not_yet("watching locks and temporary tables"));
    root.refuse("alert", || not_yet("sending alerts").advise("/metrics has the figures to alert on"));
    root.finish();
    let mut config = Config {
        state_dir: state_dir.unwrap_or_else(|| defaults::state_dir(context.surroundings)),
        workers: workers.unwrap_or_else(|| context.surroundings.cores()),
        limits,
        admin,
        listeners,
        caps,
        clients,
        access,
        databases,
        pools,
        rules,
        break_glass,
        log,
        drain_timeout: drain_timeout.unwrap_or(defaults::DRAIN_TIMEOUT),
    };
    databases::distribute(&mut config);
    pools::distribute(&mut config);
    config
}

fn resolve_listeners(root: &mut Section<'_>, context: &Context<'_>) -> Vec<super::Listener> {
    let sections = root.sections("listener");
    if sections.is_empty() && !root.has("listener") {
        root.error("", Fault::new("no [[listener]] is given").advise("add [[listener]] with bind and servers"));
    }
    sections.into_iter().map(|section| listener::resolve(section, context)).collect()
}

fn resolve_limits(mut section: Section<'_>) -> Limits {
    let memory = section.read("memory", |value| {
        value::size(value).and_then(|size| match size.0 {
            MEMORY_BYTES_MIN.. => Ok(size),
            _ => Err(Fault::new(format!("{size} is too little to work with")).advise("give at least 16MiB")),
        })
    });
    let guard_time = section.read("guard_time", value::timeout);
    section.finish();
    let default = Limits::default();
    Limits {
        memory_bytes: memory.map_or(default.memory_bytes, |size| size.0),
        guard_time: guard_time.unwrap_or(default.guard_time),
    }
}

/// Below this the caches alone would not fit.
const MEMORY_BYTES_MIN: u64 = 16 << 20;

fn resolve_log(mut section: Section<'_>) -> Log {
    let default = Log::default();
    let format = section.read("format", |value| value::one_of(value, &FORMATS)).unwrap_or(default.format);
    let level = section.read("level", |value| value::one_of(value, &LEVELS)).map_or(default.level, str::to_owned);
    section.finish();
    Log { format, level }
}

const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];
const LEVELS: [(&str, &str); 5] =
    [("error", "error"), ("warn", "warn"), ("info", "info"), ("debug", "debug"), ("trace", "trace")];

fn resolve_rules(section: &Section<'_>, context: &Context<'_>) -> Table {
    let table = section.whole();
    for error in (context.rules)(RulesTable::Base(&table)) {
        section.error_below(&error.path, Fault::new(error.message));
    }
    table
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problems {
    let advice = (error.kind() == std::io::ErrorKind::NotFound).then(|| "name the file with --config".to_owned());
    let problem = Problem { key: String::new(), line: None, message: format!("cannot read it: {error}"), advice };
    Problems { file: PathBuf::from(path).display().to_string(), list: vec![problem] }
}

/// Each line of PgBouncer's file is a mistake in TOML: one word for all of them.
fn of_pgbouncer(path: &Path) -> Option<Problem> {
    let advice = format!("floodwall import {} --output config.toml turns PgBouncer's into one", path.display());
    let message = "an .ini file is no configuration of Floodwall".to_owned();
    let is_ini = path.extension().is_some_and(|extension| extension == "ini");
    is_ini.then_some(Problem { key: String::new(), line: None, message, advice: Some(advice) })
}
