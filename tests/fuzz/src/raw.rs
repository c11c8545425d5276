//! A guest that calls every function of the contract and of WASI with whatever its input says: an interpreter in a core
//! module, below all types that a compiler would have kept to.
//!
//! Owns the module, made from `wit/` and from the interfaces in WASI's adapter, and the language of its scripts. The module
//! is the same for all inputs, so that it is compiled once. Scripts are bytes:
//!
//! ```text
//! script   = step*                     run from `init` (or `run`), and on with each `handle`, until an `end`
//! step     = op:u16 argument*          bits 0 to 9 of `op`: which function; bit 15: the pointer for results is an argument too
//!                                      a number beyond the functions: end, answer, wild answer, trap, spin, grow, again, flood
//! argument = 0 u8 | 1 u16 | 2 u32 | 3 u64            a number
//!          | 4 length:u8 byte*                       the address of a copy of these bytes
//!          | 5                                       their length
//!          | 6 back:u8 offset:u8 | 7 back offset     32 or 64 bits of what an earlier call brought
//!          | 8 offset:u8                             64 bits of the event at hand
//!          | 9 back offset                           the address of what an earlier call brought
//!          | 10                                      all bits set
//!          | 11                                      what the last call returned directly
//!          | k                                       the number k - 12
//! ```

use std::fmt::Write as _;
use std::path::Path;

use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as ADAPTER;
use wit_component::StringEncoding;
use wit_parser::abi::{AbiVariant, WasmSignature, WasmType};
use wit_parser::{
    LiftLowerAbi, ManglingAndAbi, Resolve, ResourceIntrinsic, TypeDefKind, WasmImport, WorldId, WorldItem, WorldKey,
};

const ABI: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);

/// What the guest is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Exports `behaviour`.
    Server,
    /// Exports `entry`.
    Task,
}

/// A function of the host, as a core module imports it.
struct Import {
    module: String,
    name: String,
    signature: WasmSignature,
}

/// The guest, with its contract in it, as a compiler would leave it.
///
/// # Panics
///
/// If the contract cannot be read.
#[must_use]
pub fn module(kind: Kind) -> Vec<u8> {
    let (resolve, world) = contract(kind);
    let imports = imports(&resolve, world);
    embedded(&text(kind, &imports), &resolve, world)
}

/// The same without a single function of the host, and small.
///
/// # Panics
///
/// As [`module`].
#[must_use]
pub fn alone(kind: Kind) -> Vec<u8> {
    let (resolve, world) = contract(kind);
    embedded(&text(kind, &[]), &resolve, world)
}

fn embedded(text: &str, resolve: &Resolve, world: WorldId) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    wit_component::embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).expect("it fits");
    module
}

/// The contract of such a guest together with all of WASI that adapted guests import.
fn contract(kind: Kind) -> (Resolve, WorldId) {
    let (_, adapter) = wit_component::metadata::decode(ADAPTER).expect("the adapter says what it imports");
    let mut resolve = adapter.resolve;
    let mut text = String::from("package fuzz:raw;\nworld raw {\n");
    for interface in wasi(&resolve) {
        writeln!(text, "  import {interface};").expect("a string takes all");
    }
    let export = match kind {
        Kind::Server => "process",
        Kind::Task => "task",
    };
    writeln!(text, "  include skep:process/{export}@0.1.0;\n}}").expect("a string takes all");
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    resolve.push_dir(&wit).expect("the contract can be read");
    let package = resolve.push_str("raw.wit", &text).expect("both can be joined");
    let world = resolve.select_world(&[package], Some("raw")).expect("the world is there");
    (resolve, world)
}

/// WASI's interfaces that have functions.
fn wasi(resolve: &Resolve) -> Vec<String> {
    let known = resolve.interfaces.iter().filter(|(_, interface)| !interface.functions.is_empty());
    let ids = known.filter_map(|(id, _)| resolve.id_of(id));
    ids.filter(|id| id.starts_with("wasi:") && !id.starts_with("wasi:cli/run")).collect()
}

fn imports(resolve: &Resolve, world: WorldId) -> Vec<Import> {
    let mut imports = Vec::new();
    for (key, item) in &resolve.worlds[world].imports {
        if let WorldItem::Interface { id, .. } = item {
            of_interface(resolve, key, *id, &mut imports);
        }
    }
    imports
}

