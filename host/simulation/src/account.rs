//! What one process was promised and has seen: a plain book, kept beside the kernel and without asking it.
//!
//! Written when a signal is handed over and when a guest does or sees something. Each entry leaves once; what comes twice,
//! late, early or out of order has none.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use skep_kernel::directory::Watched;
use skep_kernel::process::AliasMode;
use skep_kernel::{Changed, Mark, Pid, Time};

use crate::Invariant;

/// What was wrong.
pub(crate) type Wrong = (Invariant, String);

/// Where something stands that comes once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// It may still come.
    Open,
    /// It lies in the mailbox.
    InMail,
    /// It comes no more.
    Over,
}

/// A monitor that is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    pub(crate) target: Option<Pid>,
    pub(crate) way: Way,
    /// A task's result lies in the mailbox.
    pub(crate) result: bool,
}

/// A timer that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timer {
    pub(crate) at: Time,
    /// Its event goes to whoever has started it.
    pub(crate) own: bool,
    pub(crate) way: Way,
}

/// What somebody asks and waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question {
    /// A call.
    Call,
    /// Whether somebody lives, whom the asking process may have told to end before.
    Alive { told_to_end: bool },
    /// A lock, of so many.
    Lock(usize),
}

/// A call that has no outcome yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) about: Question,
    pub(crate) number: u64,
    pub(crate) to: Option<Pid>,
    /// The alias that it goes through, which nobody knows by the pid.
    pub(crate) through: Option<Mark>,
    pub(crate) deadline: Option<Time>,
    pub(crate) blocking: bool,
    pub(crate) way: Way,
    /// Somebody has replied.
    pub(crate) replied: bool,
}

/// What is watched, and what was told of it.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) watched: Watched,
    /// Nothing was missed yet.
    pub(crate) open: bool,
    /// Changes that have just happened.
    pub(crate) due: VecDeque<Changed>,
    /// Those in the mailbox.
    pub(crate) mail: VecDeque<Changed>,
}

/// The book of one process.
#[derive(Default, Debug)]
pub(crate) struct Account {
    /// Messages in the mailbox, by sender.
    pub(crate) mail: BTreeMap<u64, VecDeque<u64>>,
    pub(crate) monitors: BTreeMap<Mark, Watch>,
    pub(crate) links: BTreeSet<Pid>,
    /// Linked processes that have ended, and whose exit signal is under way.
    pub(crate) exits_due: BTreeSet<Pid>,
    /// Whom it asks for a link, and whether that one's exit signal has come meanwhile.
    pub(crate) asks: Option<(Pid, bool)>,
    /// Trapped exit signals of links in the mailbox.
    pub(crate) exits: BTreeMap<Pid, u32>,
    /// It was handed the end of its parent, to make of it what it likes.
    pub(crate) knows_of_its_parent: bool,
    /// Orders of its parent to shut down, in the mailbox.
    pub(crate) orders: u32,
    pub(crate) timers: BTreeMap<Mark, Timer>,
    pub(crate) calls: BTreeMap<Mark, Asked>,
    /// Aliases that are open.
    pub(crate) aliases: BTreeMap<Mark, AliasMode>,
    pub(crate) watches: BTreeMap<Mark, Listening>,
    /// Whom it has killed.
    pub(crate) killed: BTreeSet<Pid>,
    /// Spawns under way, with the monitor on the child.
    pub(crate) spawns: BTreeMap<Mark, Option<Mark>>,
    /// Not before then may it be told that it was idle.
    pub(crate) idle_at: Option<Time>,
    /// It has told itself to do something next.
    pub(crate) continues: bool,
    pub(crate) traps: bool,
    /// It has been suspended by the operator, who was told so.
    pub(crate) held: bool,
    /// Events it was handed: its state.
    pub(crate) handled: u64,
}

impl Account {
    /// A message was put into the mailbox.
    pub(crate) fn mailed(&mut self, from: u64, number: u64) {
        self.mail.entry(from).or_default().push_back(number);
    }

    /// A message is handed to the guest.
    pub(crate) fn reads(&mut self, from: u64, number: u64) -> Result<(), Wrong> {
        let expected = self.mail.get_mut(&from).and_then(VecDeque::pop_front);
        if self.mail.get(&from).is_some_and(VecDeque::is_empty) {
            self.mail.remove(&from);
        }
        if expected == Some(number) {
            return Ok(());
        }
        wrong(Invariant::Mail, format!("message {from}.{number} was handled, and next was {expected:?}"))
    }

    /// A request that nobody has read yet is taken back for the sake of its sender.
    pub(crate) fn takes_back(&mut self, from: u64, number: u64) -> Result<(), Wrong> {
        let mail = self.mail.entry(from).or_default();
        let Some(place) = mail.iter().position(|waits| *waits == number) else {
            return wrong(Invariant::Mail, format!("message {from}.{number} is taken back, and does not lie here"));
        };
        mail.remove(place);
        if mail.is_empty() {
            self.mail.remove(&from);
        }
        Ok(())
    }

