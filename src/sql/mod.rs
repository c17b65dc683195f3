//! SQL texts and what is known of them: pure functions over bytes.
//!
//! [`lexer`] reads a text in one pass: its statements, their verbs, what they carry, and the shape. [`facts`] reads a
//! shape with a parser, once, away from the data path. [`cache`] remembers both, [`mask`] saves reading texts that
//! differ in nothing but numbers. [`schema`] is what is known of the
//! server's tables, [`values`] what a client's values say of how much; [`comment`] finds what stands around a statement. Nothing
//! here knows that there are rules.

pub mod array;
pub mod cache;
pub mod comment;
pub mod dialect;
pub mod encoding;
pub mod facts;
pub mod lexer;
pub mod lookup;
pub mod mask;
pub mod reading;
pub mod schema;
pub mod values;
pub mod verb;

pub use dialect::{Dialect, Flags, Quotes, Server, Strings};
pub use encoding::Encoding;
pub use facts::Facts;
pub use lexer::{Lexed, Piece};
pub use reading::Reading;
pub use schema::{Estimate, Schema, TableName};
pub use values::Values;
pub use verb::Verb;
