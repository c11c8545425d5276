//! What a supervisor is told and what it answers.
//!
//! Only plain values. The runtime makes an [`Input`] of each signal and performs each [`Order`].

use crate::{ExitReason, Name, Pid, SpawnError, Time};

use super::spec::{ChildKind, ChildSpec, Restart, SpecError, SupervisorSpec};

/// Tells one start, timer or retry of a supervisor from all its others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Token(pub u64);

/// Something that happened to a supervisor. `A` names whoever waits for an answer; it comes back in [`Order::Reply`].
#[derive(Clone, PartialEq, Debug)]
pub enum Input<S, A> {
    /// It is to start its children.
    Begin,
    /// What became of a start. Each [`Order::Start`] is answered once, also when it was cancelled; a child's answer
    /// comes before its end.
    Started {
        /// Which start.
        token: Token,
        /// The child, or why there is none.
        outcome: Result<Pid, SpawnError>,
    },
    /// A process ended; one that is no child is ignored. The runtime monitors every child.
    Down {
        /// Who.
        pid: Pid,
        /// Why.
        reason: ExitReason,
    },
    /// It is to end: its parent's exit signal, or an operator. Only the first one counts.
    Stop {
        /// With this reason.
        reason: ExitReason,
    },
    /// A timer that it had set is due.
    Timeout {
        /// Which timer.
        token: Token,
    },
    /// The answer to [`Order::Retry`].
    Retry {
        /// Which try.
        token: Token,
    },
    /// Add a child and start it.
    StartChild {
        /// The child.
        spec: ChildSpec<S>,
        /// Who asks.
        ask: A,
    },
    /// Stop a child; its spec stays, unless it is temporary.
    TerminateChild {
        /// Which child.
        id: Name,
        /// Who asks.
        ask: A,
    },
    /// Start a child that is down.
    RestartChild {
        /// Which child.
        id: Name,
        /// Who asks.
        ask: A,
    },
    /// Stop a child whose supervisor knows it by its pid alone (DSUP-02).
    TerminatePid {
        /// Which child.
        pid: Pid,
        /// Who asks.
        ask: A,
    },
    /// Use so many partitions from now on: stop those beyond, or start them again (DSUP-09).
    Resize {
        /// How many; at most as many as are listed.
        partitions: usize,
        /// Who asks.
        ask: A,
    },
    /// Forget a child that is down.
    DeleteChild {
        /// Which child.
        id: Name,
        /// Who asks.
        ask: A,
    },
    /// Take another spec in place of the one it has, as at an upgrade (HOT-17): strategy, intensity and the specs of
    /// children with the same id are replaced, and what runs goes on. Children that are new are added as not running, in
    /// the place that the new list gives them; those that it does not list are kept, after the others. Nobody is started,
    /// stopped or restarted.
    Replace {
        /// The new spec.
        spec: SupervisorSpec<S>,
        /// Who asks.
        ask: A,
    },
    /// List the children.
    WhichChildren {
        /// Who asks.
        ask: A,
    },
    /// Count the children.
    CountChildren {
        /// Who asks.
        ask: A,
    },
}

/// Something to be done for a supervisor, in this order.
#[derive(Clone, PartialEq, Debug)]
pub enum Order<S, A> {
    /// Start this child, link and monitor it, and answer with [`Input::Started`].
    Start {
        /// Comes back in the answer.
        token: Token,
        /// Which child.
        id: Name,
        /// What to start.
        start: S,
        /// What it is.
        kind: ChildKind,
        /// Why it is started.
        cause: StartCause,
    },
    /// The outcome of this start is no longer wanted: end the half-started process (kill a worker; hand a supervisor
    /// [`Input::Stop`], for its children's sake). The answer is still due; if the start had succeeded before this
    /// arrived, it is the pid, and that child is stopped in order.
    CancelStart {
        /// Which start.
        token: Token,
    },
    /// Send the child the exit signal `shutdown`.
    Shutdown {
        /// Which child.
        pid: Pid,
    },
    /// Kill the child.
    Kill {
        /// Which child.
        pid: Pid,
    },
    /// Answer with [`Input::Timeout`] at this moment.
    SetTimer {
        /// Comes back in the answer.
        token: Token,
        /// When.
        at: Time,
    },
    /// That timer is no longer needed; should it go off nevertheless, it is ignored.
    CancelTimer {
        /// Which timer.
        token: Token,
    },
    /// Answer with [`Input::Retry`] once everything that has arrived by now was handed over, so that a loop of failing
    /// restarts can be broken (SUP-11).
    Retry {
        /// Comes back in the answer.
        token: Token,
    },
    /// All children were started: tell the starter.
    Ready,
    /// It ended before it was ready: tell the starter, and end the process with this reason. The last but for replies.
    Failed {
        /// Why.
        reason: ExitReason,
    },
    /// All children are down: end the process with this reason. The last but for replies.
    Finish {
        /// Why.
        reason: ExitReason,
    },
    /// Answer a request.
    Reply {
        /// Who asked.
        ask: A,
        /// The answer.
        result: Result<Answer, RequestError>,
    },
    /// Tell the log.
    Report(Report),
}

