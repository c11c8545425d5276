//! The directory performed, as in `directory.rs` of the shell: each change one step, with those who watch told in it.

use skep_kernel::directory::{Holding, HowMany, Keys, Locking, Place, Removed, Table, Via, Watched};
use skep_kernel::registry::Taken;
use skep_kernel::{Changed, Refusal, Signal};

use super::*;
use crate::account::{Listening, Way};

/// How many keys each table has, and how many of those of the unique registry can be locked.
pub(super) const KEYS: usize = 3;

/// Something that a process has to do at the directory, or that is done for it.
pub(super) enum Errand {
    Enter {
        owner: Pid,
        place: Place,
        value: Arc<Body>,
    },
    /// The key is held by somebody who is to end: out with him, then again.
    Evict {
        owner: Pid,
        place: Place,
        value: Arc<Body>,
        holder: Pid,
    },
    /// The owner may have ended meanwhile.
    LookAfter {
        owner: Pid,
        place: Place,
    },
    Withdraw {
        owner: Pid,
        place: Place,
        how_many: HowMany,
    },
    /// The owner forgets what the directory no longer has.
    Forget {
        owner: Pid,
        place: Place,
        removed: Removed,
    },
    Watch {
        owner: Pid,
        watched: Watched,
        mark: Mark,
    },
    Lock {
        owner: Pid,
        lock: usize,
        mark: Mark,
    },
}

impl Errand {
    fn may_leave_an_entry_of(&self, of: Pid) -> bool {
        match self {
            Errand::Enter { owner, .. }
            | Errand::Evict { owner, .. }
            | Errand::LookAfter { owner, .. }
            | Errand::Withdraw { owner, .. } => *owner == of,
            Errand::Forget { .. } | Errand::Watch { .. } | Errand::Lock { .. } => false,
        }
    }
}

/// The registry whose keys have one holder.
const UNIQUE: &str = "unique";

/// Two registries, a scope of groups, and topics.
pub(super) fn tables() -> [Table; 4] {
    [Table::Registry(UNIQUE.into()), Table::Registry("many".into()), Table::Scope("groups".into()), Table::Topics]
}

fn keys_of(table: &Table) -> Keys {
    if matches!(table, Table::Registry(name) if **name == *UNIQUE) { Keys::Unique } else { Keys::Duplicate }
}

pub(super) fn via(number: usize) -> Via {
    Via { registry: UNIQUE.into(), key: format!("k{number}").into() }
}

pub(super) fn lock_place(lock: usize) -> Place {
    Place::from(via(lock))
}

impl World {
    pub(super) fn run_errand(&mut self, lane: usize, errand: Errand) {
        let next = match errand {
            Errand::Enter { owner, place, value } => return self.enter_directory(lane, owner, place, value),
            Errand::Evict { owner, place, value, holder } => {
                self.take_all_out(lane, holder, &place);
                Some(Errand::Enter { owner, place, value })
            }
            Errand::LookAfter { owner, place } => {
                let has_ended = self.cells.get(&owner.id).is_none_or(|cell| cell.process.is_doomed());
                has_ended.then_some(Errand::Withdraw { owner, place, how_many: HowMany::All })
            }
            Errand::Withdraw { owner, place, how_many } => {
                let removed = self.withdraw(lane, owner, &place, how_many);
                Some(Errand::Forget { owner, place, removed })
            }
            Errand::Forget { owner, place, removed } => {
                if let Some(cell) = self.cells.get_mut(&owner.id) {
                    cell.process.drop_entries(&place, removed);
                }
                None
            }
            Errand::Watch { owner, watched, mark } => {
                self.begin_watch(owner, watched, mark);
                None
            }
            Errand::Lock { owner, lock, mark } => {
                self.queue_for_lock(lane, owner, lock, mark);
                None
            }
        };
        self.lanes[lane].duties.extend(next.map(Duty::Errand));
    }

    /// Whether somebody is entering a process, and will take it out again if it has ended.
    pub(super) fn is_being_entered(&self, pid: Pid) -> bool {
        let duties = self.lanes.iter().flat_map(|lane| &lane.duties);
        duties.into_iter().any(|duty| matches!(duty, Duty::Errand(errand) if errand.may_leave_an_entry_of(pid)))
    }

    pub(super) fn lives(&self, pid: Pid) -> bool {
        self.cells.get(&pid.id).is_some_and(|cell| cell.pid == pid && cell.listed && !cell.process.is_doomed())
    }

