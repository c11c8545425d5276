//! What a component exports, found once, type-checked once, and then called as Rust functions.
//!
//! Owns the signatures of `behaviour` and `entry`. To compare an export with its signature takes a tenth of a wake, and the
//! answer is the same for each instance of a component: so the bindings that wasmtime generates, which compare whenever they
//! are loaded, are not used here. Called by `module` when a component is linked and when an instance is made.

use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Func, Lift, Lower, TypedFunc};
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Result, Store};

use super::context::Context;
use crate::api::bindings::types::{Body, Cause, Event, ExitReason, Outcome, Shape, Start, State};

const BEHAVIOUR: &str = "skep:process/behaviour@0.1.0";
const ENTRY: &str = "skep:process/entry@0.1.0";

/// The parameters and results of each export. What [`Server::check`] and [`Task::check`] compare is what the calls use.
mod signature {
    use super::{Body, Cause, Event, ExitReason, Outcome, Shape, Start, State};

    pub(super) type Answer<T> = (Result<T, String>,);
    pub(super) type Describe = ((), (Shape,));
    pub(super) type Init<'a> = ((&'a Body,), Answer<Start>);
    pub(super) type Handle<'a> = ((&'a Event, u32), Answer<Outcome>);
    pub(super) type Save = ((Option<u32>,), Answer<State>);
    pub(super) type Restore<'a> = ((&'a State, &'a Cause), Answer<()>);
    pub(super) type Terminate<'a> = ((&'a ExitReason,), Answer<()>);
    pub(super) type Run<'a> = ((&'a Body,), Answer<Body>);
}

/// An export is missing, or of another type.
#[derive(Debug, thiserror::Error)]
#[error("its export `{interface}.{function}` {why}")]
pub(super) struct Unfit {
    interface: &'static str,
    function: &'static str,
    why: String,
}

/// The exports of a server: as places in its component (`F` is [`ComponentExportIndex`]) or as functions of an instance.
pub(crate) struct Server<F = Func> {
    describe: F,
    init: F,
    handle: F,
    save: F,
    restore: F,
    terminate: F,
}

/// The export of a task, likewise.
pub(crate) struct Task<F = Func> {
    run: F,
}

impl Server<ComponentExportIndex> {
    pub(super) fn find(component: &InstancePre<Context>) -> Result<Self> {
        let find = |function| find(component, BEHAVIOUR, function);
        Ok(Server {
            describe: find("describe")?,
            init: find("init")?,
            handle: find("handle")?,
            save: find("save")?,
            restore: find("restore")?,
            terminate: find("terminate")?,
        })
    }

    pub(super) fn of(&self, instance: &Instance, store: &mut Store<Context>) -> Result<Server> {
        let mut of = |place, function| function_at(instance, store, place, BEHAVIOUR, function);
        Ok(Server {
            describe: of(&self.describe, "describe")?,
            init: of(&self.init, "init")?,
            handle: of(&self.handle, "handle")?,
            save: of(&self.save, "save")?,
            restore: of(&self.restore, "restore")?,
            terminate: of(&self.terminate, "terminate")?,
        })
    }
}

impl Server {
    /// Whether each is of the type that it is called with.
    pub(super) fn check(&self, store: &Store<Context>) -> Result<()> {
        check::<signature::Describe>(self.describe, store, BEHAVIOUR, "describe")?;
        check::<signature::Init<'_>>(self.init, store, BEHAVIOUR, "init")?;
        check::<signature::Handle<'_>>(self.handle, store, BEHAVIOUR, "handle")?;
        check::<signature::Save>(self.save, store, BEHAVIOUR, "save")?;
        check::<signature::Restore<'_>>(self.restore, store, BEHAVIOUR, "restore")?;
        check::<signature::Terminate<'_>>(self.terminate, store, BEHAVIOUR, "terminate")
    }

    pub(super) async fn describe(&self, store: &mut Store<Context>) -> Result<Shape> {
        Ok(as_checked::<signature::Describe>(self.describe).call_async(store, ()).await?.0)
    }

