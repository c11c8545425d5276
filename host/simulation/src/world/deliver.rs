//! The one way signals travel, as in the shell: to the receiver's state machine, and what follows onto the sender's lane.
//!
//! Each hand-over is entered into the receiver's book, and compared with what it did to the mailbox.

use skep_kernel::signal::Undelivered;
use skep_kernel::{Action, Address, Body, Caller, Event, ExitReason, Mark, Pid, Signal};

use super::births::Born;
use super::*;
use crate::account::{Way, wrong};

/// Something to be performed.
pub(super) enum Duty {
    Act {
        owner: Pid,
        action: Action,
    },
    /// A call that was begun is sent.
    SendCall {
        from: Pid,
        to: Pid,
        mark: Mark,
        body: Body,
    },
    /// A call that was sent is looked after: its time may be up.
    CheckCall {
        from: Pid,
        to: Pid,
        mark: Mark,
    },
    /// The other side of a link is asked.
    Link {
        from: Pid,
        to: Pid,
    },
    /// The other side is linked.
    LinkMade {
        from: Pid,
        to: Pid,
    },
    Birth(Box<Born>),
    Schedule(Pid),
}

/// What a signal means to its receiver's book.
enum Fact {
    Mail {
        from: u64,
        number: u64,
        bytes: usize,
    },
    LinkExit {
        from: Pid,
        reason: ExitReason,
    },
    Exit {
        from: Pid,
        number: Option<u64>,
    },
    Down(Mark),
    Finished(Mark),
    Answer(Mark),
    /// A request is taken back, unless it has been handled: of whom, and which of his messages.
    Retract {
        from: u64,
        number: u64,
    },
    Started {
        mark: Mark,
        failed: bool,
    },
    TimeUp(Mark),
    Other,
}

impl Fact {
    fn of(signal: &Signal) -> Self {
        match signal {
            Signal::Message(Event::Call { body, .. } | Event::Cast(body) | Event::Info(body)) => {
                read(body).map_or(Fact::Other, |(_, from, number)| Fact::Mail { from, number, bytes: body.len() })
            }
            Signal::LinkExit { from, reason } => Fact::LinkExit { from: *from, reason: reason.clone() },
            Signal::Exit { from, reason } => Fact::Exit { from: *from, number: exit_number(reason) },
            Signal::Down { mark, .. } => Fact::Down(*mark),
            Signal::Finished { mark, .. } => Fact::Finished(*mark),
            Signal::Answer { mark, .. } => Fact::Answer(*mark),
            Signal::Started { mark, outcome } => Fact::Started { mark: *mark, failed: outcome.is_err() },
            Signal::TimeUp { mark } => Fact::TimeUp(*mark),
            _ => Fact::Other,
        }
    }
}

/// The number of an exit signal that a guest sent.
pub(super) fn exit_number(reason: &ExitReason) -> Option<u64> {
    match reason {
        ExitReason::Custom(body) => read(body).filter(|(kind, ..)| *kind == 'x').map(|(_, _, number)| number),
        _ => None,
    }
}

/// What a hand-over did to its receiver.
struct Effect {
    grew: bool,
    shrank: bool,
    doomed: bool,
    delivered: bool,
    waiting: usize,
    bytes: usize,
}

impl World {
    pub(super) fn perform(&mut self, lane: usize, duty: Duty) {
        match duty {
            Duty::Act { owner, action } => self.act(lane, owner, action),
            Duty::SendCall { from, to, mark, body } => {
                let caller = Caller { pid: from, mark };
                let _ = self.hand_over(lane, to, Signal::Message(Event::Call { caller, body }));
            }
            Duty::CheckCall { from, to, mark } => {
                if !self.lanes[lane].duties.is_empty() {
                    // Behind all that follows from the sending.
                    self.lanes[lane].duties.push_back(Duty::CheckCall { from, to, mark });
                } else if !self.cell(from).process.is_open(mark) {
                    let _ = self.hand_over(lane, to, Signal::Demonitor { from, mark });
                }
            }
            Duty::Link { from, to } => self.ask_for_link(lane, from, to),
            Duty::LinkMade { from, to } => self.link_made(from, to),
            Duty::Birth(born) => self.bear(lane, *born),
            Duty::Schedule(pid) => self.schedule(pid),
        }
    }

