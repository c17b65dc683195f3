//! Comparisons that may turn out to be always true.

use super::scalar::Scalar;

/// One side of a comparison that may turn out to be always true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// A column named `id` or `pk`.
    Key,
    /// A literal, with the place of its two bytes in the shape.
    Literal(Scalar, usize),
}

/// A comparison as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    None,
    Left(Side),
    Compared(Side),
}

impl Pair {
    pub(super) fn compared(self) -> Self {
        match self {
            Self::Left(side) => Self::Compared(side),
            Self::None | Self::Compared(_) => Self::None,
        }
    }

    /// A parenthesis opens: the second side may stand in it.
    pub(super) fn opened(self) -> Self {
        self.signed()
    }

    /// The shape is cut off at `to`.
    pub(super) fn cut(self, to: usize) -> Self {
        match self {
            Self::Left(Side::Literal(_, at)) | Self::Compared(Side::Literal(_, at)) if at >= to => Self::None,
            other => other,
        }
    }

    /// A sign was read: it may belong to the second side.
    pub(super) fn signed(self) -> Self {
        match self {
            Self::Compared(side) => Self::Compared(side),
            Self::None | Self::Left(_) => Self::None,
        }
    }
}
