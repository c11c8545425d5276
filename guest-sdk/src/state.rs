//! What outlives an instance: the saved form, and in which versions it can be read and written.
//!
//! Owns the envelope around a server's state; the steps from version to version are in `history`. Never acts: while a
//! state is saved, restored or migrated the host refuses every import but the log and `me`. Called by `run` and `slot`.

mod history;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::{self, Codec};
use crate::host::{log, messaging};
use crate::outcome::Failure;
use crate::server::Server;
use crate::types::{Body, Cause, Level, Pid, Shape, State};

pub use history::{Count, Counted, History, Migrate, Oldest, Reversible, Revert, Step, Steps, Zero, steps};

/// The layout of the envelope, which holds what this crate itself must not forget. It has nothing to remember yet: marks
/// are in the author's state, idle times and continues with the host. The number is there so that it can begin to.
const ENVELOPE: u32 = 1;

#[derive(Serialize)]
struct Sealed<'a, T> {
    sdk: u32,
    state: &'a T,
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

/// A server as `export!` sees it: with the number of its state's layout, and those before it.
#[diagnostic::on_unimplemented(message = "`{Self}` is not exported", note = "write skep_sdk::export!({Self});")]
pub trait Exported: Server {
    /// The layout that it saves.
    const VERSION: u32;
    /// How many layouts it can step down.
    type Back: Count;
    /// The layouts that it reads.
    type History: Reversible<Self::Back, Newest = Self::State>;
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
    }
}

pub(crate) fn save<S: Exported>(server: &S, target: Option<u32>) -> Result<State, String> {
    let version = target.unwrap_or(S::VERSION);
    if !(lowest::<S>()..=S::VERSION).contains(&version) {
        return Err(no_way_to::<S>(version));
    }
    let saved = server.save().map_err(|failure| failure.0)?;
    let state = match &saved {
        Saved::Borrowed(state) => state,
        Saved::Owned(state) => state,
    };
    <S::History as Reversible<S::Back>>::write(state, S::VERSION - version)
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

pub(crate) fn restore<S: Exported>(state: State, cause: Cause) -> Result<S, String> {
    let context = MigrateContext { cause };
    if !(oldest::<S>()..=S::VERSION).contains(&state.version) {
        let versions = shape::<S>().accepts;
        return Err(format!("this code reads states of versions {versions:?}, not {}", state.version));
    }
    S::History::open(S::VERSION - state.version, state.body, &context)
        .and_then(|state| S::restore(state, &context))
        .map_err(|failure| failure.0)
}

fn sealed<T: Serialize>(state: &T) -> Result<Body, Failure> {
    codec::encode(&Sealed { sdk: ENVELOPE, state }, Codec::default())
        .map_err(|error| Failure(format!("cannot write the state: {error}")))
}

/// States are MessagePack only: reading JSON too would compile every author's state twice.
fn opened<T: DeserializeOwned>(body: &Body) -> Result<T, Failure> {
    let Body::Messagepack(bytes) = body else { return Err("the state is no MessagePack".into()) };
    match rmp_serde::from_slice::<Opened<T>>(bytes) {
        Ok(Opened { sdk: ENVELOPE, state }) => Ok(state),
        Ok(Opened { sdk, .. }) => Err(unknown_envelope(sdk)),
        // The label alone is of interest only where the whole cannot be read.
        Err(error) => match rmp_serde::from_slice::<Label>(bytes) {
            Ok(Label { sdk }) if sdk != ENVELOPE => Err(unknown_envelope(sdk)),
            _ => Err(Failure(format!("cannot read the state: {error}"))),
        },
    }
}

fn unknown_envelope(sdk: u32) -> Failure {
    Failure(format!("the state was saved by a newer SDK (envelope {sdk}, known is {ENVELOPE})"))
}
