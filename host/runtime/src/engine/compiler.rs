//! Compiles in a process of its own, so that code which is much work to compile costs a bounded amount of it.
//!
//! Owns both ends: how the process is started and understood, and what it does. A megabyte of the right instructions keeps
//! the compiler busy for minutes and takes gigabytes; nothing in the bytes tells such code from other code beforehand, and a
//! compiler within this process cannot be stopped. What makes components of core modules was written for what a guest's
//! compiler leaves, not for strangers: a contract that goes in a circle takes it to the end of its stack, so it works
//! there too. Called by `module` when code is loaded.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output, Stdio};
use std::{panic, thread};

use rustix::process::{Resource, Rlimit, Signal, nice, setrlimit};
use wasmtime::component::Component;

use super::module::LoadError;
use super::wrap::{self, WrapError};
use super::{Class, EngineConfig, fault};

/// The first argument of a process that compiles.
const COMPILE: &str = "skep:compile";
/// What it works on, in bytes. Deep recursion that is of use needs a fraction of it.
const STACK: usize = 8 << 20;
/// What is all there is for code that takes more of it.
const OF_STACK: &str = "the compiler's stack";
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
        let invalid = |message| LoadError::Invalid { message };
        let compiled = self.order(config, Job::Compile(class), component, invalid)?;
        #[allow(unsafe_code, reason = "wasmtime cannot check compiled code; who made it can vouch for it")]
        // SAFETY: it comes through a pipe from a process that this one has started, which runs the same code with the same
        // settings; wasmtime compares version and settings itself.
        let component = unsafe { Component::deserialize(engine, &compiled) };
        component.map_err(|error| invalid(format!("{error:#}")))
    }

    /// The component around a core module.
    pub(super) fn wrap(&self, config: &EngineConfig, module: &[u8]) -> Result<Vec<u8>, LoadError> {
        self.order(config, Job::Wrap, module, |message| WrapError::Misfit { message }.into())
    }

    /// Has the other end do something with these bytes. What it refuses is `refused` with its words.
    fn order(
        &self,
        config: &EngineConfig,
        job: Job,
        bytes: &[u8],
        refused: impl FnOnce(String) -> LoadError,
    ) -> Result<Vec<u8>, LoadError> {
        let output = self.run(config, job, bytes);
        let output =
            output.map_err(|error| LoadError::NoCompiler { message: format!("it does not start: {error}") })?;
        if output.status.success() { Ok(output.stdout) } else { Err(self.understood(&output, refused)) }
    }

    /// Runs the other end until it is done.
    fn run(&self, config: &EngineConfig, job: Job, bytes: &[u8]) -> io::Result<Output> {
        let Compiler { seconds, memory_bytes, .. } = *self;
        let order = Order { job, small_memory_bytes: config.small_memory_bytes, seconds, memory_bytes };
        let mut child = Command::new(&self.program)
            .args(order.arguments())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // It reads all before it writes anything; if it has ended before that, its status says why.
        let _ = child.stdin.take().map(|mut pipe| pipe.write_all(bytes));
        child.wait_with_output()
    }

    fn understood(&self, output: &Output, refused: impl FnOnce(String) -> LoadError) -> LoadError {
        let Compiler { seconds, memory_bytes, .. } = self;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(i32::from(REFUSED)) {
            return refused(said.into_owned());
        }
        if output.status.code() == Some(i32::from(UNABLE)) {
            return LoadError::NoCompiler { message: said.into_owned() };
        }
        let what = match output.status.signal().and_then(Signal::from_named_raw) {
            Some(Signal::XCPU | Signal::KILL) => format!("{seconds} s of computing"),
            // What ends at the end of a stack in a program of Rust says so; in another one it just ends.
            Some(Signal::ABORT) if said.contains("overflowed its stack") => OF_STACK.to_owned(),
            Some(Signal::SEGV) => OF_STACK.to_owned(),
            Some(Signal::ABORT) => format!("{} MiB of memory", memory_bytes >> 20),
            _ => return LoadError::NoCompiler { message: output.status.to_string() },
        };
        LoadError::TooCostly { what }
    }
}

/// What the process that compiles is to do with the bytes it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Job {
    /// Make a component of a core module.
    Wrap,
    /// Compile a component for an engine of this class.
    Compile(Class),
}

