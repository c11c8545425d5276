//! The end of a process: who hears of it, and in which order.

use super::lifecycle::Plan;
use super::{Awaited, Phase, Process};
use crate::{Action, Caller, ExitReason, Signal, SpawnError};

impl Process {
    /// The end begins: from now on nobody finds it, by name, by key or by pid. To be performed before [`Process::exit`]:
    /// whoever is told that there is no such process must not find its name either (PROC-09). What still reaches it
    /// meanwhile is answered by its end.
    pub fn vanish(&mut self, reason: &ExitReason, actions: &mut Vec<Action>) {
        if self.is_gone() {
            return;
        }
        self.doomed.get_or_insert_with(|| reason.clone());
        if let Some(name) = self.name.take() {
            actions.push(Action::ReleaseName(*name));
        }
        self.give_up_holdings(actions);
        actions.push(Action::Remove);
    }

    /// The end of a process that has vanished: everybody hears of it, and its mail is lost (MBX-06).
    pub fn exit(&mut self, reason: &ExitReason, actions: &mut Vec<Action>) {
        if self.is_gone() {
            return;
        }
        self.phase = Phase::Gone;
        self.leave_upgrade(actions);
        self.leave_system(actions);
        self.doomed = None;
        self.saved = None;
        let starter = self.affairs.beginning.as_mut().and_then(|beginning| beginning.starter.take());
        if let Some(starter) = starter {
            self.tell_starter(starter, reason, actions);
        }
        self.cancel_all_timers(actions);
        self.abandon_requests(actions);
        self.farewell(reason, actions);
        // Only now, because it knew of timers. Whoever looks at the process after its end finds nothing to do.
        self.affairs.plan = Plan::nothing();
        self.mailbox = crate::mailbox::Mailbox::default();
        // Last, and before anybody hears of it: whoever starts another one in its place finds room for all of it.
        self.account.close();
    }

    /// A start that failed is an answer, and no exit signal or `Down` besides (GS-02).
    fn tell_starter(&mut self, starter: Caller, reason: &ExitReason, actions: &mut Vec<Action>) {
        let error = if self.affairs.plan.ignored { SpawnError::Ignored } else { SpawnError::Failed(reason.clone()) };
        let signal = Signal::Started { mark: starter.mark, outcome: Err(error) };
        actions.push(Action::Deliver { to: starter.pid, signal });
        self.links.remove(&starter.pid);
        // Not what it has asked for besides, knowing the name: that is answered like anybody's.
        let Some(beginning) = self.affairs.beginning.take() else { return };
        let of_the_spawn = beginning.monitor.map(|mark| (starter.pid, mark));
        self.affairs.watchers.retain(|watcher| Some((watcher.pid, watcher.mark)) != of_the_spawn);
        if let Some(Awaited { by, mark, .. }) = beginning.awaited {
            self.links.remove(&by);
            self.forget_watcher(by, mark);
        }
    }
}
