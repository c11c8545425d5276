//! Making a module of a server or a task.
//!
//! Owns the macro `export!` and, in Wasm, the code that keeps the one server of an instance. Natively the macro only
//! notes the version, for the test harness; nothing is exported. Called by guest authors.

/// Makes this crate's module a process.
///
/// ```ignore
/// skep_sdk::export!(Counter);                                      // a server; its state has version 1
/// skep_sdk::export!(Counter, version = 2, from = [v1::Counter]);   // … version 2, and reads 1 (oldest first)
/// skep_sdk::export!(task Sum);                                     // a task
/// ```
///
/// Every layout in `from` but the first, and the server's own state, says with [`Migrate`](crate::Migrate) how it comes
/// from the one before. `version = 2` without `from` reads nothing older.
///
/// Once in a module, at the top of the crate.
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
    ($server:ty $(,)?) => { $crate::export!($server, version = 1); };
    ($server:ty, version = $version:literal $(,)?) => {
        $crate::export!(@server $server, $version,
            $crate::__private::Oldest<<$server as $crate::Server>::State>);
    };
    ($server:ty, version = $version:literal, from = [$oldest:ty $(, $older:ty)* $(,)?] $(,)?) => {
        $crate::export!(@server $server, $version,
            $crate::export!(@history [$crate::__private::Oldest<$oldest>]
                $($older,)* <$server as $crate::Server>::State));
    };
    (@server $server:ty, $version:literal, $history:ty) => {
        impl $crate::Exported for $server {
            const VERSION: u32 = $version;
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
}
