//! The engine with guests written as text, each doing one thing that a guest may do or had better not.

mod calls;
mod commands;
mod ends;
mod folders;
mod guest;
mod hostcalls;
mod loading;
mod outside;
mod places;
#[allow(dead_code, reason = "the whole-system tests use the rest")]
mod program;
mod recorder;
mod running;
mod script;
mod tenants;
mod wasi;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use skep_kernel::{Body, Event, ExitReason, Fault, Limits};

use super::{Engine, EngineConfig, Failure, Instance, LoadError, Module};
use crate::spec::Grants;
use recorder::Recorder;

/// An engine with few places: reserving many takes time.
fn engine() -> Engine {
    engine_with(EngineConfig::default())
}

fn engine_with(config: EngineConfig) -> Engine {
    let slots = config.slots.or(Some(4));
    Engine::new(EngineConfig { slots, large_slots: 1, ..config }).expect("this machine has room for four")
}

fn load(guest: &[u8]) -> Result<Module, LoadError> {
    engine().load("guest", guest)
}

/// A live instance of a guest, and what it asks for.
fn live(guest: &[u8], limits: &Limits) -> (Instance, Arc<Recorder>) {
    let recorder = Recorder::new();
    let module = load(guest).expect("it loads");
    let instance = ready(module.instantiate(recorder.clone(), limits, &Grants::default())).expect("it starts");
    (instance, recorder)
}

/// What becomes of one `handle` of a guest.
fn handled(guest: &guest::Server, limits: &Limits) -> (Result<(), Failure>, Vec<String>) {
    let (mut instance, recorder) = live(&guest.build(), limits);
    let outcome = ready(instance.handle(cast(), false)).map(|_| ());
    drop(instance); // Logs what there is of a last line.
    (outcome, recorder.take())
}

fn cast() -> Event {
    Event::Cast(Body::Text("hello".into()))
}

/// Polls until it is ready: nothing here waits for anything but its turn.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(value) = poll_once(future.as_mut()) {
            return value;
        }
    }
}

fn poll_once<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// The fault in a reason that must be a trap.
fn fault(reason: &ExitReason) -> &Fault {
    match reason {
        ExitReason::Trap(fault) => fault,
        other => panic!("not a trap: {other}"),
    }
}
