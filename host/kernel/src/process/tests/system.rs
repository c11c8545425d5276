//! System messages (SYS): what an operator asks of a process, and what the process makes of it.

use std::sync::Arc;
use std::time::Duration;

use super::notation::check;
use crate::process::{Birth, Kind, SliceEnd, Step, Turn};
use crate::system::SystemRequest;
use crate::{Body, Event, ExitReason, Next, Pid, Process, Signal, Start};

#[test]
fn sys_01_suspend_and_resume_as_often_as_one_likes() {
    check(&[
        ("new a; sys a resume", "a 1: done"),
        ("sys a suspend; sys a suspend", "a 2: done, a 3: done"),
        ("info a one; info a two", ""),
        ("sys a resume", "a 4: done, a: info one, a: info two"),
        ("sys a resume; info a three", "a 5: done, a: info three"),
    ]);
}

#[test]
fn sys_01_a_process_is_suspended_between_two_messages_and_whoever_asked_waits_for_that() {
    check(&[
        ("new a; new h native", ""),
        ("a: call h - {say asked}, say done; info a one", "h says asked"),
        ("sys a suspend; sys a suspend", ""),
        ("h: answer h yes", "a = yes, a says done, a 1: done, a 2: done"),
        ("info a two", ""),
        ("sys a resume", "a 3: done, a: info one, a: info two"),
        // A continue belongs to the message before (GS-15).
        ("a: call h - {say asked}, continue {say more}", "h says asked"),
        ("sys a suspend", ""),
        ("h: answer h yes", "a = yes, a says more, a 4: done"),
    ]);
}

#[test]
fn sys_01_a_suspension_that_has_not_begun_is_called_off_when_nobody_waits_for_it() {
    check(&[
        ("new a; new h native", ""),
        ("a: call h - {say asked}; info a one", "h says asked"),
        ("sys a suspend; sys a suspend; withdraw a 1", ""),
        ("withdraw a 2; h: answer h yes", "a = yes, a: info one"),
        ("a: call h - {say asked}; info a two", "h says asked"),
        // Whoever resumes it tells whoever wanted it suspended, for it was heard first.
        ("sys a suspend; sys a resume", "a 3: done, a 4: done"),
        ("h: answer h yes", "a = yes, a: info two"),
        // One that has begun stays, whoever is gone: as in OTP.
        ("sys a suspend; withdraw a 5; info a three", "a 5: done"),
    ]);
}

#[test]
fn what_is_withdrawn_is_not_served_and_nothing_else_is_lost() {
    check(&[
        ("new a; new h native", ""),
        ("a: call h - {say asked}", "h says asked"),
        ("sys a state; sys a state; sys a state; withdraw a 2", ""),
        ("h: answer h yes", "a = yes, a 1: state 1, a 3: state 1"),
    ]);
}

#[test]
fn one_that_has_its_last_words_is_not_held_any_more() {
    check(&[
        ("new a terminate={call h - {say asked}}; new h native; new p", ""),
        ("sys a suspend", "a 1: done"),
        ("p: halt a 5000 enough", "a terminates enough, h says asked"),
        ("sys a suspend", ""),
        ("h: answer h yes", "a = yes, a ends enough, a 2: noproc, p = error ended enough"),
    ]);
}

#[test]
fn mail_wakes_nobody_who_is_held_and_orders_do() {
    let (now, parent) = (Duration::from_secs(1), Pid { node: 0, id: 2, tag: 2 });
    let mut actions = Vec::new();
    let birth = Birth {
        parent: Some(parent),
        ..Birth::without_parent(Pid { node: 0, id: 1, tag: 1 }, Kind::Server, Arc::default(), [1, 2])
    };
    let mut process = Process::new(birth, now, &mut actions);
    process.set_trap_exit(true);
    assert_eq!(process.begin_slice(), Turn::Run);
    assert_eq!(process.next_step(now, &mut actions), Step::Init);
    assert_eq!(process.started(Start::Ready(Next::Wait), now, &mut actions), None);
    assert_eq!(process.end_slice(), SliceEnd::Waiting);
    let _ = process.deliver(Signal::System { id: 1, request: SystemRequest::Suspend }, now, &mut actions);
    assert_eq!(process.begin_slice(), Turn::Nothing);
    assert_eq!(process.end_slice(), SliceEnd::Waiting);
    let info = || Signal::Message(Event::Info(Body::Text("one".into())));
    let exit = |from| Signal::Exit { from, reason: ExitReason::failed("enough") };
    let mut wakes = |signal| process.deliver(signal, now, &mut Vec::new()).wake;
    assert_eq!([info(), exit(Pid { node: 0, id: 3, tag: 3 }), exit(parent)].map(&mut wakes), [false, false, true]);
}

#[test]
fn sys_01_a_suspended_process_still_ends_and_its_timers_ring() {
    check(&[
        ("new a; new b; a: timer x 100, wait-for 50; a: link b", ""),
        ("sys a suspend; wait 200; info a one", "a 1: done"),
        ("sys a resume", "a 2: done, a: timer x, a: info one"),
        ("sys a suspend; kill b", "a 3: done, b ends killed, a ends killed"),
    ]);
}

