//! The way to the host: trees as the contract has them, flat, and its answers as values.
//!
//! Owns the numbering of supervisors within supervisors. Called in place of the harness, in Wasm.

use super::ask::{Ask, ChildInfo, Counts, Reply, Status, SupervisionError};
use super::spec::{AutoShutdown, Backoff, ChildSpec, Restart, Roster, Shutdown, Strategy, Supervisor, What};
use crate::bindings::process::skep::process::supervision as wit;
use crate::types::{Address, Pid};

/// Starts a supervisor.
pub(crate) fn start(supervisor: Supervisor) -> Result<Pid, SupervisionError> {
    let mut list = Vec::new();
    flatten(supervisor, &mut list);
    Ok(wit::start(&list.into_iter().flatten().collect::<Vec<_>>())?)
}

/// Asks one for something.
pub(crate) fn ask(supervisor: &Address, ask: Ask) -> Result<Reply, SupervisionError> {
    Ok(match ask {
        Ask::StartChild(spec) => {
            let mut list = Vec::new();
            let child = child(spec, &mut list);
            let list: Vec<_> = list.into_iter().flatten().collect();
            Reply::Started(wit::start_child(supervisor, &child, &list)?)
        }
        Ask::StartFromTemplate(args) => Reply::Started(wit::start_from_template(supervisor, args.as_ref())?),
        Ask::StartTask { task, link } => {
            // One that is a supervisor is refused by the host, whatever is beneath it.
            let task = child(task, &mut Vec::new());
            let (pid, mark) = wit::start_task(supervisor, &task, link)?;
            Reply::Task { pid, mark }
        }
        Ask::StartTaskFromTemplate { args, link } => {
            let (pid, mark) = wit::start_task_from_template(supervisor, args.as_ref(), link)?;
            Reply::Task { pid, mark }
        }
        Ask::TerminateChild(id) => done(wit::terminate_child(supervisor, &id))?,
        Ask::TerminatePid(pid) => done(wit::terminate_pid(supervisor, pid))?,
        Ask::RestartChild(id) => Reply::Started(wit::restart_child(supervisor, &id)?),
        Ask::DeleteChild(id) => done(wit::delete_child(supervisor, &id))?,
        Ask::WhichChildren => Reply::Children(wit::which_children(supervisor)?.into_iter().map(info).collect()),
        Ask::CountChildren => {
            let wit::Counts { specs, active, supervisors, workers } = wit::count_children(supervisor)?;
            Reply::Counts(Counts { specs, active, supervisors, workers })
        }
        Ask::Resize(partitions) => done(wit::resize(supervisor, partitions))?,
        Ask::Partitions => Reply::Number(wit::partitions(supervisor)?),
        Ask::Route(key) => Reply::Started(Some(wit::route(supervisor, &key)?)),
    })
}

fn done(result: Result<(), wit::Error>) -> Result<Reply, SupervisionError> {
    result.map(|()| Reply::Done).map_err(SupervisionError::from)
}

/// Puts a supervisor into the list, before all beneath it; its number there.
fn flatten(supervisor: Supervisor, list: &mut Vec<Option<wit::Supervisor>>) -> u32 {
    let number = list.len();
    list.push(None);
    let children = supervisor.children.into_iter().map(|spec| child(spec, list)).collect();
    list[number] = Some(wit::Supervisor {
        roster: match supervisor.roster {
            Roster::Listed => wit::Roster::Listed,
            Roster::Partitions => wit::Roster::Partitions,
            Roster::Template => wit::Roster::Template,
            Roster::Dynamic(extra) => wit::Roster::Dynamic(extra),
        },
        children,
        strategy: match supervisor.strategy {
            Strategy::OneForOne => wit::Strategy::OneForOne,
            Strategy::OneForAll => wit::Strategy::OneForAll,
            Strategy::RestForOne => wit::Strategy::RestForOne,
        },
        max_restarts: supervisor.max_restarts,
        max_seconds: supervisor.max_seconds,
        auto_shutdown: match supervisor.auto_shutdown {
            AutoShutdown::Never => wit::AutoShutdown::Never,
            AutoShutdown::AnySignificant => wit::AutoShutdown::AnySignificant,
            AutoShutdown::AllSignificant => wit::AutoShutdown::AllSignificant,
        },
        backoff: supervisor.backoff.map(|Backoff { first_ms, most_ms }| wit::Backoff { first_ms, most_ms }),
        max_children: supervisor.max_children,
        name: supervisor.name,
    });
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn child(spec: ChildSpec, list: &mut Vec<Option<wit::Supervisor>>) -> wit::Child {
    wit::Child {
        id: spec.id,
        start: match spec.start {
            What::Process { module, args, name } => wit::ChildStart::Process(wit::Process { module, args, name }),
            What::Supervisor(supervisor) => wit::ChildStart::Supervisor(flatten(*supervisor, list)),
        },
        restart: match spec.restart {
            Restart::Permanent => wit::Restart::Permanent,
            Restart::Transient => wit::Restart::Transient,
            Restart::Temporary => wit::Restart::Temporary,
        },
        shutdown: spec.shutdown.map(|shutdown| match shutdown {
            Shutdown::BrutalKill => wit::Shutdown::BrutalKill,
            Shutdown::TimeoutMs(ms) => wit::Shutdown::Timeout(ms),
            Shutdown::Infinity => wit::Shutdown::Infinity,
        }),
        significant: spec.significant,
    }
}

fn info(child: wit::Info) -> ChildInfo {
    ChildInfo {
        id: child.id,
        pid: child.pid,
        status: match child.status {
            wit::Status::Stopped => Status::Stopped,
            wit::Status::Starting => Status::Starting,
            wit::Status::Running => Status::Running,
            wit::Status::Stopping => Status::Stopping,
            wit::Status::Restarting => Status::Restarting,
        },
        supervisor: child.supervisor,
        restart: match child.restart {
            wit::Restart::Permanent => Restart::Permanent,
            wit::Restart::Transient => Restart::Transient,
            wit::Restart::Temporary => Restart::Temporary,
        },
        restarts: child.restarts,
        restart_in_ms: child.restart_in_ms,
    }
}

impl From<wit::Error> for SupervisionError {
    fn from(error: wit::Error) -> SupervisionError {
        match error {
            wit::Error::Refused(refusal) => SupervisionError::Refused(refusal),
            wit::Error::AlreadyStarted(pid) => SupervisionError::AlreadyStarted(pid),
            wit::Error::AlreadyPresent => SupervisionError::AlreadyPresent,
            wit::Error::NotFound => SupervisionError::NotFound,
            wit::Error::Running => SupervisionError::Running,
            wit::Error::Restarting => SupervisionError::Restarting,
            wit::Error::Stopping => SupervisionError::Stopping,
            wit::Error::MaxChildren => SupervisionError::MaxChildren,
            wit::Error::OnlyByPid => SupervisionError::OnlyByPid,
            wit::Error::OnlyByNumber => SupervisionError::OnlyByNumber,
            wit::Error::OnlyByTemplate => SupervisionError::OnlyByTemplate,
            wit::Error::NoTemplate => SupervisionError::NoTemplate,
            wit::Error::NoSuchPartitions => SupervisionError::NoSuchPartitions,
            wit::Error::Failed(reason) => SupervisionError::Failed(reason),
            wit::Error::Ignored => SupervisionError::Ignored,
            wit::Error::Ended => SupervisionError::Ended,
        }
    }
}