fn of_interface(resolve: &Resolve, key: &WorldKey, id: wit_parser::InterfaceId, imports: &mut Vec<Import>) {
    for func in resolve.interfaces[id].functions.values() {
        let (module, name) = resolve.wasm_import_name(ABI, WasmImport::Func { interface: Some(key), func });
        imports.push(Import { module, name, signature: resolve.wasm_signature(AbiVariant::GuestImport, func) });
    }
    for resource in resolve.interfaces[id].types.values() {
        if matches!(resolve.types[*resource].kind, TypeDefKind::Resource) {
            let intrinsic = ResourceIntrinsic::ImportedDrop;
            let drop = WasmImport::ResourceIntrinsic { interface: Some(key), resource: *resource, intrinsic };
            let (module, name) = resolve.wasm_import_name(ABI, drop);
            let params = vec![WasmType::I32];
            let signature = WasmSignature { params, results: Vec::new(), indirect_params: false, retptr: false };
            imports.push(Import { module, name, signature });
        }
    }
}

fn text(kind: Kind, imports: &[Import]) -> String {
    let mut declared = String::new();
    let mut wrappers = String::new();
    for (number, import) in imports.iter().enumerate() {
        declare(number, import, &mut declared);
        wrap(number, import, &mut wrappers);
    }
    let count = imports.len();
    let names: String = (0..count).map(|number| format!("$w{number} ")).collect();
    let exports = match kind {
        Kind::Server => SERVER,
        Kind::Task => TASK,
    };
    format!(
        "(module {declared} (type $step (func)) (table {count} funcref) (elem (i32.const 0) {names})
            {INTERPRETER} {wrappers} {exports}
            (func $call (param $number i32) (result i32)
                (if (i32.ge_u (local.get $number) (i32.const {count})) (then (return (i32.const 0))))
                (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                (call_indirect (type $step) (local.get $number))
                (i32.const 1)))"
    )
}

fn word(ty: WasmType) -> &'static str {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

fn declare(number: usize, import: &Import, text: &mut String) {
    let types = |types: &[WasmType]| types.iter().map(|ty| format!(" {}", word(*ty))).collect::<String>();
    let Import { module, name, signature } = import;
    let (params, results) = (types(&signature.params), types(&signature.results));
    writeln!(text, "(import {module:?} {name:?} (func $i{number} (param{params}) (result{results})))")
        .expect("a string takes all");
}

/// Reads the arguments out of the script, calls, and keeps what came.
fn wrap(number: usize, import: &Import, text: &mut String) {
    let signature = &import.signature;
    let last = signature.params.len().wrapping_sub(1);
    let mut call = format!("(call $i{number}");
    for (place, ty) in signature.params.iter().enumerate() {
        call += match word(*ty) {
            _ if signature.retptr && place == last => " (call $results)",
            "i32" => " (i32.wrap_i64 (call $argument))",
            "f32" => " (f32.reinterpret_i32 (i32.wrap_i64 (call $argument)))",
            "f64" => " (f64.reinterpret_i64 (call $argument))",
            _ => " (call $argument)",
        };
    }
    call += ")";
    let kept = match signature.results.first().map(|ty| word(*ty)) {
        None => call,
        Some("i32") => format!("(call $keep (i64.extend_i32_u {call}))"),
        Some("f32") => format!("(call $keep (i64.extend_i32_u (i32.reinterpret_f32 {call})))"),
        Some("f64") => format!("(call $keep (i64.reinterpret_f64 {call}))"),
        Some(_) => format!("(call $keep {call})"),
    };
    writeln!(text, "(func $w{number} {kept})").expect("a string takes all");
}

