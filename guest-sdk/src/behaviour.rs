//! What an instance runs, as the contract sees it: events in, outcomes out, a state that can be saved.
//!
//! Owns the trait between the exported functions and the kinds of process that this crate knows, and the server's side of
//! it. Never decodes a body: each kind does that for its own handlers. Called by `run`, `state`, `slot` and the harness.

use crate::context::Context;
use crate::outcome::Failure;
use crate::run;
use crate::server::Server;
use crate::state::{MigrateContext, Saved};
use crate::state_machine::Held;
use crate::types::{Body, Event, ExitReason, Outcome, Start};

/// What is kept between two crossings, of whatever kind.
pub trait Behaviour: Sized + 'static {
    /// The newest of the layouts that the author counts.
    type Layout;
    /// Whether this crate has something of its own to remember beside the author's state.
    const HOLDS: bool = false;

    /// As the contract says.
    ///
    /// # Errors
    ///
    /// The text of `failed`.
    fn begin(args: Body) -> Result<(Option<Self>, Start), String>;

    /// Handles one event.
    ///
    /// # Errors
    ///
    /// As `begin`.
    fn take(&mut self, event: Event) -> Result<Outcome, String>;

    /// The author's part of the state.
    ///
    /// # Errors
    ///
    /// Why it refuses.
    fn kept(&self) -> Result<Saved<'_, Self::Layout>, Failure>;

    /// This crate's part of it.
    fn held(&self) -> Option<&Held> {
        None
    }

    /// Makes it again of both.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    fn again(state: Self::Layout, held: Option<Held>, context: &MigrateContext) -> Result<Self, Failure>;

    /// Runs last.
    fn end(&mut self, reason: &ExitReason);
}

impl<S: Server> Behaviour for S {
    type Layout = S::State;

    fn begin(args: Body) -> Result<(Option<S>, Start), String> {
        run::begin_server(args)
    }

    fn take(&mut self, event: Event) -> Result<Outcome, String> {
        run::dispatch(self, event)
    }

    fn kept(&self) -> Result<Saved<'_, S::State>, Failure> {
        self.save()
    }

    fn again(state: S::State, _: Option<Held>, context: &MigrateContext) -> Result<S, Failure> {
        S::restore(state, context)
    }

    fn end(&mut self, reason: &ExitReason) {
        self.terminate(reason, &Context::new());
    }
}