    /// One change, and what must be told of it to everybody who watches.
    fn change<T>(
        &mut self,
        lane: usize,
        owner: Pid,
        place: &Place,
        expected: &[Changed],
        change: impl FnOnce(&mut Directory, &mut Vec<Action>) -> T,
    ) -> T {
        let covers = |watched: &Watched| match watched {
            Watched::Table(table) => *table == place.table,
            Watched::Key(of) => of == place,
        };
        let told = |cell: &&mut Cell| cell.listed && !cell.process.is_doomed();
        for cell in self.cells.values_mut().filter(told) {
            for watch in cell.account.watches.values_mut().filter(|watch| watch.open && covers(&watch.watched)) {
                watch.due.extend(expected.iter().cloned());
            }
        }
        let mut actions = Vec::new();
        let result = change(&mut self.directory, &mut actions);
        for action in actions {
            match action {
                Action::Deliver { to, signal } => drop(self.hand_over(lane, to, signal)),
                action => self.lanes[lane].duties.push_back(Duty::Act { owner, action }),
            }
        }
        self.check_told();
        self.compare(place);
        result
    }

    /// Nobody who watches was left out.
    fn check_told(&mut self) {
        let left_out = self.cells.values().filter(|cell| cell.listed && !cell.process.is_doomed()).find_map(|cell| {
            let watch = cell.account.watches.values().find(|watch| !watch.due.is_empty())?;
            Some(format!("{} was not told of {:?}", cell.pid, watch.due))
        });
        if let Some(what) = left_out {
            self.violated(Invariant::Changes, what);
        }
    }

    /// What is under a key is what must be.
    fn compare(&mut self, place: &Place) {
        let there: Vec<_> = self.directory.lookup(place).map(|(pid, value)| (pid, Arc::clone(value))).collect();
        let due = self.rolls.under(place);
        if keys_of(&place.table) == Keys::Unique && there.len() > 1 {
            self.violated(Invariant::OneHolder, format!("{place:?} is held by {there:?}"));
        }
        if there != due {
            self.violated(Invariant::Entries, format!("under {place:?} are {there:?}, and should be {due:?}"));
        }
    }

    fn enter_directory(&mut self, lane: usize, owner: Pid, place: Place, value: Arc<Body>) {
        let next = match self.enter_key(lane, owner, &place, &value) {
            Ok(()) => vec![Errand::LookAfter { owner, place }],
            Err(Taken(holder)) if self.lives(holder) => {
                let removed = Removed { count: 1, bytes: value.len() };
                vec![Errand::Forget { owner, place: place.clone(), removed }, Errand::LookAfter { owner, place }]
            }
            Err(Taken(holder)) => vec![Errand::Evict { owner, place, value, holder }],
        };
        self.lanes[lane].duties.extend(next.into_iter().map(Duty::Errand));
    }

    /// A process is born under a key, or not at all.
    pub(super) fn born_under(
        &mut self,
        lane: usize,
        pid: Pid,
        place: &Place,
        value: &Arc<Body>,
    ) -> Result<(), Refusal> {
        loop {
            match self.enter_key(lane, pid, place, value) {
                Ok(()) => return Ok(()),
                Err(Taken(holder)) if self.lives(holder) => return Err(Refusal::Taken(holder)),
                Err(Taken(holder)) => self.take_all_out(lane, holder, place),
            }
        }
    }

    fn enter_key(&mut self, lane: usize, owner: Pid, place: &Place, value: &Arc<Body>) -> Result<(), Taken> {
        let keys = keys_of(&place.table);
        let holder = self.rolls.holder(place).filter(|_| keys == Keys::Unique);
        let is_given_twice = holder.is_some() && self.strikes(Bug::TwoHolders);
        let keys = if is_given_twice { Keys::Duplicate } else { keys };
        let mut expected = Vec::new();
        if holder.is_none() || is_given_twice {
            expected.push(Changed::Added { key: Arc::clone(&place.key), pid: owner, value: Arc::clone(value) });
            self.rolls.enter(place, owner, value);
            self.figures.entries += 1;
        }
        let entry = (place.clone(), Arc::clone(value));
        let entered = self.change(lane, owner, place, &expected, |directory, actions| {
            directory.register(entry.0, keys, owner, entry.1, actions)
        });
        if entered.as_ref().err().map(|Taken(by)| *by) != holder.filter(|_| !is_given_twice) {
            self.violated(Invariant::Entries, format!("{owner} enters {place:?} of {holder:?}: {entered:?}"));
        }
        self.check_bounds(owner);
        entered
    }

    fn check_bounds(&mut self, owner: Pid) {
        let Some(cell) = self.cells.get(&owner.id) else { return };
        let ((count, bytes), limits) = (self.rolls.held(owner), &cell.limits);
        if count > limits.entries || bytes > limits.entry_bytes {
            self.violated(Invariant::Limits, format!("{owner} holds {count} entries and locks of {bytes} bytes"));
        }
    }

    fn withdraw(&mut self, lane: usize, owner: Pid, place: &Place, how_many: HowMany) -> Removed {
        let all = self.rolls.count(place, owner);
        let count = if how_many == HowMany::One { all.min(1) } else { all };
        let loses_all = all > count && self.strikes(Bug::LoseEntries);
        self.rolls.take_out(place, owner, how_many);
        let expected = vec![Changed::Removed { key: Arc::clone(&place.key), pid: owner }; count];
        let how_many = if loses_all { HowMany::All } else { how_many };
        let removed = self.change(lane, owner, place, &expected, |directory, actions| {
            directory.unregister(place, owner, how_many, actions)
        });
        if removed.count != count {
            self.violated(Invariant::Entries, format!("{owner} takes out {removed:?} at {place:?}, and had {count}"));
        }
        removed
    }

