//! System messages to a process, and looking at one while it works (SYS).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use skep_kernel::system::{SystemAnswer, SystemRequest};
use skep_kernel::{ExitReason, Name, Pid, State};
use tokio::sync::mpsc;

use super::Runtime;
use crate::system::{Statistics, SystemError, Traced};

/// How long whoever does not say waits: as a call.
pub const SYSTEM_TIMEOUT: Duration = Duration::from_secs(5);
/// Events that a reader of a trace may be behind. Beyond, they are dropped and counted.
const BEHIND: usize = 256;

impl Runtime {
    /// Has a server handle nothing from the next message on. Returns when it stands still. It does so until
    /// [`Runtime::resume`], as in OTP, whatever becomes of whoever asked; its timers, and exit signals that end it, go on.
    ///
    /// # Errors
    ///
    /// It has not come to the end of a message in time, and goes on; or it cannot be suspended at all.
    pub async fn suspend(&self, pid: Pid, within: Duration) -> Result<(), SystemError> {
        self.system(pid, SystemRequest::Suspend, within).await.map(drop)
    }

    /// Lets a suspended server go on. One that is not suspended does so anyway.
    ///
    /// # Errors
    ///
    /// There is no such server.
    pub async fn resume(&self, pid: Pid) -> Result<(), SystemError> {
        self.system(pid, SystemRequest::Resume, SYSTEM_TIMEOUT).await.map(drop)
    }

    /// The state of a server, as it saves it. Its instance stays; one that has none is not woken.
    ///
    /// # Errors
    ///
    /// It is in the middle of a message for too long, or its `save` refuses. A `save` that traps ends the process.
    pub async fn state(&self, pid: Pid, within: Duration) -> Result<State, SystemError> {
        match self.system(pid, SystemRequest::GetState, within).await? {
            SystemAnswer::State(state) => Ok(state),
            SystemAnswer::Done => Err(SystemError::Noproc(pid)),
        }
    }

    /// Puts another state in the place of the present one: what `replace` makes of it, and what the code, in an instance of
    /// its own, has restored and saved again. Brings the state that the server goes on with.
    ///
    /// # Errors
    ///
    /// `replace` refuses or panics, or the code does not take that state. Then nothing has changed (SYS-03).
    pub async fn replace_state(
        &self,
        pid: Pid,
        within: Duration,
        replace: impl FnOnce(State) -> Result<State, String> + Send + 'static,
    ) -> Result<(), SystemError> {
        let replace = Box::new(replace);
        let asked = self.inner.shell.system(pid, SystemRequest::ReplaceState, Some(replace), within);
        asked.await.map(drop)
    }

    /// Has a server run `terminate`, and end with this reason. Returns when it has begun to.
    ///
    /// # Errors
    ///
    /// It is in the middle of a message for too long.
    pub async fn terminate(&self, pid: Pid, reason: ExitReason, within: Duration) -> Result<(), SystemError> {
        self.system(pid, SystemRequest::Terminate(reason), within).await.map(drop)
    }

    async fn system(&self, pid: Pid, request: SystemRequest, within: Duration) -> Result<SystemAnswer, SystemError> {
        self.inner.shell.system(pid, request, None, within).await
    }

    /// What a process has done so far.
    #[must_use]
    pub fn statistics(&self, pid: Pid) -> Option<Statistics> {
        Some(self.inner.shell.table.get(pid)?.process.lock().statistics())
    }

    /// Has a function shown each event that a process handles, until it answers false, panics, is removed, or the process
    /// ends. It runs on a scheduler thread, must be quick, and must not install or remove anything.
    ///
    /// # Errors
    ///
    /// There is no such process, or too many look. False, if one of this name is there already: it stays.
    pub fn install(
        &self,
        pid: Pid,
        id: &str,
        look: impl FnMut(&Traced) -> bool + Send + 'static,
    ) -> Result<bool, SystemError> {
        use crate::shell::NotInstalled;
        let shell = &self.inner.shell;
        if shell.table.get(pid).is_none() {
            return Err(SystemError::Noproc(pid));
        }
        match shell.traces.install(pid, id.into(), Box::new(look)) {
            Ok(()) => {}
            Err(NotInstalled::Installed) => return Ok(false),
            Err(NotInstalled::TooMany) => return Err(SystemError::TooMany(pid)),
        }
        if shell.table.get(pid).is_none() {
            // It ended meanwhile, and may have told so before anybody looked.
            shell.traces.remove(pid, id);
            return Err(SystemError::Noproc(pid));
        }
        Ok(true)
    }

    /// Removes what was installed under this name. False if there is nothing.
    #[must_use]
    pub fn remove(&self, pid: Pid, id: &str) -> bool {
        self.inner.shell.traces.remove(pid, id)
    }

    /// What a process handles from now on, event by event. Ends with the process; over when it is dropped.
    ///
    /// # Errors
    ///
    /// There is no such process, or too many look.
    pub fn trace(&self, pid: Pid) -> Result<Trace, SystemError> {
        static GIVEN: AtomicU64 = AtomicU64::new(0);
        let id: Name = format!("trace-{}", GIVEN.fetch_add(1, Ordering::Relaxed)).into();
        let (sender, events) = mpsc::channel(BEHIND);
        let missed = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&missed);
        self.install(pid, &id, move |traced| match sender.try_send(traced.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                counted.fetch_add(1, Ordering::SeqCst);
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        })?;
        Ok(Trace { runtime: self.clone(), pid, id, events, missed })
    }
}

/// What a process handles, from when this was made.
pub struct Trace {
    runtime: Runtime,
    pid: Pid,
    id: Name,
    events: mpsc::Receiver<Traced>,
    missed: Arc<AtomicU64>,
}

impl Trace {
    /// The next event; none when the process has ended.
    pub async fn next(&mut self) -> Option<Traced> {
        self.events.recv().await
    }

    /// How many were dropped since this was last asked, because they were not taken fast enough.
    pub fn missed(&self) -> u64 {
        self.missed.swap(0, Ordering::SeqCst)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = self.runtime.remove(self.pid, &self.id);
    }
}
