//! Waiting for tasks, run natively: after Elixir's task_test.exs. What a task does is played.

use std::time::Duration;

use skep_sdk::prelude::*;
use skep_sdk::testing::{Action, Played, World, run_task_in};
use skep_sdk::{OnTimeout, types};

/// What an owner is to do with the tasks it starts; each task brings or does what the world plays for its number.
#[derive(Serialize, Deserialize)]
enum Plan {
    Await(Link),
    AwaitWithin(u64),
    /// Waits so long, then again, then looks what is left in the mailbox.
    YieldTwice(u64, u64),
    Shutdown(Link, Option<u64>),
    /// Waits so long first, ignores it, and waits again for whatever comes of it.
    Ignore(u64, u64),
    AwaitMany(Vec<u64>),
    YieldMany(Vec<u64>, u64),
    Stream(Stream),
    /// Takes so many results of a stream and drops it.
    Drop(usize),
    AwaitOfAnother,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Link {
    Linked,
    Trapping,
    Unlinked,
}

#[derive(Serialize, Deserialize)]
struct Stream {
    items: Vec<u64>,
    at_a_time: usize,
    ordered: bool,
    nolink: bool,
    timeout_ms: u64,
    kill: bool,
}

/// The task that is started; what it does is played.
struct Worker;

impl Task for Worker {
    type Args = u64;
    type Output = u64;

    fn run(_: u64, _: &TaskContext) -> Result<u64, Failure> {
        Err("it is played".into())
    }
}

/// What the owner found, in words.
struct Owner;

impl Task for Owner {
    type Args = Plan;
    type Output = Vec<String>;

