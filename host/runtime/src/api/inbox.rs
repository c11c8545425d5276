//! `skep:process/inbox`: taking events otherwise than one for each `handle`.
//!
//! Linked by hand, with the generated types: each event begins a new budget of fuel, which takes the store, and the
//! generated traits give that only to functions that cannot wait.

use std::future::poll_fn;

use skep_kernel::Mark;
use wasmtime::component::Linker;
use wasmtime::{AsContextMut, StoreContextMut};

use super::bindings::types;
use super::convert;
use crate::engine::context::{Context, Misuse, Phase};
use crate::engine::fuel;

/// The interface's name, as components import it.
const INTERFACE: &str = "skep:process/inbox@0.1.0";

/// Adds the three functions.
pub(crate) fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    let mut inbox = linker.instance(INTERFACE)?;
    inbox.func_wrap_async("more", |mut store, (reply,): (Option<types::Body>,)| {
        Box::new(async move { Ok((more(&mut store, reply).await?,)) })
    })?;
    inbox.func_wrap_async("receive", |mut store, (timeout_ms,): (Option<u64>,)| {
        Box::new(async move { Ok((receive(&mut store, "receive", None, timeout_ms).await?,)) })
    })?;
    inbox.func_wrap_async("receive-only", |mut store, (marks, timeout_ms): (Vec<u64>, Option<u64>)| {
        Box::new(async move { Ok((receive(&mut store, "receive-only", Some(marks), timeout_ms).await?,)) })
    })
}

/// Traps unless the instance is in the one phase that `import` is for.
fn only_in(store: &StoreContextMut<'_, Context>, import: &'static str, belongs: Phase) -> wasmtime::Result<()> {
    let phase = store.data().phase;
    if phase == belongs { Ok(()) } else { Err(Misuse::Elsewhere { import, phase, belongs }.into()) }
}

/// Gives the message that begins now its fuel.
fn renew(store: &mut StoreContextMut<'_, Context>) -> wasmtime::Result<()> {
    let left = store.get_fuel()?;
    let context = store.data_mut();
    context.end_budget(left);
    let budget = context.fuel_per_message;
    context.begin_budget(budget);
    store.set_fuel(budget)
}

async fn more(
    store: &mut StoreContextMut<'_, Context>,
    reply: Option<types::Body>,
) -> wasmtime::Result<Option<types::Event>> {
    only_in(store, "more", Phase::Handle)?;
    let context = store.data_mut();
    let reply = convert::bounded(reply, context.body_bytes)?;
    let cost = if reply.is_some() { fuel::MESSAGE } else { fuel::CALL };
    let bytes = reply.as_ref().map_or(0, skep_kernel::Body::len);
    let taken = context.act_with("more", cost, bytes).await?.more(reply)?;
    let Some((event, _)) = taken else { return Ok(None) };
    renew(store)?;
    store.data_mut().handed.note(&event);
    store.data_mut().pay(fuel::CALL, event.len()).await?;
    Ok(Some(event.into()))
}

async fn receive(
    store: &mut StoreContextMut<'_, Context>,
    import: &'static str,
    only: Option<Vec<u64>>,
    timeout_ms: Option<u64>,
) -> wasmtime::Result<Option<types::Event>> {
    only_in(store, import, Phase::Run)?;
    let timeout_ms = convert::maybe_number(timeout_ms, "`timeout-ms`")?;
    let only: Option<Vec<Mark>> = only.map(|marks| marks.into_iter().map(convert::mark).collect()).transpose()?;
    let mut store = store.as_context_mut();
    let bytes = only.as_ref().map_or(0, |marks| marks.len() * size_of::<Mark>());
    let syscalls = store.data_mut().act_with(import, fuel::CALL, bytes).await?.clone();
    syscalls.begin_receive(only, timeout_ms)?;
    let event = poll_fn(|cx| syscalls.poll_receive(cx)).await?;
    renew(&mut store)?;
    let bytes = event.as_ref().map_or(0, skep_kernel::Event::len);
    if let Some(event) = &event {
        store.data_mut().handed.note(event);
    }
    store.data_mut().pay(fuel::CALL, bytes).await?;
    Ok(event.map(types::Event::from))
}
