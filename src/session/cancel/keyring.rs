//! What the books of cancel keys are made of.

use std::sync::Arc;

/// The sessions with one process id: two servers may give the same. Nearly always one, so it takes no list.
#[derive(Debug)]
pub(super) enum Same<T> {
    /// One.
    One(Arc<T>),
    /// More than one.
    Several(Box<[Arc<T>]>),
}

impl<T> Same<T> {
    /// All of them.
    pub(super) fn all(&self) -> &[Arc<T>] {
        match self {
            Self::One(target) => std::slice::from_ref(target),
            Self::Several(targets) => targets,
        }
    }

    /// These and one more.
    pub(super) fn and(self, target: Arc<T>) -> Self {
        match self {
            Self::One(other) => Self::Several([other, target].into()),
            Self::Several(others) => Self::Several(others.into_iter().chain([target]).collect()),
        }
    }

    /// These but for one. `None`: nobody is left.
    pub(super) fn without(self, target: &Arc<T>) -> Option<Self> {
        match self {
            Self::One(other) => (!Arc::ptr_eq(&other, target)).then_some(Self::One(other)),
            Self::Several(others) => {
                let rest: Box<[_]> = others.into_iter().filter(|other| !Arc::ptr_eq(other, target)).collect();
                (!rest.is_empty()).then_some(Self::Several(rest))
            }
        }
    }
}

/// The secret of a key.
pub(super) enum Secret {
    /// That of most; not worth a box.
    Short([u8; Self::SHORT]),
    /// Any other.
    Long(Box<[u8]>),
}

impl Secret {
    /// Bytes of most: what protocol 3.0 has room for.
    const SHORT: usize = 4;

    /// A random one.
    pub(super) fn random(length: usize) -> Result<Self, getrandom::Error> {
        let mut secret =
            if length == Self::SHORT { Self::Short([0; Self::SHORT]) } else { Self::Long(vec![0; length].into()) };
        getrandom::fill(match &mut secret {
            Self::Short(bytes) => bytes,
            Self::Long(bytes) => bytes,
        })?;
        Ok(secret)
    }

    /// Its bytes.
    pub(super) const fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(bytes) => bytes,
            Self::Long(bytes) => bytes,
        }
    }
}
