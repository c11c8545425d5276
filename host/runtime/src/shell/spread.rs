//! How numbers are hashed that the host itself gives: counted, or drawn at random. No guest can choose some that meet, so it
//! need not cost what a hash costs that nobody can foresee.

use std::hash::{BuildHasherDefault, Hasher};

/// For a map by such numbers, or by several of them together.
pub(super) type Spread = BuildHasherDefault<NumberHasher>;

#[derive(Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a number is hashed whole");
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio: neighbours end up far from each other, in the upper bits as in the lower.
        let spread = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = spread ^ (spread >> 32);
    }
}