    fn run(plan: Plan, context: &TaskContext) -> Result<Vec<String>, Failure> {
        let start = |link: Link, number: u64| {
            context.trap_exit(link == Link::Trapping);
            let started = match link {
                Link::Unlinked => context.start_task_nolink::<Worker>("worker", &number),
                _ => context.start_task::<Worker>("worker", &number),
            };
            started.unwrap_or_else(|error| panic!("{error}"))
        };
        let many = |numbers: Vec<u64>| -> Vec<TaskRef<u64>> {
            numbers.into_iter().map(|number| start(Link::Unlinked, number)).collect()
        };
        let mut found = Vec::new();
        match plan {
            Plan::Await(link) => found.push(context.await_task(start(link, 1)).to_string()),
            Plan::AwaitWithin(ms) => {
                found.push(context.await_task_within(start(Link::Linked, 1), millis(ms)).to_string());
            }
            Plan::YieldTwice(first, second) => {
                let task = start(Link::Unlinked, 1);
                found.push(format!("{:?}", context.yield_task(&task, millis(first))));
                found.push(format!("{:?}", context.yield_task(&task, millis(second))));
            }
            Plan::Shutdown(link, patience) => {
                let how = patience.map_or(TaskShutdown::BrutalKill, |ms| TaskShutdown::After(millis(ms)));
                found.push(format!("{:?}", context.shutdown_task(start(link, 1), how)));
            }
            Plan::Ignore(before, after) => {
                let task = start(Link::Linked, 1);
                context.receive_only(&[], millis(before));
                found.push(format!("{:?}", context.ignore_task(task)));
                context.receive_only(&[], millis(after));
            }
            Plan::AwaitMany(numbers) => found.push(format!("{:?}", context.await_many(many(numbers)))),
            Plan::YieldMany(numbers, ms) => {
                let tasks = many(numbers);
                found.push(format!("{:?}", context.yield_many(&tasks, millis(ms))));
                found.push(format!("{:?}", context.yield_many(&tasks, millis(ms))));
            }
            Plan::Stream(plan) => {
                let stream = context.task_stream::<Worker, _>("worker", plan.items).max_concurrency(plan.at_a_time);
                let stream = if plan.ordered { stream } else { stream.unordered() };
                let stream = if plan.nolink { stream.nolink() } else { stream };
                let on_timeout = if plan.kill { OnTimeout::KillTask } else { OnTimeout::Exit };
                found.extend(
                    stream.timeout(millis(plan.timeout_ms)).on_timeout(on_timeout).map(|result| format!("{result:?}")),
                );
            }
            Plan::Drop(taken) => {
                let stream = context.task_stream::<Worker, _>("worker", 0..).max_concurrency(3);
                found.extend(stream.take(taken).map(|result| format!("{result:?}")));
            }
            Plan::AwaitOfAnother => {
                let task = start(Link::Linked, 1);
                let text = serde_json_of(&task).replace("\"owner\":\"0.1.", "\"owner\":\"0.7.");
                let stolen =
                    <TaskRef<u64> as skep_sdk::Message>::decode(Body::Json(text)).map_err(|error| error.to_string())?;
                context.await_task(stolen);
            }
        }
        while let Some(left) = context.receive(Duration::ZERO) {
            found.push(format!("left: {}", word(&left)));
        }
        Ok(found)
    }
}

fn serde_json_of(task: &TaskRef<u64>) -> String {
    match skep_sdk::Message::encode(task, skep_sdk::Codec::Json) {
        Ok(Body::Json(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn word(event: &Event) -> String {
    match event {
        Event::Exit(types::Ended { reason, .. }) => format!("exit {reason:?}"),
        Event::Down(types::Lost { reason, .. }) => format!("down {reason:?}"),
        other => format!("{other:?}"),
    }
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What the owner found, with this played for a task of that number; and the world as it was left.
fn own(plan: Plan, play: impl Fn(u64) -> Played + 'static) -> (Result<Vec<String>, ExitReason>, World) {
    let mut world = World::new().on_task(move |_, args| {
        let number = <u64 as skep_sdk::Message>::decode(args).expect("a number");
        play(number)
    });
    let found = run_task_in::<Owner>(&mut world, plan, []);
    (found, world)
}

fn found(plan: Plan, play: impl Fn(u64) -> Played + 'static) -> Vec<String> {
    own(plan, play).0.expect("the owner lives")
}

fn fate(plan: Plan, play: impl Fn(u64) -> Played + 'static) -> ExitReason {
    own(plan, play).0.expect_err("the owner ends")
}

fn broken() -> ExitReason {
    ExitReason::Failed("broken".into())
}

#[test]
fn task_01_await_brings_the_result_and_leaves_nothing() {
    let plays = || |number: u64| Played::brings(&(number + 41)).after(millis(4_999));
    for link in [Link::Linked, Link::Unlinked] {
        assert_eq!(found(Plan::Await(link), plays()), ["42"]);
    }
    // The exit signal of the link is no business of await's, as in OTP.
    assert_eq!(found(Plan::Await(Link::Trapping), plays()), ["42", "left: exit Normal"]);
}

#[test]
fn task_02_await_ends_its_caller_when_the_time_is_up() {
    for (plan, after) in [(Plan::Await(Link::Linked), 5_000), (Plan::AwaitWithin(100), 100)] {
        let (ended, world) = own(plan, move |_| Played::brings(&1u64).after(millis(after + 1)));
        assert!(matches!(ended, Err(ExitReason::Failed(why)) if why.starts_with("timeout")));
        assert_eq!(world.now(), millis(after));
    }
}

#[test]
fn task_03_a_task_that_fails_ends_whoever_waits() {
    let breaks = || |_| Played::ends(broken());
    assert_eq!(fate(Plan::Await(Link::Linked), breaks()), broken(), "by the link");
    assert_eq!(fate(Plan::Await(Link::Trapping), breaks()), broken(), "by await");
    assert_eq!(fate(Plan::Await(Link::Unlinked), breaks()), broken(), "by await");
    let quits = |_| Played::ends(ExitReason::Normal);
    let why = fate(Plan::Await(Link::Linked), quits);
    assert!(matches!(&why, ExitReason::Failed(why) if why.ends_with("ended without a result")), "{why:?}");
}

#[test]
fn task_04_nobody_but_the_owner_may_wait() {
    let why = fate(Plan::AwaitOfAnother, |_| Played::brings(&1u64));
    assert!(matches!(&why, ExitReason::Failed(why) if why.contains("belongs to <0.7>")), "{why:?}");
}

#[test]
fn task_05_yield_may_be_repeated() {
    let in_100 = || |_| Played::brings(&7u64).after(millis(100));
    assert_eq!(found(Plan::YieldTwice(99, 1), in_100()), ["None", "Some(Ok(7))"]);
    assert_eq!(found(Plan::YieldTwice(100, 50), in_100()), ["Some(Ok(7))", "None"]);
    let breaks = |_| Played::ends(broken()).after(millis(10));
    assert_eq!(found(Plan::YieldTwice(9, 1), breaks), ["None", r#"Some(Err(Failed("broken")))"#]);
    let quits = |_| Played::ends(ExitReason::Normal);
    assert_eq!(found(Plan::YieldTwice(1, 1), quits), ["Some(Err(Normal))", "None"]);
}

#[test]
fn a_task_that_is_shut_down_has_ended() {
    let never = || |_| Played::never();
    let stubborn = || |_| Played::never().stubborn();
    for link in [Link::Linked, Link::Trapping, Link::Unlinked] {
        assert_eq!(found(Plan::Shutdown(link, Some(100)), never()), ["None"]);
        assert_eq!(found(Plan::Shutdown(link, None), never()), ["None"]);
        assert_eq!(found(Plan::Shutdown(link, None), stubborn()), ["None"]);
        assert_eq!(found(Plan::Shutdown(link, Some(100)), stubborn()), ["Some(Err(Killed))"]);
    }
    let quicker = |_| Played::brings(&7u64).after(millis(50)).stubborn();
    assert_eq!(found(Plan::Shutdown(Link::Linked, Some(100)), quicker), ["Some(Ok(7))"]);
    let breaks = |_| Played::ends(broken()).after(millis(50)).stubborn();
    assert_eq!(found(Plan::Shutdown(Link::Linked, Some(100)), breaks), [r#"Some(Err(Failed("broken")))"#]);
}

#[test]
fn task_07_nothing_comes_of_an_ignored_task() {
    let in_100 = || |_| Played::brings(&7u64).after(millis(100));
    assert_eq!(found(Plan::Ignore(99, 500), in_100()), ["None"]);
    assert_eq!(found(Plan::Ignore(100, 500), in_100()), ["Some(Ok(7))"]);
    let breaks = |_| Played::ends(broken()).after(millis(100));
    assert_eq!(found(Plan::Ignore(99, 500), breaks), ["None"], "it is no longer linked");
    let (_, world) = own(Plan::Ignore(1, 1), |_| Played::never());
    assert!(world.plays(Pid { node: 0, id: 2, tag: 0xb0b }), "it goes on");
}

#[test]
fn task_08_the_failure_of_an_unlinked_task_is_a_down_and_no_more() {
    let breaks = |_| Played::ends(broken());
    assert_eq!(found(Plan::YieldTwice(10, 10), breaks), [r#"Some(Err(Failed("broken")))"#, "None"]);
}

#[test]
fn task_09_results_come_in_the_order_of_the_tasks() {
    let slower = |number: u64| Played::brings(&number).after(millis(100 - number));
    assert_eq!(found(Plan::AwaitMany(vec![1, 2, 3]), slower), ["[1, 2, 3]"]);
    assert_eq!(found(Plan::AwaitMany(Vec::new()), slower), ["[]"]);
}

#[test]
fn task_09_await_many_fails_as_soon_as_one_fails() {
    let second = |number| match number {
        2 => Played::ends(broken()).after(millis(50)),
        _ => Played::brings(&number).after(millis(4_000)),
    };
    let (ended, mut world) = own(Plan::AwaitMany(vec![1, 2, 3]), second);
    assert_eq!((ended, world.now()), (Err(broken()), millis(50)));
    let let_go = world.take_actions().into_iter().filter(|action| matches!(action, Action::Demonitor(_))).count();
    assert_eq!(let_go, 3, "no monitor is left");
    let late = |number| Played::brings(&number).after(millis(if number == 2 { 5_001 } else { 1 }));
    let (ended, world) = own(Plan::AwaitMany(vec![1, 2, 3]), late);
    assert!(matches!(ended, Err(ExitReason::Failed(why)) if why.starts_with("timeout")));
    assert_eq!(world.now(), millis(5_000));
}

#[test]
fn task_05_yield_many_tells_of_those_that_have_ended() {
    let play = |number| match number {
        2 => Played::ends(broken()),
        3 => Played::brings(&number).after(millis(150)),
        _ => Played::brings(&number),
    };
    let first = r#"[Some(Ok(1)), Some(Err(Failed("broken"))), None]"#;
    assert_eq!(found(Plan::YieldMany(vec![1, 2, 3], 100), play), [first, "[None, None, Some(Ok(3))]"]);
    let at_once = r#"[Some(Ok(1)), Some(Err(Failed("broken"))), None]"#;
    let play_now = move |number| if number == 3 { Played::never() } else { play(number) };
    assert_eq!(found(Plan::YieldMany(vec![1, 2, 3], 1), play_now), [at_once, "[None, None, None]"]);
}

fn stream(items: impl Into<Vec<u64>>, at_a_time: usize) -> Stream {
    Stream { items: items.into(), at_a_time, ordered: true, nolink: false, timeout_ms: 5_000, kill: false }
}

#[test]
fn a_stream_keeps_the_order_or_does_not() {
    let slower = || |number: u64| Played::brings(&number).after(millis(100 * (10 - number)));
    let ordered = found(Plan::Stream(stream([1, 2, 3], 2)), slower());
    assert_eq!(ordered, ["Ok(1)", "Ok(2)", "Ok(3)"]);
    let unordered = found(Plan::Stream(Stream { ordered: false, ..stream([1, 2, 9], 3) }), slower());
    assert_eq!(unordered, ["Ok(9)", "Ok(2)", "Ok(1)"]);
    assert_eq!(found(Plan::Stream(stream([], 3)), slower()), [] as [&str; 0]);
}

#[test]
fn a_stream_never_runs_more_tasks_than_it_may() {
    // Each takes 100 ms: so the time that all take tells how many ran at once.
    for (at_a_time, expected) in [(1, 700), (3, 300), (7, 100), (0, 700)] {
        let (found, world) = own(Plan::Stream(stream([1; 7], at_a_time)), |_| Played::brings(&1u64).after(millis(100)));
        assert_eq!(found.map(|found| found.len()), Ok(7));
        assert_eq!(world.now(), millis(expected), "{at_a_time} at a time");
    }
}

#[test]
fn a_stream_gives_each_task_its_time() {
    let slow = || |number: u64| Played::brings(&number).after(millis(100 * number));
    let killed = Stream { timeout_ms: 250, kill: true, ..stream([1, 9, 2], 1) };
    assert_eq!(found(Plan::Stream(killed), slow()), ["Ok(1)", r#"Err(Limit("time"))"#, "Ok(2)"]);
    let ends = Stream { timeout_ms: 250, ..stream([1, 9, 2], 1) };
    let why = fate(Plan::Stream(ends), slow());
    assert!(matches!(why, ExitReason::Failed(why) if why.starts_with("timeout")));
}

#[test]
fn a_failure_in_a_stream_ends_the_owner_unless_it_is_not_linked() {
    let second = || |number| if number == 2 { Played::ends(broken()) } else { Played::brings(&number) };
    assert_eq!(fate(Plan::Stream(stream([1, 2, 3], 1)), second()), broken());
    let alone = Stream { nolink: true, ..stream([1, 2, 3], 1) };
    assert_eq!(found(Plan::Stream(alone), second()), ["Ok(1)", r#"Err(Failed("broken"))"#, "Ok(3)"]);
}

#[test]
fn a_stream_that_is_dropped_leaves_nobody_at_work() {
    let play = |number| if number == 0 { Played::brings(&number) } else { Played::never() };
    let (found, mut world) = own(Plan::Drop(1), play);
    assert_eq!(found, Ok(vec!["Ok(0)".to_owned()]));
    let killed: Vec<Pid> = world
        .take_actions()
        .into_iter()
        .filter_map(|action| if let Action::Kill(pid) = action { Some(pid) } else { None })
        .collect();
    assert_eq!(killed.len(), 2, "the two that were started with the first");
    assert!(!killed.iter().any(|pid| world.plays(*pid)));
}

/// A process that is asked.
struct Oracle;

impl Protocol for Oracle {
    type Args = ();
    type Call = u32;
    type Reply = u32;
    type Cast = Never;
    type Info = Never;
}

/// Asks three times, and hears of the second and the third, which is an error.
struct Asker;

impl Task for Asker {
    type Args = bool;
    type Output = Vec<String>;

    fn run(gives_up: bool, context: &TaskContext) -> Result<Vec<String>, Failure> {
        let oracle = Ref::<Oracle>::named("oracle");
        let mut open = Requests::new();
        for label in ["one", "two", "three"] {
            open.add(oracle.request(context, 1, None), label.to_owned());
        }
        let mut heard: Vec<String> = Vec::new();
        loop {
            let answer = if gives_up { open.receive(context, millis(100)) } else { open.wait(context, millis(100)) };
            let Some((label, answer)) = answer else { break };
            heard.push(format!("{label} {answer:?}"));
        }
        heard.push(format!("{} open", open.len()));
        assert_eq!(open.wait(context, Duration::ZERO), None);
        Ok(heard)
    }
}

#[test]
fn gs_19_a_collection_tells_which_request_is_answered() {
    let answer = |mark, outcome: Result<u32, CallError>| {
        let body = |value| skep_sdk::Message::encode(&value, skep_sdk::Codec::Json).expect("a number");
        Event::Answer(Answer { mark, outcome: outcome.map(body) })
    };
    for gives_up in [false, true] {
        let mut world = World::new();
        let events = [answer(2, Ok(7)), answer(9, Ok(8)), answer(3, Err(CallError::Timeout))];
        let heard = run_task_in::<Asker>(&mut world, gives_up, events).expect("it lives");
        let left = if gives_up { "0 open" } else { "1 open" };
        assert_eq!(heard, ["two Ok(7)", "three Err(Timeout)", left]);
        assert_eq!(world.take_actions().contains(&Action::Abandon(1)), gives_up);
    }
}

/// Stops the oracle.
struct Stopper;

impl Task for Stopper {
    type Args = ();
    type Output = Option<CallError>;

    fn run((): (), context: &TaskContext) -> Result<Option<CallError>, Failure> {
        let oracle = Ref::<Oracle>::named("oracle");
        Ok(oracle.stop(context, &ExitReason::custom("enough"), millis(100)).err())
    }
}

#[test]
fn gs_14_stopping_tells_whether_it_ended_as_it_should() {
    let stopped = |ends: Result<ExitReason, CallError>| {
        let mut world = World::new().on_stop(move |_, _| ends.clone());
        run_task_in::<Stopper>(&mut world, (), []).expect("it lives")
    };
    assert_eq!(stopped(Ok(ExitReason::custom("enough"))), None);
    assert_eq!(stopped(Ok(broken())), Some(CallError::Ended(broken())));
    assert_eq!(stopped(Err(CallError::Timeout)), Some(CallError::Timeout));
    let nobody = run_task_in::<Stopper>(&mut World::new(), (), []).expect("it lives");
    assert_eq!(nobody, Some(CallError::Ended(ExitReason::Noproc)));
}
