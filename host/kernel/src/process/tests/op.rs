//! What a scripted guest can do, one system call or answer each.

use super::world::Child;
use crate::process::*;
use crate::{Body, Next};

/// One thing that a guest does.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Op {
    Say(String),
    Send(String, Body),
    Cast(String, Body),
    Call {
        to: String,
        timeout: Option<u64>,
        body: Body,
    },
    Request {
        to: String,
        timeout: Option<u64>,
        body: Body,
    },
    /// Tells a server to end, and waits until it has.
    Halt {
        to: String,
        timeout: Option<u64>,
        reason: ExitReason,
    },
    /// Gives up the request to this one.
    Abandon(String),
    /// Replies to the call that is being handled.
    Reply(Body),
    /// Replies to the oldest call that `whose` has left open.
    Answer {
        whose: String,
        body: Body,
    },
    Link(String),
    Unlink(String),
    Monitor(String),
    /// A monitor with a tag or an alias, known by the label.
    Watch {
        of: String,
        label: String,
        tag: Option<Body>,
        alias: Option<AliasMode>,
    },
    Alias {
        label: String,
        mode: AliasMode,
    },
    Unalias(String),
    Demonitor {
        of: String,
        flush: bool,
    },
    Trap(bool),
    Exit(String, ExitReason),
    Kill(String),
    Spawn(Box<SpawnOp>),
    Timer {
        label: String,
        ms: u64,
    },
    After {
        label: String,
        ms: u64,
        to: String,
    },
    /// A timer at this moment of the clock.
    TimerAt {
        label: String,
        ms: u64,
    },
    /// A timer of one's own, or `whose.label`.
    Cancel(String),
    Left(String),
    Register(String),
    Unregister(String),
    Alive(String),
    Receive {
        only: Option<String>,
        timeout: Option<u64>,
    },
    /// Takes the oldest message with this text, looking at one event after the other.
    Choose {
        text: String,
        timeout: Option<u64>,
    },
    More,
    Next(Next),
    Ignore,
    Fail(String),
    Crash(String),
    Finish(Body),
    /// Opens something that a state cannot carry, or closes it.
    Hold(bool),
    /// Uses up its slice.
    Spin,
}

/// A child to be started, and how it is waited for.
#[derive(Clone, Debug)]
pub(super) struct SpawnOp {
    pub(super) child: Child,
    pub(super) waiting: Waiting,
}

impl PartialEq for SpawnOp {
    fn eq(&self, other: &Self) -> bool {
        self.child.label == other.child.label
    }
}
