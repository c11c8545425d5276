//! Takes memory until it is refused.
//!
//! Owns all that it has taken, and lets go of it only with its instance: nothing of it is in the state. What memory limits
//! are tried on.

use skep_sdk::prelude::*;

/// The server. Its state is what it shall do when asked to save.
#[derive(Serialize, Deserialize)]
pub struct Hog {
    grow_in_save: bool,
    #[serde(skip)]
    taken: Vec<Vec<u8>>,
}

/// What can be asked; the reply is how many bytes it holds.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// Nothing but that.
    Held,
    /// So many bytes in blocks of 64 KiB.
    Take {
        /// At least.
        bytes: usize,
    },
    /// Blocks of this size, without end. Never replies.
    Many {
        /// Of each block.
        bytes: usize,
    },
    /// One block of this size.
    Giant {
        /// Of the block.
        bytes: usize,
    },
    /// From now on `save` takes memory without end.
    GrowInSave,
}

const BLOCK_BYTES: usize = 64 * 1024;

#[server]
impl Server for Hog {
    type Call = Request;
    type Reply = u64;
    type State = Hog;

    fn init(_: (), _: &Context) -> Start<Self> {
        Ok(Hog { grow_in_save: false, taken: Vec::new() })
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, _: &Context) -> Outcome<u64> {
        match request {
            Request::Held => {}
            Request::Take { bytes } => self.taken.extend((0..bytes.div_ceil(BLOCK_BYTES)).map(|_| block(BLOCK_BYTES))),
            Request::Many { bytes } => take_for_ever(&mut self.taken, bytes),
            Request::Giant { bytes } => self.taken.push(block(bytes)),
            Request::GrowInSave => self.grow_in_save = true,
        }
        reply(self.taken.iter().map(|block| block.len() as u64).sum())
    }

    fn save(&self) -> Result<Saved<'_, Hog>, Failure> {
        if self.grow_in_save {
            take_for_ever(&mut Vec::new(), BLOCK_BYTES);
        }
        Ok(Saved::Borrowed(self))
    }

    fn restore(state: Hog, _: &MigrateContext) -> Result<Self, Failure> {
        Ok(state)
    }
}

/// A function of its own also when optimised, so that a backtrace shows it.
#[inline(never)]
fn take_for_ever(taken: &mut Vec<Vec<u8>>, bytes: usize) -> ! {
    loop {
        taken.push(block(bytes));
    }
}

/// Written to, or it would only be promised.
fn block(bytes: usize) -> Vec<u8> {
    std::hint::black_box(vec![1; bytes])
}

skep_sdk::export!(Hog);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    #[test]
    fn holds_what_it_takes_until_it_hibernates() {
        let mut hog = Harness::<Hog>::start(()).expect("init succeeds");
        assert_eq!(hog.call_json(r#"{"Take":{"bytes":65537}}"#).as_deref(), Ok("131072"));
        assert_eq!(hog.call(Request::Giant { bytes: 10 }), Ok(131_082));
        hog.hibernate();
        assert_eq!(hog.call(Request::Held), Ok(0));
    }
}
