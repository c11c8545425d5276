//! Each hand-over as it is entered into its receiver's book, and compared with what it did to the mailbox.

use skep_kernel::Changed;
use skep_kernel::process::AliasMode;

use super::*;
use crate::account::{Way, wrong};

/// What a signal means to its receiver's book.
pub(super) enum Fact {
    Mail {
        from: u64,
        number: u64,
        bytes: usize,
    },
    Through {
        alias: Mark,
        from: u64,
        number: u64,
    },
    Change {
        mark: Mark,
        what: Changed,
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
    pub(super) fn of(signal: &Signal) -> Self {
        match signal {
            Signal::Message(Event::Call { body, .. } | Event::Cast(body) | Event::Info(body)) => {
                read(body).map_or(Fact::Other, |(_, from, number)| Fact::Mail { from, number, bytes: body.len() })
            }
            Signal::Through { alias, event: Event::Call { body, .. } | Event::Cast(body) | Event::Info(body) } => {
                read(body).map_or(Fact::Other, |(_, from, number)| Fact::Through { alias: *alias, from, number })
            }
            Signal::Change { mark, what } => {
                let bytes = Event::Change { mark: *mark, what: what.clone() }.len();
                Fact::Change { mark: *mark, what: what.clone(), bytes }
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
pub(in crate::world) fn exit_number(reason: &ExitReason) -> Option<u64> {
    match reason {
        ExitReason::Custom(body) => read(body).filter(|(kind, ..)| *kind == 'x').map(|(_, _, number)| number),
        _ => None,
    }
}

/// What a hand-over did to its receiver.
pub(super) struct Effect {
    pub(super) grew: bool,
    pub(super) shrank: bool,
    pub(super) doomed: bool,
    pub(super) delivered: bool,
    pub(super) waiting: usize,
    pub(super) bytes: usize,
}

/// Whether a hand-over is entered into the book.
pub(super) enum Entered {
    Yes,
    No,
}

impl World {
    /// The books of those who are linked to a process that ends. A start that failed leaves no trace (GS-02).
    pub(in crate::world) fn account_for_the_end(&mut self, pid: Pid) {
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

impl Cell {
    /// Enters what a signal was and did.
    pub(super) fn enter(&mut self, fact: Fact, effect: &Effect, is_over: bool, now: Time) -> Result<(), Wrong> {
        let account = &mut self.account;
        if effect.shrank && !matches!(fact, Fact::Retract { .. }) {
            return wrong(Invariant::Mail, "a signal took something out of the mailbox".into());
        }
        let about = match fact {
            Fact::Down(_) | Fact::Finished(_) => Invariant::Downs,
            Fact::LinkExit { .. } => Invariant::Exits,
            Fact::Answer(_) => Invariant::Calls,
            Fact::Through { .. } => Invariant::Aliases,
            Fact::Change { .. } => Invariant::Changes,
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
            Fact::Through { .. } | Fact::Change { .. } if is_over => return Ok(()),
            Fact::Through { alias, from, number } => match account.aliases.get(&alias).copied() {
                Some(mode) if effect.delivered => {
                    account.came_through(alias, mode);
                    account.mailed(from, number);
                    true
                }
                Some(AliasMode::Reply | AliasMode::ReplyDemonitor) => {
                    return wrong(Invariant::Aliases, format!("a message through {alias:?} is refused, its only one"));
                }
                _ => false,
            },
            Fact::Change { mark, what, bytes } => {
                let has_room =
                    effect.waiting < self.limits.mailbox_messages && effect.bytes + bytes <= self.limits.mailbox_bytes;
                account.is_told(mark, what, has_room)?
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
                    account.monitor_is_over(mark);
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
    /// A change is told. True if it goes into the mailbox; where that is full, as the news that changes were missed.
    pub(super) fn is_told(&mut self, mark: Mark, what: Changed, has_room: bool) -> Result<bool, Wrong> {
        let Some(watch) = self.watches.get_mut(&mark).filter(|watch| watch.open) else { return Ok(false) };
        let expected = watch.due.pop_front();
        if expected.as_ref() != Some(&what) {
            return wrong(Invariant::Changes, format!("{what:?} is told, where next was {expected:?}"));
        }
        if !has_room {
            watch.open = false;
            watch.due.clear();
        }
        watch.mail.push_back(if has_room { what } else { Changed::Missed });
        Ok(true)
    }

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
