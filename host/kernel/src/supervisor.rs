//! Chooses what a supervisor does next: OTP's supervisor as a state machine that never blocks.
//!
//! Owns the children's order and states, the restart history and the progress of starting and stopping. Never starts,
//! stops or waits for a process: it is told an [`Input`] and answers with [`Order`]s, which the runtime performs. OTP
//! waits inside a start or a stop; here everything else is served meanwhile, and where the order of things would show,
//! it is one that OTP's order of messages allows. Deviations: a start that is no longer wanted is cancelled rather than
//! waited for, and restarts of a one-for-one supervisor do not wait for each other.

mod backoff;
mod children;
mod dynamic;
mod intensity;
mod machine;
mod partitions;
mod protocol;
mod requests;
mod restart;
mod shutdown;
mod spec;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::budget::BudgetSpec;
use crate::{ExitReason, Name, Pid, SpawnError, Time};

pub use backoff::Backoff;
use children::{Children, Origin, Rank, State};
pub use dynamic::DynamicSupervisor;
use intensity::Intensity;
pub use machine::Machine;
use partitions::Partitions;
pub use partitions::{RouteError, place_of};
pub use protocol::{Answer, ChildStatus, ChildView, Counts, Input, Order, Report, RequestError, StartCause, Token};
use requests::Held;
pub use spec::{AutoShutdown, ChildKind, ChildSpec, Restart, Roster, Shutdown, SpecError, Strategy, SupervisorSpec};

/// How far a supervisor is in its life.
#[derive(Debug)]
enum Phase {
    /// Waits for [`Input::Begin`].
    New,
    /// Starts its children for the first time.
    Init,
    /// Serves.
    Running,
    /// Stops its children.
    Ending(Ending),
    /// Nothing runs any more, and its process was told to end.
    Ended,
}

/// What it says when all children are down.
#[derive(Debug)]
enum Ending {
    /// It had not been ready: [`Order::Failed`].
    Failed(ExitReason),
    /// [`Order::Finish`].
    Finish(ExitReason),
}

/// Whether there is more to do without another input.
#[must_use]
#[derive(PartialEq, Eq)]
enum Progress {
    More,
    Waiting,
}

/// One supervisor whose children are listed. `S` is what a start needs, `A` names whoever waits for an answer.
/// [`Machine`] is one of either kind.
///
/// It starts anew with each restart of its process, from the spec that its parent has: what was added meanwhile is lost,
/// what was deleted comes back, and no restart is counted yet (SUP-21). Whoever replaces the spec of a running supervisor
/// therefore replaces the one that its parent has, too.
#[derive(Debug)]
pub struct Supervisor<S, A> {
    strategy: Strategy,
    auto_shutdown: AutoShutdown,
    backoff: Option<Backoff>,
    roster: Roster,
    max_children: usize,
    budget: Box<BudgetSpec>,
    intensity: Intensity,
    children: Children<S, A>,
    partitions: Partitions<A>,
    phase: Phase,
    /// From here on children are being stopped in order to be started again.
    rebuild: Option<Rank>,
    /// The child whose restart the rebuild is for, if that is to wait until this moment.
    late: Option<(Rank, Time)>,
    /// Whose start the other pending ones wait for.
    turn: Option<Rank>,
    /// Who ended during init and is to be restarted after it, in the order of their ends.
    crashed: VecDeque<Rank>,
    /// The last significant child that ended for good during init.
    significant_gone: Option<Name>,
    /// Requests that wait until nothing is pending.
    held: VecDeque<Held<S, A>>,
    tokens: u64,
    restarts_total: u64,
}

