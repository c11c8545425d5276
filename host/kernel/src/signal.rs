//! What reaches a process, and what its state machine asks the caller to perform.
//!
//! Signals from one sender to one receiver are delivered in the order they were sent, whatever their kind (PROC-01);
//! between senders there is no order (PROC-02).

use std::sync::Arc;

use crate::directory::Holding;
use crate::process::Search;
use crate::system::{SystemAnswer, SystemError, SystemId, SystemRequest};
use crate::upgrade::{News, UpgradeId, Verdict};
use crate::{Address, Body, CallError, Caller, Changed, Event, ExitReason, Mark, Name, Pid, SpawnError, Time};

/// What reaches a process.
#[derive(Clone, PartialEq, Debug)]
pub enum Signal {
    /// A call, cast or info. A call also makes its sender a watcher, so that it learns of the callee's end.
    Message(Event),
    /// As [`Signal::Message`], to an alias of the receiver. If that is closed, nobody hears of it (MON-12).
    Through {
        /// Which alias, as the receiver knows it.
        alias: Mark,
        /// The message.
        event: Event,
    },
    /// The sender asks whether the receiver lives. The answer is a reply, or that the receiver has ended (PROC-06).
    Alive {
        /// The sender.
        from: Pid,
        /// Which of its requests.
        mark: Mark,
    },
    /// A reply to a request of the receiver.
    Answer {
        /// Which request.
        mark: Mark,
        /// Who replied, which may be another than was asked (GS-08).
        by: Pid,
        /// The reply, or why there will be none.
        outcome: Result<Body, CallError>,
    },
    /// What became of a spawn by the receiver.
    Started {
        /// Which spawn.
        mark: Mark,
        /// The child, or why there is none.
        outcome: Result<Pid, SpawnError>,
    },
    /// A task that the receiver monitors has finished with this result; its `Down` follows.
    Finished {
        /// Which monitor.
        mark: Mark,
        /// The result.
        body: Body,
    },
    /// Link with the sender.
    Link {
        /// The sender.
        from: Pid,
    },
    /// Unlink from the sender.
    Unlink {
        /// The sender.
        from: Pid,
    },
    /// The sender wants to know of the receiver's end.
    Monitor {
        /// The sender.
        from: Pid,
        /// Which of its monitors.
        mark: Mark,
    },
    /// The sender no longer wants to, or no longer waits for a reply.
    Demonitor {
        /// The sender.
        from: Pid,
        /// Which of its monitors or requests.
        mark: Mark,
    },
    /// A linked process has ended.
    LinkExit {
        /// Which.
        from: Pid,
        /// Why.
        reason: ExitReason,
    },
    /// Somebody sends an exit signal.
    Exit {
        /// Who.
        from: Pid,
        /// With which reason.
        reason: ExitReason,
    },
    /// Somebody kills.
    Kill,
    /// A monitored process has ended.
    Down {
        /// Which monitor.
        mark: Mark,
        /// Why.
        reason: ExitReason,
    },
    /// What the receiver watches has changed.
    Change {
        /// Which of its watches.
        mark: Mark,
        /// What happened.
        what: Changed,
    },
    /// A timer that this process ordered is due.
    TimeUp {
        /// Which.
        mark: Mark,
    },
    /// Give the instance back as soon as nothing is to be done.
    Evict(Want),
    /// Stop between two messages, ahead of all mail, and tell.
    Suspend {
        /// In which upgrade.
        upgrade: UpgradeId,
    },
    /// Have the state taken over by the new code, if suspended in this upgrade.
    Migrate {
        /// In which upgrade.
        upgrade: UpgradeId,
    },
    /// An operator asks something. The answer is [`Action::Inform`].
    System {
        /// Which request.
        id: SystemId,
        /// What.
        request: SystemRequest,
    },
    /// The operator does not wait for that any more.
    Withdraw {
        /// Which request.
        id: SystemId,
    },
    /// The sender stands still in a request to the receiver, and so may others that wait for it.
    Search(Box<Search>),
    /// Take a request back that has not been handled: it is one of a circle.
    Retract {
        /// Whose, and which.
        caller: Caller,
        /// What its caller is told.
        why: Arc<str>,
    },
    /// Go on.
    Resume {
        /// In which upgrade.
        upgrade: UpgradeId,
        /// On which code.
        verdict: Verdict,
    },
}

