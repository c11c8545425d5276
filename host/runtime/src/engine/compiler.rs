//! Compiles in a process of its own, so that code which is much work to compile costs a bounded amount of it.
//!
//! Owns both ends: how the process is started and understood, and what it does. A megabyte of the right instructions keeps
//! the compiler busy for minutes and takes gigabytes; nothing in the bytes tells such code from other code beforehand, and a
//! compiler within this process cannot be stopped. Called by `module` when code is loaded.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output, Stdio};

use rustix::process::{Resource, Rlimit, Signal, nice, setrlimit};
use wasmtime::component::Component;

use super::module::LoadError;
use super::{Class, EngineConfig};

/// The first argument of a process that compiles.
const COMPILE: &str = "skep:compile";
/// What an error may say, in bytes.
const MESSAGE_BYTES: usize = 4 << 10;
/// Exit status of a process that has refused the component, and says why on its standard error.
const REFUSED: u8 = 3;
/// The same, of one that could not even look at it.
const UNABLE: u8 = 4;

/// Where code is compiled, and what that may take.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// A program that calls [`compile_if_asked`] before it does anything else. `/proc/self/exe` is this one, even when its
    /// file has been replaced.
    pub program: PathBuf,
    /// Seconds of computing, on all processors together.
    pub seconds: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
}

impl Compiler {
    /// A program with the usual bounds: two minutes of one processor, for what is mostly done in less than one second.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Compiler { program, seconds: 120, memory_bytes: 4 << 30 }
    }

    /// The compiled form of a component, for an engine of these settings.
    pub(super) fn compile(
        &self,
        config: &EngineConfig,
        class: Class,
        engine: &wasmtime::Engine,
        component: &[u8],
    ) -> Result<Component, LoadError> {
        let output = self.run(config, class, component);
        let output =
            output.map_err(|error| LoadError::NoCompiler { message: format!("it does not start: {error}") })?;
        if !output.status.success() {
            return Err(self.understood(&output));
        }
        #[allow(unsafe_code, reason = "wasmtime cannot check compiled code; who made it can vouch for it")]
        // SAFETY: it comes through a pipe from a process that this one has started, which runs the same code with the same
        // settings; wasmtime compares version and settings itself.
        let component = unsafe { Component::deserialize(engine, &output.stdout) };
        component.map_err(|error| LoadError::Invalid { message: format!("{error:#}") })
    }

    /// Runs the other end until it is done.
    fn run(&self, config: &EngineConfig, class: Class, component: &[u8]) -> io::Result<Output> {
        let Compiler { seconds, memory_bytes, .. } = *self;
        let order = Order { class, small_memory_bytes: config.small_memory_bytes, seconds, memory_bytes };
        let mut child = Command::new(&self.program)
            .args(order.arguments())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // It reads all before it writes anything; if it has ended before that, its status says why.
        let _ = child.stdin.take().map(|mut pipe| pipe.write_all(component));
        child.wait_with_output()
    }

    fn understood(&self, output: &Output) -> LoadError {
        let Compiler { seconds, memory_bytes, .. } = self;
        let message = || String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(i32::from(REFUSED)) {
            return LoadError::Invalid { message: message() };
        }
        if output.status.code() == Some(i32::from(UNABLE)) {
            return LoadError::NoCompiler { message: message() };
        }
        match output.status.signal() {
            Some(signal) if signal == Signal::XCPU.as_raw() || signal == Signal::KILL.as_raw() => {
                LoadError::TooCostly { what: format!("{seconds} s of computing") }
            }
            Some(signal) if signal == Signal::ABORT.as_raw() => {
                LoadError::TooCostly { what: format!("{} MiB of memory", memory_bytes >> 20) }
            }
            _ => LoadError::NoCompiler { message: output.status.to_string() },
        }
    }
}

/// What the process that compiles is told, beside the component.
#[derive(Debug, PartialEq)]
struct Order {
    class: Class,
    small_memory_bytes: usize,
    seconds: u64,
    memory_bytes: u64,
}

/// Why there is no compiled form.
struct NotCompiled {
    status: u8,
    why: String,
}

impl Order {
    fn arguments(&self) -> [String; 5] {
        let Order { class, small_memory_bytes, seconds, memory_bytes } = self;
        let class = match class {
            Class::Small => "small",
            Class::Large => "large",
        };
        [
            COMPILE.to_owned(),
            class.to_owned(),
            small_memory_bytes.to_string(),
            seconds.to_string(),
            memory_bytes.to_string(),
        ]
    }

    /// The order in the arguments of this process, if that is what they are.
    fn read(arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let arguments: Vec<String> = arguments.map(|argument| argument.into_string().ok()).collect::<Option<_>>()?;
        let [word, class, small_memory_bytes, seconds, memory_bytes] = &arguments[..] else { return None };
        let class = match (word.as_str(), class.as_str()) {
            (COMPILE, "small") => Class::Small,
            (COMPILE, "large") => Class::Large,
            _ => return None,
        };
        Some(Order {
            class,
            small_memory_bytes: small_memory_bytes.parse().ok()?,
            seconds: seconds.parse().ok()?,
            memory_bytes: memory_bytes.parse().ok()?,
        })
    }

    /// Bounds this process, and compiles what comes on its standard input.
    fn perform(&self) -> Result<Vec<u8>, NotCompiled> {
        let refused = |error: wasmtime::Error| NotCompiled { status: REFUSED, why: format!("{error:#}") };
        let unable = |why: String| NotCompiled { status: UNABLE, why };
        let bound = |what, most: u64| setrlimit(what, Rlimit { current: Some(most), maximum: Some(most) });
        bound(Resource::Core, 0)
            .and_then(|()| bound(Resource::Cpu, self.seconds))
            .and_then(|()| bound(Resource::Data, self.memory_bytes))
            .map_err(|error| unable(format!("it cannot be bounded: {error}")))?;
        // Whoever runs goes first. It is no matter if the system will not have it.
        let _ = nice(10);
        // Compiled code does not depend on how many instances there are; the stacks of thousands would not fit in the bounds.
        let config =
            EngineConfig { slots: Some(1), small_memory_bytes: self.small_memory_bytes, ..EngineConfig::default() };
        let config = match self.class {
            Class::Small => config.small(),
            Class::Large => config.large(),
        };
        let engine = wasmtime::Engine::new(&config).map_err(|error| unable(format!("{error:#}")))?;
        let mut component = Vec::new();
        io::stdin().read_to_end(&mut component).map_err(|error| unable(error.to_string()))?;
        engine.precompile_component(&component).map_err(refused)
    }
}

/// Compiles, if this process was started for it, and brings the status that it is to end with. For the first line of a
/// program that is a [`Compiler::program`].
#[must_use]
pub fn compile_if_asked() -> Option<ExitCode> {
    let order = Order::read(std::env::args_os().skip(1))?;
    Some(match order.perform() {
        Ok(code) => match io::stdout().write_all(&code) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(NotCompiled { status, mut why }) => {
            why.truncate(why.floor_char_boundary(MESSAGE_BYTES));
            let _ = io::stderr().write_all(why.as_bytes());
            ExitCode::from(status)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_understood_as_it_was_given_and_other_arguments_are_none() {
        let order = Order { class: Class::Large, small_memory_bytes: 5 << 20, seconds: 3, memory_bytes: 9 << 30 };
        let arguments = order.arguments();
        assert_eq!(Order::read(arguments.iter().map(OsString::from)), Some(order));
        for other in [&arguments[..4], &["run".to_owned()], &[]] {
            assert!(Order::read(other.iter().map(OsString::from)).is_none(), "{other:?}");
        }
    }
}
