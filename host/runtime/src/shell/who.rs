//! Who a process is to people: its place in the tree, and those it is tied to.

use std::sync::Arc;

use skep_kernel::Pid;

use super::{Cell, Content, Shell};
use crate::observe::Peer;

/// Supervisors above each other that are followed at most.
const DEPTH_MOST: usize = 64;

impl Cell {
    /// What its own level calls it.
    fn step(&self) -> String {
        match (&self.label, self.module()) {
            (Some(label), _) => label.to_string(),
            (None, Some(module)) => format!("{module}{}", self.pid),
            (None, None) => self.pid.to_string(),
        }
    }
}

impl Shell {
    /// The child ids from the app down to a process: `tally/parsers/parser.3`. Whoever a guest has started hangs below it.
    pub(crate) fn path(&self, cell: &Cell) -> String {
        let mut steps = vec![cell.step()];
        let mut parent = cell.process.lock().parent();
        while let Some(above) = parent.and_then(|pid| self.table.get(pid))
            && steps.len() < DEPTH_MOST
        {
            parent = above.process.lock().parent();
            match above.content {
                // Whoever holds the root supervisor is nobody's child id; the root itself is the app.
                Content::Client(_) => {
                    if matches!(cell.content, Content::Supervisor(_)) || steps.len() > 1 {
                        steps.pop();
                    }
                    break;
                }
                Content::Guest(_) | Content::Supervisor(_) => steps.push(above.step()),
            }
        }
        steps.push(cell.app.name.to_string());
        steps.reverse();
        steps.join("/")
    }

    /// A process, as another one's report names it.
    pub(crate) fn peer(&self, pid: Pid) -> Peer {
        let cell = self.table.get(pid);
        let label = |cell: &Arc<Cell>| {
            let name = cell.process.lock().name().cloned();
            name.or_else(|| cell.label.clone()).or_else(|| cell.module().cloned())
        };
        Peer { pid, name: cell.as_ref().and_then(label) }
    }

    /// The first of these.
    pub(crate) fn peers(&self, pids: impl IntoIterator<Item = Pid>, most: usize) -> Vec<Peer> {
        pids.into_iter().take(most).map(|pid| self.peer(pid)).collect()
    }
}
