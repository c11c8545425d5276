//! Replaces a module's code on a node: loads it, has the runtime perform the transaction, keeps it, and notes what came
//! of it.
//!
//! Owns the order of these. Dropping a future of here before the runtime commits calls the upgrade off; what came of it is
//! noted in either case.

use std::sync::Arc;
use std::time::Duration;

use skep_runtime::Module;
use skep_runtime::kernel::Body;
use skep_runtime::observe::Level;
use skep_runtime::upgrade::{Progress, Upgrade, UpgradeError, WAIT};

use super::CodeId;
use super::history::{Event, Figures, How, Outcome};
use super::refused::Refused;
use super::store::{self, Kept};
use super::target::{self, Target};
use crate::node::log::now_ms;
use crate::node::{Node, deploy};

/// What is to be replaced, and how.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which module.
    pub target: Target,
    /// Who wants it.
    pub how: How,
    /// How long processes in the middle of something are waited for, if not as long as usual.
    pub wait: Option<Duration>,
    /// Handed to every migration.
    pub extra: Option<Body>,
}

/// Code as it comes.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// WebAssembly, or what is said to be.
    pub bytes: Vec<u8>,
    /// Where it comes from, such as the path of a file.
    pub origin: String,
    /// The signature that came with it.
    pub signature: Option<String>,
}

impl From<deploy::Code> for Delivered {
    fn from(code: deploy::Code) -> Self {
        let origin = code.origin();
        Delivered { bytes: code.bytes, origin, signature: code.signature }
    }
}

/// What has been done.
#[derive(Clone, PartialEq, Debug)]
pub struct Done {
    /// Which module.
    pub target: Target,
    /// The code that was left.
    pub from: CodeId,
    /// The code that runs.
    pub to: CodeId,
    /// In numbers.
    pub figures: Figures,
    /// What did not work out beside the upgrade itself, and what the new code will not be allowed.
    pub warnings: Vec<String>,
}

impl Node {
    /// The module that is meant.
    pub fn module(&self, text: &str) -> Result<Target, Refused> {
        let mut modules = Vec::new();
        for app in self.runtime.apps() {
            for module in self.runtime.modules(&app).unwrap_or_default() {
                modules.push(Target { app: app.clone(), module: module.name });
            }
        }
        Ok(target::resolve(text, &modules)?)
    }

