//! What outlives an instance: the saved form, and in which versions it can be read and written.
//!
//! Owns the envelope around a server's state; the steps from version to version are in `history`. Never acts: while a
//! state is saved, restored or migrated the host refuses every import but the log and `me`. Called by `run` and `slot`.

mod history;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::behaviour::Behaviour;
use crate::codec::{self, Codec, CodecError};
use crate::host::{log, messaging};
use crate::outcome::Failure;
use crate::server::Protocol;
use crate::state_machine::Held;
use crate::types::{Body, Cause, Form, Level, Pid, Shape, State};

pub use history::{Count, Counted, History, Migrate, Oldest, Reversible, Revert, Step, Steps, Zero, steps};

/// The layout of the envelope of a process about which this crate has nothing to remember: marks are in the author's
/// state, idle times and continues with the host.
const ENVELOPE: u32 = 1;
/// The layout of the envelope that also has what this crate holds for a state machine. It counts that part's layouts too:
/// who does not know the number must not take the state over, and lose what is held.
const ENVELOPE_WITH_HELD: u32 = 2;

#[derive(Serialize)]
struct Sealed<'a, T> {
    sdk: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<&'a Held>,
    state: &'a T,
}

#[derive(Deserialize)]
struct WithHeld {
    #[serde(default)]
    held: Option<Held>,
}

#[derive(Deserialize)]
struct Opened<T> {
    sdk: u32,
    state: T,
}

#[derive(Deserialize)]
struct Label {
    sdk: u32,
}

/// What [`Server::save`] returns: the state where it is, or one made for the purpose.
#[derive(Debug)]
pub enum Saved<'a, T> {
    /// A part of the server, or all of it.
    Borrowed(&'a T),
    /// Made for the purpose.
    Owned(T),
}

/// Where a state is restored and migrated: nothing can be sent, spawned or timed from here.
#[derive(Debug)]
pub struct MigrateContext {
    cause: Cause,
    /// The newest envelope that this process understands.
    envelope: u32,
}

impl MigrateContext {
    /// Why the state is being restored.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// This process.
    pub fn me(&self) -> Pid {
        messaging::me()
    }

    /// Writes a line into the node's log.
    pub fn log(&self, level: Level, line: &str) {
        log::log(level, line);
    }
}

/// A process as `export!` sees it: what runs, the number of its state's layout, and the layouts before it.
#[diagnostic::on_unimplemented(message = "`{Self}` is not exported", note = "write skep_sdk::export!({Self});")]
pub trait Exported: Protocol + Sized + 'static {
    /// What an instance keeps: a server is that itself.
    type Running: Behaviour;
    /// The layout that it saves.
    const VERSION: u32;
    /// How many layouts it can step down.
    type Back: Count;
    /// The layouts that it reads.
    type History: Reversible<Self::Back, Newest = <Self::Running as Behaviour>::Layout>;
}

/// The oldest version that `S` reads.
const fn oldest<S: Exported>() -> u32 {
    S::VERSION - S::History::OLDER
}

/// The oldest version that `S` can write.
const fn lowest<S: Exported>() -> u32 {
    S::VERSION - S::Back::COUNT
}

pub(crate) fn shape<S: Exported>() -> Shape {
    Shape {
        version: S::VERSION,
        accepts: (oldest::<S>()..=S::VERSION).collect(),
        steps_down: (lowest::<S>()..S::VERSION).collect(),
        // See `sealed` and `opened`.
        writes: Form::Messagepack,
        reads: vec![Form::Messagepack],
    }
}

pub(crate) fn save<S: Exported>(process: &S::Running, target: Option<u32>) -> Result<State, String> {
    let version = target.unwrap_or(S::VERSION);
    if !(lowest::<S>()..=S::VERSION).contains(&version) {
        return Err(no_way_to::<S>(version));
    }
    let saved = process.kept().map_err(|failure| failure.0)?;
    let state = match &saved {
        Saved::Borrowed(state) => state,
        Saved::Owned(state) => state,
    };
    <S::History as Reversible<S::Back>>::write(state, S::VERSION - version, process.held())
        .map(|body| State { version, body })
        .map_err(|failure| failure.0)
}