    pub(super) async fn init(&self, store: &mut Store<Context>, args: &Body) -> Result<Result<Start, String>> {
        Ok(as_checked::<signature::Init<'_>>(self.init).call_async(store, (args,)).await?.0)
    }

    pub(super) async fn handle(
        &self,
        store: &mut Store<Context>,
        event: &Event,
        waiting: u32,
    ) -> Result<Result<Outcome, String>> {
        Ok(as_checked::<signature::Handle<'_>>(self.handle).call_async(store, (event, waiting)).await?.0)
    }

    pub(super) async fn save(&self, store: &mut Store<Context>, target: Option<u32>) -> Result<Result<State, String>> {
        Ok(as_checked::<signature::Save>(self.save).call_async(store, (target,)).await?.0)
    }

    pub(super) async fn restore(
        &self,
        store: &mut Store<Context>,
        state: &State,
        cause: &Cause,
    ) -> Result<Result<(), String>> {
        Ok(as_checked::<signature::Restore<'_>>(self.restore).call_async(store, (state, cause)).await?.0)
    }

    pub(super) async fn terminate(
        &self,
        store: &mut Store<Context>,
        reason: &ExitReason,
    ) -> Result<Result<(), String>> {
        Ok(as_checked::<signature::Terminate<'_>>(self.terminate).call_async(store, (reason,)).await?.0)
    }
}

impl Task<ComponentExportIndex> {
    pub(super) fn find(component: &InstancePre<Context>) -> Result<Self> {
        Ok(Task { run: find(component, ENTRY, "run")? })
    }

    pub(super) fn of(&self, instance: &Instance, store: &mut Store<Context>) -> Result<Task> {
        Ok(Task { run: function_at(instance, store, &self.run, ENTRY, "run")? })
    }
}

impl Task {
    /// Whether it is of the type that it is called with.
    pub(super) fn check(&self, store: &Store<Context>) -> Result<()> {
        check::<signature::Run<'_>>(self.run, store, ENTRY, "run")
    }

    pub(super) async fn run(&self, store: &mut Store<Context>, args: &Body) -> Result<Result<Body, String>> {
        Ok(as_checked::<signature::Run<'_>>(self.run).call_async(store, (args,)).await?.0)
    }
}

/// What a signature is made of.
trait Signature {
    type Parameters: ComponentNamedList + Lower;
    type Results: ComponentNamedList + Lift;
}

impl<P: ComponentNamedList + Lower, R: ComponentNamedList + Lift> Signature for (P, R) {
    type Parameters = P;
    type Results = R;
}

fn unfit(interface: &'static str, function: &'static str, why: impl ToString) -> wasmtime::Error {
    Unfit { interface, function, why: why.to_string() }.into()
}

fn find(
    component: &InstancePre<Context>,
    interface: &'static str,
    function: &'static str,
) -> Result<ComponentExportIndex> {
    let component = component.component();
    let exports = component.get_export_index(None, interface);
    let place = exports.and_then(|exports| component.get_export_index(Some(&exports), function));
    place.ok_or_else(|| unfit(interface, function, "is missing"))
}

fn function_at(
    instance: &Instance,
    store: &mut Store<Context>,
    place: &ComponentExportIndex,
    interface: &'static str,
    function: &'static str,
) -> Result<Func> {
    instance.get_func(store, place).ok_or_else(|| unfit(interface, function, "is no function"))
}

fn check<S: Signature>(
    func: Func,
    store: &Store<Context>,
    interface: &'static str,
    function: &'static str,
) -> Result<()> {
    match func.typed::<S::Parameters, S::Results>(store) {
        Ok(_) => Ok(()),
        Err(error) => Err(unfit(interface, function, format!("is of another type: {error:#}"))),
    }
}

/// A function that was checked, in this instance of its component or in an earlier one.
fn as_checked<S: Signature>(func: Func) -> TypedFunc<S::Parameters, S::Results> {
    #[allow(unsafe_code, reason = "wasmtime compares the types at each instance, for a tenth of a wake")]
    // SAFETY: only `Server` and `Task` call this, for functions that `of` found in an instance of a component of which
    // `module` has had one instance checked before it gives any of them away. The type of an export belongs to the component.
    // That the signature is the one which was checked is plain from `check` and the calls, side by side above.
    unsafe {
        TypedFunc::new_unchecked(func)
    }
}
