//! Turns what a guest's compiler leaves into a component.
//!
//! Owns telling components, core modules and rubbish apart, and which adapter a core module needs. Never compiles,
//! runs or stores anything. Called when code is loaded, and by the build of guests.

pub(super) mod exit;

use std::borrow::Cow;
use std::ops::Range;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER as COMMAND,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as REACTOR,
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
        "this is a core module without a `component-type` section and without `_start`, so its interfaces are unknown: \
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

impl WrapError {
    /// What it says, for [`WrapError::Misfit`] without the frame.
    pub(super) fn into_message(self) -> String {
        match self {
            WrapError::Misfit { message } => message,
            other => other.to_string(),
        }
    }
}

/// The component in `bytes`: themselves if they are one, or the wrapped core module.
///
/// A component is only looked at section by section; whether it is valid shows when it is compiled. A core module is
/// believed what it says of its interfaces: one that lies can overflow the stack (see [`Compiler`](super::Compiler)).
pub fn component(bytes: &[u8]) -> Result<Cow<'_, [u8]>, WrapError> {
    component_by(bytes, encode)
}

/// As [`component`], with what is encoded by someone else.
pub(super) fn component_by<E: From<WrapError>>(
    bytes: &[u8],
    encode: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Cow<'_, [u8]>, E> {
    if outline(bytes)?.is_component { Ok(Cow::Borrowed(bytes)) } else { encode(bytes).map(Cow::Owned) }
}

/// The component around a core module.
pub(super) fn encode(module: &[u8]) -> Result<Vec<u8>, WrapError> {
    let outline = outline(module)?;
    if !outline.has_contract {
        return command(module, outline);
    }
    let mut encoder = ComponentEncoder::default().module(module).map_err(misfit)?;
    if outline.needs_preview1 {
        encoder = encoder.adapter(PREVIEW1, REACTOR).map_err(misfit)?;
    }
    encoder.encode().map_err(misfit)
}

/// A program of wasip1: its `_start` becomes `wasi:cli/run`.
fn command(bytes: &[u8], outline: Outline) -> Result<Vec<u8>, WrapError> {
    let module = match outline.imports {
        Some((header, imports)) => exit::with_status(bytes, header, imports)?,
        None => bytes.to_vec(),
    };
    let encoder = ComponentEncoder::default().module(&module).map_err(misfit)?;
    encoder.adapter(PREVIEW1, COMMAND).map_err(misfit)?.encode().map_err(misfit)
}

/// In the alternate form, an error of the encoder prints what caused it too.
fn misfit(error: impl std::fmt::Display) -> WrapError {
    WrapError::Misfit { message: format!("{error:#}") }
}

/// What decides how a file is wrapped.
#[derive(Default)]
struct Outline {
    is_component: bool,
    has_contract: bool,
    needs_preview1: bool,
    /// Whether it begins like a program.
    has_start: bool,
    /// Where the section of imports of a core module begins, and what is in it.
    imports: Option<(usize, Range<usize>)>,
}

/// What bytes are, if they are a component or may become one.
fn outline(bytes: &[u8]) -> Result<Outline, WrapError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(WrapError::NotWasm);
    }
    let outline = sections(bytes)?;
    let has_interfaces = outline.is_component || outline.has_contract || outline.has_start;
    if has_interfaces { Ok(outline) } else { Err(WrapError::NoContract) }
}

