//! Tasks that a supervisor starts for this process, after Elixir's `Task.Supervisor`.
//!
//! Owns what such a task is made of, and the ways to start it. The supervisor shows it in the tree and ends it with itself;
//! its result comes to whoever had it started. How it is waited for is as with tasks of one's own.

use serde::{Deserialize, Serialize};

use super::ask::{Ask, Reply, SupervisionError};
use super::spec::{ChildSpec, Restart, Shutdown};
use super::{Asked, SupervisorRef};
use crate::codec::{Codec, Message};
use crate::context::Context;
use crate::task::{Link, Task, TaskContext, TaskRef, TaskStream};
use crate::types::{Body, Pid};

/// What a supervisor is to make a task of. A module's name will do, where nothing else is to be said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Origin {
    /// The supervisor's template is the task.
    Template,
    Module {
        module: String,
        id: String,
        restart: Restart,
        shutdown: Option<Shutdown>,
    },
}

impl TaskSpec {
    /// A task of a module of this app: temporary, and with 5 seconds to end when its supervisor does.
    pub fn of(module: impl Into<String>) -> TaskSpec {
        let module = module.into();
        let id = module.clone();
        TaskSpec { origin: Origin::Module { module, id, restart: Restart::Temporary, shutdown: None } }
    }

    /// A task as the supervisor's template says.
    pub fn template() -> TaskSpec {
        TaskSpec { origin: Origin::Template }
    }

    /// With an id, for a supervisor that lists its children; else it is the module's name. A template has its own.
    pub fn id(mut self, wanted: impl Into<String>) -> TaskSpec {
        if let Origin::Module { id, .. } = &mut self.origin {
            *id = wanted.into();
        }
        self
    }

    /// Restarted as this says: for a task that nobody awaits. A template has its own.
    pub fn restart(mut self, wanted: Restart) -> TaskSpec {
        if let Origin::Module { restart, .. } = &mut self.origin {
            *restart = wanted;
        }
        self
    }

    /// Stopped in this way when its supervisor ends. A template has its own.
    pub fn shutdown(mut self, wanted: Shutdown) -> TaskSpec {
        if let Origin::Module { shutdown, .. } = &mut self.origin {
            *shutdown = Some(wanted);
        }
        self
    }

    fn start(self, args: Body) -> Start {
        match self.origin {
            Origin::Template => Start::FromTemplate(args),
            Origin::Module { module, id, restart, shutdown } => {
                Start::Child(ChildSpec { restart, shutdown, ..ChildSpec::process(id, module, args) })
            }
        }
    }
}

impl From<&str> for TaskSpec {
    fn from(module: &str) -> TaskSpec {
        TaskSpec::of(module)
    }
}

/// A task with its arguments.
enum Start {
    Child(ChildSpec),
    FromTemplate(Body),
}

