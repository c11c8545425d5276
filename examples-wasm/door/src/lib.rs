//! A door with a code lock, as a state machine: people wait until it opens, and it closes by itself.
//!
//! Owns the digits pressed so far and the count of who has passed. Whoever wants to pass a locked door is not turned away:
//! the call is postponed, and answered when the door has opened, also after its instance was given back or its code
//! replaced. Copy it for a state machine with every kind of timeout.

use std::time::Duration;

use skep_sdk::prelude::*;

/// How often a wrong code may be given before the door raises an alarm.
const TRIES: u32 = 3;

/// What all states share.
#[derive(Serialize, Deserialize)]
pub struct Door {
    plan: Plan,
    pressed: String,
    wrong: u32,
    passed: u64,
    alarms: u64,
}

/// How the door is made.
#[derive(Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The digits that open it.
    pub code: String,
    /// How long it stays open.
    pub open_ms: u64,
    /// How long it remembers digits.
    pub digits_ms: u64,
    /// How long an alarm lasts if nobody does anything.
    pub alarm_ms: u64,
}

/// The states.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum State {
    /// Digits are taken.
    Locked,
    /// Whoever wants may pass.
    Open,
    /// Nothing is taken until everybody has been quiet for a while.
    Alarm,
}

/// What can be asked.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// To pass: the answer says who was how many-th. It comes when the door is open.
    Pass,
    /// In which state it is.
    Look,
    /// How many alarms there were.
    Alarms,
    /// To tear the door down.
    Demolish,
}

/// What is answered.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reply {
    /// A number.
    Number(u64),
    /// A state.
    State(State),
}

/// What a finger does.
#[derive(Serialize, Deserialize)]
pub enum Finger {
    /// Presses a digit.
    Press(char),
    /// Presses many, one after another.
    Type(String),
    /// Closes the door.
    Close,
}

/// What the door tells itself.
#[derive(Serialize, Deserialize)]
pub enum Own {
    /// A digit that was typed among others.
    Digit(char),
    /// There are as many digits as the code has.
    Complete,
}

#[state_machine]
impl StateMachine for Door {
    type State = State;
    type Args = Plan;
    type Call = Request;
    type Reply = Reply;
    type Cast = Finger;
    type Internal = Own;
    type Timeout = ();

    fn init(plan: Plan, _: &Context) -> Start<(Self, First<Self>)> {
        if plan.code.is_empty() {
            return Err("a door needs a code".into());
        }
        let door = Door { plan, pressed: String::new(), wrong: 0, passed: 0, alarms: 0 };
        Ok((door, first_state(State::Locked)))
    }

    fn enter(&mut self, _: &State, to: &State, _: &Context) -> Entered<Self> {
        self.pressed.clear();
        let step = keep_state().cancel_timeout(TimeoutKind::named("digits"));
        match to {
            State::Locked => step,
            State::Open => {
                self.wrong = 0;
                step.state_timeout(Self::millis(self.plan.open_ms), ())
            }
            State::Alarm => {
                self.alarms += 1;
                step.event_timeout(Self::millis(self.plan.alarm_ms), ())
            }
        }
    }

    fn handle(&mut self, state: &State, event: StateEvent<Self>, _: &Context) -> Transition<Self> {
        use State::{Alarm, Locked, Open};
        match (state, event) {
            (_, StateEvent::Call(Request::Demolish, from)) => {
                stop(ExitReason::Normal).reply(from, Reply::Number(self.passed))
            }
            // In an alarm nobody is heard, and whatever is done makes it last.
            (Alarm, StateEvent::Timeout(TimeoutKind::Event, ())) => next_state(Locked),
            (Alarm, StateEvent::Call(Request::Pass, _)) => self.still_loud().postpone(),
            (state, StateEvent::Call(Request::Look, from)) => self.heard(*state).reply(from, Reply::State(*state)),
            (state, StateEvent::Call(Request::Alarms, from)) => {
                self.heard(*state).reply(from, Reply::Number(self.alarms))
            }
            (Alarm, _) => self.still_loud(),

            (Open, StateEvent::Call(Request::Pass, from)) => {
                self.passed += 1;
                keep_state().reply(from, Reply::Number(self.passed))
            }
            (Locked, StateEvent::Call(Request::Pass, _)) => keep_state().postpone(),

            (Locked, StateEvent::Cast(Finger::Press(digit)) | StateEvent::Internal(Own::Digit(digit))) => {
                self.press(digit)
            }
            (Locked, StateEvent::Cast(Finger::Type(digits))) => {
                digits.chars().fold(keep_state(), |step, digit| step.next_event(Own::Digit(digit)))
            }
            (Locked, StateEvent::Internal(Own::Complete)) if self.pressed == self.plan.code => next_state(Open),
            (Locked, StateEvent::Internal(Own::Complete)) => {
                self.wrong += 1;
                // Once more from the beginning.
                if self.wrong < TRIES { repeat_state() } else { next_state(Alarm) }
            }
            (Locked, StateEvent::Timeout(TimeoutKind::Named(_), ())) => {
                self.pressed.clear();
                keep_state()
            }
            (Open, StateEvent::Timeout(TimeoutKind::State, ()) | StateEvent::Cast(Finger::Close)) => next_state(Locked),
            _ => keep_state(),
        }
    }
}