impl<S: Clone, A> Supervisor<S, A> {
    /// A supervisor that has not begun. Its children must be listed.
    pub fn new(spec: SupervisorSpec<S>) -> Result<Self, SpecError> {
        spec.check()?;
        if spec.roster.is_dynamic() {
            return Err(SpecError::AnotherRoster);
        }
        let intensity = Intensity::new(&spec);
        let mut children = Children::new();
        for child in spec.children {
            let rank = children.add(child);
            children.set(rank, State::Pending);
        }
        let listed = children.len();
        let mut supervisor = Supervisor {
            strategy: spec.strategy,
            auto_shutdown: spec.auto_shutdown,
            backoff: spec.backoff,
            roster: spec.roster,
            max_children: spec.max_children,
            budget: spec.budget,
            intensity,
            children,
            partitions: Partitions::default(),
            phase: Phase::New,
            rebuild: None,
            late: None,
            turn: None,
            crashed: VecDeque::new(),
            significant_gone: None,
            held: VecDeque::new(),
            tokens: 0,
            restarts_total: 0,
        };
        supervisor.repartition(listed);
        Ok(supervisor)
    }

    /// Takes one input and adds what is to be done to `out`. `now` does not go back from call to call.
    pub fn step(&mut self, input: Input<S, A>, now: Time, out: &mut Vec<Order<S, A>>) {
        match input {
            Input::Begin => {
                if let Phase::New = self.phase {
                    self.phase = Phase::Init;
                }
            }
            Input::Started { token, outcome } => self.started(token, outcome, now, out),
            Input::Down { pid, reason } => self.down(pid, reason, now, out),
            Input::Stop { reason } => self.end(reason, out),
            Input::Timeout { token } => self.timeout(token, now, out),
            Input::Retry { token } => self.retry(token, now, out),
            Input::StartChild { spec, ask } => self.request(Held::Start { spec, ask }, out),
            Input::RestartChild { id, ask } => self.request(Held::Restart { id, ask }, out),
            Input::DeleteChild { id, ask } => self.request(Held::Delete { id, ask }, out),
            Input::Replace { spec, ask } => self.request(Held::Replace { spec, ask }, out),
            Input::Resize { partitions, ask } => self.request(Held::Resize { to: partitions, ask }, out),
            Input::TerminateChild { id, ask } => self.terminate_child(&id, ask, now, out),
            // As OTP's, which knows listed children by their ids alone.
            Input::TerminatePid { ask, .. } => out.push(Order::Reply { ask, result: Err(RequestError::NotFound) }),
            Input::WhichChildren { ask } => {
                let children = self.children.views(self.is_ready()).rev().collect();
                out.push(Order::Reply { ask, result: Ok(Answer::Children(children)) });
            }
            Input::CountChildren { ask } => {
                out.push(Order::Reply { ask, result: Ok(Answer::Counts(self.children.counts())) });
            }
        }
        while self.advance(now, out) == Progress::More {}
    }

    /// The children in start order, for listings.
    #[must_use]
    pub fn view(&self) -> Vec<ChildView> {
        self.children.views(self.is_ready()).collect()
    }

    /// What it knows of its children, in start order: as many as [`Supervisor::view`] has.
    pub fn specs(&self) -> impl Iterator<Item = &ChildSpec<S>> {
        self.children.specs()
    }

    /// How one child is doing.
    #[must_use]
    pub fn status(&self, id: &str) -> Option<ChildStatus> {
        self.children.with_id(id).map(|rank| self.children.get(rank).status(self.is_ready()))
    }

