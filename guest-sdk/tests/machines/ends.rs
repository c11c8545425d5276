//! STM-06 to STM-08: replies at the end, what can be wrong, how long a call waits, and how much a machine holds.

use std::time::Duration;

use skep_sdk::prelude::*;
use skep_sdk::testing::{Action, Harness};

use super::Act::{Breed, PostponeIn, Repeat};
use super::{Act, Scribe, both, named, scribe, time, told};

#[test]
fn stm_06_all_replies_go_out_before_the_end() {
    both([], |scribe| {
        let open = scribe.call_open(told("a", [PostponeIn(1)]));
        assert_eq!(scribe.call(told("last", [Act::Stop(ExitReason::custom("done"))])), Ok("to last".to_owned()));
        assert_eq!(scribe.reply_to(&open), None);
        assert_eq!(scribe.ended(), Some(&ExitReason::custom("done")));
        let said = Action::Log(Level::Info, format!("ends in 1: {:?}", ExitReason::custom("done")));
        assert_eq!(scribe.actions(), [said]);
    });
}

/// Collects calls, and answers all of them when it stops.
#[derive(Default, Serialize, Deserialize)]
struct Collector(Vec<From<Collector>>);

#[state_machine]
impl StateMachine for Collector {
    type State = ();
    type Call = u8;
    type Reply = u8;

    fn init(_: (), _: &Context) -> Start<(Self, First<Self>)> {
        Ok((Collector::default(), first_state(())))
    }

    fn handle(&mut self, _: &(), event: StateEvent<Self>, _: &Context) -> Transition<Self> {
        let StateEvent::Call(number, from) = event else { return keep_state() };
        self.0.push(from);
        if number == 0 {
            let replies = self.0.drain(..).zip(1..);
            return replies.fold(stop(ExitReason::Normal), |step, (from, number)| step.reply(from, number));
        }
        keep_state()
    }
}

skep_sdk::export!(machine Collector);

#[test]
fn stm_06_stop_and_reply_answers_everybody_listed() {
    let mut collector = Harness::<Collector>::start(()).expect("init succeeds").always_hibernating();
    let open = [1, 2].map(|number| collector.call_open(number));
    assert_eq!(collector.call(0), Ok(3));
    assert_eq!(open.map(|open| collector.reply_to(&open)), [Some(1), Some(2)]);
    assert_eq!(collector.ended(), Some(&ExitReason::Normal));
}

#[test]
fn stm_07_what_can_still_be_wrong_ends_the_machine() {
    let start = Harness::<Scribe>::start(vec![Repeat]);
    assert!(matches!(start, Err(NotStarted::Failed(why)) if why == "not at the start"));
    let failed = |event: Event| {
        let mut scribe = scribe([]);
        scribe.deliver(event);
        scribe.ended().cloned()
    };
    let wrong = || Body::Json("7".into());
    assert_eq!(failed(Event::Info(wrong())), None, "an info is logged and dropped, as in a server");
    assert!(
        matches!(failed(Event::Cast(wrong())), Some(ExitReason::Failed(why)) if why.starts_with("cannot decode a cast"))
    );
}

#[test]
fn stm_08_a_call_to_a_state_machine_waits_for_ever() {
    assert_eq!(<Scribe as Protocol>::CALL_TIMEOUT, None);
    struct Server;
    impl Protocol for Server {
        type Args = ();
        type Call = ();
        type Reply = ();
        type Cast = Never;
        type Info = Never;
    }
    assert_eq!(Server::CALL_TIMEOUT, Some(Duration::from_secs(5)));
}

#[test]
fn what_a_machine_holds_is_bounded_in_number_and_in_bytes() {
    let mut many = scribe([]);
    for number in 0..20 {
        many.cast(told(&number.to_string(), [PostponeIn(1)]));
    }
    assert_eq!(many.ended(), None);
    many.cast(told("one more", [PostponeIn(1)]));
    assert_eq!(many.ended(), Some(&ExitReason::Limit("held events".into())));

    let mut large = scribe([]);
    large.cast(told(&"x".repeat(900), [PostponeIn(1)]));
    large.cast(told("y", [time(&named("n"), 10, &"z".repeat(900))]));
    assert_eq!(large.ended(), None);
    large.cast(told(&"x".repeat(200), [PostponeIn(1)]));
    assert_eq!(large.ended(), Some(&ExitReason::Limit("held bytes".into())));

    let mut breeding = scribe([]);
    breeding.cast(told("a", [Breed]));
    assert_eq!(breeding.ended(), Some(&ExitReason::Limit("held events".into())));
}
