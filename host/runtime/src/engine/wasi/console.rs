//! The standard streams of a command: input from a file or from messages.
//!
//! Owns what was received and not yet read. Whoever waits for input waits like one that waits for a message: no thread
//! does.

use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use skep_kernel::process::{Received, Wanted};
use skep_kernel::{Body, Event};
use tokio::io::AsyncRead;
use wasmtime_wasi::cli::{IsTerminal, StdinStream};
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::{WasiCtxBuilder, async_trait};

use super::folders::FolderError;
use super::opened::OpenFiles;
use super::streams::Reader;
use crate::api::Syscalls;
use crate::engine::ledger::Ledger;
use crate::spec::Input;

/// Gives a command its input.
pub(super) fn give(
    builder: &mut WasiCtxBuilder,
    input: &Input,
    syscalls: &Arc<dyn Syscalls>,
    ledger: &Arc<Ledger>,
) -> Result<(), FolderError> {
    match input {
        Input::Closed => {}
        Input::File(path) => {
            let file = open(path).map_err(|error| FolderError { folder: path.clone(), error })?;
            builder.stdin(FromFile { file: Arc::new(file), ledger: Arc::clone(ledger) });
        }
        Input::Messages => {
            let inbox = Inbox { syscalls: Arc::clone(syscalls), state: Arc::default() };
            builder.stdin(inbox);
        }
    }
    Ok(())
}

/// A file, and nothing that could block.
fn open(path: &Path) -> io::Result<std::fs::File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    match FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(file.into()),
        _ => Err(io::Error::other("it is no file")),
    }
}

/// A file as input.
struct FromFile {
    file: Arc<std::fs::File>,
    ledger: Arc<Ledger>,
}

impl IsTerminal for FromFile {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for FromFile {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        // Asked for by WASI 0.3 only, which is not linked.
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        // It was granted with the command and counts nowhere.
        let file = OpenFiles::default().hold(Arc::clone(&self.file));
        Box::new(Reader::new(file, 0, Arc::clone(&self.ledger)))
    }
}

/// Messages as input. Clones read from the same.
#[derive(Clone)]
struct Inbox {
    syscalls: Arc<dyn Syscalls>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    bytes: BytesMut,
    /// Whether a wait for a message has begun and not ended.
    waits: bool,
    ended: bool,
}

impl Inbox {
    /// What is there, or nothing if a message must be waited for.
    fn take(&self, size: usize) -> Option<StreamResult<Bytes>> {
        let mut state = self.state.lock();
        if state.bytes.is_empty() {
            return state.ended.then_some(Err(StreamError::Closed));
        }
        let length = size.min(state.bytes.len());
        Some(Ok(state.bytes.split_to(length).freeze()))
    }

    fn must_wait(&self) -> bool {
        let state = self.state.lock();
        state.bytes.is_empty() && !state.ended
    }

    /// One more message. The process is to end if there is an error, and is ended by whoever drives it.
    async fn receive(&self) -> Result<(), crate::api::Ended> {
        if !std::mem::replace(&mut self.state.lock().waits, true) {
            self.syscalls.begin_receive(Wanted::Any, None)?;
        }
        let received = poll_fn(|context| self.syscalls.poll_receive(context)).await;
        let mut state = self.state.lock();
        state.waits = false;
        let (body, caller) = match received? {
            Received::Event(Event::Info(body) | Event::Cast(body)) => (body, None),
            Received::Event(Event::Call { caller, body }) => (body, Some(caller)),
            _ => return Ok(()),
        };
        let text = bytes(body);
        state.ended |= text.is_empty();
        if !state.ended {
            state.bytes.extend_from_slice(&text);
        }
        drop(state);
        match caller {
            // Whoever calls learns that it was taken.
            Some(caller) => self.syscalls.reply(caller, Body::Json("null".to_owned())),
            None => Ok(()),
        }
    }
}

/// What a body says: text for text, however it is encoded, and bytes for everything else.
fn bytes(body: Body) -> Vec<u8> {
    match body {
        Body::Raw(bytes) => bytes,
        Body::Text(text) => text.into_bytes(),
        Body::Json(json) => serde_json::from_str::<String>(&json).unwrap_or(json).into_bytes(),
        Body::MessagePack(packed) => match rmp_serde::from_slice::<String>(&packed) {
            Ok(text) => text.into_bytes(),
            Err(_) => packed,
        },
    }
}

impl IsTerminal for Inbox {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Inbox {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Inbox {
    async fn ready(&mut self) {
        while self.must_wait() {
            if self.receive().await.is_err() {
                self.state.lock().ended = true;
            }
        }
    }
}

#[async_trait]
impl InputStream for Inbox {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.take(size).unwrap_or(Ok(Bytes::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_in_every_codec_and_the_rest_is_bytes() {
        let packed = |value: &str| Body::MessagePack(rmp_serde::to_vec(value).expect("it is text"));
        for (body, expected) in [
            (Body::Raw(vec![0, 255]), &[0, 255][..]),
            (Body::Text("a\n".into()), b"a\n"),
            (Body::Json("\"a\\n\"".into()), b"a\n"),
            (Body::Json("{\"a\":1}".into()), b"{\"a\":1}"),
            (packed("a\n"), b"a\n"),
            (Body::MessagePack(vec![0x93, 1, 2, 3]), &[0x93, 1, 2, 3]),
            (Body::Json("\"\"".into()), b""),
        ] {
            assert_eq!(bytes(body.clone()), expected, "{body:?}");
        }
    }
}
