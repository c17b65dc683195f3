//! Names that hold for others as well, as soon as they stand where a glob may.
//!
//! `[[access]]` and `match` take `*` and `?` for other letters, and there is no way to write these two themselves. What would let such a
//! name in, or hold for it alone, is left out and told.

/// Would it be a pattern?
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// Of a database that was declared.
pub(super) const DATABASE: &str = "\
    * and ? stand for other letters in [[access]], so that an entry for this database would let in to others: it is let in nowhere, and \
    where all others are let in, an entry keeps out those that look like it. Rename it at the server, or write an entry for it by hand";

/// Of a user, or a database, with limits of its own.
pub(super) const EXCEPTION: &str = "\
    * and ? stand for other letters in match, so that a [[client]] for this name would hold for others: what it has of its own was left \
    out. Rename it, or write a [[client]] by hand";

/// Of a user, or a database, whose pools have sizes of their own.
pub(super) const POOL: &str = "\
    * and ? stand for other letters in match, so that a [[pool]] for this name would hold for others: what its pools have of their own was \
    left out. Rename it, or write a [[pool]] by hand";

/// Of users who would be asked for an md5 hash.
pub(super) const HASHED: &str = "\
    * and ? stand for other letters in [[access]], so that an entry for such a user would let others in by md5: users of such names with \
    an md5 hash are let in by SCRAM alone. Give them verifiers, or other names";

/// Of a line of `auth_hba_file`.
pub(super) const LINE: &str = "\
    * and ? stand for other letters in [[access]]: nobody is let in by a name that has them, and whoever looks like it is kept out. Give it \
    another name, or write the entry by hand";
