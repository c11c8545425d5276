//! Standard output and standard error of a guest: lines for the log, and the end of standard error for an exit reason.
//!
//! Owns cutting a stream of bytes into bounded lines of valid text. Never blocks and holds at most one line.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use skep_kernel::{ExitReason, Name};
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use super::fuel;
use crate::api::log::{LINE_BYTES, shortened};
use crate::api::{Ended, Syscalls};
use crate::observe::Level;

/// What is kept of standard error: a Python traceback of some depth.
const TAIL_BYTES: usize = 4 << 10;
/// How much a guest may write at once: what WASI's own blocking write allows.
const WRITE_BYTES: usize = 4 << 10;

/// What output costs, standard output and standard error together. Counted here because the streams of WASI reach
/// neither the store nor its data.
#[derive(Debug, Default)]
pub struct Work {
    budget: AtomicU64,
    used: AtomicU64,
    slice_used: AtomicU64,
}

impl Work {
    /// Begins a budget.
    pub fn begin(&self, budget: u64) {
        self.budget.store(budget, Ordering::Relaxed);
        self.used.store(0, Ordering::Relaxed);
    }

    /// Ends it: what was used.
    pub fn take(&self) -> u64 {
        self.used.swap(0, Ordering::Relaxed)
    }

    fn pay(&self, cost: u64) -> Result<(), Ended> {
        self.slice_used.fetch_add(cost, Ordering::Relaxed);
        let used = self.used.fetch_add(cost, Ordering::Relaxed).saturating_add(cost);
        if used > self.budget.load(Ordering::Relaxed) { Err(Ended(ExitReason::limit("fuel"))) } else { Ok(()) }
    }

    fn slice_is_over(&self) -> bool {
        self.slice_used.load(Ordering::Relaxed) >= fuel::SLICE
    }

    fn begin_slice(&self) {
        self.slice_used.store(0, Ordering::Relaxed);
    }
}

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
    work: Arc<Work>,
    /// Who gets it instead of the log.
    owner: Option<Name>,
}

impl LineWriter {
    /// Logs at `level`, to nowhere without `log`; keeps the end in `tail`.
    pub fn new(log: Option<Arc<dyn Syscalls>>, level: Level, tail: Option<Arc<Mutex<Tail>>>, work: Arc<Work>) -> Self {
        LineWriter { log, level, line: Arc::default(), tail, work, owner: None }
    }

    /// Goes to this process as it is, if there is one.
    pub fn owned_by(mut self, owner: Option<Name>) -> Self {
        self.owner = owner;
        self
    }

    /// Sends what was written to its owner. Whom nobody hears, or whose owner has no room, cannot write: to a program of
    /// wasip1 that is `EIO`.
    fn send(&self, owner: &Name, bytes: &Bytes) -> StreamResult<()> {
        let Some(syscalls) = &self.log else { return Ok(()) };
        match syscalls.emit(owner, bytes.to_vec()) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => {
                let error = io::Error::new(io::ErrorKind::BrokenPipe, refusal.to_string());
                Err(StreamError::LastOperationFailed(error.into()))
            }
            Err(ended) => Err(StreamError::Trap(ended.into())),
        }
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
            // One byte more, by which it is known that it was cut.
            let room = LINE_BYTES + 1 - line.len();
            line.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                self.emit(&mut line);
            }
        }
    }

    /// Logs what there is of a line.
    fn emit(&self, line: &mut Vec<u8>) {
        if let Some(log) = &self.log {
            let text = String::from_utf8_lossy(line);
            log.log(self.level, &shortened(text.trim_end_matches('\r')));
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
    /// A guest that writes without end gives way like one that computes.
    async fn ready(&mut self) {
        if self.work.slice_is_over() {
            fuel::give_way().await;
            self.work.begin_slice();
        }
    }
}

impl OutputStream for LineWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > self.check_write()? {
            return Err(StreamError::trap("more was written than `check-write` allowed"));
        }
        let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
        let cost = fuel::BYTE * bytes.len() as u64 + fuel::MESSAGE * lines as u64;
        self.work.pay(cost).map_err(|ended| StreamError::Trap(ended.into()))?;
        match &self.owner {
            Some(owner) => self.send(owner, &bytes),
            None => {
                self.push(&bytes);
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(if self.work.slice_is_over() { 0 } else { WRITE_BYTES })
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
        let writer = LineWriter::new(None, Level::Info, None, Arc::default());
        for _ in 0..3 {
            writer.push(&[b'x'; LINE_BYTES]);
        }
        assert_eq!(writer.line.lock().len(), LINE_BYTES + 1);
        writer.push(b"\n");
        assert!(writer.line.lock().is_empty());
    }
}
