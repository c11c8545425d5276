//! The rules of a state machine, run natively by a machine that does what its events say: after gen_statem_SUITE. Each is
//! checked with the instance kept, and with the machine hibernated after every event.

#![allow(missing_docs, reason = "a test")]

use std::time::Duration;

use skep_sdk::prelude::*;
use skep_sdk::testing::{Action, Harness};

/// Writes down what it sees, and does what the event says.
#[derive(Default, Serialize, Deserialize)]
pub struct Scribe {
    seen: Vec<String>,
    /// What each entry does, as in `Told`.
    on_entry: Vec<Act>,
}

/// An event: what it is called, and what it makes the machine do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told(String, Vec<Act>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Act {
    Next(u8),
    Repeat,
    /// The event is for another state than this.
    PostponeIn(u8),
    Insert(Told),
    InsertCast(Told),
    Time(TimeoutKind, u64, String),
    Update(TimeoutKind, String),
    Cancel(TimeoutKind),
    OnEntry(Vec<Act>),
    Stop(ExitReason),
    Hibernate,
    /// Twice as much of the same, for ever.
    Breed,
}

use Act::{Breed, Cancel, Insert, InsertCast, Next, OnEntry, PostponeIn, Repeat, Time, Update};
use TimeoutKind::{Event as ByEvent, State as ByState};

#[state_machine]
impl StateMachine for Scribe {
    type State = u8;
    type Args = Vec<Act>;
    type Call = Told;
    type Reply = String;
    type Cast = Told;
    type Info = Told;
    type Internal = Told;
    type Timeout = String;

    const HELD_EVENTS: usize = 20;
    const HELD_BYTES: usize = 2_000;

    fn init(acts: Vec<Act>, _: &Context) -> Start<(Self, First<Self>)> {
        let mut first = first_state(1);
        let mut scribe = Scribe::default();
        for act in acts {
            match act {
                Insert(told) => first = first.next_event(told),
                OnEntry(acts) => scribe.on_entry = acts,
                Time(kind, after, content) => first = first.timeout_of(kind, ms(after), content),
                _ => return Err("not at the start".into()),
            }
        }
        Ok((scribe, first))
    }

    fn handle(&mut self, state: &u8, event: StateEvent<Self>, _: &Context) -> Transition<Self> {
        let (kind, told, from) = match event {
            StateEvent::Call(told, from) => ("call", told, Some(from)),
            StateEvent::Cast(told) => ("cast", told, None),
            StateEvent::Info(told) => ("info", told, None),
            StateEvent::Internal(told) => ("own", told, None),
            StateEvent::Timeout(kind, content) => {
                self.seen.push(format!("{kind:?} {content} in {state}"));
                return keep_state();
            }
            _ => return keep_state(),
        };
        let Told(name, acts) = told.clone();
        self.seen.push(format!("{kind} {name} in {state}"));
        if acts.iter().any(|act| matches!(act, PostponeIn(other) if other == state)) {
            let next = acts.iter().find_map(|act| if let Next(state) = act { Some(*state) } else { None });
            return next.map_or_else(keep_state, next_state).postpone();
        }
        let mut step = acts.iter().fold(keep_state(), |step, act| match act {
            Next(state) => next_state(*state),
            Repeat => repeat_state(),
            Act::Stop(reason) => stop(reason.clone()),
            _ => step,
        });
        for act in acts {
            step = match act {
                Insert(told) => step.next_event(told),
                InsertCast(told) => step.next_cast(told),
                Breed => step.next_event(&told).next_event(&told),
                OnEntry(acts) => {
                    self.on_entry = acts;
                    step
                }
                act => timed(step, act),
            };
        }
        match from {
            Some(from) => step.reply(from, format!("to {name}")),
            None => step,
        }
    }

    fn enter(&mut self, from: &u8, to: &u8, _: &Context) -> Entered<Self> {
        self.seen.push(format!("from {from} to {to}"));
        let acts = std::mem::take(&mut self.on_entry);
        let step = acts.iter().fold(keep_state(), |step, act| match act {
            Act::Stop(reason) => stop(reason.clone()),
            _ => step,
        });
        acts.into_iter().fold(step, timed)
    }

