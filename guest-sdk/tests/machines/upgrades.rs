//! STM-10: what a machine holds goes over to new code and back, and is not lost to code that does not know of it.

use skep_sdk::TimeoutKind::State as ByState;
use skep_sdk::prelude::*;
use skep_sdk::testing::Harness;

use super::Act::{Next, PostponeIn};
use super::{ms, named, scribe, seen, time, told};

mod v2 {
    use super::*;
    use crate::Told;

    /// What the first version saved.
    #[derive(Serialize, Deserialize)]
    pub struct Old {
        pub state: u8,
        pub data: crate::Scribe,
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
            let data = crate::Scribe { seen: self.data.lines.clone(), on_entry: Vec::new(), postpones: None };
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
    let mut old = new.upgrade::<crate::Scribe>().expect("it goes back");
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
