//! Component bytes into the loader; and what loads is run.
//!
//! An input that begins as WebAssembly does is taken as it is. Any other draws a valid module or component, which stands
//! alone or is made a part of a guest that is sound, where its start function runs with each instance.

#![no_main]

use std::sync::OnceLock;
use std::time::Duration;

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use skep_fuzz::host::{self, Compiled};
use skep_fuzz::raw;
use skep_runtime::engine::LoadError;
use skep_runtime::kernel::Body;
use skep_runtime::spec::{Grants, Keep};

/// Bytes of an error's text: an operator reads it.
const WORDS: usize = 64 << 10;
const MOMENT: Duration = Duration::from_millis(5);

// Guests are built and compiled before the time of an input counts.
fuzz_target!(init: {
    host::compile_if_asked();
    host::make(Compiled::Apart);
    sound(raw::Kind::Task);
    sound(raw::Kind::Server);
}, |data: &[u8]| {
    let bytes = if data.starts_with(b"\0asm") { Some(data.to_vec()) } else { drawn(data).ok() };
    let Some(bytes) = bytes else { return };
    let host = host::host();
    let module = match host.runtime.engine().load("input", &bytes) {
        Ok(module) => module,
        Err(error) => {
            let words = error.to_string();
            assert!(words.len() <= WORDS, "{} bytes of words", words.len());
            assert!(!matches!(error, LoadError::Failed { phase: "init" | "handle", .. }), "{words}");
            assert!(!matches!(error, LoadError::NoCompiler { .. }), "{words}");
            return;
        }
    };
    let imports = module.imports().to_vec();
    assert!(imports.iter().all(|name| name.starts_with("skep:process/") || name.starts_with("wasi:")), "{imports:?}");
    let mut session = host.begin(host::app(vec![host::module("input", &module, &Grants::default())]));
    host.wait(async {
        let process = host::process("input", data.to_vec(), &Grants::default(), Keep::Never);
        // What is not made in time is killed.
        let spawned = tokio::time::timeout(host::PATIENCE, session.client.spawn(process)).await;
        if let Ok(pid) = spawned.expect("a start has a bounded time") {
            drop(session.client.call(pid, Body::Json("\"Get\"".into()), Some(MOMENT)).await);
        }
    });
    session.end();
});

/// A module or component out of the input.
fn drawn(data: &[u8]) -> arbitrary::Result<Vec<u8>> {
    let mut input = Unstructured::new(data);
    let shape: u8 = input.arbitrary()?;
    let config = wasm_smith::Config {
        max_imports: 0,
        max_memory32_bytes: if shape & 8 == 0 { 1 << 20 } else { 1 << 32 },
        min_memories: u32::from(shape >> 4 & 1),
        memory64_enabled: shape & 32 != 0,
        ..wasm_smith::Config::default()
    };
    if shape & 3 == 3 {
        return wasm_smith::Component::new(config, &mut input).map(|component| component.to_bytes());
    }
    let module = wasm_smith::Module::new(config, &mut input)?.to_bytes();
    Ok(match shape & 3 {
        0 => module,
        1 => within(sound(raw::Kind::Task), &module),
        _ => within(sound(raw::Kind::Server), &module),
    })
}

/// A guest, and how many core modules it has.
fn sound(kind: raw::Kind) -> &'static (Vec<u8>, u32) {
    static GUESTS: [OnceLock<(Vec<u8>, u32)>; 2] = [OnceLock::new(), OnceLock::new()];
    GUESTS[kind as usize].get_or_init(|| {
        let component = skep_runtime::engine::wrap::component(&raw::alone(kind)).expect("it is sound").into_owned();
        // Each begins like a file of its own.
        let modules = component.windows(8).filter(|bytes| bytes == b"\0asm\x01\0\0\0").count();
        (component, u32::try_from(modules).expect("a few"))
    })
}

/// The component with one more core module, instantiated.
fn within((component, modules): &(Vec<u8>, u32), module: &[u8]) -> Vec<u8> {
    let mut bytes = component.clone();
    section(1, module, &mut bytes);
    // One instance, of a module, without arguments.
    let mut instance = vec![1, 0];
    number(*modules, &mut instance);
    instance.push(0);
    section(2, &instance, &mut bytes);
    bytes
}

fn section(id: u8, content: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(id);
    number(u32::try_from(content.len()).expect("an input is short"), bytes);
    bytes.extend(content);
}

/// In LEB128.
fn number(mut value: u32, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
