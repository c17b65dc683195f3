//! What a session leaves behind in a server that is lent for a transaction: told by texts, found by asking the server, replayed on
//! the next one.
//!
//! Within a transaction [`Gathered`] adds up what its statements may leave. If that is not nothing, [`check::question`] asks the
//! server before it is given back, and [`check::Findings::decide`] says what the server is to its client now: clean, with settings
//! that are the client's, or pinned to it. [`replay`] makes a server's settings those of the client that gets it; [`Settings`] are
//! shared and interned, so that in the ordinary case this is one comparison of pointers. [`Reported`] keeps what a client was told
//! of its parameters.
//!
//! What no check sees: settings that no library declares under a name that no text told, for which the server is *stained*: it is
//! reset before another client has it, and the client itself must set them again.

pub mod check;
pub mod gathered;
pub mod names;
pub mod options;
pub mod pins;
pub mod replay;
pub mod set_config;
pub mod settings;
pub mod tables;

pub use check::{Decision, Findings};
pub use gathered::Gathered;
pub use pins::Reasons;
pub use replay::Stain;
pub use settings::{Interner, Settings};
pub use tables::given;

pub use crate::server::reported::Reported;
