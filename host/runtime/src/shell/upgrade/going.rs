//! One upgrade under way.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use skep_kernel::upgrade::{Failure, Input, Mail, News, Order, Transaction, UpgradeId, Verdict};
use skep_kernel::{Name, Pid, Signal, Time};
use tokio::time::Instant;

use super::super::modules::ModuleSlot;
use super::super::{App, Cell, Shell};
use super::{Receiver, Successor, check, guest, processes};
use crate::Module;
use crate::upgrade::{Pauses, Progress, Summary, Upgrade, UpgradeError};

/// An upgrade under way. Dropped before it is over, it is rolled back.
pub(super) struct Going {
    shell: Arc<Shell>,
    app: Arc<App>,
    id: UpgradeId,
    changing: HashMap<Name, Changing>,
    machine: Transaction,
    /// Ordered and not yet done.
    orders: VecDeque<Order>,
    news: Receiver,
    members: HashMap<Pid, Arc<Cell>>,
    /// How long those that go on on the new code stood still.
    pauses: Vec<Duration>,
    /// Of whoever was still suspended, since when.
    stopped: HashMap<Pid, Time>,
    result: Option<Result<(), Failure>>,
}

/// A module that is claimed.
struct Changing {
    slot: Arc<ModuleSlot>,
    successor: Arc<Successor>,
}

impl Going {
    /// Checks that the code fits and takes the modules: nobody else may upgrade them now.
    pub(super) fn claim(shell: &Arc<Shell>, app: &Arc<App>, upgrade: &Upgrade) -> Result<Self, UpgradeError> {
        let (id, news) = shell.upgrades.listen();
        let mut going = Going {
            shell: Arc::clone(shell),
            app: Arc::clone(app),
            id,
            changing: HashMap::new(),
            machine: Transaction::default(),
            orders: VecDeque::new(),
            news,
            members: HashMap::new(),
            pauses: Vec::new(),
            stopped: HashMap::new(),
            result: None,
        };
        for change in &upgrade.changes {
            check::fits(app, change)?;
            let module = change.module.clone();
            let slot = app.slot(&module);
            let slot =
                slot.ok_or_else(|| UpgradeError::NoSuchModule { app: app.name.clone(), module: module.clone() })?;
            if !slot.claim(id) {
                return Err(UpgradeError::UnderWay { module });
            }
            let successor = Arc::new(Successor { code: change.code.clone(), extra: upgrade.extra.clone() });
            going.changing.insert(module, Changing { slot, successor });
        }
        Ok(going)
    }

