//! Whoever performs an upgrade, as in `going.rs` of the shell.

use skep_kernel::Signal;
use skep_kernel::process::Kind;
use skep_kernel::upgrade::{Failure, Input, News, Order, Transaction, UpgradeId, Verdict};

use super::births::Gate;
use super::*;

/// Something to be done for an upgrade.
#[derive(Debug)]
enum Task {
    Order(Order),
    /// Somebody was born while births waited.
    Late(Pid, Verdict),
}

/// An upgrade under way.
pub(super) struct Coordinator {
    id: UpgradeId,
    machine: Transaction,
    tasks: VecDeque<Task>,
    inputs: VecDeque<Input>,
    news: VecDeque<(Pid, News)>,
    members: BTreeSet<Pid>,
    /// The modules that change, each with its new code.
    modules: BTreeMap<usize, u32>,
    deadline: Time,
    is_migrating: bool,
    /// It knows that there is nothing new.
    is_lulled: bool,
    result: Option<Result<(), Failure>>,
}

impl Coordinator {
    pub(super) fn can_go_on(&self, now: Time) -> bool {
        !self.tasks.is_empty()
            || !self.inputs.is_empty()
            || !self.news.is_empty()
            || self.result.is_some()
            || !self.is_lulled
            || self.deadline <= now
    }

    pub(super) fn deadline(&self) -> Time {
        self.deadline
    }

    pub(super) fn cancel(&mut self) {
        self.inputs.push_back(Input::Cancel);
    }
}

impl World {
    pub(super) fn begin_upgrade(&mut self) {
        if self.coordinator.is_some() {
            return;
        }
        let chosen = self.dice.pick(&[vec![0], vec![1], vec![0, 1]]);
        let mut modules = BTreeMap::new();
        for module in chosen {
            let code = self.slots[module].code;
            modules.insert(module, if self.dice.one_in(4) { code - 1 } else { code + 1 });
        }
        self.upgrades += 1;
        let id = self.upgrades;
        self.note(|_| format!("upgrade {id} of {modules:?} begins"));
        self.coordinator = Some(Coordinator {
            id,
            machine: Transaction::default(),
            tasks: VecDeque::new(),
            inputs: VecDeque::new(),
            news: VecDeque::new(),
            members: BTreeSet::new(),
            modules,
            deadline: self.now + Duration::from_millis(self.dice.between(5, 400)),
            is_migrating: false,
            is_lulled: false,
            result: None,
        });
        let found = self.found();
        self.coordinator_mut().inputs.push_back(Input::Found(found));
    }

    fn coordinator_mut(&mut self) -> &mut Coordinator {
        self.coordinator.as_mut().expect("an upgrade is under way")
    }

    /// All processes that run on code to be replaced, and that are not known yet.
    fn found(&mut self) -> Vec<Pid> {
        let Some(coordinator) = &mut self.coordinator else { return Vec::new() };
        let mut found = Vec::new();
        for cell in self.cells.values().filter(|cell| cell.listed) {
            let Content::Guest(guest) = &cell.content else { continue };
            let changes = coordinator.modules.contains_key(&guest.spec.module) && !guest.spec.is_task;
            if changes && coordinator.members.insert(cell.pid) {
                found.push(cell.pid);
            }
        }
        found
    }

    /// A process has news. Of an upgrade that is over, nobody wants to hear.
    pub(super) fn tell(&mut self, upgrade: UpgradeId, pid: Pid, news: News) {
        self.note(|world| format!("{} tells {news:?}", world.name_of(pid)));
        if let Some(coordinator) = self.coordinator.as_mut().filter(|coordinator| coordinator.id == upgrade) {
            coordinator.news.push_back((pid, news));
        }
    }

    pub(super) fn coordinate(&mut self, lane: usize) {
        let now = self.now;
        let Some(coordinator) = &mut self.coordinator else { return };
        if let Some(task) = coordinator.tasks.pop_front() {
            return self.do_task(lane, task);
        }
        if let Some(input) = coordinator.inputs.pop_front() {
            let mut orders = Vec::new();
            coordinator.machine.step(input, &mut orders);
            coordinator.tasks.extend(orders.into_iter().map(Task::Order));
            return;
        }
        if coordinator.result.is_some() {
            return self.end_upgrade();
        }
        if let Some((pid, news)) = coordinator.news.pop_front() {
            coordinator.is_lulled = false;
            coordinator.inputs.push_back(Input::News { pid, news });
        } else if !coordinator.is_lulled {
            coordinator.is_lulled = true;
            coordinator.inputs.push_back(Input::Lull);
        } else if coordinator.machine.is_migrating() && !coordinator.is_migrating {
            coordinator.is_migrating = true;
            coordinator.deadline = now + Duration::from_millis(self.dice.between(5, 400));
        } else if coordinator.deadline <= now {
            coordinator.inputs.push_back(Input::TimeUp);
        }
    }

