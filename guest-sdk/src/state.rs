//! What outlives an instance: the saved form, its versions, and the steps between them.
//!
//! Owns the envelope around a server's state and the chain of migrations. Never acts: while a state is saved, restored
//! or migrated the host refuses every import but the log and `me`. Called by `run`; `export!` builds the chain.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::{self, Codec};
use crate::host::{log, messaging};
use crate::outcome::Failure;
use crate::server::Server;
use crate::types::{Body, Cause, Level, Pid, State};

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

/// One step up: how a state in the layout `Old` becomes one in this layout.
///
/// Chains of steps are built by [`export!`](crate::export) from its list `from`, oldest first.
///
/// ```
/// use skep_sdk::prelude::*;
///
/// mod v1 {
///     #[derive(serde::Deserialize)]
///     pub struct Counter { pub count: i64 }
/// }
///
/// #[derive(Serialize, Deserialize)]
/// pub struct Counter { count: i64, added: u64 }
///
/// impl Migrate<v1::Counter> for Counter {
///     fn migrate(old: v1::Counter, _: &MigrateContext) -> Result<Self, Failure> {
///         Ok(Counter { count: old.count, added: 0 })
///     }
/// }
///
/// #[server]
/// impl Server for Counter {
///     fn init(_: (), _: &Context) -> Start<Self> { Ok(Counter { count: 0, added: 0 }) }
/// }
///
/// skep_sdk::export!(Counter, version = 2, from = [v1::Counter]);
/// # fn main() {}
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how it comes from the older `{Old}`",
    note = "write impl Migrate<{Old}> for {Self} {{ fn migrate(old: {Old}, _: &MigrateContext) -> Result<Self, Failure> {{ … }} }}"
)]
pub trait Migrate<Old>: Sized {
    /// Makes the new state of the old one.
    ///
    /// # Errors
    ///
    /// A failure says that this state cannot be taken over; the upgrade is called off.
    fn migrate(old: Old, context: &MigrateContext) -> Result<Self, Failure>;
}

/// The layouts that a server can read, each made from the one before. Built by `export!`.
pub trait History {
    /// The newest layout.
    type Newest;
    /// How many older ones there are.
    const OLDER: u32;
    /// Reads a state that is `age` layouts old, and brings it up.
    ///
    /// # Errors
    ///
    /// If it does not decode, or a step refuses.
    fn open(age: u32, body: Body, context: &MigrateContext) -> Result<Self::Newest, Failure>;
}

/// The oldest layout.
#[derive(Debug)]
pub struct Oldest<T>(PhantomData<T>);

/// A layout and those before it.
#[derive(Debug)]
pub struct Step<Before, T>(PhantomData<(Before, T)>);

impl<T: DeserializeOwned> History for Oldest<T> {
    type Newest = T;
    const OLDER: u32 = 0;

    fn open(age: u32, body: Body, _: &MigrateContext) -> Result<T, Failure> {
        if age == 0 { opened(&body) } else { Err("the state is older than any known".into()) }
    }
}

impl<Before: History, T: DeserializeOwned + Migrate<Before::Newest>> History for Step<Before, T> {
    type Newest = T;
    const OLDER: u32 = Before::OLDER + 1;

    fn open(age: u32, body: Body, context: &MigrateContext) -> Result<T, Failure> {
        match age.checked_sub(1) {
            None => opened(&body),
            Some(age) => T::migrate(Before::open(age, body, context)?, context),
        }
    }
}

/// A server as `export!` sees it: with the number of its state's layout, and those before it.
#[diagnostic::on_unimplemented(message = "`{Self}` is not exported", note = "write skep_sdk::export!({Self});")]
pub trait Exported: Server {
    /// The layout that it saves.
    const VERSION: u32;
    /// The layouts that it reads.
    type History: History<Newest = Self::State>;
}

/// The versions that `S` reads, ascending.
pub(crate) fn accepts<S: Exported>() -> Vec<u32> {
    (S::VERSION - S::History::OLDER..=S::VERSION).collect()
}

pub(crate) fn save<S: Exported>(server: &S, target: Option<u32>) -> Result<State, String> {
    if let Some(target) = target.filter(|target| *target != S::VERSION) {
        return Err(format!("this code saves its state as version {}, not {target}", S::VERSION));
    }
    let saved = server.save().map_err(|failure| failure.0)?;
    let state = match &saved {
        Saved::Borrowed(state) => state,
        Saved::Owned(state) => state,
    };
    codec::encode(&Sealed { sdk: ENVELOPE, state }, Codec::default())
        .map(|body| State { version: S::VERSION, body })
        .map_err(|error| format!("cannot write the state: {error}"))
}

pub(crate) fn restore<S: Exported>(state: State, cause: Cause) -> Result<S, String> {
    let context = MigrateContext { cause };
    let versions = accepts::<S>();
    if !versions.contains(&state.version) {
        return Err(format!("this code reads states of versions {versions:?}, not {}", state.version));
    }
    S::History::open(S::VERSION - state.version, state.body, &context)
        .and_then(|state| S::restore(state, &context))
        .map_err(|failure| failure.0)
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
