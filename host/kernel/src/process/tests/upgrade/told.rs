//! What a process is told by signals and answers with news, one by one.

use std::time::Duration;

use super::super::sleep::{birth, server};
use crate::process::{Birth, Kind, More, Process, SliceEnd, Step, Turn};
use crate::upgrade::{Mail, MigrationStep, News, NotMigrated, UpgradeId, Verdict};
use crate::{Action, Body, Event, ExitReason, Next, Outcome, Signal, Start, State, Time, Want};

const NOW: Time = Duration::from_secs(7);

/// A server that waits for its first message.
fn up() -> Process {
    let mut process = server(None);
    assert_eq!(process.begin_slice(), Turn::Run);
    assert_eq!(process.next_step(NOW, &mut Vec::new()), Step::Init);
    assert_eq!(process.started(Start::Ready(Next::Wait), NOW, &mut Vec::new()), None);
    process
}

/// The news that a signal brings.
fn tell(process: &mut Process, signal: Signal) -> Vec<(UpgradeId, News)> {
    let mut actions = Vec::new();
    let _ = process.deliver(signal, NOW, &mut actions);
    news(actions)
}

fn news(actions: Vec<Action>) -> Vec<(UpgradeId, News)> {
    let news = |action| match action {
        Action::Tell { upgrade, news } => Some((upgrade, news)),
        _ => None,
    };
    actions.into_iter().filter_map(news).collect()
}

fn step(process: &mut Process) -> Step {
    process.next_step(NOW, &mut Vec::new())
}

fn suspend(upgrade: UpgradeId) -> Signal {
    Signal::Suspend { upgrade }
}

fn migrate(upgrade: UpgradeId) -> Signal {
    Signal::Migrate { upgrade }
}

fn resume(upgrade: UpgradeId, verdict: Verdict) -> Signal {
    Signal::Resume { upgrade, verdict }
}

fn state(version: u32) -> State {
    State { version, body: Body::Raw(vec![0; 5]) }
}

fn not_migrated() -> NotMigrated {
    NotMigrated { step: MigrationStep::Restore, reason: ExitReason::failed("no"), trace: "here".into() }
}

fn stops(mail: Mail, begun: bool, hibernated: bool) -> News {
    News::Suspended { at: NOW, mail, begun, hibernated }
}

/// One that has been told to migrate, and is at it.
fn migrating() -> Process {
    let mut process = up();
    assert_eq!(tell(&mut process, suspend(1)).len(), 1);
    assert_eq!(tell(&mut process, migrate(1)), []);
    assert_eq!(step(&mut process), Step::Migrate);
    process
}

/// One that has been taken over.
fn migrated() -> Process {
    let mut process = migrating();
    let mut actions = Vec::new();
    assert!(process.migrated(state(2), &mut actions));
    assert_eq!(news(actions), [(1, News::Migrated { bytes: 5 })]);
    process
}

#[test]
fn it_says_when_and_how_it_stopped() {
    assert_eq!(tell(&mut up(), suspend(3)), [(3, stops(Mail::NotWaitedFor, true, false))]);
    assert_eq!(tell(&mut server(None), suspend(3)), [(3, stops(Mail::NotWaitedFor, false, false))]);

    let mut asleep = up();
    asleep.saved(state(1));
    assert_eq!(tell(&mut asleep, suspend(3)), [(3, stops(Mail::NotWaitedFor, true, true))]);

    let mut busy = up();
    let _ = tell(&mut busy, Signal::Message(Event::Idle));
    assert!(matches!(step(&mut busy), Step::Handle { .. }));
    assert_eq!((tell(&mut busy, suspend(3)), busy.is_suspended()), (vec![], false));
    busy.handled(Outcome { reply: None, next: Next::Wait }, NOW, &mut Vec::new());
    let mut actions = Vec::new();
    assert_eq!(busy.next_step(NOW, &mut actions), Step::Wait);
    assert_eq!(news(actions), [(3, stops(Mail::WaitedFor, true, false))]);
    assert_eq!((busy.status(), busy.is_suspended()), ("suspended", true));
}

