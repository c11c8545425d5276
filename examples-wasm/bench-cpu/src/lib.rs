//! Computes: what metering costs where nothing else is done.
//!
//! Owns nothing. Part of `skep bench`; `tests/rivals` runs the same functions without metering.

use sha2::{Digest, Sha256};
use skep_sdk::prelude::*;

/// The server, which has nothing to keep.
#[derive(Serialize, Deserialize)]
pub struct Cpu;

/// What can be asked.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// A number of Fibonacci, by the definition.
    Fib(u32),
    /// The first bytes of the SHA-256 of so many bytes.
    Sha(usize),
}

#[server]
impl Server for Cpu {
    type Call = Request;
    type Reply = u64;

    fn init((): (), _: &Context) -> Start<Self> {
        Ok(Cpu)
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, _: &Context) -> Outcome<u64> {
        reply(match request {
            Request::Fib(n) => fib(n),
            Request::Sha(bytes) => sha(bytes),
        })
    }
}

/// The nth number, adding two calls of itself.
#[must_use]
pub fn fib(n: u32) -> u64 {
    if n < 2 { u64::from(n) } else { fib(n - 1) + fib(n - 2) }
}

/// The digest of so many bytes, each the low byte of its position, as far as a number holds it.
#[must_use]
pub fn sha(bytes: usize) -> u64 {
    // Copied in one go: a loop over the bytes would be nearly half of what is measured.
    let mut data = Vec::from_iter(0..=u8::MAX).repeat(bytes.div_ceil(256));
    data.truncate(bytes);
    let digest = Sha256::digest(&data);
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

skep_sdk::export!(Cpu);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computes_what_is_known() {
        assert_eq!((0..10).map(fib).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]);
        // Of no bytes: e3b0c442 98fc1c14…
        assert_eq!(sha(0), 0xe3b0_c442_98fc_1c14);
        // A number of bytes that is no whole number of blocks, each the low byte of its position.
        let position = |position: usize| u8::try_from(position % 256).expect("a remainder fits");
        let digest = Sha256::digest((0..1000).map(position).collect::<Vec<_>>());
        assert_eq!(sha(1000).to_be_bytes(), digest[..8]);
    }
}
