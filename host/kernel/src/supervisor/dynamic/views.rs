//! What a dynamic supervisor shows of its children.

use super::children::{Child, Policy, State, Why};
use super::*;

impl<S: Clone, A> DynamicSupervisor<S, A> {
    /// The children, in the order in which they were asked for, each with what its next start is made from.
    pub(in crate::supervisor) fn children(&self) -> Vec<(ChildView, Option<S>)> {
        let view = |child: &Child<S, A>| {
            let (status, restart_at) = match *child.state() {
                State::Starting { why: Why::Asked(_), .. } => (ChildStatus::Starting, None),
                State::Starting { why: Why::Restart { .. }, .. } => (ChildStatus::Restarting, None),
                State::Running(pid) => (ChildStatus::Running(pid), None),
                State::Retrying { at, .. } => (ChildStatus::Restarting, at),
                State::Stopping { pid, .. } => (ChildStatus::Stopping(pid), None),
            };
            let Policy { restart, kind, .. } = self.policy(child);
            ChildView { id: child.id.clone(), status, kind, restart, restarts: child.restarts, restart_at }
        };
        self.children.iter().map(|(_, child)| (view(child), child.start.clone())).collect()
    }

    /// The children, in the order in which they were asked for, for listings.
    #[must_use]
    pub fn view(&self) -> Vec<ChildView> {
        self.children().into_iter().map(|(view, _)| view).collect()
    }

    /// How many children there are. With a template, that is the one spec.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let all = self.children.len();
        let supervisors = match &self.template {
            Some(template) if template.kind == ChildKind::Supervisor => all,
            Some(_) => 0,
            None => self.children.iter().filter(|(_, child)| self.policy(child).kind == ChildKind::Supervisor).count(),
        };
        let specs = if self.template.is_some() { 1 } else { all };
        Counts { specs, active: self.children.active(), supervisors, workers: all - supervisors }
    }

    /// How many restarts there have been, failed tries included.
    #[must_use]
    pub fn restarts_total(&self) -> u64 {
        self.restarts_total
    }
}