#[test]
fn gs_16_what_an_operator_asks_is_no_message_and_leaves_idleness_alone() {
    check(&[
        ("new a; a: wait-for 300", ""),
        ("wait 200", ""),
        ("sys a state; sys a replace", "a 1: state 1, a 2: done"),
        ("sys a suspend; sys a resume", "a 3: done, a 4: done"),
        ("wait 99", ""),
        ("wait 1", "a wakes, a: idle"),
        // It is up while the process stands still, and told when that is over.
        ("a: wait-for 300", ""),
        ("sys a suspend; wait 300", "a 5: done"),
        ("sys a resume", "a 6: done, a: idle"),
    ]);
}

#[test]
fn sys_03_the_state_is_told_and_replaced_running_and_suspended_awake_and_asleep() {
    check(&[
        ("new a; info a one", "a: info one"),
        ("sys a state; info a two", "a 1: state 1, a: info two"),
        ("sys a suspend; info a three; sys a state; sys a replace", "a 2: done, a 3: state 2, a 4: done"),
        ("sys a state; sys a resume", "a 6: done, a 5: state 2, a wakes, a: info three"),
        ("evict a", "a sleeps"),
        // It is not woken for that.
        ("sys a state; sys a replace; sys a state", "a 7: state 3, a 8: done, a 9: state 3"),
        ("info a four", "a wakes, a: info four"),
    ]);
}

#[test]
fn sys_03_what_fails_changes_nothing() {
    check(&[
        ("new a; info a one", "a: info one"),
        ("sys a replace-badly; sys a state", "a 1: failed: failed: refused, a 2: state 1"),
        ("evict a", "a sleeps"),
        ("sys a replace-badly; info a two", "a 3: failed: failed: refused, a wakes, a: info two"),
        ("new p pinned; sys p state; info p three", "p 4: failed: failed: refused, p: info three"),
    ]);
}

#[test]
fn sys_05_a_request_to_a_process_that_has_ended_or_ends_is_answered() {
    check(&[
        ("new a; kill a", "a ends killed"),
        ("sys a state", "a 1: noproc"),
        ("new b; new h native; b: call h - {say asked}", "h says asked"),
        ("sys b suspend; sys b state; sys b replace; kill b", "b ends killed, b 2: noproc, b 3: noproc, b 4: noproc"),
    ]);
}

#[test]
fn sys_05_terminate_runs_terminate_and_ends_with_the_reason() {
    check(&[
        ("new a terminate={say bye}; new b terminate={say bye}; new m", ""),
        (
            "m: monitor a, monitor b; info a one; sys a terminate done",
            "a terminates done, a 1: done, a says bye, a ends done, m: down a done",
        ),
        ("sys b suspend; evict b", "b 2: done, b sleeps"),
        (
            "info b one; sys b state; sys b terminate shutdown",
            "b 3: state 0, b wakes, b terminates shutdown, b 4: done, b says bye, b ends shutdown, m: down b shutdown",
        ),
    ]);
}

#[test]
fn sys_05_tasks_and_the_hosts_own_take_no_system_messages() {
    check(&[(
        "new t task init={receive -}; new h native; sys t suspend; sys h state",
        "t 1: not a server, h 2: not a server",
    )]);
}

#[test]
fn sys_04_requests_that_wait_are_bounded() {
    let mut world = check(&[("new a; new h native; a: call h - {say asked}", "h says asked")]);
    (1..=32).for_each(|_| world.run("sys a state"));
    assert_eq!(world.trace(), "");
    world.run("sys a state");
    assert_eq!(world.trace(), "a 33: too many");
    (34..66).for_each(|_| world.run("sys a suspend"));
    assert_eq!(world.trace(), "");
    world.run("sys a suspend; sys a resume");
    let told = world.trace();
    assert!(told.starts_with("a 66: too many, a 34: done") && told.ends_with("a 65: done, a 67: done"), "{told}");
}

#[test]
fn hot_07_an_operators_suspension_and_an_upgrade_leave_each_other_alone() {
    check(&[
        ("new a; new b; sys a suspend; info a one; migrate a", "a 1: done"),
        // The end of the upgrade is not the end of the suspension.
        ("upgrade", "a stops, b stops, a moves, b moves, upgraded"),
        ("info a two; sys a state", "a 2: state 0"),
        ("sys a resume", "a 3: done, a/2 wakes, a/2: info one, a/2: info two"),
        // Nor the other way round.
        ("info b one", "b/2 wakes, b/2: info one"),
        ("upgrade stuck=b", "a/2 stops, b/2 stops, a/2 moves"),
        ("sys a suspend; sys a resume; sys b suspend; info a three", "a/2 4: done, a/2 5: done, b/2 6: done"),
        ("cancel", "not upgraded: cancelled, a/2: info three"),
        ("info b two; sys b resume", "b/2 7: done, b/2: info two"),
    ]);
}

