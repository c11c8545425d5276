//! Functions of WASI whose work a guest can make as long as it likes: each pays for what it makes the host do, and gives way.
//!
//! Owns the prices. What is done is wasmtime's.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::io::poll::Host as Poll;
use wasmtime_wasi::p2::bindings::random::{insecure, random};
use wasmtime_wasi::random::{WasiRandomCtx, WasiRandomView};

use super::super::context::Context;
use super::super::fuel;

/// One pollable in a list: it is looked up, made a future of, and polled. The same one may be in a list many times.
const POLLABLE: u64 = fuel::CALL;
/// One random byte, each of which is drawn by itself: some 5 ns.
const RANDOM_BYTE: u64 = 50;

type Store<'a> = StoreContextMut<'a, Context>;

/// Adds them over wasmtime's.
pub(super) fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    linker.instance("wasi:io/poll@0.2.12")?.func_wrap_async(
        "poll",
        |mut store: Store<'_>, (list,): (Vec<Resource<DynPollable>>,)| {
            Box::new(async move {
                let context = store.data_mut();
                context.pay(POLLABLE.saturating_mul(list.len() as u64), 0).await?;
                Ok((Poll::poll(&mut context.wasi().table, list).await?,))
            })
        },
    )?;
    add_random(&mut linker.instance("wasi:random/random@0.2.12")?, "get-random-bytes", random::Host::get_random_bytes)?;
    add_random(
        &mut linker.instance("wasi:random/insecure@0.2.12")?,
        "get-insecure-random-bytes",
        insecure::Host::get_insecure_random_bytes,
    )
}

/// Adds a function that draws random bytes.
fn add_random(
    interface: &mut LinkerInstance<'_, Context>,
    name: &str,
    draw: fn(&mut WasiRandomCtx, u64) -> wasmtime::Result<Vec<u8>>,
) -> wasmtime::Result<()> {
    interface.func_wrap_async(name, move |mut store: Store<'_>, (bytes,): (u64,)| {
        Box::new(async move {
            let context = store.data_mut();
            context.pay(RANDOM_BYTE.saturating_mul(bytes), 0).await?;
            Ok((draw(context.random(), bytes)?,))
        })
    })
}