    fn act(&mut self, lane: usize, owner: Pid, action: Action) {
        match action {
            Action::Deliver { to, signal } => {
                let _ = self.hand_over(lane, to, signal);
            }
            Action::Send { to, body } => {
                if let Some(to) = self.resolve(&to) {
                    let _ = self.hand_over(lane, to, Signal::Message(Event::Info(body)));
                }
            }
            Action::StartTimer { mark, at } => {
                let key = self.clock.insert(at, (owner, mark));
                self.keys.insert((owner.id, mark), key);
            }
            Action::CancelTimer { mark, .. } => {
                if let Some(key) = self.keys.remove(&(owner.id, mark))
                    && !self.strikes(Bug::LeakTimer)
                {
                    self.clock.remove(key);
                }
            }
            Action::Release(_) => unreachable!("nobody has anything in a directory"),
            Action::Inform { request, answer } => self.inform(request, owner, &answer),
            Action::Tell { upgrade, news } => self.tell(upgrade, owner, news),
            Action::ReleaseName(name) => {
                if self.strikes(Bug::LateName) {
                    self.late.push(Duty::Act { owner, action: Action::ReleaseName(name) });
                } else if !self.strikes(Bug::ForgetName) {
                    self.names.release(&name, owner);
                }
            }
            Action::Remove => {
                if !self.strikes(Bug::ForgetRemove) {
                    self.cell(owner).listed = false;
                }
            }
        }
    }

    pub(super) fn resolve(&self, address: &Address) -> Option<Pid> {
        match address {
            Address::Pid(pid) => Some(*pid),
            Address::Name(name) => self.names.whereis(name),
            Address::Via(_) | Address::Alias(_) => unreachable!("nobody is known by a key or an alias here"),
        }
    }

    pub(super) fn schedule(&mut self, pid: Pid) {
        if self.operator.is(pid) {
            self.operator.is_woken = true;
        } else if self.cells.contains_key(&pid.id) && !self.strikes(Bug::LostWakeUp) {
            self.queue.push(pid);
            if self.strikes(Bug::TwiceOnTheQueue) {
                self.queue.push(pid);
            }
        }
    }

    /// Gives a signal to its receiver.
    pub(super) fn hand_over(&mut self, lane: usize, to: Pid, signal: Signal) -> Result<(), Undelivered> {
        match self.meddle(lane, to, &signal) {
            Some(result) => result,
            None => self.give(lane, to, signal, Entered::Yes),
        }
    }

    fn give(&mut self, lane: usize, to: Pid, signal: Signal, entered: Entered) -> Result<(), Undelivered> {
        let now = self.now;
        let complaint = signal.complaint();
        self.note(|world| format!("  {} <- {signal:?}", world.name_of(to)));
        let retracted = self.retracted(&signal);
        let Some(cell) = self.cells.get_mut(&to.id).filter(|cell| cell.pid == to && cell.listed) else {
            let answer = complaint.map(|complaint| complaint.action(to, Undelivered::Gone));
            self.lanes[lane].duties.extend(answer.map(|action| Duty::Act { owner: to, action }));
            return Err(Undelivered::Gone);
        };
        let fact = retracted.map_or_else(|| Fact::of(&signal), |(from, number)| Fact::Retract { from, number });
        let late = match &signal {
            Signal::Answer { mark, outcome, .. } if is_guest(cell) && !cell.account.calls.contains_key(mark) => {
                Some(Event::Answer { mark: *mark, outcome: outcome.clone() })
            }
            _ => None,
        };
        let (waiting, bytes) = (cell.process.mailbox().len(), cell.process.mailbox().bytes());
        let was_doomed = cell.process.is_doomed();
        let mut actions = Vec::new();
        let delivery = cell.process.deliver(signal, now, &mut actions);
        let effect = Effect {
            grew: cell.process.mailbox().len() > waiting,
            shrank: cell.process.mailbox().len() < waiting,
            doomed: cell.process.is_doomed() && !was_doomed,
            delivered: delivery.outcome.is_ok(),
            waiting,
            bytes,
        };
        let is_over = was_doomed || cell.process.is_gone();
        let entry = match entered {
            Entered::Yes => cell.enter(fact, &effect, is_over, now),
            Entered::No => Ok(()),
        };
        self.check(to, entry);
        if let Some(late) = late
            && self.strikes(Bug::LateReply)
        {
            self.sees(to, &late);
        }
        self.lanes[lane].duties.extend(actions.into_iter().map(|action| Duty::Act { owner: to, action }));
        if let Err(why) = delivery.outcome {
            let answer = complaint.map(|complaint| complaint.action(to, why));
            self.lanes[lane].duties.extend(answer.map(|action| Duty::Act { owner: to, action }));
        }
        if delivery.wake {
            self.schedule(to);
        }
        delivery.outcome
    }

