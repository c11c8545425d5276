//! Recurses without end, or as deep as told.
//!
//! Owns nothing. What stack limits are tried on. Each turn of the recursion keeps an array that the next one reads, so
//! that no compiler makes a loop of it.

use skep_sdk::prelude::*;

/// The server, which has nothing to keep.
#[derive(Serialize, Deserialize)]
pub struct Recursive;

/// What can be asked.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// Replies with this depth once it has been there.
    Depth(u64),
    /// Never comes back.
    Overflow,
}

#[server]
impl Server for Recursive {
    type Call = Request;
    type Reply = u64;

    fn init(_: (), _: &Context) -> Start<Self> {
        Ok(Recursive)
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, _: &Context) -> Outcome<u64> {
        match request {
            Request::Depth(depth) => reply(descend(depth, &[0; 8])),
            Request::Overflow => reply(descend(u64::MAX, &[0; 8])),
        }
    }
}

#[inline(never)]
fn descend(left: u64, above: &[u64; 8]) -> u64 {
    if left == 0 {
        return 0;
    }
    let here = std::hint::black_box([above[0] + 1; 8]);
    let below = descend(left - 1, &here);
    // Read after the return: the frame must stay.
    std::hint::black_box(&here);
    below + 1
}

skep_sdk::export!(Recursive);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    #[test]
    fn comes_back_from_a_depth_that_it_is_told() {
        let mut recursive = Harness::<Recursive>::start(()).expect("init succeeds");
        assert_eq!(recursive.call_json(r#"{"Depth":100}"#).as_deref(), Ok("100"));
    }
}
