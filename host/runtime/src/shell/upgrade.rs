//! Upgrades performed: the kernel's transaction, told what happens, and its orders carried out.
//!
//! Owns who listens to which upgrade, and the promise that nobody stays suspended: whoever drops an upgrade half-way,
//! by a panic or by no longer waiting for it, has rolled it back. Never looks at a state.

mod check;
mod going;
pub(super) mod takeover;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use skep_kernel::Pid;
use skep_kernel::upgrade::{News, UpgradeId};
use tokio::sync::mpsc;

pub(crate) use takeover::Successor;

use super::guest::Guest;
use super::telemetry::Upgrading;
use super::{App, Cell, Content, Shell};
use crate::upgrade::{ModuleInfo, Progress, Summary, Upgrade, UpgradeError};

/// Who is told what processes tell of an upgrade.
#[derive(Default)]
pub(super) struct Upgrades {
    given: AtomicU64,
    /// Told by processes: each as often as it is asked to do something, and once more at its end.
    listeners: Mutex<HashMap<UpgradeId, Sender>>,
}

type Sender = mpsc::UnboundedSender<(Pid, News)>;
type Receiver = mpsc::UnboundedReceiver<(Pid, News)>;

impl Upgrades {
    fn listen(&self) -> (UpgradeId, Receiver) {
        let id = self.given.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = mpsc::unbounded_channel();
        self.listeners.lock().insert(id, sender);
        (id, receiver)
    }

    fn forget(&self, id: UpgradeId) {
        self.listeners.lock().remove(&id);
    }

    /// A process has news. Of an upgrade that is over, nobody wants to hear.
    pub(super) fn tell(&self, id: UpgradeId, pid: Pid, news: News) {
        if let Some(listener) = self.listeners.lock().get(&id) {
            let _ = listener.send((pid, news));
        }
    }
}

/// Performs an upgrade of modules of this app. Dropped half-way, it is rolled back.
pub(crate) async fn run(
    shell: &Arc<Shell>,
    app: &Arc<App>,
    upgrade: Upgrade,
    progress: impl FnMut(Progress) + Send,
) -> Result<Summary, UpgradeError> {
    let told = Upgrading::begins(shell, &upgrade);
    let result = perform(shell, app, &upgrade, progress).await;
    told.ends(&result);
    result
}

async fn perform(
    shell: &Arc<Shell>,
    app: &Arc<App>,
    upgrade: &Upgrade,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Summary, UpgradeError> {
    progress(Progress::Checking);
    let mut going = going::Going::claim(shell, app, upgrade)?;
    check::compile(shell, app, upgrade).await?;
    check::paths(shell, app, upgrade)?;
    let ungranted = check::ungranted(shell, app, upgrade);
    let summary = going.run(upgrade, progress).await?;
    Ok(Summary { ungranted, ..summary })
}

/// The processes of these modules, tasks included.
fn processes<'a>(
    shell: &Shell,
    app: &'a Arc<App>,
    is_wanted: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = Arc<Cell>> + 'a {
    shell.table.all().into_iter().filter(move |cell| {
        let Content::Guest(guest) = &cell.content else { return false };
        Arc::ptr_eq(&cell.app, app) && is_wanted(&guest.spec.module)
    })
}

fn guest(cell: &Cell) -> Option<&Guest> {
    match &cell.content {
        Content::Guest(guest) => Some(guest),
        Content::Supervisor(_) | Content::Client(_) => None,
    }
}

/// The modules of an app, and what runs on which code.
pub(crate) fn modules(shell: &Arc<Shell>, app: &Arc<App>) -> Vec<ModuleInfo> {
    let mut infos: BTreeMap<_, ModuleInfo> = BTreeMap::new();
    for spec in app.modules() {
        let info =
            ModuleInfo { name: spec.name.clone(), current: spec.module.clone(), running: vec![(spec.module, 0)] };
        infos.insert(spec.name, info);
    }
    for cell in processes(shell, app, |_| true) {
        let Some(guest) = guest(&cell) else { continue };
        let module = guest.module();
        // One that was removed from the app, and still runs, is current for nobody.
        let info = infos.entry(guest.spec.module.clone()).or_insert_with(|| ModuleInfo {
            name: guest.spec.module.clone(),
            current: module.clone(),
            running: Vec::new(),
        });
        match info.running.iter_mut().find(|(code, _)| code.is(&module)) {
            Some((_, count)) => *count += 1,
            None => info.running.push((module, 1)),
        }
    }
    infos.into_values().collect()
}
