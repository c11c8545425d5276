//! What a process receives and what it answers: the kernel's side of the contract with a guest (`wit/types.wit`).

use std::fmt;
use std::sync::Arc;

use crate::directory::Via;
use crate::{Alias, Body, ExitReason, Mark, Name, Pid};

/// Whom to address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// A process.
    Pid(Pid),
    /// Whoever holds the name at the moment of sending.
    Name(Name),
    /// Whoever holds this key of a unique registry at the moment of sending.
    Via(Via),
    /// Whoever has opened this alias, while it is open.
    Alias(Alias),
}

impl From<Pid> for Address {
    fn from(pid: Pid) -> Self {
        Address::Pid(pid)
    }
}

impl From<&str> for Address {
    fn from(name: &str) -> Self {
        Address::Name(name.into())
    }
}

/// Who waits for a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The process that called.
    pub pid: Pid,
    /// Which of its requests.
    pub mark: Mark,
}

/// Why a call brought no reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallError {
    /// The time was up; the request may still be performed (GS-03).
    Timeout,
    /// The callee ended first (GS-06).
    Ended(ExitReason),
    /// It was not delivered: the text says why.
    Refused(Arc<str>),
}

/// What happened to entries that a process watches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Changed {
    /// An entry came.
    Added {
        /// Under which key: the group, for a scope.
        key: Name,
        /// Whose.
        pid: Pid,
        /// Its value. Shared, since every watcher gets a copy.
        value: Arc<Body>,
    },
    /// An entry went, taken out by its owner or with it.
    Removed {
        /// Under which key.
        key: Name,
        /// Whose.
        pid: Pid,
    },
    /// The mailbox was full when something changed: nothing more comes of this watch.
    Missed,
}

/// Why the host did not do what was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Not granted; names the grant.
    Denied(String),
    /// No such name, module or process.
    Unknown(String),
    /// Somebody holds the name.
    Taken(Pid),
    /// A limit was reached; says which.
    Limit(String),
    /// The argument makes no sense; says why.
    Invalid(String),
}

/// Why a spawn brought no process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SpawnError {
    /// Nothing was started.
    Refused(Refusal),
    /// `init` answered `ignore`.
    Ignored,
    /// `init` failed, stopped or took too long.
    Failed(ExitReason),
}

/// One line, for logs and errors; guest text is not yet made safe for a terminal.
impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Timeout => f.write_str("no reply in time"),
            CallError::Ended(reason) => write!(f, "it ended before it replied: {reason}"),
            CallError::Refused(why) => write!(f, "not delivered: {why}"),
        }
    }
}

/// As that of [`CallError`].
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Denied(what) => write!(f, "not granted: {what}"),
            Refusal::Unknown(what) => write!(f, "unknown: {what}"),
            Refusal::Taken(pid) => write!(f, "the name is held by {pid}"),
            Refusal::Limit(what) => write!(f, "limit reached: {what}"),
            Refusal::Invalid(what) => write!(f, "invalid: {what}"),
        }
    }
}

/// As that of [`CallError`].
impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpawnError::Refused(refusal) => write!(f, "{refusal}"),
            SpawnError::Ignored => f.write_str("it ignored its start"),
            SpawnError::Failed(reason) => write!(f, "{reason}"),
        }
    }
}

impl std::error::Error for CallError {}
impl std::error::Error for Refusal {}
impl std::error::Error for SpawnError {}

/// What a process finds in its mailbox.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A request that waits for a reply.
    Call {
        /// To whom the reply goes.
        caller: Caller,
        /// The request.
        body: Body,
    },
    /// An order to end, of somebody who waits until it has: `gen_server:stop` (GS-14). No guest ever sees it.
    Stop {
        /// Who waits.
        caller: Caller,
        /// The reason to end with.
        reason: ExitReason,
    },
    /// A request that does not.
    Cast(Body),
    /// Any other message.
    Info(Body),
    /// What became of a request that did not block.
    Answer {
        /// Which request, or which spawn of a task with a monitor.
        mark: Mark,
        /// The reply, or why there is none.
        outcome: Result<Body, CallError>,
    },
    /// An exit signal, trapped.
    Exit {
        /// Who ended, or who sent it.
        pid: Pid,
        /// Why.
        reason: ExitReason,
    },
    /// A monitored process ended.
    Down {
        /// Which monitor.
        mark: Mark,
        /// What was given to `monitor` (MON-04).
        target: Address,
        /// Why.
        reason: ExitReason,
        /// The tag given to `monitor` (MON-07).
        tag: Option<Body>,
    },
    /// An own timer went off.
    Timer {
        /// Which timer.
        mark: Mark,
        /// What was given to `start`.
        body: Body,
    },
    /// What this process watches has changed.
    Change {
        /// Which watch.
        mark: Mark,
        /// What happened.
        what: Changed,
    },
    /// Nothing came for as long as the process said.
    Idle,
    /// The body of a `continue`.
    Continue(Body),
    /// What became of a spawn that did not block. For native processes: a guest's spawn blocks.
    Started {
        /// Which spawn.
        mark: Mark,
        /// The child, or why there is none.
        outcome: Result<Pid, SpawnError>,
    },
}

