//! Where the server looks for a table without a schema: `search_path`, by database and role.

use std::collections::HashMap;

use crate::sql::schema::SearchPath;

/// The `search_path` of each role of one database, as its sessions begin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Paths {
    /// What holds where nothing else is set; `None`: the monitor can't see it.
    pub(super) server: Option<String>,
    /// By the role and the reach of the setting.
    pub(super) set: HashMap<(Option<String>, Scope), String>,
}

/// Where a setting of `ALTER ROLE` or `ALTER DATABASE` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// In every database.
    Server,
    /// In this one.
    Database,
}

impl Paths {
    /// The path that a session of `role` begins with: the closest setting wins, as the server has it.
    pub(super) fn of(&self, role: &str) -> SearchPath {
        let own = || Some(role.to_owned());
        let keys = [(own(), Scope::Database), (own(), Scope::Server), (None, Scope::Database), (None, Scope::Server)];
        let set = keys.iter().find_map(|key| self.set.get(key)).or(self.server.as_ref());
        set.map_or(SearchPath::Unknown, |setting| SearchPath::parse(setting, role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_setting_wins() {
        let mut paths = Paths { server: Some("\"$user\", public".to_owned()), ..Paths::default() };
        let known = |names: &[&str]| SearchPath::Known(names.iter().map(|&name| name.into()).collect());
        assert_eq!(paths.of("app"), known(&["app", "public"]));
        let app = || Some("app".to_owned());
        for (role, scope, path) in [
            (None, Scope::Server, "a"),
            (None, Scope::Database, "b"),
            (app(), Scope::Server, "c"),
            (app(), Scope::Database, "d"),
        ] {
            paths.set.insert((role, scope), path.to_owned());
            assert_eq!(paths.of("app"), known(&[path]));
        }
        assert_eq!(paths.of("other"), known(&["b"]));
        assert_eq!(Paths::default().of("app"), SearchPath::Unknown);
    }
}
