//! Random numbers of a guest: the host's, or a stream that a seed makes.

use std::convert::Infallible;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng, TryRng};
use wasmtime_wasi::WasiCtxBuilder;

/// Three streams of one seed, one for each interface of WASI. They belong to the process: its next instance goes on where
/// the last one stopped.
#[derive(Clone)]
pub struct Streams {
    secure: Stream,
    insecure: Stream,
    insecure_seed: u128,
}

impl Streams {
    pub fn new(seed: u64) -> Self {
        let mut root = StdRng::seed_from_u64(seed);
        let mut stream = || Stream(Arc::new(Mutex::new(StdRng::from_rng(&mut root))));
        let (secure, insecure) = (stream(), stream());
        let insecure_seed = u128::from(root.next_u64()) << 64 | u128::from(root.next_u64());
        Streams { secure, insecure, insecure_seed }
    }

    /// In place of the host's.
    pub(super) fn give(&self, builder: &mut WasiCtxBuilder) {
        builder
            .secure_random(self.secure.clone())
            .insecure_random(self.insecure.clone())
            .insecure_random_seed(self.insecure_seed);
    }
}

/// A generator that several instances use, one after the other.
#[derive(Clone)]
struct Stream(Arc<Mutex<StdRng>>);

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.lock().next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.lock().next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.lock().fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_stream_and_the_next_instance_goes_on_in_it() {
        let first = |streams: &Streams| (streams.secure.clone().next_u64(), streams.insecure.clone().next_u64());
        let (one, same, other) = (Streams::new(7), Streams::new(7), Streams::new(8));
        let begun = first(&one);
        assert_eq!(begun, first(&same));
        assert_eq!(one.insecure_seed, same.insecure_seed);
        assert_ne!(begun.0, begun.1, "two interfaces, two streams");
        assert_ne!(begun, first(&one), "it goes on");
        assert_ne!(begun, first(&other));
    }
}
