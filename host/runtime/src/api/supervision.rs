//! `skep:process/supervision`: starting supervisors, and asking them for things.

mod planting;
mod words;

use std::sync::Arc;

use skep_kernel::supervisor::{Answer, Counts, RequestError, SupervisorSpec};
use skep_kernel::{Address, Body, Mark, Name, Pid, Refusal, SpawnError, Time};
use tokio::sync::oneshot;

use super::bindings::supervision::{self as wit, Error, Host};
use super::bindings::types;
use super::messaging::too_large;
use super::{Ended, PendingSpawn, Syscalls, convert};
use crate::Request;
use crate::engine::context::Context;
use crate::engine::fuel;
use planting::{Planting, size, sizes};
use words::info;

/// What a guest wants a child to be.
#[derive(Clone, PartialEq, Debug)]
pub enum Wish {
    /// A process of a module of its app.
    Process {
        /// Which module.
        module: Name,
        /// The argument of its `init`.
        args: Body,
        /// The name it is born with.
        name: Option<Name>,
    },
    /// A supervisor.
    Supervisor(Arc<SupervisorSpec<Wish>>),
}

/// The answer of a supervisor, which is under way; dropped if the supervisor ends first.
pub type PendingAnswer = oneshot::Receiver<Result<Answer, RequestError>>;

/// What may be asked of supervisors in the name of one process. As with [`Syscalls`](super::Syscalls), nothing blocks.
pub trait Supervision {
    /// Begins to start a supervisor; [`Syscalls::poll_spawn`](super::Syscalls::poll_spawn) brings it.
    fn begin_supervisor(&self, spec: &SupervisorSpec<Wish>) -> Result<Result<PendingSpawn, SpawnError>, Ended>;
    /// Asks a supervisor for something. The process blocks until
    /// [`Syscalls::answered`](super::Syscalls::answered) is called.
    fn ask_supervisor(
        &self,
        supervisor: &Address,
        request: Request<Wish>,
    ) -> Result<Result<PendingAnswer, Refusal>, Ended>;
    /// As [`Supervision::ask_supervisor`], to start a task whose result comes to this process. The pid that it will have,
    /// and the mark of the monitor; to be given up by [`Supervision::give_task_up`] if it is not started after all.
    fn begin_task(
        &self,
        supervisor: &Address,
        request: Request<Wish>,
        link: bool,
    ) -> Result<Result<(PendingAnswer, Pid, Mark), Refusal>, Ended>;
    /// There is no such task: nothing is heard of it.
    fn give_task_up(&self, task: Pid, mark: Mark);
    /// The process that a key leads to.
    fn route(&self, supervisor: &Address, key: &[u8]) -> Result<Result<Pid, Refusal>, Ended>;
    /// How many partitions are in use.
    fn partitions(&self, supervisor: &Address) -> Result<Result<usize, Refusal>, Ended>;
    /// The node's clock.
    fn now(&self) -> Result<Time, Ended>;
}

/// A start as the template says, and the bytes that it carries.
fn from_template(args: Option<types::Body>, body_bytes: usize) -> (usize, Result<Request<Wish>, Refusal>) {
    let args = args.map(Body::from);
    let bytes = args.as_ref().map_or(0, Body::len);
    let refused = args.as_ref().and_then(|args| too_large(args, body_bytes));
    (bytes, refused.map_or(Ok(Request::StartFromTemplate(args)), |why| Err(Refusal::Limit(why))))
}

fn invalid(why: String) -> Refusal {
    Refusal::Invalid(why)
}

fn denied() -> Refusal {
    Refusal::Denied("supervision".into())
}

