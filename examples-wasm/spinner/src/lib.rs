//! Loops for ever when asked, in a call or in `init`.
//!
//! Owns nothing. What preemption and fuel limits are tried on; `Ping` shows whether it still lives.

use skep_sdk::prelude::*;

/// The server, which has nothing to keep.
#[derive(Serialize, Deserialize)]
pub struct Spinner;

/// When it begins to loop.
#[derive(Default, Serialize, Deserialize)]
pub enum When {
    /// When called.
    #[default]
    Later,
    /// In `init`.
    Init,
}

/// What can be asked.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// Replies at once.
    Ping,
    /// Never replies.
    Spin,
    /// Replies after so many turns of a loop: work that ends.
    Work(u64),
}

#[server]
impl Server for Spinner {
    type Args = Option<When>;
    type Call = Request;
    type Reply = u64;

    fn init(when: Option<When>, _: &Context) -> Start<Self> {
        match when.unwrap_or_default() {
            When::Later => Ok(Spinner),
            When::Init => spin(),
        }
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, _: &Context) -> Outcome<u64> {
        match request {
            Request::Ping => reply(0),
            Request::Spin => spin(),
            Request::Work(turns) => reply((0..turns).fold(0, |sum, turn| std::hint::black_box(sum ^ turn))),
        }
    }
}

/// A function of its own also when optimised, so that a backtrace shows it.
#[inline(never)]
fn spin() -> ! {
    loop {
        std::hint::black_box(());
    }
}

skep_sdk::export!(Spinner);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    #[test]
    fn does_not_spin_unless_asked() {
        let mut spinner = Harness::<Spinner>::start(None).expect("init succeeds").always_hibernating();
        assert_eq!(spinner.call_json(r#""Ping""#).as_deref(), Ok("0"));
        assert_eq!(spinner.call(Request::Work(4)), Ok(0));
    }
}
