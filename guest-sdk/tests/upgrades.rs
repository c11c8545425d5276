//! Code replaced natively: what a module says of its versions, steps up and down, and what refuses leaves all as it was.

use std::time::Duration;

use skep_sdk::prelude::*;
use skep_sdk::testing::{Action, Harness};
use skep_sdk::types::{Form, Shape, State};
use skep_sdk::{Cause, Exported, Upgrade};

/// What all versions of the counter take.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// Adds, and replies.
    Add(i64),
    /// Replies, and adds a second later.
    AddLater(i64),
    /// Replies which version was left for this one, in code that knows.
    Cause,
}

/// The code of version 1.
mod v1 {
    use super::*;

    #[derive(Serialize, Deserialize)]
    pub struct Counter {
        pub count: i64,
    }

    #[server]
    impl Server for Counter {
        type Args = i64;
        type Call = Request;
        type Reply = i64;
        type Timer = i64;

        fn init(count: i64, _: &Context) -> Start<Self> {
            Ok(Counter { count })
        }

        fn handle_call(&mut self, request: Request, _: From<Self>, context: &Context) -> Outcome<i64> {
            match request {
                Request::Add(n) => self.count += n,
                Request::AddLater(n) => {
                    context.start_timer(Duration::from_secs(1), &n);
                }
                Request::Cause => {}
            }
            reply(self.count).idle_after(Duration::from_secs(9))
        }
    }

    skep_sdk::export!(Counter);
}

/// The code of version 2, which is only read from now on.
mod v2 {
    use super::*;

    /// No `Serialize`, for nothing is ever written in this layout.
    #[derive(serde::Deserialize)]
    pub struct Readable {
        pub count: i64,
    }

    impl Migrate<v1::Counter> for Readable {
        fn migrate(old: v1::Counter, _: &MigrateContext) -> Result<Self, Failure> {
            Ok(Readable { count: old.count })
        }
    }

    /// The same layout, in code that can go back.
    #[derive(Serialize, Deserialize)]
    pub struct Counter {
        pub count: i64,
        pub additions: u32,
    }

    impl Migrate<v1::Counter> for Counter {
        fn migrate(old: v1::Counter, _: &MigrateContext) -> Result<Self, Failure> {
            if old.count < 0 { Err("below zero".into()) } else { Ok(Counter { count: old.count, additions: 0 }) }
        }
    }

    impl Revert<v1::Counter> for Counter {
        fn revert(&self) -> Result<v1::Counter, Failure> {
            if self.additions > 2 {
                return Err(format!("{} additions would be forgotten", self.additions).into());
            }
            Ok(v1::Counter { count: self.count })
        }
    }
}

/// The code of version 3, whose state is a part of it.
struct Counter {
    counts: Vec<i64>,
    restored: Option<Cause>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Counts {
    counts: Vec<i64>,
    additions: u32,
}

impl Migrate<v2::Counter> for Counts {
    fn migrate(old: v2::Counter, context: &MigrateContext) -> Result<Self, Failure> {
        context.log(Level::Info, &format!("{} takes over {}", context.me(), old.count));
        Ok(Counts { counts: vec![old.count], additions: old.additions })
    }
}

impl Migrate<v2::Readable> for Counts {
    fn migrate(old: v2::Readable, _: &MigrateContext) -> Result<Self, Failure> {
        Ok(Counts { counts: vec![old.count], additions: 0 })
    }
}

impl Revert<v2::Counter> for Counts {
    fn revert(&self) -> Result<v2::Counter, Failure> {
        let count = *self.counts.last().ok_or("there is no count")?;
        Ok(v2::Counter { count, additions: self.additions })
    }
}

#[server]
impl Server for Counter {
    type Args = Vec<i64>;
    type Call = Request;
    type Reply = (Vec<i64>, u32);
    type Timer = i64;
    type State = Counts;