impl Context {
    /// Asks a supervisor, and waits for its answer.
    async fn ask(
        &mut self,
        import: &'static str,
        supervisor: types::Address,
        bytes: usize,
        request: Result<Request<Wish>, Refusal>,
    ) -> wasmtime::Result<Result<Answer, Error>> {
        let supervisor = convert::address(supervisor)?;
        let syscalls = self.act_with(import, fuel::MESSAGE, bytes).await?.clone();
        let (Some(supervision), Ok(request)) = (syscalls.supervision(), &request) else {
            return Ok(Err(request.err().unwrap_or_else(denied).into()));
        };
        let pending = match supervision.ask_supervisor(&supervisor, request.clone())? {
            Ok(pending) => pending,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        Ok(self.answer(&syscalls, pending).await)
    }

    /// Waits for the answer of a supervisor.
    async fn answer(&mut self, syscalls: &Arc<dyn Syscalls>, pending: PendingAnswer) -> Result<Answer, Error> {
        let answer = pending.await;
        syscalls.answered();
        self.meter.waited();
        match answer {
            Ok(answer) => answer.map_err(Error::from),
            Err(_) => Err(Error::Ended),
        }
    }

    /// Has a supervisor start a task for this process.
    async fn ask_for_task(
        &mut self,
        import: &'static str,
        supervisor: types::Address,
        bytes: usize,
        request: Result<Request<Wish>, Refusal>,
        link: bool,
    ) -> wasmtime::Result<Result<(types::Pid, u64), Error>> {
        let supervisor = convert::address(supervisor)?;
        let syscalls = self.act_with(import, fuel::SPAWN, bytes).await?.clone();
        let begun = match (syscalls.supervision(), request) {
            (Some(supervision), Ok(request)) => supervision.begin_task(&supervisor, request, link)?,
            (None, _) => Err(denied()),
            (_, Err(refusal)) => Err(refusal),
        };
        let (pending, task, mark) = match begun {
            Ok(begun) => begun,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let answer = self.answer(&syscalls, pending).await;
        // Looked up anew: nothing of it may be held while waiting, for it cannot move to another thread.
        if let (Err(_), Some(supervision)) = (&answer, syscalls.supervision()) {
            supervision.give_task_up(task, mark);
        }
        Ok(answer.map(|_| (task.into(), mark.0)))
    }

    async fn ask_for_child(
        &mut self,
        import: &'static str,
        supervisor: types::Address,
        bytes: usize,
        request: Result<Request<Wish>, Refusal>,
    ) -> wasmtime::Result<Result<Option<types::Pid>, Error>> {
        let answer = self.ask(import, supervisor, bytes, request).await?;
        Ok(answer.map(|answer| match answer {
            Answer::Started(pid) => pid.map(types::Pid::from),
            Answer::Done | Answer::Children(_) | Answer::Counts(_) => None,
        }))
    }

    async fn ask_by_id(
        &mut self,
        import: &'static str,
        supervisor: types::Address,
        id: String,
        request: fn(Name) -> Request<Wish>,
    ) -> wasmtime::Result<Result<Answer, Error>> {
        let bytes = id.len();
        let request = convert::check_name(&id).map(|()| request(id.into())).map_err(Refusal::Invalid);
        self.ask(import, supervisor, bytes, request).await
    }
}

impl Host for Context {
    async fn start(&mut self, supervisors: Vec<wit::Supervisor>) -> wasmtime::Result<Result<types::Pid, Error>> {
        let bytes = sizes(&supervisors);
        let children: usize = supervisors.iter().map(|supervisor| supervisor.children.len()).sum();
        let cost = fuel::SPAWN.saturating_mul(1 + children as u64);
        let syscalls = self.act_with("start", cost, bytes).await?.clone();
        let mut planting = Planting::new(supervisors, self.body_bytes);
        let tree = planting.supervisor(0).and_then(|tree| planting.done().map(|()| tree));
        let begun = match (syscalls.supervision(), tree) {
            (Some(supervision), Ok(tree)) => supervision.begin_supervisor(&tree)?,
            (None, _) => return Ok(Err(denied().into())),
            (_, Err(refusal)) => return Ok(Err(refusal.into())),
        };
        let pending = match begun {
            Ok(pending) => pending,
            Err(error) => return Ok(Err(error.into())),
        };
        let supervisor = std::future::poll_fn(|cx| syscalls.poll_spawn(pending, cx)).await?;
        self.meter.waited();
        Ok(supervisor.map(types::Pid::from).map_err(Error::from))
    }

    async fn start_child(
        &mut self,
        supervisor: types::Address,
        child: wit::Child,
        supervisors: Vec<wit::Supervisor>,
    ) -> wasmtime::Result<Result<Option<types::Pid>, Error>> {
        let bytes = size(&child) + sizes(&supervisors);
        let mut planting = Planting::new(supervisors, self.body_bytes);
        let spec = planting.child(child, 0).and_then(|spec| planting.done().map(|()| spec));
        self.ask_for_child("start-child", supervisor, bytes, spec.map(Request::StartChild)).await
    }

    async fn start_from_template(
        &mut self,
        supervisor: types::Address,
        args: Option<types::Body>,
    ) -> wasmtime::Result<Result<Option<types::Pid>, Error>> {
        let (bytes, request) = from_template(args, self.body_bytes);
        self.ask_for_child("start-from-template", supervisor, bytes, request).await
    }

    async fn start_task(
        &mut self,
        supervisor: types::Address,
        task: wit::Child,
        link: bool,
    ) -> wasmtime::Result<Result<(types::Pid, u64), Error>> {
        let bytes = size(&task);
        let spec = Planting::new(Vec::new(), self.body_bytes).child(task, 0);
        self.ask_for_task("start-task", supervisor, bytes, spec.map(Request::StartChild), link).await
    }

    async fn start_task_from_template(
        &mut self,
        supervisor: types::Address,
        args: Option<types::Body>,
        link: bool,
    ) -> wasmtime::Result<Result<(types::Pid, u64), Error>> {
        let (bytes, request) = from_template(args, self.body_bytes);
        self.ask_for_task("start-task-from-template", supervisor, bytes, request, link).await
    }

    async fn terminate_child(&mut self, supervisor: types::Address, id: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.ask_by_id("terminate-child", supervisor, id, Request::TerminateChild).await?.map(|_| ()))
    }

    async fn terminate_pid(
        &mut self,
        supervisor: types::Address,
        pid: types::Pid,
    ) -> wasmtime::Result<Result<(), Error>> {
        let pid = convert::pid(pid)?;
        Ok(self.ask("terminate-pid", supervisor, 0, Ok(Request::TerminatePid(pid))).await?.map(|_| ()))
    }

    async fn restart_child(
        &mut self,
        supervisor: types::Address,
        id: String,
    ) -> wasmtime::Result<Result<Option<types::Pid>, Error>> {
        let bytes = id.len();
        let request = convert::check_name(&id).map(|()| Request::RestartChild(id.into())).map_err(Refusal::Invalid);
        self.ask_for_child("restart-child", supervisor, bytes, request).await
    }

    async fn delete_child(&mut self, supervisor: types::Address, id: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.ask_by_id("delete-child", supervisor, id, Request::DeleteChild).await?.map(|_| ()))
    }

