//! Prepared statements of the protocol where a server is lent for a transaction.
//!
//! A client's names stand for shared statements of its worker ([`Shared`]): one for each text, its types and the
//! settings that it is read under ([`Context`]). Each has a name of ours at the servers. What a client has prepared is in its [`Names`], what a server has in its
//! [`Known`]; both are bounded. [`Plan`] carries a pipeline: it says what of a client's message goes to the server and under which
//! name, what is put in front of it (`preparing`), and which replies are the client's, ours, or given by us in the server's place
//! (`replies`).

pub mod again;
pub mod context;
mod copying;
mod deallocate;
mod doubt;
mod entry;
mod executing;
pub mod known;
mod learning;
mod literals;
pub mod names;
pub mod plan;
mod preparing;
pub mod repeated;
mod replies;
pub mod shared;
mod touched;
pub mod unnamed;

pub use again::Again;
pub use context::{Context, Standing, Tenure};
pub use known::Known;
pub use names::{Bounds, Names, Refused};
pub use plan::{Parts, Passing, Plan};
pub use repeated::Repeats;
pub use replies::Reply;
pub use shared::{Shared, Statement};
