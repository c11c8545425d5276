//! Turns what a guest's compiler leaves into a component.
//!
//! Owns telling components, core modules and rubbish apart, and which adapter a core module needs. Never compiles,
//! runs or stores anything. Called when code is loaded, and by the build of guests.

use std::borrow::Cow;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as REACTOR,
};
use wasmparser::{Chunk, Parser, Payload};
use wit_component::ComponentEncoder;

/// How wit-bindgen begins the name of the custom section in which it leaves the contract.
const CONTRACT_SECTION: &str = "component-type";

/// Why there is no component in these bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WrapError {
    /// The bytes are of some other kind of file.
    #[error(
        "this is not WebAssembly: a binary module or component begins with `\\0asm` (is it text, or another file?)"
    )]
    NotWasm,
    /// The file ends within a section.
    #[error(
        "this WebAssembly is cut off: it ends after {length} bytes in the middle of a section (copy or build it again)"
    )]
    CutOff {
        /// How many bytes there are.
        length: usize,
    },
    /// The sections cannot be read.
    #[error("this WebAssembly is damaged at byte {offset}: {message}")]
    Damaged {
        /// Where, from the beginning of the file.
        offset: u64,
        /// What the reader expected.
        message: String,
    },
    /// A core module that says nothing about its interfaces.
    #[error(
        "this is a core module without a `component-type` section, so its interfaces are unknown: \
         generate its bindings with wit-bindgen (in Rust: `skep-sdk`), and do not strip custom sections"
    )]
    NoContract,
    /// The module does not fit the interfaces that it claims.
    #[error("this core module does not fit the interfaces it was generated for: {message}")]
    Misfit {
        /// What the encoder found, outermost first.
        message: String,
    },
}

/// The component in `bytes`: themselves if they are one, or the wrapped core module.
///
/// A component is only looked at section by section; whether it is valid shows when it is compiled.
pub fn component(bytes: &[u8]) -> Result<Cow<'_, [u8]>, WrapError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(WrapError::NotWasm);
    }
    let outline = outline(bytes)?;
    if Parser::is_component(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    if !outline.has_contract {
        return Err(WrapError::NoContract);
    }
    let mut encoder = ComponentEncoder::default().module(bytes).map_err(misfit)?;
    if outline.needs_preview1 {
        encoder = encoder.adapter(PREVIEW1, REACTOR).map_err(misfit)?;
    }
    encoder.encode().map(Cow::Owned).map_err(misfit)
}

/// In the alternate form, an error of the encoder prints what caused it too.
fn misfit(error: impl std::fmt::Display) -> WrapError {
    WrapError::Misfit { message: format!("{error:#}") }
}

/// What decides how a file is wrapped.
#[derive(Default)]
struct Outline {
    has_contract: bool,
    needs_preview1: bool,
}

/// Walks over the sections, which also finds out whether all of them are there.
fn outline(bytes: &[u8]) -> Result<Outline, WrapError> {
    let cut_off = || WrapError::CutOff { length: bytes.len() };
    let mut outline = Outline::default();
    let mut rest = bytes;
    let mut parser = Parser::new(0);
    let mut outer = Vec::new();
    loop {
        // A reader that is told "more may come" says so where the file ends too early; "that was all" would only give
        // it words for an error like any other.
        let at_end = rest.is_empty();
        let (consumed, payload) = match parser.parse(rest, at_end) {
            Ok(Chunk::Parsed { consumed, payload }) => (consumed, payload),
            Ok(Chunk::NeedMoreData(_)) => return Err(cut_off()),
            Err(_) if at_end => return Err(cut_off()),
            Err(error) => return Err(damaged(&error)),
        };
        rest = &rest[consumed..];
        match payload {
            Payload::CodeSectionStart { size, .. } => {
                // The bodies are of no interest, and most of the file.
                parser.skip_section();
                rest = usize::try_from(size).ok().and_then(|size| rest.get(size..)).ok_or_else(cut_off)?;
            }
            Payload::CustomSection(section) => outline.has_contract |= section.name().starts_with(CONTRACT_SECTION),
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    outline.needs_preview1 |= import.map_err(|error| damaged(&error))?.module == PREVIEW1;
                }
            }
            Payload::ModuleSection { parser: inner, .. } | Payload::ComponentSection { parser: inner, .. } => {
                outer.push(std::mem::replace(&mut parser, inner));
            }
            Payload::End(_) => match outer.pop() {
                Some(enclosing) => parser = enclosing,
                None => return Ok(outline),
            },
            _ => {}
        }
    }
}

fn damaged(error: &wasmparser::BinaryReaderError) -> WrapError {
    WrapError::Damaged { offset: error.offset() as u64, message: error.message().to_owned() }
}
