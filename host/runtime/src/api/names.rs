//! `skep:process/names`: names of processes within the app.

use super::bindings::names::Host;
use super::bindings::types;
use super::convert;
use crate::engine::context::Context;
use crate::engine::fuel;

impl Host for Context {
    fn register(&mut self, name: String, pid: types::Pid) -> wasmtime::Result<Result<(), types::Refusal>> {
        let pid = convert::pid(pid)?;
        let syscalls = self.act("register", fuel::MESSAGE)?;
        if let Err(why) = convert::check_name(&name) {
            return Ok(Err(types::Refusal::Invalid(why)));
        }
        Ok(syscalls.register(&name, pid)?.map_err(types::Refusal::from))
    }

    fn unregister(&mut self, name: String) -> wasmtime::Result<bool> {
        Ok(self.act("unregister", fuel::MESSAGE)?.unregister(&name)?)
    }

    fn whereis(&mut self, name: String) -> wasmtime::Result<Option<types::Pid>> {
        Ok(self.act("whereis", fuel::CALL)?.whereis(&name)?.map(types::Pid::from))
    }
}
