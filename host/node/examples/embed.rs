//! Skep as a library: processes in WebAssembly from a Rust program.
//!
//! `cargo run --example embed -- examples-wasm/counter/counter.toml counter.wasm`, with the component that
//! `skep build examples-wasm/counter` leaves.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use skep_runtime::kernel::{Address, Body, Event, ExitReason};
use skep_runtime::observe::{Observer, Report};
use skep_runtime::spec::{AppSpec, ModuleSpec, ProcessSpec};
use skep_runtime::telemetry::{Event as Happened, Kind, Told};
use skep_runtime::{Runtime, RuntimeConfig};

/// As long as anything here should take.
const SOON: Option<Duration> = Some(Duration::from_secs(10));

/// Prints what is reported. A program with a log of its own would write into that.
struct Printer;

impl Observer for Printer {
    fn report(&self, report: Report) {
        match report {
            Report::Log { subject, message, .. } => println!("{}: {message:?}", subject.pid),
            Report::Crash { reason, about, .. } => println!("{} crashed: {:?}", about.path, reason.to_string()),
            Report::Restart { child, restarts, .. } => println!("{child} restarted, number {restarts}"),
            Report::GaveUp { child, .. } => println!("gave up on {child}"),
        }
    }
}

/// From code alone: spawn, call, monitor, be told of an end.
pub async fn from_a_module(component: &[u8]) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new(RuntimeConfig::default(), Arc::new(Printer))?;
    let counter = runtime.engine().load("counter", component)?;
    runtime.start_app(AppSpec::new("shop").module(ModuleSpec::new("counter", counter))).await?;

    // Who comes and goes can be followed, as far as one takes it: what does not fit into the queue is counted.
    let mut ends = runtime.subscribe(&[Kind::Exit], 100);

    // This program is a process among the others. It traps exits: the end of those it is linked to is a message.
    let mut me = runtime.client("shop")?;
    let args = Body::Json("40".into());
    let till = me.spawn_link(ProcessSpec::new("counter").args(args.clone()).named("till")).await?;
    let (store, mark) = me.spawn_monitor(ProcessSpec::new("counter").args(args)).await?;

    let add = |n: i64| Body::Json(format!("{{\"Add\":{n}}}"));
    assert_eq!(me.call(Address::from("till"), add(2), SOON).await?, Body::Json("42".into()));
    assert_eq!(me.call(store, add(-40), SOON).await?, Body::Json("0".into()));

    // What it does not understand is the end of it, and of nobody else.
    me.cast(till, Body::Text("nonsense".into()));
    match me.receive(Duration::from_secs(10)).await {
        Some(Event::Exit { pid, reason: ExitReason::Failed(why) }) if pid == till => println!("the till: {why}"),
        other => return Err(format!("not the end of the till: {other:?}").into()),
    }
    me.exit(store, ExitReason::Shutdown(None));
    match me.receive(Duration::from_secs(10)).await {
        Some(Event::Down { mark: of, reason, .. }) if of == mark => assert_eq!(reason, ExitReason::Shutdown(None)),
        other => return Err(format!("not the end of the store: {other:?}").into()),
    }
    for gone in [till, store] {
        match tokio::time::timeout(Duration::from_secs(10), ends.next()).await? {
            Some(Told::Event(Happened::Exit { subject, lived, .. })) if subject.pid == gone => {
                println!("{gone} lived for {lived:?}");
            }
            other => return Err(format!("not the end of {gone}: {other:?}").into()),
        }
    }
    let seen = runtime.metrics();
    println!("{} started, {} ended, {} events found the instance there", seen.spawns, seen.exits, seen.hits);
    drop(me);
    runtime.shutdown().await;
    Ok(())
}

/// From a manifest, with everything that it says: supervisors, restarts, names, limits, grants.
pub async fn from_a_manifest(manifest: &Path, home: &Path) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new(RuntimeConfig::default(), Arc::new(Printer))?;
    let engine = runtime.engine().clone();
    // No process may be granted what lies in `home`.
    let manifest = skep::manifest::Manifest::read(manifest, home)?;
    let app = manifest.name.clone();
    let loading =
        tokio::task::spawn_blocking(move || skep::node::deploy::app(manifest, &engine, &mut skep::build::Quiet));
    let spec = loading.await??;
    runtime.start_app(spec).await?;

    let name = Address::from("counter");
    let reply = runtime.call(&app, name.clone(), Body::Json("\"Get\"".into()), SOON).await?;
    println!("the counter is at {reply:?}");

    // It is restarted, from the beginning.
    let before = runtime.whereis(&app, "counter").ok_or("nobody is called counter")?;
    let mut me = runtime.client(&app)?;
    let mark = me.monitor(before)?;
    runtime.kill(before);
    let down = me.receive(Duration::from_secs(10)).await;
    assert!(matches!(&down, Some(Event::Down { mark: of, reason: ExitReason::Killed, .. }) if *of == mark), "{down:?}");
    drop(me);
    runtime.stop_app(&app).await?;
    runtime.shutdown().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [manifest, component] = &arguments[..] else { return Err("embed MANIFEST COMPONENT".into()) };
    from_a_module(&std::fs::read(component)?).await?;
    from_a_manifest(Path::new(manifest), &std::env::temp_dir().join("skep-embed")).await
}
