//! Exit signals and the reasons that observers see (EXIT).

use super::notation::check;
use crate::process::*;
use crate::signal::Undelivered;
use crate::{Event, Signal};

#[test]
fn exit_01_normal_from_another_is_ignored_unless_trapped() {
    check(&[
        ("new a; new b", ""),
        ("a: exit b normal", ""),
        ("info b still here", "b: info still here"),
        ("b: trap on", ""),
        ("a: exit b normal", "b: exit a normal"),
    ]);
}

#[test]
fn exit_01_normal_to_oneself_ends_unless_trapped() {
    check(&[
        ("new a; new b init={trap on}", ""),
        ("a: exit a normal, say never", "a ends normal"),
        ("b: exit b normal, say still here", "b says still here, b: exit b normal"),
    ]);
}

#[test]
fn exit_03_an_exit_signal_to_oneself_cannot_be_stopped() {
    check(&[
        ("new a", ""),
        ("a: exit a boom, say never, send a never", "a ends boom"),
        ("new b; new c", ""),
        // Not even by answering with an error, or by trapping from then on.
        ("b: exit b boom, fail other; c: exit c boom, trap on", "b ends boom, c ends boom"),
    ]);
}

#[test]
fn exit_04_kill_ends_a_trapping_process_without_terminate_and_is_seen_as_killed() {
    check(&[
        ("new s init={trap on}; new w; new v terminate={say cleanup}", ""),
        ("v: trap on, link s; w: monitor v", ""),
        ("w: kill v", "v ends killed, s: exit v killed, w: down v killed"),
        ("new p init={trap on}", ""),
        ("p: spawn c link monitor init={trap on}", "p = child c"),
        ("kill c", "c ends killed, p: exit c killed, p: down c killed"),
    ]);
}

#[test]
fn exit_04_the_word_kill_as_a_reason_is_no_kill() {
    check(&[("new a init={trap on}; new b", ""), ("b: exit a killed", "a: exit b killed")]);
}

#[test]
fn exit_05_kill_is_passed_on_as_an_ordinary_killed() {
    check(&[
        ("new a; new b; new c; new d init={trap on}; new e", ""),
        ("a: link b; b: link c; c: link d; d: link e", ""),
        ("kill a", "a ends killed, b ends killed, c ends killed, d: exit c killed"),
        ("info e still here", "e: info still here"),
    ]);
}

#[test]
fn exit_07_a_linked_end_takes_the_untrapping_along_with_the_same_reason() {
    check(&[
        ("new a; new b; new c; new t init={trap on}", ""),
        ("a: link b; b: link c; c: link t", ""),
        ("a: stop boom", "a terminates boom, a ends boom, b ends boom, c ends boom, t: exit c boom"),
        ("info t still here", "t: info still here"),
    ]);
}

#[test]
fn exit_07_a_linked_normal_end_is_ignored_or_trapped() {
    check(&[
        ("new a; new b; new t init={trap on}", ""),
        ("a: link b, link t", ""),
        ("a: stop normal", "a terminates normal, a ends normal, t: exit a normal"),
        ("info b still here", "b: info still here"),
    ]);
}

#[test]
fn exit_08_shutdown_over_a_link_ends_like_any_other_reason() {
    for why in ["shutdown", "shutdown+"] {
        let shown = if why == "shutdown" { "shutdown" } else { "shutdown: why" };
        check(&[
            ("new a; new b", ""),
            ("a: link b", ""),
            (&format!("a: stop {why}"), &format!("a terminates {shown}, a ends {shown}, b ends {shown}")),
        ]);
        check(&[("new a", ""), (&format!("exit a {why}"), &format!("a ends {shown}"))]);
    }
}

#[test]
fn exit_09_a_link_to_the_dead_is_refused_or_trapped() {
    check(&[
        ("new a; new t init={trap on}; new d", ""),
        ("kill d", "d ends killed"),
        ("a: link d, say lives", "a = error noproc, a says lives"),
        ("t: link d, say lives", "t says lives, t: exit d noproc"),
        // Nothing is left of the attempt.
        ("a: unlink d; t: unlink d", ""),
    ]);
}

/// A process that asks `d` for a link; whose exit signal comes before it is known what became of that.
fn asking(trap: &str, reason: ExitReason) -> Process {
    let mut world = check(&[(&format!("new a init={{trap {trap}}}; new d"), "")]);
    let (a, d) = (world.pid("a"), world.pid("d"));
    let mut a = world.people.remove(&a).expect("it was born").process;
    assert_eq!(a.link(d), LinkRequest::Ask);
    let from_d = Signal::LinkExit { from: d, reason };
    assert!(!a.deliver(from_d, Time::ZERO, &mut Vec::new()).wake);
    assert_eq!((a.mailbox().len(), a.doom()), (0, None));
    a
}

#[test]
fn exit_09_the_end_of_a_link_that_was_taken_back_is_no_answer_to_the_next() {
    // Linked, unlinked, linked once more: the exit signal is of the first link (LINK-03), and the answer is "no process".
    let d = Pid { node: 0, id: 2, tag: 2_000_006 };
    let mut a = asking("off", ExitReason::failed("boom"));
    let noproc = || Err(crate::Refusal::Unknown("noproc".into()));
    assert_eq!(a.link_failed(d, Undelivered::Gone), noproc());
    assert_eq!((a.doom(), a.links().count()), (None, 0));
    let mut t = asking("on", ExitReason::failed("boom"));
    assert_eq!(t.link_failed(d, Undelivered::Gone), Ok(()));
    assert_eq!(t.mailbox().front(), Some(&Event::Exit { pid: d, reason: ExitReason::Noproc }));
    assert_eq!(t.mailbox().len(), 1);
}

#[test]
fn link_01_who_ends_as_soon_as_it_is_linked_is_heard_of() {
    let boom = || ExitReason::failed("boom");
    let mut a = asking("off", boom());
    a.link_made();
    assert_eq!((a.doom(), a.links().count()), (Some(&boom()), 0));
    let mut spared = asking("off", ExitReason::Normal);
    spared.link_made();
    assert_eq!((spared.doom(), spared.links().count()), (None, 0));
    let mut t = asking("on", boom());
    t.link_made();
    assert!(matches!(t.mailbox().front(), Some(Event::Exit { reason, .. }) if *reason == boom()));
    // From then on there is nothing to wait for.
    t.link_made();
    assert_eq!((t.mailbox().len(), t.links().count()), (1, 0));
}

#[test]
fn an_exit_signal_from_a_stranger_counts_as_a_message_and_one_from_the_parent_never_does() {
    let mut world = check(&[
        ("new p init={trap on}; new s", ""),
        ("p: spawn v mailbox=0 init={trap on}", "p = child v"),
        ("s: exit v boom", ""),
        ("p: exit v shutdown", "v terminates shutdown, v ends shutdown"),
        ("p: spawn u mailbox=0 init={trap on}", "p = child u"),
        ("s: exit u boom; s: exit u boom", ""),
    ]);
    let u = world.pid("u");
    assert_eq!(world.person(u).process.mailbox().dropped(), 2);
}

#[test]
fn what_the_reasons_of_strangers_carry_counts_against_the_mailbox() {
    let mut world = check(&[
        ("new v init={trap on}; new s; new h", ""),
        ("v: call h 50 {say asked}", "h says asked"),
        ("limit v body=4", ""),
        ("s: exit v boom, exit v bang!", ""),
        ("wait 50", "v = error timeout, v: exit s boom"),
    ]);
    let v = world.pid("v");
    assert_eq!(world.person(v).process.mailbox().dropped(), 1, "one did not fit");
}
