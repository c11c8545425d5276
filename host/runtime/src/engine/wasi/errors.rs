//! `wasi:io/error`: what a guest is told of an error, in words.
//!
//! Owns that it is the words alone. wasmtime adds where in the host the error came up, if the host was told to keep that: of
//! no use to a guest, and none of its business.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::IoError;

use crate::engine::context::Context;

/// Adds the function over wasmtime's.
pub(super) fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    linker.instance("wasi:io/error@0.2.12")?.func_wrap(
        "[method]error.to-debug-string",
        |mut store: StoreContextMut<'_, Context>, (error,): (Resource<IoError>,)| -> wasmtime::Result<(String,)> {
            let error = store.data_mut().wasi().table.get(&error)?;
            Ok((format!("{error:#}"),))
        },
    )
}
