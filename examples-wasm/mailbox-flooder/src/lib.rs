//! Sends as fast as it can to whom it is told.
//!
//! Owns a count of what was refused. What mailbox limits are tried on; cast to it to begin a flood that nobody waits for.

use skep_sdk::prelude::*;
use skep_sdk::{Raw, Untyped};

/// The server, which is its own state.
#[derive(Serialize, Deserialize)]
pub struct Flooder {
    sent: u64,
    refused: u64,
}

/// A flood.
#[derive(Serialize, Deserialize)]
pub struct Flood {
    /// Whom.
    pub to: Address,
    /// How many; without a number it never ends.
    #[serde(default)]
    pub times: Option<u64>,
    /// How large each is.
    #[serde(default)]
    pub bytes: usize,
    /// As what.
    pub by: Means,
}

/// What a flood consists of.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Means {
    /// Plain messages, which may be refused.
    Send,
    /// Casts, which are dropped where there is no room.
    Cast,
    /// Requests whose answers flood the flooder.
    Request,
    /// Timers that fire at once.
    Timer,
}

/// What can be asked.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// Replies when the flood is over.
    Flood(Flood),
    /// Replies at once.
    Count,
}

/// What became of its messages since it began.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// Sent, as far as the host said.
    pub sent: u64,
    /// Refused by the host.
    pub refused: u64,
}

#[server]
impl Server for Flooder {
    type Call = Request;
    type Reply = Count;
    type Cast = Flood;
    /// What others flood it with in turn.
    type Info = Raw;

    fn init(_: (), _: &Context) -> Start<Self> {
        Ok(Flooder { sent: 0, refused: 0 })
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, context: &Context) -> Outcome<Count> {
        if let Request::Flood(flood) = request {
            self.flood(&flood, context);
        }
        reply(Count { sent: self.sent, refused: self.refused })
    }

    fn handle_cast(&mut self, flood: Flood, context: &Context) -> Outcome {
        self.flood(&flood, context);
        noreply()
    }

    fn handle_info(&mut self, _: Raw, _: &Context) -> Outcome {
        noreply()
    }

    fn handle_answer(&mut self, _: Answer, _: &Context) -> Outcome {
        noreply()
    }
}

impl Flooder {
    fn flood(&mut self, flood: &Flood, context: &Context) {
        let to = Ref::<Untyped>::at(flood.to.clone());
        let drop = Raw(Body::Raw(vec![0; flood.bytes]));
        let mut left = flood.times;
        while left != Some(0) {
            left = left.map(|left| left - 1);
            let sent = match flood.by {
                Means::Send => to.send(context, &drop).is_ok(),
                Means::Cast => {
                    to.cast(context, &drop);
                    true
                }
                Means::Request => {
                    let _ = to.request(context, &drop, None);
                    true
                }
                Means::Timer => {
                    to.send_after(context, std::time::Duration::ZERO, &drop);
                    true
                }
            };
            if sent {
                self.sent += 1;
            } else {
                self.refused += 1;
            }
        }
    }
}

skep_sdk::export!(Flooder);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::{Action, Harness};

    use super::*;

    #[test]
    fn sends_what_it_is_told_to() {
        let mut flooder = Harness::<Flooder>::start(()).expect("init succeeds").always_hibernating();
        let count = flooder.call_json(r#"{"Flood":{"to":"nobody","times":2,"by":"Send"}}"#);
        assert_eq!(count.as_deref(), Ok(r#"{"sent":0,"refused":2}"#));
        let to = Address::from("nobody");
        flooder.cast(Flood { to: to.clone(), times: Some(1), bytes: 2, by: Means::Cast });
        assert_eq!(flooder.actions(), [Action::Cast { to, body: Body::Raw(vec![0, 0]) }]);
        assert_eq!(flooder.call(Request::Count), Ok(Count { sent: 1, refused: 2 }));
    }
}
