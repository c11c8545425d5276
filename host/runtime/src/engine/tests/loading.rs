//! What is refused when it is loaded, and with which words.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use skep_kernel::{Form, Shape};

use super::guest::{SHAPE, Server, ZEROS, task};
use super::{engine, engine_with, load};
use crate::engine::{Class, EngineConfig, EngineError, LoadError, ModuleKind};

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("text")
}

#[test]
fn what_is_no_process_is_refused_with_the_remedy() {
    let exports_nothing = component("(component)");
    let misses_run = component(r#"(component (instance $i) (export "skep:process/entry@0.1.0" (instance $i)))"#);
    let unknown = component(
        r#"(component (import "acme:database/query@1.2.0" (instance)) (instance $i)
            (export "skep:process/entry@0.1.0" (instance $i)))"#,
    );
    let server = Server::default().build();
    for (bytes, words) in [
        (&b"not wasm"[..], "not WebAssembly"),
        (&server[..server.len() / 2], "cut off"),
        (&exports_nothing, "exports nothing"),
        (&misses_run, "run"),
        (&unknown, "imports `acme:database/query@1.2.0`"),
    ] {
        let error = load(bytes).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn what_no_guest_needs_of_webassembly_is_refused() {
    for module in ["(memory 1 1 shared)", "(memory i64 1)", "(memory 1) (memory 1)", "(tag)"] {
        let bytes = component(&format!("(component (core module {module}))"));
        assert!(matches!(load(&bytes), Err(LoadError::Invalid { .. })), "{module}");
    }
}

#[test]
fn a_server_and_a_task_load_and_say_what_they_are() {
    let server = load(&Server::default().build()).expect("a server");
    let shape =
        Shape { version: 0, accepts: vec![0], steps_down: Vec::new(), writes: Form::Raw, reads: vec![Form::Raw] };
    assert!(matches!(server.kind(), ModuleKind::Server(said) if *said == shape));
    assert!(!server.is_task() && !server.needs_wasi() && server.imports().is_empty());
    assert_eq!(server.digest(), blake3::hash(&Server::default().build()).to_hex().as_str());
    assert!(load(&task("", ZEROS)).expect("a task").is_task());
}

#[test]
fn what_fails_while_it_is_tried_out_is_refused() {
    let cast = r#"(import "skep:process/messaging@0.1.0" "cast" (func $cast (param i32 i32 i64 i64 i32 i32 i32 i32)))"#;
    let act = "(call $cast (i32.const 0) (i32.const 0) (i64.const 1) (i64.const 1)
                           (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";
    let acting = Server { more: cast.into(), describe: format!("{act} {ZEROS}"), ..Server::default() };
    let spinning = Server { describe: "(loop (br 0)) unreachable".into(), ..Server::default() };
    let trapping = Server { describe: "unreachable".into(), ..Server::default() };
    let starting = Server { more: "(start $s) (func $s (loop (br 0)))".into(), ..Server::default() };
    let acting_at_start = Server { more: format!("{cast} (start $s) (func $s {act})"), ..Server::default() };
    for (guest, phase, words) in [
        (acting, "describe", "side-effect-in-describe"),
        (spinning, "describe", "limit reached: fuel"),
        (trapping, "describe", "trap: unreachable"),
        (starting, "start", "limit reached: fuel"),
        (acting_at_start, "start", ""),
    ] {
        let Err(LoadError::Failed { phase: at, reason }) = load(&guest.build()) else { panic!("{words}: accepted") };
        assert_eq!(at, phase, "{reason}");
        assert!(reason.to_string().contains(words), "{reason}");
    }
}

#[test]
fn a_shape_that_no_state_could_trust_is_refused() {
    // In order: the version, where the list of accepted ones is and how long, where the one of steps down is and how long,
    // the form, where the list of forms is and how long.
    let describe = |fields: [u32; 8]| {
        let store = |(at, value)| format!("(i32.store (i32.const {}) (i32.const {value}))", 960 + 4 * at);
        let stores: String = fields.iter().enumerate().map(store).collect();
        // To point at: the number 0 at 1024 and 7 at 1028, all forms at 1032.
        let points = "(i32.store (i32.const 1028) (i32.const 7)) (i32.store (i32.const 1032) (i32.const 0x03020100))";
        Server { describe: format!("{points} {stores} {SHAPE}"), ..Server::default() }
    };
    let shape = load(&describe([7, 1024, 2, 1024, 1, 2, 1032, 4]).build()).expect("it is sound").shape().cloned();
    let reads = vec![Form::Raw, Form::MessagePack, Form::Json, Form::Text];
    assert_eq!(shape, Some(Shape { version: 7, accepts: vec![0, 7], steps_down: vec![0], writes: Form::Json, reads }));
    for (fields, words) in [
        ([0, 1024, 0, 1024, 0, 0, 1024, 1], "version 0, which it does not read"),
        ([7, 1024, 1, 1024, 0, 0, 1024, 1], "version 7, which it does not read"),
        ([0, 1024, 1_001, 1024, 0, 0, 1024, 1], "more than 1000 versions"),
        ([0, 1024, 1, 1024, 1_001, 0, 1024, 1], "more than 1000 versions"),
        ([0, 1024, 1, 1024, 0, 0, 1040, 1_001], "more than 1000 versions or forms"),
        ([7, 1028, 1, 1028, 1, 0, 1024, 1], "version 7 in `steps-down`, which is not below its own, 7"),
        ([0, 1024, 1, 1028, 1, 0, 1024, 1], "version 7 in `steps-down`, which is not below its own, 0"),
        ([0, 1024, 1, 1024, 0, 3, 1032, 3], "its state in text, which it does not read"),
        ([0, 1024, 1, 1024, 0, 1, 1024, 0], "its state in MessagePack, which it does not read"),
    ] {
        let loaded = load(&describe(fields).build());
        let Err(LoadError::Failed { phase: "describe", reason }) = loaded else { panic!("{words}: {loaded:?}") };
        assert!(reason.to_string().contains(words), "{reason}");
    }
}

#[test]
fn a_guest_that_begins_large_lives_in_the_large_class() {
    let engine = engine();
    let small = engine.load("small", &Server::default().build()).expect("it loads");
    assert_eq!((small.class_for(4 << 20), small.class_for(5 << 20)), (Class::Small, Class::Large));
    small.prepare(5 << 20).expect("it compiles for the other class too");
    let large = engine.load("large", &Server { pages: 65, ..Server::default() }.build()).expect("it loads");
    assert_eq!(large.class_for(1), Class::Large);
}

#[test]
fn a_second_start_finds_compiled_code_and_recompiles_what_is_damaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    let start = || {
        let engine = engine_with(EngineConfig { cache: Some(cache.clone()), ..EngineConfig::default() });
        engine.load("guest", &Server::default().build()).expect("it loads");
    };
    let code = || {
        let files = fs::read_dir(&cache).expect("the folder").map(|entry| entry.expect("an entry").path());
        let mut code: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "cwasm")).collect();
        assert_eq!(code.len(), 1);
        code.pop().expect("one")
    };
    start();
    let written = || fs::metadata(code()).expect("it is there").modified().expect("a time");
    assert_eq!(fs::metadata(&cache).expect("it is there").permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(code()).expect("it is there").permissions().mode() & 0o777, 0o600);
    let first = written();
    start();
    assert_eq!(written(), first, "compiled again");
    let whole = fs::read(code()).expect("it can be read");
    fs::write(code(), &whole[..whole.len() / 2]).expect("it can be damaged");
    start();
    assert_eq!(fs::read(code()).expect("it can be read").len(), whole.len(), "still damaged");
}

#[test]
fn a_cache_that_others_can_enter_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o750)).expect("it is ours");
    let config = EngineConfig { slots: Some(1), cache: Some(folder.path().into()), ..EngineConfig::default() };
    let error = crate::Engine::new(config).expect_err("refused");
    assert!(matches!(error, EngineError::Cache(_)));
    assert!(error.to_string().contains("chmod 700"), "{error}");
}
