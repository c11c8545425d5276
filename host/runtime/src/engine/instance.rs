//! One Wasm incarnation of a process: its exports as Rust functions.
//!
//! Owns the store and the place in its class, and gives each call its phase and its fuel. Never knows what the process
//! is waiting for. Driven by the shell, in one future for each process; dropping it half-way is a kill.

use std::sync::Arc;

use skep_kernel::budget::{Charge, Exceeded, Resource};
use skep_kernel::{Body, Cause, Event, ExitReason, Form, Limits, Outcome, Start, State};
use wasmtime::{CallHook, PoolConcurrencyLimitError, Store};

use super::budget::Permit;
use super::context::{Context, Phase};
use super::exports::Server;
use super::module::{Exports, Module};
use super::trace::Trace;
use super::wasi::{Program, Wasi};
use super::{Class, Engine, fault, fuel};
use crate::api::bindings::types;
use crate::api::convert::{self, TEXT_BYTES};
use crate::api::text::cut;
use crate::api::{Ended, Syscalls};
use crate::observe::Excerpt;
use crate::spec::Grants;

/// Bytes beyond the body limit that one call may bring out of a guest: names, reasons, the text of an error. A body up
/// to twice the limit is still refused in words; beyond, the process ends.
const HOSTCALL_SLACK: usize = 64 << 10;

/// Why there is no instance.
#[derive(Debug)]
pub enum InstantiateError {
    /// All places of the class are taken (which one, says [`Module::class_for`]): give one back and try again.
    Full,
    /// A budget above the process has no place for an instance, or not the memory that it begins with.
    OverBudget(Exceeded),
    /// The guest, or what was granted to it, is at fault.
    Failed(ExitReason),
}

/// An export did not answer as it should.
#[derive(Debug)]
pub struct Failure {
    /// Why the process ends, or, for `save`, why it refuses.
    pub reason: ExitReason,
    /// Whether the instance can be called again.
    pub instance: Soundness,
    /// Where it trapped, one frame a line, innermost first; empty if it did not. Also for a limit, whose reason has no
    /// place for it.
    pub trace: String,
}

/// What a failure left of the instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Soundness {
    /// It answered with an error, and can be called again.
    Sound,
    /// It trapped: every further call would fail.
    Ruined,
}

impl Failure {
    fn sound(reason: ExitReason) -> Self {
        Failure { reason, instance: Soundness::Sound, trace: String::new() }
    }
}

impl From<Ended> for Failure {
    fn from(Ended(reason): Ended) -> Self {
        Failure::sound(reason)
    }
}

/// A live instance.
pub struct Instance {
    // Dropped before the permit, so that a place that is free can be taken.
    store: Store<Context>,
    exports: Exports,
    class: Class,
    /// The version and the form in which it saves, as its module has described; none for a task.
    saves: Option<(u32, Form)>,
    _permit: Permit,
    /// Its place in the budgets above the process.
    _place: Option<Charge>,
}

impl Module {
    /// Makes an instance for the process behind `syscalls` and runs its start functions, which may not act.
    ///
    /// Compiles, blocking, if the class was not prepared (see [`Module::prepare`]).
    pub async fn instantiate(
        &self,
        syscalls: Arc<dyn Syscalls>,
        limits: &Limits,
        grants: &Grants,
    ) -> Result<Instance, InstantiateError> {
        self.instantiate_in(self.class_for(limits.memory_bytes), syscalls, limits, grants).await
    }

    /// As [`Module::instantiate`], in a class of the caller's choice: a guest of the small class may live in the large one
    /// when the small one is full.
    pub async fn instantiate_in(
        &self,
        class: Class,
        syscalls: Arc<dyn Syscalls>,
        limits: &Limits,
        grants: &Grants,
    ) -> Result<Instance, InstantiateError> {
        let failed = |text: String| InstantiateError::Failed(ExitReason::failed(text));
        let prepared = self.prepared(class).map_err(|error| failed(error.to_string()))?;
        let permit = self.engine().budget(class).take().ok_or(InstantiateError::Full)?;
        let place = syscalls.budget().map(|budget| Charge::take(budget, Resource::Instances, 1));
        let place = place.transpose().map_err(InstantiateError::OverBudget)?;
        let wasi = match self.needs_wasi() {
            true => {
                let program = Program { name: self.name(), is_command: self.is_command() };
                let wasi = Wasi::new(Some(&syscalls), &limits.files, grants, program, self.engine().uplink());
                Some(Box::new(wasi.map_err(|error| failed(error.to_string()))?))
            }
            false => None,
        };
        let mut store = store(self.engine(), class, Context::new(Some(syscalls), limits, wasi));
        let made = match begin(&mut store, Phase::Start, fuel::INSTANTIATE).await {
            Ok(()) => prepared.instantiate(&mut store).await,
            Err(error) => Err(error),
        };
        end(&mut store);
        match made {
            Ok(exports) => {
                let saves = self.shape().map(|shape| (shape.version, shape.writes));
                Ok(Instance { store, exports, class, saves, _permit: permit, _place: place })
            }
            Err(error) if error.is::<PoolConcurrencyLimitError>() => Err(InstantiateError::Full),
            Err(error) => Err(not_made(&error, store.data_mut())),
        }
    }
}