#[test]
fn gs_15_it_is_not_between_two_messages_while_it_means_to_do_something() {
    let body = || Body::Raw(Vec::new());
    let plans = [
        (Next::Continue(body()), "Handle { event: Continue(Raw(0 bytes)), more: true }"),
        (Next::Stop(ExitReason::Normal), "Terminate(Normal)"),
    ];
    for (next, first) in plans {
        let mut process = up();
        process.handled(Outcome { reply: None, next }, NOW, &mut Vec::new());
        assert_eq!((tell(&mut process, suspend(3)), process.is_suspended()), (vec![], false));
        let mut actions = Vec::new();
        assert_eq!(format!("{:?}", process.next_step(NOW, &mut actions)), first);
        assert_eq!(actions, []);
    }
    // To be told that it is idle, or to hibernate, can wait.
    for next in [Next::WaitFor(5), Next::Hibernate, Next::Wait] {
        let mut process = up();
        process.handled(Outcome { reply: None, next }, NOW, &mut Vec::new());
        assert_eq!(tell(&mut process, suspend(3)), [(3, stops(Mail::NotWaitedFor, true, false))]);
    }
}

#[test]
fn it_is_woken_for_its_part_and_for_nothing_else() {
    let mut process = up();
    assert_eq!(process.end_slice(), SliceEnd::Waiting);
    let wakes = |process: &mut Process, signal| process.deliver(signal, NOW, &mut Vec::new()).wake;
    let mail = || Signal::Message(Event::Idle);
    assert_eq!([suspend(1), mail()].map(|signal| wakes(&mut process, signal)), [false, false]);
    assert_eq!([migrate(1), mail()].map(|signal| wakes(&mut process, signal)), [true, false]);
    assert_eq!(process.begin_slice(), Turn::Run);
    assert_eq!(step(&mut process), Step::Migrate);
    assert_eq!(process.end_slice(), SliceEnd::Waiting);
    // Nothing is to be done, not even with mail, until it goes on.
    assert_eq!(process.begin_slice(), Turn::Nothing);
    assert_eq!(process.end_slice(), SliceEnd::Waiting);
    assert!(wakes(&mut process, resume(1, Verdict::RollBack)));
    assert_eq!(process.begin_slice(), Turn::Run);
}

#[test]
fn what_is_told_again_or_of_another_upgrade_changes_nothing() {
    let mut process = up();
    assert_eq!(tell(&mut process, migrate(1)), []);
    assert_eq!((step(&mut process), process.is_suspended()), (Step::Wait, false));
    let _ = tell(&mut process, suspend(1));
    for stale in [suspend(1), suspend(2), migrate(2), resume(2, Verdict::Commit), resume(2, Verdict::RollBack)] {
        assert_eq!(tell(&mut process, stale.clone()), [], "{stale:?}");
        assert_eq!((step(&mut process), process.is_suspended()), (Step::Wait, true), "{stale:?}");
    }
    let _ = tell(&mut process, migrate(1));
    assert_eq!((process.is_migrating(), step(&mut process), process.is_migrating()), (false, Step::Migrate, true));
    // It is told once.
    assert_eq!((tell(&mut process, migrate(1)), step(&mut process)), (vec![], Step::Wait));
    assert!(process.is_migrating());
}

