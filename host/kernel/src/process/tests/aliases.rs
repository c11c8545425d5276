//! Aliases and tagged monitors (MON-07 to MON-12). What is expected here is what OTP 25 does.

use super::notation::check;
use crate::process::*;
use crate::signal::Undelivered;
use crate::{Body, Event, Signal};

#[test]
fn mon_07_a_tag_comes_with_the_loss() {
    check(&[
        ("new w; new v; new d", ""),
        ("kill d", "d ends killed"),
        ("v: register n", "v = named"),
        ("w: watch v tag=mine, watch @n tag=named as=second, monitor v", ""),
        ("w: watch d tag=dead, watch @nobody tag=none", "w: down d noproc [dead], w: down @nobody noproc [none]"),
        ("evict w", "w sleeps"),
        // It is the process that keeps it, and not its instance.
        ("kill v", "v ends killed, w wakes, w: down v killed [mine], w: down @n killed [named], w: down v killed"),
    ]);
}

#[test]
fn a_tag_beyond_the_limit_ends_the_process() {
    let mut world = check(&[("new w; new v", "")]);
    let (w, v) = (world.pid("w"), world.pid("v"));
    for (bytes, expected) in [(TAG_BYTES, Ok(())), (TAG_BYTES + 1, Err(ExitReason::limit("tag")))] {
        let wanted = Monitoring { tag: Some(Body::Raw(vec![0; bytes])), ..Monitoring::of(crate::Address::Pid(v)) };
        let set = world.transition(w, |process, _, actions| process.monitor(wanted, Some(v), actions));
        assert_eq!(set.map(drop), expected);
    }
}

#[test]
fn mon_08_what_goes_through_a_closed_alias_is_dropped_and_what_came_before_stays() {
    check(&[
        ("new a; new b; new h", ""),
        ("a: alias x, call h 50 {say asked}", "h says asked"),
        ("b: send ~a.x one, cast ~a.x two, send ~a.x three", ""),
        ("wait 50", "a = error timeout, a: info one, a: cast two, a: info three"),
        ("a: call h 50 {say asked}", "h says asked"),
        ("b: send ~a.x four", ""),
        ("wait 50", "a = error timeout, a: info four"),
        ("b: send ~a.x five; a: unalias x, unalias x", "a = closed, a = no alias, a: info five"),
        ("b: send ~a.x six, cast ~a.x seven, after t 10 ~a.x, say fine", "b says fine"),
        ("wait 10", ""),
    ]);
}

#[test]
fn open_aliases_are_counted() {
    let mut world = check(&[("new a; new v; kill v", "v ends killed"), ("a: alias x, alias y", "")]);
    let a = world.pid("a");
    let open = world.transition(a, |process, _, _| process.aliases_open());
    assert_eq!(open, 2);
}

#[test]
fn mon_08_an_alias_ends_with_its_process() {
    check(&[
        ("new a; new b", ""),
        ("a: alias x", ""),
        ("kill a", "a ends killed"),
        ("b: send ~a.x one, cast ~a.x two, call ~a.x 20 three", ""),
        // Nobody can tell it from one that is closed (MON-12).
        ("wait 20", "b = error timeout"),
    ]);
}

#[test]
fn mon_09_an_alias_for_a_reply_takes_one_message() {
    check(&[
        ("new a; new b", ""),
        ("a: alias x reply", ""),
        ("b: send ~a.x one, send ~a.x two, send ~a.x three, cast ~a.x four", "a: info one"),
        ("a: unalias x", "a = no alias"),
        ("a: alias y reply, unalias y", "a = closed"),
        ("b: send ~a.y one", ""),
    ]);
}

#[test]
fn mon_11_an_explicit_alias_and_its_monitor_live_apart() {
    check(&[
        ("new w; new v; new b", ""),
        ("w: watch v as=x alias=unalias, unalias x", "w = closed"),
        ("b: send ~w.x never", ""),
        ("kill v", "v ends killed, w: down v killed"),
        ("new u", ""),
        ("w: watch u as=y alias=unalias", ""),
        ("b: send ~w.y one, send ~w.y two", "w: info one, w: info two"),
        ("kill u", "u ends killed, w: down u killed"),
        ("b: send ~w.y three", "w: info three"),
        // Of somebody who is not there too.
        ("w: watch u as=z alias=unalias", "w: down u noproc"),
        ("b: send ~w.z four; w: unalias z", "w = closed, w: info four"),
    ]);
}

#[test]
fn mon_11_an_explicit_alias_outlives_a_monitor_that_is_taken_back() {
    let open = |mode| {
        let mut world = check(&[("new w; new v", "")]);
        let (w, v) = (world.pid("w"), world.pid("v"));
        let wanted = Monitoring { alias: Some(mode), ..Monitoring::of(crate::Address::Pid(v)) };
        let mark = world.transition(w, |process, _, actions| process.monitor(wanted, Some(v), actions));
        let mark = mark.expect("a monitor");
        let was = world.transition(w, |process, _, actions| process.demonitor(mark, false, actions));
        assert!(was);
        let again = world.transition(w, |process, _, actions| process.demonitor(mark, false, actions));
        assert!(!again);
        let mut actions = Vec::new();
        let signal = Signal::Through { alias: mark, event: Event::Info(Body::Text("late".into())) };
        let delivery = world.person(w).process.deliver(signal, Time::ZERO, &mut actions);
        (delivery.outcome, world.person(w).process.mailbox().len())
    };
    assert_eq!(open(AliasMode::ExplicitUnalias), (Ok(()), 1));
    for mode in [AliasMode::Demonitor, AliasMode::ReplyDemonitor] {
        assert_eq!(open(mode), (Err(Undelivered::Gone), 0), "{mode:?}");
    }
}

