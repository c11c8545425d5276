//! Tries a module out while it is loaded: does it start, and what does it say of its states?
//!
//! Owns the throw-away instance, in which nothing may act, with its own fuel and time. Blocks the thread that loads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use skep_kernel::{ExitReason, Limits, Shape};

use super::context::{Context, Phase};
use super::exports::Unfit;
use super::module::{Exports, LoadError, ModuleKind, Prepared};
use super::wasi::Wasi;
use super::{Class, Engine, fault, fuel, instance};

/// How long a trial may wait for something outside, such as WASI's clock. Its computing is limited by fuel.
const PATIENCE: Duration = Duration::from_secs(10);
/// State versions that a module may say it reads, as many that it steps down to, and as many forms. A list by hand, not a
/// range.
const VERSIONS: usize = 1_000;
/// Memory of a trial in the large class.
const MEMORY_BYTES: usize = 1 << 30;

/// Starts the module once and asks it to describe itself.
pub(super) fn run(
    engine: &Engine,
    class: Class,
    prepared: &Prepared,
    needs_wasi: bool,
) -> Result<ModuleKind, LoadError> {
    let _one_at_a_time = engine.trial();
    let memory_bytes = match class {
        Class::Small => engine.small_memory_bytes(),
        Class::Large => MEMORY_BYTES,
    };
    let limits = Limits { memory_bytes, ..Limits::default() };
    let wasi = needs_wasi.then(|| Box::new(Wasi::denied()));
    let mut store = instance::store(engine, class, Context::new(None, &limits, wasi));
    let outcome = catch_unwind(AssertUnwindSafe(|| block_on(describe(&mut store, prepared), PATIENCE)));
    let phase = store.data().phase.name();
    let failed = |reason| LoadError::Failed { phase, reason };
    match outcome {
        Ok(Some(Ok(Some(shape)))) => match check(&shape) {
            Ok(()) => Ok(ModuleKind::Server(shape)),
            Err(why) => Err(failed(ExitReason::failed(why))),
        },
        Ok(Some(Ok(None))) if prepared.is_command() => Ok(ModuleKind::Command),
        Ok(Some(Ok(None))) => Ok(ModuleKind::Task),
        Ok(Some(Err(error))) => Err(understood(&error, &mut store)),
        Ok(None) => Err(failed(ExitReason::limit("time"))),
        Err(panic) => Err(failed(fault::host_panic(panic.as_ref()))),
    }
}

/// The shape of a server; none for a task.
async fn describe(store: &mut wasmtime::Store<Context>, prepared: &Prepared) -> wasmtime::Result<Option<Shape>> {
    instance::begin(store, Phase::Start, fuel::INSTANTIATE).await?;
    let Exports::Server(server) = prepared.instantiate(store).await? else { return Ok(None) };
    instance::begin(store, Phase::Describe, fuel::DESCRIBE).await?;
    Ok(Some(server.describe(store).await?.into()))
}

/// What a shape must keep to, or no state could be trusted to find a way through the versions.
fn check(shape: &Shape) -> Result<(), String> {
    let Shape { version, accepts, steps_down, writes, reads } = shape;
    if [accepts.len(), steps_down.len(), reads.len()].iter().any(|length| *length > VERSIONS) {
        return Err(format!("it names more than {VERSIONS} versions or forms of its state"));
    }
    if !reads.contains(writes) {
        return Err(format!("it saves its state in {writes}, which it does not read: add that to `reads`"));
    }
    if !accepts.contains(version) {
        return Err(format!("it saves its state as version {version}, which it does not read: add it to `accepts`"));
    }
    match steps_down.iter().find(|down| *down >= version) {
        Some(down) => Err(format!("it names version {down} in `steps-down`, which is not below its own, {version}")),
        None => Ok(()),
    }
}

/// An export of the wrong type shows only when there is an instance; everything else is the guest's own end.
fn understood(error: &wasmtime::Error, store: &mut wasmtime::Store<Context>) -> LoadError {
    if error.is::<Unfit>() {
        return LoadError::Mismatch { message: format!("{error:#}") };
    }
    let context = store.data_mut();
    let phase = context.phase.name();
    LoadError::Failed { phase, reason: fault::reason(error, context) }
}

/// Polls a future on this thread until it is ready or the time is up.
fn block_on<T>(future: impl Future<Output = T>, patience: Duration) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = TaskContext::from_waker(&waker);
    let mut future = pin!(future);
    let end = Instant::now() + patience;
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return Some(value);
        }
        let left = end.checked_duration_since(Instant::now())?;
        std::thread::park_timeout(left);
    }
}
