//! Erlang's side: `bench.escript` in a process of its own, told by terms on its standard input.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::BenchError;
use super::order::{Order, Took};

/// The script, where this program was built.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bench/bench.escript");

/// A running Erlang. Waiting for it blocks: nothing else is to go on meanwhile. It ends with this.
pub(super) struct Erlang {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    version: String,
}

impl Erlang {
    /// Starts the Erlang that is installed.
    pub(super) fn start() -> Result<Self, BenchError> {
        let mut command = Command::new("escript");
        command.arg(SCRIPT).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(BenchError::NoErlang)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(BenchError::NoErlang(io::ErrorKind::BrokenPipe.into()));
        };
        let mut erlang = Erlang { child, input, output: BufReader::new(output), version: String::new() };
        erlang.version = erlang.line("to start")?;
        Ok(erlang)
    }

    /// As it calls itself.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Its number in the system.
    pub(super) fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn obey(&mut self, order: &Order) -> Result<Took, BenchError> {
        let term = order.term();
        let told = self.input.write_all(format!("{term}\n").as_bytes());
        told.map_err(|error| BenchError::Erlang { order: term.clone(), why: error.to_string() })?;
        let line = self.line(&term)?;
        read(&line).ok_or(BenchError::Erlang { order: term, why: format!("it said {line:?}") })
    }

    fn line(&mut self, order: &str) -> Result<String, BenchError> {
        let mut line = String::new();
        let failed = |why: String| BenchError::Erlang { order: order.to_owned(), why };
        match self.output.read_line(&mut line).map_err(|error| failed(error.to_string()))? {
            0 => Err(failed("it ended".to_owned())),
            _ => Ok(line.trim().to_owned()),
        }
    }
}

impl Drop for Erlang {
    fn drop(&mut self) {
        // It may be in the middle of something. If it has ended already, that is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Numbers with blanks between: nanoseconds in all, and each.
fn read(line: &str) -> Option<Took> {
    let mut numbers = line.split_whitespace().map(|word| word.parse::<u64>().ok());
    let whole = Duration::from_nanos(numbers.next()??);
    Some(Took { whole, each: numbers.collect::<Option<_>>()?, state_bytes: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_and_nothing_else() {
        let took = Took { whole: Duration::from_nanos(30), each: vec![10, 20], state_bytes: 0 };
        assert_eq!(read("30 10 20\n"), Some(took));
        assert_eq!(read("30 {error}"), None);
        assert_eq!(read(""), None);
    }
}
