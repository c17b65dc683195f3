//! How clients reach a listener, beside its `bind`.

use std::path::PathBuf;

use ipnet::IpNet;

use super::super::context::Context;
use super::super::document::Section;
use super::super::value;

/// How clients reach a listener, beside its `bind`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// Folder of its Unix socket, which is called `.s.PGSQL.<port of bind>`; `None`: it has none.
    pub unix_socket: Option<PathBuf>,
    /// Load balancers: connections from here must begin with a PROXY header, all others must not.
    pub proxy_protocol_from: Vec<IpNet>,
    /// Lets a second process listen on the same port, and hands over to it at the end.
    pub reuse_port: bool,
}

/// Reads the keys of a `[[listener]]` that belong here.
pub(super) fn resolve(section: &mut Section<'_>, context: &Context<'_>) -> Entry {
    Entry {
        unix_socket: section.read("unix_socket", value::path).map(|path| context.folder.join(path)),
        proxy_protocol_from: section.read("proxy_protocol_from", value::networks).unwrap_or_default(),
        reuse_port: section.read("reuse_port", value::flag).unwrap_or_default(),
    }
}
