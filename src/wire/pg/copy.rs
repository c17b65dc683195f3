//! Refusal of a COPY from the client while its data is on the way.

use bytes::BytesMut;

use super::code::client;
use super::{Conversation, refusal};
use crate::wire::Refusal;

/// What becomes of COPY data that the client sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Data {
    #[default]
    Wanted,
    /// Its COPY was refused: nobody sees the rest of it.
    Unwanted,
}

impl Conversation {
    /// Ends a COPY from the client in its name, so that the server fails, and drops what the client still sends of it.
    pub(super) fn fail_copy(&mut self, code: u8, refusal: &Refusal, out: &mut BytesMut) {
        let word = self.refusals.get_or_insert_default().add(refusal);
        refusal::copy_fail(&word, out);
        self.phase.client(client::COPY_FAIL);
        self.data = if code == client::COPY_DATA { Data::Unwanted } else { Data::Wanted };
    }

    /// Whether a message is part of data that nobody wants. Whatever begins something new ends such data.
    pub(super) fn drops(&mut self, code: u8) -> bool {
        if self.data == Data::Wanted {
            return false;
        }
        let (data, drops) = match code {
            client::COPY_DATA => (Data::Unwanted, true),
            client::COPY_DONE | client::COPY_FAIL => (Data::Wanted, true),
            client::SYNC | client::FLUSH => (Data::Unwanted, false),
            _ => (Data::Wanted, false),
        };
        self.data = data;
        drops
    }
}