    fn do_task(&mut self, lane: usize, task: Task) {
        self.note(|_| format!("upgrade: {task:?}"));
        match task {
            Task::Late(pid, verdict) => self.resume(lane, pid, verdict),
            Task::Order(order) => {
                if let Some(input) = self.obey_upgrade(lane, order)
                    && let Some(coordinator) = &mut self.coordinator
                {
                    coordinator.inputs.push_back(input);
                }
            }
        }
    }

    fn obey_upgrade(&mut self, lane: usize, order: Order) -> Option<Input> {
        let upgrade = self.coordinator.as_ref()?.id;
        match order {
            Order::Suspend(pid) => {
                let asked = self.hand_over(lane, pid, Signal::Suspend { upgrade });
                return asked.is_err().then_some(Input::News { pid, news: News::Gone });
            }
            Order::Migrate(pid) => {
                let successor = self.successor(pid);
                if let Some(Content::Guest(guest)) = self.cells.get_mut(&pid.id).map(|cell| &mut cell.content) {
                    guest.successor = successor;
                }
                let _ = self.hand_over(lane, pid, Signal::Migrate { upgrade });
            }
            Order::Close => {
                let modules: Vec<usize> = self.coordinator_mut().modules.keys().copied().collect();
                for module in modules {
                    self.slots[module].gate = Gate::Closed(upgrade, Vec::new());
                }
                return Some(Input::Closed(self.found()));
            }
            Order::Open => self.open(Verdict::RollBack),
            Order::Commit => self.open(Verdict::Commit),
            Order::Resume(pid, verdict) => {
                if self.strikes(Bug::ForgetResume) {
                    return None;
                }
                let other = match verdict {
                    Verdict::Commit => Verdict::RollBack,
                    Verdict::RollBack => Verdict::Commit,
                };
                let verdict = if self.strikes(Bug::OtherVerdict) { other } else { verdict };
                self.resume(lane, pid, verdict);
            }
            Order::End(result) => {
                if result.is_err() {
                    self.open(Verdict::RollBack);
                }
                self.coordinator_mut().result = Some(result);
            }
        }
        None
    }

    fn successor(&self, pid: Pid) -> Option<u32> {
        let Content::Guest(guest) = &self.cells.get(&pid.id)?.content else { return None };
        self.coordinator.as_ref()?.modules.get(&guest.spec.module).copied()
    }

    /// Lets births go on, and those that waited.
    fn open(&mut self, verdict: Verdict) {
        let modules = self.coordinator_mut().modules.clone();
        for (module, code) in modules {
            let slot = &mut self.slots[module];
            if verdict == Verdict::Commit {
                slot.code = code;
            }
            if let Gate::Closed(_, late) = std::mem::replace(&mut slot.gate, Gate::Open) {
                let tasks = &mut self.coordinator_mut().tasks;
                for pid in late.into_iter().rev() {
                    tasks.push_front(Task::Late(pid, verdict));
                }
            }
        }
    }

    /// Lets a process go on. What it goes on with is there before it does.
    fn resume(&mut self, lane: usize, pid: Pid, verdict: Verdict) {
        let (successor, upgrade) = (self.successor(pid), self.coordinator_mut().id);
        if let Some(Content::Guest(guest)) = self.cells.get_mut(&pid.id).map(|cell| &mut cell.content) {
            guest.successor = None;
            if let (Verdict::Commit, Some(code)) = (verdict, successor) {
                guest.code = code;
            }
        }
        let _ = self.hand_over(lane, pid, Signal::Resume { upgrade, verdict });
    }

    fn end_upgrade(&mut self) {
        match self.coordinator.take().and_then(|coordinator| coordinator.result) {
            Some(Ok(())) => self.figures.upgrades += 1,
            _ => self.figures.rolled_back += 1,
        }
        self.check_upgraded();
    }

    /// HOT-09: nobody is left suspended, and all run the same code.
    fn check_upgraded(&mut self) {
        let mut wrong = None;
        for cell in self.cells.values() {
            let Content::Guest(guest) = &cell.content else { continue };
            if !cell.listed || cell.process.is_gone() || cell.process.kind() == Kind::Task {
                continue;
            }
            let code = self.slots[guest.spec.module].code;
            if cell.process.is_suspended() && !cell.process.is_held() {
                wrong = Some((Invariant::Suspended, format!("{} is left suspended", cell.pid)));
            } else if guest.code != code {
                wrong =
                    Some((Invariant::AllOrNone, format!("{} is left on code {}, not {code}", cell.pid, guest.code)));
            }
        }
        if let Some((invariant, what)) = wrong {
            self.violated(invariant, what);
        }
    }
}
