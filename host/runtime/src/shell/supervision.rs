//! What a guest asks of supervisors, performed in the name of its process.
//!
//! Owns who may ask whom: a guest may ask supervisors of its own for anything, and those that the app declares if it was
//! granted their names. What a guest makes has at most the guest's rights and limits.

use std::sync::Arc;

use skep_kernel::process::WaitsFor;
use skep_kernel::supervisor::{ChildSpec, RouteError, SupervisorSpec};
use skep_kernel::{Address, Mark, Pid, Refusal, SpawnError, Time};

use super::guest::Guest;
use super::supervise::{By, Overseer, Owner};
use super::syscalls::GuestCalls;
use super::{Awaited, Cell, Content, Ties};
use crate::Request;
use crate::api::{Ended, PendingAnswer, PendingSpawn, SpawnOptions, Supervision, Wish};
use crate::spec::Blueprint;

/// A supervisor that somebody has found.
struct Found(Arc<Cell>);

impl Found {
    fn overseer(&self) -> &Overseer {
        match &self.0.content {
            Content::Supervisor(overseer) => overseer,
            Content::Guest(_) | Content::Client(_) => unreachable!("it was looked for among supervisors"),
        }
    }
}

impl GuestCalls {
    fn guest(&self) -> Result<&Guest, Refusal> {
        match &self.cell.content {
            Content::Guest(guest) => Ok(guest),
            Content::Supervisor(_) | Content::Client(_) => Err(Refusal::Denied("supervisors".into())),
        }
    }

    /// A supervisor of this app.
    fn supervisor(&self, address: &Address) -> Result<Result<Found, Refusal>, Ended> {
        let shell = self.shell()?;
        let cell = self.neighbour_at(shell, address)?;
        let found = cell.filter(|cell| matches!(cell.content, Content::Supervisor(_)));
        Ok(found.map(Found).ok_or_else(|| Refusal::Unknown(format!("supervisor {}", in_words(address)))))
    }

    /// As [`GuestCalls::supervisor`], to be asked for anything.
    fn own_or_granted(&self, address: &Address) -> Result<Result<Found, Refusal>, Ended> {
        let found = match self.supervisor(address)? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(if self.may_ask(&found) { Ok(found) } else { Err(not_granted(&found)) })
    }

    fn may_ask(&self, found: &Found) -> bool {
        if found.overseer().belongs_to(self.cell.pid) {
            return true;
        }
        let name = found.0.process.lock().name().cloned();
        let granted = self.guest().map(|guest| &guest.spec.grants.supervise);
        name.is_some_and(|name| granted.is_ok_and(|granted| granted.contains(&name)))
    }

    /// A partitioned supervisor, for a look at its partitions: whoever may look up names may do so.
    fn partitioned(&self, address: &Address) -> Result<Result<Found, Refusal>, Ended> {
        let found = match self.supervisor(address)? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let name = found.0.process.lock().name().cloned();
        let granted = match &name {
            Some(name) => self.admit_look_up(name).is_ok(),
            None => !self.guest().map_or(true, |guest| guest.spec.grants.look_up.is_empty()),
        };
        let may_look = granted || self.may_ask(&found);
        Ok(if may_look { Ok(found) } else { Err(not_granted(&found)) })
    }

    /// What a guest wants, as far as it may have it.
    fn granted(&self, wish: Wish) -> Result<Blueprint, Refusal> {
        Ok(match wish {
            Wish::Process { module, args, name } => {
                let options = SpawnOptions { name, ..SpawnOptions::default() };
                let mut spec = self.offspring(&module, &options)?;
                Arc::make_mut(&mut spec).args = args;
                Blueprint::Process(spec)
            }
            Wish::Supervisor(nested) => Blueprint::Supervisor(Arc::new(self.granted_tree(&nested)?)),
        })
    }

    fn granted_child(&self, child: ChildSpec<Wish>) -> Result<ChildSpec<Blueprint>, Refusal> {
        let ChildSpec { id, start, restart, shutdown, kind, significant } = child;
        Ok(ChildSpec { id, start: self.granted(start)?, restart, shutdown, kind, significant })
    }

    fn granted_tree(&self, tree: &SupervisorSpec<Wish>) -> Result<SupervisorSpec<Blueprint>, Refusal> {
        let guest = self.guest()?;
        if !guest.spec.grants.supervisors {
            return Err(Refusal::Denied("supervisors = true".into()));
        }
        if let Some(name) = &tree.name {
            self.admit_register(name)?;
        }
        let most = guest.spec.limits.children;
        if tree.children.len() > most {
            return Err(Refusal::Limit("children".into()));
        }
        let children = tree.children.iter().map(|child| self.granted_child(child.clone()));
        let spec = SupervisorSpec {
            strategy: tree.strategy,
            max_restarts: tree.max_restarts,
            max_seconds: tree.max_seconds,
            auto_shutdown: tree.auto_shutdown,
            backoff: tree.backoff,
            roster: tree.roster.clone(),
            max_children: tree.max_children.min(most),
            budget: Box::default(),
            name: tree.name.clone(),
            children: children.collect::<Result<_, _>>()?,
        };
        spec.check().map_err(|why| Refusal::Invalid(why.to_string()))?;
        Ok(spec)
    }