#[test]
fn an_alias_tied_to_its_monitor_closes_with_it() {
    for mode in ["demonitor", "reply-demonitor"] {
        let watch = format!("w: watch v as=x alias={mode}");
        check(&[
            ("new w; new v; new b", ""),
            (&watch, ""),
            ("kill v", "v ends killed, w: down v killed"),
            ("b: send ~w.x late", ""),
            ("w: unalias x", "w = no alias"),
            // There is nobody: it closes with the loss, at once.
            (&watch, "w: down v noproc"),
            ("b: send ~w.x late", ""),
            // Closed by itself, the monitor goes on.
            ("new u", ""),
            (&format!("w: watch u as=y alias={mode}, unalias y"), "w = closed"),
            ("b: send ~w.y late; kill u", "u ends killed, w: down u killed"),
        ]);
    }
}

#[test]
fn a_reply_through_an_alias_ends_the_monitor_it_was_made_with() {
    let world = check(&[
        ("new w; new v; new b", ""),
        ("w: watch v as=x alias=reply-demonitor", ""),
        ("b: send ~w.x one, send ~w.x two", "w: info one"),
        ("kill v", "v ends killed"),
        ("new u", ""),
        ("w: watch u as=y alias=demonitor", ""),
        ("b: send ~w.y one, send ~w.y two", "w: info one, w: info two"),
        ("w: demonitor y", "w = demonitored"),
    ]);
    let u = world.pid("u");
    assert!(world.people[&u].process.affairs.watchers.is_empty(), "it was told");
}

#[test]
fn mon_12_nobody_can_ask_whom_an_alias_names_or_whether_it_is_open() {
    check(&[
        ("new a; new b; new h", ""),
        ("a: alias x, call h 50 {say asked}", "h says asked"),
        ("limit a mailbox=1 body=9", ""),
        // The mailbox is full, the body is too large, the alias is closed: the sender is told the same.
        ("b: send ~a.x one, send ~a.x two, cast ~a.x three, send ~a.x 0123456789", ""),
        ("wait 50", "a = error timeout, a: info one"),
        ("limit a; a: unalias x", "a = closed"),
        ("b: send ~a.x four, say fine", "b says fine"),
        ("b: watch ~a.x as=m", "b ends an alias cannot be monitored"),
        ("new c", ""),
        ("c: call ~a.x 30 hello, request ~a.x 30 hello", ""),
        ("wait 30", "c = error timeout"),
        ("wait 30", "c: answer error timeout"),
    ]);
}

#[test]
fn mon_12_nobody_is_told_to_end_through_an_alias() {
    check(&[
        ("new a terminate={say bye}; new b", ""),
        ("a: alias x, alias y reply", ""),
        ("b: halt ~a.x 10 boom; b: halt ~a.y 10 boom; wait 10", "b = error timeout"),
        ("wait 10", "b = error timeout"),
        // It was no message: the one for a reply is open still.
        ("b: send ~a.y one, send ~a.y two", "a: info one"),
    ]);
}

#[test]
fn what_is_dropped_behind_an_open_alias_is_counted() {
    let mut world = check(&[
        ("new a; new b; new h", ""),
        ("a: alias x, alias y reply, call h 50 {say asked}", "h says asked"),
        ("limit a mailbox=1 body=9", ""),
        ("b: send ~a.x one, send ~a.x two, cast ~a.x three, send ~a.y 0123456789", ""),
        // One that is for one message has its room, and is still open: that one did not fit. The largest that may, does.
        ("b: send ~a.y nine long", ""),
        ("wait 50", "a = error timeout, a: info one, a: info nine long"),
    ]);
    let a = world.pid("a");
    assert_eq!(world.person(a).process.mailbox().dropped(), 3);
}

#[test]
fn aliases_beyond_the_limit_end_the_process() {
    check(&[
        ("new a aliases=1; new b aliases=1; new v", ""),
        ("a: alias x, unalias x, alias y, say fine, alias z", "a = closed, a says fine, a ends limit reached: aliases"),
        ("b: alias x, watch v alias=reply-demonitor", "b ends limit reached: aliases"),
    ]);
}

#[test]
fn calls_go_through_an_alias_and_are_answered_as_others() {
    check(&[
        ("new a; new b; new c", ""),
        ("a: alias x, alias y reply, alias own", ""),
        (
            "b: call ~a.x 100 hello, call ~a.y 100 again, call ~a.y 20 late",
            "a: call hello, b = re hello, a: call again, b = re again",
        ),
        ("wait 20", "b = error timeout"),
        ("b: request ~a.x 100 later", "a: call later, b: answer re later"),
        // Whoever was heard learns of the end at once (GS-06).
        ("b: call ~a.x - {spin, stop boom}", "a terminates boom, a ends boom, b = error ended boom"),
        ("c: alias own, call ~c.own 10 me", "c = error refused: a process cannot call itself"),
    ]);
}

#[test]
fn a_hibernated_process_keeps_its_aliases() {
    check(&[
        ("new a; new b", ""),
        ("a: alias x", ""),
        ("evict a", "a sleeps"),
        ("b: send ~a.x one", "a wakes, a: info one"),
        ("evict a", "a sleeps"),
        ("upgrade ", "a stops asleep, b stops, a moves, b moves, upgraded"),
        ("b: send ~a.x two", "b/2 wakes, a/2 wakes, a/2: info two"),
    ]);
}