/// Why a child is started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartCause {
    /// Its supervisor starts.
    Init,
    /// Somebody asked for it.
    Request,
    /// It, or a sibling that its strategy ties it to, ended.
    Restart,
}

/// What became of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It was started; `None` if it chose not to run (SUP-19).
    Started(Option<Pid>),
    /// It is down, or forgotten, or replaced.
    Done,
    /// The children, newest first (SUP-20).
    Children(Vec<ChildView>),
    /// How many there are.
    Counts(Counts),
}

/// Why a request was not fulfilled (SUP-12, SUP-18, DSUP-02, DSUP-07).
#[derive(Clone, PartialEq, Debug)]
pub enum RequestError {
    /// A child with this id runs.
    AlreadyStarted(Pid),
    /// A child with this id is known, but does not run.
    AlreadyPresent,
    /// There is no child with this id.
    NotFound,
    /// The child runs, or is about to.
    Running,
    /// The child is being restarted.
    Restarting,
    /// The supervisor itself is ending.
    Stopping,
    /// It has as many children as it may have.
    MaxChildren,
    /// Its children come and go, and are known by their pids alone.
    OnlyByPid,
    /// Its children are partitions: their number is changed, not the list.
    OnlyByNumber,
    /// Its children are made from its template, and from nothing else.
    OnlyByTemplate,
    /// It has no template.
    NoTemplate,
    /// It has no partitions, or not so many.
    NoSuchPartitions,
    /// The spec makes no sense.
    Invalid(SpecError),
    /// The child was not started.
    Failed(SpawnError),
}

/// How a child is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildStatus {
    /// It is down, and nothing is about to change that.
    Stopped,
    /// It is being started for the first time or by request, or waits for its turn.
    Starting,
    /// It runs.
    Running(Pid),
    /// It was told to end.
    Stopping(Pid),
    /// It is down and is being started again, or waits for its turn.
    Restarting,
}

impl ChildStatus {
    /// Its process, if it has one.
    #[must_use]
    pub fn pid(self) -> Option<Pid> {
        match self {
            ChildStatus::Running(pid) | ChildStatus::Stopping(pid) => Some(pid),
            ChildStatus::Stopped | ChildStatus::Starting | ChildStatus::Restarting => None,
        }
    }
}

/// One child in a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChildView {
    /// Its id.
    pub id: Name,
    /// How it is doing.
    pub status: ChildStatus,
    /// What it is.
    pub kind: ChildKind,
    /// When it is restarted.
    pub restart: Restart,
    /// How often its own end or failing restart was answered with a restart.
    pub restarts: u64,
    /// When its next restart is due, if that waits for its time.
    pub restart_at: Option<Time>,
}

/// How many children there are (SUP-20).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// All, running or not.
    pub specs: usize,
    /// Those with a process.
    pub active: usize,
    /// Those that are supervisors, running or not.
    pub supervisors: usize,
    /// Those that are not.
    pub workers: usize,
}

/// Something an operator wants to know.
#[derive(Clone, PartialEq, Debug)]
pub enum Report {
    /// A child ended on its own, and it was not in order: abnormally, or at all if it is permanent.
    Ended {
        /// Which child.
        child: Name,
        /// Its process.
        pid: Pid,
        /// Why.
        reason: ExitReason,
    },
    /// A start failed.
    StartFailed {
        /// Which child.
        child: Name,
        /// Why.
        error: SpawnError,
    },
    /// A child that was being stopped ended in another way than it should have.
    StopFailed {
        /// Which child.
        child: Name,
        /// Its process.
        pid: Pid,
        /// Why it ended.
        reason: ExitReason,
    },
    /// A restart begins.
    Restarting {
        /// Whose end or failed restart is the cause.
        child: Name,
        /// How many restarts that makes.
        total: u64,
    },
    /// There were too many restarts (SUP-08): the supervisor stops everything and ends.
    GaveUp {
        /// Who was to be restarted once more.
        child: Name,
    },
    /// Significant children have ended (SUP-24): the supervisor stops everything and ends.
    AutoShutdown {
        /// The last of them.
        child: Name,
    },
}