    fn take_all_out(&mut self, lane: usize, owner: Pid, place: &Place) {
        let expected =
            vec![Changed::Removed { key: Arc::clone(&place.key), pid: owner }; self.rolls.count(place, owner)];
        self.rolls.take_out(place, owner, HowMany::All);
        let holding = Holding::Entries(place.clone());
        self.change(lane, owner, place, &expected, |directory, actions| directory.release(&holding, owner, actions));
    }

    /// What a process leaves behind, or gives back.
    pub(super) fn release(&mut self, lane: usize, owner: Pid, holding: Holding) {
        match &holding {
            Holding::Entries(place) => {
                let has_some = self.rolls.count(place, owner) > 0;
                if has_some && self.strikes(Bug::LateEntry) {
                    self.late.push(Duty::Act { owner, action: Action::Release(holding) });
                } else if !(has_some && self.strikes(Bug::ForgetEntry)) {
                    self.take_all_out(lane, owner, place);
                }
            }
            Holding::Watch { watched, mark } => self.directory.unwatch(watched, owner, *mark),
            Holding::Lock(place) => {
                if !self.strikes(Bug::ForgetLock) {
                    self.rolls.unlock(place, owner);
                    self.change(lane, owner, place, &[], |directory, actions| directory.unlock(place, owner, actions));
                }
            }
        }
    }

    fn begin_watch(&mut self, owner: Pid, watched: Watched, mark: Mark) {
        self.directory.watch(watched.clone(), owner, mark);
        let watch = Listening { watched, open: true, due: VecDeque::new(), mail: VecDeque::new() };
        let cell = self.cell(owner);
        cell.account.watches.insert(mark, watch);
        let open = cell.account.watches.values().filter(|watch| watch.open).count();
        if open > cell.limits.monitors {
            self.violated(Invariant::Limits, format!("{owner} has {open} watches"));
        }
    }

    fn queue_for_lock(&mut self, lane: usize, owner: Pid, lock: usize, mark: Mark) {
        let place = lock_place(lock);
        let is_free = !self.rolls.locks.contains_key(&place);
        self.rolls.locks.entry(place.clone()).or_default().push_back((owner, mark));
        let is_granted = self.directory.lock(place.clone(), owner, mark) == Locking::Granted;
        if is_granted != is_free {
            self.violated(Invariant::Locks, format!("{owner} asks for {place:?}, free {is_free}: {is_granted}"));
        }
        if is_granted || self.strikes(Bug::TwoLocks) {
            let outcome = Ok(Body::Raw(Vec::new()));
            let _ = self.hand_over(lane, owner, Signal::Answer { mark, by: owner, outcome });
        }
        self.check_bounds(owner);
    }

    /// A process is told that it holds a lock.
    pub(super) fn holds(&mut self, pid: Pid, mark: Mark, lock: usize) -> Result<(), Wrong> {
        self.figures.locks += 1;
        let place = lock_place(lock);
        match self.rolls.locks.get(&place).and_then(VecDeque::front) {
            Some(first) if *first == (pid, mark) => Ok(()),
            first => Err((Invariant::Locks, format!("{pid} holds {place:?}, where {first:?} is first"))),
        }
    }

    /// Nobody is at work: all that is there is of processes that live and know of it, and nobody waits for a free lock.
    pub(super) fn audit_directory(&mut self) {
        let left = self.directory.iter().find(|(_, holder, _)| !self.is_alive(*holder));
        if let Some(what) = left.map(|(place, holder, _)| format!("{holder} has ended and is under {place:?}")) {
            return self.violated(Invariant::EntriesFree, what);
        }
        let differs = self.cells.values().find_map(|cell| {
            let knows = |table: &Table| (cell.process.keys_in(table), self.rolls.keys_in(table, cell.pid));
            let (knows, has) = tables().iter().map(knows).find(|(knows, has)| knows != has)?;
            Some(format!("{} knows of its keys {knows:?}, and has {has:?}", cell.pid))
        });
        if let Some(what) = differs {
            return self.violated(Invariant::Entries, what);
        }
        let stuck = self.rolls.locks.iter().find_map(|(place, queue)| {
            let (first, mark) = queue.front()?;
            let cell = self.cells.get(&first.id).filter(|cell| !cell.process.is_gone());
            let was_told = |cell: &Cell| cell.account.calls.get(mark).is_none_or(|asked| asked.way != Way::Open);
            (!cell.is_some_and(was_told)).then(|| format!("{first} should hold {place:?}, and was not told"))
        });
        if let Some(what) = stuck {
            self.violated(Invariant::Locks, what);
        }
    }
}
