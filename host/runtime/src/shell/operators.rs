//! Operators' requests under way: who waits for which answer.
//!
//! What a process makes of a request is the kernel's business, what takes guest code that of `serve`. A request whose
//! operator no longer waits is withdrawn: it does not take effect behind his back.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use skep_kernel::system::{SystemAnswer, SystemError as Refused, SystemId, SystemRequest};
use skep_kernel::{Pid, Signal};
use tokio::sync::oneshot;

use super::Shell;
use crate::system::{Replace, SystemError};

/// Who waits for what.
#[derive(Default)]
pub(super) struct Operators {
    given: AtomicU64,
    waiting: Mutex<HashMap<SystemId, Waiting>>,
}

struct Waiting {
    answer: oneshot::Sender<Result<SystemAnswer, Refused>>,
    /// What the state is to be replaced by.
    replace: Option<Replace>,
}

impl Operators {
    /// A process has answered. Whoever asked may be gone.
    pub(super) fn inform(&self, id: SystemId, answer: Result<SystemAnswer, Refused>) {
        if let Some(waiting) = self.waiting.lock().remove(&id) {
            let _ = waiting.answer.send(answer);
        }
    }

    /// What the state is to be replaced by; none if nobody wants that any more. It is given once.
    pub(super) fn take_replacement(&self, id: SystemId) -> Option<Replace> {
        self.waiting.lock().get_mut(&id)?.replace.take()
    }
}

/// Withdraws a request that nobody waits for.
struct Withdrawal<'a> {
    shell: &'a Shell,
    pid: Pid,
    id: SystemId,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        if self.shell.operators.waiting.lock().remove(&self.id).is_some() {
            let _ = self.shell.deliver(self.pid, Signal::Withdraw { id: self.id });
        }
    }
}

impl Shell {
    /// Asks a process, and waits for the answer at most so long. Dropped before that, it is withdrawn.
    pub(crate) async fn system(
        self: &Arc<Self>,
        pid: Pid,
        request: SystemRequest,
        replace: Option<Replace>,
        within: Duration,
    ) -> Result<SystemAnswer, SystemError> {
        let id = self.operators.given.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, answer) = oneshot::channel();
        self.operators.waiting.lock().insert(id, Waiting { answer: sender, replace });
        let _withdrawal = Withdrawal { shell: self, pid, id };
        if self.deliver(pid, Signal::System { id, request }).is_err() {
            return Err(SystemError::Noproc(pid));
        }
        match tokio::time::timeout(within, answer).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(refused))) => Err(understood(pid, refused)),
            // The runtime is being taken down.
            Ok(Err(_)) => Err(SystemError::Noproc(pid)),
            Err(_) => Err(self.busy(pid, within)),
        }
    }

    fn busy(&self, pid: Pid, waited: Duration) -> SystemError {
        match self.table.get(pid) {
            Some(cell) => SystemError::Busy { pid, doing: cell.process.lock().doing(), waited },
            None => SystemError::Noproc(pid),
        }
    }
}

fn understood(pid: Pid, refused: Refused) -> SystemError {
    match refused {
        Refused::Noproc => SystemError::Noproc(pid),
        Refused::NotAServer => SystemError::NotAServer(pid),
        Refused::TooMany => SystemError::TooMany(pid),
        Refused::CallbackFailed(why) => SystemError::CallbackFailed(Box::new(why)),
    }
}
