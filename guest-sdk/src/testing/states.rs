//! What becomes of a state under test: saved, restored in another instance, taken over by other code.

use super::Harness;
use super::world::{self, World};
use crate::run;
use crate::state::{self, Exported};
use crate::types::{Cause, Shape, State, Upgrade};

impl<S: Exported> Harness<S> {
    /// Saves the state, drops the instance, and restores it in a new one.
    ///
    /// # Panics
    ///
    /// If the server refuses either.
    pub fn hibernate(&mut self) {
        let Some(server) = self.server.take() else { return };
        let state = saved::<S>(&mut self.world, &server, None).unwrap_or_else(|why| panic!("save refused: {why}"));
        drop(server);
        let server = restored::<S>(&mut self.world, state, Cause::Wake).unwrap_or_else(|why| panic!("restore: {why}"));
        self.server = Some(server);
    }

    /// The state as it would be saved.
    ///
    /// # Errors
    ///
    /// Why it refuses, also when it has ended.
    pub fn save(&mut self) -> Result<State, String> {
        match &self.server {
            Some(server) => saved::<S>(&mut self.world, server, None),
            None => Err("it has ended".to_owned()),
        }
    }

    /// The state as code of that version would save it: what a process goes back to older code with.
    ///
    /// # Errors
    ///
    /// As [`save`](Harness::save), and if no steps lead down to that version.
    pub fn save_as(&mut self, version: u32) -> Result<State, String> {
        match &self.server {
            Some(server) => saved::<S>(&mut self.world, server, Some(version)),
            None => Err("it has ended".to_owned()),
        }
    }

    /// Replaces the code, as the host does between two messages: up, where `New` reads what this code saves, or down, in
    /// the newest version that this code steps down to and `New` reads. Its surroundings stay: pid, names, monitors,
    /// timers, and what is queued.
    ///
    /// # Errors
    ///
    /// The process as it was, with the reason why it is not upgraded.
    pub fn upgrade<New: Exported>(mut self) -> Result<Harness<New>, NotUpgraded<S>> {
        match self.replaced::<New>() {
            Ok(server) => Ok(Harness {
                server: Some(server),
                world: self.world,
                ended: None,
                continued: None,
                idle_at_ms: self.idle_at_ms,
                eager: self.eager,
            }),
            Err(why) => Err(NotUpgraded { process: Box::new(self), why }),
        }
    }

    fn replaced<New: Exported>(&mut self) -> Result<New::Running, String> {
        let (old, new) = (Harness::<S>::describe(), Harness::<New>::describe());
        let reads = |version: &&u32| new.accepts.contains(version);
        let state = match old.steps_down.iter().rev().find(reads) {
            _ if reads(&&old.version) => self.save()?,
            Some(target) => self.save_as(*target)?,
            None => {
                let Shape { version, steps_down, .. } = old;
                let accepts = new.accepts;
                return Err(format!(
                    "no way: the old code saves versions {steps_down:?} and {version}, the new reads {accepts:?}"
                ));
            }
        };
        restored::<New>(&mut self.world, state, Cause::Upgrade(Upgrade { version: old.version, extra: None }))
    }

    /// What the module says about the versions of its state when it is loaded.
    pub fn describe() -> Shape {
        run::describe::<S>()
    }
}

fn saved<S: Exported>(world: &mut World, server: &S::Running, target: Option<u32>) -> Result<State, String> {
    hook(world, || state::save::<S>(server, target))
}

pub(super) fn restored<S: Exported>(world: &mut World, state: State, cause: Cause) -> Result<S::Running, String> {
    hook(world, || state::restore::<S>(state, cause))
}

/// Runs a state hook, in which nothing may act.
fn hook<R>(world: &mut World, code: impl FnOnce() -> Result<R, String>) -> Result<R, String> {
    world.may_act = false;
    let outcome = world::inside(world, code);
    world.may_act = true;
    outcome.unwrap_or_else(|reason| Err(format!("stopped: {reason:?}")))
}

/// An upgrade that did not happen.
pub struct NotUpgraded<S: Exported> {
    /// The process, which goes on with its code and state.
    pub process: Box<Harness<S>>,
    /// Who refused, and why.
    pub why: String,
}

impl<S: Exported> std::fmt::Debug for NotUpgraded<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not upgraded: {}", self.why)
    }
}
