//! `skep:process/spawning`: starting other processes.

use std::future::poll_fn;

use skep_kernel::{Body, Name, Refusal};

use super::bindings::spawning::{Child, Host, Options, SpawnError};
use super::bindings::types;
use super::messaging::too_large;
use super::{SpawnOptions, convert};
use crate::engine::context::Context;
use crate::engine::fuel;

/// What is wrong with the arguments, before anybody is asked.
fn check(module: &str, args: &Body, options: &Options, body_bytes: usize) -> Result<(), Refusal> {
    convert::check_name(module).map_err(Refusal::Invalid)?;
    if let Some(name) = &options.name {
        convert::check_name(name).map_err(Refusal::Invalid)?;
    }
    if options.more.is_some() {
        return Err(Refusal::Invalid("`more` of the options has no meaning to this host".into()));
    }
    too_large(args, body_bytes).map_or(Ok(()), |why| Err(Refusal::Limit(why)))
}

impl Host for Context {
    async fn spawn(
        &mut self,
        module: String,
        args: types::Body,
        mut options: Options,
    ) -> wasmtime::Result<Result<Child, SpawnError>> {
        let args = Body::from(args);
        let checked = check(&module, &args, &options, self.body_bytes);
        let more = options.more.take().map_or(0, |more| Body::from(more).len());
        let bytes = args.len() + more + module.len() + options.name.as_ref().map_or(0, String::len);
        let syscalls = self.act_with("spawn", fuel::SPAWN, bytes).await?.clone();
        if let Err(refusal) = checked {
            return Ok(Err(SpawnError::Refused(refusal.into())));
        }
        let options = SpawnOptions { link: options.link, monitor: options.monitor, name: options.name.map(Name::from) };
        let pending = match syscalls.begin_spawn(&module, args, options)? {
            Ok(pending) => pending,
            Err(error) => return Ok(Err(error.into())),
        };
        let child = poll_fn(|cx| syscalls.poll_spawn(pending, cx)).await?;
        self.meter.waited();
        Ok(child
            .map(|pid| Child { pid: pid.into(), mark: pending.monitor.map(|mark| mark.0) })
            .map_err(SpawnError::from))
    }
}