/// Memory: 1,024 zeros, 2,048 the shape, 4,096 answers, 8,192 results of calls (16 times 512 bytes), 65,536 the script, and
/// from 131,072 on what the host hands over.
const INTERPRETER: &str = r#"
    (memory (export "memory") 4)
    (data (i32.const 2052) "\00\04\00\00\01")
    (data (i32.const 2072) "\00\04\00\00\01")
    (global $pc (mut i32) (i32.const 65536))
    (global $end (mut i32) (i32.const 65536))
    (global $heap (mut i32) (i32.const 131072))
    (global $event (mut i32) (i32.const 1024))
    (global $calls (mut i32) (i32.const 0))
    (global $length (mut i64) (i64.const 0))
    (global $last (mut i64) (i64.const 0))
    (global $wild (mut i32) (i32.const 0))
    (global $answer (mut i32) (i32.const 0))
    (global $again (mut i32) (i32.const 0))
    (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
        (global.set $heap (i32.add (local.get $at) (local.get 3)))
        (if (i32.gt_u (global.get $heap) (i32.shl (memory.size) (i32.const 16)))
            (then (drop (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1))))))
        (local.get $at))
    (func $byte (result i32)
        (if (i32.ge_u (global.get $pc) (global.get $end)) (then (return (i32.const 0))))
        (global.set $pc (i32.add (global.get $pc) (i32.const 1)))
        (i32.load8_u (i32.sub (global.get $pc) (i32.const 1))))
    (func $two (result i32) (i32.or (call $byte) (i32.shl (call $byte) (i32.const 8))))
    (func $four (result i32) (i32.or (call $two) (i32.shl (call $two) (i32.const 16))))
    (func $eight (result i64)
        (i64.or (i64.extend_i32_u (call $four)) (i64.shl (i64.extend_i32_u (call $four)) (i64.const 32))))
    ;; Where the results of an earlier call lie.
    (func $earlier (result i32)
        (i32.add
            (i32.add (i32.const 8192)
                (i32.shl (i32.and (i32.sub (global.get $calls) (call $byte)) (i32.const 15)) (i32.const 9)))
            (call $byte)))
    (func $results (result i32)
        (if (global.get $wild) (then (return (i32.wrap_i64 (call $argument)))))
        (i32.add (i32.const 8192) (i32.shl (i32.and (global.get $calls) (i32.const 15)) (i32.const 9))))
    (func $keep (param i64)
        (global.set $last (local.get 0))
        (i64.store (i32.add (i32.const 8192) (i32.shl (i32.and (global.get $calls) (i32.const 15)) (i32.const 9)))
            (local.get 0)))
    ;; The address of a copy of bytes in the script, where a list may lie.
    (func $bytes (result i64) (local $length i32) (local $at i32)
        (local.set $length (call $byte))
        (global.set $length (i64.extend_i32_u (local.get $length)))
        (local.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 16) (local.get $length)))
        (memory.copy (local.get $at) (global.get $pc) (local.get $length))
        (global.set $pc (i32.add (global.get $pc) (local.get $length)))
        (i64.extend_i32_u (local.get $at)))
    (func $argument (result i64) (local $kind i32)
        (local.set $kind (call $byte))
        (block $literal (block $returned (block $ones (block $where (block $event (block $long (block $short (block $size
        (block $text (block $u64 (block $u32 (block $u16 (block $u8
            (br_table $u8 $u16 $u32 $u64 $text $size $short $long $event $where $ones $returned $literal
                (local.get $kind)))
            (return (i64.extend_i32_u (call $byte))))
            (return (i64.extend_i32_u (call $two))))
            (return (i64.extend_i32_u (call $four))))
            (return (call $eight)))
            (return (call $bytes)))
            (return (global.get $length)))
            (return (i64.extend_i32_u (i32.load (call $earlier)))))
            (return (i64.load (call $earlier))))
            (return (i64.load (i32.add (global.get $event) (call $byte)))))
            (return (i64.extend_i32_u (call $earlier))))
            (return (i64.const -1)))
            (return (global.get $last)))
        (i64.extend_i32_u (i32.sub (local.get $kind) (i32.const 12))))
    ;; What is no function. Whether the script goes on.
    (func $special (param $which i32) (result i32) (local $count i32)
        (block $flood (block $again (block $grow (block $spin (block $trap (block $wild (block $answer (block $end
            (br_table $end $answer $wild $trap $spin $grow $again $flood
                (i32.and (local.get $which) (i32.const 7))))
            (return (i32.const 0)))
            ;; An answer out of the script, where it is aligned.
            (drop (call $bytes))
            (memory.fill (i32.const 4096) (i32.const 0) (i32.const 512))
            (memory.copy (i32.const 4096) (i32.sub (global.get $pc) (i32.wrap_i64 (global.get $length)))
                (i32.wrap_i64 (global.get $length)))
            (global.set $answer (i32.const 4096))
            (return (i32.const 0)))
            (global.set $answer (i32.wrap_i64 (call $argument)))
            (return (i32.const 0)))
            unreachable)
            (local.set $count (i32.shl (call $byte) (i32.const 10)))
            (loop $more
                (local.set $count (i32.sub (local.get $count) (i32.const 1)))
                (br_if $more (i32.gt_s (local.get $count) (i32.const 0))))
            (return (i32.const 1)))
            (drop (memory.grow (call $byte)))
            (return (i32.const 1)))
            ;; From the beginning, some times.
            (global.set $again (i32.add (global.get $again) (i32.const 1)))
            (if (i32.lt_u (global.get $again) (i32.const 20)) (then (global.set $pc (i32.const 65536))))
            (return (i32.const 1)))
        ;; The next step, some times.
        (local.set $count (i32.const 0))
        (call $many (call $byte))
        (i32.const 1))
    (func $many (param $times i32) (local $from i32)
        (local.set $from (global.get $pc))
        (loop $more
            (global.set $pc (local.get $from))
            (drop (call $step))
            (local.set $times (i32.sub (local.get $times) (i32.const 1)))
            (br_if $more (i32.gt_s (local.get $times) (i32.const 0)))))
    ;; Whether there is another one.
    (func $step (result i32) (local $op i32)
        (if (i32.ge_u (global.get $pc) (global.get $end)) (then (return (i32.const 0))))
        (local.set $op (call $two))
        (global.set $wild (i32.shr_u (local.get $op) (i32.const 15)))
        (if (call $call (i32.and (local.get $op) (i32.const 1023))) (then (return (i32.const 1))))
        (call $special (local.get $op)))
    ;; Brings the address of an answer.
    (func $run (result i32)
        (global.set $answer (i32.const 1024))
        (block $done (loop $more (br_if $done (i32.eqz (call $step))) (br $more)))
        (global.set $heap (i32.const 131072))
        (global.get $answer))
    (func $load (param $at i32) (param $length i32)
        (if (i32.gt_u (local.get $length) (i32.const 60000)) (then (local.set $length (i32.const 60000))))
        (memory.copy (i32.const 65536) (local.get $at) (local.get $length))
        (global.set $pc (i32.const 65536))
        (global.set $end (i32.add (i32.const 65536) (local.get $length))))
    ;; For exports that run of the script only what is marked as theirs.
    (func $marked (result i32)
        (if (i32.ne (i32.load8_u (global.get $pc)) (i32.const 0xee)) (then (return (i32.const 1024))))
        (drop (call $byte))
        (call $run))
