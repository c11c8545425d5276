//! What becomes of the result of a task, and of a task that a supervisor starts for somebody else (TASK).

use std::time::Duration;

use super::notation::check;
use crate::process::{Awaited, Birth, Kind, Turn};
use crate::{Action, Body, Caller, ExitReason, Mark, Pid, Process, Signal, SpawnError};

const SUPERVISOR: Pid = Pid { node: 0, id: 1, tag: 1 };
const OWNER: Pid = Pid { node: 0, id: 2, tag: 2 };
const TASK: Pid = Pid { node: 0, id: 3, tag: 3 };

#[test]
fn a_task_is_started_when_it_begins_and_has_no_time_limit() {
    let world = check(&[
        ("new p", ""),
        ("p: spawn t task monitor init={receive -, finish done}", "p = child t"),
        ("wait 1000000", ""),
        ("info t go", "t: info go, t ends normal, p: answer done, p: down t normal"),
        ("new n native", ""),
    ]);
    assert!(world.timers.is_empty());
}

#[test]
fn a_result_goes_to_whoever_started_the_task_with_a_monitor_and_only_while_that_is_set() {
    check(&[
        ("new p; new q", ""),
        ("p: spawn t task monitor init={receive -, finish done}", "p = child t"),
        ("q: monitor t", ""),
        ("info t go", "t: info go, t ends normal, p: answer done, p: down t normal, q: down t normal"),
        ("p: spawn u task monitor init={receive -, finish done}", "p = child u"),
        // Neither by another monitor, nor by one that was taken back.
        ("p: demonitor u; q: monitor u; p: monitor u", "p = demonitored"),
        ("info u go", "u: info go, u ends normal, p: down u normal, q: down u normal"),
        ("p: spawn v task link init={receive -, finish done}", "p = child v"),
        ("p: monitor v", ""),
        ("info v go", "v: info go, v ends normal, p: down v normal"),
    ]);
}

fn birth(pid: Pid, parent: Option<Caller>, awaited: Option<Awaited>) -> Birth {
    Birth {
        parent: parent.map(|parent| parent.pid),
        starter: parent,
        link: parent.is_some(),
        monitor: parent.map(|_| Mark(8)),
        awaited,
        ..Birth::without_parent(pid, Kind::Task, std::sync::Arc::default(), [pid.id, 1])
    }
}

fn supervised(link: bool) -> (Process, Awaited) {
    let mut owner = Process::new(birth(OWNER, None, None), Duration::ZERO, &mut Vec::new());
    let awaited = owner.await_child(TASK, link).expect("there is room");
    assert_eq!(owner.links().any(|linked| linked == TASK), link);
    let starter = Caller { pid: SUPERVISOR, mark: Mark(7) };
    (Process::new(birth(TASK, Some(starter), Some(awaited)), Duration::ZERO, &mut Vec::new()), awaited)
}

/// Who is told what.
fn told(actions: Vec<Action>) -> Vec<(Pid, Signal)> {
    let signal = |action| match action {
        Action::Deliver { to, signal } => Some((to, signal)),
        _ => None,
    };
    actions.into_iter().filter_map(signal).collect()
}

#[test]
fn task_11_the_result_goes_to_the_owner_and_the_end_to_the_supervisor_too() {
    for link in [true, false] {
        let (mut task, Awaited { by, mark, .. }) = supervised(link);
        let mut actions = Vec::new();
        assert_eq!(task.begin_slice(), Turn::Run);
        let _ = task.next_step(Duration::ZERO, &mut actions);
        assert_eq!(told(actions), [(SUPERVISOR, Signal::Started { mark: Mark(7), outcome: Ok(TASK) })]);
        let (mut actions, result) = (Vec::new(), Body::Text("done".into()));
        task.finished(result.clone(), &mut actions);
        assert_eq!(told(actions), [(by, Signal::Finished { mark, body: result })], "to nobody else");
        let mut actions = Vec::new();
        task.exit(&ExitReason::Normal, &mut actions);
        let told = told(actions);
        let ended = |from| Signal::LinkExit { from, reason: ExitReason::Normal };
        let down = |mark| Signal::Down { mark, reason: ExitReason::Normal };
        assert_eq!(told.contains(&(OWNER, ended(TASK))), link, "{told:?}");
        for expected in [(SUPERVISOR, ended(TASK)), (SUPERVISOR, down(Mark(8))), (OWNER, down(mark))] {
            assert!(told.contains(&expected), "{expected:?} in {told:?}");
        }
    }
}

#[test]
fn task_11_a_task_that_did_not_start_is_told_to_the_supervisor_alone() {
    let (mut task, _) = supervised(true);
    let mut actions = Vec::new();
    let _ = task.deliver(Signal::Kill, Duration::ZERO, &mut actions);
    task.exit(&ExitReason::Killed, &mut actions);
    let outcome = Err(SpawnError::Failed(ExitReason::Killed));
    assert_eq!(told(actions), [(SUPERVISOR, Signal::Started { mark: Mark(7), outcome })]);
}

#[test]
fn task_11_an_owner_has_no_more_links_and_monitors_than_others() {
    let limited = |links, monitors| {
        let limits = crate::Limits { links, monitors, ..crate::Limits::default() };
        let mut owner =
            Process::new(Birth { limits: limits.into(), ..birth(OWNER, None, None) }, Duration::ZERO, &mut Vec::new());
        (owner.await_child(TASK, true), owner.await_child(TASK, false))
    };
    let refused = |what: &str| Err(crate::Refusal::Limit(what.into()));
    assert_eq!(limited(0, 1).0, refused("links"));
    assert!(limited(0, 1).1.is_ok());
    assert_eq!(limited(1, 0).0, refused("monitors"));
    // The mark is that of a monitor like any other.
    let mut owner = Process::new(birth(OWNER, None, None), Duration::ZERO, &mut Vec::new());
    let Awaited { mark, .. } = owner.await_child(TASK, false).expect("there is room");
    let mut actions = Vec::new();
    assert!(owner.demonitor(mark, true, &mut actions));
    assert_eq!(told(actions), [(TASK, Signal::Demonitor { from: OWNER, mark })]);
}
