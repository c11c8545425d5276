//! Chooses how guests are compiled.
//!
//! Owns the three ways and their order, as a pure choice from what a machine has, and going down that list until one
//! works. Never looks at the machine itself ([`super::toolchain`] does), nor starts a compiler.

use std::env;
use std::fmt;
use std::path::Path;

use super::compile::Compiler;
use super::discover::Workspace;
use super::report::{Event, Report};
use super::toolchain::{self, Cargo, Debian, Rustup, Toolchain};
use super::{BuildError, debian, rustup};

/// Forces a route.
const VARIABLE: &str = "SKEP_GUEST_TOOLCHAIN";

/// What a guest is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// `wasm32-unknown-unknown`: the default, with nothing of WASI in it.
    Unknown,
    /// `wasm32-wasip1`: for guests that use files, clocks and so on through `std`.
    Wasip1,
}

impl Target {
    /// Its name for rustc.
    pub fn triple(self) -> &'static str {
        match self {
            Target::Unknown => "wasm32-unknown-unknown",
            Target::Wasip1 => "wasm32-wasip1",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.triple())
    }
}

/// A way to a compiler for WebAssembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The active toolchain has the target.
    Installed,
    /// rustup adds the target to the active toolchain.
    Rustup,
    /// Debian's packages of a newer Rust build the standard library for the target.
    Debian,
}

impl Route {
    const ALL: [Route; 3] = [Route::Installed, Route::Rustup, Route::Debian];

    /// Its name in `SKEP_GUEST_TOOLCHAIN`.
    pub fn name(self) -> &'static str {
        match self {
            Route::Installed => "installed",
            Route::Rustup => "rustup",
            Route::Debian => "debian",
        }
    }

    /// What `SKEP_GUEST_TOOLCHAIN` says; unset or empty, it leaves the choice open.
    pub(super) fn from_environment() -> Result<Option<Self>, BuildError> {
        let value = env::var_os(VARIABLE).unwrap_or_default();
        Route::from_name(&value.to_string_lossy())
    }

    fn from_name(name: &str) -> Result<Option<Self>, BuildError> {
        if name.is_empty() {
            return Ok(None);
        }
        let route = Route::ALL.into_iter().find(|route| route.name() == name);
        route.map(Some).ok_or_else(|| BuildError::UnknownRoute { value: name.to_owned() })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something to try.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    UseInstalled,
    AddTarget {
        toolchain: String,
    },
    /// Use Debian's Rust, once these packages are installed.
    UseDebian {
        install: Vec<String>,
    },
}

impl Step {
    fn route(&self) -> Route {
        match self {
            Step::UseInstalled => Route::Installed,
            Step::AddTarget { .. } => Route::Rustup,
            Step::UseDebian { .. } => Route::Debian,
        }
    }
}

/// The steps that may lead to a compiler, in order, and why each of the others need not be tried.
fn plan(machine: &Toolchain, forced: Option<Route>) -> (Vec<Step>, Vec<String>) {
    let (mut steps, mut closed) = (Vec::new(), Vec::new());
    for route in Route::ALL.into_iter().filter(|route| forced.is_none_or(|forced| forced == *route)) {
        match step(machine, route, forced) {
            Ok(step) => steps.push(step),
            Err(problem) => closed.push(problem.to_owned()),
        }
        if machine.has_target && forced.is_none() {
            break;
        }
    }
    (steps, closed)
}

fn step(machine: &Toolchain, route: Route, forced: Option<Route>) -> Result<Step, &'static str> {
    let debian_is_ready = machine.debian == Debian::Missing(Vec::new());
    match route {
        Route::Installed if machine.has_target => Ok(Step::UseInstalled),
        Route::Installed if machine.sysroot.is_none() => Err("no Rust toolchain is active"),
        Route::Installed => Err("the active Rust toolchain has no such target"),
        Route::Rustup => match &machine.rustup {
            Rustup::Absent => Err("rustup is not installed"),
            Rustup::Unmanaged => Err("the active Rust toolchain is not one of rustup's"),
            // It may take its time to fail again, and is not needed.
            Rustup::FailedLately { .. } if debian_is_ready && forced.is_none() => Err("rustup could not get it lately"),
            Rustup::FailedLately { toolchain } | Rustup::Ready { toolchain } => {
                Ok(Step::AddTarget { toolchain: toolchain.clone() })
            }
        },
        Route::Debian => match &machine.debian {
            Debian::Absent => Err("this system has no apt-get to install Debian's Rust with"),
            Debian::Missing(install) => Ok(Step::UseDebian { install: install.clone() }),
        },
    }
}

/// The first compiler on the way that works.
pub(super) fn compiler(
    target: Target,
    forced: Option<Route>,
    workspace: &Workspace,
    cargo: &Cargo,
    report: &mut dyn Report,
) -> Result<Compiler, BuildError> {
    let memory = rustup::Memory::of(workspace);
    let machine = toolchain::probe(target, &workspace.root, forced, |toolchain| memory.failed_lately(toolchain))?;
    let (steps, mut tried) = plan(&machine, forced);
    for step in steps {
        let route = step.route();
        let compiler = match step {
            Step::UseInstalled => Compiler::active(target, cargo),
            Step::AddTarget { toolchain } => {
                match rustup::add_target(target, &toolchain, machine.sysroot.as_deref(), report)? {
                    Ok(()) => {
                        memory.forget(&toolchain);
                        Compiler::active(target, cargo)
                    }
                    Err(problem) => {
                        memory.remember(&toolchain);
                        report.event(Event::RouteFailed { target, route, problem: &problem });
                        tried.push(problem);
                        continue;
                    }
                }
            }
            Step::UseDebian { install } => {
                debian::compiler(target, &install, machine.sysroot.as_deref(), &workspace.root, report)?
            }
        };
        let rustc = compiler.cargo.rustc.as_deref().unwrap_or(Path::new("rustc"));
        let version = toolchain::version(rustc, &workspace.root);
        report.event(Event::RouteChosen { target, route, compiler: &version });
        return Ok(compiler);
    }
    Err(match forced {
        Some(_) => BuildError::RouteClosed { target, problem: tried.join("; ") },
        None => BuildError::NoRoute { target, tried },
    })
}

#[cfg(test)]
mod tests;
