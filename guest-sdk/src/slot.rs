//! The one process of an instance.
//!
//! Owns the place where it is kept between two crossings. Only in Wasm: natively the test harness keeps it. Called by
//! the code that `export!` makes.

use std::cell::RefCell;

use crate::behaviour::Behaviour;
use crate::panics;
use crate::run;
use crate::state::{self, Exported};
use crate::types::{Body, Cause, Event, ExitReason, Outcome, Start, State};

/// Empty until `init` or `restore` has succeeded.
pub struct Slot<S: Exported>(RefCell<Option<S::Running>>);

impl<S: Exported> Slot<S> {
    /// Empty.
    pub const fn new() -> Slot<S> {
        Slot(RefCell::new(None))
    }

    /// As the contract says.
    pub fn init(&self, args: Body) -> Result<Start, String> {
        panics::watch();
        let (process, start) = S::Running::begin(args)?;
        *self.0.borrow_mut() = process;
        Ok(start)
    }

    /// As the contract says.
    pub fn handle(&self, event: Event, waiting: u32) -> Result<Outcome, String> {
        self.with(|process| run::handle(process, event, waiting))
    }

    /// As the contract says.
    pub fn save(&self, target: Option<u32>) -> Result<State, String> {
        self.with(|process| state::save::<S>(process, target))
    }

    /// As the contract says.
    pub fn restore(&self, state: State, cause: Cause) -> Result<(), String> {
        panics::watch();
        *self.0.borrow_mut() = Some(state::restore::<S>(state, cause)?);
        Ok(())
    }

    /// As the contract says.
    pub fn terminate(&self, reason: &ExitReason) -> Result<(), String> {
        self.with(|process| {
            process.end(reason);
            Ok(())
        })
    }

    fn with<R>(&self, act: impl FnOnce(&mut S::Running) -> Result<R, String>) -> Result<R, String> {
        match self.0.borrow_mut().as_mut() {
            Some(process) => act(process),
            None => Err("there is no process: neither init nor restore has succeeded".to_owned()),
        }
    }
}