    async fn which_children(&mut self, supervisor: types::Address) -> wasmtime::Result<Result<Vec<wit::Info>, Error>> {
        let children = match self.ask("which-children", supervisor, 0, Ok(Request::WhichChildren)).await? {
            Ok(Answer::Children(children)) => children,
            Ok(_) => Vec::new(),
            Err(error) => return Ok(Err(error)),
        };
        // What is carried is paid for when it is known.
        self.pay(0, children.iter().map(|child| child.id.len() + size_of::<wit::Info>()).sum()).await?;
        let now = match self.syscalls().and_then(|syscalls| syscalls.supervision()) {
            Some(supervision) => supervision.now()?,
            None => Time::ZERO,
        };
        Ok(Ok(children.into_iter().map(|child| info(child, now)).collect()))
    }

    async fn count_children(&mut self, supervisor: types::Address) -> wasmtime::Result<Result<wit::Counts, Error>> {
        let answer = self.ask("count-children", supervisor, 0, Ok(Request::CountChildren)).await?;
        Ok(answer.map(|answer| {
            let Counts { specs, active, supervisors, workers } = match answer {
                Answer::Counts(counts) => counts,
                Answer::Started(_) | Answer::Done | Answer::Children(_) => Counts::default(),
            };
            let [specs, active, supervisors, workers] = [specs, active, supervisors, workers].map(|count| count as u64);
            wit::Counts { specs, active, supervisors, workers }
        }))
    }

    async fn resize(&mut self, supervisor: types::Address, partitions: u32) -> wasmtime::Result<Result<(), Error>> {
        let partitions = usize::try_from(partitions).unwrap_or(usize::MAX);
        Ok(self.ask("resize", supervisor, 0, Ok(Request::Resize(partitions))).await?.map(|_| ()))
    }

    async fn route(&mut self, supervisor: types::Address, key: Vec<u8>) -> wasmtime::Result<Result<types::Pid, Error>> {
        let supervisor = convert::address(supervisor)?;
        let syscalls = self.act_with("route", fuel::MESSAGE, key.len()).await?;
        Ok(match syscalls.supervision() {
            Some(supervision) => supervision.route(&supervisor, &key)?.map(types::Pid::from).map_err(Error::from),
            None => Err(denied().into()),
        })
    }

    async fn partitions(&mut self, supervisor: types::Address) -> wasmtime::Result<Result<u32, Error>> {
        let supervisor = convert::address(supervisor)?;
        let syscalls = self.act_with("partitions", fuel::MESSAGE, 0).await?;
        Ok(match syscalls.supervision() {
            Some(supervision) => {
                let used = supervision.partitions(&supervisor)?.map_err(Error::from);
                used.map(|used| u32::try_from(used).unwrap_or(u32::MAX))
            }
            None => Err(denied().into()),
        })
    }
}
