//! Upgrades modules whose sources change: what stands behind `skep run --watch`.
//!
//! Owns when a module is built anew. Whatever goes wrong is told, and the old code runs on. Never looks at the manifest
//! again: what it says is fixed when the node starts.

mod sources;

use std::sync::Arc;
use std::time::Duration;

use skep_runtime::observe::Level;

use super::Node;
use super::code::history::How;
use super::code::refused::Refused;
use super::code::store;
use super::code::target::Target;
use super::code::upgrade::Order;
use super::deploy::{self, DeployError};
use crate::build::Quiet;
use crate::manifest::{Manifest, Module};
pub use sources::Sources;

/// How often the sources are looked at. Short enough not to be noticed, long enough to cost nothing.
const LOOK: Duration = Duration::from_millis(500);

/// Why changed sources do not run.
#[derive(Debug)]
pub enum Trouble {
    /// They do not compile.
    Build(DeployError),
    /// They do not fit what runs.
    Upgrade(Refused),
}

/// Builds and upgrades whatever changes, from `sources` on. Never returns.
pub async fn follow(node: &Arc<Node>, manifest: &Manifest, mut sources: Sources, tell: impl Fn(Trouble)) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let looking = tokio::task::spawn_blocking(move || {
            let changed = sources.look();
            (sources, changed)
        });
        // Fails only where this is being taken down.
        let Ok((looked, changed)) = looking.await else { return };
        sources = looked;
        for module in manifest.modules.iter().filter(|module| changed.contains(&module.name)) {
            if let Err(trouble) = renew(node, manifest, module).await {
                if let Trouble::Build(error) = &trouble {
                    node.log.note(Level::Warn, format!("{error}; the old code runs on"));
                }
                tell(trouble);
            }
        }
    }
}

async fn renew(node: &Arc<Node>, manifest: &Manifest, module: &Module) -> Result<(), Trouble> {
    let target = Target { app: manifest.name.clone(), module: module.name.clone() };
    node.log.note(Level::Info, format!("the sources of {target} have changed"));
    let building = tokio::task::spawn_blocking({
        let (manifest, module) = (manifest.clone(), module.clone());
        move || deploy::code(&module, &manifest, &mut Quiet)
    });
    let built = building.await.map_err(|error| Trouble::Upgrade(Refused::Broken(error.to_string())))?;
    let code = built.map_err(Trouble::Build)?;
    if node.runs(&target, &store::digest(&code.bytes)) {
        node.log.note(Level::Info, format!("{target} is the same code as before"));
        return Ok(());
    }
    let order = Order { target, how: How::Watch, wait: None, extra: None };
    node.upgrade(order, code.into(), |_| {}).await.map(drop).map_err(Trouble::Upgrade)
}