#[test]
fn it_tells_what_came_of_its_migration_once_and_only_while_that_is_wanted() {
    let mut process = migrated();
    assert!(!process.is_migrating());
    let mut actions = Vec::new();
    assert!(!process.migrated(state(3), &mut actions));
    process.not_migrated(not_migrated(), &mut actions);
    process.migration_postponed();
    assert_eq!((actions, step(&mut process)), (vec![], Step::Wait));

    let mut process = migrating();
    let mut actions = Vec::new();
    process.not_migrated(not_migrated(), &mut actions);
    assert_eq!(news(actions), [(1, News::NotMigrated(not_migrated()))]);
    assert_eq!((process.is_suspended(), process.is_migrating(), step(&mut process)), (true, false, Step::Wait));

    let mut process = migrating();
    let _ = tell(&mut process, resume(1, Verdict::RollBack));
    let mut actions = Vec::new();
    assert!(!process.is_migrating() && !process.migrated(state(2), &mut actions));
    process.not_migrated(not_migrated(), &mut actions);
    process.migration_postponed();
    assert_eq!((actions, process.is_suspended(), step(&mut process)), (vec![], false, Step::Wait));
}

#[test]
fn hot_08_it_goes_on_with_what_the_verdict_says() {
    for (verdict, expected) in [(Verdict::Commit, Some(2)), (Verdict::RollBack, Some(1))] {
        let mut process = migrated();
        process.saved(state(1));
        assert_eq!(process.saved_state(), Some(state(1)), "nothing is decided");
        let _ = tell(&mut process, resume(1, verdict));
        assert_eq!(process.take_saved().map(|state| state.version), expected);
        assert_eq!(process.saved_state(), None);
    }
    // With an instance.
    for (verdict, next, expected) in [(Verdict::Commit, Step::Discard, Some(2)), (Verdict::RollBack, Step::Wait, None)]
    {
        let mut process = migrated();
        let _ = tell(&mut process, resume(1, verdict));
        assert_eq!((process.is_suspended(), step(&mut process)), (false, next));
        assert_eq!(process.take_saved().map(|state| state.version), expected);
    }
    // One that was not taken over has nothing else to go on with.
    let mut process = up();
    let _ = tell(&mut process, suspend(1));
    let _ = tell(&mut process, resume(1, Verdict::Commit));
    assert_eq!((process.is_suspended(), step(&mut process)), (false, Step::Wait));
}

#[test]
fn mail_that_came_meanwhile_is_looked_at_when_the_old_instance_is_gone() {
    let mut process = migrated();
    let _ = tell(&mut process, resume(1, Verdict::Commit));
    assert_eq!(process.begin_slice(), Turn::Nothing);
    let _ = process.deliver(Signal::Message(Event::Idle), NOW, &mut Vec::new());
    assert_eq!(process.end_slice(), SliceEnd::Preempted);
    let _ = process.begin_slice();
    assert_eq!(step(&mut process), Step::Discard);
    process.discarded();
    assert_eq!((process.end_slice(), process.begin_slice()), (SliceEnd::Preempted, Turn::Run));
    // And without mail it hibernates.
    let mut process = migrated();
    let _ = process.begin_slice();
    let _ = tell(&mut process, resume(1, Verdict::Commit));
    assert_eq!((process.end_slice(), process.begin_slice()), (SliceEnd::Preempted, Turn::Nothing));
    assert_eq!(step(&mut process), Step::Discard);
    process.discarded();
    assert_eq!((process.end_slice(), process.status()), (SliceEnd::Waiting, "hibernating"));
}

/// HIB-01: one that sleeps has no turn when all go on, unless there is mail.
#[test]
fn one_that_sleeps_on_is_not_looked_at() {
    for (mail, wakes) in [(false, false), (true, true)] {
        let mut process = up();
        assert_eq!(process.end_slice(), SliceEnd::Waiting);
        process.saved(state(1));
        let _ = tell(&mut process, suspend(1));
        assert!(process.deliver(migrate(1), NOW, &mut Vec::new()).wake);
        assert_eq!(process.begin_slice(), Turn::Run);
        assert_eq!(process.step_asleep(NOW, &mut Vec::new()), Some(Step::Migrate));
        assert!(process.migrated(state(2), &mut Vec::new()));
        process.discarded();
        assert_eq!(process.end_slice(), SliceEnd::Waiting);
        if mail {
            assert!(!process.deliver(Signal::Message(Event::Idle), NOW, &mut Vec::new()).wake);
        }
        let delivery = process.deliver(resume(1, Verdict::Commit), NOW, &mut Vec::new());
        assert_eq!((delivery.wake, process.status()), (wakes, if wakes { "runnable" } else { "hibernating" }));
        assert_eq!(process.saved_state(), Some(state(2)));
    }
}

