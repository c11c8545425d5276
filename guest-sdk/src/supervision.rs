//! Supervisors: described as data, started by a process that was granted it, and asked for things.
//!
//! A supervisor restarts its children, and ends with whoever started it. Owns the description of a tree, the reference to
//! a supervisor and what it is asked; the supervisors themselves are the host's. Started through
//! [`Context::start_supervisor`](crate::Context::start_supervisor).
//!
//! ```
//! use skep_sdk::prelude::*;
//! use skep_sdk::supervision::{Backoff, Shutdown};
//!
//! # #[derive(Serialize, Deserialize)]
//! # pub struct Shop { jobs: SupervisorRef }
//! # #[server]
//! # impl Server for Shop {
//! fn init(_: (), context: &Context) -> Start<Self> {
//!     // Each job is started on demand, with arguments of its own behind those of the template.
//!     let job = ChildSpec::new("job", "job", &"the shop's".to_owned())?.temporary();
//!     let jobs = context.start_supervisor(Supervisor::template(job).max_children(100))?;
//!     Ok(Shop { jobs })
//! }
//! # }
//! # skep_sdk::export!(Shop);
//! # fn main() -> Result<(), skep_sdk::supervision::SupervisionError> {
//! let tree = Supervisor::new()
//!     .rest_for_one()
//!     .restarts(3, 5)
//!     .child(ChildSpec::new("store", "store", &())?.named("store"))
//!     .child(ChildSpec::supervisor("readers", Supervisor::new().backoff(Backoff::up_to_a_minute()))
//!         .shutdown(Shutdown::Infinity));
//! # drop(tree);
//! # Ok(())
//! # }
//! ```

mod ask;
mod spec;
mod tasks;
#[cfg(target_family = "wasm")]
pub(crate) mod wire;

use serde::{Deserialize, Serialize};

pub use ask::{Ask, ChildInfo, Counts, Reply, Status, SupervisionError};
pub use spec::{AutoShutdown, Backoff, ChildSpec, Restart, Roster, Shutdown, Strategy, Supervisor, What};
pub use tasks::TaskSpec;

use crate::codec::{Codec, Message};
use crate::context::Context;
use crate::host::supervision;
use crate::reference::Ref;
use crate::types::{Address, ExitReason, Pid};

/// A supervisor: one's own, or one that the app declares under a name. Travels in messages and lives in states.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SupervisorRef {
    address: Address,
}

type Asked<T> = Result<T, SupervisionError>;

impl SupervisorRef {
    /// The supervisor with this pid, or whichever holds this name.
    pub fn at(address: impl Into<Address>) -> SupervisorRef {
        SupervisorRef { address: address.into() }
    }