impl SupervisorRef {
    /// Starts a task under this supervisor, linked to this process and monitored by it: Elixir's `Task.Supervisor.async`.
    /// If the task fails, so does this process; if this process ends, so does the task. Its result is waited for like that
    /// of [`start_task`](Context::start_task).
    ///
    /// ```
    /// use skep_sdk::prelude::*;
    /// use skep_sdk::supervision::TaskSpec;
    ///
    /// pub struct Sum;
    /// # impl Task for Sum {
    /// #     type Args = Vec<u64>;
    /// #     type Output = u64;
    /// #     fn run(numbers: Vec<u64>, _: &TaskContext) -> Result<u64, Failure> { Ok(numbers.into_iter().sum()) }
    /// # }
    ///
    /// /// Adds up two lists at once, below a supervisor that the app declares.
    /// fn both(lists: [Vec<u64>; 2], context: &TaskContext) -> Result<u64, Failure> {
    ///     let sums = SupervisorRef::at("sums".to_owned());
    ///     let [first, second] = lists;
    ///     let first = sums.start_task::<Sum>(context, "sum", &first)?;
    ///     // As the supervisor's template says, and whatever becomes of it.
    ///     let second = sums.start_task_nolink::<Sum>(context, TaskSpec::template(), &second)?;
    ///     let second = context.yield_task(&second, None).and_then(Result::ok);
    ///     Ok(context.await_task(first) + second.unwrap_or_default())
    /// }
    /// # struct Both;
    /// # impl Task for Both {
    /// #     type Args = [Vec<u64>; 2];
    /// #     type Output = u64;
    /// #     fn run(lists: [Vec<u64>; 2], context: &TaskContext) -> Result<u64, Failure> { both(lists, context) }
    /// # }
    /// # fn main() {
    /// # use skep_sdk::testing::{Played, World, run_task_in};
    /// # let mut world = World::new().on_task(|_, args| Played::run::<Sum>(args));
    /// # assert_eq!(run_task_in::<Both>(&mut world, [vec![1, 2], vec![3]], []), Ok(6));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SupervisionError`]: as [`start_child`](SupervisorRef::start_child), `MaxChildren` among them; and `Refused` where
    /// the module is no task, or the child would be restarted. Then nothing is heard of it.
    pub fn start_task<T: Task>(
        &self,
        context: &Context,
        task: impl Into<TaskSpec>,
        args: &T::Args,
    ) -> Asked<TaskRef<T::Output>> {
        self.start_task_with::<T>(context, task.into(), args, Link::Linked)
    }

    /// As [`start_task`](SupervisorRef::start_task), monitored only: Elixir's `Task.Supervisor.async_nolink`. If the task
    /// fails, this process hears of it and lives on; if this process ends, the task goes on.
    ///
    /// # Errors
    ///
    /// As `start_task`.
    pub fn start_task_nolink<T: Task>(
        &self,
        context: &Context,
        task: impl Into<TaskSpec>,
        args: &T::Args,
    ) -> Asked<TaskRef<T::Output>> {
        self.start_task_with::<T>(context, task.into(), args, Link::Unlinked)
    }

    /// Starts a task under this supervisor whose result nobody awaits: Elixir's `Task.Supervisor.start_child`.
    ///
    /// # Errors
    ///
    /// As [`start_child`](SupervisorRef::start_child).
    pub fn start_task_child<T: Task>(
        &self,
        context: &Context,
        task: impl Into<TaskSpec>,
        args: &T::Args,
    ) -> Asked<Pid> {
        let ask = match task.into().start(encoded(args)?) {
            Start::Child(child) => Ask::StartChild(child),
            Start::FromTemplate(args) => Ask::StartFromTemplate(Some(args)),
        };
        // A task has no `init` that could ignore its start.
        self.ask(context, ask)?.started().ok_or(SupervisionError::Ignored)
    }

    /// A stream of tasks under this supervisor, as [`TaskContext::task_stream`] has of one's own: Elixir's
    /// `Task.Supervisor.async_stream`, and with `nolink` its `async_stream_nolink`.
    pub fn task_stream<'a, T, I>(
        &self,
        context: &'a TaskContext,
        task: impl Into<TaskSpec>,
        items: I,
    ) -> TaskStream<'a, T, I::IntoIter>
    where
        T: Task,
        I: IntoIterator<Item = T::Args>,
    {
        TaskStream::under(context, self.clone(), task.into(), items)
    }

    pub(crate) fn start_task_with<T: Task>(
        &self,
        context: &Context,
        task: TaskSpec,
        args: &T::Args,
        link: Link,
    ) -> Asked<TaskRef<T::Output>> {
        let link = link == Link::Linked;
        let ask = match task.start(encoded(args)?) {
            Start::Child(task) => Ask::StartTask { task, link },
            Start::FromTemplate(args) => Ask::StartTaskFromTemplate { args: Some(args), link },
        };
        match self.ask(context, ask)? {
            Reply::Task { pid, mark } => Ok(TaskRef::new(context.me(), pid, mark)),
            _ => Err(SupervisionError::Ended),
        }
    }
}

fn encoded(args: &impl Message) -> Asked<Body> {
    args.encode(Codec::default()).map_err(|error| SupervisionError::invalid(&error))
}
