//! `skep:process/log`: a line of the node's log. The one import that works in every phase.

use super::bindings::log::Host;
use super::bindings::types;
use super::text;
use crate::engine::context::Context;
use crate::engine::fuel;
use crate::observe::Level;

/// The longest line, as observers are promised.
pub(crate) const LINE_BYTES: usize = 4 << 10;

impl Host for Context {
    async fn log(&mut self, level: types::Level, message: String) -> wasmtime::Result<()> {
        self.pay(fuel::MESSAGE, message.len()).await?;
        let level = match level {
            types::Level::Trace => Level::Trace,
            types::Level::Debug => Level::Debug,
            types::Level::Info => Level::Info,
            types::Level::Warn => Level::Warn,
            types::Level::Error => Level::Error,
        };
        let message = text::cut(message, LINE_BYTES);
        if level == Level::Error {
            self.heard(&message);
        }
        if let Some(syscalls) = self.syscalls() {
            syscalls.log(level, message.trim_end_matches(['\r', '\n']));
        }
        Ok(())
    }
}
