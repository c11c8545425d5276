//! Host calls that a guest makes without end: none is free, none holds up others, none reaches the end of the host's stack,
//! and what they leave behind is bounded.

use std::path::Path;
use std::pin::pin;

use skep_kernel::{ExitReason, Limits};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, Resolve, WorldItem};

use super::guest::{Server, ZEROS, task};
use super::{cast, live, poll_once, ready};
use crate::engine::fuel::{CALL, SLICE};
use crate::engine::{Failure, Instance};

/// How often a guest calls.
const CALLS: u64 = 100;
/// Turns after which a guest waits for something that does not come.
const TURNS: usize = 10_000;

/// A function that a guest may import.
struct Import {
    interface: String,
    name: String,
    params: Vec<WasmType>,
    results: Vec<WasmType>,
    /// Whether the last parameter is where the answer goes.
    answers_in_memory: bool,
}

/// All functions that a world imports.
fn imports(world: &str) -> Vec<Import> {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&wit).expect("the contract can be read");
    let world = resolve.select_world(&[package], Some(world)).expect("the world is there");
    let interfaces = resolve.worlds[world].imports.values().filter_map(|item| match item {
        WorldItem::Interface { id, .. } => Some(*id),
        WorldItem::Function(_) | WorldItem::Type { .. } => None,
    });
    let functions = interfaces.flat_map(|id| {
        let name = resolve.id_of(id).expect("it has a name");
        resolve.interfaces[id].functions.values().map(move |function| (name.clone(), function))
    });
    functions.map(|(interface, function)| import(&resolve, interface, function)).collect()
}

fn import(resolve: &Resolve, interface: String, function: &Function) -> Import {
    let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
    Import {
        interface,
        name: function.name.clone(),
        params: signature.params,
        results: signature.results,
        answers_in_memory: signature.retptr,
    }
}

fn word(kind: &WasmType) -> &'static str {
    match kind {
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
    }
}

impl Import {
    fn text(&self) -> String {
        let words = |kinds: &[WasmType]| kinds.iter().map(word).collect::<Vec<_>>().join(" ");
        let (params, results) = (words(&self.params), words(&self.results));
        format!(r#"(import "{}" "{}" (func $call (param {params}) (result {results})))"#, self.interface, self.name)
    }

    /// One call, with zeros: the first case of each variant, empty texts and lists, pids that nobody has.
    fn call(&self) -> String {
        let last = self.params.len().wrapping_sub(1);
        let argument = |(place, kind)| match self.answers_in_memory && place == last {
            true => "(i32.const 2048)".to_owned(),
            false => format!("({}.const 0)", word(kind)),
        };
        let arguments: Vec<String> = self.params.iter().enumerate().map(argument).collect();
        format!("(call $call {}) {}", arguments.join(" "), "drop ".repeat(self.results.len()))
    }
}

fn repeated(call: &str, times: u64) -> String {
    format!(
        "(local $n i32)
         (loop {call} (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $n) (i32.const {times}))))"
    )
}

/// What became of a guest that calls again and again, and what fuel it has used.
fn lived(
    guest: &[u8],
    run: impl AsyncFnOnce(&mut Instance) -> Result<(), Failure>,
) -> (Option<Result<(), Failure>>, u64) {
    let (mut instance, _) = live(guest, &Limits::default());
    let outcome = {
        let mut running = pin!(run(&mut instance));
        (0..TURNS).find_map(|_| match poll_once(running.as_mut()) {
            std::task::Poll::Ready(outcome) => Some(outcome),
            std::task::Poll::Pending => None,
        })
    };
    (outcome, instance.fuel_used())
}

async fn handle(instance: &mut Instance) -> Result<(), Failure> {
    instance.handle(cast(), false).await.map(|_| ())
}

#[test]
fn every_import_of_the_contract_costs_fuel() {
    let (mut paid, mut ended, mut waits) = (0, Vec::new(), Vec::new());
    for import in imports("process") {
        let guest = Server {
            more: import.text(),
            handle: format!("{} {ZEROS}", repeated(&import.call(), CALLS)),
            ..Server::default()
        };
        match lived(&guest.build(), handle) {
            (Some(Ok(())), fuel) => {
                assert!(fuel >= CALLS * CALL, "{}: {CALLS} calls cost {fuel}", import.name);
                paid += 1;
            }
            (Some(Err(failure)), _) => ended.push((import.name, failure.reason)),
            (None, _) => waits.push(import.name),
        }
    }
    println!("{paid} are paid for; ended: {ended:?}; wait: {waits:?}");
    for (name, reason) in &ended {
        let text = reason.to_string();
        assert!(!text.contains("host"), "{name} ends with {text}");
    }
    // What stays are those that wait for others, and those that a guest of this kind ends with.
    assert!(paid >= 50 && waits.len() <= 12, "{paid} are paid for");
}

