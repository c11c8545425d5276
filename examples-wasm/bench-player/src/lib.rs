//! Passes messages on around a ring, counts them, crashes or spins when told.
//!
//! Owns whom it passes to and who waits for it. Two of them play ping-pong, a thousand are a ring, and one receives what
//! some others send. Part of `skep bench`.

use skep_sdk::prelude::*;

/// The server, which is its own state.
#[derive(Serialize, Deserialize)]
pub struct Player {
    next: Option<Pid>,
    /// Less than nothing while drops have come that nobody has asked for yet.
    expected: i64,
    waiting: Option<From<Self>>,
}

/// What can be asked.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// From now on, pass on to this one.
    Meet(Pid),
    /// Send a ball that is passed on so many times in all, and reply when it is back. It must come back to this one.
    Throw(u64),
    /// Reply when so many drops have come.
    Expect(i64),
    /// Reply.
    Ping,
}

/// What a call does not wait for.
#[derive(Serialize, Deserialize)]
pub enum Order {
    /// Panic.
    Crash,
    /// Send so many drops to the next one.
    Pour(u64),
    /// Never come back.
    Spin,
}

/// What is passed.
#[derive(Debug, Serialize, Deserialize)]
pub enum Thing {
    /// With the number of passes that are left.
    Ball(u64),
    /// One of many.
    Drop,
}

#[server]
impl Server for Player {
    type Call = Request;
    type Reply = ();
    type Cast = Order;
    type Info = Thing;

    fn init((): (), _: &Context) -> Start<Self> {
        Ok(Player { next: None, expected: 0, waiting: None })
    }

    fn handle_call(&mut self, request: Request, from: From<Self>, context: &Context) -> Outcome<()> {
        match request {
            Request::Meet(pid) => self.next = Some(pid),
            Request::Ping => {}
            Request::Throw(passes) => {
                self.pass(&Thing::Ball(passes.saturating_sub(1)), context);
                self.waiting = Some(from);
                return noreply();
            }
            Request::Expect(drops) => {
                self.waiting = Some(from);
                self.expect(drops, context);
                return noreply();
            }
        }
        reply(())
    }

    fn handle_cast(&mut self, order: Order, context: &Context) -> Outcome {
        match order {
            Order::Crash => panic!("as ordered"),
            Order::Pour(drops) => (0..drops).for_each(|_| self.pass(&Thing::Drop, context)),
            Order::Spin => loop {
                std::hint::black_box(());
            },
        }
        noreply()
    }

    fn handle_info(&mut self, thing: Thing, context: &Context) -> Outcome {
        match thing {
            Thing::Ball(0) => self.done(context),
            Thing::Ball(passes) => self.pass(&Thing::Ball(passes - 1), context),
            Thing::Drop => self.expect(-1, context),
        }
        noreply()
    }
}

impl Player {
    /// A refusal ends this process: a message less would never be noticed.
    fn pass(&self, thing: &Thing, context: &Context) {
        let next = self.next.unwrap_or_else(|| context.me());
        if let Err(refusal) = context.send(next, thing) {
            context.stop(ExitReason::Failed(format!("cannot pass on: {refusal}")));
        }
    }

    fn expect(&mut self, more: i64, context: &Context) {
        self.expected = self.expected.saturating_add(more);
        if self.expected == 0 {
            self.done(context);
        }
    }

    fn done(&mut self, context: &Context) {
        if let Some(waiting) = self.waiting.take() {
            waiting.reply(context, ());
        }
    }
}

skep_sdk::export!(Player);

#[cfg(test)]
mod tests {
    use skep_sdk::Message;
    use skep_sdk::testing::{Action, Harness};

    use super::*;

    #[test]
    fn a_ball_goes_on_until_it_has_no_passes_left() {
        let mut player = Harness::<Player>::start(()).expect("init succeeds").always_hibernating();
        let next = Pid { node: 0, id: 7, tag: 1 };
        assert_eq!(player.call(Request::Meet(next)), Ok(()));
        player.info(Thing::Ball(2));
        let one = Message::encode(&Thing::Ball(1), skep_sdk::Codec::default()).expect("it encodes");
        assert_eq!(player.actions(), [Action::Send { to: next.into(), body: one }]);
    }
}
