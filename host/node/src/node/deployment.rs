//! Changes which apps run on a node, and how: an app comes, becomes what a manifest says, and goes.
//!
//! Owns the order of looking, agreeing and doing: a plan is made of what there is, and only that plan is performed. What
//! is wrong with a manifest or its code is refused before anything changes. Never shows anything; asked by the control
//! API.

mod refused;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use skep_runtime::Module;
use skep_runtime::kernel::{ExitReason, Name};
use skep_runtime::observe::Level;
use skep_runtime::reconfigure::{Progress, Reconfiguration, ReconfigureError, Reconfigured};
use skep_runtime::spec::AppSpec;

use super::code::CodeId;
use super::code::history::{Figures, How, Outcome};
use super::code::refused::Refused;
use super::code::target::Target;
use super::code::upgrade::Order as UpgradeOrder;
use super::plan::{self, App, Does, Plan};
use super::{Node, Stage, body, deploy};
use crate::build::Quiet;
use crate::manifest::{Code, Manifest};

pub use refused::NotDeployed;

/// What is to be deployed.
#[derive(Clone, Debug)]
pub struct Order {
    /// The manifest's absolute path.
    pub manifest: PathBuf,
    /// Where the component of each module is that comes from a crate. A node builds nothing.
    pub files: BTreeMap<String, PathBuf>,
}

/// A plan, and what to call it when it is agreed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Names it, with everything that it was made from.
    pub id: String,
}

/// What has been done.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Deployed {
    /// What the upgrade of modules did, if there were any.
    pub upgraded: Option<Figures>,
    /// Children that were stopped, in that order.
    pub stopped: Vec<String>,
    /// Children that were started, in that order. Empty for an app that was started as a whole.
    pub started: Vec<String>,
    /// Children that did not start, and why.
    pub failed: Vec<(String, String)>,
    /// What did not work out beside that.
    pub warnings: Vec<String>,
}

/// A manifest with its code.
struct Wanted {
    app: AppSpec,
    code: Vec<deploy::Code>,
}

impl Node {
    /// What deploying this would do now.
    pub async fn plan(&self, order: Order) -> Result<Planned, NotDeployed> {
        let wanted = self.load(order).await?;
        Ok(self.planned(&wanted))
    }