    /// Its pid, unless it is known by a name or a key.
    pub fn pid(&self) -> Option<Pid> {
        match self.address {
            Address::Pid(pid) => Some(pid),
            Address::Name(_) | Address::Via(_) | Address::Alias(_) => None,
        }
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Asks for anything, as data; the methods below are the friendly forms.
    ///
    /// # Errors
    ///
    /// [`SupervisionError`], as they say.
    pub fn ask(&self, _: &Context, ask: Ask) -> Asked<Reply> {
        supervision::ask(&self.address, ask)
    }

    /// Starts a child that was not listed. None: its `init` answered `ignore`.
    ///
    /// # Errors
    ///
    /// [`SupervisionError`]: not granted, a limit, a child with this id, or its `init` did not succeed; then it is not kept.
    pub fn start_child(&self, context: &Context, child: ChildSpec) -> Asked<Option<Pid>> {
        self.ask(context, Ask::StartChild(child)).map(Reply::started)
    }

    /// Starts a child as the template says. Its `init` gets the pair of the template's arguments and these, or whichever is
    /// not `()` or null.
    ///
    /// # Errors
    ///
    /// As [`start_child`](SupervisorRef::start_child).
    pub fn start_from_template(&self, context: &Context, args: &impl Message) -> Asked<Option<Pid>> {
        let args = args.encode(Codec::default()).map_err(|error| SupervisionError::invalid(&error))?;
        self.ask(context, Ask::StartFromTemplate(Some(args))).map(Reply::started)
    }

    /// Stops a child, and keeps its spec unless it is temporary. Returns when it is down.
    ///
    /// # Errors
    ///
    /// [`SupervisionError`]: not granted, or no such child.
    pub fn terminate_child(&self, context: &Context, id: &str) -> Asked<()> {
        self.ask(context, Ask::TerminateChild(id.to_owned())).map(drop)
    }

    /// Stops a child of a supervisor whose children come and go. Returns when it is down.
    ///
    /// # Errors
    ///
    /// [`SupervisionError`]: not granted, or it is no child of this supervisor.
    pub fn terminate_pid(&self, context: &Context, pid: Pid) -> Asked<()> {
        self.ask(context, Ask::TerminatePid(pid)).map(drop)
    }

    /// Starts a child that is down.
    ///
    /// # Errors
    ///
    /// [`SupervisionError`]: not granted, no such child, it runs, or its `init` did not succeed.
    pub fn restart_child(&self, context: &Context, id: &str) -> Asked<Option<Pid>> {
        self.ask(context, Ask::RestartChild(id.to_owned())).map(Reply::started)
    }

    /// Forgets a child that is down.
    ///
    /// # Errors
    ///
    /// [`SupervisionError`]: not granted, no such child, or it runs.
    pub fn delete_child(&self, context: &Context, id: &str) -> Asked<()> {
        self.ask(context, Ask::DeleteChild(id.to_owned())).map(drop)
    }

    /// The children, newest first.
    ///
    /// # Errors
    ///
    /// [`SupervisionError`]: not granted, or no such supervisor.
    pub fn which_children(&self, context: &Context) -> Asked<Vec<ChildInfo>> {
        self.ask(context, Ask::WhichChildren).map(Reply::children)
    }

    /// How many children there are.
    ///
    /// # Errors
    ///
    /// As [`which_children`](SupervisorRef::which_children).
    pub fn count_children(&self, context: &Context) -> Asked<Counts> {
        self.ask(context, Ask::CountChildren).map(Reply::counts)
    }

    /// Uses so many partitions from now on: stops those beyond, the last one first, or starts them again.
    ///
    /// # Errors
    ///
    /// [`SupervisionError`]: not granted, more than were listed, or one did not start.
    pub fn resize(&self, context: &Context, partitions: u32) -> Asked<()> {
        self.ask(context, Ask::Resize(partitions)).map(drop)
    }

    /// How many partitions are in use. Does not block.
    ///
    /// # Errors
    ///
    /// [`SupervisionError`]: not granted, or it has none.
    pub fn partitions(&self, context: &Context) -> Asked<u32> {
        self.ask(context, Ask::Partitions).map(Reply::number)
    }

    /// The partition that a key leads to: the same one, as long as their number is the same. Does not block.
    ///
    /// # Errors
    ///
    /// [`SupervisionError`]: not granted, none in use, or that one is down now.
    pub fn route<P: ?Sized>(&self, context: &Context, key: impl AsRef<[u8]>) -> Asked<Ref<P>> {
        match self.ask(context, Ask::Route(key.as_ref().to_vec()))?.started() {
            Some(pid) => Ok(Ref::pid(pid)),
            None => Err(SupervisionError::Ended),
        }
    }

    /// Tells a supervisor of one's own to stop its children and end. Returns at once; monitor it to hear of its end. Does
    /// nothing to one that somebody else started.
    pub fn stop(&self, context: &Context) {
        if let Some(pid) = self.pid() {
            context.exit(pid, &ExitReason::Shutdown(None));
        }
    }
}

impl Context {
    /// Starts a supervisor with all its children, linked to this process, with which it ends. Returns when they are up.
    ///
    /// # Errors
    ///
    /// [`SupervisionError`]: not granted, a limit, it makes no sense, or a child did not start; then nothing is left of it.
    pub fn start_supervisor(&self, supervisor: Supervisor) -> Asked<SupervisorRef> {
        supervision::start(supervisor).map(SupervisorRef::at)
    }
}
