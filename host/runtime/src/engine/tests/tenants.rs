//! One after the other in the same place: nothing of one guest's memory or tables reaches the next.

use skep_kernel::Limits;

use super::guest::{Server, ZEROS};
use super::recorder::Recorder;
use super::{cast, engine_with, poll_once, ready};
use crate::engine::{Class, Engine, EngineConfig, Module};
use crate::spec::Grants;

/// Pages that a guest grows to: as many as a small one may have, but the few that are its own from the start.
const PAGES: u32 = 60;
/// Guests of each kind. The pool has a handful of places, and which of them somebody gets is its business.
const MANY: u32 = 16;
const TABLE: &str = "(table $t 1000 funcref) (elem declare func $handle)";

fn engine() -> Engine {
    engine_with(EngineConfig { slots: Some(1), ..EngineConfig::default() })
}

fn limits(class: Class) -> Limits {
    let memory_bytes = match class {
        Class::Small => 4 << 20,
        Class::Large => 8 << 20,
    };
    Limits { memory_bytes, ..Limits::default() }
}

/// Leaves its mark in all memory and in its table, and ends as told.
fn tenant(engine: &Engine, number: u32, end: &str) -> Module {
    let guest = Server {
        more: format!("{TABLE} (global i32 (i32.const {number}))"),
        handle: format!(
            "(if (i32.eq (memory.grow (i32.const {PAGES})) (i32.const -1)) (then unreachable))
             (memory.fill (i32.const 65536) (i32.const 0xa5) (i32.const {}))
             (memory.fill (i32.const 2048) (i32.const 0xa5) (i32.const 30000))
             (table.fill $t (i32.const 0) (ref.func $handle) (i32.const 1000))
             {end}",
            PAGES << 16
        ),
        ..Server::default()
    };
    engine.load("tenant", &guest.build()).expect("it loads")
}

/// Traps if there is anything where nobody has put anything.
fn searcher(engine: &Engine, number: u32, more: &str) -> Module {
    let search = |from: u32, to: u32| {
        format!(
            "(local.set $at (i32.const {from}))
             (loop $next
                (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if $next (i32.lt_u (local.get $at) (i32.const {to}))))"
        )
    };
    let guest = Server {
        more: format!("{TABLE} (global i32 (i32.const {number})) {more}"),
        pages: 2,
        handle: format!(
            "(local $at i32)
             (if (i32.eq (memory.grow (i32.const {PAGES})) (i32.const -1)) (then unreachable))
             {} {}
             (local.set $at (i32.const 0))
             (loop $next
                (if (i32.eqz (ref.is_null (table.get $t (local.get $at)))) (then unreachable))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $at) (i32.const 1000))))
             {ZEROS}",
            search(2048, 32_048),
            search(65_536, (PAGES + 1) << 16),
        ),
        ..Server::default()
    };
    engine.load("searcher", &guest.build()).expect("it loads")
}

#[test]
fn nothing_of_one_guest_reaches_the_next_in_its_place() {
    let engine = engine();
    for class in [Class::Small, Class::Large] {
        let make = |module: &Module| {
            let made = ready(module.instantiate(Recorder::new(), &limits(class), &Grants::default()));
            let instance = made.expect("there is a place");
            assert_eq!(instance.class(), class);
            instance
        };
        // In order, by a trap, and killed in the middle.
        for end in [ZEROS, "unreachable", "(loop (br 0)) unreachable"] {
            for number in 0..MANY {
                let mut instance = make(&tenant(&engine, number, end));
                let mut call = Box::pin(async move { instance.handle(cast(), false).await });
                let _ = poll_once(call.as_mut());
            }
            for number in 0..MANY {
                let found = ready(make(&searcher(&engine, number, "")).handle(cast(), false));
                found.unwrap_or_else(|failure| panic!("something was left in {class:?}: {}", failure.reason));
            }
        }
    }
}

#[test]
fn who_searches_finds_what_is_there() {
    // Or the test above would pass whatever there was.
    let engine = engine();
    for place in [2048, 32_040, 65_536, 70_000] {
        let module = searcher(&engine, 0, &format!("(data (i32.const {place}) \"x\")"));
        let made = ready(module.instantiate(Recorder::new(), &limits(Class::Small), &Grants::default()));
        let mut instance = made.expect("there is a place");
        ready(instance.handle(cast(), false)).expect_err("it finds what it came with");
    }
}
