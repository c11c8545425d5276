//! The contract as Rust functions, generated from `wit/`.
//!
//! Owns nothing by hand: the types are those of `types`, the rest is what wit-bindgen makes of both worlds. Outside
//! Wasm every import is a stub that must not be called; `host` sees to that.

/// The world of a server.
pub mod process {
    wit_bindgen::generate!({
        path: "../wit",
        world: "process",
        with: { "skep:process/types@0.1.0": crate::types },
        pub_export_macro: true,
        export_macro_name: "export_process",
        generate_all,
    });
}

/// The world of a task: the same imports, another export.
pub mod task {
    wit_bindgen::generate!({
        path: "../wit",
        world: "task",
        with: {
            "skep:process/types@0.1.0": crate::types,
            "skep:process/messaging@0.1.0": crate::bindings::process::skep::process::messaging,
            "skep:process/inbox@0.1.0": crate::bindings::process::skep::process::inbox,
            "skep:process/links@0.1.0": crate::bindings::process::skep::process::links,
            "skep:process/spawning@0.1.0": crate::bindings::process::skep::process::spawning,
            "skep:process/supervision@0.1.0": crate::bindings::process::skep::process::supervision,
            "skep:process/system@0.1.0": crate::bindings::process::skep::process::system,
            "skep:process/names@0.1.0": crate::bindings::process::skep::process::names,
            "skep:process/registry@0.1.0": crate::bindings::process::skep::process::registry,
            "skep:process/groups@0.1.0": crate::bindings::process::skep::process::groups,
            "skep:process/topics@0.1.0": crate::bindings::process::skep::process::topics,
            "skep:process/timers@0.1.0": crate::bindings::process::skep::process::timers,
            "skep:process/log@0.1.0": crate::bindings::process::skep::process::log,
        },
        pub_export_macro: true,
        export_macro_name: "export_task",
        generate_all,
    });
}
