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
        let invalid = |message: String| LoadError::Invalid { message };
        let output = self.run(config, class, component);
        let output = output.map_err(|error| invalid(format!("the compiler cannot be started: {error}")))?;
        if !output.status.success() {
            return Err(self.understood(&output));
        }
        #[allow(unsafe_code, reason = "wasmtime cannot check compiled code; who made it can vouch for it")]
        // SAFETY: it comes through a pipe from a process that this one has started, which runs the same code with the same
        // settings; wasmtime compares version and settings itself.
        let component = unsafe { Component::deserialize(engine, &output.stdout) };
        component.map_err(|error| invalid(format!("{error:#}")))
    }

    /// Runs the other end until it is done.
    fn run(&self, config: &EngineConfig, class: Class, component: &[u8]) -> io::Result<Output> {
        let order = Order { class, config: config.clone(), seconds: self.seconds, memory_bytes: self.memory_bytes };
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
        if output.status.code() == Some(i32::from(REFUSED)) {
            return LoadError::Invalid { message: String::from_utf8_lossy(&output.stderr).into_owned() };
        }
        match output.status.signal() {
            Some(signal) if signal == Signal::XCPU.as_raw() || signal == Signal::KILL.as_raw() => {
                LoadError::TooCostly { what: format!("{seconds} s of computing") }
            }
            Some(signal) if signal == Signal::ABORT.as_raw() => {
                LoadError::TooCostly { what: format!("{} MiB of memory", memory_bytes >> 20) }
            }
            _ => LoadError::Invalid { message: format!("the compiler failed: {}", output.status) },
        }
    }
}

/// What the process that compiles is told, beside the component.
struct Order {
    class: Class,
    config: EngineConfig,
    seconds: u64,
    memory_bytes: u64,
}

impl Order {
    fn arguments(&self) -> [String; 6] {
        let Order { class, config, seconds, memory_bytes } = self;
        let class = match class {
            Class::Small => "small",
            Class::Large => "large",
        };
        [
            COMPILE.to_owned(),
            class.to_owned(),
            config.slots().to_string(),
            config.small_memory_bytes.to_string(),
            seconds.to_string(),
            memory_bytes.to_string(),
        ]
    }

    /// The order in the arguments of this process, if that is what they are.
    fn read(arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let arguments: Vec<String> = arguments.map(|argument| argument.into_string().ok()).collect::<Option<_>>()?;
        let [word, class, slots, small_memory_bytes, seconds, memory_bytes] = &arguments[..] else { return None };
        let class = match (word.as_str(), class.as_str()) {
            (COMPILE, "small") => Class::Small,
            (COMPILE, "large") => Class::Large,
            _ => return None,
        };
        let config = EngineConfig {
            slots: Some(slots.parse().ok()?),
            small_memory_bytes: small_memory_bytes.parse().ok()?,
            ..EngineConfig::default()
        };
        Some(Order { class, config, seconds: seconds.parse().ok()?, memory_bytes: memory_bytes.parse().ok()? })
    }

    /// Bounds this process, and compiles what comes on its standard input.
    fn perform(&self) -> Result<Vec<u8>, String> {
        let bound = |what, most: u64| setrlimit(what, Rlimit { current: Some(most), maximum: Some(most) });
        let bounded = bound(Resource::Core, 0)
            .and_then(|()| bound(Resource::Cpu, self.seconds))
            // What is only reserved, as the pool of instances is, does not count.
            .and_then(|()| bound(Resource::Data, self.memory_bytes));
        bounded.map_err(|error| format!("the compiler cannot be bounded: {error}"))?;
        // Whoever runs goes first. It is no matter if the system will not have it.
        let _ = nice(10);
        let config = match self.class {
            Class::Small => self.config.small(),
            Class::Large => self.config.large(),
        };
        let mut component = Vec::new();
        io::stdin().read_to_end(&mut component).map_err(|error| error.to_string())?;
        let engine = wasmtime::Engine::new(&config).map_err(|error| format!("{error:#}"))?;
        engine.precompile_component(&component).map_err(|error| format!("{error:#}"))
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
        Err(mut why) => {
            why.truncate(why.floor_char_boundary(MESSAGE_BYTES));
            let _ = io::stderr().write_all(why.as_bytes());
            ExitCode::from(REFUSED)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_understood_as_it_was_given_and_other_arguments_are_none() {
        let config = EngineConfig { slots: Some(7), small_memory_bytes: 5 << 20, ..EngineConfig::default() };
        let order = Order { class: Class::Large, config, seconds: 3, memory_bytes: 9 << 30 };
        let arguments = order.arguments();
        let read = Order::read(arguments.iter().map(OsString::from)).expect("it is one");
        assert_eq!(read.arguments(), arguments);
        for other in [&arguments[..5], &["run".to_owned()], &[]] {
            assert!(Order::read(other.iter().map(OsString::from)).is_none(), "{other:?}");
        }
    }
}
