//! What a supervisor is asked, and what it answers.
//!
//! Owns plain values, for the harness as well as for the way to the host.

use serde::{Deserialize, Serialize};

use super::spec::{ChildSpec, Restart};
use crate::types::{Body, ExitReason, Mark, Pid, Refusal};

/// What a supervisor is asked: the methods of [`SupervisorRef`](super::SupervisorRef), as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the methods say it")]
pub enum Ask {
    StartChild(ChildSpec),
    StartFromTemplate(Option<Body>),
    /// A task whose result comes to this process, linked or not.
    StartTask {
        task: ChildSpec,
        link: bool,
    },
    StartTaskFromTemplate {
        args: Option<Body>,
        link: bool,
    },
    TerminateChild(String),
    TerminatePid(Pid),
    RestartChild(String),
    DeleteChild(String),
    WhichChildren,
    CountChildren,
    Resize(u32),
    Partitions,
    Route(Vec<u8>),
}

/// What a supervisor answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// To a start: the child, unless its `init` answered `ignore`. To a route: where it leads.
    Started(Option<Pid>),
    /// To the start of a task: who it is, and the mark that its result and its end carry.
    Task {
        /// The task.
        pid: Pid,
        /// The mark of its monitor.
        mark: Mark,
    },
    /// It is done.
    Done,
    /// Newest first.
    Children(Vec<ChildInfo>),
    /// How many children there are.
    Counts(Counts),
    /// How many partitions are in use.
    Number(u32),
}

impl Reply {
    pub(super) fn started(self) -> Option<Pid> {
        if let Reply::Started(pid) = self { pid } else { None }
    }

    pub(super) fn children(self) -> Vec<ChildInfo> {
        if let Reply::Children(children) = self { children } else { Vec::new() }
    }

    pub(super) fn counts(self) -> Counts {
        if let Reply::Counts(counts) = self { counts } else { Counts::default() }
    }

    pub(super) fn number(self) -> u32 {
        if let Reply::Number(number) = self { number } else { 0 }
    }
}

/// How a child is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is down, and nothing is about to change that.
    Stopped,
    /// It is being started.
    Starting,
    /// It runs.
    Running,
    /// It was told to end.
    Stopping,
    /// It is down, and is being started again or waits for it.
    Restarting,
}

/// One child in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildInfo {
    /// Its id.
    pub id: String,
    /// Its pid, if it has one now.
    pub pid: Option<Pid>,
    /// How it is doing.
    pub status: Status,
    /// Whether it is a supervisor.
    pub supervisor: bool,
    /// When it is restarted.
    pub restart: Restart,
    /// How often it was.
    pub restarts: u64,
    /// In how many milliseconds its next restart is due, where that waits.
    pub restart_in_ms: Option<u64>,
}

/// How many children there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Specs, running or not.
    pub specs: u64,
    /// Those with a process.
    pub active: u64,
    /// Those that are supervisors.
    pub supervisors: u64,
    /// Those that are not.
    pub workers: u64,
}

/// Why there is no supervisor, no child, or no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SupervisionError {
    /// Not granted, no such supervisor, a limit, or no sense in it.
    Refused(Refusal),
    /// A child with this id runs.
    AlreadyStarted(Pid),
    /// A child with this id is known, but does not run.
    AlreadyPresent,
    /// There is no such child.
    NotFound,
    /// The child runs, or is about to.
    Running,
    /// The child is being restarted.
    Restarting,
    /// The supervisor is ending.
    Stopping,
    /// It has as many children as it may have.
    MaxChildren,
    /// It knows its children by their pids alone.
    OnlyByPid,
    /// Its children are partitions: their number can be changed.
    OnlyByNumber,
    /// Its children are made from its template.
    OnlyByTemplate,
    /// It has no template.
    NoTemplate,
    /// It has no partitions, or not so many.
    NoSuchPartitions,
    /// The child, or the supervisor, was not started.
    Failed(ExitReason),
    /// Its `init` answered `ignore`.
    Ignored,
    /// The supervisor ended before it answered.
    Ended,
}

impl SupervisionError {
    pub(super) fn invalid(why: &dyn std::fmt::Display) -> SupervisionError {
        SupervisionError::Refused(Refusal::Invalid(why.to_string()))
    }
}

impl std::fmt::Display for SupervisionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SupervisionError::Refused(refusal) => refusal.fmt(f),
            SupervisionError::AlreadyStarted(pid) => write!(f, "a child with this id runs: {pid}"),
            SupervisionError::AlreadyPresent => f.write_str("a child with this id is known, but does not run"),
            SupervisionError::NotFound => f.write_str("no such child"),
            SupervisionError::Running => f.write_str("the child runs"),
            SupervisionError::Restarting => f.write_str("the child is being restarted"),
            SupervisionError::Stopping => f.write_str("the supervisor is ending"),
            SupervisionError::MaxChildren => f.write_str("the supervisor has as many children as it may have"),
            SupervisionError::OnlyByPid => f.write_str("the supervisor knows its children by their pids alone"),
            SupervisionError::OnlyByNumber => f.write_str("its children are partitions: change their number"),
            SupervisionError::OnlyByTemplate => f.write_str("its children are made from its template"),
            SupervisionError::NoTemplate => f.write_str("the supervisor has no template"),
            SupervisionError::NoSuchPartitions => f.write_str("it has no partitions, or not so many"),
            SupervisionError::Failed(reason) => write!(f, "not started: {reason:?}"),
            SupervisionError::Ignored => f.write_str("not started: ignored"),
            SupervisionError::Ended => f.write_str("the supervisor ended before it answered"),
        }
    }
}

impl std::error::Error for SupervisionError {}
