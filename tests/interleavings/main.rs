//! The way of signals through the runtime, under orders of the threads' steps that a scheduler draws: no wake-up is lost, no
//! process is on two workers, nobody waits for ever for his turn, mail of one sender stays in order, whoever hears of an end finds nobody any more, and a queue
//! that is closed lets its workers go. Each of these is shown to fail on a defect planted for it.
//!
//! What is tried are the runtime's own files, on other primitives (`sync`) and with other guests (`shell`). All atomics are
//! taken to be sequentially consistent: what a weaker order could do is not tried.

#[path = "../../host/runtime/src/shell/outbox.rs"]
mod outbox;
#[path = "../../host/runtime/src/shell/pairs.rs"]
mod pairs;
#[path = "../../host/runtime/src/shell/post.rs"]
mod post;
#[path = "../../host/runtime/src/shell/queue.rs"]
mod queue;
#[allow(dead_code, reason = "for whoever looks from outside")]
#[path = "../../host/runtime/src/shell/table.rs"]
mod table;
#[path = "../../host/runtime/src/shell/turns.rs"]
mod turns;
#[path = "../../host/runtime/src/shell/way.rs"]
mod way;

mod ends;
mod fair;
mod links;
mod mail;
mod runs;
mod shell;
mod sync;

use std::panic::{AssertUnwindSafe, catch_unwind};

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

use ends::end_at_any_time;
use fair::{compute_beside_others, play_beside_others};
use links::cross_links;
use mail::{close_at_any_time, run_to_the_end};
use runs::write_in_a_row;
pub(crate) use shell::{App, Cell, Shell};
use sync::Defect;
pub(crate) use way::Way;

/// Orders that are tried of each kind.
const ORDERS: usize = 1_500;

/// What a scenario came to; the text of the panic if it did not hold.
fn explore(defect: Option<Defect>, scenario: fn()) -> Result<(), String> {
    sync::plant(defect);
    let mut config = Config::new();
    // A process's state machine needs more than the default in a build without optimisation.
    config.stack_size = 1 << 20;
    config.silence_warnings = true;
    let explored = catch_unwind(AssertUnwindSafe(|| {
        Runner::new(RandomScheduler::new(ORDERS), config.clone()).run(scenario);
        Runner::new(PctScheduler::new(3, ORDERS), config).run(scenario);
    }));
    sync::plant(None);
    explored.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// A defect is noticed, in one of these ways: which of them comes first depends on the orders that are tried.
#[track_caller]
fn fails(defect: Defect, scenario: fn(), how: &[&str]) {
    let failed = explore(Some(defect), scenario).expect_err("the defect is not noticed");
    assert!(how.iter().any(|how| failed.contains(how)), "{failed}");
}

#[test]
fn mail_arrives_once_and_in_order_and_every_process_has_its_turn() {
    assert_eq!(explore(None, run_to_the_end), Ok(()));
}

#[test]
fn a_queue_that_is_closed_lets_its_workers_go_whatever_they_do() {
    assert_eq!(explore(None, close_at_any_time), Ok(()));
}

#[test]
fn two_that_wake_each_other_let_others_have_their_turn() {
    assert_eq!(explore(None, play_beside_others), Ok(()));
}

#[test]
fn those_who_compute_hold_nobody_up_and_are_not_held_up() {
    assert_eq!(explore(None, compute_beside_others), Ok(()));
}

#[test]
fn links_and_unlinks_that_cross_leave_no_half_link() {
    assert_eq!(explore(None, cross_links), Ok(()));
}

#[test]
fn whoever_hears_of_an_end_finds_nobody_any_more() {
    assert_eq!(explore(None, end_at_any_time), Ok(()));
}

#[test]
fn messages_in_a_row_keep_their_order_and_none_stays_behind() {
    assert_eq!(explore(None, write_in_a_row), Ok(()));
}

#[test]
fn a_signal_that_leaves_past_what_was_collected_is_noticed() {
    fails(Defect::PastTheOutbox, write_in_a_row, &["overtook"]);
}

#[test]
fn a_turn_that_leaves_something_behind_is_noticed() {
    fails(Defect::KeepOutbox, write_in_a_row, &["deadlock"]);
}

#[test]
fn a_bell_that_does_not_ring_is_noticed() {
    fails(Defect::DeafBell, run_to_the_end, &["deadlock"]);
}

#[test]
fn a_push_that_does_not_look_for_sleepers_is_noticed() {
    fails(Defect::BlindPush, run_to_the_end, &["deadlock"]);
}

#[test]
fn a_sleeper_that_does_not_look_again_is_noticed() {
    fails(Defect::BlindSleep, run_to_the_end, &["deadlock"]);
}

#[test]
fn a_process_that_was_stirred_and_not_queued_again_is_noticed() {
    fails(Defect::ForgetStirred, run_to_the_end, &["deadlock"]);
}

#[test]
fn a_process_that_forgets_that_it_was_stirred_is_noticed() {
    fails(Defect::DropStirred, run_to_the_end, &["deadlock"]);
}

#[test]
fn a_worker_that_leaves_a_process_before_its_turn_is_over_is_noticed() {
    fails(Defect::LeaveEarly, run_to_the_end, &["on two workers", "deadlock"]);
}

#[test]
fn a_process_that_is_queued_twice_is_noticed() {
    fails(Defect::QueueTwice, run_to_the_end, &["on two workers"]);
}

#[test]
fn mail_that_is_overtaken_is_noticed() {
    fails(Defect::Overtake, run_to_the_end, &["out of order"]);
}

#[test]
fn a_close_that_rings_no_bell_is_noticed() {
    fails(Defect::SilentClose, close_at_any_time, &["deadlock"]);
}

#[test]
fn pairs_that_are_not_locked_are_noticed() {
    fails(Defect::NoPairs, cross_links, &["half a link"]);
}

#[test]
fn an_end_that_is_told_before_nobody_is_found_is_noticed() {
    fails(Defect::TellFirst, end_at_any_time, &["after its end"]);
}

#[test]
fn a_pid_that_is_given_twice_is_noticed() {
    fails(Defect::CountTwice, end_at_any_time, &["a pid was given twice"]);
}

#[test]
fn a_process_that_stays_in_the_table_is_noticed() {
    fails(Defect::KeepEntry, end_at_any_time, &["can be found after its end"]);
}

#[test]
fn a_process_that_does_not_see_its_exit_signal_is_noticed() {
    fails(Defect::ForgetDoom, end_at_any_time, &["goes on after its end was sent"]);
}