fn not_made(error: &wasmtime::Error, context: &mut Context) -> InstantiateError {
    match context.limiter.take_exceeded() {
        Some(exceeded) => InstantiateError::OverBudget(exceeded),
        None => InstantiateError::Failed(fault::reason(error, context)),
    }
}

/// A store that is ready for its first call.
pub(super) fn store(engine: &Engine, class: Class, context: Context) -> Store<Context> {
    let hostcall_bytes = context.body_bytes.saturating_mul(2).saturating_add(HOSTCALL_SLACK);
    let mut store = Store::new(engine.wasmtime(class), context);
    store.limiter(|context| &mut context.limiter);
    store.set_hostcall_fuel(hostcall_bytes);
    store.fuel_async_yield_interval(Some(fuel::SLICE)).expect("fuel is on, and a slice is not zero");
    // What it costs to look at every crossing in both directions is a twentieth of a message.
    if store.data().wasi.is_some() {
        store.call_hook(|mut store, hook| match hook {
            CallHook::CallingHost => Ok(store.data_mut().meter.pay(fuel::CALL)?),
            CallHook::CallingWasm | CallHook::ReturningFromWasm | CallHook::ReturningFromHost => Ok(()),
        });
    }
    store
}

/// Before an export: gives way if the slice is over, then sets phase and fuel.
pub(super) async fn begin(store: &mut Store<Context>, phase: Phase, budget: u64) -> wasmtime::Result<()> {
    if store.data_mut().meter.slice_is_over() {
        fuel::give_way().await;
    }
    let context = store.data_mut();
    context.phase = phase;
    context.limiter.take_refused();
    context.begin_budget(budget);
    store.set_fuel(budget)
}

/// After an export: settles the account.
fn end(store: &mut Store<Context>) {
    let left = store.get_fuel().expect("fuel is on");
    store.data_mut().end_budget(left);
}

/// The exports of a server. The shell knows the kind of its module.
fn server(exports: &Exports) -> &Server {
    match exports {
        Exports::Server(server) => server,
        Exports::Task(_) | Exports::Command(_) => unreachable!("another process was used as a server"),
    }
}

impl Instance {
    /// Where it lives.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// Fuel used so far, the host's work included.
    #[must_use]
    pub fn fuel_used(&self) -> u64 {
        self.store.data().meter.used()
    }

    /// What it was handed last, as far as a report shows it.
    #[must_use]
    pub fn excerpt(&self) -> Option<Excerpt> {
        self.store.data().handed.excerpt()
    }

    /// It has had nothing to do: its slice begins anew.
    pub fn has_waited(&mut self) {
        self.store.data_mut().meter.waited();
    }

