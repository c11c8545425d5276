//! Whether an upgrade can be, looked at before any process is touched (HOT-10).

use std::collections::BTreeSet;
use std::sync::Arc;

use skep_kernel::upgrade::{NoPath, path};

use super::super::{App, Shell};
use super::{guest, processes};
use crate::engine::{LoadError, ModuleKind};
use crate::spec::Grants;
use crate::upgrade::{Change, Ungranted, Upgrade, UpgradeError};

/// Whether the new code is what the old one can be replaced with at all.
pub(super) fn fits(app: &App, change: &Change) -> Result<(), UpgradeError> {
    let module = change.module.clone();
    let Some(current) = app.module(&module) else {
        return Err(UpgradeError::NoSuchModule { app: app.name.clone(), module });
    };
    if current.module.is(&change.code) {
        return Err(UpgradeError::Same { module, digest: change.code.digest().to_owned() });
    }
    let (was, is) = (word(current.module.kind()), word(change.code.kind()));
    if was == is { Ok(()) } else { Err(UpgradeError::OtherKind { module, was, is }) }
}

fn word(kind: &ModuleKind) -> &'static str {
    match kind {
        ModuleKind::Server(_) => "server",
        ModuleKind::Task => "task",
        ModuleKind::Command => "command",
    }
}

/// Compiles the new code for all the memory that processes of it may use, on a thread that may take its time.
pub(super) async fn compile(shell: &Shell, app: &Arc<App>, upgrade: &Upgrade) -> Result<(), UpgradeError> {
    let mut wanted = Vec::new();
    for change in &upgrade.changes {
        let mut sizes: BTreeSet<usize> =
            app.module(&change.module).map(|spec| spec.limits.memory_bytes).into_iter().collect();
        sizes.extend(
            processes(shell, app, |module| *module == *change.module)
                .map(|cell| cell.process.lock().limits().memory_bytes),
        );
        wanted.extend(sizes.into_iter().map(|bytes| (change.code.clone(), bytes)));
    }
    let compiled = tokio::task::spawn_blocking(move || -> Result<(), LoadError> {
        wanted.iter().try_for_each(|(code, memory_bytes)| code.prepare(*memory_bytes))
    });
    Ok(compiled.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?)
}

/// What the new code imports, other than the code before, and will have no use of.
pub(super) fn ungranted(shell: &Shell, app: &Arc<App>, upgrade: &Upgrade) -> Vec<Ungranted> {
    let mut ungranted = Vec::new();
    for change in &upgrade.changes {
        let Some(current) = app.module(&change.module) else { continue };
        let held: Vec<Arc<Grants>> = processes(shell, app, |module| *module == *change.module)
            .filter_map(|cell| guest(&cell).map(|guest| Arc::clone(&guest.spec.grants)))
            .collect();
        let refused = |import: &str| current.grants.refuse(import) && held.iter().all(|grants| grants.refuse(import));
        let new = change.code.imports().iter().filter(|import| !current.module.imports().contains(import));
        ungranted.extend(
            new.filter(|import| refused(import))
                .map(|import| Ungranted { module: change.module.clone(), interface: import.clone() }),
        );
    }
    ungranted
}

/// Whether there is a way to the new code for the states of all that runs now.
pub(super) fn paths(shell: &Shell, app: &Arc<App>, upgrade: &Upgrade) -> Result<(), UpgradeError> {
    for change in &upgrade.changes {
        let Some(to) = change.code.shape() else { continue };
        for cell in processes(shell, app, |module| *module == *change.module) {
            let Some(module) = guest(&cell).map(|guest| guest.module()) else { continue };
            let Some(from) = module.shape() else { continue };
            let Err(why) = path(from, to) else { continue };
            let module = change.module.clone();
            return Err(match why {
                NoPath::Version => UpgradeError::NoPath {
                    module,
                    from: from.version,
                    accepts: to.accepts.clone(),
                    steps_down: from.steps_down.clone(),
                },
                NoPath::Form => UpgradeError::OtherForm { module, writes: from.writes, reads: to.reads.clone() },
            });
        }
    }
    Ok(())
}
