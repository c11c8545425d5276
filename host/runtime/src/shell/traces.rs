//! Processes that somebody looks at while they work: who looks, and what he is shown.
//!
//! Costs one load of a number where nobody looks at anybody. What looks is a function of the embedding program: one that
//! panics is removed and harms nobody (SYS-04). Events of one process are shown in the order in which it handles them.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use skep_kernel::{Body, Event, ExitReason, Name, Next, Outcome, Pid};

use crate::system::{Handled, Traced};

/// Functions on one process at most.
const LOOKERS: usize = 16;
/// Processes looked at, at most.
const LOOKED_AT: usize = 1_024;

/// Shown what a process does. False: it has seen enough.
pub(crate) type Look = Box<dyn FnMut(&Traced) -> bool + Send>;

/// Who is looked at.
#[derive(Default)]
pub(crate) struct Traces {
    /// How many processes, to be looked at without the lock.
    active: AtomicUsize,
    by_pid: Mutex<HashMap<Pid, Arc<Mutex<Looked>>>>,
}

#[derive(Default)]
struct Looked {
    lookers: Vec<(Name, Look)>,
    /// What it is handling, and since when.
    current: Option<(&'static str, Option<Body>, Instant)>,
}

/// Why nobody was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotInstalled {
    /// There is one of this name.
    Installed,
    TooMany,
}

impl Traces {
    /// Adds a function, unless there is one of this name.
    pub(crate) fn install(&self, pid: Pid, id: Name, look: Look) -> Result<(), NotInstalled> {
        let mut by_pid = self.by_pid.lock();
        if by_pid.len() >= LOOKED_AT && !by_pid.contains_key(&pid) {
            return Err(NotInstalled::TooMany);
        }
        let looked = Arc::clone(by_pid.entry(pid).or_default());
        self.active.store(by_pid.len(), Ordering::SeqCst);
        // Not in the other order anywhere: who holds a process's entry does not ask for the table.
        let mut looked = looked.lock();
        if looked.lookers.iter().any(|(known, _)| *known == id) {
            return Err(NotInstalled::Installed);
        }
        if looked.lookers.len() >= LOOKERS {
            return Err(NotInstalled::TooMany);
        }
        looked.lookers.push((id, look));
        Ok(())
    }

    /// Removes a function. False if there is none of this name.
    pub(crate) fn remove(&self, pid: Pid, id: &str) -> bool {
        let Some(looked) = self.of(pid) else { return false };
        let removed = {
            let mut looked = looked.lock();
            let before = looked.lookers.len();
            looked.lookers.retain(|(known, _)| **known != *id);
            before != looked.lookers.len()
        };
        self.forget_if_unseen(pid);
        removed
    }

    fn of(&self, pid: Pid) -> Option<Arc<Mutex<Looked>>> {
        if self.active.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.by_pid.lock().get(&pid).cloned()
    }

    fn forget_if_unseen(&self, pid: Pid) {
        let mut by_pid = self.by_pid.lock();
        if by_pid.get(&pid).is_some_and(|looked| looked.lock().lookers.is_empty()) {
            by_pid.remove(&pid);
            self.active.store(by_pid.len(), Ordering::SeqCst);
        }
    }

    /// A process is handed an event.
    pub(super) fn begins(&self, pid: Pid, event: &Event) {
        if let Some(looked) = self.of(pid) {
            looked.lock().current = Some((event.kind(), event.body().cloned(), Instant::now()));
        }
    }

    /// It has handled it.
    pub(super) fn handled(&self, pid: Pid, outcome: &Outcome) {
        let next = match &outcome.next {
            Next::Wait => "wait",
            Next::WaitFor(_) => "idle",
            Next::Hibernate => "hibernate",
            Next::Continue(_) => "continue",
            Next::Stop(_) => "stop",
        };
        self.ends(pid, || Handled::Done { reply: outcome.reply.clone(), next });
    }

    /// It has handled it, and asks for another within the same turn.
    pub(super) fn replied(&self, pid: Pid, reply: Option<&Body>) {
        self.ends(pid, || Handled::Done { reply: reply.cloned(), next: "wait" });
    }

    /// It has failed to.
    pub(super) fn failed(&self, pid: Pid, reason: &ExitReason) {
        self.ends(pid, || Handled::Failed(reason.clone()));
    }