/// What the process that compiles is told, beside the bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Order {
    job: Job,
    small_memory_bytes: usize,
    seconds: u64,
    memory_bytes: u64,
}

/// Why it is not done.
struct Failure {
    status: u8,
    why: String,
}

impl Failure {
    fn refused(why: String) -> Self {
        Failure { status: REFUSED, why }
    }

    fn unable(why: impl Display) -> Self {
        Failure { status: UNABLE, why: why.to_string() }
    }
}

impl Order {
    fn arguments(&self) -> [String; 5] {
        let Order { job, small_memory_bytes, seconds, memory_bytes } = self;
        let job = match job {
            Job::Wrap => "wrap",
            Job::Compile(Class::Small) => "small",
            Job::Compile(Class::Large) => "large",
        };
        [
            COMPILE.to_owned(),
            job.to_owned(),
            small_memory_bytes.to_string(),
            seconds.to_string(),
            memory_bytes.to_string(),
        ]
    }

    /// The order in the arguments of this process, if that is what they are.
    fn read(arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let arguments: Vec<String> = arguments.map(|argument| argument.into_string().ok()).collect::<Option<_>>()?;
        let [word, job, small_memory_bytes, seconds, memory_bytes] = &arguments[..] else { return None };
        let job = match (word.as_str(), job.as_str()) {
            (COMPILE, "wrap") => Job::Wrap,
            (COMPILE, "small") => Job::Compile(Class::Small),
            (COMPILE, "large") => Job::Compile(Class::Large),
            _ => return None,
        };
        Some(Order {
            job,
            small_memory_bytes: small_memory_bytes.parse().ok()?,
            seconds: seconds.parse().ok()?,
            memory_bytes: memory_bytes.parse().ok()?,
        })
    }

    /// Bounds this process, and does with what comes on its standard input what it is told.
    fn perform(self) -> Result<Vec<u8>, Failure> {
        let bound = |what, most: u64| setrlimit(what, Rlimit { current: Some(most), maximum: Some(most) });
        bound(Resource::Core, 0)
            .and_then(|()| bound(Resource::Cpu, self.seconds))
            .and_then(|()| bound(Resource::Data, self.memory_bytes))
            .map_err(|error| Failure::unable(format!("it cannot be bounded: {error}")))?;
        // Whoever runs goes first. It is no matter if the system will not have it.
        let _ = nice(10);
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map_err(Failure::unable)?;
        // It is told below, and nothing else is to be on the standard error.
        panic::set_hook(Box::new(|_| {}));
        // The first thread's stack is as large as whoever has started the host likes, which may be without end.
        let work = thread::Builder::new().stack_size(STACK).spawn(move || match self.job {
            Job::Wrap => wrap::encode(&bytes).map_err(|error| Failure::refused(error.into_message())),
            Job::Compile(class) => self.compile(class, &bytes),
        });
        let done = work.map_err(Failure::unable)?.join();
        done.unwrap_or_else(|panic| {
            Err(Failure::refused(format!("the compiler panics: {}", fault::panic_text(&*panic))))
        })
    }

    fn compile(&self, class: Class, component: &[u8]) -> Result<Vec<u8>, Failure> {
        // Compiled code does not depend on how many instances there are; the stacks of thousands would not fit in the bounds.
        let config =
            EngineConfig { slots: Some(1), small_memory_bytes: self.small_memory_bytes, ..EngineConfig::default() };
        let config = match class {
            Class::Small => config.small(),
            Class::Large => config.large(),
        };
        let engine = wasmtime::Engine::new(&config).map_err(Failure::unable)?;
        engine.precompile_component(component).map_err(|error| Failure::refused(format!("{error:#}")))
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
        Err(Failure { status, mut why }) => {
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
        for job in [Job::Wrap, Job::Compile(Class::Small), Job::Compile(Class::Large)] {
            let order = Order { job, small_memory_bytes: 5 << 20, seconds: 3, memory_bytes: 9 << 30 };
            assert_eq!(Order::read(order.arguments().iter().map(OsString::from)), Some(order));
        }
        let arguments = Order { job: Job::Wrap, small_memory_bytes: 0, seconds: 0, memory_bytes: 0 }.arguments();
        for other in [&arguments[..4], &["run".to_owned()], &[]] {
            assert!(Order::read(other.iter().map(OsString::from)).is_none(), "{other:?}");
        }
    }
}
