//! What a process sees, compared with its book.

use skep_kernel::{Body, CallError, Caller, Event, Next};

use super::deliver::exit_number;
use super::*;
use crate::account::{Asked, Question, Way, wrong};

impl World {
    /// A guest is handed an event. Returns whom a reply would go to.
    pub(super) fn hands(&mut self, _lane: usize, pid: Pid, event: &Event) -> Option<(Caller, u64)> {
        self.count_event(pid);
        self.sees(pid, event);
        let twice = match event {
            Event::Down { .. } => Some(Bug::DoubleDown),
            Event::Exit { reason, .. } if exit_number(reason).is_none() && *reason != ExitReason::Shutdown(None) => {
                Some(Bug::DoubleExit)
            }
            Event::Timer { .. } => Some(Bug::DoubleTimer),
            _ => None,
        };
        if let Some(bug) = twice
            && self.strikes(bug)
        {
            self.sees(pid, event);
        }
        match event {
            Event::Call { caller, body } => read(body).map(|(_, _, number)| (*caller, number)),
            _ => None,
        }
    }

    /// A planted defect: mail that is taken out after a wake and handed to nobody.
    pub(super) fn loses(&mut self, pid: Pid, event: &Event) -> bool {
        let lost = matches!(event, Event::Info(_)) && self.strikes(Bug::LoseMailOnWake);
        if lost {
            self.count_event(pid);
        }
        lost
    }

    /// A process sees an event.
    pub(super) fn sees(&mut self, pid: Pid, event: &Event) {
        let now = self.now;
        if self.cell(pid).account.held {
            self.violated(Invariant::Suspended, format!("{pid} is suspended, and handles {event:?}"));
        }
        let account = &mut self.cell(pid).account;
        let is_continue = matches!(event, Event::Continue(_));
        if std::mem::take(&mut account.continues) != is_continue {
            self.violated(
                Invariant::Continues,
                format!("{pid} is handed {event:?}, and its own came next: {}", !is_continue),
            );
        }
        let account = &mut self.cell(pid).account;
        let seen = match event {
            Event::Idle => account.sees_idle(now),
            _ => {
                account.idle_at = None;
                self.sees_other(pid, event)
            }
        };
        self.check(pid, seen);
    }

    fn sees_other(&mut self, pid: Pid, event: &Event) -> Result<(), Wrong> {
        let now = self.now;
        let account = &mut self.cell(pid).account;
        match event {
            Event::Call { body, .. } | Event::Cast(body) | Event::Info(body) => match read(body) {
                Some((_, from, number)) => account.reads(from, number),
                None => Ok(()),
            },
            Event::Answer { mark, outcome } => {
                if let Some(watch) = account.monitors.get_mut(mark)
                    && watch.result
                {
                    watch.result = false;
                    return Ok(());
                }
                let asked = account.sees_answer(*mark)?;
                self.check_outcome(pid, asked, outcome)
            }
            Event::Exit { pid: of, reason } => self.sees_exit(pid, *of, reason),
            Event::Down { mark, target, .. } => {
                let of = account.monitors.get(mark).and_then(|watch| watch.target).or(target.pid());
                account.sees_down(*mark)?;
                match of {
                    Some(of) => self.check_end(pid, of),
                    _ => Ok(()),
                }
            }
            Event::Timer { mark, .. } => account.sees_timer(*mark, now),
            Event::Idle | Event::Continue(_) | Event::Started { .. } | Event::Stop { .. } => Ok(()),
            Event::Change { mark, what } => {
                let seen = account.sees_change(*mark, what);
                self.figures.changes += 1;
                seen
            }
        }
    }

    /// An exit signal: one that was sent, its parent's order, or that of a link.
    pub(super) fn sees_exit(&mut self, pid: Pid, of: Pid, reason: &ExitReason) -> Result<(), Wrong> {
        let cell = self.cell(pid);
        let is_of_parent = cell.parent == Some(of);
        let account = &mut cell.account;
        if let Some(number) = exit_number(reason)
            && let Some(mail) = account.mail.get_mut(&of.id)
            && let Some(place) = mail.iter().position(|queued| *queued == number)
        {
            if account.held {
                // Of all the mail of a suspended process, the order of its parent is picked out.
                mail.remove(place);
                return Ok(());
            }
            return account.reads(of.id, number);
        }
        if is_of_parent && *reason == ExitReason::Shutdown(None) && account.orders > 0 {
            account.orders -= 1;
            return Ok(());
        }
        account.sees_exit(of)?;
        self.check_end(pid, of)
    }

