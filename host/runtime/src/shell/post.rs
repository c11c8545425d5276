//! The one way signals travel: into the receiver's state machine, and on to whoever must hear of what followed.
//!
//! What follows is a queue of duties that is worked off by whoever began: no lock is held meanwhile, and nobody waits for
//! another worker.

use std::collections::VecDeque;
use std::sync::Arc;

use skep_kernel::signal::Undelivered;
use skep_kernel::{Action, Caller, Event, Mark, Pid, Signal, Time};

use super::{App, Cell, Shell, Way, outbox};

impl Shell {
    /// Delivers one signal, and does all that follows from it.
    pub(crate) fn deliver(&self, to: Pid, signal: Signal) -> Result<(), Undelivered> {
        let mut duties = VecDeque::new();
        let delivered = self.hand_over(to, signal, &mut duties);
        self.work_off(duties);
        delivered.map(|_| ())
    }

    /// Delivers a message to whom an address was found to mean, and does all that follows from it. How many wait there now.
    pub(crate) fn deliver_on(&self, way: &Way, event: Event) -> Result<usize, Undelivered> {
        let mut duties = VecDeque::new();
        let delivered = self.hand_to(&way.to, way.signal(event), &mut duties);
        self.work_off(duties);
        delivered
    }

    /// As [`Shell::deliver_on`], for a guest's message to the pid of another process: those that follow are collected.
    pub(crate) fn send_on(&self, way: &Way, event: Event) -> Result<usize, Undelivered> {
        self.deliver_on(way, event).inspect(|waiting| outbox::delivered(way, *waiting))
    }

    /// Delivers a call that `from` has begun. If it cannot be delivered, that is the answer, which is on its way.
    pub(crate) fn send_call(&self, from: &Cell, way: &Way, mark: Mark, content: impl FnOnce(Caller) -> Event) {
        let caller = Caller { pid: from.pid, mark };
        let _ = self.deliver_on(way, content(caller));
        // Its time may have run out before it was delivered: then the callee has been told to forget a caller that it did
        // not know yet, and is told again.
        if !from.process.lock().is_open(mark) {
            let _ = self.deliver(way.pid(), Signal::Demonitor { from: from.pid, mark });
        }
    }

    /// Does what the state machine of `cell` asked for.
    pub(crate) fn perform(&self, cell: &Cell, actions: Vec<Action>) {
        // Those of its own need no duty, which would hold on to its app: most of the time nothing follows from them.
        let mut duties = VecDeque::new();
        for action in actions {
            self.act(cell.pid, &cell.app, action, &mut duties);
        }
        self.work_off(duties);
    }

    pub(super) fn work_off(&self, mut duties: VecDeque<Duty>) {
        while let Some(Duty { owner, app, action }) = duties.pop_front() {
            self.act(owner, &app, action, &mut duties);
        }
    }

    fn act(&self, owner: Pid, app: &Arc<App>, action: Action, duties: &mut VecDeque<Duty>) {
        match action {
            Action::Deliver { to, signal } => {
                // Who must hear of a failure is told by `hand_over`.
                let _ = self.hand_over(to, signal, duties);
            }
            Action::Send { to, body } => {
                if let Some(way) = self.way_of(owner, app, &to) {
                    let _ = self.hand_to(&way.to, way.signal(Event::Info(body)), duties);
                }
            }
            Action::StartTimer { mark, at } => self.clock.set(owner, mark, at),
            Action::CancelTimer { mark, .. } => self.clock.cancel(owner, mark),
            Action::Tell { upgrade, news } => self.upgrades.tell(upgrade, owner, news),
            Action::Inform { request, answer } => self.operators.inform(request, answer),
            Action::ReleaseName(name) => app.release(&name, owner),
            Action::Release(holding) => self.release(app, owner, &holding, duties),
            Action::Remove => self.table.remove(owner),
        }
    }

    /// Gives a signal to its receiver. What follows from it is added to `duties`. How many events wait there now.
    pub(super) fn hand_over(&self, to: Pid, signal: Signal, duties: &mut VecDeque<Duty>) -> Result<usize, Undelivered> {
        if let Some(cell) = self.table.get(to) {
            return self.hand_to(&cell, signal, duties);
        }
        let answer = signal.complaint().map(|complaint| complaint.action(to, Undelivered::Gone));
        duties.extend(answer.map(|action| Duty::ownerless(to, action)));
        Err(Undelivered::Gone)
    }

    fn hand_to(&self, cell: &Arc<Cell>, signal: Signal, duties: &mut VecDeque<Duty>) -> Result<usize, Undelivered> {
        outbox::flush();
        let complaint = signal.complaint();
        let mut actions = Vec::new();
        // Reading the clock takes as long as the lock, and most signals have no use for it.
        let now = if signal.is_timely() { self.now() } else { Time::ZERO };
        let delivery = {
            let mut process = cell.process.lock();
            let delivery = process.deliver(signal, now, &mut actions);
            if process.doom().is_some() {
                cell.note_doom();
            }
            delivery
        };
        duties.extend(actions.into_iter().map(|action| Duty::of(cell, action)));
        if let Err(why) = &delivery.outcome {
            let answer = complaint.map(|complaint| complaint.action(cell.pid, why.clone()));
            duties.extend(answer.map(|action| Duty::of(cell, action)));
        }
        if delivery.wake {
            self.schedule(Arc::clone(cell));
        }
        delivery.outcome.map(|()| delivery.waiting)
    }
}

/// An action and whose it is.
pub(super) struct Duty {
    pub(super) owner: Pid,
    pub(super) app: Arc<App>,
    pub(super) action: Action,
}

impl Duty {
    fn of(cell: &Cell, action: Action) -> Self {
        Duty { owner: cell.pid, app: Arc::clone(&cell.app), action }
    }

    /// An answer in the name of a process that is no more: a delivery, which needs no app.
    fn ownerless(pid: Pid, action: Action) -> Self {
        Duty { owner: pid, app: App::nowhere(), action }
    }
}