    /// The message that a signal takes back from its receiver.
    fn retracted(&self, signal: &Signal) -> Option<(u64, u64)> {
        let Signal::Retract { caller, .. } = signal else { return None };
        let asked = self.cells.get(&caller.pid.id)?.account.calls.get(&caller.mark)?;
        Some((caller.pid.id, asked.number))
    }

    fn ask_for_link(&mut self, lane: usize, from: Pid, to: Pid) {
        let Err(why) = self.hand_over(lane, to, Signal::Link { from }) else {
            for (one, other) in [(from, to), (to, from)] {
                if let Some(cell) = self.cells.get_mut(&one.id) {
                    cell.account.links.insert(other);
                }
            }
            self.lanes[lane].duties.push_back(Duty::LinkMade { from, to });
            return;
        };
        let cell = self.cell(from);
        let waiting = cell.process.mailbox().len();
        cell.account.asks = None;
        let failed = cell.process.link_failed(to, why);
        if failed.is_ok() && cell.process.mailbox().len() > waiting {
            *cell.account.exits.entry(to).or_default() += 1;
        }
    }

    /// What became of a link is known; and so is whether an exit signal that has come meanwhile was of that link.
    fn link_made(&mut self, from: Pid, to: Pid) {
        let now = self.now;
        let cell = self.cell(from);
        let has_come = cell.account.asks.take().is_some_and(|(_, has_come)| has_come);
        let (waiting, was_doomed) = (cell.process.mailbox().len(), cell.process.is_doomed());
        cell.process.link_made();
        let effect = Effect {
            grew: cell.process.mailbox().len() > waiting,
            shrank: cell.process.mailbox().len() < waiting,
            doomed: cell.process.is_doomed() && !was_doomed,
            delivered: true,
            waiting,
            bytes: 0,
        };
        let entry = match has_come {
            true => {
                // Its reason is no longer known here: at most it was a normal one.
                let reason = if effect.doomed { ExitReason::Killed } else { ExitReason::Normal };
                cell.enter(Fact::LinkExit { from: to, reason }, &effect, was_doomed, now)
            }
            false if effect.grew || effect.doomed => {
                wrong(Invariant::Exits, format!("it hears of the end of {to}, which has not come"))
            }
            false => Ok(()),
        };
        self.check(from, entry);
    }

    /// What a planted defect makes of a signal; none if it is handed over as it is.
    fn meddle(&mut self, lane: usize, to: Pid, signal: &Signal) -> Option<Result<(), Undelivered>> {
        let bug = self.plan.bug?;
        if bug == Bug::SwapMessages
            && let Some(first) = self.held_back_for(to, signal)
        {
            let _ = self.give(lane, to, signal.clone(), Entered::Yes);
            let _ = self.give(lane, to, first, Entered::No);
            return Some(Ok(()));
        }
        if !self.is_prey(bug, to, signal) || !self.strikes(bug) {
            return None;
        }
        match (bug, signal) {
            (Bug::DropMessage, Signal::Message(Event::Info(body))) => self.enter_mail(to, body),
            (Bug::SwapMessages, Signal::Message(Event::Info(body))) => {
                self.enter_mail(to, body);
                self.held_back = Some((to, signal.clone()));
            }
            (Bug::DoubleMessage, _) => {
                let _ = self.give(lane, to, signal.clone(), Entered::Yes);
                let _ = self.give(lane, to, signal.clone(), Entered::No);
            }
            (Bug::DeafSupervisor, Signal::Down { mark, .. }) => {
                self.cell(to).account.monitors.remove(mark);
            }
            // It is lost.
            _ => {}
        }
        Some(Ok(()))
    }

