//! System messages: what the operator asks of servers, and what is answered; as in `operators.rs` and `serve.rs` of the
//! shell.

use skep_kernel::system::{CallbackFailed, SystemAnswer, SystemError, SystemId, SystemRequest};
use skep_kernel::{Signal, State};

use super::guest::Doing;
use super::*;

/// Requests that have no answer yet.
#[derive(Default)]
pub(super) struct Asked {
    given: SystemId,
    open: BTreeMap<SystemId, Request>,
}

struct Request {
    to: Pid,
    what: What,
}

/// What is expected of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Suspend,
    /// A suspension that may be over before it is answered.
    Overtaken,
    /// An answer, or none, since nobody waits for it any more.
    Withdrawn {
        suspends: bool,
    },
    Other,
}

impl World {
    /// The operator asks a process for something, or takes that back.
    pub(super) fn ask_by_system_message(&mut self, lane: usize, to: Pid) {
        let open: Vec<SystemId> = self.system.open.keys().copied().collect();
        if !open.is_empty() && self.dice.one_in(6) {
            let id = self.dice.pick(&open);
            let Some(request) = self.system.open.get_mut(&id) else { return };
            let suspends = matches!(request.what, What::Suspend | What::Withdrawn { suspends: true });
            request.what = What::Withdrawn { suspends };
            let to = request.to;
            let _ = self.hand_over(lane, to, Signal::Withdraw { id });
            return;
        }
        let request = match self.dice.below(10) {
            0..=2 => SystemRequest::Suspend,
            3..=5 => SystemRequest::Resume,
            6 | 7 => SystemRequest::GetState,
            8 => SystemRequest::ReplaceState,
            _ => SystemRequest::Terminate(ExitReason::failed("ordered")),
        };
        self.ask_system(lane, to, request);
    }

    fn ask_system(&mut self, lane: usize, to: Pid, request: SystemRequest) {
        self.system.given += 1;
        let id = self.system.given;
        let what = match request {
            SystemRequest::Suspend => What::Suspend,
            SystemRequest::Resume => {
                for request in self.system.open.values_mut() {
                    match (request.to == to, request.what) {
                        (true, What::Suspend) => request.what = What::Overtaken,
                        (true, What::Withdrawn { .. }) => request.what = What::Withdrawn { suspends: false },
                        _ => {}
                    }
                }
                if let Some(cell) = self.cells.get_mut(&to.id) {
                    cell.account.held = false;
                }
                What::Other
            }
            _ => What::Other,
        };
        self.system.open.insert(id, Request { to, what });
        if self.hand_over(lane, to, Signal::System { id, request }).is_err() {
            self.system.open.remove(&id);
        }
    }

    /// Everybody who was suspended goes on.
    pub(super) fn release_everybody(&mut self, lane: usize) {
        let held: Pids = self.cells.values().filter(|cell| cell.process.is_held()).map(|cell| cell.pid).collect();
        for pid in held {
            self.ask_system(lane, pid, SystemRequest::Resume);
        }
    }

    /// A process answers.
    pub(super) fn inform(&mut self, id: SystemId, by: Pid, answer: &Result<SystemAnswer, SystemError>) {
        self.note(|world| format!("{} answers request {id}: {answer:?}", world.name_of(by)));
        if self.strikes(Bug::ForgetAnswer) {
            return;
        }
        self.figures.answers += 1;
        let Some(request) = self.system.open.remove(&id) else {
            return self.violated(Invariant::Requests, format!("{by} answers request {id} again"));
        };
        // One that has begun stays, also when nobody waits for it any more: as in OTP.
        let suspends = matches!(request.what, What::Suspend | What::Withdrawn { suspends: true });
        if !suspends || *answer != Ok(SystemAnswer::Done) {
            return;
        }
        if let Some(cell) = self.cells.get_mut(&by.id) {
            cell.account.held = cell.process.status() != "stopping";
        }
        if self.strikes(Bug::IgnoreSuspension)
            && let Some(cell) = self.cells.get_mut(&by.id)
        {
            let resume = Signal::System { id: 0, request: SystemRequest::Resume };
            let delivery = cell.process.deliver(resume, self.now, &mut Vec::new());
            if delivery.wake {
                self.schedule(by);
            }
        }
    }

    /// A server ends by its parent's order, which was not the first of its mail: as only a suspended one does, although the
    /// operator may not have been told yet that it is.
    pub(super) fn picks_out_an_order(&mut self, pid: Pid) {
        let is_asked = |request: &Request| request.to == pid && request.what != What::Other;
        let may = self.system.open.values().any(is_asked);
        let account = &mut self.cell(pid).account;
        if !std::mem::replace(&mut account.held, true) && !may {
            self.violated(Invariant::Mail, format!("{pid} picks an order out of its mail"));
        }
    }

    /// Whoever asked a process that is gone has been told so.
    pub(super) fn audit_answers(&mut self) {
        let lost = |(_, request): &(&SystemId, &Request)| {
            !matches!(request.what, What::Withdrawn { .. }) && !self.is_alive(request.to)
        };
        if let Some((id, request)) = self.system.open.iter().find(lost) {
            let why = format!("request {id} to {} is not answered", request.to);
            self.violated(Invariant::Requests, why);
        }
    }

    /// A live instance tells its state.
    pub(super) fn tell_state(&mut self, lane: usize, pid: Pid, id: SystemId, state: State) -> Flow {
        let fails =
            |text: &str| CallbackFailed { step: "save", reason: ExitReason::failed(text), trace: String::new() };
        let (told, traps) = match self.dice.below(12) {
            0 => (Err(fails("refuses")), false),
            1 if self.has(Feature::Crashes) => (Err(fails("traps")), true),
            _ => (Ok(state), false),
        };
        self.transition(lane, pid, |process, now, actions| process.state_told(id, told, now, actions));
        if traps { self.traps(lane, pid) } else { Flow::On }
    }

    /// A state is replaced, in an instance of its own. True if there was no room for that now.
    pub(super) fn replace_state(&mut self, lane: usize, pid: Pid, id: SystemId, present: State) -> bool {
        if self.dice.one_in(8) {
            self.transition(lane, pid, |process, now, actions| process.replacement_postponed(id, now, actions));
            return true;
        }
        let refused = || CallbackFailed { step: "restore", reason: ExitReason::failed("no"), trace: String::new() };
        let after = if self.dice.one_in(4) { Err(refused()) } else { Ok(present) };
        self.transition(lane, pid, |process, now, actions| process.state_replaced(id, after, now, actions));
        false
    }

    /// What a driver is to do about a state that is to be replaced.
    pub(super) fn begin_replacement(&mut self, pid: Pid, id: SystemId, present: State) -> Flow {
        let left = self.dice.below(4);
        self.goes_on(pid, Doing::Replaces { id, present, left })
    }
}
