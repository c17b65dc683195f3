//! Floodwall: a proxy that stands in front of PostgreSQL and keeps one bad deploy from taking the database down.
//!
//! This page is the project's picture of itself. `tests/pure/layers.rs` holds the code to its import table.
//!
//! # A client's way
//!
//! ```text
//!  client ──► client::listener ──► client::admission ──► session::welcome ──► session::serve ──► server
//!              accept, lobby        caps, queues, rates   start-up, login      Relay, Ledger
//!                                                                                 │
//!                         sql (text ► shape ► facts) ◄── session::reader ◄──── session::judge ──► guard (facts ► verdict)
//!                                                                                 │
//!                                                              catalog (rows of tables, read beside the data path)
//! ```
//!
//! 1. [`client`] accepts a socket at a [`client::door`], learns who is behind a load balancer ([`client::proxied`]) and reads the first
//!    packet in the *lobby*. A cancel request leaves by its own lane; anybody else needs a place under every cap that applies
//!    ([`client::admission`]).
//! 2. [`session::welcome`] dials the server that [`server::nodes`] has chosen and lets the two agree on a login
//!    ([`session::welcome::login`]): Floodwall keeps no secrets. An identity counts as proven when the server says AuthenticationOk. With
//!    `login = "users"` or `"query"` Floodwall checks it itself ([`client::login`], [`auth`]) and logs in to the server with what the
//!    client has proven ([`server::login`]).
//! 3. [`session::relay`] is the one loop of the data path, generic over [`wire::Protocol`]. It knows no message and no rule: it asks
//!    an [`session::overseer`] (here [`session::ledger`]) for an opinion of each statement, and the protocol for the bytes of a
//!    refusal.
//!    Its `up` and `down` carry the two ways over a `walk`; `decide` says what becomes of a client's frame, `reply` of a server's. What is
//!    only known while a statement runs is counted by frame heads (`meter`); `group` says what has to wait (`hold`), `stage` what becomes of
//!    a group that is guarded or cut (`undo`, `cut`, `late`); `lease` takes servers and gives them back, `lost` loses one.
//!    Its server comes from a [`session::relay::Source`]: one of its own, or with `pool = "transaction"` one that [`server::pool`] lends for
//!    each transaction ([`session::lending`]).
//! 4. [`session::judge`] gets the facts of a text from the worker's caches ([`session::reader`]), or waits for its analyst, and asks the
//!    [`guard`]. What comes beside a text (values, fetches, pipelines, COPY data) is judged in [`session::judge::bound`]. Verdicts are values;
//!    the words are in [`client::refuse`] alone.
//!
//! [`app`] builds all of this, [`console`] and [`admin`] show it and steer it through [`roster`], [`control`] and closures. They run on a thread
//! of their own and know nothing of sessions.
//!
//! # Threads
//!
//! The main thread reads signals and ticks. Each [`worker`] carries its sessions on a current-thread runtime, so nothing on a session's
//! path is locked, and the first of them accepts; logins take turns there and a part of its time ([`session::pace`]), and so do those who
//! leave; each has two *analyst* threads with large stacks: for new shapes, and for long texts and values. The operator's thread serves
//! console and HTTP.
//!
//! # Invariants
//!
//! - `units`, `wire`, `sql` and `guard` do no I/O and know no clock: `cargo check --lib --no-default-features` builds only them.
//! - `wire` and `sql` do not know that policy exists; `guard` does not know that bytes exist; `console` and `admin` do not know sessions.
//! - Bytes are forwarded as received. The exceptions: the secret in BackendKeyData, the names of prepared statements at a lent server,
//!   what DEALLOCATEs or EXECUTEs one of them, the sender of a notification that is its client itself, a refused message (and the error
//!   that takes its place), notices of rules in `warn`, the rest of a reply that was cut, and what guards a write: BEGIN, COMMIT or
//!   ROLLBACK, by choice a savepoint, Flush, Sync, and a message that fails ([`wire::Errand`]).
//! - Behind what may be cut or taken back nothing is sent that a cancel could hit or that would commit it.
//! - Inside a transaction or pipeline a refusal makes the *server* fail, so that savepoints, pipelines and COMMIT are what the client
//!   believes ([`wire::pg::phase`]).
//! - A session owns no buffer while it is idle, and nothing that only a statement under way needs (`session::sizes` holds it to its
//!   bytes). Every queue, cache and held frame has a bound; frames beyond 64 KiB count against
//!   `[limits] memory`.
//! - A lent server goes back when nothing is owed, half sent or half read, no transaction is open, and no cancel is on its way to it.
//!   One that is lost takes a single statement along, or its session; no statement is sent twice for that.
//!   Where a transaction may have left something (`sql::facts::traces`), the server is asked first; what cannot move pins it to its client.
//! - TLS is one more [`net::stream::Stream`]: nothing of it counts as written before the system has it, so nobody need flush it.
//! - Every permit, gauge and cancel key gives back on drop.
//! - No parser runs on a worker, none on raw text, and none on a shape that was read before.
//! - A rule that panics is out of order until RELOAD, alone and loudly; its statement is judged by the others.
//! - A client's name for itself (`application_name`) tightens and never loosens.
//! - A line of the log that a client can trigger has a rate, and no line holds a literal or a secret.
//!
//! # Seams for what comes next
//!
//! MySQL is another [`wire::Protocol`]. What a session leaves in a lent server is told by texts ([`session::state`]) and found where it is
//! given back (`session::lending::own`); its prepared statements are kept apart from those of others in [`session::statements`].

pub mod guard;
pub mod sql;
pub mod units;
pub mod wire;

#[cfg(feature = "proxy")]
pub mod address;
#[cfg(feature = "proxy")]
pub mod admin;
#[cfg(feature = "proxy")]
pub mod app;
#[cfg(feature = "proxy")]
pub mod auth;
#[cfg(feature = "proxy")]
pub mod catalog;
#[cfg(feature = "proxy")]
pub mod client;
#[cfg(feature = "proxy")]
pub mod clock;
#[cfg(feature = "proxy")]
pub mod config;
#[cfg(feature = "proxy")]
pub mod console;
#[cfg(feature = "proxy")]
pub mod control;
#[cfg(feature = "proxy")]
pub mod ctl;
#[cfg(feature = "proxy")]
pub mod import;
#[cfg(feature = "proxy")]
pub mod linter;
#[cfg(feature = "proxy")]
pub mod net;
#[cfg(feature = "proxy")]
pub mod pass;
#[cfg(feature = "proxy")]
pub mod roster;
#[cfg(feature = "proxy")]
pub mod server;
#[cfg(feature = "proxy")]
pub mod session;
#[cfg(feature = "proxy")]
pub mod shutdown;
#[cfg(feature = "proxy")]
pub mod telemetry;
#[cfg(feature = "proxy")]
pub mod traffic;
#[cfg(feature = "proxy")]
pub mod worker;
