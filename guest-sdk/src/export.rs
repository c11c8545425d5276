//! Making a module of a server or a task.
//!
//! Owns the macro `export!` and, in Wasm, the code that keeps the one server of an instance. Natively the macro only
//! notes the version, for the test harness; nothing is exported. Called by guest authors.

/// Makes this crate's module a process.
///
/// ```ignore
/// skep_sdk::export!(Counter);         // a server; its state has version 1
/// skep_sdk::export!(machine Door);    // a state machine; versions as with servers
/// skep_sdk::export!(agent Stock);     // an agent; versions as with servers
/// skep_sdk::export!(task Sum);        // a task
/// skep_sdk::export!(Counter, version = 3, from = [v1::Counter, v2::Counter]);              // reads 1 and 2 as well
/// skep_sdk::export!(Counter, version = 3, from = [v1::Counter, v2::Counter], back_to = 2); // … and writes 2 as well
/// ```
///
/// - `version`: the layout of the state, counted from 1. Raise it when the layout changes in a way that serde does not
///   bridge, or when older code must not read what newer code wrote.
/// - `from`: the layouts just before, oldest first, under the types that they are kept as. Each but the first, and the
///   server's own state, says with [`Migrate`](crate::Migrate) how it comes from the one before. Without `from` nothing
///   older is read.
/// - `back_to`: the oldest version that the state can go back to. Each layout from there on says with
///   [`Revert`](crate::Revert) how it becomes the one before again. Without it there is no way back.
///
/// Once in a module, at the top of the crate.
///
/// # What does not compile
///
/// A chain with a hole: here nobody says how the first layout becomes the second. The compiler names the `impl` to write,
/// and with it this compiles.
///
/// ```compile_fail,E0277
/// # use skep_sdk::prelude::*;
/// # mod v1 { #[derive(serde::Serialize, serde::Deserialize)] pub struct Counter; }
/// # mod v2 { #[derive(serde::Serialize, serde::Deserialize)] pub struct Counter; }
/// # #[derive(Serialize, Deserialize)] pub struct Counter;
/// # #[server]
/// # impl Server for Counter { fn init(_: (), _: &Context) -> Start<Self> { Ok(Counter) } }
/// impl Migrate<v2::Counter> for Counter {
///     fn migrate(_: v2::Counter, _: &MigrateContext) -> Result<Self, Failure> { Ok(Counter) }
/// }
///
/// skep_sdk::export!(Counter, version = 3, from = [v1::Counter, v2::Counter]);
/// # fn main() {}
/// ```
///
/// ```
/// # use skep_sdk::prelude::*;
/// # mod v1 { #[derive(serde::Serialize, serde::Deserialize)] pub struct Counter; }
/// # mod v2 { #[derive(serde::Serialize, serde::Deserialize)] pub struct Counter; }
/// # #[derive(Serialize, Deserialize)] pub struct Counter;
/// # #[server]
/// # impl Server for Counter { fn init(_: (), _: &Context) -> Start<Self> { Ok(Counter) } }
/// # impl Migrate<v2::Counter> for Counter {
/// #     fn migrate(_: v2::Counter, _: &MigrateContext) -> Result<Self, Failure> { Ok(Counter) }
/// # }
/// impl Migrate<v1::Counter> for v2::Counter {
///     fn migrate(_: v1::Counter, _: &MigrateContext) -> Result<Self, Failure> { Ok(v2::Counter) }
/// }
/// # skep_sdk::export!(Counter, version = 3, from = [v1::Counter, v2::Counter]);
/// # fn main() {}
/// ```
///
/// A way back with a hole: `back_to = 1`, and a step down from 3 to 2 alone.
///
/// ```compile_fail,E0277
/// # use skep_sdk::prelude::*;
/// # mod v1 { #[derive(serde::Serialize, serde::Deserialize)] pub struct Counter; }
/// # mod v2 { #[derive(serde::Serialize, serde::Deserialize)] pub struct Counter; }
/// # #[derive(Serialize, Deserialize)] pub struct Counter;
/// # #[server]
/// # impl Server for Counter { fn init(_: (), _: &Context) -> Start<Self> { Ok(Counter) } }
/// # impl Migrate<v1::Counter> for v2::Counter {
/// #     fn migrate(_: v1::Counter, _: &MigrateContext) -> Result<Self, Failure> { Ok(v2::Counter) }
/// # }
/// # impl Migrate<v2::Counter> for Counter {
/// #     fn migrate(_: v2::Counter, _: &MigrateContext) -> Result<Self, Failure> { Ok(Counter) }
/// # }
/// impl Revert<v2::Counter> for Counter {
///     fn revert(&self) -> Result<v2::Counter, Failure> { Ok(v2::Counter) }
/// }
///
/// skep_sdk::export!(Counter, version = 3, from = [v1::Counter, v2::Counter], back_to = 1);
/// # fn main() {}
/// ```
///
/// ```
/// # use skep_sdk::prelude::*;
/// # mod v1 { #[derive(serde::Serialize, serde::Deserialize)] pub struct Counter; }
/// # mod v2 { #[derive(serde::Serialize, serde::Deserialize)] pub struct Counter; }
/// # #[derive(Serialize, Deserialize)] pub struct Counter;
/// # #[server]
/// # impl Server for Counter { fn init(_: (), _: &Context) -> Start<Self> { Ok(Counter) } }
/// # impl Migrate<v1::Counter> for v2::Counter {
/// #     fn migrate(_: v1::Counter, _: &MigrateContext) -> Result<Self, Failure> { Ok(v2::Counter) }
/// # }
/// # impl Migrate<v2::Counter> for Counter {
/// #     fn migrate(_: v2::Counter, _: &MigrateContext) -> Result<Self, Failure> { Ok(Counter) }
/// # }
/// # impl Revert<v2::Counter> for Counter {
/// #     fn revert(&self) -> Result<v2::Counter, Failure> { Ok(v2::Counter) }
/// # }
/// impl Revert<v1::Counter> for v2::Counter {
///     fn revert(&self) -> Result<v1::Counter, Failure> { Ok(v1::Counter) }
/// }
/// # skep_sdk::export!(Counter, version = 3, from = [v1::Counter, v2::Counter], back_to = 1);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    (task $task:ty $(,)?) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Exports;
            impl $crate::__private::entry::Guest for Exports {
                fn run(args: $crate::Body) -> ::core::result::Result<$crate::Body, ::std::string::String> {
                    $crate::__private::watch_panics();
                    $crate::__private::run::task::<$task>(args)
                }
            }
            $crate::__private::export_task!(Exports with_types_in $crate::__private::task);
        };

        const _: fn($crate::Body) -> ::core::result::Result<$crate::Body, ::std::string::String> =
            $crate::__private::run::task::<$task>;
    };
    (@history [$history:ty]) => { $history };
    (@history [$history:ty] $next:ty $(, $rest:ty)*) => {
        $crate::export!(@history [$crate::__private::Step<$history, $next>] $($rest),*)
    };
    (agent $agent:ty $(, $($versions:tt)*)?) => {
        impl $crate::Protocol for $agent {
            type Args = <$agent as $crate::Agent>::Args;
            type Call = $crate::AgentCall<<$agent as $crate::Agent>::Get, <$agent as $crate::Agent>::Update>;
            type Reply = $crate::Raw;
            type Cast = <$agent as $crate::Agent>::Update;
            type Info = $crate::Never;
        }
        $crate::export!(@process [$agent] [$crate::AgentServer<$agent>] [$agent] $($($versions)*)?);
    };
    (machine $machine:ty $(, $($versions:tt)*)?) => {
        impl $crate::Protocol for $machine {
            type Args = <$machine as $crate::StateMachine>::Args;
            type Call = <$machine as $crate::StateMachine>::Call;
            type Reply = <$machine as $crate::StateMachine>::Reply;
            type Cast = <$machine as $crate::StateMachine>::Cast;
            type Info = <$machine as $crate::StateMachine>::Info;
            const CALL_TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
        }
        $crate::export!(@process [$machine] [$crate::Machine<$machine>] [$crate::Snapshot<$machine>] $($($versions)*)?);
    };
    (@process [$process:ty] [$running:ty] [$layout:ty]) => {
        $crate::export!(@process [$process] [$running] [$layout] version = 1);
    };
    (@process [$process:ty] [$running:ty] [$layout:ty] version = $version:literal $(,)?) => {
        $crate::export!(@server $process, $running, $version, $crate::__private::Zero,
            $crate::__private::Oldest<$layout>);
    };
    (@process [$process:ty] [$running:ty] [$layout:ty]
        version = $version:literal, from = [$($older:ty),+ $(,)?] $(,)?) => {
        $crate::export!(@versions [$process] [$running] [$layout] $version, $crate::__private::Zero, $($older),+);
    };
    (@process [$process:ty] [$running:ty] [$layout:ty]
        version = $version:literal, from = [$($older:ty),+ $(,)?], back_to = $back_to:literal $(,)?) => {
        $crate::export!(@versions [$process] [$running] [$layout] $version,
            <$crate::__private::Steps<{ $crate::__private::steps($version, $back_to) }>
                as $crate::__private::Counted>::Count,
            $($older),+);
    };
    (@process [$process:ty] [$running:ty] [$layout:ty] version = $version:literal, back_to = $back_to:literal $(,)?) => {
        ::core::compile_error!("`back_to` needs `from`: list the older layouts there, oldest first");
    };
    (@versions [$process:ty] [$running:ty] [$layout:ty] $version:literal, $back:ty, $oldest:ty $(, $older:ty)*) => {
        $crate::export!(@server $process, $running, $version, $back,
            $crate::export!(@history [$crate::__private::Oldest<$oldest>] $($older,)* $layout));
    };
    (@server $server:ty, $running:ty, $version:literal, $back:ty, $history:ty) => {
        impl $crate::Exported for $server {
            type Running = $running;
            const VERSION: u32 = $version;
            type Back = $back;
            type History = $history;
        }

        const _: () = assert!(
            <$server as $crate::Exported>::VERSION
                > <<$server as $crate::Exported>::History as $crate::__private::History>::OLDER,
            "versions begin at 1: `version` must be larger than the number of layouts in `from`"
        );

        #[cfg(target_family = "wasm")]
        const _: () = {
            ::std::thread_local! {
                static SERVER: $crate::__private::Slot<$server> = const { $crate::__private::Slot::new() };
            }
            struct Exports;
            impl $crate::__private::behaviour::Guest for Exports {
                fn describe() -> $crate::__private::Shape {
                    $crate::__private::run::describe::<$server>()
                }
                fn init(
                    args: $crate::Body,
                ) -> ::core::result::Result<$crate::__private::Start, ::std::string::String> {
                    SERVER.with(|slot| slot.init(args))
                }
                fn handle(
                    event: $crate::Event,
                    waiting: u32,
                ) -> ::core::result::Result<$crate::__private::Outcome, ::std::string::String> {
                    SERVER.with(|slot| slot.handle(event, waiting))
                }
                fn save(
                    target: ::core::option::Option<u32>,
                ) -> ::core::result::Result<$crate::__private::State, ::std::string::String> {
                    SERVER.with(|slot| slot.save(target))
                }
                fn restore(
                    state: $crate::__private::State,
                    cause: $crate::Cause,
                ) -> ::core::result::Result<(), ::std::string::String> {
                    SERVER.with(|slot| slot.restore(state, cause))
                }
                fn terminate(reason: $crate::ExitReason) -> ::core::result::Result<(), ::std::string::String> {
                    SERVER.with(|slot| slot.terminate(&reason))
                }
            }
            $crate::__private::export_process!(Exports with_types_in $crate::__private::process);
        };
    };
    ($server:ty $(, $($versions:tt)*)?) => {
        $crate::export!(@process [$server] [$server] [<$server as $crate::Server>::State] $($($versions)*)?);
    };
}