#[test]
fn every_import_of_a_task_costs_fuel_too() {
    let mut paid = 0;
    for import in imports("task") {
        let run = format!("{} {ZEROS}", repeated(&import.call(), CALLS));
        let guest = task(&import.text(), &run);
        let run = async |instance: &mut Instance| instance.run(skep_kernel::Body::Raw(Vec::new())).await.map(|_| ());
        if let (Some(Ok(())), fuel) = lived(&guest, run) {
            assert!(fuel >= CALLS * CALL, "{}: {CALLS} calls cost {fuel}", import.name);
            paid += 1;
        }
    }
    assert!(paid >= 50, "{paid} are paid for");
}

#[test]
fn every_import_can_be_called_from_the_bottom_of_the_stack() {
    // As much as a guest may have is on the stack already; what the host needs lies beyond. Without that the test does not
    // fail: it dies.
    let mut deep = 0;
    for import in imports("process") {
        let guest = Server {
            more: format!("{} (func $deeper {} (call $deeper) (call $deeper))", import.text(), import.call()),
            handle: format!("(call $deeper) {ZEROS}"),
            ..Server::default()
        };
        if let (Some(Err(failure)), _) = lived(&guest.build(), handle) {
            deep += usize::from(failure.reason == ExitReason::limit("stack"));
        }
    }
    assert!(deep >= 60, "{deep} were called to the end of the stack");
}

/// A program that subscribes to a clock so often, and lets go of nothing: two resources each.
fn hoarder(many: u32) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
            (alias export $poll "pollable" (type $pollable))
            (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
                (alias outer 1 $pollable (type $p))
                (export "pollable" (type $same (eq $p)))
                (export "subscribe-duration" (func (param "when" u64) (result (own $same))))))
            (core func $subscribe (canon lower (func $clock "subscribe-duration")))
            (core module $m
                (import "clock" "subscribe" (func $subscribe (param i64) (result i32)))
                (func (export "run") (result i32) (local $n i32)
                    (loop (drop (call $subscribe (i64.const 0)))
                        (local.set $n (i32.add (local.get $n) (i32.const 1)))
                        (br_if 0 (i32.lt_u (local.get $n) (i32.const {many}))))
                    (i32.const 0)))
            (core instance $i (instantiate $m (with "clock" (instance (export "subscribe" (func $subscribe))))))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $exported (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $exported)))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn what_an_instance_holds_of_wasi_is_bounded() {
    let ended = |many| {
        let (mut instance, _) = live(&hoarder(many), &Limits::default());
        ready(instance.command()).map_err(|failure| failure.reason)
    };
    assert_eq!(ended(500), Ok(()));
    let reason = ended(520).expect_err("it holds too many").to_string();
    assert!(reason.contains("resource"), "{reason}");
}

/// Functions of WASI's first preview, each made to do much.
const WASI: &str = r#"
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))"#;

/// Subscriptions, 48 bytes each, all to the monotonic clock and for no time at all.
fn clocks(many: usize) -> String {
    let one = format!("{}\\01{}", "\\00".repeat(16), "\\00".repeat(31));
    format!("{WASI} (data (i32.const 16384) \"{}\")", one.repeat(many))
}

/// Waits for so many of them.
fn poll(many: usize) -> String {
    format!(
        "(if (call $poll (i32.const 16384) (i32.const 65536) (i32.const {many}) (i32.const 2048)) (then unreachable))"
    )
}

#[test]
fn what_a_guest_makes_wasi_do_is_paid_for() {
    for (what, call, least) in [
        ("the time", "(drop (call $clock (i32.const 0) (i64.const 0) (i32.const 2048)))", CALL),
        ("random bytes", "(drop (call $random (i32.const 4096) (i32.const 10000)))", 10_000 * 50),
        ("200 clocks", &poll(200), 200 * 3 * CALL),
    ] {
        let cost = |times| {
            let guest = Server {
                more: clocks(200),
                pages: 16,
                handle: format!("{} {ZEROS}", repeated(call, times)),
                ..Server::default()
            };
            let (outcome, fuel) = lived(&guest.build(), handle);
            assert!(matches!(outcome, Some(Ok(()))), "{what}: {outcome:?}");
            fuel
        };
        let (few, many) = (cost(1), cost(11));
        assert!(many - few >= 10 * least, "{what}: ten more cost {}", many - few);
    }
}

#[test]
fn a_loop_of_large_requests_to_wasi_gives_way() {
    for call in ["(drop (call $random (i32.const 4096) (i32.const 10000)))", &poll(200)] {
        let guest = Server {
            more: clocks(200),
            pages: 16,
            handle: format!("(loop {call} (br 0)) unreachable"),
            ..Server::default()
        };
        let limits = Limits { fuel_per_message: 100 * SLICE, ..Limits::default() };
        let (mut instance, _) = live(&guest.build(), &limits);
        let mut turns = 0;
        let outcome = {
            let mut call = pin!(instance.handle(cast(), false));
            loop {
                match poll_once(call.as_mut()) {
                    std::task::Poll::Ready(outcome) => break outcome.map(|_| ()),
                    std::task::Poll::Pending => turns += 1,
                }
            }
        };
        assert_eq!(outcome.map_err(|failure| failure.reason), Err(ExitReason::limit("fuel")));
        assert!(turns >= 30, "{turns} turns for a hundred slices: {call}");
    }
}