#[test]
fn the_next_upgrade_does_not_wait_for_the_old_instance_to_go() {
    let mut process = migrated();
    let _ = process.begin_slice();
    let _ = tell(&mut process, resume(1, Verdict::Commit));
    assert_eq!(tell(&mut process, suspend(2)), [(2, stops(Mail::NotWaitedFor, true, true))]);
    let _ = tell(&mut process, migrate(2));
    assert_eq!(step(&mut process), Step::Discard);
    process.discarded();
    assert_eq!((process.end_slice(), process.begin_slice()), (SliceEnd::Preempted, Turn::Run));
    assert_eq!(process.step_asleep(NOW, &mut Vec::new()), Some(Step::Migrate));
    assert_eq!(process.saved_state(), Some(state(2)));
}

#[test]
fn that_the_old_code_could_not_be_saved_says_nothing_about_the_new() {
    let refusals: [fn(&mut Process); 2] = [Process::save_refused, Process::save_postponed];
    for refuse in refusals {
        for before in [true, false] {
            let mut process = migrated();
            let _ = tell(&mut process, Signal::Evict(Want::Room));
            assert_eq!(step(&mut process), Step::Save);
            if before {
                refuse(&mut process);
            }
            let _ = tell(&mut process, resume(1, Verdict::Commit));
            if !before {
                refuse(&mut process);
            }
            assert_eq!(step(&mut process), Step::Discard);
            process.discarded();
            assert!(process.take_saved().is_some());
            // It has another instance, which nobody wants back.
            assert_eq!(step(&mut process), Step::Wait);
            while process.end_slice() == SliceEnd::Preempted {
                let _ = process.begin_slice();
            }
            assert!(process.is_evictable());
        }
    }
}

#[test]
fn it_tells_of_its_end_whoever_waits_for_it_and_nobody_else() {
    let end = |process: &mut Process| {
        let mut actions = Vec::new();
        process.exit(&ExitReason::Killed, &mut actions);
        news(actions)
    };
    assert_eq!(end(&mut up()), []);
    assert_eq!(end(&mut migrating()), [(1, News::Gone)]);
    assert_eq!(end(&mut migrated()), [(1, News::Gone)]);
    let mut process = up();
    let _ = tell(&mut process, suspend(4));
    assert_eq!(end(&mut process), [(4, News::Gone)]);
    let mut process = migrated();
    let _ = tell(&mut process, resume(1, Verdict::Commit));
    assert_eq!(end(&mut process), []);
    // Asked, and not there yet.
    let mut process = server(None);
    assert_eq!(step(&mut process), Step::Init);
    assert_eq!(tell(&mut process, suspend(4)), []);
    assert_eq!(end(&mut process), [(4, News::Gone)]);
    assert_eq!(process.deliver(suspend(5), NOW, &mut Vec::new()).outcome, Err(crate::signal::Undelivered::Gone));
}

#[test]
fn without_an_instance_it_asks_for_one_only_if_there_is_something_to_do() {
    let asleep = |process: &mut Process| process.step_asleep(NOW, &mut Vec::new());
    let mail = || Signal::Message(Event::Idle);
    // With an instance nobody asks.
    assert_eq!(asleep(&mut up()), None);
    let mut process = server(None);
    assert_eq!((process.is_new(), asleep(&mut process)), (true, None));
    let _ = tell(&mut process, suspend(1));
    assert_eq!(asleep(&mut process), Some(Step::Discard));

    let mut process = up();
    process.saved(state(1));
    assert_eq!((process.is_new(), asleep(&mut process)), (false, Some(Step::Wait)));
    let _ = tell(&mut process, mail());
    assert_eq!(asleep(&mut process), None);
    let _ = tell(&mut process, suspend(1));
    assert_eq!(asleep(&mut process), Some(Step::Wait));
    let _ = tell(&mut process, migrate(1));
    let _ = tell(&mut process, Signal::Kill);
    assert_eq!(asleep(&mut process), Some(Step::Exit(ExitReason::Killed)));
}

