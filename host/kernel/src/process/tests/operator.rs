//! An operator in a test: what he asks of processes, and how those serve it, in as many turns as it takes.

use super::guest::{Stage, Went};
use super::notation::to_reason;
use super::op::Op;
use super::takeover::{restore, state};
use super::world::{Seen, World};
use crate::process::*;
use crate::system::{CallbackFailed, SystemAnswer, SystemError, SystemId, SystemRequest};
use crate::{ExitReason, Signal};

impl World {
    /// An operator asks, in a word or two.
    pub(super) fn system_message(&mut self, who: &str, request: &str) {
        let to = self.pid(who);
        self.asked += 1;
        let id = self.asked;
        let (word, rest) = request.split_once(' ').unwrap_or((request, ""));
        let request = match word {
            "suspend" => SystemRequest::Suspend,
            "resume" => SystemRequest::Resume,
            "state" => SystemRequest::GetState,
            "replace" => SystemRequest::ReplaceState,
            "replace-badly" => {
                self.bad.insert(id);
                SystemRequest::ReplaceState
            }
            "terminate" => SystemRequest::Terminate(to_reason(rest)),
            other => panic!("what is {other}?"),
        };
        self.unanswered.insert(id);
        self.strike(to, Signal::System { id, request });
    }

    pub(super) fn informed(&mut self, owner: Pid, id: SystemId, answer: &Result<SystemAnswer, SystemError>) {
        assert!(self.unanswered.remove(&id), "{owner} answers {id} twice");
        let text = match answer {
            Ok(SystemAnswer::Done) => "done".to_owned(),
            Ok(SystemAnswer::State(saved)) => {
                let heard = u64::from_le_bytes(saved.body.as_bytes().try_into().expect("eight bytes"));
                format!("state {heard}")
            }
            Err(SystemError::Noproc) => "noproc".to_owned(),
            Err(SystemError::NotAServer) => "not a server".to_owned(),
            Err(SystemError::TooMany) => "too many".to_owned(),
            Err(SystemError::CallbackFailed(why)) => format!("failed: {}", why.reason),
        };
        self.see(owner, Seen::Informs(format!("{id}: {text}")));
    }

    /// The driver was told to have the state told or replaced.
    pub(super) fn begin_serving(&mut self, pid: Pid, id: SystemId, replaces: bool, asleep: bool) -> Went {
        let guest = &mut self.person(pid).guest;
        guest.stage = Stage::Serving { id, replaces, asleep };
        guest.script.extend(guest.slow.then_some(Op::Spin));
        Went::On
    }

    pub(super) fn serve(&mut self, pid: Pid, id: SystemId, replaces: bool, asleep: bool) -> Went {
        let refused = self.bad.contains(&id) || (!asleep && self.person(pid).guest.refuses_to_save());
        let code = self.code;
        let person = self.person(pid);
        let present = match person.process.saved_state() {
            Some(saved) if asleep => restore(&saved, code),
            None if !asleep => person.guest.memory,
            other => panic!("{pid} has {other:?}, asleep: {asleep}"),
        };
        assert_eq!(present, person.heard, "{pid} has forgotten something");
        let reason = ExitReason::failed("refused");
        let failed = CallbackFailed { step: "save", reason, trace: String::new() };
        let result = if refused { Err(failed) } else { Ok(state(code, present)) };
        self.transition(pid, |process, now, actions| match replaces {
            true => process.state_replaced(id, result, now, actions),
            false => process.state_told(id, result, now, actions),
        });
        if asleep {
            return self.discard(pid);
        }
        self.person(pid).guest.stage = Stage::Loop;
        Went::On
    }
}