    /// Whether a planted defect would be seen if it struck this signal.
    fn is_prey(&self, bug: Bug, to: Pid, signal: &Signal) -> bool {
        let cell = self.cells.get(&to.id).filter(|cell| cell.listed && !cell.process.is_doomed());
        let Some(cell) = cell else { return false };
        let account = &cell.account;
        let has_room = cell.process.mailbox().len() + 2 < cell.limits.mailbox_messages
            && cell.process.mailbox().bytes() + 100 < cell.limits.mailbox_bytes;
        match (bug, signal) {
            (Bug::DropMessage | Bug::DoubleMessage, Signal::Message(Event::Info(_))) => has_room,
            // Of what the clock sends, there is no next one.
            (Bug::SwapMessages, Signal::Message(Event::Info(body))) => {
                has_room && read(body).is_some_and(|(kind, ..)| kind == 'm')
            }
            (Bug::DropDown, Signal::Down { mark, .. }) => account.monitors.contains_key(mark) && is_guest(cell),
            (Bug::DeafSupervisor, Signal::Down { mark, .. }) => {
                account.monitors.contains_key(mark) && matches!(cell.content, Content::Overseer(_))
            }
            (Bug::DropExit, Signal::LinkExit { from, .. }) => account.exits_due.contains(from) && is_guest(cell),
            (Bug::HalfUnlink, Signal::Unlink { .. }) => true,
            (Bug::DropAnswer, Signal::Answer { mark, .. }) => {
                account.calls.get(mark).is_some_and(|asked| asked.way == Way::Open)
            }
            _ => false,
        }
    }

    /// The message that was held back and that this one of the same sender overtakes.
    fn held_back_for(&mut self, to: Pid, signal: &Signal) -> Option<Signal> {
        let sender = |signal: &Signal| match signal {
            Signal::Message(Event::Info(body)) => read(body).map(|(_, from, _)| from),
            _ => None,
        };
        let (held, first) = self.held_back.as_ref()?;
        let overtakes = *held == to && sender(first).is_some() && sender(first) == sender(signal);
        if overtakes { self.held_back.take().map(|(_, first)| first) } else { None }
    }

    fn enter_mail(&mut self, to: Pid, body: &Body) {
        if let Some((_, from, number)) = read(body) {
            self.cell(to).account.mailed(from, number);
        }
    }

    /// What planted defects make of an end that has just been decided.
    pub(super) fn meddle_with_the_end(&mut self, lane: usize, pid: Pid) {
        let is_exit = |duty: &Duty| {
            matches!(duty, Duty::Act { action: Action::Deliver { signal: Signal::LinkExit { .. }, .. }, .. })
        };
        let late = std::mem::take(&mut self.late);
        self.lanes[lane].duties.extend(late);
        let is_supervisor = matches!(self.cell(pid).content, Content::Overseer(_));
        if is_supervisor && self.lanes[lane].duties.iter().any(is_exit) && self.strikes(Bug::ForgetChildren) {
            self.lanes[lane].duties.retain(|duty| !is_exit(duty));
            for cell in self.cells.values_mut() {
                cell.account.exits_due.remove(&pid);
            }
        }
    }

    /// The books of those who are linked to a process that ends. A start that failed leaves no trace (GS-02).
    pub(super) fn account_for_the_end(&mut self, pid: Pid) {
        let cell = self.cell(pid);
        let starter = if cell.ready { None } else { cell.parent };
        let account = std::mem::take(&mut cell.account);
        for peer in account.links {
            let Some(other) = self.cells.get_mut(&peer.id) else { continue };
            other.account.links.remove(&pid);
            if Some(peer) != starter && !other.process.is_gone() {
                other.account.exits_due.insert(pid);
            }
        }
    }
}

fn is_guest(cell: &Cell) -> bool {
    matches!(cell.content, Content::Guest(_))
}

/// Whether a hand-over is entered into the book.
enum Entered {
    Yes,
    No,
}

