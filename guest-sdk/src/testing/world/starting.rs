//! Processes and supervisors that the process under test starts, and names.
//!
//! Never runs any of them: the test says what becomes of them.

use super::World;
use crate::host::spawning;
use crate::supervision::{Ask, Counts, Reply, SupervisionError, Supervisor, What};
use crate::testing::action::Action;
use crate::testing::directory::Table;
use crate::types::{Address, Body, Pid, Refusal};

impl World {
    pub(crate) fn spawn(
        &mut self,
        module: &str,
        args: &Body,
        options: &spawning::Options,
    ) -> Result<spawning::Child, spawning::SpawnError> {
        self.note(Action::Spawn { module: module.to_owned(), args: args.clone() });
        let via = options.claim.as_ref().map(|claim| Address::Via(claim.via.clone()));
        let name = options.name.clone().map(Address::Name);
        if let Some(holder) = [name, via].into_iter().flatten().find_map(|address| self.holder(&address)) {
            return Err(spawning::SpawnError::Refused(Refusal::Taken(holder)));
        }
        let pid = match &mut self.on_spawn {
            Some(start) => start(module, args.clone()).map_err(spawning::SpawnError::Failed)?,
            None => self.pid(),
        };
        if let Some(name) = &options.name {
            self.names.insert(name.clone(), pid);
        }
        if let Some(claim) = &options.claim {
            let table = Table::Registry(claim.via.registry.clone());
            let entered = self.enroll(table, &claim.via.key, pid, claim.value.clone());
            entered.map_err(spawning::SpawnError::Refused)?;
        }
        let mark = options.monitor.then(|| self.begin_task(module, args.clone(), pid, options.link));
        if options.link && mark.is_none() {
            self.note(Action::Link(pid));
        }
        Ok(spawning::Child { pid, mark })
    }

    pub(crate) fn start_supervisor(&mut self, supervisor: Supervisor) -> Result<Pid, SupervisionError> {
        let pid = self.pid();
        if let Some(name) = &supervisor.name {
            let taken = self.register(name, pid);
            taken.map_err(SupervisionError::Refused)?;
        }
        self.note(Action::StartSupervisor(Box::new(supervisor)));
        self.note(Action::Link(pid));
        Ok(pid)
    }

    pub(crate) fn ask_supervisor(&mut self, supervisor: &Address, ask: Ask) -> Result<Reply, SupervisionError> {
        self.note(Action::AskSupervisor { supervisor: supervisor.clone(), ask: ask.clone() });
        let answer = match &mut self.on_ask {
            Some(answer) => answer(supervisor, &ask)?,
            None => self.unless_told(&ask),
        };
        Ok(match (ask, answer) {
            (Ask::StartTask { task, link }, Reply::Started(Some(pid))) => {
                let What::Process { module, args, .. } = task.start else { return Err(SupervisionError::NotFound) };
                Reply::Task { pid, mark: self.begin_task(&module, args, pid, link) }
            }
            (Ask::StartTaskFromTemplate { args, link }, Reply::Started(Some(pid))) => {
                let args = args.unwrap_or_else(|| Body::Json("null".to_owned()));
                Reply::Task { pid, mark: self.begin_task("", args, pid, link) }
            }
            (_, answer) => answer,
        })
    }

    fn unless_told(&mut self, ask: &Ask) -> Reply {
        match ask {
            Ask::StartTask { .. } | Ask::StartTaskFromTemplate { .. } => Reply::Started(Some(self.pid())),
            Ask::StartChild(_) | Ask::StartFromTemplate(_) | Ask::RestartChild(_) | Ask::Route(_) => {
                Reply::Started(Some(self.pid()))
            }
            Ask::TerminateChild(_) | Ask::TerminatePid(_) | Ask::DeleteChild(_) | Ask::Resize(_) => Reply::Done,
            Ask::WhichChildren => Reply::Children(Vec::new()),
            Ask::CountChildren => Reply::Counts(Counts::default()),
            Ask::Partitions => Reply::Number(0),
        }
    }

    pub(crate) fn register(&mut self, name: &str, pid: Pid) -> Result<(), Refusal> {
        if let Some(holder) = self.names.get(name) {
            return Err(Refusal::Taken(*holder));
        }
        if name.is_empty() || self.names.values().any(|holder| *holder == pid) {
            return Err(Refusal::Invalid("the name is empty, or the process has one".to_owned()));
        }
        self.names.insert(name.to_owned(), pid);
        Ok(())
    }
}
