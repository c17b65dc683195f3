//! What is open at a token: parentheses, brackets, CASE.

/// What is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// The statement itself, or parentheses that mean nothing special.
    Group,
    /// The items of `IN (…)`.
    List,
    /// The argument of `ANY`, `ALL`, `SOME` or `unnest`: an array in it stands for rows.
    Rows,
    /// One tuple of `VALUES`.
    Tuple,
    /// The size of a type: `numeric(10, 2)`.
    Size,
    /// `ARRAY[…]`.
    Array,
    /// `ARRAY[…]` in `Rows`.
    RowArray,
    /// A subscript.
    Index,
    /// `CASE … END`.
    Case,
}

/// What a literal at the beginning of a frame would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A condition of its own.
    Truth,
    /// Anything else.
    Other,
}

/// Whether tuples of `VALUES` may follow in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tuples {
    No,
    /// `VALUES` was read.
    Expected,
    /// A tuple was read; another follows only after a comma.
    Read,
}

/// Something open. Offsets are into the shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: FrameKind,
    pub(super) place: Place,
    /// Commas of a list; arms of a CASE.
    pub(super) items: u32,
    /// List: commas of the lists inside.
    pub(super) inside: u32,
    /// List: where the last item that is kept ends. CASE: where the arm being read begins, or `NONE`.
    pub(super) keep: usize,
    /// List: where that item begins. CASE: where the arm before that begins, or `NONE`.
    pub(super) mark: usize,
    /// List: items kept beside the first.
    pub(super) kept: u8,
    pub(super) tuples: Tuples,
    pub(super) tuple_count: u32,
    /// Where the first tuple ends.
    pub(super) tuple_keep: usize,
}

/// No place in a shape.
pub(super) const NONE: usize = usize::MAX;

impl Frame {
    pub(super) const STATEMENT: Self = Self::new(FrameKind::Group, Place::Other);

    pub(super) const fn new(kind: FrameKind, place: Place) -> Self {
        Self {
            kind,
            place,
            items: 0,
            inside: 0,
            keep: NONE,
            mark: NONE,
            kept: 0,
            tuples: Tuples::No,
            tuple_count: 0,
            tuple_keep: 0,
        }
    }

    /// One whose first item begins at `mark`.
    pub(super) const fn starting(kind: FrameKind, place: Place, mark: usize) -> Self {
        Self { mark, ..Self::new(kind, place) }
    }
}