    fn terminate(&mut self, state: &u8, reason: &ExitReason, context: &Context) {
        context.info(&format!("ends in {state}: {reason:?}"));
    }
}

fn timed<K>(step: skep_sdk::Step<Scribe, K>, act: Act) -> skep_sdk::Step<Scribe, K> {
    match act {
        Time(kind, after, content) => step.timeout_of(kind, ms(after), content),
        Update(kind, content) => step.update_timeout(kind, content),
        Cancel(kind) => step.cancel_timeout(kind),
        Act::Hibernate => step.hibernate(),
        _ => step,
    }
}

skep_sdk::export!(machine Scribe);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn json(told: &Told) -> String {
    match skep_sdk::Message::encode(told, skep_sdk::Codec::Json) {
        Ok(Body::Json(text)) => text,
        other => panic!("it cannot be written: {other:?}"),
    }
}

fn told(name: &str, acts: impl Into<Vec<Act>>) -> Told {
    Told(name.to_owned(), acts.into())
}

fn named(name: &str) -> TimeoutKind {
    TimeoutKind::named(name)
}

fn time(kind: &TimeoutKind, after: u64, content: &str) -> Act {
    Time(kind.clone(), after, content.to_owned())
}

fn scribe(acts: impl Into<Vec<Act>>) -> Harness<Scribe> {
    Harness::start(acts.into()).expect("init succeeds")
}

/// The same in both ways of keeping instances.
fn both(acts: impl Into<Vec<Act>>, test: impl Fn(&mut Harness<Scribe>)) {
    let acts = acts.into();
    test(&mut scribe(acts.clone()));
    test(&mut scribe(acts).always_hibernating());
}

fn seen(scribe: &Harness<Scribe>) -> Vec<&str> {
    let machine = scribe.server().expect("it lives");
    machine.data().seen.iter().map(String::as_str).collect()
}

#[test]
fn stm_01_a_postponed_event_waits_for_another_state_and_comes_before_newer_ones() {
    both([], |scribe| {
        scribe.cast(told("a", [PostponeIn(1)]));
        scribe.cast(told("b", [PostponeIn(1), PostponeIn(2)]));
        scribe.cast(told("same", [Next(1)]));
        scribe.cast(told("again", [Repeat]));
        let body = |told: Told| Body::Json(json(&told));
        scribe.deliver_all([
            Event::Cast(body(told("go", [Next(2), Insert(told("first", []))]))),
            Event::Cast(body(told("newer", []))),
            Event::Cast(body(told("on", [Next(3)]))),
        ]);
        assert_eq!(
            seen(scribe),
            [
                "from 1 to 1",
                "cast a in 1",
                "cast b in 1",
                "cast same in 1",
                "cast again in 1",
                "from 1 to 1",
                "cast go in 1",
                "from 1 to 2",
                "own first in 2",
                "cast a in 2",
                "cast b in 2",
                "cast newer in 2",
                "cast on in 2",
                "from 2 to 3",
                "cast b in 3",
            ]
        );
    });
}

#[test]
fn stm_01_what_changes_the_state_and_is_postponed_comes_again_at_once() {
    both([], |scribe| {
        scribe.cast(told("a", [PostponeIn(1)]));
        scribe.cast(told("away", [PostponeIn(1), Next(2)]));
        assert_eq!(seen(scribe)[2..], ["cast away in 1", "from 1 to 2", "cast a in 2", "cast away in 2"]);
    });
}

