//! The words of the contract for what the kernel says of supervisors and their children, and the other way round.

use std::time::Duration;

use skep_kernel::supervisor::{ChildKind, ChildStatus, ChildView, RequestError, Restart};
use skep_kernel::{Refusal, SpawnError, Time};

use crate::api::bindings::supervision::{self as wit, Error};
use crate::api::bindings::types;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal.into())
    }
}

impl From<SpawnError> for Error {
    fn from(error: SpawnError) -> Self {
        match error {
            SpawnError::Refused(refusal) => refusal.into(),
            SpawnError::Ignored => Error::Ignored,
            SpawnError::Failed(reason) => Error::Failed(reason.into()),
        }
    }
}

impl From<RequestError> for Error {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::AlreadyStarted(pid) => Error::AlreadyStarted(pid.into()),
            RequestError::AlreadyPresent => Error::AlreadyPresent,
            RequestError::NotFound => Error::NotFound,
            RequestError::Running => Error::Running,
            RequestError::Restarting => Error::Restarting,
            RequestError::Stopping => Error::Stopping,
            RequestError::MaxChildren => Error::MaxChildren,
            RequestError::OnlyByPid => Error::OnlyByPid,
            RequestError::OnlyByNumber => Error::OnlyByNumber,
            RequestError::OnlyByTemplate => Error::OnlyByTemplate,
            RequestError::NoTemplate => Error::NoTemplate,
            RequestError::NoSuchPartitions => Error::NoSuchPartitions,
            RequestError::Invalid(why) => Refusal::Invalid(why.to_string()).into(),
            RequestError::Failed(error) => error.into(),
        }
    }
}

impl From<wit::Restart> for Restart {
    fn from(restart: wit::Restart) -> Self {
        match restart {
            wit::Restart::Permanent => Restart::Permanent,
            wit::Restart::Transient => Restart::Transient,
            wit::Restart::Temporary => Restart::Temporary,
        }
    }
}

impl From<Restart> for wit::Restart {
    fn from(restart: Restart) -> Self {
        match restart {
            Restart::Permanent => wit::Restart::Permanent,
            Restart::Transient => wit::Restart::Transient,
            Restart::Temporary => wit::Restart::Temporary,
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn info(child: ChildView, now: Time) -> wit::Info {
    wit::Info {
        id: child.id.to_string(),
        pid: child.status.pid().map(types::Pid::from),
        status: match child.status {
            ChildStatus::Stopped => wit::Status::Stopped,
            ChildStatus::Starting => wit::Status::Starting,
            ChildStatus::Running(_) => wit::Status::Running,
            ChildStatus::Stopping(_) => wit::Status::Stopping,
            ChildStatus::Restarting => wit::Status::Restarting,
        },
        supervisor: child.kind == ChildKind::Supervisor,
        restart: child.restart.into(),
        restarts: child.restarts,
        restart_in_ms: child.restart_at.map(|at| milliseconds(at.saturating_sub(now))),
    }
}
