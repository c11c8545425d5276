//! Upgrades performed.

use std::sync::Arc;

use super::{App, Shell};
use crate::upgrade::{ModuleInfo, Progress, Summary, Upgrade, UpgradeError};

pub(crate) async fn run(
    _: &Arc<Shell>,
    _: &Arc<App>,
    _: Upgrade,
    _: impl FnMut(Progress) + Send,
) -> Result<Summary, UpgradeError> {
    Err(UpgradeError::Stopping)
}

pub(crate) fn modules(_: &Arc<Shell>, _: &Arc<App>) -> Vec<ModuleInfo> {
    Vec::new()
}
