//! Who wants to come in, and how.

use std::net::IpAddr;

use crate::client::channel::Channel;
use crate::config::AccessMethod;

/// Who wants to come in, and how.
#[derive(Debug, Clone, Copy)]
pub struct Applicant<'a> {
    /// Who it says it is.
    pub user: &'a str,
    /// Where it comes from.
    pub address: IpAddr,
    /// How it shall prove that.
    pub method: AccessMethod,
    /// By what it came.
    pub channel: &'a Channel,
}
