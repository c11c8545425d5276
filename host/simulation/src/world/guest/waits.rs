//! What a guest waits for in the middle of a host function.

use skep_kernel::Limits;
use skep_kernel::process::Received;

use super::*;
use crate::account::Question;

impl World {
    /// Why a guest that asks the host for something goes no further.
    pub(in crate::world) fn refused_entry(&mut self, pid: Pid) -> Option<ExitReason> {
        let process = &self.cell(pid).process;
        match process.doom() {
            Some(reason) => Some(reason.clone()),
            None if is_overfull(process) => Some(ExitReason::limit("mailbox")),
            None => None,
        }
    }

    pub(super) fn poll_call(&mut self, lane: usize, pid: Pid, mark: Mark, script: Script) -> Flow {
        if let Some(reason) = self.refused_entry(pid) {
            return self.ends(lane, pid, reason);
        }
        let about = self.cell(pid).account.calls.get(&mark).map(|asked| asked.about);
        match self.cell(pid).process.poll_call(mark) {
            None => self.yields(pid, Doing::WaitsForAnswer(mark, script)),
            Some(outcome) => {
                self.sees_outcome(pid, mark, &outcome);
                if let (Some(Question::Lock(lock)), Err(_)) = (about, &outcome) {
                    self.unlock(lane, pid, lock);
                }
                self.goes_on(pid, Doing::Runs(script))
            }
        }
    }

    pub(super) fn poll_spawn(&mut self, lane: usize, pid: Pid, mark: Mark, script: Script) -> Flow {
        if let Some(reason) = self.refused_entry(pid) {
            return self.ends(lane, pid, reason);
        }
        match self.cell(pid).process.poll_spawn(mark) {
            None => self.yields(pid, Doing::WaitsForChild(mark, script)),
            Some(_) => self.goes_on(pid, Doing::Runs(script)),
        }
    }

    /// Done with its event, it waits for another.
    pub(super) fn poll_more(&mut self, lane: usize, pid: Pid, script: Script) -> Flow {
        if let Some(reason) = self.refused_entry(pid) {
            return self.ends(lane, pid, reason);
        }
        let more = self.transition(lane, pid, Process::poll_more);
        self.goes_on_with(lane, pid, more, script)
    }

    pub(super) fn poll_receive(&mut self, lane: usize, pid: Pid, script: Script) -> Flow {
        if let Some(reason) = self.refused_entry(pid) {
            return self.ends(lane, pid, reason);
        }
        match self.transition(lane, pid, |process, _, actions| process.poll_receive(actions)) {
            Received::NotYet => self.yields(pid, Doing::Receives(script)),
            Received::Nothing => self.goes_on(pid, Doing::Runs(script)),
            Received::Seen(..) => unreachable!("nobody looks before it takes"),
            Received::Event(event) => {
                self.note(|world| format!("{} receives {event:?}", world.name_of(pid)));
                if let skep_kernel::Event::Exit { pid: of, .. } = &event {
                    let cell = self.cell(pid);
                    cell.account.knows_of_its_parent |= cell.parent == Some(*of);
                }
                self.hands(lane, pid, &event);
                self.goes_on(pid, Doing::Runs(script))
            }
        }
    }
}

/// Whether a mailbox holds more than all limits together let come about by themselves.
fn is_overfull(process: &Process) -> bool {
    let Limits { mailbox_messages, links, monitors, aliases, requests, timers, .. } = **process.limits();
    let most =
        [mailbox_messages, links, monitors, aliases, requests, timers].into_iter().fold(0, usize::saturating_add);
    process.mailbox().len() > most
}
