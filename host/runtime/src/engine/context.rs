//! What belongs to one instance on the host's side: for whom it acts, what it may do at this moment, what it has used.
//!
//! Owns no rule of processes. Host functions go through [`Context::act`] or [`Context::pay`] before anything else.
//! Made by `instance`, read by `api` and `fault`.

use std::sync::Arc;

use skep_kernel::Limits;

use super::excerpt::Handed;
use super::fuel::{self, Meter};
use super::limits::MemoryLimiter;
use super::wasi::Wasi;
use crate::api::Syscalls;
use crate::api::text::cut;

/// Which of its exports an instance is in. Some may not act on the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Start functions, before any export.
    Start,
    /// `describe`, while the module is loaded.
    Describe,
    /// `init`.
    Init,
    /// `handle`.
    Handle,
    /// `save`.
    Save,
    /// `restore`.
    Restore,
    /// `terminate`.
    Terminate,
    /// `run`, of a task.
    Run,
    /// `run`, of a command.
    Command,
}

impl Phase {
    /// As the contract calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Phase::Start => "start",
            Phase::Describe => "describe",
            Phase::Init => "init",
            Phase::Handle => "handle",
            Phase::Save => "save",
            Phase::Restore => "restore",
            Phase::Terminate => "terminate",
            Phase::Run | Phase::Command => "run",
        }
    }

    /// Whether imports may have effects.
    #[must_use]
    pub fn may_act(self) -> bool {
        match self {
            Phase::Init | Phase::Handle | Phase::Terminate | Phase::Run | Phase::Command => true,
            Phase::Start | Phase::Describe | Phase::Save | Phase::Restore => false,
        }
    }
}

/// A guest called an import where the contract does not allow it.
#[derive(Debug, thiserror::Error)]
pub enum Misuse {
    /// An import that acts, in a phase that must not.
    #[error("`{import}` was called in `{}`, where nothing may act but the log", phase.name())]
    SideEffect {
        /// The import.
        import: &'static str,
        /// The phase.
        phase: Phase,
    },
    /// An import that belongs to another kind of process or another phase.
    #[error("`{import}` was called in `{}`; it belongs in `{}`", phase.name(), belongs.name())]
    Elsewhere {
        /// The import.
        import: &'static str,
        /// The phase.
        phase: Phase,
        /// Where it would be right.
        belongs: Phase,
    },
}

/// The data of a store.
pub struct Context {
    /// Whom the instance acts for; nobody while a module is tried out.
    syscalls: Option<Arc<dyn Syscalls>>,
    /// Where it is.
    pub(crate) phase: Phase,
    /// Bytes of one body.
    pub(crate) body_bytes: usize,
    /// Fuel for one message.
    pub(crate) fuel_per_message: u64,
    /// What it has used.
    pub(crate) meter: Meter,
    /// Its memory.
    pub(crate) limiter: MemoryLimiter,
    /// Made only for a component that imports WASI.
    pub(crate) wasi: Option<Box<Wasi>>,
    /// What it was handed last.
    pub(crate) handed: Handed,
    /// The last thing it logged that looks like a panic: the reason of the trap that follows.
    pub(crate) last_words: Option<String>,
}

impl Context {
    pub(crate) fn new(syscalls: Option<Arc<dyn Syscalls>>, limits: &Limits, wasi: Option<Box<Wasi>>) -> Self {
        let budget = syscalls.as_ref().and_then(|syscalls| syscalls.budget());
        Context {
            syscalls,
            phase: Phase::Start,
            body_bytes: limits.body_bytes,
            fuel_per_message: limits.fuel_per_message,
            meter: Meter::default(),
            limiter: MemoryLimiter::new(limits.memory_bytes, budget),
            wasi,
            handed: Handed::default(),
            last_words: None,
        }
    }

    /// Begins a budget of fuel; the caller gives wasmtime the same.
    pub(crate) fn begin_budget(&mut self, budget: u64) {
        self.meter.begin(budget);
        if let Some(wasi) = &self.wasi {
            wasi.output().begin(budget);
        }
    }

    /// Ends a budget of which wasmtime has `left`.
    pub(crate) fn end_budget(&mut self, left: u64) {
        let output = self.wasi.as_ref().map_or(0, |wasi| wasi.output().take());
        // Output has a budget of the same size: what is too much has trapped already.
        let _ = self.meter.pay(output);
        self.meter.end(left);
        if let Some(syscalls) = &self.syscalls {
            syscalls.has_used(self.meter.used(), self.limiter.memory_bytes());
        }
    }

    /// The guest calls a host function, which is paid for: whatever that does, it begins here. Where a guest imports WASI too,
    /// the store's hook has seen it, as it sees all that are not ours.
    pub(crate) fn entered(&mut self) -> &mut Self {
        if self.wasi.is_none() {
            self.meter.charge(fuel::CALL);
        }
        self
    }

    /// Pays for `import` and gives access to the shell, or traps where nothing may act.
    pub(crate) fn act(&mut self, import: &'static str, cost: u64) -> wasmtime::Result<&Arc<dyn Syscalls>> {
        self.meter.pay(cost)?;
        match &self.syscalls {
            Some(syscalls) if self.phase.may_act() => Ok(syscalls),
            _ => Err(Misuse::SideEffect { import, phase: self.phase }.into()),
        }
    }

    /// As [`Context::act`], for a host function that may take long for many bytes: gives way when the slice is over.
    pub(crate) async fn act_with(
        &mut self,
        import: &'static str,
        cost: u64,
        bytes: usize,
    ) -> wasmtime::Result<&Arc<dyn Syscalls>> {
        self.pay(cost, bytes).await?;
        self.act(import, 0)
    }

    /// Pays, and gives way when the slice is over.
    pub(crate) async fn pay(&mut self, base: u64, bytes: usize) -> wasmtime::Result<()> {
        self.meter.pay(base.saturating_add(fuel::BYTE.saturating_mul(bytes as u64)))?;
        if self.meter.slice_is_over() {
            fuel::give_way().await;
        }
        Ok(())
    }

    /// The shell, whatever the phase; none while a module is tried out.
    pub(crate) fn syscalls(&self) -> Option<&Arc<dyn Syscalls>> {
        self.syscalls.as_ref()
    }

    /// Remembers a line of the log that tells of a panic.
    pub(crate) fn heard(&mut self, message: &str) {
        if message.contains("panicked at") {
            self.last_words = Some(cut(message.to_owned(), crate::api::convert::TEXT_BYTES));
        }
    }
}