    /// PROC-09: whoever hears of an end finds neither pid nor name nor entry.
    fn check_gone(&self, of: Pid) -> Result<(), Wrong> {
        if let Some((name, _)) = self.names.iter().find(|(_, holder)| *holder == of) {
            return wrong(Invariant::NamesFree, format!("{of} has ended and is called {name}"));
        }
        if self.cells.get(&of.id).is_some_and(|cell| cell.listed && cell.pid == of) {
            return wrong(Invariant::NamesFree, format!("{of} has ended and can be found"));
        }
        // Whoever enters somebody looks afterwards whether that one has ended meanwhile.
        if let Some((place, ..)) = self.directory.iter().find(|(_, holder, _)| *holder == of)
            && !self.is_being_entered(of)
        {
            return wrong(Invariant::EntriesFree, format!("{of} has ended and is under {place:?}"));
        }
        Ok(())
    }

    /// The same, and nothing of its mail comes later (PROC-01), but for whoever picks out of the mailbox.
    fn check_end(&mut self, pid: Pid, of: Pid) -> Result<(), Wrong> {
        self.check_gone(of)?;
        let cell = self.cell(pid);
        let picks = cell.account.held || cell.process.kind() == skep_kernel::process::Kind::Task;
        if picks { Ok(()) } else { cell.account.hears_of_the_end(of) }
    }

    fn check_outcome(&mut self, pid: Pid, asked: Asked, outcome: &Result<Body, CallError>) -> Result<(), Wrong> {
        let Asked { about, number, to, deadline, .. } = asked;
        match outcome {
            Ok(_) if let Question::Alive { told_to_end } = about => {
                self.figures.asked_alive += 1;
                if told_to_end {
                    return wrong(Invariant::Alive, format!("{to:?} was told to end, and says that it lives"));
                }
                Ok(())
            }
            Ok(body) => match read(body) {
                Some(('r', _, answered)) if answered == number => Ok(()),
                other => wrong(Invariant::Calls, format!("call {number} is answered with {other:?}")),
            },
            Err(CallError::Timeout) if deadline.is_some_and(|at| at <= self.now) => Ok(()),
            Err(CallError::Timeout) => {
                wrong(Invariant::Calls, format!("call {number} is given up before {deadline:?}"))
            }
            Err(CallError::Refused(_)) => Ok(()),
            Err(CallError::Ended(_)) => to.map_or(Ok(()), |to| self.check_end(pid, to)),
        }
    }

    /// The outcome of a call that blocks.
    pub(super) fn sees_outcome(&mut self, pid: Pid, mark: Mark, outcome: &Result<Body, CallError>) {
        let checked = match self.cell(pid).account.calls.remove(&mark) {
            Some(Asked { way: Way::InMail, about: Question::Lock(lock), .. }) if outcome.is_ok() => {
                self.holds(pid, mark, lock)
            }
            Some(asked @ Asked { way: Way::InMail, .. }) => match outcome {
                // What has come besides is still in the mailbox.
                Err(CallError::Ended(_)) => asked.to.map_or(Ok(()), |to| self.check_gone(to)),
                outcome => self.check_outcome(pid, asked, outcome),
            },
            other => wrong(Invariant::Calls, format!("the outcome of {mark:?}, which is {other:?}")),
        };
        self.check(pid, checked);
    }

    /// What a guest has told itself, and is to be told later.
    pub(super) fn promises(&mut self, pid: Pid, next: Option<Next>) {
        let now = self.now;
        let account = &mut self.cell(pid).account;
        match next {
            Some(Next::WaitFor(ms)) => account.idle_at = Some(now + Duration::from_millis(ms)),
            Some(Next::Continue(_)) => account.continues = true,
            _ => {}
        }
    }
}
