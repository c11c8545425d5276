//! What asks a node in the foreground to end: Ctrl-C, SIGTERM, a terminal that is closed.

use std::sync::Arc;
use std::time::Duration;

use skep_runtime::observe::Level;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::node::Node;

/// How long a second Ctrl-C waits for processes to be killed before this process ends whatever happens.
const KILL_TIME: Duration = Duration::from_secs(2);

/// What asks this process to end.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn catch() -> std::io::Result<Self> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }

    /// The first one stops in order, the second one kills.
    pub(super) async fn obey(mut self, node: Arc<Node>) {
        self.next().await;
        node.log.note(Level::Info, "stopping in order; once more to kill".to_owned());
        node.ask_to_stop();
        self.next().await;
        let _ = tokio::time::timeout(KILL_TIME, node.kill()).await;
        // Whoever waits for the processes has learned it by now, or never will.
        tokio::time::sleep(KILL_TIME).await;
        std::process::exit(1);
    }
}
