//! The way to the host: questions as calls of the contract, and its answers as values. Called in place of the harness, in
//! Wasm.

use super::{Ask, Reply, Statistics, Status, SystemError};
use crate::bindings::process::skep::process::system as wit;
use crate::types::Address;

/// Asks a server.
pub(crate) fn ask(target: &Address, ask: Ask, timeout_ms: Option<u64>) -> Result<Reply, SystemError> {
    Ok(match ask {
        Ask::Suspend => wit::suspend(target, timeout_ms).map(|()| Reply::Done)?,
        Ask::Resume => wit::resume(target).map(|()| Reply::Done)?,
        Ask::State => Reply::State(wit::get_state(target, timeout_ms)?),
        Ask::ReplaceState(state) => wit::replace_state(target, &state, timeout_ms).map(|()| Reply::Done)?,
        Ask::Status => Reply::Status(status(wit::get_status(target)?)),
        Ask::Statistics => Reply::Statistics(statistics(wit::get_statistics(target)?)),
    })
}

fn status(given: wit::Status) -> Status {
    Status {
        pid: given.pid,
        name: given.name,
        module: given.module,
        parent: given.parent,
        doing: given.doing,
        handling: given.handling,
        suspended: given.suspended,
        traps_exits: given.traps_exits,
        mailbox_messages: given.mailbox_messages,
        mailbox_bytes: given.mailbox_bytes,
        links: given.links,
        monitors: given.monitors,
        timers: given.timers,
    }
}

fn statistics(given: wit::Statistics) -> Statistics {
    let wit::Statistics { messages_in, messages_out, fuel_used, memory_bytes, up_ms } = given;
    Statistics { messages_in, messages_out, fuel_used, memory_bytes, up_ms }
}

impl From<wit::Error> for SystemError {
    fn from(error: wit::Error) -> SystemError {
        match error {
            wit::Error::Refused(refusal) => SystemError::Refused(refusal),
            wit::Error::Timeout => SystemError::Timeout,
            wit::Error::Failed(wit::Failure { step, reason }) => SystemError::Failed { step, reason },
            wit::Error::Ended => SystemError::Ended,
        }
    }
}
