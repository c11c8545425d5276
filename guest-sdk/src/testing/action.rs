//! What a process under test did, as the test sees it.
//!
//! Owns the list of what can be done. Noted by `world`, read through `Harness::actions`.

use crate::supervision::{Ask, Supervisor};
use crate::types::{Address, Body, ExitReason, Level, Mark, Pid};

/// What the process under test did, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sent a plain message (to itself: it is handled next, and not noted).
    Send {
        /// Where to.
        to: Address,
        /// What.
        body: Body,
    },
    /// Sent a cast.
    Cast {
        /// Where to.
        to: Address,
        /// What.
        body: Body,
    },
    /// Called; what [`World::on_call`](super::World::on_call) says was the reply.
    Call {
        /// Whom.
        to: Address,
        /// With what.
        body: Body,
    },
    /// Asked without waiting; the test answers with [`Harness::answer`](super::Harness::answer).
    Request {
        /// Tells it from others.
        mark: Mark,
        /// Whom.
        to: Address,
        /// With what.
        body: Body,
    },
    /// Published; its own subscriptions are served besides.
    Broadcast {
        /// Where.
        topic: String,
        /// What.
        body: Body,
    },
    /// Told a server to end; what [`World::on_stop`](super::World::on_stop) says became of it.
    StopServer {
        /// Whom.
        to: Address,
        /// With which reason.
        reason: ExitReason,
    },
    /// Gave up a request.
    Abandon(Mark),
    /// Linked itself.
    Link(Pid),
    /// Unlinked itself.
    Unlink(Pid),
    /// Began to monitor.
    Monitor {
        /// Tells it from others.
        mark: Mark,
        /// Whom.
        target: Address,
    },
    /// Ceased to monitor.
    Demonitor(Mark),
    /// Sent an exit signal.
    Exit {
        /// Where to.
        to: Pid,
        /// Saying what.
        reason: ExitReason,
    },
    /// Killed a process.
    Kill(Pid),
    /// Started a process; what [`World::on_spawn`](super::World::on_spawn) says became of it.
    Spawn {
        /// Of which module.
        module: String,
        /// With what arguments.
        args: Body,
    },
    /// Started a supervisor, which has a new pid.
    StartSupervisor(Box<Supervisor>),
    /// Asked a supervisor; what [`World::on_ask`](super::World::on_ask) says was the answer.
    AskSupervisor {
        /// Which.
        supervisor: Address,
        /// For what.
        ask: Ask,
    },
    /// Sent a system message; what [`World::on_system`](super::World::on_system) says was the answer.
    System {
        /// To whom.
        target: Address,
        /// Which.
        ask: crate::sys::Ask,
    },
    /// Wrote into the log.
    Log(Level, String),
}