    /// A supervisor that may be asked, and the request as it may be made.
    fn admitted(
        &self,
        supervisor: &Address,
        request: Request<Wish>,
    ) -> Result<Result<(Found, Request), Refusal>, Ended> {
        let found = self.own_or_granted(supervisor)?;
        Ok(found.and_then(|found| Ok((found, self.granted_request(request)?))))
    }

    /// A request of a guest as one of the runtime.
    fn granted_request(&self, request: Request<Wish>) -> Result<Request, Refusal> {
        Ok(match request {
            Request::StartChild(child) => Request::StartChild(self.granted_child(child)?),
            Request::StartFromTemplate(args) => Request::StartFromTemplate(args),
            Request::TerminateChild(id) => Request::TerminateChild(id),
            Request::TerminatePid(pid) => Request::TerminatePid(pid),
            Request::RestartChild(id) => Request::RestartChild(id),
            Request::DeleteChild(id) => Request::DeleteChild(id),
            Request::Resize(partitions) => Request::Resize(partitions),
            Request::Replace(tree) => Request::Replace(self.granted_tree(&tree)?),
            Request::WhichChildren => Request::WhichChildren,
            Request::CountChildren => Request::CountChildren,
        })
    }
}

fn in_words(address: &Address) -> String {
    match address {
        Address::Pid(pid) => pid.to_string(),
        Address::Name(name) => name.to_string(),
        Address::Via(via) => via.to_string(),
        Address::Alias(_) => "behind an alias".into(),
    }
}

fn not_granted(found: &Found) -> Refusal {
    let name = found.0.process.lock().name().cloned();
    Refusal::Denied(match name {
        Some(name) => format!("supervise = [\"{name}\"]"),
        None => "supervise: the supervisor is another's, and has no name".into(),
    })
}

fn no_route(error: RouteError) -> Refusal {
    match error {
        RouteError::NotPartitioned => Refusal::Invalid(error.to_string()),
        RouteError::NoPartitions | RouteError::Down(_) => Refusal::Unknown(error.to_string()),
    }
}

impl Supervision for GuestCalls {
    fn begin_supervisor(&self, spec: &SupervisorSpec<Wish>) -> Result<Result<PendingSpawn, SpawnError>, Ended> {
        let shell = self.shell()?;
        let planned = self.guest().and_then(|guest| {
            let mut tree = self.granted_tree(spec)?;
            let allowance = Arc::clone(guest.allowance());
            allowance.charge_all(&mut tree)?;
            Ok((tree, Owner { pid: self.cell.pid, allowance }))
        });
        let (tree, owner) = match planned {
            Ok(planned) => planned,
            Err(refusal) => return Ok(Err(SpawnError::Refused(refusal))),
        };
        self.begin_birth(
            shell,
            &Blueprint::Supervisor(tree.into()),
            None,
            Ties { link: true, monitor: false },
            Some(owner),
        )
    }

    fn ask_supervisor(
        &self,
        supervisor: &Address,
        request: Request<Wish>,
    ) -> Result<Result<PendingAnswer, Refusal>, Ended> {
        let shell = self.shell()?;
        let (found, request) = match self.admitted(supervisor, request)? {
            Ok(admitted) => admitted,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.process()?.begin_wait(WaitsFor::Supervisor);
        Ok(Ok(shell.request(&found.0, found.overseer(), request, By::Guest)))
    }

    fn begin_task(
        &self,
        supervisor: &Address,
        request: Request<Wish>,
        link: bool,
    ) -> Result<Result<(PendingAnswer, Pid, Mark), Refusal>, Ended> {
        let shell = self.shell()?;
        let (found, request) = match self.admitted(supervisor, request)? {
            Ok(admitted) => admitted,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let task = shell.table.new_pid();
        let mut process = self.process()?;
        let by = match process.await_child(task, link) {
            Ok(by) => by,
            Err(refusal) => return Ok(Err(refusal)),
        };
        process.begin_wait(WaitsFor::Supervisor);
        drop(process);
        let pending = shell.request(&found.0, found.overseer(), request, By::Awaiting(Awaited { task, by }));
        Ok(Ok((pending, task, by.mark)))
    }

    fn give_task_up(&self, task: Pid, mark: Mark) {
        self.cell.transition(|process, _, actions| {
            process.unlink(task, actions);
            process.demonitor(mark, true, actions)
        });
    }

    fn route(&self, supervisor: &Address, key: &[u8]) -> Result<Result<Pid, Refusal>, Ended> {
        Ok(self.partitioned(supervisor)?.and_then(|found| found.overseer().route(key).map_err(no_route)))
    }

    fn partitions(&self, supervisor: &Address) -> Result<Result<usize, Refusal>, Ended> {
        let found = self.partitioned(supervisor)?;
        Ok(found.and_then(|found| match found.overseer().partitions() {
            Some((used, _)) => Ok(used),
            None => Err(no_route(RouteError::NotPartitioned)),
        }))
    }

    fn now(&self) -> Result<Time, Ended> {
        Ok(self.shell()?.now())
    }
}
