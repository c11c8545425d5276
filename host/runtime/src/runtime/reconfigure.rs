//! Gives an app that runs another spec, step by step.
//!
//! Owns the order of the steps (see `crate::reconfigure`). What a step means is the supervisors' and the upgrade's to say.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use skep_kernel::Pid;
use skep_kernel::supervisor::{Answer, Input, RequestError, SupervisorSpec};

use super::{Running, Runtime, RuntimeError, prepare};
use crate::difference::{Differences, Path};
use crate::reconfigure::{NotStarted, NotStartedReason, Progress, Reconfiguration, ReconfigureError, Reconfigured};
use crate::shell::{Cell, Content};
use crate::spec::{AppSpec, Blueprint, ModuleSpec};
use crate::upgrade::{Change, Upgrade};

impl Runtime {
    /// What an app consists of now: the spec that it was last given, with the code that its modules have now. Children
    /// that others have added to its supervisors are not in it.
    #[must_use]
    pub fn app_spec(&self, app: &str) -> Option<AppSpec> {
        let Running { app, spec, .. } = self.app(app).ok()?;
        Some(AppSpec {
            name: Arc::clone(&app.name),
            modules: app.modules(),
            registries: app.registries(),
            budget: app.budget.bounds(),
            root: SupervisorSpec::clone(&spec),
        })
    }

    /// Gives an app that runs another spec. What is wrong with it is refused before anything changes, and if the modules
    /// cannot be upgraded nothing has changed either; children that do not start are in the answer.
    ///
    /// One at a time for each app. To be driven to its end: if it is dropped, it stands where it stood.
    pub async fn reconfigure(
        &self,
        wanted: Reconfiguration,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Reconfigured, ReconfigureError> {
        let name = Arc::clone(&wanted.app.name);
        let no_such_app = |_| ReconfigureError::NoSuchApp(Arc::clone(&name));
        let turn = self.app(&name).map_err(no_such_app)?.reconfiguring;
        let _turn = turn.lock().await;
        let running = self.app(&name).map_err(no_such_app)?;
        if running.ended.borrow().is_some() {
            return Err(ReconfigureError::Ended(name));
        }
        check(&wanted.app)?;
        prepare(&wanted.app.modules, &wanted.app.root).await?;

        let Reconfiguration { app: AppSpec { modules, registries, budget, root, .. }, wait, migrate_within } = wanted;
        let changes = changed(&running.app.modules(), &modules);
        let upgraded = if changes.is_empty() {
            None
        } else {
            let upgrade = Upgrade { app: Arc::clone(&name), changes, wait, migrate_within, extra: None };
            let done = self.upgrade(upgrade, |step| progress(Progress::Upgrading(step))).await;
            Some(done.map_err(Box::new)?)
        };
        // From here on children of new modules may be started, be it by a supervisor that restarts one.
        for module in &modules {
            running.app.put_module(module.clone());
        }
        // And look for the registries that they were made with; who runs on needs those that go, until it has ended.
        let mut all = running.app.registries();
        all.extend(registries.clone());
        running.app.set_registries(all);

        // What is new counts in the new budget already.
        running.app.budget.set(&budget, self.inner.shell.now());
        self.inner.shell.budgets_changed();

        let differences = Differences::between(&running.spec, &root);
        let tree = Tree { runtime: self, root: running.root };
        tree.replace(&differences).await.map_err(|RootEnded| ReconfigureError::Ended(Arc::clone(&name)))?;
        // After the specs: whoever is restarted in between is born with the new limits already.
        tree.limit(&differences);
        let stopped = tree.stop(&differences, &mut progress).await;
        let (started, failed) = tree.start(&differences, &mut progress).await;

        let mut root = Arc::new(root);
        if !failed.is_empty() {
            root = Arc::new(tree.forget(&root, &failed).await);
        }
        for module in running.app.modules() {
            if !modules.iter().any(|kept| kept.name == module.name) {
                running.app.remove_module(&module.name);
            }
        }
        running.app.set_registries(registries);
        if let Some(running) = self.inner.apps.lock().get_mut(&name) {
            running.spec = root;
        }
        Ok(Reconfigured { upgraded, stopped, started, failed })
    }
}

/// Refuses what no supervisor would take, or could ever start.
fn check(app: &AppSpec) -> Result<(), ReconfigureError> {
    fn supervisor(at: &Path, spec: &SupervisorSpec<Blueprint>, modules: &[ModuleSpec]) -> Result<(), ReconfigureError> {
        spec.check().map_err(|why| ReconfigureError::Invalid { at: at.clone(), why })?;
        spec.children.iter().try_for_each(|child| match &child.start {
            Blueprint::Supervisor(nested) => supervisor(&at.child(&child.id), nested, modules),
            Blueprint::Process(process) if modules.iter().any(|module| module.name == process.module) => Ok(()),
            Blueprint::Process(process) => {
                Err(ReconfigureError::NoSuchModule { child: at.child(&child.id), module: Arc::clone(&process.module) })
            }
        })
    }
    supervisor(&Path::default(), &app.root, &app.modules)
}

/// Modules that are there already, with other code.
fn changed(running: &[ModuleSpec], wanted: &[ModuleSpec]) -> Vec<Change> {
    let digests: HashMap<&str, &str> = running.iter().map(|module| (&*module.name, module.module.digest())).collect();
    let is_changed =
        |module: &&ModuleSpec| digests.get(&*module.name).is_some_and(|digest| *digest != module.module.digest());
    let changes = wanted.iter().filter(is_changed);
    changes.map(|module| Change { module: Arc::clone(&module.name), code: module.module.clone() }).collect()
}

/// The root supervisor has ended, and everything with it.
struct RootEnded;

/// The tree of an app that runs, as far as it does. A supervisor that is down has no children to be changed: when it is
/// started again, it begins from the spec that its own supervisor has.
struct Tree<'a> {
    runtime: &'a Runtime,
    root: Pid,
}