impl Door {
    fn press(&mut self, digit: char) -> Transition<Self> {
        self.pressed.push(digit);
        let step = keep_state().timeout("digits", Self::millis(self.plan.digits_ms), ());
        if self.pressed.chars().count() < self.plan.code.chars().count() {
            step
        } else {
            step.next_event(Own::Complete)
        }
    }

    fn heard(&self, state: State) -> Transition<Self> {
        if state == State::Alarm { self.still_loud() } else { keep_state() }
    }

    fn still_loud(&self) -> Transition<Self> {
        keep_state().event_timeout(Self::millis(self.plan.alarm_ms), ())
    }

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }
}

skep_sdk::export!(machine Door);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    fn door() -> Harness<Door> {
        let plan = Plan { code: "12".into(), open_ms: 1_000, digits_ms: 500, alarm_ms: 300 };
        Harness::start(plan).expect("init succeeds").always_hibernating()
    }

    fn state(door: &Harness<Door>) -> Option<State> {
        door.server().map(|machine| *machine.state())
    }

    fn wait(door: &mut Harness<Door>, ms: u64) {
        door.advance(Duration::from_millis(ms));
    }

    #[test]
    fn it_opens_for_the_code_and_closes_by_itself() {
        let mut door = door();
        let waits = [Request::Pass, Request::Pass].map(|request| door.call_open(request));
        door.cast(Finger::Press('1'));
        assert_eq!(state(&door), Some(State::Locked));
        door.cast(Finger::Press('2'));
        assert_eq!(state(&door), Some(State::Open));
        assert_eq!(waits.map(|open| door.reply_to(&open)), [1, 2].map(|number| Some(Reply::Number(number))));
        assert_eq!(door.call(Request::Pass), Ok(Reply::Number(3)));
        wait(&mut door, 999);
        assert_eq!(state(&door), Some(State::Open));
        wait(&mut door, 1);
        assert_eq!(state(&door), Some(State::Locked));
    }

    #[test]
    fn it_forgets_digits_after_a_while() {
        let mut door = door();
        door.cast(Finger::Press('1'));
        wait(&mut door, 500);
        door.cast(Finger::Press('2'));
        assert_eq!(state(&door), Some(State::Locked));
        door.cast(Finger::Press('1'));
        assert_eq!(state(&door), Some(State::Locked), "that was 21");
        door.cast(Finger::Type("12".into()));
        assert_eq!(state(&door), Some(State::Open));
    }

    #[test]
    fn an_alarm_lasts_until_everybody_is_quiet() {
        let mut door = door();
        for _ in 0..TRIES {
            door.cast(Finger::Type("99".into()));
        }
        assert_eq!(door.call(Request::Look), Ok(Reply::State(State::Alarm)));
        let waits = door.call_open(Request::Pass);
        wait(&mut door, 299);
        assert_eq!(door.call(Request::Alarms), Ok(Reply::Number(1)));
        wait(&mut door, 299);
        assert_eq!(state(&door), Some(State::Alarm));
        wait(&mut door, 1);
        assert_eq!(state(&door), Some(State::Locked));
        door.cast(Finger::Type("12".into()));
        assert_eq!(door.reply_to(&waits), Some(Reply::Number(1)));
        assert_eq!(door.call(Request::Demolish), Ok(Reply::Number(1)));
        assert_eq!(door.ended(), Some(&ExitReason::Normal));
    }

    #[test]
    fn a_door_needs_a_code() {
        let plan = Plan { code: String::new(), open_ms: 1, digits_ms: 1, alarm_ms: 1 };
        assert!(matches!(Harness::<Door>::start(plan), Err(NotStarted::Failed(_))));
    }
}