#[test]
fn hot_07_what_needs_guest_code_waits_for_the_end_of_an_upgrade() {
    check(&[
        ("new a; new b terminate={say bye}; info a one", "a: info one"),
        ("upgrade stuck=b", "a stops, b stops, a moves"),
        ("sys a state; sys a replace; sys b terminate done", ""),
        (
            "cancel",
            "not upgraded: cancelled, a 1: state 1, a 2: done, b terminates done, b 3: done, b says bye, b ends done",
        ),
    ]);
}

#[test]
fn sys_01_the_parents_exit_is_picked_out_of_the_mail_of_a_suspended_process() {
    let kid = "link init={trap on} terminate={say bye}";
    check(&[
        ("new p init={trap on}", ""),
        (&format!("p: spawn k {kid}; p: spawn l {kid}; p: spawn m {kid}"), "p = child k, p = child l, p = child m"),
        ("sys k suspend; sys l suspend; evict l; info k one; info l one", "k 1: done, l 2: done, l sleeps"),
        // A stranger's waits like any other mail.
        (
            "exit k boom; exit k shutdown from p",
            "k terminates shutdown, k says bye, k ends shutdown, p: exit k shutdown",
        ),
        ("exit l shutdown from p", "l wakes, l terminates shutdown, l says bye, l ends shutdown, p: exit l shutdown"),
        // It was there already.
        (
            "exit m shutdown from p; sys m suspend",
            "m 3: done, m terminates shutdown, m says bye, m ends shutdown, p: exit m shutdown",
        ),
    ]);
}

#[test]
fn sys_05_a_stop_is_picked_out_of_the_mail_of_a_suspended_process() {
    let bye = "terminate={say bye}";
    check(&[
        (&format!("new a {bye}; new b {bye}; new c {bye}; new p; new q native"), ""),
        ("sys a suspend; info a one", "a 1: done"),
        ("p: halt a 5000 enough", "a terminates enough, a says bye, a ends enough, p = error ended enough"),
        // It was there already, behind mail, and its instance is gone.
        ("b: call q - {say asked}", "q says asked"),
        ("info b one; p: halt b 5000 enough; sys b suspend", ""),
        (
            "q: answer q yes",
            "b = yes, b terminates enough, b 2: done, b says bye, b ends enough, p = error ended enough",
        ),
        ("sys c suspend; evict c", "c 3: done, c sleeps"),
        ("p: halt c 5000 enough", "c wakes, c terminates enough, c says bye, c ends enough, p = error ended enough"),
    ]);
}

/// A process that is to have its state replaced, and finds no room for the instance that is to try the new one.
#[test]
fn sys_03_a_replacement_that_finds_no_room_is_tried_again() {
    use super::sleep::server;
    use crate::process::{SliceEnd, Step, Turn};
    use crate::system::{SystemAnswer, SystemRequest};
    use crate::{Action, Body, Next, Signal, Start, State, Time};
    const NOW: Time = Time::ZERO;
    let state = |version| State { version, body: Body::Raw(Vec::new()) };
    let mut process = server(None);
    let mut actions = Vec::new();
    assert_eq!(process.begin_slice(), Turn::Run);
    assert_eq!(process.next_step(NOW, &mut actions), Step::Init);
    assert_eq!(process.started(Start::Ready(Next::Wait), NOW, &mut actions), None);
    process.saved(state(1));
    assert_eq!(process.end_slice(), SliceEnd::Waiting);
    actions.clear();
    let request = SystemRequest::ReplaceState;
    let delivery = process.deliver(Signal::System { id: 7, request }, NOW, &mut actions);
    assert!(delivery.wake);
    for _ in 0..2 {
        assert_eq!(process.begin_slice(), Turn::Run);
        assert_eq!(process.step_asleep(NOW, &mut actions), Some(Step::ReplaceState(7)));
        // It is in the middle of something: whoever wants it suspended waits.
        let suspend = Signal::System { id: 8, request: SystemRequest::Suspend };
        assert!(!process.deliver(suspend, NOW, &mut actions).wake);
        assert!(!process.is_held());
        let _ = process.deliver(Signal::Withdraw { id: 8 }, NOW, &mut actions);
        process.replacement_postponed(7, NOW, &mut actions);
        let _ = process.end_slice();
        assert_eq!(actions, []);
    }
    assert_eq!(process.begin_slice(), Turn::Run);
    assert_eq!(process.step_asleep(NOW, &mut actions), Some(Step::ReplaceState(7)));
    process.state_replaced(7, Ok(state(2)), NOW, &mut actions);
    assert_eq!(actions, [Action::Inform { request: 7, answer: Ok(SystemAnswer::Done) }]);
    assert_eq!(process.saved_state(), Some(state(2)));
    process.discarded();
    assert_eq!(process.end_slice(), SliceEnd::Waiting);
}
