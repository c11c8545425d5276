//! What is noted of a supervisor, and compared with what it does: in which order it starts and stops, how often it
//! restarts, and that it answers each request once.

use skep_kernel::supervisor::{Report, Roster, Strategy, SupervisorSpec};

use super::{Blueprint, Overseer};
use crate::account::wrong;
use crate::world::*;

/// What is noted of a supervisor, to be compared with what it does.
pub(super) struct Book {
    pub(super) strategy: Strategy,
    max_restarts: usize,
    max_seconds: u64,
    /// The seconds in which it restarted somebody.
    restarts: Vec<u64>,
    /// Who is being terminated by request.
    pub(super) terminated: Ids,
    /// Requests without an answer; with the new spec, if it is one for that.
    pub(super) open: BTreeMap<u64, Option<Arc<SupervisorSpec<Blueprint>>>>,
    /// The request for the termination of each child.
    pub(super) terminations: BTreeMap<u64, Name>,
}

impl Book {
    pub(super) fn new(spec: &SupervisorSpec<Blueprint>) -> Self {
        Book {
            strategy: spec.strategy,
            max_restarts: spec.max_restarts as usize,
            max_seconds: spec.max_seconds.into(),
            restarts: Vec::new(),
            terminated: Ids::new(),
            open: BTreeMap::new(),
            terminations: BTreeMap::new(),
        }
    }
}

impl Overseer {
    /// Whether a request has no answer though nothing is under way.
    pub(in crate::world) fn owes_answers(&self) -> bool {
        let settled = self.machine.view().iter().all(|child| {
            use skep_kernel::supervisor::ChildStatus::{Running, Stopped};
            matches!(child.status, Running(_) | Stopped)
        });
        settled && self.orders.is_empty() && self.asked.is_empty() && !self.book.open.is_empty()
    }
}

impl World {
    /// Children of a supervisor that live, in the order in which they are listed.
    pub(super) fn children(&mut self, pid: Pid) -> Vec<(Name, Pid)> {
        let ids: Vec<Name> = self.overseer(pid).machine.view().into_iter().map(|child| child.id).collect();
        let mut children: Vec<(usize, Name, Pid)> = Vec::new();
        for cell in self.cells.values().filter(|cell| cell.parent == Some(pid) && !cell.process.is_gone()) {
            let Some(label) = &cell.label else { continue };
            if let Some(place) = ids.iter().position(|id| id == label) {
                children.push((place, Arc::clone(label), cell.pid));
            }
        }
        children.sort_unstable_by_key(|(place, _, _)| *place);
        children.into_iter().map(|(_, label, pid)| (label, pid)).collect()
    }

    pub(super) fn first_child(&mut self, pid: Pid) -> Option<Pid> {
        let children = self.children(pid);
        // Of one that is terminated by request nothing is expected.
        let overseer = self.overseer(pid);
        (children.len() > 1 && overseer.book.terminations.is_empty()).then(|| children[0].1)
    }

    /// Another child in its turn that has not told that it is up.
    pub(super) fn starting_sibling(&mut self, parent: Pid, id: &str) -> Option<Name> {
        let children = self.children(parent);
        children.into_iter().map_while(|(label, pid)| (&*label != id).then_some((label, pid))).find_map(
            |(label, pid)| {
                let cell = &self.cells[&pid.id];
                (cell.in_turn && !cell.ready).then_some(label)
            },
        )
    }

    /// SUP-01: whoever comes before it is up when a child's `init` begins.
    pub(in crate::world) fn check_start_order(&mut self, pid: Pid) {
        let cell = &self.cells[&pid.id];
        let (Some(parent), Some(label)) = (cell.parent, cell.label.clone()) else { return };
        let is_supervised = self.cells.get(&parent.id).is_some_and(|cell| matches!(cell.content, Content::Overseer(_)));
        if !cell.in_turn || !is_supervised {
            return;
        }
        if let Some(sibling) = self.starting_sibling(parent, &label) {
            self.violated(Invariant::StartOrder, format!("{label} of {parent} begins while {sibling} starts"));
        }
    }

    /// SUP-01: whoever comes after it is down when a child is told to end, unless somebody asked for that.
    pub(super) fn check_stop_order(&mut self, parent: Pid, child: Pid) {
        let Some(label) = self.cells.get(&child.id).and_then(|cell| cell.label.clone()) else { return };
        // Those that come and go stop together (DSUP-03).
        let are_in_order = matches!(self.overseer(parent).machine.roster(), Roster::Listed);
        if !are_in_order || self.overseer(parent).book.terminated.contains(&label) {
            return;
        }
        let later = self.children(parent).into_iter().skip_while(|(_, pid)| *pid != child).nth(1);
        if let Some((other, pid)) = later {
            self.violated(Invariant::StopOrder, format!("{label}{child} is told to end before {other}{pid}"));
        }
    }

    /// A supervisor ends in order.
    pub(super) fn check_nobody_is_left(&mut self, pid: Pid) {
        if let Some((label, child)) = self.children(pid).into_iter().next() {
            self.violated(Invariant::Orphans, format!("{pid} ends while {label}{child} lives"));
        }
    }

    pub(super) fn reported(&mut self, pid: Pid, report: &Report) {
        let overseer = self.overseer(pid);
        let second = overseer.told_at.as_secs();
        let book = &mut overseer.book;
        let oldest = second.saturating_sub(book.max_seconds);
        if let Report::Restarting { .. } | Report::GaveUp { .. } = report {
            // What is too old is forgotten for good, also should the window become longer (HOT-17).
            book.restarts.retain(|restart| *restart >= oldest);
        }
        let before = book.restarts.len();
        let (most, window) = (book.max_restarts, book.max_seconds);
        match report {
            Report::Restarting { .. } => {
                book.restarts.push(second);
                self.figures.restarts += 1;
                if before >= most {
                    let why = format!("{pid} restarts once more than {most} times in {window} s");
                    self.violated(Invariant::Intensity, why);
                }
            }
            Report::GaveUp { .. } => {
                self.figures.gave_up += 1;
                if before < most {
                    self.violated(Invariant::Intensity, format!("{pid} gives up after {before} restarts of {most}"));
                }
            }
            _ => {}
        }
    }

    pub(super) fn replied(&mut self, pid: Pid, ask: u64, is_done: bool, is_stopping: bool) {
        let book = &mut self.overseer(pid).book;
        if let Some(id) = book.terminations.remove(&ask)
            && !book.terminations.values().any(|other| *other == id)
        {
            book.terminated.remove(&id);
        }
        let result = match book.open.remove(&ask) {
            None => wrong(Invariant::Requests, format!("request {ask} is answered again")),
            Some(Some(spec)) if is_done && !is_stopping => {
                book.strategy = spec.strategy;
                (book.max_restarts, book.max_seconds) = (spec.max_restarts as usize, spec.max_seconds.into());
                Ok(())
            }
            Some(_) => Ok(()),
        };
        self.figures.requests += 1;
        self.check(pid, result);
    }
}
