//! Variables and arguments of a guest: those that were granted, and no others.

use wasmtime_wasi::WasiCtxBuilder;

use super::Program;
use crate::spec::{Outside, Variable};

/// Gives what was granted. The name of the program comes before the arguments, as everywhere.
pub(super) fn give(builder: &mut WasiCtxBuilder, outside: &Outside, program: Program<'_>) {
    for (name, variable) in &outside.env {
        match variable {
            Variable::Value(value) => {
                builder.env(name, value);
            }
            // What is no text cannot be told to a guest.
            Variable::OfHost => {
                if let Ok(value) = std::env::var(name) {
                    builder.env(name, value);
                }
            }
        }
    }
    if program.is_command || !outside.argv.is_empty() {
        builder.arg(program.name).args(&outside.argv);
    }
}