impl Event {
    /// The size of what it carries, in bytes, as limits count it.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Event::Answer { outcome: Err(CallError::Ended(reason)), .. } | Event::Exit { reason, .. } => reason.len(),
            Event::Down { reason, tag, .. } => reason.len() + tag.as_ref().map_or(0, Body::len),
            other => other.body().map_or(0, Body::len),
        }
    }

    /// What it is, in a word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Call { .. } => "call",
            Event::Stop { .. } => "stop",
            Event::Cast(_) => "cast",
            Event::Info(_) => "info",
            Event::Answer { .. } => "answer",
            Event::Exit { .. } => "exit",
            Event::Down { .. } => "down",
            Event::Change { .. } => "change",
            Event::Timer { .. } => "timer",
            Event::Idle => "idle",
            Event::Continue(_) => "continue",
            Event::Started { .. } => "started",
        }
    }

    /// What it carries.
    #[must_use]
    pub fn body(&self) -> Option<&Body> {
        match self {
            Event::Call { body, .. }
            | Event::Cast(body)
            | Event::Info(body)
            | Event::Timer { body, .. }
            | Event::Continue(body)
            | Event::Answer { outcome: Ok(body), .. } => Some(body),
            Event::Change { what: Changed::Added { value, .. }, .. } => Some(value),
            Event::Stop { .. }
            | Event::Answer { .. }
            | Event::Exit { .. }
            | Event::Down { .. }
            | Event::Change { .. }
            | Event::Idle
            | Event::Started { .. } => None,
        }
    }

    /// Whether it carries nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Who waits for an answer to it.
    #[must_use]
    pub fn caller(&self) -> Option<Caller> {
        match self {
            Event::Call { caller, .. } | Event::Stop { caller, .. } => Some(*caller),
            _ => None,
        }
    }

    /// The mark that a selective receive knows it by.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        match self {
            Event::Answer { mark, .. }
            | Event::Down { mark, .. }
            | Event::Timer { mark, .. }
            | Event::Change { mark, .. } => Some(*mark),
            _ => None,
        }
    }
}

/// What a process does after an event.
#[derive(Clone, PartialEq, Debug)]
pub enum Next {
    /// Wait for the next one.
    Wait,
    /// Wait, and be told [`Event::Idle`] when nothing came for so many milliseconds.
    WaitFor(u64),
    /// Give the instance back now.
    Hibernate,
    /// Handle this first.
    Continue(Body),
    /// Run `terminate`, then end.
    Stop(ExitReason),
}

/// What a handler answers.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// The reply to the call just handled.
    pub reply: Option<Body>,
    /// What comes next.
    pub next: Next,
}

/// What `init` answers.
#[derive(Clone, PartialEq, Debug)]
pub enum Start {
    /// Up and running.
    Ready(Next),
    /// End without a fault; the starter is told `ignored`.
    Ignore,
    /// End with this reason.
    Stop(ExitReason),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_one_line() {
        let pid = Pid { node: 0, id: 1, tag: 1 };
        let table: [(&dyn std::error::Error, &str); 8] = [
            (&CallError::Timeout, "no reply in time"),
            (&CallError::Ended(ExitReason::Killed), "it ended before it replied: killed"),
            (&CallError::Refused("mailbox full".into()), "not delivered: mailbox full"),
            (&SpawnError::Refused(Refusal::Denied("names".into())), "not granted: names"),
            (&SpawnError::Ignored, "it ignored its start"),
            (&SpawnError::Failed(ExitReason::failed("no")), "failed: no"),
            (&Refusal::Taken(pid), "the name is held by <0.1>"),
            (&Refusal::Limit("links".into()), "limit reached: links"),
        ];
        for (error, expected) in table {
            assert_eq!(error.to_string(), expected);
        }
        assert_eq!(Refusal::Unknown("x".into()).to_string(), "unknown: x");
        assert_eq!(Refusal::Invalid("x".into()).to_string(), "invalid: x");
    }

    #[test]
    fn limits_count_the_body_of_whatever_carries_one() {
        let (body, mark, pid) = (Body::Text("four".into()), Mark(1), Pid { node: 0, id: 1, tag: 1 });
        let target = || Address::Pid(pid);
        let reason = || ExitReason::failed("four");
        let tag = || Some(body.clone());
        let four = [
            Event::Call { caller: Caller { pid, mark }, body: body.clone() },
            Event::Cast(body.clone()),
            Event::Info(body.clone()),
            Event::Timer { mark, body: body.clone() },
            Event::Continue(body.clone()),
            Event::Answer { mark, outcome: Ok(body.clone()) },
            Event::Answer { mark, outcome: Err(CallError::Ended(reason())) },
            Event::Exit { pid, reason: reason() },
            Event::Down { mark, target: target(), reason: reason(), tag: None },
            Event::Down { mark, target: target(), reason: ExitReason::Normal, tag: tag() },
        ];
        let none = [
            Event::Answer { mark, outcome: Err(CallError::Timeout) },
            Event::Exit { pid, reason: ExitReason::Normal },
            Event::Down { mark, target: target(), reason: ExitReason::Normal, tag: None },
            Event::Idle,
            Event::Started { mark, outcome: Ok(pid) },
            Event::Info(Body::Raw(Vec::new())),
        ];
        assert!(four.iter().all(|event| event.len() == 4 && !event.is_empty()));
        assert!(none.iter().all(Event::is_empty));
    }
}
