//! Memory of what was read, bounded in bytes.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use super::Flags;

/// Remembers texts as clients sent them.
pub type TextCache<V> = ByteCache<V>;

/// Remembers shapes.
pub type ShapeCache<V> = ByteCache<V>;

/// What an entry takes beside its text and what its value says of itself.
const OVERHEAD_BYTES: usize = 96;

/// Texts of which it is known that they were met once.
const MET: usize = 4096;

/// A text may take this part of a cache, so that one giant does not empty it.
const SHARE_MAX: usize = 16;

/// Maps texts to values. A lookup is one hash, one compare, no allocation; hashes are seeded for each cache, and the
/// stored text is compared, so nobody can aim a collision. What was not asked for since the hand last passed goes first.
#[derive(Debug)]
pub struct ByteCache<V> {
    secrets: RapidSecrets,
    index: HashMap<u64, usize, BuildHasherDefault<Identity>>,
    slots: Vec<Slot<V>>,
    hand: usize,
    bytes: usize,
    bytes_max: usize,
    /// Hashes of texts that were met once, each in the place that its low bits name.
    met: Box<[u64]>,
}

#[derive(Debug)]
struct Slot<V> {
    hash: u64,
    flags: Flags,
    text: Box<[u8]>,
    value: V,
    weight: usize,
    asked: bool,
}

impl<V> ByteCache<V> {
    /// An empty cache of at most so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        // The standard library's state is seeded by the system; its hash of nothing is a random number.
        let seed = RandomState::new().build_hasher().finish();
        Self {
            secrets: RapidSecrets::seed(seed),
            index: HashMap::default(),
            slots: Vec::new(),
            hand: 0,
            bytes: 0,
            bytes_max,
            met: vec![0; MET].into_boxed_slice(),
        }
    }

    /// The value of a text.
    pub fn find(&mut self, flags: Flags, text: &[u8]) -> Option<&V> {
        let hash = self.hash(flags, text);
        let slot = self.slots.get_mut(*self.index.get(&hash)?)?;
        if slot.flags != flags || *slot.text != *text {
            return None;
        }
        slot.asked = true;
        Some(&slot.value)
    }

    /// Remembers a text whose value takes `value_bytes` beside it; forgets others for it where it must. A text that is
    /// too large a part of the cache is not kept.
    pub fn insert(&mut self, flags: Flags, text: &[u8], value: V, value_bytes: usize) {
        let weight = text.len() + value_bytes + OVERHEAD_BYTES;
        if weight > self.bytes_max / SHARE_MAX {
            return;
        }
        let hash = self.hash(flags, text);
        if let Some(&at) = self.index.get(&hash) {
            self.remove(at);
        }
        while self.bytes + weight > self.bytes_max && !self.slots.is_empty() {
            self.evict();
        }
        self.bytes += weight;
        self.index.insert(hash, self.slots.len());
        self.slots.push(Slot { hash, flags, text: text.into(), value, weight, asked: false });
    }

    /// Remembers a text when it is met for the second time; true where it did. Texts that hold their literals hardly ever
    /// come again: they would only push out those that do.
    pub fn insert_second(&mut self, flags: Flags, text: &[u8], value: &V, value_bytes: usize) -> bool
    where
        V: Clone,
    {
        let hash = self.hash(flags, text);
        let Some(met) = self.met.get_mut(hash as usize % MET) else { return false };
        if *met != hash {
            *met = hash;
            return false;
        }
        self.insert(flags, text, value.clone(), value_bytes);
        true
    }

    /// Forgets everything: after a change of what values depend on.
    pub fn clear(&mut self) {
        self.index.clear();
        self.slots.clear();
        self.hand = 0;
        self.bytes = 0;
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Texts remembered.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True where nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn hash(&self, flags: Flags, text: &[u8]) -> u64 {
        // The flags differ so rarely that they need not be mixed well, only told apart.
        rapidhash_v3_seeded(text, &self.secrets) ^ flags.bits()
    }

    /// Forgets the next value that nobody asked for since the hand was there.
    fn evict(&mut self) {
        loop {
            self.hand = if self.hand >= self.slots.len() { 0 } else { self.hand };
            let Some(slot) = self.slots.get_mut(self.hand) else { return };
            if !slot.asked {
                return self.remove(self.hand);
            }
            slot.asked = false;
            self.hand += 1;
        }
    }

    fn remove(&mut self, at: usize) {
        let slot = self.slots.swap_remove(at);
        self.bytes -= slot.weight;
        self.index.remove(&slot.hash);
        if let Some(moved) = self.slots.get(at) {
            self.index.insert(moved.hash, at);
        }
    }
}

/// Passes a number on that is a hash already.
#[derive(Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
