//! `skep:process/names`: names of processes within the app.

use super::bindings::names::Host;
use super::bindings::types;
use super::convert;
use crate::engine::context::Context;
use crate::engine::fuel;

impl Host for Context {
    async fn register(&mut self, name: String, pid: types::Pid) -> wasmtime::Result<Result<(), types::Refusal>> {
        let pid = convert::pid(pid)?;
        let syscalls = self.act_with("register", fuel::MESSAGE, name.len()).await?;
        if let Err(why) = convert::check_name(&name) {
            return Ok(Err(types::Refusal::Invalid(why)));
        }
        Ok(syscalls.register(&name, pid)?.map_err(types::Refusal::from))
    }

    async fn unregister(&mut self, name: String) -> wasmtime::Result<bool> {
        Ok(self.act_with("unregister", fuel::MESSAGE, name.len()).await?.unregister(&name)?)
    }

    async fn whereis(&mut self, name: String) -> wasmtime::Result<Option<types::Pid>> {
        Ok(self.act_with("whereis", fuel::LITTLE, name.len()).await?.whereis(&name)?.map(types::Pid::from))
    }
}