/// Walks over the sections, which also finds out whether all of them are there.
fn sections(bytes: &[u8]) -> Result<Outline, WrapError> {
    let cut_off = || WrapError::CutOff { length: bytes.len() };
    let mut outline = Outline { is_component: Parser::is_component(bytes), ..Outline::default() };
    let mut rest = bytes;
    let mut parser = Parser::new(0);
    let mut outer = Vec::new();
    loop {
        // A reader that is told "more may come" says so where the file ends too early; "that was all" would only give
        // it words for an error like any other.
        let at_end = rest.is_empty();
        let begins = bytes.len() - rest.len();
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
            Payload::ExportSection(exports) => {
                for export in exports {
                    outline.has_start |= export.map_err(|error| damaged(&error))?.name == "_start";
                }
            }
            Payload::ImportSection(imports) => {
                outline.imports = Some((begins, imports.range()));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What wit-bindgen leaves for `package t:t; world w {}`.
    const EMPTY_WORLD: &[u8] = b"\0asm\x0d\0\x01\0\0\x19\x16wit-component-encoding\x04\0\
        \x07\x10\x01A\x02\x01A\0\x04\0\x05t:t/w\x04\0\x0b\x07\x01\0\x01w\x03\0\0";
    /// The same for `package u:u; world w { export f: func(); }`.
    const WORLD_WITH_A_FUNCTION: &[u8] = b"\0asm\x0d\0\x01\0\0\x19\x16wit-component-encoding\x04\0\
        \x07\x1b\x01A\x02\x01A\x02\x01@\0\x01\0\x04\0\x01f\x01\0\x04\0\x05u:u/w\x04\0\x0b\x07\x01\0\x01w\x03\0\0";

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).ok().filter(|length| *length < 0x80).expect("a short section");
        [&[id, length], content].concat()
    }

    fn custom(name: &str, content: &[u8]) -> Vec<u8> {
        let name_length = u8::try_from(name.len()).expect("a short name");
        section(0, &[&[name_length], name.as_bytes(), content].concat())
    }

    fn module(sections: &[Vec<u8>]) -> Vec<u8> {
        [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
    }

    fn plain() -> Vec<u8> {
        module(&[custom("component-type:w", EMPTY_WORLD)])
    }

    /// Imports `sched_yield: func() -> i32`, and has the memory that the adapter looks for.
    fn with_preview1() -> Vec<u8> {
        module(&[
            section(1, b"\x01\x60\0\x01\x7f"),
            section(2, b"\x01\x16wasi_snapshot_preview1\x0bsched_yield\0\0"),
            section(5, b"\x01\0\x01"),
            section(7, b"\x01\x06memory\x02\0"),
            custom("component-type:w", EMPTY_WORLD),
        ])
    }

    #[test]
    fn a_module_with_a_contract_becomes_a_component_and_stays_one() {
        for module in [plain(), with_preview1()] {
            let once = component(&module).expect("wrapped");
            assert!(Parser::is_component(&once));
            let again = component(&once).expect("a component already");
            assert!(matches!(again, Cow::Borrowed(bytes) if bytes == &once[..]));
        }
    }

    #[test]
    fn the_adapter_is_there_only_for_who_imports_preview1() {
        let adapter = |module: &[u8]| {
            let bytes = component(module).expect("wrapped");
            bytes.windows(PREVIEW1.len()).any(|window| window == PREVIEW1.as_bytes())
        };
        assert!(adapter(&with_preview1()));
        assert!(!adapter(&plain()));
    }

    #[test]
    fn other_files_are_not_wasm() {
        for bytes in [&b""[..], b"\0as", b"fn main() {}", b"\x7fELF\x02\x01\x01\0", b"(module)"] {
            assert!(matches!(component(bytes), Err(WrapError::NotWasm)), "{bytes:?}");
        }
    }

    #[test]
    fn a_module_without_a_contract_says_what_is_missing() {
        for bytes in [module(&[]), module(&[custom("producers", b"\0")])] {
            let error = component(&bytes).expect_err("no contract");
            assert!(matches!(error, WrapError::NoContract), "{error}");
            assert!(error.to_string().contains("wit-bindgen"), "{error}");
        }
    }

    #[test]
    fn a_prefix_is_never_taken_for_the_whole() {
        let wrapped = component(&with_preview1()).expect("wrapped").into_owned();
        for whole in [plain(), with_preview1(), wrapped] {
            for length in 0..whole.len() {
                match component(&whole[..length]) {
                    Err(WrapError::NotWasm) if length < 4 => {}
                    Err(WrapError::CutOff { length: told }) if told == length => {}
                    // Cut between two sections nothing is incomplete: the last one, the contract, is simply not there.
                    Err(WrapError::NoContract) => {}
                    Ok(_) if Parser::is_component(&whole) => {}
                    other => panic!("{length} of {} bytes: {other:?}", whole.len()),
                }
            }
        }
    }

    #[test]
    fn damage_is_told_with_its_place() {
        let error = component(&module(&[section(2, b"\x01\x01a\x01b\x09")])).expect_err("no such kind");
        assert!(matches!(error, WrapError::Damaged { offset: 8.., .. }), "{error:?}");
        let error = component(b"\0asm\x07\0\0\0").expect_err("no such version");
        assert!(matches!(error, WrapError::Damaged { .. }), "{error:?}");
    }

    #[test]
    fn a_module_that_lacks_what_its_contract_exports_is_a_misfit() {
        let error = component(&module(&[custom("component-type:w", WORLD_WITH_A_FUNCTION)])).expect_err("no export");
        assert!(matches!(&error, WrapError::Misfit { message } if message.contains('f')), "{error:?}");
    }
}