    /// Replaces a module's code.
    pub async fn upgrade(
        &self,
        order: Order,
        code: Delivered,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Done, Refused> {
        progress(Progress::Checking);
        let (module, code) = self.loaded(&order, code).await?;
        let mut done = self.replace(&order, module, progress).await?;
        done.warnings.extend(self.keep_upgraded(&order.target, &done.from, &done.to, code).await);
        Ok(done)
    }

    /// Takes a module back to the code that it ran before, or to kept code that `wanted` names: by its version, or by the
    /// beginning of its digest.
    pub async fn roll_back(
        &self,
        order: Order,
        wanted: Option<&str>,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Done, Refused> {
        progress(Progress::Checking);
        let kept = self.way_back(&order.target, wanted)?;
        let (origin, signature) = (kept.origin.clone(), kept.signature.clone());
        let store = Arc::clone(&self.store);
        let reading = tokio::task::spawn_blocking(move || store.bytes(&kept));
        let bytes = reading.await.map_err(|error| Refused::Broken(error.to_string()))??;
        let (module, _) = self.loaded(&order, Delivered { bytes, origin, signature }).await?;
        let mut done = self.replace(&order, module, progress).await?;
        let running = self.running(&order.target);
        let Done { target, to, .. } = done.clone();
        let store = Arc::clone(&self.store);
        let noted =
            tokio::task::spawn_blocking(move || store.rolled_back(&target.app, &target.module, &to.digest, &running));
        done.warnings.extend(self.not_kept(&order.target, noted.await));
        Ok(done)
    }

    /// The kept code that a rollback leads to.
    fn way_back(&self, target: &Target, wanted: Option<&str>) -> Result<Kept, Refused> {
        let current = self.current(target)?;
        let ran = self.store.ran(&target.app, &target.module);
        let kept = || ran.kept().iter().map(|kept| kept.code.clone());
        let found = match wanted {
            Some(wanted) => ran.find(wanted).ok_or_else(|| Refused::NotKept {
                target: target.clone(),
                wanted: wanted.to_owned(),
                kept: kept().collect(),
            }),
            None => ran.before(&current.digest).and_then(|digest| ran.get(digest)).ok_or_else(|| {
                let others = kept().filter(|kept| kept.digest != current.digest);
                Refused::NothingBefore { target: target.clone(), kept: others.collect(), current: current.clone() }
            }),
        };
        found.cloned()
    }

    /// Loads code, if it is admitted, on a thread of its own, since compiling blocks. A refusal is noted.
    async fn loaded(&self, order: &Order, code: Delivered) -> Result<(Module, Delivered), Refused> {
        let (engine, admission) = (self.runtime.engine().clone(), self.admission.clone());
        let name = order.target.module.clone();
        let loading = tokio::task::spawn_blocking(move || {
            let origin = || code.origin.clone();
            let loaded = admission
                .check(&code.bytes, code.signature.as_deref())
                .map_err(|error| Refused::NotAdmitted { origin: origin(), error })
                .and_then(|()| {
                    engine.load(&name, &code.bytes).map_err(|error| Refused::Load { origin: origin(), error })
                });
            (loaded, code)
        });
        let (loaded, code) = loading.await.map_err(|error| Refused::Broken(error.to_string()))?;
        match loaded {
            Ok(module) => Ok((module, code)),
            Err(refused) => {
                let to = CodeId { digest: store::digest(&code.bytes), version: None };
                self.note_refusal(order, self.current(&order.target)?, to, &refused);
                Err(refused)
            }
        }
    }

    /// The transaction, and a note of what came of it, also if this future is dropped.
    async fn replace(
        &self,
        order: &Order,
        module: Module,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Done, Refused> {
        let Target { app, module: name } = order.target.clone();
        let (from, to) = (self.current(&order.target)?, CodeId::from(&module));
        self.log.note(Level::Info, format!("upgrading {} from {from} to {to}", order.target));
        let mut dropped = CallOff { node: self, order, from: from.clone(), to: to.clone(), open: true };
        let upgrade =
            Upgrade { wait: order.wait.unwrap_or(WAIT), extra: order.extra.clone(), ..Upgrade::one(app, name, module) };
        let upgraded = self.runtime.upgrade(upgrade, progress).await;
        dropped.open = false;
        match upgraded {
            Ok(summary) => {
                let figures = Figures::from(&summary);
                let took = match order.how {
                    How::Upgrade | How::Deploy | How::Watch => "upgraded",
                    How::Rollback => "rolled back",
                };
                let text = format!(
                    "{took} {} from {from} to {to}; processes: {}, pause at most {} µs",
                    order.target, figures.processes, figures.pause_max_us
                );
                self.log.note(Level::Info, text);
                self.remember(order, from.clone(), to.clone(), Outcome::Done { figures });
                let warnings: Vec<String> = summary.ungranted.iter().map(ToString::to_string).collect();
                warnings.iter().for_each(|warning| self.log.note(Level::Warn, warning.clone()));
                Ok(Done { target: order.target.clone(), from, to, figures, warnings })
            }
            Err(error) => {
                let refused = Refused::from(error);
                self.note_refusal(order, from, to, &refused);
                Err(refused)
            }
        }
    }

    /// Whether processes of a module begin on the code of this digest.
    #[must_use]
    pub fn runs(&self, target: &Target, digest: &str) -> bool {
        self.current(target).is_ok_and(|current| current.digest == digest)
    }

    /// The code that processes of a module begin on.
    fn current(&self, target: &Target) -> Result<CodeId, Refused> {
        let modules = self.runtime.modules(&target.app).unwrap_or_default();
        match modules.iter().find(|module| module.name == target.module) {
            Some(module) => Ok(CodeId::from(&module.current)),
            // The app was stopped meanwhile.
            None => {
                let Target { app, module } = target.clone();
                Err(UpgradeError::NoSuchModule { app, module }.into())
            }
        }
    }

    fn note_refusal(&self, order: &Order, from: CodeId, to: CodeId, refused: &Refused) {
        self.log.note(Level::Warn, format!("{} was not upgraded: {refused}", order.target));
        self.remember(order, from, to, Outcome::refused(refused.code(), &refused.to_string()));
    }

    /// Puts what came of an upgrade into the history.
    pub(in crate::node) fn remember(&self, order: &Order, from: CodeId, to: CodeId, outcome: Outcome) {
        let Target { app, module } = &order.target;
        let event = Event {
            time_ms: now_ms(),
            how: order.how,
            app: app.to_string(),
            module: module.to_string(),
            from,
            to,
            outcome,
        };
        self.history.add(event);
        let history = Arc::clone(&self.history);
        // There is none where the node is being taken down with what was under way.
        if let Ok(tokio) = tokio::runtime::Handle::try_current() {
            tokio.spawn_blocking(move || history.save());
        }
    }
}

/// Notes that an upgrade was called off, if it is dropped while that is open.
struct CallOff<'a> {
    node: &'a Node,
    order: &'a Order,
    from: CodeId,
    to: CodeId,
    open: bool,
}

impl Drop for CallOff<'_> {
    fn drop(&mut self) {
        if self.open {
            let text = format!("the upgrade of {} was called off: whoever asked for it has gone", self.order.target);
            self.node.log.note(Level::Warn, text);
            self.node.remember(self.order, self.from.clone(), self.to.clone(), Outcome::CalledOff);
        }
    }
}