impl Tree<'_> {
    /// The process at a place, also if it is still being started.
    fn process(&self, path: &Path) -> Option<Arc<Cell>> {
        let table = &self.runtime.inner.shell.table;
        path.ids().iter().try_fold(table.get(self.root)?, |cell, id| match &cell.content {
            Content::Supervisor(overseer) => table.get(overseer.process_of(id)?),
            Content::Guest(_) | Content::Client(_) => None,
        })
    }

    fn pid(&self, path: &Path) -> Option<Pid> {
        self.process(path).map(|cell| cell.pid)
    }

    /// Replaces specs from the top down: a supervisor that is restarted meanwhile begins from one that is new already.
    async fn replace(&self, differences: &Differences<'_>) -> Result<(), RootEnded> {
        for pair in &differences.supervisors {
            let taken = match self.pid(&pair.path) {
                Some(pid) => {
                    let spec = pair.is.clone();
                    self.runtime.inner.shell.ask(pid, |ask| Input::Replace { spec, ask }).await
                }
                None => Err(RuntimeError::SupervisorEnded),
            };
            match taken {
                Err(_) if pair.path.ids().is_empty() => return Err(RootEnded),
                // It has ended, or is about to; what comes after it has the new spec.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Gives running processes their new limits.
    fn limit(&self, differences: &Differences<'_>) {
        for pair in differences.processes.iter().filter(|pair| pair.was.limits != pair.is.limits) {
            if let Some(cell) = self.process(&pair.path) {
                cell.process.lock().set_limits(Arc::clone(&pair.is.limits));
            }
        }
    }

    /// Stops what is no longer listed, the last one first.
    async fn stop(&self, differences: &Differences<'_>, progress: &mut impl FnMut(Progress)) -> Vec<Path> {
        let listed: HashSet<&Path> = differences.added.iter().map(|(path, _)| path).collect();
        let mut stopped = Vec::new();
        for (path, _) in differences.removed.iter().rev() {
            let Some((supervisor, id)) = path.split() else { continue };
            let Some(pid) = self.pid(&supervisor) else { continue };
            progress(Progress::Stopping(path.clone()));
            let shell = &self.runtime.inner.shell;
            // A child that the supervisor does not know, or a supervisor that is not there any more, is as good as stopped.
            let _ = shell.ask(pid, |ask| Input::TerminateChild { id: Arc::clone(id), ask }).await;
            if !listed.contains(path) {
                let _ = shell.ask(pid, |ask| Input::DeleteChild { id: Arc::clone(id), ask }).await;
            }
            stopped.push(path.clone());
        }
        stopped
    }

    /// Starts what is new, the first one first.
    async fn start(
        &self,
        differences: &Differences<'_>,
        progress: &mut impl FnMut(Progress),
    ) -> (Vec<Path>, Vec<NotStarted>) {
        let (mut started, mut failed) = (Vec::new(), Vec::new());
        for (path, spec) in &differences.added {
            progress(Progress::Starting(path.clone()));
            let why = match path.split().and_then(|(supervisor, id)| Some((self.pid(&supervisor)?, id))) {
                None => Some(NotStartedReason::NoSupervisor),
                Some((supervisor, id)) => {
                    let shell = &self.runtime.inner.shell;
                    let restarted = shell.ask(supervisor, |ask| Input::RestartChild { id: Arc::clone(id), ask }).await;
                    match restarted {
                        // A temporary child that took the place of another one was forgotten with that.
                        Err(RuntimeError::Refused(RequestError::NotFound)) => {
                            let spec = (*spec).clone();
                            refusal(shell.ask(supervisor, |ask| Input::StartChild { spec, ask }).await)
                        }
                        answer => refusal(answer),
                    }
                }
            };
            match why {
                None => started.push(path.clone()),
                Some(why) => failed.push(NotStarted { child: path.clone(), why }),
            }
        }
        (started, failed)
    }

    /// Takes children that did not start out of their supervisors again: as in OTP, what was not started is not known.
    /// Otherwise the next restart of a group would try again, and take the group down with it.
    async fn forget(&self, root: &SupervisorSpec<Blueprint>, failed: &[NotStarted]) -> SupervisorSpec<Blueprint> {
        let gone: HashSet<&Path> = failed.iter().map(|failed| &failed.child).collect();
        let without = without(&Path::default(), root, &gone);
        // If the root has ended, there is nobody left to know of anything.
        let differences = Differences::between(root, &without);
        let _ = self.replace(&differences).await;
        for NotStarted { child, .. } in failed {
            if let Some((supervisor, id)) = child.split()
                && let Some(pid) = self.pid(&supervisor)
            {
                let _ = self.runtime.inner.shell.ask(pid, |ask| Input::DeleteChild { id: Arc::clone(id), ask }).await;
            }
        }
        without
    }
}

/// Why a child does not run. One that runs, or is being started, because of a restart in its supervisor is fine.
fn refusal(answer: Result<Answer, RuntimeError>) -> Option<NotStartedReason> {
    match answer {
        Ok(_) => None,
        Err(RuntimeError::Refused(
            RequestError::Running | RequestError::Restarting | RequestError::AlreadyStarted(_),
        )) => None,
        Err(RuntimeError::Refused(why)) => Some(NotStartedReason::Refused(why)),
        Err(_) => Some(NotStartedReason::NoSupervisor),
    }
}

/// The same tree without these children.
fn without(at: &Path, spec: &SupervisorSpec<Blueprint>, gone: &HashSet<&Path>) -> SupervisorSpec<Blueprint> {
    let mut spec = spec.clone();
    spec.children.retain(|child| !gone.contains(&at.child(&child.id)));
    for child in &mut spec.children {
        let below = at.child(&child.id);
        if let Blueprint::Supervisor(nested) = &child.start
            && gone.iter().any(|gone| gone.ids().starts_with(below.ids()))
        {
            child.start = Blueprint::Supervisor(Arc::new(without(&below, nested, gone)));
        }
    }
    spec
}
