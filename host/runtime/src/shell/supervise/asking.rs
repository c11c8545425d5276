//! What is asked of a supervisor, by guests and by operators: as its machine understands it, and what guests may let it hold.

use std::sync::Arc;

use skep_kernel::supervisor::{Answer, ChildSpec, Input, RequestError, SupervisorSpec};
use skep_kernel::{Body, Pid, Refusal, SpawnError};
use tokio::sync::oneshot;

use super::{Instruction, Overseer};
use crate::shell::arguments::joined;
use crate::shell::{Awaited, Cell, Content, Shell};
use crate::spec::{Blueprint, ProcessSpec};
use crate::{Request, RuntimeError};

/// Whoever asked a supervisor something.
pub(crate) type Ask = oneshot::Sender<Result<Answer, RequestError>>;

/// In whose name a supervisor is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum By {
    /// Whoever embeds the runtime.
    Operator,
    /// A guest.
    Guest,
    /// A guest that awaits what the child brings, which is a task.
    Awaiting(Awaited),
}

impl Overseer {
    /// What its machine is told of a request. What a guest asks for counts against what guests may let it hold.
    pub(crate) fn instruction(&self, request: Request, by: By, ask: Ask) -> Result<Instruction, (Ask, RequestError)> {
        let by_operator = by == By::Operator;
        let child = |spec: Result<ChildSpec<Blueprint>, RequestError>| {
            let mut spec = spec?;
            if !by_operator {
                self.allowance.charge(&mut spec).map_err(refused)?;
            }
            if let By::Awaiting(awaited) = by {
                awaited.attach(&mut spec).map_err(refused)?;
            }
            Ok(spec)
        };
        Ok(match request {
            Request::StartChild(spec) => match child(self.as_asked(spec)) {
                Ok(spec) => Input::StartChild { spec, ask },
                Err(error) => return Err((ask, error)),
            },
            Request::StartFromTemplate(args) => match child(self.made_from_template(args)) {
                Ok(spec) => Input::StartChild { spec, ask },
                Err(error) => return Err((ask, error)),
            },
            Request::TerminateChild(id) => Input::TerminateChild { id, ask },
            Request::TerminatePid(pid) => Input::TerminatePid { pid, ask },
            Request::RestartChild(id) => Input::RestartChild { id, ask },
            Request::DeleteChild(id) => Input::DeleteChild { id, ask },
            Request::Resize(partitions) => Input::Resize { partitions, ask },
            // Whoever may change a supervisor's children may not give them more than they have together.
            Request::Replace(spec) if !by_operator => {
                let budget = Box::new(self.inner.lock().machine.budget().clone());
                Input::Replace { spec: SupervisorSpec { budget, ..spec }, ask }
            }
            Request::Replace(spec) => Input::Replace { spec, ask },
            Request::WhichChildren => Input::WhichChildren { ask },
            Request::CountChildren => Input::CountChildren { ask },
        })
    }

    fn as_asked(&self, spec: ChildSpec<Blueprint>) -> Result<ChildSpec<Blueprint>, RequestError> {
        match self.inner.lock().machine.template() {
            Some(_) => Err(RequestError::OnlyByTemplate),
            None => Ok(spec),
        }
    }

    /// A child as the template says, with arguments of its own behind those of the template.
    fn made_from_template(&self, args: Option<Body>) -> Result<ChildSpec<Blueprint>, RequestError> {
        let mut spec = self.inner.lock().machine.template().cloned().ok_or(RequestError::NoTemplate)?;
        if let Some(args) = args {
            spec.start = prepended(&spec.start, |own| joined(own, &args)).map_err(refused)?;
        }
        Ok(spec)
    }
}

/// A blueprint with other arguments, made from its own.
pub(super) fn prepended(
    start: &Blueprint,
    with: impl FnOnce(&Body) -> Result<Body, &'static str>,
) -> Result<Blueprint, Refusal> {
    match start {
        Blueprint::Process(spec) => {
            let args = with(&spec.args).map_err(|why| Refusal::Invalid(why.into()))?;
            Ok(Blueprint::Process(Arc::new(ProcessSpec { args, ..ProcessSpec::clone(spec) })))
        }
        Blueprint::Supervisor(_) => Err(Refusal::Invalid("a supervisor has no arguments".into())),
    }
}

fn refused(refusal: Refusal) -> RequestError {
    RequestError::Failed(SpawnError::Refused(refusal))
}

impl Shell {
    /// Hands a supervisor an instruction. The answer comes through its [`Ask`].
    fn instruct(&self, cell: &Arc<Cell>, overseer: &Overseer, instruction: Instruction) {
        let number = cell.process.lock().mailbox().next_number();
        overseer.asked.lock().push_back((number, instruction));
        self.stir(cell);
    }

    /// Asks a supervisor for something. The answer comes through the receiver; if the supervisor ends, nothing does.
    pub(crate) fn request(
        &self,
        cell: &Arc<Cell>,
        overseer: &Overseer,
        request: Request,
        by: By,
    ) -> oneshot::Receiver<Result<Answer, RequestError>> {
        let (ask, answer) = oneshot::channel();
        match overseer.instruction(request, by, ask) {
            Ok(instruction) => self.instruct(cell, overseer, instruction),
            Err((ask, error)) => drop(ask.send(Err(error))),
        }
        answer
    }

    /// As [`Shell::request`], for an operator, who waits for the answer.
    pub(crate) async fn supervise(&self, supervisor: Pid, request: Request) -> Result<Answer, RuntimeError> {
        let answer = {
            let cell = self.table.get(supervisor).ok_or(RuntimeError::NoSuchSupervisor(supervisor))?;
            let Content::Supervisor(overseer) = &cell.content else {
                return Err(RuntimeError::NoSuchSupervisor(supervisor));
            };
            self.request(&cell, overseer, request, By::Operator)
        };
        answer.await.map_err(|_| RuntimeError::SupervisorEnded)?.map_err(RuntimeError::Refused)
    }

    /// Asks a supervisor for something, and waits for the answer.
    pub(crate) async fn ask(
        &self,
        supervisor: Pid,
        request: impl FnOnce(Ask) -> Instruction,
    ) -> Result<Answer, RuntimeError> {
        let answer = {
            let cell = self.table.get(supervisor).ok_or(RuntimeError::NoSuchSupervisor(supervisor))?;
            let Content::Supervisor(overseer) = &cell.content else {
                return Err(RuntimeError::NoSuchSupervisor(supervisor));
            };
            let (ask, answer) = oneshot::channel();
            self.instruct(&cell, overseer, request(ask));
            // With the last hold on the process its end is noticed, so none is kept here.
            answer
        };
        answer.await.map_err(|_| RuntimeError::SupervisorEnded)?.map_err(RuntimeError::Refused)
    }
}