    /// Nothing more lies here of a sender whose end is being told.
    pub(crate) fn hears_of_the_end(&self, of: Pid) -> Result<(), Wrong> {
        match self.mail.get(&of.id) {
            Some(left) => wrong(Invariant::Mail, format!("the end of {of} was told before its messages {left:?}")),
            None => Ok(()),
        }
    }

    pub(crate) fn sees_down(&mut self, mark: Mark) -> Result<(), Wrong> {
        match self.monitors.remove(&mark) {
            Some(Watch { way: Way::InMail, .. }) => Ok(()),
            other => wrong(Invariant::Downs, format!("a Down for {mark:?}, which is {other:?}")),
        }
    }

    pub(crate) fn sees_exit(&mut self, of: Pid) -> Result<(), Wrong> {
        match self.exits.get_mut(&of) {
            Some(count) if *count > 0 => {
                *count -= 1;
                if *count == 0 {
                    self.exits.remove(&of);
                }
                Ok(())
            }
            _ => wrong(Invariant::Exits, format!("the exit signal of {of}, which had come or was taken back")),
        }
    }

    pub(crate) fn sees_timer(&mut self, mark: Mark, now: Time) -> Result<(), Wrong> {
        match self.timers.remove(&mark) {
            Some(Timer { way: Way::InMail, own: true, at }) if at <= now => Ok(()),
            other => wrong(Invariant::Timers, format!("timer {mark:?}, which is {other:?}")),
        }
    }

    pub(crate) fn sees_idle(&mut self, now: Time) -> Result<(), Wrong> {
        match self.idle_at.take() {
            Some(at) if at <= now => Ok(()),
            other => wrong(Invariant::Timers, format!("told that it was idle, due at {other:?}")),
        }
    }

    /// The outcome of a call that did not block is handed to the guest.
    pub(crate) fn sees_answer(&mut self, mark: Mark) -> Result<Asked, Wrong> {
        match self.calls.remove(&mark) {
            Some(asked @ Asked { way: Way::InMail, .. }) => Ok(asked),
            other => Err((Invariant::Calls, format!("an answer to {mark:?}, which is {other:?}"))),
        }
    }

    pub(crate) fn sees_change(&mut self, mark: Mark, what: &Changed) -> Result<(), Wrong> {
        let expected = self.watches.get_mut(&mark).and_then(|watch| watch.mail.pop_front());
        if expected.as_ref() == Some(what) {
            return Ok(());
        }
        wrong(Invariant::Changes, format!("{what:?} of {mark:?}, where next was {expected:?}"))
    }

    /// A monitor is over: the alias that was made with it is, if it is of that kind.
    pub(crate) fn monitor_is_over(&mut self, mark: Mark) {
        if matches!(self.aliases.get(&mark), Some(AliasMode::Demonitor | AliasMode::ReplyDemonitor)) {
            self.aliases.remove(&mark);
        }
    }

    /// A message came through an open alias.
    pub(crate) fn came_through(&mut self, alias: Mark, mode: AliasMode) {
        if matches!(mode, AliasMode::Reply | AliasMode::ReplyDemonitor) {
            self.aliases.remove(&alias);
        }
        if mode == AliasMode::ReplyDemonitor
            && let Some(watch) = self.monitors.get_mut(&alias).filter(|watch| watch.way == Way::Open)
        {
            watch.way = Way::Over;
        }
    }

    /// What lies here while the mailbox is empty was lost.
    pub(crate) fn nothing_waits(&self) -> Result<(), Wrong> {
        if let Some((from, left)) = self.mail.first_key_value() {
            return wrong(Invariant::Mail, format!("messages of {from} never came: {left:?}"));
        }
        if let Some((mark, _)) = self.monitors.iter().find(|(_, watch)| watch.way == Way::InMail) {
            return wrong(Invariant::Downs, format!("the Down for {mark:?} never came"));
        }
        if let Some(of) = self.exits.keys().next() {
            return wrong(Invariant::Exits, format!("the exit signal of {of} never came"));
        }
        if let Some((mark, _)) = self.timers.iter().find(|(_, timer)| timer.way == Way::InMail) {
            return wrong(Invariant::Timers, format!("the timer {mark:?} never came"));
        }
        if let Some((mark, watch)) = self.watches.iter().find(|(_, watch)| !watch.mail.is_empty()) {
            return wrong(Invariant::Changes, format!("{:?} of {mark:?} never came", watch.mail));
        }
        if let Some((mark, _)) = self.calls.iter().find(|(_, asked)| asked.way == Way::InMail && !asked.blocking) {
            return wrong(Invariant::Calls, format!("the answer to {mark:?} never came"));
        }
        Ok(())
    }
}

/// Something was wrong.
pub(crate) fn wrong<T>(what: Invariant, text: String) -> Result<T, Wrong> {
    Err((what, text))
}