impl Cell {
    /// Enters what a signal was and did.
    fn enter(&mut self, fact: Fact, effect: &Effect, is_over: bool, now: Time) -> Result<(), Wrong> {
        let account = &mut self.account;
        if effect.shrank && !matches!(fact, Fact::Retract { .. }) {
            return wrong(Invariant::Mail, "a signal took something out of the mailbox".into());
        }
        let about = match fact {
            Fact::Down(_) | Fact::Finished(_) => Invariant::Downs,
            Fact::LinkExit { .. } => Invariant::Exits,
            Fact::Answer(_) => Invariant::Calls,
            _ => Invariant::Mail,
        };
        let grows = match fact {
            // It is to end, and what comes is answered by that.
            Fact::Mail { .. } if is_over => return Ok(()),
            Fact::Mail { from, number, bytes } => {
                if effect.delivered {
                    account.mailed(from, number);
                    let limits = &self.limits;
                    if effect.waiting >= limits.mailbox_messages || effect.bytes + bytes > limits.mailbox_bytes {
                        let (waiting, bytes) = (effect.waiting, effect.bytes);
                        return wrong(Invariant::Limits, format!("{waiting} messages of {bytes} bytes, and one more"));
                    }
                }
                effect.delivered
            }
            Fact::LinkExit { from, .. } if account.asks.is_some_and(|(to, _)| to == from) => {
                account.asks = Some((from, true));
                false
            }
            Fact::LinkExit { from, reason } => {
                let linked = account.exits_due.remove(&from);
                if linked && !account.traps && reason != ExitReason::Normal && !effect.doomed && !is_over {
                    return wrong(Invariant::Exits, format!("it is linked to {from} and survives its end"));
                }
                if effect.doomed && !linked {
                    return wrong(Invariant::Exits, format!("it ends with {from}, to which it is not linked"));
                }
                let trapped = linked && account.traps;
                if trapped {
                    *account.exits.entry(from).or_default() += 1;
                }
                trapped
            }
            Fact::Exit { from, number } => {
                match number {
                    _ if !effect.grew => {}
                    Some(number) => account.mailed(from.id, number),
                    None => account.orders += 1,
                }
                return Ok(());
            }
            Fact::Down(mark) => match account.monitors.get_mut(&mark) {
                Some(watch) if watch.way == Way::Open => {
                    watch.way = Way::InMail;
                    true
                }
                _ => false,
            },
            Fact::Finished(mark) => match account.monitors.get_mut(&mark) {
                Some(watch) if watch.way == Way::Open => {
                    watch.result = true;
                    true
                }
                _ => false,
            },
            Fact::Answer(mark) => account.is_answered(mark),
            Fact::Retract { from, number } => {
                return if effect.shrank { account.takes_back(from, number) } else { Ok(()) };
            }
            Fact::Started { mark, failed } => {
                if let Some(monitor) = account.spawns.remove(&mark)
                    && failed
                    && let Some(monitor) = monitor
                    && account.monitors.remove(&monitor).is_none_or(|watch| watch.way != Way::Open)
                {
                    return wrong(Invariant::Downs, "a start that failed left a Down".into());
                }
                return Ok(());
            }
            Fact::TimeUp(mark) => return self.time_is_up(mark, effect, now),
            Fact::Other => return Ok(()),
        };
        if grows == effect.grew || is_over {
            return Ok(());
        }
        wrong(about, format!("a signal that should be mail ({grows}) is mail ({})", effect.grew))
    }

    fn time_is_up(&mut self, mark: Mark, effect: &Effect, now: Time) -> Result<(), Wrong> {
        if let Some(timer) = self.account.timers.get_mut(&mark) {
            if timer.at > now || timer.way != Way::Open {
                return wrong(Invariant::Timers, format!("{mark:?} goes off: {timer:?}"));
            }
            timer.way = Way::InMail;
            if !timer.own {
                self.account.timers.remove(&mark);
            } else if !effect.grew {
                return wrong(Invariant::Timers, format!("{mark:?} goes off for nobody"));
            }
            return Ok(());
        }
        if let Some(deadline) =
            self.account.calls.get(&mark).filter(|asked| asked.way == Way::Open).map(|asked| asked.deadline)
        {
            if deadline.is_none_or(|at| at > now) {
                return wrong(Invariant::Calls, format!("{mark:?} is given up before {deadline:?}"));
            }
            self.account.is_answered(mark);
        }
        Ok(())
    }
}

impl Account {
    /// An outcome of a call has come. True if it goes into the mailbox.
    fn is_answered(&mut self, mark: Mark) -> bool {
        match self.calls.get_mut(&mark) {
            Some(asked) if asked.way == Way::Open => {
                asked.way = Way::InMail;
                !asked.blocking
            }
            _ => false,
        }
    }
}
