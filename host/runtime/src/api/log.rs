//! `skep:process/log`: a line of the node's log. The one import that works in every phase.

use std::borrow::Cow;

use super::bindings::log::Host;
use super::bindings::types;
use crate::engine::context::Context;
use crate::engine::fuel;
use crate::observe::Level;

/// The longest line, as observers are promised.
pub(crate) const LINE_BYTES: usize = 4 << 10;

/// A line that is not too long, or its beginning and a sign that there was more.
pub(crate) fn shortened(line: &str) -> Cow<'_, str> {
    if line.len() <= LINE_BYTES {
        return Cow::Borrowed(line);
    }
    Cow::Owned(format!("{}…", &line[..line.floor_char_boundary(LINE_BYTES)]))
}

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
        let message = shortened(message.trim_end_matches(['\r', '\n']));
        if level == Level::Error {
            self.heard(&message);
        }
        if let Some(syscalls) = self.syscalls() {
            syscalls.log(level, &message);
        }
        Ok(())
    }
}