    fn ends(&self, pid: Pid, outcome: impl FnOnce() -> Handled) {
        let Some(looked) = self.of(pid) else { return };
        let mut looked = looked.lock();
        // Whoever began to look in the middle of it has not seen the beginning.
        let Some((kind, body, since)) = looked.current.take() else { return };
        looked.show(&Traced { kind, body, took: since.elapsed(), outcome: outcome() });
        let unseen = looked.lookers.is_empty();
        drop(looked);
        if unseen {
            self.forget_if_unseen(pid);
        }
    }

    /// It has ended, and nobody looks any more.
    pub(super) fn gone(&self, pid: Pid, reason: &ExitReason) {
        let Some(looked) = self.of(pid) else { return };
        {
            let mut by_pid = self.by_pid.lock();
            by_pid.remove(&pid);
            self.active.store(by_pid.len(), Ordering::SeqCst);
        }
        let mut looked = looked.lock();
        let (kind, body, since) = looked.current.take().unwrap_or(("", None, Instant::now()));
        looked.show(&Traced { kind, body, took: since.elapsed(), outcome: Handled::Ended(reason.clone()) });
        looked.lookers.clear();
    }
}

impl Looked {
    fn show(&mut self, traced: &Traced) {
        self.lookers.retain_mut(|(_, look)| catch_unwind(AssertUnwindSafe(|| look(traced))).unwrap_or(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PID: Pid = Pid { node: 0, id: 1, tag: 2 };

    /// Handles one event in front of everybody.
    fn work(traces: &Traces, text: &str) {
        traces.begins(PID, &Event::Info(Body::Text(text.into())));
        traces.handled(PID, &Outcome { reply: None, next: Next::Wait });
    }

    fn noting(seen: &Arc<Mutex<Vec<String>>>) -> Look {
        let seen = Arc::clone(seen);
        Box::new(move |traced| {
            seen.lock().push(format!("{} {:?} {:?}", traced.kind, traced.body, traced.outcome));
            true
        })
    }

    #[test]
    fn sys_04_who_looks_is_added_once_and_removed_and_one_that_panics_harms_nobody() {
        let (traces, seen) = (Traces::default(), Arc::<Mutex<Vec<String>>>::default());
        work(&traces, "unseen");
        assert_eq!(traces.install(PID, "note".into(), noting(&seen)), Ok(()));
        assert_eq!(traces.install(PID, "note".into(), noting(&seen)), Err(NotInstalled::Installed));
        assert_eq!(traces.install(PID, "bad".into(), Box::new(|_| panic!("as it was told"))), Ok(()));
        work(&traces, "one");
        assert!(!traces.remove(PID, "bad"), "it has been removed already");
        work(&traces, "two");
        assert!(traces.remove(PID, "note"));
        work(&traces, "unseen");
        let expected =
            ["one", "two"].map(|text| format!("info Some(Text({text:?})) Done {{ reply: None, next: \"wait\" }}"));
        assert_eq!(*seen.lock(), expected);
        assert_eq!(
            (traces.active.load(Ordering::SeqCst), traces.by_pid.lock().len()),
            (0, 0),
            "it costs nothing again"
        );
    }

    #[test]
    fn sys_04_who_has_seen_enough_or_all_looks_no_more() {
        let (traces, seen) = (Traces::default(), Arc::<Mutex<Vec<String>>>::default());
        assert_eq!(traces.install(PID, "once".into(), Box::new(|_| false)), Ok(()));
        work(&traces, "one");
        assert_eq!(traces.active.load(Ordering::SeqCst), 0);
        assert_eq!(traces.install(PID, "note".into(), noting(&seen)), Ok(()));
        traces.begins(PID, &Event::Idle);
        traces.gone(PID, &ExitReason::Killed);
        assert_eq!(*seen.lock(), ["idle None Ended(Killed)"]);
        assert_eq!(traces.active.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn sys_04_those_who_look_are_bounded() {
        let traces = Traces::default();
        for number in 0..LOOKERS {
            assert_eq!(traces.install(PID, number.to_string().into(), Box::new(|_| true)), Ok(()));
        }
        assert_eq!(traces.install(PID, "more".into(), Box::new(|_| true)), Err(NotInstalled::TooMany));
        for id in 2..=LOOKED_AT as u64 {
            assert_eq!(traces.install(Pid { id, ..PID }, "one".into(), Box::new(|_| true)), Ok(()));
        }
        assert_eq!(traces.install(Pid { id: 0, ..PID }, "one".into(), Box::new(|_| true)), Err(NotInstalled::TooMany));
    }
}
