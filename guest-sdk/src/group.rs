//! Process groups, after OTP's pg.
//!
//! Owns nothing: the host keeps the members, who leave when they end. Used by guest authors. Scopes are granted in the
//! app's manifest, and need no declaration.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::host::groups;
use crate::types::{Entry, Mark, Pid, Refusal};

/// A set of groups that can be watched together, granted by `grants = { groups = ["SCOPE"] }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope {
    name: Cow<'static, str>,
}

/// A group of processes, which is there as long as it has members.
///
/// ```
/// use skep_sdk::prelude::*;
///
/// const WORKERS: Scope = Scope::named("workers");
///
/// #[derive(Serialize, Deserialize)]
/// pub struct Worker;
///
/// #[server]
/// impl Server for Worker {
///     type Call = ();
///     type Reply = Vec<Pid>;
///
///     fn init(_: (), context: &Context) -> Start<Self> {
///         match WORKERS.group("idle").join(context) {
///             Ok(()) => Ok(Worker),
///             Err(refusal) => Err(NotStarted::Failed(refusal.to_string())),
///         }
///     }
///
///     fn handle_call(&mut self, _: (), _: From<Self>, context: &Context) -> Outcome<Vec<Pid>> {
///         reply(WORKERS.group("idle").members(context).unwrap_or_default())
///     }
/// }
///
/// skep_sdk::export!(Worker);
/// # fn main() {
/// # let mut worker = skep_sdk::testing::Harness::<Worker>::start(()).unwrap();
/// # let me = worker.world().me();
/// # assert_eq!(worker.call(()), Ok(vec![me]));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    scope: Cow<'static, str>,
    name: Cow<'static, str>,
}

impl Scope {
    /// The scope of this name.
    pub const fn named(name: &'static str) -> Scope {
        Scope { name: Cow::Borrowed(name) }
    }

    /// A group of it.
    pub fn group(&self, name: impl Into<Cow<'static, str>>) -> Group {
        Group { scope: self.name.clone(), name: name.into() }
    }

    /// The groups that have members.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: not granted, or more names than a body may carry.
    pub fn groups(&self, _: &Context) -> Result<Vec<String>, Refusal> {
        groups::which(&self.name)
    }

    /// The members of all groups, by group, and from now on each joining and leaving arrives at `handle_change`, with this
    /// mark. Nothing is missed in between, and nothing told twice.
    ///
    /// # Errors
    ///
    /// As [`groups`](Scope::groups), and too many monitors.
    pub fn monitor(&self, _: &Context) -> Result<(Mark, Vec<(String, Pid)>), Refusal> {
        let (mark, entries) = groups::monitor(&self.name, None)?;
        Ok((mark, entries.into_iter().map(|Entry { key, pid, .. }| (key, pid)).collect()))
    }

    /// Ends a monitor; what is queued is taken back. Whether there was one.
    pub fn demonitor(&self, _: &Context, mark: Mark) -> bool {
        groups::demonitor(mark)
    }
}

impl Group {
    /// Its name within its scope.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes this process a member. One that joins several times leaves as often, or when it ends.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: not granted, or too many entries.
    pub fn join(&self, context: &Context) -> Result<(), Refusal> {
        self.join_pid(context, context.me())
    }

    /// Makes another process of this app a member.
    ///
    /// # Errors
    ///
    /// As [`join`](Group::join); and it has ended, or lives on another node.
    pub fn join_pid(&self, _: &Context, pid: Pid) -> Result<(), Refusal> {
        groups::join(&self.scope, &self.name, pid)
    }

    /// Undoes one joining. Whether this process was a member.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: not granted.
    pub fn leave(&self, context: &Context) -> Result<bool, Refusal> {
        self.leave_pid(context, context.me())
    }

    /// As [`leave`](Group::leave), for another process.
    ///
    /// # Errors
    ///
    /// As `leave`.
    pub fn leave_pid(&self, _: &Context, pid: Pid) -> Result<bool, Refusal> {
        groups::leave(&self.scope, &self.name, pid)
    }

    /// The members, each as often as it has joined. Nobody who has ended is among them.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: not granted, or more members than a body may carry.
    pub fn members(&self, _: &Context) -> Result<Vec<Pid>, Refusal> {
        groups::members(&self.scope, &self.name)
    }

    /// The members, and from now on each joining and leaving arrives at `handle_change`, with this mark. Nothing is missed
    /// in between, and nothing told twice.
    ///
    /// # Errors
    ///
    /// As [`members`](Group::members), and too many monitors.
    pub fn monitor(&self, _: &Context) -> Result<(Mark, Vec<Pid>), Refusal> {
        let (mark, entries) = groups::monitor(&self.scope, Some(&self.name))?;
        Ok((mark, entries.into_iter().map(|entry| entry.pid).collect()))
    }

    /// Ends a monitor; what is queued is taken back. Whether there was one.
    pub fn demonitor(&self, _: &Context, mark: Mark) -> bool {
        groups::demonitor(mark)
    }
}