    /// From the first suspension to the end.
    pub(super) async fn run(
        &mut self,
        upgrade: &Upgrade,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Summary, UpgradeError> {
        let begun = Instant::now();
        let mut deadline = begun + upgrade.wait;
        let found = self.found();
        self.feed(Input::Found(found), &mut progress);
        let mut migrating = false;
        while self.result.is_none() {
            if let Ok((pid, news)) = self.news.try_recv() {
                self.feed(Input::News { pid, news }, &mut progress);
                continue;
            }
            self.feed(Input::Lull, &mut progress);
            if self.result.is_some() {
                break;
            }
            if self.machine.is_migrating() && !migrating {
                migrating = true;
                deadline = Instant::now() + upgrade.migrate_within;
            }
            progress(self.progress());
            let input = tokio::select! {
                heard = self.news.recv() => match heard {
                    Some((pid, news)) => Input::News { pid, news },
                    None => Input::Cancel,
                },
                () = tokio::time::sleep_until(deadline) => Input::TimeUp,
            };
            self.feed(input, &mut progress);
        }
        match self.result.take() {
            Some(Ok(())) => Ok(self.summary(begun.elapsed())),
            Some(Err(failure)) => Err(self.explain(failure, upgrade)),
            None => Err(UpgradeError::Stopping),
        }
    }

    fn progress(&self) -> Progress {
        let total = self.machine.len();
        if self.machine.is_migrating() {
            Progress::Migrating { done: self.machine.migrated(), total }
        } else {
            Progress::Suspending { done: self.machine.suspended(), total }
        }
    }

    /// All processes that run on code to be replaced, and that are not known yet.
    fn found(&mut self) -> Vec<Pid> {
        let (shell, app) = (Arc::clone(&self.shell), Arc::clone(&self.app));
        let changing = &self.changing;
        let found: Vec<Arc<Cell>> = processes(&shell, &app, |module| changing.contains_key(module))
            .filter(|cell| guest(cell).is_some_and(|guest| !guest.module().runs_once()))
            .filter(|cell| !self.members.contains_key(&cell.pid))
            .collect();
        let pids = found.iter().map(|cell| cell.pid).collect();
        self.members.extend(found.into_iter().map(|cell| (cell.pid, cell)));
        pids
    }

    /// Tells the machine, and does all that follows.
    fn feed(&mut self, input: Input, progress: &mut dyn FnMut(Progress)) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut orders = Vec::new();
            self.machine.step(input, &mut orders);
            self.orders.extend(orders);
            inputs.extend(self.work_off(progress));
        }
    }

    /// Does what was ordered. Whoever is told of the progress may panic: what is ordered then is still done, by `drop`.
    fn work_off(&mut self, progress: &mut dyn FnMut(Progress)) -> Vec<Input> {
        let mut inputs = Vec::new();
        while let Some(order) = self.orders.front() {
            match order {
                Order::Commit => progress(Progress::Committing),
                Order::End(Err(_)) => progress(Progress::RollingBack),
                _ => {}
            }
            let order = self.orders.pop_front();
            inputs.extend(order.and_then(|order| self.obey(order)));
        }
        inputs
    }

    fn obey(&mut self, order: Order) -> Option<Input> {
        let upgrade = self.id;
        match order {
            Order::Suspend(pid) => {
                // One that has ended before it was asked will tell nothing.
                let asked = self.shell.deliver(pid, Signal::Suspend { upgrade });
                return asked.is_err().then_some(Input::News { pid, news: News::Gone });
            }
            Order::Migrate(pid) => {
                let cell = self.members.get(&pid)?;
                let successor = self.successor(cell);
                guest(cell)?.set_successor(successor);
                // One that has ended since has told so.
                let _ = self.shell.deliver(pid, Signal::Migrate { upgrade });
            }
            Order::Close => {
                self.changing.values().for_each(|changing| changing.slot.close());
                return Some(Input::Closed(self.found()));
            }
            Order::Open => self.open(Verdict::RollBack),
            Order::Commit => {
                self.stopped = self.machine.taken_over().map(|(pid, stop, _)| (pid, stop.at)).collect();
                self.open(Verdict::Commit);
            }
            Order::Resume(pid, verdict) => {
                if let Some(cell) = self.members.get(&pid) {
                    self.resume(cell, verdict);
                }
                if let (Some(since), Verdict::Commit) = (self.stopped.get(&pid), verdict) {
                    self.pauses.push(self.shell.now().saturating_sub(*since));
                }
            }
            Order::End(result) => {
                if result.is_err() {
                    self.open(Verdict::RollBack);
                }
                self.result = Some(result);
            }
        }
        None
    }

    fn successor(&self, cell: &Cell) -> Option<Arc<Successor>> {
        let changing = self.changing.get(&guest(cell)?.spec.module)?;
        Some(Arc::clone(&changing.successor))
    }

    /// Lets births go on, and those that waited.
    fn open(&self, verdict: Verdict) {
        for changing in self.changing.values() {
            let code = (verdict == Verdict::Commit).then(|| changing.successor.code.clone());
            for cell in changing.slot.open(code) {
                self.resume(&cell, verdict);
            }
        }
    }

    /// Lets a process go on. What it goes on with is there before it does.
    fn resume(&self, cell: &Cell, verdict: Verdict) {
        let Some(guest) = guest(cell) else { return };
        guest.set_successor(None);
        if let (Verdict::Commit, Some(successor)) = (verdict, self.successor(cell)) {
            guest.set_module(successor.code.clone());
        }
        // It may have ended.
        let _ = self.shell.deliver(cell.pid, Signal::Resume { upgrade: self.id, verdict });
    }

    fn summary(&mut self, took: Duration) -> Summary {
        let mut summary = Summary { took, pause: pauses(std::mem::take(&mut self.pauses)), ..Summary::default() };
        for (_, stop, bytes) in self.machine.taken_over() {
            if !stop.begun {
                summary.not_begun += 1;
                continue;
            }
            summary.migrated += 1;
            summary.hibernated += usize::from(stop.hibernated);
            summary.waited_for += usize::from(stop.mail == Mail::WaitedFor);
            summary.state_bytes += bytes as u64;
        }
        let is_left = |cell: &Arc<Cell>| {
            let on = |module: &Module| self.successor(cell).is_some_and(|successor| successor.code.is(module));
            guest(cell).is_some_and(|guest| guest.module().runs_once() && !on(&guest.module()))
        };
        summary.tasks =
            processes(&self.shell, &self.app, |module| self.changing.contains_key(module)).filter(is_left).count();
        summary
    }

    fn explain(&self, failure: Failure, upgrade: &Upgrade) -> UpgradeError {
        match failure {
            Failure::Busy(pids) => {
                let name = |pid: &Pid| {
                    let cell = self.members.get(pid)?;
                    Some((cell.subject(), cell.process.lock().doing()))
                };
                UpgradeError::Busy { processes: pids.iter().filter_map(name).collect(), wait: upgrade.wait }
            }
            Failure::NotMigrated(pid, why) => match self.members.get(&pid) {
                Some(cell) => UpgradeError::Refused {
                    subject: cell.subject(),
                    step: why.step,
                    reason: Box::new(why.reason),
                    trace: why.trace,
                },
                None => UpgradeError::Stopping,
            },
            Failure::TooSlow(pids) => match pids.first().and_then(|pid| self.members.get(pid)) {
                Some(cell) => UpgradeError::TooSlow {
                    subject: cell.subject(),
                    done: self.machine.migrated(),
                    total: self.machine.len(),
                    within: upgrade.migrate_within,
                },
                None => UpgradeError::Stopping,
            },
            Failure::Cancelled => UpgradeError::Stopping,
        }
    }
}

fn pauses(mut pauses: Vec<Duration>) -> Pauses {
    pauses.sort_unstable();
    let at = |percent: usize| {
        // The smallest pause that so many are not longer than.
        let rank = (pauses.len() * percent).div_ceil(100);
        pauses.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    };
    Pauses { p50: at(50), p99: at(99), max: at(100) }
}

impl Drop for Going {
    fn drop(&mut self) {
        // Whatever happened, nobody stays suspended, and births go on.
        self.work_off(&mut |_| {});
        if !self.machine.is_over() {
            self.feed(Input::Cancel, &mut |_| {});
        }
        self.changing.values().for_each(|changing| changing.slot.release());
        self.shell.upgrades.forget(self.id);
    }
}
