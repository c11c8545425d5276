//! Guests that follow a script, alive, each with its ledger.

use std::sync::Arc;

use skep_kernel::Limits;

use super::recorder::Recorder;
use super::script::{Do, answered, guest};
use super::{cast, engine, ready};
use crate::engine::{Failure, Instance, Module};
use crate::spec::{Access, FolderGrant, Grants};

/// A module that does these with each message.
pub fn module(steps: &[Do]) -> Module {
    engine().load("guest", &guest(steps)).expect("it loads")
}

/// The right to do everything in a folder.
pub fn writes(host: &std::path::Path) -> Grants {
    let folder = FolderGrant { host: host.into(), guest: "/data".into(), access: Access::Write };
    Grants { folders: vec![folder], ..Grants::default() }
}

/// A process of a module with its ledger, alive.
pub struct Running {
    pub instance: Instance,
    pub recorder: Arc<Recorder>,
}

impl Running {
    pub fn new(module: &Module, grants: &Grants, limits: &Limits) -> Self {
        Self::again(module, grants, limits, Recorder::new())
    }

    /// Another instance of the same process.
    pub fn again(module: &Module, grants: &Grants, limits: &Limits, recorder: Arc<Recorder>) -> Self {
        let instance = ready(module.instantiate(recorder.clone(), limits, grants)).expect("it starts");
        Running { instance, recorder }
    }

    /// What the steps answered.
    pub fn handle(&mut self) -> Result<Vec<u32>, Failure> {
        ready(self.instance.handle(cast(), false))?;
        let said = self.recorder.take().concat();
        Ok(answered(said.strip_prefix("log Info ").expect("one line")))
    }
}

/// What steps in a folder answer.
pub fn answers(folder: &std::path::Path, limits: &Limits, steps: &[Do]) -> Vec<u32> {
    Running::new(&module(steps), &writes(folder), limits).handle().expect("it goes well")
}
