//! The layouts that a state has had, and the steps between them.
//!
//! Owns the two traits that an author writes a step with, and the chain of types that `export!` makes of its list. Which
//! steps there are is known to the compiler, so a hole in the chain does not compile. Never sees a server. Called by
//! `state`.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{MigrateContext, opened, sealed};
use crate::outcome::Failure;
use crate::state_machine::Held;
use crate::types::Body;

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
    label = "a step up is missing",
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

/// One step down: how a state in this layout becomes one in the layout `Old`, which it has a step up from.
///
/// Optional. With the steps down to version N, and `back_to = N` in [`export!`](crate::export), a process can go back to
/// that code and keep its state. Older layouts that are written so need `Serialize`, not only `Deserialize`.
///
/// ```
/// use skep_sdk::prelude::*;
///
/// mod v1 {
///     #[derive(serde::Serialize, serde::Deserialize)]
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
/// impl Revert<v1::Counter> for Counter {
///     fn revert(&self) -> Result<v1::Counter, Failure> { Ok(v1::Counter { count: self.count }) }
/// }
///
/// #[server]
/// impl Server for Counter {
///     type Args = i64;
///
///     fn init(start: i64, _: &Context) -> Start<Self> { Ok(Counter { count: start, added: 0 }) }
/// }
///
/// skep_sdk::export!(Counter, version = 2, from = [v1::Counter], back_to = 1);
/// # fn main() {
/// # let mut counter = skep_sdk::testing::Harness::<Counter>::start(1).unwrap();
/// # assert_eq!(counter.save_as(1).map(|state| state.version), Ok(1));
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how it becomes the older `{Old}` again, which `back_to` asks for",
    label = "a step down is missing",
    note = "write impl Revert<{Old}> for {Self} {{ fn revert(&self) -> Result<{Old}, Failure> {{ … }} }}",
    note = "or leave out `back_to`: steps down are optional"
)]
pub trait Revert<Old> {
    /// Makes the old state of this one, and drops what the old layout has no place for. By reference, because the
    /// process goes on with this state if the way back is called off later.
    ///
    /// # Errors
    ///
    /// A failure says that this state cannot go back; the process keeps it.
    fn revert(&self) -> Result<Old, Failure>;
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

    fn open(age: u32, body: Body, context: &MigrateContext) -> Result<T, Failure> {
        if age == 0 { opened(&body, context) } else { Err("the state is older than any known".into()) }
    }
}

impl<Before: History, T: DeserializeOwned + Migrate<Before::Newest>> History for Step<Before, T> {
    type Newest = T;
    const OLDER: u32 = Before::OLDER + 1;

    fn open(age: u32, body: Body, context: &MigrateContext) -> Result<T, Failure> {
        match age.checked_sub(1) {
            None => opened(&body, context),
            Some(age) => T::migrate(Before::open(age, body, context)?, context),
        }
    }
}

/// A chain whose newest layouts can also be walked down, as many steps as `Steps` counts.
#[diagnostic::on_unimplemented(
    message = "`back_to` is older than all layouts in `from`",
    note = "add the missing layouts to `from`, oldest first, or go back less far"
)]
pub trait Reversible<Steps>: History {
    /// Writes a state as it was `down` layouts earlier, and beside it what this crate holds for the process.
    ///
    /// # Errors
    ///
    /// If it cannot be encoded, or a step refuses.
    fn write(state: &Self::Newest, down: u32, held: Option<&Held>) -> Result<Body, Failure>;
}

impl<T: DeserializeOwned + Serialize> Reversible<Zero> for Oldest<T> {
    fn write(state: &T, _: u32, held: Option<&Held>) -> Result<Body, Failure> {
        sealed(state, held)
    }
}

impl<Before, T> Reversible<Zero> for Step<Before, T>
where
    Before: History,
    T: DeserializeOwned + Serialize + Migrate<Before::Newest>,
{
    fn write(state: &T, _: u32, held: Option<&Held>) -> Result<Body, Failure> {
        sealed(state, held)
    }
}

impl<Fewer, Before, T> Reversible<OneMore<Fewer>> for Step<Before, T>
where
    Before: Reversible<Fewer>,
    T: DeserializeOwned + Serialize + Migrate<Before::Newest> + Revert<Before::Newest>,
{
    fn write(state: &T, down: u32, held: Option<&Held>) -> Result<Body, Failure> {
        match down.checked_sub(1) {
            None => sealed(state, held),
            Some(down) => Before::write(&state.revert()?, down, held),
        }
    }
}

/// How many steps down there are, as a type: the compiler cannot count one off a const parameter.
pub trait Count {
    /// The same as a number.
    const COUNT: u32;
}

/// None.
#[derive(Debug)]
pub enum Zero {}

/// One more than that.
#[derive(Debug)]
pub struct OneMore<Fewer>(PhantomData<Fewer>);

impl Count for Zero {
    const COUNT: u32 = 0;
}

impl<Fewer: Count> Count for OneMore<Fewer> {
    const COUNT: u32 = Fewer::COUNT + 1;
}

/// So many steps, as `export!` has them.
#[derive(Debug)]
pub struct Steps<const N: u32>;

/// The type that stands for a number.
#[diagnostic::on_unimplemented(message = "`back_to` may be 16 versions older than `version` and no more")]
pub trait Counted {
    /// That type.
    type Count: Count;
}

macro_rules! counted {
    ($count:ty;) => {};
    ($count:ty; $number:literal $($larger:literal)*) => {
        impl Counted for Steps<$number> {
            type Count = $count;
        }
        counted!(OneMore<$count>; $($larger)*);
    };
}

counted!(OneMore<Zero>; 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);

/// How many steps lead from `version` down to `back_to`.
pub const fn steps(version: u32, back_to: u32) -> u32 {
    assert!(back_to >= 1, "versions begin at 1: `back_to` must not be smaller");
    assert!(back_to < version, "`back_to` must be an older version than `version`");
    version - back_to
}
