//! Keeps the code that an app was started with, so that there is a way back to it.
//!
//! Owns the rule that code which cannot be kept is warned of and stands in nobody's way but the next rollback's.

use std::sync::Arc;

use skep_runtime::observe::Level;
use tokio::task::JoinError;

use super::CodeId;
use super::store::{self, Arrival, StoreError};
use super::target::Target;
use super::upgrade::Delivered;
use crate::node::{Node, deploy};

impl Node {
    /// Keeps the code of an app that has just been started.
    pub async fn keep(&self, app: &str, code: Vec<deploy::Code>) {
        let modules = self.runtime.modules(app).unwrap_or_default();
        for code in code {
            let origin = code.origin();
            let deploy::Code { module, bytes, signature, .. } = code;
            let target = Target { app: app.into(), module };
            let current =
                modules.iter().find(|info| info.name == target.module).map(|info| CodeId::from(&info.current));
            // Other code runs if an upgrade was quicker, and then that one has been kept.
            let Some(current) = current.filter(|current| current.digest == store::digest(&bytes)) else { continue };
            let store = Arc::clone(&self.store);
            let running = self.running(&target);
            let kept = tokio::task::spawn_blocking({
                let target = target.clone();
                move || {
                    let Target { app, module } = &target;
                    let signature = signature.as_deref();
                    let arrival = Arrival { app, module, code: &current, bytes: &bytes, origin: &origin, signature };
                    store.started(arrival, &running)
                }
            });
            self.not_kept(&target, kept.await);
        }
    }

    /// Keeps code that took the place of other code; what to say if it could not be kept.
    pub(in crate::node) async fn keep_upgraded(
        &self,
        target: &Target,
        from: &CodeId,
        to: &CodeId,
        delivered: Delivered,
    ) -> Option<String> {
        let (store, running) = (Arc::clone(&self.store), self.running(target));
        let (target_kept, from, to) = (target.clone(), from.clone(), to.clone());
        let kept = tokio::task::spawn_blocking(move || {
            let Target { app, module } = &target_kept;
            let Delivered { bytes, origin, signature } = &delivered;
            let arrival = Arrival { app, module, code: &to, bytes, origin, signature: signature.as_deref() };
            store.upgraded(arrival, &from.digest, &running)
        });
        self.not_kept(target, kept.await)
    }

    /// What to say where code could not be kept.
    pub(super) fn not_kept(&self, target: &Target, kept: Result<Result<(), StoreError>, JoinError>) -> Option<String> {
        let why = match kept {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => format!("{error}; {}", error.remedy()),
            Err(error) => error.to_string(),
        };
        let warning = format!("the code of {target} is not kept, so that `skep rollback` cannot go back to it: {why}");
        self.log.note(Level::Warn, warning.clone());
        Some(warning)
    }

    /// The digests that some process of a module runs on.
    pub(super) fn running(&self, target: &Target) -> Vec<String> {
        let modules = self.runtime.modules(&target.app).unwrap_or_default();
        let module = modules.into_iter().find(|module| module.name == target.module);
        let running = module.map(|module| module.running).unwrap_or_default();
        running.into_iter().map(|(code, _)| code.digest().to_owned()).collect()
    }
}