#[test]
fn stm_01_a_postponed_call_keeps_its_caller_and_its_codec() {
    both([], |scribe| {
        let open = scribe.call_open(told("a", [PostponeIn(1)]));
        assert_eq!(scribe.reply_to(&open), None);
        scribe.cast(told("go", [Next(2)]));
        assert_eq!(scribe.reply_to(&open), Some("to a".to_owned()));
        assert_eq!(scribe.call_json(r#"["b",[]]"#), Ok(r#""to b""#.to_owned()));
    });
}

#[test]
fn stm_02_inserted_events_come_first_in_the_order_in_which_they_are_listed() {
    both([Insert(told("zero", [])), Insert(told("one", []))], |scribe| {
        scribe.cast(told("kept", [PostponeIn(1)]));
        scribe.cast(told(
            "go",
            [Next(2), Insert(told("a", [Insert(told("a1", [])), Insert(told("a2", []))])), InsertCast(told("b", []))],
        ));
        assert_eq!(
            seen(scribe),
            [
                "from 1 to 1",
                "own zero in 1",
                "own one in 1",
                "cast kept in 1",
                "cast go in 1",
                "from 1 to 2",
                "own a in 2",
                "own a1 in 2",
                "own a2 in 2",
                "cast b in 2",
                "cast kept in 2",
            ]
        );
    });
}

#[test]
fn stm_04_any_event_calls_off_the_event_timeout() {
    both([], |scribe| {
        scribe.cast(told("a", [time(&ByEvent, 100, "quiet")]));
        scribe.advance(ms(50));
        scribe.cast(told("b", []));
        scribe.advance(ms(500));
        scribe.cast(told("c", [time(&ByEvent, 100, "quiet"), Insert(told("own", []))]));
        scribe.advance(ms(500));
        scribe.cast(told("d", [time(&ByEvent, 100, "quiet"), time(&named("n"), 50, "x")]));
        scribe.advance(ms(500));
        scribe.cast(told("e", [time(&ByEvent, 100, "quiet")]));
        scribe.advance(ms(100));
        assert_eq!(
            seen(scribe)[1..],
            [
                "cast a in 1",
                "cast b in 1",
                "cast c in 1",
                "own own in 1",
                "cast d in 1",
                "Named(\"n\") x in 1",
                "cast e in 1",
                "Event quiet in 1",
            ]
        );
    });
}

#[test]
fn stm_04_a_change_of_state_calls_off_the_state_timeout_and_no_other() {
    both([], |scribe| {
        let n = named("n");
        scribe.cast(told("a", [time(&ByState, 100, "late"), time(&n, 100, "named")]));
        scribe.cast(told("same", [Next(1)]));
        scribe.cast(told("again", [Repeat]));
        scribe.advance(ms(99));
        scribe.cast(told("go", [Next(2)]));
        scribe.advance(ms(500));
        assert_eq!(seen(scribe).last(), Some(&"Named(\"n\") named in 2"));
        scribe.cast(told("b", [time(&ByState, 100, "in time"), Next(3)]));
        scribe.advance(ms(100));
        assert_eq!(seen(scribe).last(), Some(&"State in time in 3"), "it belongs to the state that it leads to");
        assert!(!seen(scribe).iter().any(|line| line.contains("late")));
    });
}

#[test]
fn stm_04_a_timeout_set_again_is_replaced_and_one_called_off_never_comes() {
    both([], |scribe| {
        let n = named("n");
        scribe.cast(told("a", [time(&n, 50, "old"), time(&n, 100, "new"), time(&named("m"), 100, "m")]));
        scribe.advance(ms(99));
        assert_eq!(seen(scribe).len(), 2);
        // Its timer goes off while it is called off: the alarm is queued behind.
        let alarm = |mark| Event::Timer(skep_sdk::types::Alarm { mark, body: Body::Raw(Vec::new()) });
        scribe.deliver_all([Event::Cast(Body::Json(json(&told("b", [Cancel(n)])))), alarm(2), alarm(99)]);
        scribe.advance(ms(500));
        assert_eq!(seen(scribe)[1..], ["cast a in 1", "cast b in 1", "Named(\"m\") m in 1"]);
    });
}

#[test]
fn stm_04_an_update_changes_what_it_carries_and_not_its_time() {
    both([], |scribe| {
        let n = named("n");
        scribe.cast(told("a", [time(&n, 100, "old")]));
        scribe.advance(ms(60));
        scribe.cast(told("b", [Update(n.clone(), "new".into())]));
        scribe.advance(ms(39));
        assert_eq!(seen(scribe).len(), 3);
        scribe.advance(ms(1));
        assert_eq!(seen(scribe).last(), Some(&"Named(\"n\") new in 1"));
        scribe.cast(told("c", [Update(n, "none runs".into())]));
        assert_eq!(seen(scribe).last(), Some(&"Named(\"n\") none runs in 1"), "as if set with no time");
    });
}

#[test]
fn stm_04_a_timeout_without_time_comes_before_what_is_outside_and_after_what_is_inside() {
    both([time(&ByState, 0, "at once")], |scribe| {
        let cast = |told: Told| Event::Cast(Body::Json(json(&told)));
        scribe.cast(told("kept", [PostponeIn(1)]));
        let go = told(
            "go",
            [
                time(&ByState, 0, "s"),
                time(&named("n"), 0, "n"),
                time(&named("o"), 0, "o"),
                Cancel(named("o")),
                Update(ByState, "t".into()),
                time(&ByEvent, 0, "never: another event is there"),
                Insert(told("own", [])),
                Next(2),
            ],
        );
        scribe.deliver_all([cast(go), cast(told("outside", []))]);
        scribe.cast(told("quiet", [time(&ByEvent, 0, "e")]));
        assert_eq!(
            seen(scribe),
            [
                "from 1 to 1",
                "State at once in 1",
                "cast kept in 1",
                "cast go in 1",
                "from 1 to 2",
                "own own in 2",
                "cast kept in 2",
                "Named(\"n\") n in 2",
                "State t in 2",
                "cast outside in 2",
                "cast quiet in 2",
                "Event e in 2",
            ]
        );
    });
}

#[test]
fn an_entry_sets_timeouts_for_its_state() {
    both([OnEntry(vec![time(&ByState, 10, "first")])], |scribe| {
        scribe.advance(ms(10));
        scribe.cast(told("go", [Next(2), OnEntry(vec![time(&ByState, 10, "second")])]));
        scribe.advance(ms(10));
        assert_eq!(
            seen(scribe),
            ["from 1 to 1", "State first in 1", "cast go in 1", "from 1 to 2", "State second in 2",]
        );
        scribe.cast(told("on", [Next(3), OnEntry(vec![Act::Stop(ExitReason::custom("no"))])]));
        assert_eq!(scribe.ended(), Some(&ExitReason::custom("no")));
    });
}

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

#[test]
fn a_machine_hibernates_when_it_has_nothing_more_to_handle() {
    let mut scribe = scribe([]);
    scribe.cast(told("a", [Act::Hibernate, Insert(told("b", []))]));
    assert_eq!(seen(&scribe)[1..], ["cast a in 1", "own b in 1"]);
    assert!(scribe.save().is_ok());
}

mod v2 {
    use super::*;

    /// What the first version saved.
    #[derive(Serialize, Deserialize)]
    pub struct Old {
        pub state: u8,
        pub data: super::Scribe,
    }

    #[derive(Serialize, Deserialize)]
    pub struct Scribe {
        pub lines: Vec<String>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub enum State {
        Small(u8),
        Large,
    }

    impl Migrate<Old> for Snapshot<Scribe> {
        fn migrate(old: Old, _: &MigrateContext) -> Result<Self, Failure> {
            let state = match old.state {
                9 => return Err("nine cannot be".into()),
                number @ 0..3 => State::Small(number),
                _ => State::Large,
            };
            Ok(Snapshot { state, data: Scribe { lines: old.data.seen } })
        }
    }

    impl Revert<Old> for Snapshot<Scribe> {
        fn revert(&self) -> Result<Old, Failure> {
            let state = match self.state {
                State::Small(number) => number,
                State::Large => return Err("too large to go back".into()),
            };
            let data = super::Scribe { seen: self.data.lines.clone(), on_entry: Vec::new() };
            Ok(Old { state, data })
        }
    }

    #[state_machine]
    impl StateMachine for Scribe {
        type State = State;
        type Call = Told;
        type Reply = String;
        type Cast = Told;
        type Timeout = String;

        fn init(_: (), _: &Context) -> Start<(Self, First<Self>)> {
            Err(NotStarted::Ignore)
        }

        fn handle(&mut self, state: &State, event: StateEvent<Self>, _: &Context) -> Transition<Self> {
            match event {
                StateEvent::Call(Told(name, _), from) => {
                    self.lines.push(format!("v2 {name} in {state:?}"));
                    keep_state().reply(from, format!("v2 to {name}"))
                }
                StateEvent::Cast(_) => next_state(State::Large),
                StateEvent::Timeout(kind, content) => {
                    self.lines.push(format!("v2 {kind:?} {content}"));
                    keep_state()
                }
                _ => keep_state(),
            }
        }
    }

    skep_sdk::export!(machine Scribe, version = 2, from = [Old], back_to = 1);
}

#[test]
fn stm_10_new_code_takes_over_state_data_and_all_that_is_held() {
    let mut old = scribe([]);
    let open = old.call_open(told("a", [PostponeIn(1)]));
    old.cast(told("b", [time(&named("n"), 100, "mine"), time(&ByState, 500, "state's")]));
    let mut new = old.upgrade::<v2::Scribe>().expect("it can be taken over");
    assert_eq!(new.server().map(Machine::state), Some(&v2::State::Small(1)));
    new.advance(ms(100));
    new.cast(told("go", []));
    // What was postponed by the old code is tried by the new one, and its caller is answered.
    assert_eq!(new.reply_to(&Pending::of(open.mark())), Some("v2 to a".to_owned()));
    new.advance(ms(500));
    let lines = &new.server().expect("it lives").data().lines;
    assert_eq!(lines[3..], ["v2 Named(\"n\") mine", "v2 a in Large"]);
}

#[test]
fn stm_10_a_state_that_is_not_taken_over_stays_as_it_was() {
    let mut old = scribe([]);
    old.cast(told("go", [Next(9)]));
    let refused = old.upgrade::<v2::Scribe>().expect_err("nine cannot be");
    assert_eq!(refused.why, "nine cannot be");
    let mut old = *refused.process;
    assert_eq!(old.call(told("a", [])), Ok("to a".into()));
    assert_eq!(seen(&old).last(), Some(&"call a in 9"));
}

#[test]
fn stm_10_a_machine_goes_back_with_what_it_holds() {
    let mut old = scribe([]);
    let open = old.call_open(told("a", [PostponeIn(1)]));
    let new = old.upgrade::<v2::Scribe>().expect("it can be taken over");
    let mut old = new.upgrade::<Scribe>().expect("it goes back");
    old.cast(told("go", [Next(2)]));
    assert_eq!(old.reply_to(&open), Some("to a".into()));
}

/// A server that reads the layout of the machine.
#[derive(Serialize, Deserialize)]
struct NoMachine {
    state: u8,
}

#[server]
impl Server for NoMachine {
    fn init(_: (), _: &Context) -> Start<Self> {
        Err(NotStarted::Ignore)
    }
}

skep_sdk::export!(NoMachine);

#[test]
fn what_is_held_is_not_lost_to_code_that_does_not_know_of_it() {
    let mut machine = scribe([]);
    machine.cast(told("a", [PostponeIn(1)]));
    let state = machine.save().expect("it can be saved");
    let refused = Harness::<NoMachine>::restore(state, skep_sdk::Cause::Wake).expect_err("it would lose an event");
    assert!(refused.contains("state machine"), "{refused}");
    let state = scribe([]).save().expect("it can be saved");
    assert!(Harness::<NoMachine>::restore(state, skep_sdk::Cause::Wake).is_ok(), "there is nothing to lose");
}