    /// How many children there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.children.counts()
    }

    /// How many restarts there have been, failed tries included.
    #[must_use]
    pub fn restarts_total(&self) -> u64 {
        self.restarts_total
    }

    fn is_ready(&self) -> bool {
        !matches!(self.phase, Phase::New | Phase::Init)
    }

    /// What all below it may use together.
    #[must_use]
    pub fn budget(&self) -> &BudgetSpec {
        &self.budget
    }

    fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending(_) | Phase::Ended)
    }

    /// Whether the child is to be stopped when its turn comes, because of the end or of a rebuild.
    fn is_doomed(&self, rank: Rank) -> bool {
        self.is_ending() || self.is_rebuilt(rank)
    }

    /// Whether the child is started again once the rebuild has stopped what it must.
    fn is_rebuilt(&self, rank: Rank) -> bool {
        self.rebuild.is_some_and(|from| rank >= from)
    }

    /// Whether several children are being started or restarted, one after the other. Between two inputs, pending ones
    /// wait for a turn or for a rebuild.
    fn is_busy(&self) -> bool {
        !self.is_ready() || self.rebuild.is_some() || self.turn.is_some()
    }

    /// The next thing that is due: first whatever must stop, then whatever must start, then what waited for both.
    fn advance(&mut self, now: Time, out: &mut Vec<Order<S, A>>) -> Progress {
        match self.phase {
            Phase::New | Phase::Ended => return Progress::Waiting,
            Phase::Ending(_) => return self.advance_ending(now, out),
            Phase::Init | Phase::Running => {}
        }
        if let Some(from) = self.rebuild {
            if let Some(rank) = self.children.last_alive(from) {
                self.stop_in_turn(rank, now, out);
                return Progress::Waiting;
            }
            self.rebuild = None;
            if let Some((rank, at)) = self.late.take() {
                self.put_off(rank, at.max(now), out);
            }
        }
        if self.turn.is_some() {
            return Progress::Waiting;
        }
        if let Some(rank) = self.children.first_pending() {
            self.turn = Some(rank);
            self.start(rank, Origin::Group, out);
            return Progress::Waiting;
        }
        if let Phase::Init = self.phase {
            self.phase = Phase::Running;
            out.push(Order::Ready);
        }
        if let Some(child) = self.significant_gone.take() {
            self.significant_ended(child, out);
            return Progress::More;
        }
        if let Some(rank) = self.crashed.pop_front() {
            if let State::Crashed = self.children.get(rank).state() {
                self.failed(rank, now, out);
            }
            return Progress::More;
        }
        if self.resize_further(now, out) == Progress::More {
            return Progress::More;
        }
        if !self.held.front().is_some_and(|request| self.can_serve(request)) {
            return Progress::Waiting;
        }
        if let Some(request) = self.held.pop_front() {
            self.request(request, out);
        }
        Progress::More
    }

    /// Orders the start of a child that is down.
    fn start(&mut self, rank: Rank, origin: Origin<A>, out: &mut Vec<Order<S, A>>) {
        let token = self.token();
        let cause = match origin {
            Origin::New(_) | Origin::Again(_) => StartCause::Request,
            Origin::Group if !self.is_ready() => StartCause::Init,
            Origin::Group | Origin::Alone => StartCause::Restart,
        };
        self.children.set(rank, State::Starting { token, origin, cancelled: false });
        let spec = &self.children.get(rank).spec;
        out.push(Order::Start { token, id: spec.id.clone(), start: spec.start.clone(), kind: spec.kind, cause });
    }

    /// A start that it had ordered came to its end.
    fn started(&mut self, token: Token, outcome: Result<Pid, SpawnError>, now: Time, out: &mut Vec<Order<S, A>>) {
        let Some(rank) = self.children.with_token(token) else { return };
        let State::Starting { .. } = self.children.get(rank).state() else { return };
        if self.turn == Some(rank) {
            self.turn = None;
        }
        let next = match outcome {
            Ok(pid) => State::Running(pid),
            Err(_) => State::Stopped,
        };
        let State::Starting { origin, cancelled, .. } = self.children.set(rank, next) else {
            unreachable!("it was starting");
        };
        match outcome {
            Err(SpawnError::Ignored) => {
                self.reply_to_starter(origin, Ok(Answer::Started(None)), out);
                self.settle(rank, out);
            }
            Err(error) => self.start_failed(rank, origin, cancelled, error, now, out),
            Ok(pid) => {
                self.children.get_mut(rank).row.up(now);
                self.reply_to_starter(origin, Ok(Answer::Started(Some(pid))), out);
                let unwanted = !self.children.get(rank).terminators.is_empty();
                if unwanted && !self.is_doomed(rank) {
                    self.stop(rank, pid, now, out);
                }
            }
        }
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }
}
