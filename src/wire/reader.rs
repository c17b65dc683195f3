//! A bounds-checked cursor: the only place that slices bytes off the network.

use memchr::memchr;

use super::Malformed;

/// Reads from the front of a slice; every step is checked.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Malformed::Short`] at the end.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// Two bytes, big endian.
    ///
    /// # Errors
    /// [`Malformed::Short`] where fewer are left.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes, big endian.
    ///
    /// # Errors
    /// [`Malformed::Short`] where fewer are left.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// Four bytes, big endian, signed.
    ///
    /// # Errors
    /// [`Malformed::Short`] where fewer are left.
    pub fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    /// `n` bytes.
    ///
    /// # Errors
    /// [`Malformed::Short`] where fewer are left.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A string up to its NUL, which is taken too and not returned.
    ///
    /// # Errors
    /// [`Malformed::Unterminated`] where no NUL is left.
    pub fn cstr(&mut self) -> Result<&'a [u8], Malformed> {
        // Most names are empty.
        let empty = self.rest.first() == Some(&0);
        let end = if empty { 0 } else { memchr(0, self.rest).ok_or(Malformed::Unterminated)? };
        let text = self.bytes(end)?;
        self.u8()?;
        Ok(text)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`Malformed::Trailing`] where bytes are left.
    pub const fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed::Trailing) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(*head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_order_and_refuses_what_is_not_there() {
        let mut reader = Reader::new(b"\x01\x00\x02\x00\x00\x00\x03ab\0cd");
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(2));
        assert_eq!(reader.u32(), Ok(3));
        assert_eq!(reader.cstr(), Ok(&b"ab"[..]));
        assert_eq!(reader.cstr(), Err(Malformed::Unterminated));
        assert_eq!(reader.bytes(3), Err(Malformed::Short));
        assert_eq!(reader.end(), Err(Malformed::Trailing));
        assert_eq!(reader.bytes(2), Ok(&b"cd"[..]));
        assert_eq!(reader.end(), Ok(()));
    }
}
