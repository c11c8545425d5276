//! The rules of an agent, run natively: after Elixir's agent_test.exs.

#![allow(missing_docs, reason = "a test")]

use skep_sdk::prelude::*;
use skep_sdk::testing::{Action, Harness, World, run_task_in};
use skep_sdk::{AgentCall, AgentProtocol, AgentServer, Codec, Message};

/// A list that grows.
#[derive(Serialize, Deserialize)]
pub struct List(Vec<i64>);

#[derive(Serialize, Deserialize)]
pub enum Look {
    Length,
    At(usize),
}

#[derive(Serialize, Deserialize)]
pub enum Change {
    Push(i64),
    Pop,
    Break,
}

#[agent]
impl Agent for List {
    type Args = Vec<i64>;
    type Get = Look;
    type Got = Option<i64>;
    type Update = Change;
    type Updated = Option<i64>;

    fn init(start: Vec<i64>, _: &Context) -> Start<Self> {
        if start.len() > 3 { Err("too long".into()) } else { Ok(List(start)) }
    }

    fn get(&self, what: Look) -> Option<i64> {
        match what {
            Look::Length => i64::try_from(self.0.len()).ok(),
            Look::At(place) => self.0.get(place).copied(),
        }
    }

    fn update(&mut self, change: Change) -> Option<i64> {
        match change {
            Change::Push(value) => {
                self.0.push(value);
                None
            }
            Change::Pop => self.0.pop(),
            Change::Break => std::panic::panic_any("broken"),
        }
    }
}

skep_sdk::export!(agent List);

fn list(start: &[i64]) -> Harness<List> {
    Harness::start(start.to_vec()).expect("init succeeds").always_hibernating()
}

fn value(list: &Harness<List>) -> Vec<i64> {
    list.server().map(|server| server.value().0.clone()).unwrap_or_default()
}

#[test]
fn agt_01_what_is_asked_runs_in_the_agent_one_at_a_time() {
    let mut list = list(&[1, 2]);
    list.cast(Change::Push(3));
    assert_eq!(list.get(Look::Length), Ok(Some(3)));
    assert_eq!(list.update(Change::Push(4)), Ok(None));
    assert_eq!(list.update(Change::Pop), Ok(Some(4)), "Elixir's get_and_update");
    assert_eq!(list.get(Look::At(2)), Ok(Some(3)));
    assert_eq!(list.call_json(r#"{"Get":{"At":0}}"#), Ok("1".to_owned()));
    let refused = list.call_json(r#"{"Get":"Depth"}"#);
    assert!(matches!(refused, Err(CallError::Ended(ExitReason::Failed(why))) if why.contains("Depth")));
}

#[test]
#[should_panic(expected = "broken")]
fn agt_01_an_update_that_panics_ends_the_agent() {
    let _ = list(&[]).update(Change::Break);
}

mod v2 {
    use super::*;

    /// The same, with its sum.
    #[derive(Serialize, Deserialize)]
    pub struct List {
        pub values: Vec<i64>,
        pub sum: i64,
    }

    impl Migrate<super::List> for List {
        fn migrate(super::List(values): super::List, _: &MigrateContext) -> Result<Self, Failure> {
            let sum = values.iter().try_fold(0i64, |sum, value| sum.checked_add(*value));
            Ok(List { sum: sum.ok_or("the sum is too large")?, values })
        }
    }

    #[agent]
    impl Agent for List {
        type Get = ();
        type Got = i64;

        fn init((): (), _: &Context) -> Start<Self> {
            Err(NotStarted::Ignore)
        }

        fn get(&self, (): ()) -> i64 {
            self.sum
        }
    }

    skep_sdk::export!(agent List, version = 2, from = [super::List]);
}

#[test]
fn agt_02_new_code_makes_its_value_of_the_old_one() {
    let mut new = list(&[1, 2]).upgrade::<v2::List>().expect("it can be taken over");
    assert_eq!(new.get(()), Ok(3));
    assert_eq!(new.server().map(|server| server.value().values.len()), Some(2));
}

#[test]
fn agt_02_a_value_that_is_not_taken_over_stays_as_it_was() {
    let refused = list(&[1, i64::MAX]).upgrade::<v2::List>().expect_err("the sum is too large");
    assert_eq!(refused.why, "the sum is too large");
    let mut old = *refused.process;
    assert_eq!(old.update(Change::Pop), Ok(Some(i64::MAX)));
    assert_eq!(value(&old), [1]);
}

#[test]
fn agt_03_an_init_that_fails_makes_no_agent() {
    let failed = Harness::<List>::start(vec![1, 2, 3, 4]).map(|_| ());
    assert_eq!(failed, Err(NotStarted::Failed("too long".into())));
}

/// How an agent in another module is described.
struct Elsewhere;

impl AgentProtocol for Elsewhere {
    type Get = Look;
    type Got = Option<i64>;
    type Update = Change;
    type Updated = Option<i64>;
}

/// Asks the agent.
struct Asker;

impl Task for Asker {
    type Args = ();
    type Output = Option<i64>;

    fn run((): (), context: &TaskContext) -> Result<Option<i64>, Failure> {
        let list = Ref::<Elsewhere>::named("list");
        list.update(context, Change::Push(7))?;
        Ok(list.get(context, Look::At(0))?)
    }
}

#[test]
fn an_agent_elsewhere_is_asked_in_the_same_words() {
    let mut there = list(&[]);
    let mut world = World::new();
    let pid = world.pid();
    let mut world = world.named("list", pid).on_call(move |_, body| {
        let call = AgentCall::<Look, Change>::decode(body).expect("a call to an agent");
        let skep_sdk::Raw(reply) = there.call(call)?;
        Ok(reply)
    });
    assert_eq!(run_task_in::<Asker>(&mut world, (), []), Ok(Some(7)));
    assert!(matches!(&world.take_actions()[..], [Action::Call { .. }, Action::Call { .. }]));
}

/// Only read.
#[derive(Serialize, Deserialize)]
struct Constant(u8);

#[agent]
impl Agent for Constant {
    type Get = ();
    type Got = u8;

    fn init((): (), _: &Context) -> Start<Self> {
        Ok(Constant(3))
    }

    fn get(&self, (): ()) -> u8 {
        self.0
    }
}

skep_sdk::export!(agent Constant);

#[test]
fn what_cannot_be_done_to_an_agent_need_not_be_written() {
    let mut constant = Harness::<Constant>::start(()).expect("init succeeds");
    assert_eq!(constant.get(()), Ok(3));
    constant.deliver(Event::Cast(Body::Json("1".into())));
    assert!(constant.ended().is_some());
    let _: Option<&AgentServer<Constant>> = constant.server();
    assert_eq!(Look::Length.encode(Codec::Json), Ok(Body::Json(r#""Length""#.into())));
}
