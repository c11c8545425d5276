//! Children of guests, and what a guest is made from.

use skep_kernel::process::Waiting;

use super::*;
use crate::account::{Watch, Way};

impl World {
    pub(super) fn spawn(&mut self, lane: usize, pid: Pid, script: Script) -> Flow {
        if self.cells.len() >= CROWD {
            return self.goes_on(pid, Doing::Runs(script));
        }
        let child = self.new_pid();
        let (link, watched) = (self.dice.one_in(2), self.dice.one_in(2));
        let target = watched.then_some(Address::Pid(child));
        let begun = self.cell(pid).process.begin_spawn(child, link, target, Waiting::Blocking);
        let Ok((starter, monitor)) = begun else { return self.goes_on(pid, Doing::Runs(script)) };
        let account = &mut self.cell(pid).account;
        account.spawns.insert(starter, monitor);
        if let Some(mark) = monitor {
            account.monitors.insert(mark, Watch { target: Some(child), way: Way::Open, result: false });
        }
        let spec = self.guest_spec();
        let born = Born {
            pid: child,
            blueprint: Blueprint::Guest(Arc::new(spec)),
            label: None,
            parent: pid,
            starter,
            link,
            monitor,
            in_turn: false,
        };
        self.lanes[lane].duties.push_back(Duty::Birth(Box::new(born)));
        self.goes_on(pid, Doing::WaitsForChild(starter, script))
    }

    /// What a guest is made from, by chance.
    pub(in crate::world) fn guest_spec(&mut self) -> GuestSpec {
        let limits = skep_kernel::Limits {
            mailbox_messages: self.dice.pick(&[3, 10, 50]),
            mailbox_bytes: self.dice.pick(&[60, 400, 10_000]),
            timers: self.dice.pick(&[2, 20]),
            links: self.dice.pick(&[2, 20]),
            monitors: self.dice.pick(&[2, 20]),
            requests: self.dice.pick(&[2, 20]),
            entries: self.dice.pick(&[2, 20]),
            entry_bytes: self.dice.pick(&[40, 1_000]),
            aliases: self.dice.pick(&[2, 20]),
            init_timeout: Duration::from_millis(self.dice.pick(&[5, 100, 10_000])),
            ..skep_kernel::Limits::default()
        };
        let hibernates = self.has(Feature::Hibernation);
        let hibernate_after = match self.dice.below(4) {
            0 if hibernates => Some(Duration::ZERO),
            1 if hibernates => Some(Duration::from_millis(self.dice.between(1, 30))),
            _ => None,
        };
        let name = (self.has(Feature::Names) && self.dice.one_in(4)).then(|| self.a_name());
        let claim = (self.has(Feature::Directory) && self.dice.one_in(8)).then(|| self.a_claim());
        GuestSpec {
            module: self.dice.below(2),
            is_task: self.has(Feature::Tasks) && self.dice.one_in(6),
            name,
            claim,
            hibernate_after,
            limits: Arc::new(limits),
            traps: self.has(Feature::Exits) && self.dice.one_in(3),
            fails: if self.has(Feature::Crashes) { self.dice.pick(&[3, 12, 1000]) } else { usize::MAX },
            slowness: self.dice.pick(&[1, 1, 4, 40]),
        }
    }
}
