//! What a compiler of guests must not inherit.
//!
//! Owns the list of variables that an outer cargo, or settings for the host's own code, would disturb a guest's build
//! with. Never changes the environment of this process. Called for every program that a build starts.

use std::process::Command;

/// Always disturbing: they would replace the flags and the compiler that were chosen for guests.
const ALWAYS: [&str; 9] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTC",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_BOOTSTRAP",
    "RUSTUP_FORCE_ARG0",
];

/// Set by a cargo, or by rustup before it, for the program that it runs. They speak of that program, and make a guest
/// that is built from a test another one than the guest that is built from a shell.
const INSIDE_CARGO: [&str; 16] = [
    "CARGO",
    "CARGO_CRATE_NAME",
    "CARGO_MAKEFLAGS",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_TARGET_TMPDIR",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "LD_LIBRARY_PATH",
    "MAKEFLAGS",
    "MFLAGS",
    "OUT_DIR",
    "RUST_RECURSION_COUNT",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_TOOLCHAIN_SOURCE",
];

/// The same, by how they begin.
const INSIDE_CARGO_PREFIXES: [&str; 4] = ["CARGO_BIN_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_"];

/// Takes from `command` what would disturb it.
pub(super) fn clean(command: &mut Command) -> &mut Command {
    let inside_cargo = std::env::var_os("CARGO").is_some();
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| disturbs(name, inside_cargo)) {
            command.env_remove(name);
        }
    }
    // A toolchain that a project asks for and that is missing is an error to be seen, not a download to wait for.
    command.env("RUSTUP_AUTO_INSTALL", "0")
}

fn disturbs(name: &str, inside_cargo: bool) -> bool {
    ALWAYS.contains(&name)
        || inside_cargo
            && (INSIDE_CARGO.contains(&name) || INSIDE_CARGO_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_for_the_host_never_reach_a_guest() {
        for inside in [false, true] {
            for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC", "CARGO_BUILD_TARGET"] {
                assert!(disturbs(name, inside), "{name}, inside cargo: {inside}");
            }
            for name in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "CARGO_NET_OFFLINE", "CARGO_TARGET_DIR"] {
                assert!(!disturbs(name, inside), "{name}, inside cargo: {inside}");
            }
        }
    }

    #[test]
    fn what_an_outer_cargo_says_of_itself_stays_behind() {
        for name in ["CARGO", "CARGO_PKG_NAME", "LD_LIBRARY_PATH", "RUSTUP_TOOLCHAIN", "OUT_DIR"] {
            assert!(disturbs(name, true), "{name}");
            assert!(!disturbs(name, false), "{name} is the user's own");
        }
    }
}