#[test]
fn a_task_takes_part_until_it_has_begun() {
    let task = |held| {
        let birth = Birth { kind: Kind::Task, held, ..birth() };
        Process::new(birth, NOW, &mut Vec::new())
    };
    assert_eq!(tell(&mut task(None), suspend(1)), [(1, stops(Mail::NotWaitedFor, false, false))]);
    let mut begun = task(None);
    assert_eq!(step(&mut begun), Step::Init);
    assert_eq!((tell(&mut begun, suspend(1)), begun.is_suspended()), (vec![(1, News::Gone)], false));
    assert_eq!(begun.doing(), "run");
    assert!(task(Some(3)).is_suspended());
}

#[test]
fn a_newborn_that_is_held_has_no_time_limit_until_it_is_let_go() {
    let mut actions = Vec::new();
    let birth = Birth { held: Some(3), ..birth() };
    let mut process = Process::new(birth.clone(), NOW, &mut actions);
    assert_eq!((actions.len(), process.is_suspended(), process.begin_slice()), (0, true, Turn::Nothing));
    let late = NOW + Duration::from_secs(1000);
    let _ = process.deliver(resume(3, Verdict::Commit), late, &mut actions);
    let at = late + birth.limits.init_timeout;
    assert!(matches!(actions[..], [Action::StartTimer { at: until, .. }] if until == at), "{actions:?}");
    // One that is stopped before it begins, likewise.
    actions.clear();
    assert_eq!(process.deliver(suspend(4), late, &mut actions).outcome, Ok(()));
    assert!(matches!(actions[..], [Action::CancelTimer { at: until, .. }, Action::Tell { .. }] if until == at));
}

#[test]
fn it_says_what_it_is_in_the_middle_of() {
    let mut process = server(None);
    assert_eq!(step(&mut process), Step::Init);
    assert_eq!(process.doing(), "init");
    assert_eq!(process.started(Start::Ready(Next::Wait), NOW, &mut Vec::new()), None);
    assert_eq!(process.doing(), "message");
    let _ = tell(&mut process, Signal::Message(Event::Cast(Body::Raw(Vec::new()))));
    assert!(matches!(step(&mut process), Step::Handle { .. }));
    assert_eq!(process.doing(), "cast");
    // Also when it has asked for another and there is none.
    assert_eq!(process.more(None, NOW, &mut Vec::new()), More::Wait);
    assert_eq!((process.doing(), process.handling()), ("message", None));
    let _ = tell(&mut process, Signal::Evict(crate::Want::Room));
    assert_eq!(process.poll_more(NOW, &mut Vec::new()), More::Return);
    assert_eq!((process.doing(), process.handling()), ("cast", Some("cast")));
    process.handled(Outcome { reply: None, next: Next::Stop(ExitReason::Normal) }, NOW, &mut Vec::new());
    assert_eq!(step(&mut process), Step::Terminate(ExitReason::Normal));
    assert_eq!(process.doing(), "terminate");
    // Also where an event led to its end, of which that is told afterwards.
    let mut process = up();
    let _ = tell(&mut process, Signal::Message(Event::Cast(Body::Raw(Vec::new()))));
    assert!(matches!(step(&mut process), Step::Handle { .. }));
    process.failed(ExitReason::failed("no"));
    assert_eq!(step(&mut process), Step::Terminate(ExitReason::failed("no")));
    assert_eq!((process.doing(), process.handling()), ("terminate", Some("cast")));
}
