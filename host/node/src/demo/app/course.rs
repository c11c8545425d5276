//! The course of the running app: half of the file with version 1 of its server, and the rest with version 2.
//!
//! Owns when the upgrade is asked for, and that the reader keeps the end of the file back until it is done: so both
//! versions have their share however small the file is, and nothing waits for the upgrade as long as there is more to do.
//! Never counts anything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use skep_runtime::kernel::CallError;
use skep_runtime::upgrade::Upgrade;
use skep_runtime::{Module, Runtime};

use super::questions::{self, APP, PATIENCE, Progress, ReaderStage};
use super::{Crashes, SERVER_MODULE};
use crate::demo::{DemoError, LOOK, Stage, Watch};

/// The upgrade in the middle of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upgraded {
    /// Bytes that were added up when it was asked for.
    pub done: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Processes whose state was taken over.
    pub processes: usize,
    /// How long the one that stood still for longest did.
    pub pause: Duration,
}

/// Upgrades the server at half, and waits until all is added up.
pub(in crate::demo) async fn run(
    runtime: &Runtime,
    successor: Module,
    crashes: &Crashes,
    watch: &dyn Watch,
) -> Result<Upgraded, DemoError> {
    let is_upgraded = AtomicBool::new(false);
    let (upgrading, looking) = (upgrade(runtime, successor, &is_upgraded, watch), look(runtime, &is_upgraded, watch));
    tokio::select! {
        // Otherwise it might pass for a process that does not answer.
        biased;
        ended = runtime.app_ended(APP) => Err(DemoError::Ended { reason: ended?, crash: crashes.last() }),
        done = async { tokio::try_join!(upgrading, looking) } => done.map(|(upgraded, ())| upgraded),
    }
}

/// Once, when half is done.
async fn upgrade(
    runtime: &Runtime,
    successor: Module,
    is_upgraded: &AtomicBool,
    watch: &dyn Watch,
) -> Result<Upgraded, DemoError> {
    let Progress { bytes, done, .. } = loop {
        match unless_restarted(questions::half(runtime).await)? {
            Some(progress) => break progress,
            None => tokio::time::sleep(LOOK).await,
        }
    };
    watch.stage(Stage::Upgrading);
    // Nobody in the app waits longer for the server than this, so nobody notices.
    let upgrade = Upgrade {
        wait: PATIENCE,
        migrate_within: PATIENCE,
        ..Upgrade::one(APP.into(), SERVER_MODULE.into(), successor)
    };
    let summary = runtime.upgrade(upgrade, |_| {}).await.map_err(|error| DemoError::Upgrade(Box::new(error)))?;
    let upgraded = Upgraded { done, bytes, processes: summary.migrated, pause: summary.pause.max };
    watch.stage(Stage::Upgraded(upgraded));
    is_upgraded.store(true, Ordering::Release);
    unless_restarted(questions::go_on(runtime).await)?;
    Ok(upgraded)
}

/// Tells how far it is, until all is done.
async fn look(runtime: &Runtime, is_upgraded: &AtomicBool, watch: &dyn Watch) -> Result<(), DemoError> {
    let mut tick = tokio::time::interval(LOOK);
    loop {
        tick.tick().await;
        let is_upgraded = is_upgraded.load(Ordering::Acquire);
        let Some(Progress { bytes, done, keeps_end, stage }) = unless_restarted(questions::progress(runtime).await)?
        else {
            continue;
        };
        watch.stage(Stage::Running { done, bytes });
        match stage {
            ReaderStage::Failed(why) => return Err(DemoError::Failed(why)),
            ReaderStage::Done if is_upgraded => return Ok(()),
            // A reader that was started since then has not been told.
            ReaderStage::Running if is_upgraded && keeps_end => {
                unless_restarted(questions::go_on(runtime).await)?;
            }
            ReaderStage::Running | ReaderStage::Done => {}
        }
    }
}

/// No answer from a process that crashed: it is being restarted, or its supervisor gives up, which is noticed elsewhere.
fn unless_restarted<T>(answer: Result<T, DemoError>) -> Result<Option<T>, DemoError> {
    match answer {
        Err(DemoError::NoAnswer { error: CallError::Ended(_), .. }) => Ok(None),
        answer => answer.map(Some),
    }
}
