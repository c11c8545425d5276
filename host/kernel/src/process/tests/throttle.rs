//! A process whose budget has no fuel: off the queue until there is some, whatever comes meanwhile but its end.

use std::sync::Arc;
use std::time::Duration;

use crate::budget::{Account, Budget, BudgetSpec, Resource};
use crate::process::{Birth, Kind, Process, SliceEnd, Step, Turn};
use crate::{Body, Event, ExitReason, Next, Outcome, Pid, Signal, Start, State};

const NOW: Duration = Duration::ZERO;

fn pid(id: u64) -> Pid {
    Pid { node: 0, id, tag: 1 }
}

/// A server that waits for its first message.
fn waiting(account: Account) -> Process {
    let mut process =
        Process::new(Birth::without_parent(pid(1), Kind::Server, Arc::default(), [1, 2]), NOW, &mut Vec::new());
    process.charge_to(account);
    let _ = process.begin_slice();
    assert_eq!(process.next_step(NOW, &mut Vec::new()), Step::Init);
    assert_eq!(process.started(Start::Ready(Next::Wait), NOW, &mut Vec::new()), None);
    assert_eq!(process.end_slice(), SliceEnd::Waiting);
    process
}

fn deliver(process: &mut Process, signal: Signal) -> bool {
    let delivery = process.deliver(signal, NOW, &mut Vec::new());
    assert_eq!(delivery.outcome, Ok(()));
    delivery.wake
}

fn hello() -> Signal {
    Signal::Message(Event::Info(Body::Text("hello".into())))
}

#[test]
fn what_comes_meanwhile_waits_with_it() {
    let mut process = waiting(Account::default());
    assert!(!process.park(), "it is not on the queue");
    assert!(deliver(&mut process, hello()));
    assert!(process.park());
    assert_eq!((process.status(), process.can_take_place()), ("throttled", false));
    assert!(!process.park(), "it waits already");
    assert!(!deliver(&mut process, hello()), "nobody looks at it");
    assert!(!process.stir());
    assert!(process.unpark());
    assert!(process.can_take_place(), "it has its turn again");
    assert!(!process.unpark(), "it is on the queue once");
    assert_eq!((process.status(), process.begin_slice()), ("runnable", Turn::Run));
    assert!(!process.park() && !process.is_stirred(), "it is on a worker");
    assert!(!process.stir() && process.is_stirred());
    assert!(matches!(process.next_step(NOW, &mut Vec::new()), Step::Handle { .. }));
    assert_eq!(process.mailbox().len(), 1, "what came meanwhile");
    process.handled(Outcome { reply: None, next: Next::Wait }, NOW, &mut Vec::new());
}

#[test]
fn its_end_needs_no_fuel() {
    let mut process = waiting(Account::default());
    assert!(deliver(&mut process, hello()));
    assert!(process.park());
    assert!(deliver(&mut process, Signal::Kill), "whoever ends it puts it back on the queue");
    assert!(!process.unpark() && !process.park());
    assert!(!process.can_take_place(), "it ends");
    assert_eq!(process.begin_slice(), Turn::Exit(ExitReason::Killed));
    let mut doomed = waiting(Account::default());
    assert!(deliver(&mut doomed, Signal::Kill));
    assert!(!doomed.park(), "its turn is due");
}

#[test]
fn at_its_end_it_has_given_everything_back() {
    let spec = BudgetSpec { mailbox_bytes: Some(1_000), ..BudgetSpec::default() };
    let budget = Budget::new("app a", None, &spec, NOW);
    let mut process = waiting(Account::open(Arc::clone(&budget)).expect("there is room"));
    assert!(deliver(&mut process, hello()));
    let at = Duration::from_secs(1);
    process.start_timer(at, None, Body::Raw(Vec::new()), &mut Vec::new()).expect("there is room");
    let mark = process.start_timer(at, None, Body::Raw(Vec::new()), &mut Vec::new()).expect("there is room");
    let _ = process.begin_slice();
    process.saved(State { version: 1, body: Body::Raw(vec![0; 30]) });
    let used = || Resource::ALL.map(|of| budget.used(of));
    assert_eq!(used(), [30, 0, 1, 5, 2, 0, 0]);
    process.cancel_timer(mark, NOW, &mut Vec::new()).expect("it runs");
    assert!(!deliver(&mut process, Signal::TimeUp { mark }), "it was stopped");
    assert_eq!(used(), [30, 0, 1, 5, 1, 0, 0]);
    assert!(process.take_saved().is_some());
    assert_eq!(used(), [0, 0, 1, 5, 1, 0, 0]);
    process.saved(State { version: 1, body: Body::Raw(vec![0; 20]) });
    process.vanish(&ExitReason::Killed, &mut Vec::new());
    process.exit(&ExitReason::Killed, &mut Vec::new());
    assert_eq!(used(), [0; 7], "whoever hears of it finds room");
}