    /// Does what was agreed to, if it is still what deploying this would do. To be driven to its end.
    pub async fn deploy(
        self: &Arc<Self>,
        order: Order,
        agreed: &str,
        wait: Duration,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Deployed, NotDeployed> {
        let _turn = self.deploying.try_lock().map_err(|_| NotDeployed::UnderWay)?;
        let wanted = self.load(order).await?;
        let Planned { plan, id } = self.planned(&wanted);
        if id != agreed {
            return Err(NotDeployed::Changed);
        }
        match plan.does {
            Does::Nothing => Ok(Deployed::default()),
            Does::Start => self.start_wanted(wanted).await,
            Does::Change => self.change(wanted, wait, progress).await,
        }
    }

    /// Stops an app in order, and forgets it: why its root supervisor ended. To be driven to its end.
    pub async fn undeploy(&self, app: &str) -> Result<ExitReason, NotDeployed> {
        let _turn = self.deploying.try_lock().map_err(|_| NotDeployed::UnderWay)?;
        let unknown = || NotDeployed::UnknownApp { name: app.to_owned(), apps: self.runtime.apps() };
        let reason = self.runtime.stop_app(app).await.map_err(|_| unknown())?;
        self.log.note(Level::Info, format!("undeployed `{app}`"));
        Ok(reason)
    }

    fn planned(&self, wanted: &Wanted) -> Planned {
        let running = self.running_app(&wanted.app.name);
        let plan = Plan::new(&wanted.app.name, running.as_ref().map(App::from).as_ref(), &App::from(&wanted.app));
        Planned { plan, id: plan::id(running.as_ref(), &wanted.app) }
    }

    /// The app as it runs. One that has ended by itself does not.
    fn running_app(&self, app: &str) -> Option<AppSpec> {
        self.runtime.app_spec(app).filter(|_| !self.runtime.has_ended(app))
    }

    /// Reads, compiles and tries out everything, on a thread of its own since all of it blocks.
    async fn load(&self, order: Order) -> Result<Wanted, NotDeployed> {
        if self.stage() > Stage::Running {
            return Err(NotDeployed::Stopping);
        }
        if !order.manifest.is_absolute() {
            return Err(NotDeployed::Relative(order.manifest));
        }
        let (engine, home, admission) = (self.runtime.engine().clone(), self.home.clone(), self.admission.clone());
        let loading = tokio::task::spawn_blocking(move || {
            let mut manifest = Manifest::read(&order.manifest, &home)?;
            for module in &mut manifest.modules {
                if let Code::Crate { .. } = &module.code {
                    let file = order.files.get(&*module.name);
                    module.code = Code::File(file.ok_or_else(|| NotDeployed::NotBuilt(module.name.clone()))?.clone());
                }
            }
            let (app, code) = deploy::load(manifest, &engine, &admission, &mut Quiet)?;
            Ok(Wanted { app, code })
        });
        loading.await.map_err(|error| NotDeployed::Broken(error.to_string()))?
    }

    async fn start_wanted(self: &Arc<Self>, wanted: Wanted) -> Result<Deployed, NotDeployed> {
        let Wanted { app, code } = wanted;
        let name = Arc::clone(&app.name);
        if self.runtime.has_ended(&name) {
            // It has ended by itself; with this it is forgotten.
            let _ = self.runtime.stop_app(&name).await;
        }
        self.start_in_turn(app).await.ok_or(NotDeployed::Stopping)??;
        self.keep(&name, code).await;
        self.log.note(Level::Info, format!("deployed `{name}`: it is up"));
        let node = Arc::clone(self);
        tokio::spawn(async move { node.watch(&name).await });
        Ok(Deployed::default())
    }

    /// Tells the log if an app ends by itself that nobody in the foreground waits for.
    async fn watch(&self, app: &str) {
        tokio::select! {
            reason = self.gives_up(app) => {
                let why = body::reason(&reason);
                let text = format!("`{app}` has ended: its root supervisor gave up ({why}); `skep deploy` starts it again");
                self.log.note(Level::Error, text);
            }
            () = self.reaches(Stage::Stopping) => {}
        }
    }

    async fn change(
        &self,
        wanted: Wanted,
        wait: Duration,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Deployed, NotDeployed> {
        let Wanted { app, code } = wanted;
        let name = Arc::clone(&app.name);
        let upgrades = self.upgrades(&app);
        let wanted = Reconfiguration { wait, ..Reconfiguration::new(app) };
        let done = self.runtime.reconfigure(wanted, progress).await;
        if let Err(ReconfigureError::Upgrade(error)) = done {
            let refused = Refused::Upgrade(error);
            self.log.note(Level::Warn, format!("`{name}` was not deployed: {refused}"));
            self.note(&upgrades, &Outcome::refused(refused.code(), &refused.to_string()));
            return Err(NotDeployed::Upgrade(refused));
        }
        let Reconfigured { upgraded, stopped, started, failed } = done?;
        let mut warnings: Vec<String> =
            upgraded.iter().flat_map(|summary| &summary.ungranted).map(ToString::to_string).collect();
        let upgraded = upgraded.as_ref().map(Figures::from);
        if let Some(figures) = upgraded {
            self.note(&upgrades, &Outcome::Done { figures });
        }
        warnings.extend(self.keep_changed(&name, &upgrades, code).await);
        let failed: Vec<(String, String)> =
            failed.iter().map(|child| (child.child.to_string(), refused::not_started(&child.why))).collect();
        let (modules, fewer, more) = (upgrades.len(), stopped.len(), started.len());
        let text = format!("deployed `{name}`: modules upgraded {modules}, children stopped {fewer}, started {more}");
        self.log.note(Level::Info, text);
        for (child, why) in &failed {
            self.log.note(Level::Error, format!("deployed `{name}`, but child {child} did not start: {why}"));
        }
        let texts = |paths: Vec<skep_runtime::difference::Path>| paths.iter().map(ToString::to_string).collect();
        Ok(Deployed { upgraded, stopped: texts(stopped), started: texts(started), failed, warnings })
    }

    /// Modules of a running app whose code is to be another.
    fn upgrades(&self, wanted: &AppSpec) -> Vec<Upgrade> {
        let running = self.running_app(&wanted.name).map(|app| app.modules).unwrap_or_default();
        let code = |modules: &[skep_runtime::spec::ModuleSpec], name: &Name| -> Option<Module> {
            modules.iter().find(|module| module.name == *name).map(|module| module.module.clone())
        };
        let both = wanted.modules.iter().filter_map(|module| Some((code(&running, &module.name)?, module)));
        let changed = both.filter(|(from, module)| from.digest() != module.module.digest());
        let upgrade = |(from, module): (Module, &skep_runtime::spec::ModuleSpec)| Upgrade {
            target: Target { app: Arc::clone(&wanted.name), module: Arc::clone(&module.name) },
            from: CodeId::from(&from),
            to: CodeId::from(&module.module),
        };
        changed.map(upgrade).collect()
    }

    fn note(&self, upgrades: &[Upgrade], outcome: &Outcome) {
        for Upgrade { target, from, to } in upgrades {
            let order = UpgradeOrder { target: target.clone(), how: How::Deploy, wait: None, extra: None };
            self.remember(&order, from.clone(), to.clone(), outcome.clone());
        }
    }

    /// Keeps code for a way back to it; what could not be kept is said.
    async fn keep_changed(&self, app: &str, upgrades: &[Upgrade], code: Vec<deploy::Code>) -> Vec<String> {
        let mut warnings = Vec::new();
        for code in code {
            match upgrades.iter().find(|upgrade| upgrade.target.module == code.module) {
                Some(Upgrade { target, from, to }) => {
                    warnings.extend(self.keep_upgraded(target, from, to, code.into()).await);
                }
                None => self.keep(app, vec![code]).await,
            }
        }
        warnings
    }
}

/// A module whose code changes.
struct Upgrade {
    target: Target,
    from: CodeId,
    to: CodeId,
}
