//! The one way signals travel, as in the shell: to the receiver's state machine, and what follows onto the sender's lane.
//!
//! Each hand-over is entered into the receiver's book, and compared with what it did to the mailbox.

mod book;
mod defects;

use skep_kernel::directory::Place;
use skep_kernel::signal::Undelivered;
use skep_kernel::{Action, Address, Body, Caller, Event, ExitReason, Mark, Pid, Signal};

use super::births::Born;
use super::directory::Errand;
use super::*;
use crate::account::wrong;
pub(super) use book::exit_number;
use book::{Effect, Entered, Fact};

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
        through: Option<Mark>,
        mark: Mark,
        body: Body,
    },
    /// Somebody is asked whether it lives.
    AskAlive {
        from: Pid,
        to: Pid,
        mark: Mark,
    },
    /// Something at the directory.
    Errand(Errand),
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

impl World {
    pub(super) fn perform(&mut self, lane: usize, duty: Duty) {
        match duty {
            Duty::Act { owner, action } => self.act(lane, owner, action),
            Duty::SendCall { from, to, through, mark, body } => {
                let event = Event::Call { caller: Caller { pid: from, mark }, body };
                let signal = match through {
                    None => Signal::Message(event),
                    Some(alias) => Signal::Through { alias, event },
                };
                let _ = self.hand_over(lane, to, signal);
            }
            Duty::AskAlive { from, to, mark } => {
                let _ = self.hand_over(lane, to, Signal::Alive { from, mark });
            }
            Duty::Errand(errand) => self.run_errand(lane, errand),
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
                self.send(lane, &to, Event::Info(body));
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
            Action::Release(holding) => self.release(lane, owner, holding),
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
            Address::Via(via) => self.directory.holder(&Place::from(via.clone())),
            // Where an alias leads nobody can ask.
            Address::Alias(_) => None,
        }
    }

    /// Whom an address means now, and through which alias, as in `way.rs` of the shell.
    pub(super) fn way(&self, to: &Address) -> Option<(Pid, Option<Mark>)> {
        let Address::Alias(alias) = to else { return self.resolve(to).map(|pid| (pid, None)) };
        let (id, mark) = self.seal.open(*alias);
        let owner = self.cells.get(&id).filter(|cell| cell.listed);
        owner.map(|cell| (cell.pid, Some(mark)))
    }

    /// A message to whom an address means now.
    pub(super) fn send(&mut self, lane: usize, to: &Address, event: Event) {
        let _ = match self.way(to) {
            Some((to, Some(alias))) => self.hand_over(lane, to, Signal::Through { alias, event }),
            Some((to, None)) => self.hand_over(lane, to, Signal::Message(event)),
            None => return,
        };
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
        self.figures.circles += u64::from(effect.shrank && matches!(fact, Fact::Retract { .. }));
        self.figures.through += u64::from(effect.delivered && matches!(fact, Fact::Through { .. }));
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
        if let Err(why) = &delivery.outcome {
            let answer = complaint.map(|complaint| complaint.action(to, why.clone()));
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
}

fn is_guest(cell: &Cell) -> bool {
    matches!(cell.content, Content::Guest(_))
}