    fn init(counts: Vec<i64>, _: &Context) -> Start<Self> {
        Ok(Counter { counts, restored: None })
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, _: &Context) -> Outcome<Self::Reply> {
        if let Request::Add(n) = request {
            self.add(n);
        }
        let left = match &self.restored {
            Some(Cause::Upgrade(Upgrade { version, extra: None })) => *version,
            _ => 0,
        };
        reply((self.counts.clone(), left))
    }

    fn handle_timer(&mut self, alarm: Timer<i64>, _: &Context) -> Outcome {
        self.add(alarm.message);
        noreply()
    }

    fn handle_idle(&mut self, _: &Context) -> Outcome {
        noreply().stop(ExitReason::custom("idle"))
    }

    fn save(&self) -> Result<Saved<'_, Counts>, Failure> {
        let additions = u32::try_from(self.counts.len()).unwrap_or(u32::MAX).saturating_sub(1);
        Ok(Saved::Owned(Counts { counts: self.counts.clone(), additions }))
    }

    fn restore(state: Counts, context: &MigrateContext) -> Result<Self, Failure> {
        Ok(Counter { counts: state.counts, restored: Some(context.cause().clone()) })
    }
}

impl Counter {
    fn add(&mut self, n: i64) {
        let last = self.counts.last().copied().unwrap_or(0);
        self.counts.push(last + n);
    }
}

skep_sdk::export!(Counter, version = 3, from = [v1::Counter, v2::Counter], back_to = 1);

/// The server of a version, for what only the versions matter to.
macro_rules! code {
    ($name:ident: $state:ty, $($versions:tt)*) => {
        struct $name;

        #[server]
        impl Server for $name {
            type State = $state;

            fn init(_: (), _: &Context) -> Start<Self> {
                Ok($name)
            }

            fn save(&self) -> Result<Saved<'_, $state>, Failure> {
                Ok(Saved::Owned(Counts { counts: vec![1, 2], additions: 1 }))
            }

            fn restore(_: $state, _: &MigrateContext) -> Result<Self, Failure> {
                Ok($name)
            }
        }

        skep_sdk::export!($name, $($versions)*);
    };
}

code!(UpOnly: Counts, version = 3, from = [v1::Counter, v2::Readable]);
code!(OneDown: Counts, version = 3, from = [v2::Counter], back_to = 2);
code!(Forgetful: Counts, version = 3);

#[test]
fn a_module_says_what_it_reads_and_writes() {
    let shape = |version, accepts: &[u32], steps_down: &[u32]| Shape {
        version,
        accepts: accepts.to_vec(),
        steps_down: steps_down.to_vec(),
        writes: Form::Messagepack,
        reads: vec![Form::Messagepack],
    };
    assert_eq!(Harness::<v1::Counter>::describe(), shape(1, &[1], &[]));
    assert_eq!(Harness::<UpOnly>::describe(), shape(3, &[1, 2, 3], &[]));
    assert_eq!(Harness::<OneDown>::describe(), shape(3, &[2, 3], &[2]));
    assert_eq!(Harness::<Counter>::describe(), shape(3, &[1, 2, 3], &[1, 2]));
    assert_eq!(Harness::<Forgetful>::describe(), shape(3, &[3], &[]));
}

#[test]
fn without_a_way_down_it_says_what_to_write() {
    fn refusal<S: Exported<Args = ()>>(version: u32) -> String {
        let mut code = Harness::<S>::start(()).expect("init succeeds");
        assert_eq!(code.save_as(3).map(|state| state.version), Ok(3), "its own version is no step");
        code.save_as(version).expect_err("there is no way")
    }
    let write = "`back_to = 1` in export!, and each `impl Revert` that the compiler then asks for";
    let none = "this code cannot save its state as version 1: no step leads down from version";
    assert_eq!(refusal::<UpOnly>(1), format!("{none} 3; write {write}"));
    assert_eq!(refusal::<OneDown>(1), format!("{none} 2; add the layouts before it to `from`, write {write}"));
    assert_eq!(refusal::<Forgetful>(1), format!("{none} 3; add the layouts before it to `from`, write {write}"));
    let newer = "this code saves its state as version 3; version 4 is newer than this code";
    assert_eq!(refusal::<UpOnly>(4), newer);
    assert_eq!(refusal::<UpOnly>(0), "the first version of a state is 1; there is no version 0");
}