impl Signal {
    /// Whether it matters when it arrives.
    #[must_use]
    pub fn is_timely(&self) -> bool {
        matches!(self, Signal::TimeUp { .. } | Signal::Suspend { .. } | Signal::Resume { .. })
    }

    /// Who must hear of it if this signal is not delivered (PROC-03, MON-02, GS-06). A link is not here: what happens
    /// then depends on whether its sender traps exits.
    #[must_use]
    pub fn complaint(&self) -> Option<Complaint> {
        match self {
            Signal::Message(event) => {
                event.caller().map(|caller| Complaint { to: caller.pid, mark: caller.mark, about: About::Call })
            }
            Signal::Alive { from, mark } => Some(Complaint { to: *from, mark: *mark, about: About::Call }),
            Signal::Monitor { from, mark } => Some(Complaint { to: *from, mark: *mark, about: About::Monitor }),
            _ => None,
        }
    }
}

/// For whom an instance is wanted back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// Somebody who finds no place in its class.
    Room,
    /// Somebody below the same budget, which is full or nearly so.
    Budget,
}

/// Whom to tell that a signal was not delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Complaint {
    to: Pid,
    mark: Mark,
    about: About,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum About {
    Call,
    Monitor,
}

impl Complaint {
    /// Tells the sender, in the name of the receiver `by`.
    #[must_use]
    pub fn action(self, by: Pid, why: Undelivered) -> Action {
        let Complaint { to, mark, about } = self;
        let signal = match about {
            About::Call => Signal::Answer { mark, by, outcome: Err(why.into()) },
            About::Monitor => Signal::Down { mark, reason: ExitReason::Noproc },
        };
        Action::Deliver { to, signal }
    }
}

/// What the caller of a state machine must perform, in this order.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Deliver a signal to another process.
    Deliver {
        /// The receiver.
        to: Pid,
        /// The signal.
        signal: Signal,
    },
    /// Send an `info` to whoever is addressed then.
    Send {
        /// The receiver.
        to: Address,
        /// The message.
        body: Body,
    },
    /// Deliver [`Signal::TimeUp`] with this mark at this moment, not earlier.
    StartTimer {
        /// Which timer of this process.
        mark: Mark,
        /// When.
        at: Time,
    },
    /// Forget that timer.
    CancelTimer {
        /// Which timer of this process.
        mark: Mark,
        /// When it would have been due.
        at: Time,
    },
    /// Tell whoever performs the upgrade.
    Tell {
        /// Which upgrade.
        upgrade: UpgradeId,
        /// What.
        news: News,
    },
    /// Tell the operator who asked.
    Inform {
        /// Which request.
        request: SystemId,
        /// What came of it.
        answer: Result<SystemAnswer, SystemError>,
    },
    /// Free the name this process held.
    ReleaseName(Name),
    /// Take out of the app's directory what this process had in it.
    Release(Holding),
    /// Forget the process: from now on there is none with this pid.
    Remove,
}

/// Why a signal had no effect on its receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Undelivered {
    /// It has ended.
    Gone,
    /// Its mailbox is full.
    MailboxFull,
    /// There are as many bytes in mailboxes as this budget lets there be.
    OverBudget(Name),
    /// The body is larger than it takes.
    TooLarge,
    /// It has as many links as it may have.
    TooManyLinks,
    /// Tasks and the host's own are told to end by exit signals.
    NotAServer,
}

/// What a caller is told when its request was not delivered.
impl From<Undelivered> for CallError {
    fn from(why: Undelivered) -> Self {
        match why {
            Undelivered::Gone => CallError::Ended(ExitReason::Noproc),
            Undelivered::MailboxFull => CallError::Refused("mailbox full".into()),
            Undelivered::OverBudget(whose) => CallError::Refused(format!("mailbox_bytes of {whose}").into()),
            Undelivered::TooLarge => CallError::Refused("body larger than the receiver takes".into()),
            Undelivered::TooManyLinks => CallError::Refused("too many links".into()),
            Undelivered::NotAServer => CallError::Refused("only a server ends in order".into()),
        }
    }
}

/// What came of delivering a signal.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct Delivery {
    /// Whether it took effect.
    pub outcome: Result<(), Undelivered>,
    /// Whether the receiver must be put on the run queue now.
    pub wake: bool,
    /// How many events wait in the receiver's mailbox now.
    pub waiting: usize,
}
