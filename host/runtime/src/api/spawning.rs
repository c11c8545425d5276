//! `skep:process/spawning`: starting other processes.

use std::future::poll_fn;
use std::sync::Arc;

use skep_kernel::directory::Claim;
use skep_kernel::{Body, Name, Refusal};

use super::bindings::spawning::{Child, Host, Options, SpawnError};
use super::bindings::types;
use super::messaging::too_large;
use super::{SpawnOptions, convert};
use crate::engine::context::Context;
use crate::engine::fuel;

/// How the child is tied to this process and found by others; or what is wrong with the arguments, before anybody is
/// asked.
fn checked(module: &str, args: &Body, options: Options, body_bytes: usize) -> Result<SpawnOptions, Refusal> {
    convert::check_name(module).map_err(Refusal::Invalid)?;
    if let Some(name) = &options.name {
        convert::check_name(name).map_err(Refusal::Invalid)?;
    }
    if options.more.is_some() {
        return Err(Refusal::Invalid("`more` of the options has no meaning to this host".into()));
    }
    let claim = options.claim.map(|claim| {
        let via = convert::via(claim.via).map_err(Refusal::Invalid)?;
        Ok(Claim { via, value: Arc::new(claim.value.into()) })
    });
    let claim = claim.transpose()?;
    for body in [Some(args), claim.as_ref().map(|claim| &*claim.value)].into_iter().flatten() {
        too_large(body, body_bytes).map_or(Ok(()), |why| Err(Refusal::Limit(why)))?;
    }
    Ok(SpawnOptions { link: options.link, monitor: options.monitor, name: options.name.map(Name::from), claim })
}

/// Bytes of all that the options carry.
fn bytes(options: &Options) -> usize {
    let body = |body: &types::Body| match body {
        types::Body::Raw(bytes) | types::Body::Messagepack(bytes) => bytes.len(),
        types::Body::Json(text) | types::Body::Text(text) => text.len(),
    };
    let claim = options.claim.as_ref();
    claim.map_or(0, |claim| claim.via.registry.len() + claim.via.key.len() + body(&claim.value))
        + options.more.as_ref().map_or(0, body)
        + options.name.as_ref().map_or(0, String::len)
}

impl Host for Context {
    async fn spawn(
        &mut self,
        module: String,
        args: types::Body,
        options: Options,
    ) -> wasmtime::Result<Result<Child, SpawnError>> {
        let args = Body::from(args);
        let bytes = args.len() + module.len() + bytes(&options);
        let checked = checked(&module, &args, options, self.body_bytes);
        let syscalls = self.act_with("spawn", fuel::SPAWN, bytes).await?.clone();
        let options = match checked {
            Ok(options) => options,
            Err(refusal) => return Ok(Err(SpawnError::Refused(refusal.into()))),
        };
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