/// Why a version cannot be written, and what the author of `S` can do about it.
fn no_way_to<S: Exported>(target: u32) -> String {
    let (version, lowest) = (S::VERSION, lowest::<S>());
    if target > version {
        return format!("this code saves its state as version {version}; version {target} is newer than this code");
    }
    if target == 0 {
        return "the first version of a state is 1; there is no version 0".to_owned();
    }
    let layouts = if target < oldest::<S>() { "add the layouts before it to `from`, write" } else { "write" };
    format!(
        "this code cannot save its state as version {target}: no step leads down from version {lowest}; \
         {layouts} `back_to = {target}` in export!, and each `impl Revert` that the compiler then asks for"
    )
}

pub(crate) fn restore<S: Exported>(state: State, cause: Cause) -> Result<S::Running, String> {
    let envelope = if S::Running::HOLDS { ENVELOPE_WITH_HELD } else { ENVELOPE };
    let context = MigrateContext { cause, envelope };
    if !(oldest::<S>()..=S::VERSION).contains(&state.version) {
        let versions = shape::<S>().accepts;
        return Err(format!("this code reads states of versions {versions:?}, not {}", state.version));
    }
    let held = if S::Running::HOLDS { held(&state.body)? } else { None };
    S::History::open(S::VERSION - state.version, state.body, &context)
        .and_then(|state| S::Running::again(state, held, &context))
        .map_err(|failure| failure.0)
}

/// What this crate held beside the state. What cannot be read is told by the one who reads the whole.
fn held(body: &Body) -> Result<Option<Held>, String> {
    let Body::Messagepack(bytes) = body else { return Ok(None) };
    match rmp_serde::from_slice::<Label>(bytes) {
        Ok(Label { sdk: ENVELOPE_WITH_HELD }) => rmp_serde::from_slice::<WithHeld>(bytes)
            .map(|with| with.held)
            .map_err(|error| format!("cannot read what the machine held: {error}")),
        _ => Ok(None),
    }
}

fn sealed<T: Serialize>(state: &T, held: Option<&Held>) -> Result<Body, Failure> {
    let sdk = if held.is_some() { ENVELOPE_WITH_HELD } else { ENVELOPE };
    codec::encode(&Sealed { sdk, held, state }, Codec::default())
        .map_err(|error| Failure(format!("cannot write the state: {error}")))
}

/// States are MessagePack only: reading JSON too would compile every author's state twice.
fn opened<T: DeserializeOwned>(body: &Body, context: &MigrateContext) -> Result<T, Failure> {
    let known = context.envelope;
    let Body::Messagepack(bytes) = body else { return Err("the state is no MessagePack".into()) };
    match rmp_serde::from_slice::<Opened<T>>(bytes) {
        Ok(Opened { sdk, state }) if (ENVELOPE..=known).contains(&sdk) => Ok(state),
        Ok(Opened { sdk, .. }) => Err(unknown_envelope(sdk, known)),
        // The label alone is of interest only where the whole cannot be read.
        Err(error) => match rmp_serde::from_slice::<Label>(bytes) {
            Ok(Label { sdk }) if !(ENVELOPE..=known).contains(&sdk) => Err(unknown_envelope(sdk, known)),
            _ => Err(Failure(format!("cannot read the state: {error}"))),
        },
    }
}

/// The author's part of a state that some server of this SDK has saved, machine or not.
pub(crate) fn author_s<T: DeserializeOwned>(body: &Body) -> Result<T, CodecError> {
    let Body::Messagepack(bytes) = body else { return Err(CodecError::new("the state is no MessagePack")) };
    rmp_serde::from_slice::<Opened<T>>(bytes).map(|opened| opened.state).map_err(CodecError::new)
}

/// The same with another one in it. What a machine holds is for its own code to read, so it is not copied.
pub(crate) fn author_s_replaced<T: Serialize>(body: &Body, state: &T) -> Result<Body, CodecError> {
    match body {
        Body::Messagepack(bytes) => match rmp_serde::from_slice::<Label>(bytes) {
            Ok(Label { sdk: ENVELOPE }) => sealed(state, None).map_err(|failure| CodecError::new(failure.0)),
            Ok(_) => Err(CodecError::new("there is more in the state than its author's part")),
            Err(error) => Err(CodecError::new(error)),
        },
        _ => Err(CodecError::new("the state is no MessagePack")),
    }
}

fn unknown_envelope(sdk: u32, known: u32) -> Failure {
    if sdk == ENVELOPE_WITH_HELD {
        return "the state is that of a state machine, with what it held back; this code is none".into();
    }
    Failure(format!("the state was saved by a newer SDK (envelope {sdk}, known is {known})"))
}
