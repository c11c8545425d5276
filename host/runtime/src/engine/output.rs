//! Standard output and standard error of a guest: lines for the log, and the end of standard error for an exit reason.
//!
//! Owns cutting a stream of bytes into bounded lines of valid text. Never blocks and holds at most one line.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::api::Syscalls;
use crate::api::log::LINE_BYTES;
use crate::observe::Level;

/// What is kept of standard error: a Python traceback of some depth.
const TAIL_BYTES: usize = 4 << 10;
/// How much a guest may write at once; wasmtime's own streams allow as much.
const WRITE_BYTES: usize = 64 << 10;

/// The last bytes of a stream.
#[derive(Debug, Default)]
pub struct Tail(VecDeque<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        let surplus = (self.0.len() + bytes.len()).saturating_sub(TAIL_BYTES);
        self.0.drain(..surplus);
        self.0.extend(bytes);
    }

    /// As text; a character cut in two at the beginning is left out.
    pub fn text(&mut self) -> String {
        let bytes = self.0.make_contiguous();
        let whole = bytes.iter().position(|byte| byte & 0xc0 != 0x80).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[whole..]).trim().to_owned()
    }
}

/// A stream that is logged line by line. Clones write to the same line.
#[derive(Clone)]
pub struct LineWriter {
    log: Option<Arc<dyn Syscalls>>,
    level: Level,
    line: Arc<Mutex<Vec<u8>>>,
    tail: Option<Arc<Mutex<Tail>>>,
}

impl LineWriter {
    /// Logs at `level`, to nowhere without `log`; keeps the end in `tail`.
    pub fn new(log: Option<Arc<dyn Syscalls>>, level: Level, tail: Option<Arc<Mutex<Tail>>>) -> Self {
        LineWriter { log, level, line: Arc::default(), tail }
    }

    fn push(&self, bytes: &[u8]) {
        if let Some(tail) = &self.tail {
            tail.lock().push(bytes);
        }
        let mut line = self.line.lock();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = LINE_BYTES - line.len();
            line.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                self.emit(&mut line);
            }
        }
    }

    /// Logs what there is of a line.
    fn emit(&self, line: &mut Vec<u8>) {
        if let Some(log) = &self.log {
            log.log(self.level, String::from_utf8_lossy(line).trim_end_matches('\r'));
        }
        line.clear();
    }
}

/// The last line may lack its end.
impl Drop for LineWriter {
    fn drop(&mut self) {
        let mut line = self.line.lock();
        if !line.is_empty() && Arc::strong_count(&self.line) == 1 {
            self.emit(&mut line);
        }
    }
}

impl IsTerminal for LineWriter {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LineWriter {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Asked for by WASI 0.3 only, which is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for LineWriter {
    async fn ready(&mut self) {}
}

impl OutputStream for LineWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_the_end_and_whole_characters() {
        let mut tail = Tail::default();
        tail.push("é".repeat(TAIL_BYTES).as_bytes());
        tail.push(b"x");
        let text = tail.text();
        assert!(text.len() <= TAIL_BYTES && text.starts_with('é') && text.ends_with("éx"), "{}", text.len());
    }

    #[test]
    fn a_line_without_an_end_stays_bounded() {
        let writer = LineWriter::new(None, Level::Info, None);
        for _ in 0..3 {
            writer.push(&[b'x'; LINE_BYTES]);
        }
        assert_eq!(writer.line.lock().len(), LINE_BYTES);
        writer.push(b"\n");
        assert!(writer.line.lock().is_empty());
    }
}
