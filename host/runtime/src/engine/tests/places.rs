//! Places in a class, and turns on a thread.

use std::pin::pin;

use skep_kernel::Limits;

use super::calls::{CAST, IMPORT_CAST};
use super::guest::Server;
use super::recorder::Recorder;
use super::{cast, engine_with, live, poll_once, ready};
use crate::engine::{Class, EngineConfig, InstantiateError, Usage};
use crate::spec::Grants;

#[test]
fn a_full_class_says_so_until_an_instance_goes() {
    let engine = engine_with(EngineConfig { slots: Some(1), ..EngineConfig::default() });
    let spinning = Server { handle: "(loop (br 0)) unreachable".into(), ..Server::default() };
    let module = engine.load("guest", &spinning.build()).expect("it loads");
    let make = || ready(module.instantiate(Recorder::new(), &Limits::default(), &Grants::default()));
    for _ in 0..5 {
        let mut instance = make().expect("there is a place");
        assert!(matches!(make(), Err(InstantiateError::Full)));
        assert_eq!(engine.usage(Class::Small), Usage { live: 1, limit: 1 });
        // Killed in the middle of a call.
        let mut call = Box::pin(async move { instance.handle(cast(), false).await });
        assert!(poll_once(call.as_mut()).is_pending());
    }
    engine.load("another", &spinning.build()).expect("a trial needs no place");
}

#[test]
fn a_loop_of_host_calls_gives_way_too() {
    let guest =
        Server { more: IMPORT_CAST.into(), handle: format!("(loop {CAST} (br 0)) unreachable"), ..Server::default() };
    let (mut instance, recorder) = live(&guest.build(), &Limits::default());
    let mut call = pin!(instance.handle(cast(), false));
    for _ in 0..3 {
        assert!(poll_once(call.as_mut()).is_pending());
        let casts = recorder.take().len();
        assert!((1..1_000).contains(&casts), "{casts} casts in one turn");
    }
}

#[test]
fn many_short_messages_give_way_too() {
    let (mut instance, _) = live(&Server::default().build(), &Limits::default());
    let mut turns = 0;
    for _ in 0..200_000 {
        let mut call = pin!(instance.handle(cast(), false));
        while poll_once(call.as_mut()).is_pending() {
            turns += 1;
        }
        if turns > 2 {
            return;
        }
    }
    panic!("never gave way");
}