"#;

const SERVER: &str = r#"
    (func (export "skep:process/behaviour@0.1.0#describe") (result i32) (i32.const 2048))
    (func (export "skep:process/behaviour@0.1.0#init") (param i32 i32 i32) (result i32)
        (call $load (local.get 1) (local.get 2))
        (call $run))
    (func (export "skep:process/behaviour@0.1.0#handle") (param i32) (result i32)
        (global.set $event (local.get 0))
        (call $run))
    (func (export "skep:process/behaviour@0.1.0#save") (param i32 i32) (result i32) (local $answer i32)
        (local.set $answer (call $marked))
        (if (i32.ne (local.get $answer) (i32.const 1024)) (then (return (local.get $answer))))
        (memory.fill (i32.const 6144) (i32.const 0) (i32.const 64))
        (i32.store (i32.const 6156) (global.get $pc))
        (i32.store (i32.const 6160) (i32.sub (global.get $end) (global.get $pc)))
        (i32.const 6144))
    (func (export "skep:process/behaviour@0.1.0#restore")
        (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
        (call $load (local.get 2) (local.get 3))
        (call $marked))
    (func (export "skep:process/behaviour@0.1.0#terminate")
        (param i32 i32 i32 i32 i32 i32 i32) (result i32)
        (call $marked))
"#;

const TASK: &str = r#"
    (func (export "skep:process/entry@0.1.0#run") (param i32 i32 i32) (result i32)
        (call $load (local.get 1) (local.get 2))
        (call $run))
"#;
