//! Files as streams. Each reads or writes on a thread for blocking work, and so many at once of one process as it may.
//!
//! Owns the bytes on their way. Nothing begins before the guest waits for it: `read` and `write` themselves never block,
//! and what `write` was given is written when the guest flushes, waits, writes again or lets go of the stream.

use std::fs::File;
use std::io;
use std::mem;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags, pwritev2};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;

use super::opened::Held;
use crate::engine::ledger::Ledger;

/// Bytes read or written at once.
const CHUNK: usize = 64 << 10;

/// A file being read.
pub(super) struct Reader {
    file: Held,
    at: u64,
    ledger: Arc<Ledger>,
    state: Reading,
}

enum Reading {
    Idle,
    Busy(AbortOnDropJoinHandle<io::Result<Bytes>>),
    Ready(Bytes),
    Failed(io::Error),
    Ended,
}

impl Reader {
    pub(super) fn new(file: Held, at: u64, ledger: Arc<Ledger>) -> Self {
        Reader { file, at, ledger, state: Reading::Idle }
    }

    async fn fill(&mut self, size: usize) {
        if let Reading::Idle = self.state {
            let (file, at) = (self.file.file(), self.at);
            let work = self.ledger.blocking(move || read(&file, size, at)).await;
            self.state = Reading::Busy(work);
        }
        if let Reading::Busy(work) = &mut self.state {
            self.state = match work.await {
                Ok(bytes) if bytes.is_empty() => Reading::Ended,
                Ok(bytes) => Reading::Ready(bytes),
                Err(error) => Reading::Failed(error),
            };
        }
    }
}

fn read(file: &File, size: usize, at: u64) -> io::Result<Bytes> {
    let mut buffer = vec![0; size.clamp(1, CHUNK)];
    loop {
        match file.read_at(&mut buffer, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => {
                buffer.truncate(outcome?);
                return Ok(buffer.into());
            }
        }
    }
}

#[async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {
        self.fill(CHUNK).await;
    }
}

#[async_trait]
impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match &mut self.state {
            Reading::Idle | Reading::Busy(_) => Ok(Bytes::new()),
            Reading::Ready(bytes) => {
                let taken = bytes.split_to(size.min(bytes.len()));
                self.at += taken.len() as u64;
                if bytes.is_empty() {
                    self.state = Reading::Idle;
                }
                Ok(taken)
            }
            Reading::Ended => Err(StreamError::Closed),
            Reading::Failed(_) => match mem::replace(&mut self.state, Reading::Ended) {
                Reading::Failed(error) => Err(StreamError::LastOperationFailed(error.into())),
                _ => unreachable!("it has failed"),
            },
        }
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size > 0 {
            self.fill(size).await;
        }
        self.read(size)
    }
}

/// A file being written.
pub(super) struct Writer {
    file: Held,
    /// Where; at the end if nothing is said.
    at: Option<u64>,
    ledger: Arc<Ledger>,
    /// Bytes that the process may write in its life.
    limit: u64,
    state: Writing,
}

enum Writing {
    Idle,
    Begun(Bytes),
    Busy(AbortOnDropJoinHandle<io::Result<u64>>),
    Failed(io::Error),
    Closed,
}

impl Writer {
    pub(super) fn new(file: Held, at: Option<u64>, ledger: Arc<Ledger>, limit: u64) -> Self {
        Writer { file, at, ledger, limit, state: Writing::Idle }
    }

    /// An error is told once.
    fn take_error(&mut self) -> StreamResult<()> {
        match mem::replace(&mut self.state, Writing::Closed) {
            Writing::Failed(error) => Err(StreamError::LastOperationFailed(error.into())),
            Writing::Closed => Err(StreamError::Closed),
            state => {
                self.state = state;
                Ok(())
            }
        }
    }
}

fn write(file: &File, bytes: &[u8], at: Option<u64>) -> io::Result<u64> {
    match at {
        Some(at) => file.write_all_at(bytes, at)?,
        None => append(file, bytes)?,
    }
    Ok(bytes.len() as u64)
}

/// Behind whatever the file has by then.
fn append(file: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match pwritev2(file, &[io::IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {
        if let Writing::Begun(bytes) = &self.state {
            let (file, at, bytes) = (self.file.file(), self.at, bytes.clone());
            let work = self.ledger.blocking(move || write(&file, &bytes, at)).await;
            self.state = Writing::Busy(work);
        }
        if let Writing::Busy(work) = &mut self.state {
            self.state = match work.await {
                Ok(written) => {
                    self.at = self.at.map(|at| at + written);
                    Writing::Idle
                }
                Err(error) => Writing::Failed(error),
            };
        }
    }
}

#[async_trait]
impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > self.check_write()? {
            return Err(StreamError::trap("more was written than `check-write` allowed"));
        }
        self.state = match self.ledger.write(bytes.len() as u64, self.limit) {
            Ok(()) => Writing::Begun(bytes),
            Err(full) => Writing::Failed(full),
        };
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.take_error()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.take_error()?;
        Ok(if matches!(self.state, Writing::Idle) { CHUNK } else { 0 })
    }

    async fn cancel(&mut self) {
        self.ready().await;
    }
}
