//! `skep:process/inbox`: taking events otherwise than one for each `handle`.
//!
//! Linked by hand, with the generated types: each event begins a new budget of fuel, which takes the store, and the
//! generated traits give that only to functions that cannot wait.

use std::future::poll_fn;
use std::task::Poll;

use skep_kernel::process::{More, Received, Wanted};
use skep_kernel::{Event, Mark};
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::bindings::inbox::Seen;
use super::bindings::types;
use super::{Ended, convert};
use crate::engine::context::{Context, Misuse, Phase};
use crate::engine::fuel;

/// The interface's name, as components import it.
const INTERFACE: &str = "skep:process/inbox@0.1.0";

/// Adds the functions.
pub(crate) fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    let mut inbox = linker.instance(INTERFACE)?;
    inbox.func_wrap_async("more", |mut store, (reply,): (Option<types::Body>,)| {
        Box::new(async move { Ok((more(&mut store, reply).await?,)) })
    })?;
    inbox.func_wrap_async("receive", |mut store, (timeout_ms,): (Option<u64>,)| {
        Box::new(async move { Ok((receive(&mut store, "receive", Wanted::Any, timeout_ms).await?,)) })
    })?;
    inbox.func_wrap_async("receive-only", |mut store, (marks, timeout_ms): (Vec<u64>, Option<u64>)| {
        Box::new(async move {
            let marks: Result<Vec<Mark>, Ended> = marks.into_iter().map(convert::mark).collect();
            Ok((receive(&mut store, "receive-only", Wanted::Marked(marks?), timeout_ms).await?,))
        })
    })?;
    inbox.func_wrap_async("look", |mut store, (behind, timeout_ms): (Option<u64>, Option<u64>)| {
        Box::new(async move { Ok((look(&mut store, behind, timeout_ms).await?,)) })
    })?;
    inbox.func_wrap("take", |mut store, (number,): (u64,)| Ok((take(&mut store, number)?,)))
}

/// How each of these begins. Traps unless the instance is in the one phase that `import` is for.
fn enter(store: &mut StoreContextMut<'_, Context>, import: &'static str, belongs: Phase) -> wasmtime::Result<()> {
    let phase = store.data_mut().entered().phase;
    if phase == belongs { Ok(()) } else { Err(Misuse::Elsewhere { import, phase, belongs }.into()) }
}

/// Settles the account of the message that is over, and begins that of the next.
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
    enter(store, "more", Phase::Handle)?;
    let context = store.data_mut();
    let reply = convert::bounded(reply, context.body_bytes)?;
    let cost = if reply.is_some() { fuel::MESSAGE } else { 0 };
    let bytes = reply.as_ref().map_or(0, skep_kernel::Body::len);
    let syscalls = context.act_with("more", cost, bytes).await?;
    let at_once = match syscalls.more(reply)? {
        More::Event(event) => Some(event),
        More::Wait => None,
        More::Return => return Ok(None),
    };
    // Before a wait too: what comes next may be long in coming, and it is to have something to return with if nothing does.
    renew(store)?;
    let event = match at_once {
        Some(event) => Some(event),
        None => wait_for_more(store).await?,
    };
    let Some(event) = event else { return Ok(None) };
    store.data_mut().handed.note(&event);
    store.data_mut().pay(fuel::CALL, event.len()).await?;
    Ok(Some(event.into()))
}

/// None: it is to return from `handle`. Nothing was there a moment ago: whatever has come since has the guest polled again.
async fn wait_for_more(store: &mut StoreContextMut<'_, Context>) -> wasmtime::Result<Option<Event>> {
    store.data_mut().meter.waited();
    let (store, mut has_waited) = (&mut *store, false);
    let more = poll_fn(move |cx| match store.data().syscalls() {
        Some(syscalls) if has_waited => syscalls.poll_more(cx),
        Some(_) => {
            has_waited = true;
            Poll::Pending
        }
        None => Poll::Ready(Ok(None)),
    });
    Ok(more.await?)
}

async fn receive(
    store: &mut StoreContextMut<'_, Context>,
    import: &'static str,
    wanted: Wanted,
    timeout_ms: Option<u64>,
) -> wasmtime::Result<Option<types::Event>> {
    let received = wait(store, import, wanted, timeout_ms).await?;
    renew(store)?;
    let Received::Event(event) = received else { return Ok(None) };
    store.data_mut().handed.note(&event);
    store.data_mut().pay(fuel::CALL, event.len()).await?;
    Ok(Some(event.into()))
}

/// An event that is only looked at begins no budget of fuel: it can be looked at for ever.
async fn look(
    store: &mut StoreContextMut<'_, Context>,
    behind: Option<u64>,
    timeout_ms: Option<u64>,
) -> wasmtime::Result<Option<Seen>> {
    let behind = convert::maybe_number(behind, "`behind`")?;
    let received = wait(store, "look", Wanted::Behind(behind), timeout_ms).await?;
    let Received::Seen(number, event) = received else { return Ok(None) };
    store.data_mut().handed.note(&event);
    store.data_mut().pay(fuel::CALL, event.len()).await?;
    Ok(Some(Seen { number, event: event.into() }))
}

fn take(store: &mut StoreContextMut<'_, Context>, number: u64) -> wasmtime::Result<bool> {
    enter(store, "take", Phase::Run)?;
    let number = convert::number(number, "`number`")?;
    let taken = store.data_mut().act("take", fuel::LITTLE)?.take_seen(number)?;
    if taken {
        renew(store)?;
    }
    Ok(taken)
}

async fn wait(
    store: &mut StoreContextMut<'_, Context>,
    import: &'static str,
    wanted: Wanted,
    timeout_ms: Option<u64>,
) -> wasmtime::Result<Received> {
    enter(store, import, Phase::Run)?;
    let timeout_ms = convert::maybe_number(timeout_ms, "`timeout-ms`")?;
    let bytes = match &wanted {
        Wanted::Marked(marks) => marks.len() * size_of::<Mark>(),
        Wanted::Any | Wanted::Behind(_) => 0,
    };
    let syscalls = store.data_mut().act_with(import, fuel::LITTLE, bytes).await?.clone();
    syscalls.begin_receive(wanted, timeout_ms)?;
    Ok(poll_fn(|cx| syscalls.poll_receive(cx)).await?)
}