    /// Bytes of linear memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.store.data().limiter.memory_bytes()
    }

    /// Whether it holds open files, sockets or requests, which a saved state would not bring back.
    pub fn holds_files(&mut self) -> bool {
        self.store.data_mut().wasi.as_mut().is_some_and(|wasi| wasi.holds_files())
    }

    /// `init`, with fuel of its own.
    pub async fn init(&mut self, args: Body) -> Result<Start, Failure> {
        self.begin(Phase::Init, fuel::INIT).await?;
        let answer = server(&self.exports).init(&mut self.store, &args.into()).await;
        let start = self.end(answer)?;
        Ok(convert::start(start, self.body_bytes())?)
    }

    /// `handle`, with the fuel of one message, and again as much at each `more`, if the guest may ask for that. Then it stays
    /// inside as long as it only replies: returning and being called again costs more than a message.
    pub async fn handle(&mut self, event: Event, more: bool) -> Result<Outcome, Failure> {
        self.begin(Phase::Handle, self.store.data().fuel_per_message).await?;
        self.store.data_mut().handed.note(&event);
        let event = types::Event::from(event);
        let waiting = if more { u32::MAX } else { 0 };
        let answer = server(&self.exports).handle(&mut self.store, &event, waiting).await;
        let outcome = self.end(answer)?;
        Ok(convert::outcome(outcome, self.body_bytes())?)
    }

    /// `save`, as version `target` wrote it or as this code does. A failure that leaves the instance sound is a refusal.
    pub async fn save(&mut self, target: Option<u32>) -> Result<State, Failure> {
        self.begin(Phase::Save, fuel::SAVE).await?;
        let answer = server(&self.exports).save(&mut self.store, target).await;
        let state = State::from(self.end(answer)?);
        let (length, limit) = (state.body.len(), self.body_bytes());
        if length > limit {
            let text = format!("the state has {length} bytes; {limit} are allowed for a body");
            return Err(Failure::sound(ExitReason::failed(text)));
        }
        self.check_described(&state, target)?;
        Ok(state)
    }

    /// Whether a saved state is what `describe` and the host's wish let one expect: whether other code can take it over is
    /// judged by that alone.
    fn check_described(&self, state: &State, target: Option<u32>) -> Result<(), Failure> {
        let Some((version, form)) = self.saves else { unreachable!("a task was used as a server") };
        let (wanted, saved) = ((target.unwrap_or(version), form), (state.version, state.body.form()));
        if saved == wanted {
            return Ok(());
        }
        let text = format!(
            "it saved version {} in {}, and not, as described, version {} in {}",
            saved.0, saved.1, wanted.0, wanted.1
        );
        Err(Failure::sound(ExitReason::failed(text)))
    }

    /// `restore`, in place of `init`.
    pub async fn restore(&mut self, state: State, cause: Cause) -> Result<(), Failure> {
        self.begin(Phase::Restore, fuel::RESTORE).await?;
        let (state, cause) = (types::State::from(state), types::Cause::from(cause));
        let answer = server(&self.exports).restore(&mut self.store, &state, &cause).await;
        self.end(answer)
    }

    /// `terminate`, on an instance that is sound.
    pub async fn terminate(&mut self, reason: ExitReason) -> Result<(), Failure> {
        self.begin(Phase::Terminate, fuel::TERMINATE).await?;
        let reason = types::ExitReason::from(reason);
        let answer = server(&self.exports).terminate(&mut self.store, &reason).await;
        self.end(answer)
    }

    /// `run`, of a task: with the fuel of one message, and again as much after each `receive`.
    pub async fn run(&mut self, args: Body) -> Result<Body, Failure> {
        self.begin(Phase::Run, self.store.data().fuel_per_message).await?;
        let Exports::Task(task) = &self.exports else { unreachable!("a server was used as a task") };
        let answer = task.run(&mut self.store, &args.into()).await;
        let result = Body::from(self.end(answer)?);
        if result.len() > self.body_bytes() { Err(Failure::sound(ExitReason::limit("body"))) } else { Ok(result) }
    }

    /// `run`, of a command, with the fuel of one message. It answers by its exit status.
    pub async fn command(&mut self) -> Result<(), Failure> {
        self.begin(Phase::Command, self.store.data().fuel_per_message).await?;
        let Exports::Command(command) = &self.exports else { unreachable!("another process was used as a command") };
        let answer = command.wasi_cli_run().call_run(&mut self.store).await;
        self.end(answer.map(|outcome| outcome.map_err(|()| "exit status 1".to_owned())))
    }

    fn body_bytes(&self) -> usize {
        self.store.data().body_bytes
    }

    async fn begin(&mut self, phase: Phase, budget: u64) -> Result<(), Failure> {
        let begun = begin(&mut self.store, phase, budget).await;
        begun.map_err(|error| self.ruined(&error))
    }

    /// Settles the account and understands the answer.
    fn end<T>(&mut self, answer: wasmtime::Result<Result<T, String>>) -> Result<T, Failure> {
        end(&mut self.store);
        match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(text)) => Err(Failure::sound(ExitReason::failed(cut(text, TEXT_BYTES)))),
            Err(error) => Err(self.ruined(&error)),
        }
    }

    fn ruined(&mut self, error: &wasmtime::Error) -> Failure {
        let reason = fault::reason(error, self.store.data_mut());
        let trace = match &reason {
            ExitReason::Trap(fault) => fault.trace.clone(),
            ExitReason::Limit(_) => Trace::of(error).text(),
            _ => String::new(),
        };
        Failure { reason, instance: Soundness::Ruined, trace }
    }
}