#[test]
fn a_state_steps_down_one_layout_at_a_time() {
    let mut counter = Harness::<Counter>::start(vec![5, 6]).expect("init succeeds");
    let older: Vec<State> = [1, 2].map(|version| counter.save_as(version).expect("there is a way")).into();
    assert_eq!(older.iter().map(|state| state.version).collect::<Vec<_>>(), [1, 2]);
    for state in older {
        let back = Harness::<Counter>::restore(state, Cause::Wake).expect("it reads what it wrote");
        assert_eq!(back.server().map(|server| server.counts.clone()), Some(vec![6]));
    }
}

#[test]
fn a_process_goes_up_and_down_with_its_state_and_its_surroundings() {
    let mut old = Harness::<v1::Counter>::start(4).expect("init succeeds");
    let me = old.world().me();
    assert_eq!(old.call(Request::Add(1)), Ok(5));
    assert_eq!(old.call(Request::AddLater(10)), Ok(5));
    let mut new = old.upgrade::<Counter>().expect("it goes up");
    assert_eq!(new.call(Request::Cause), Ok((vec![5], 1)), "the version that it left");
    new.advance(Duration::from_secs(1));
    assert_eq!(new.call(Request::Add(1)), Ok((vec![5, 15, 16], 1)), "timers run on");
    let mut old = new.upgrade::<v1::Counter>().expect("it goes down");
    assert_eq!(old.call(Request::Add(1)), Ok(17));
    assert_eq!(old.world().me(), me);
    let mut new = old.upgrade::<Counter>().expect("it goes up again");
    new.advance(Duration::from_secs(9));
    assert_eq!(new.ended(), Some(&ExitReason::custom("idle")), "an idle time that the old code set runs on");
    assert!(new.upgrade::<Counter>().expect_err("it has ended").why.contains("ended"));
}

#[test]
fn what_refuses_leaves_the_process_as_it_was() {
    let negative = Harness::<v1::Counter>::start(-1).expect("init succeeds");
    let mut refused = negative.upgrade::<Counter>().expect_err("below zero");
    assert_eq!(refused.why, "below zero");
    assert_eq!(refused.process.call(Request::Add(3)), Ok(2));

    let mut refused = refused.process.upgrade::<Forgetful>().expect_err("it reads nothing older");
    assert_eq!(refused.why, "no way: the old code saves versions [] and 1, the new reads [3]");
    assert_eq!(refused.process.call(Request::Add(0)), Ok(2));

    let mut new = refused.process.upgrade::<Counter>().expect("above zero");
    for _ in 0..3 {
        new.call(Request::Add(1)).expect("it adds");
    }
    let mut refused = new.upgrade::<v1::Counter>().expect_err("a step down may refuse");
    assert_eq!(refused.why, "3 additions would be forgotten");
    assert_eq!(refused.process.call(Request::Cause), Ok((vec![2, 3, 4, 5], 1)));
    let empty = Harness::<Counter>::start(Vec::new()).expect("init succeeds");
    assert_eq!(empty.upgrade::<v1::Counter>().err().map(|refused| refused.why), Some("there is no count".into()));
}

#[test]
fn a_migration_logs_and_does_nothing_else() {
    let counter = Harness::<v1::Counter>::start(7).expect("init succeeds");
    let mut counter = counter.upgrade::<Counter>().expect("it goes up");
    let me = counter.world().me();
    assert_eq!(counter.actions(), [Action::Log(Level::Info, format!("{me} takes over 7"))]);
}
