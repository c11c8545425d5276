//! Runs another program and hears every line it writes.
//!
//! Owns its pipes and its time limit. Never interprets what it says. Called for cargo, rustup, rustc, dpkg and apt-get.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::BuildError;

/// A line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Out(String),
    Err(String),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    Badly(ExitStatus),
    /// It was still at work when its time was up, and was killed.
    OutOfTime,
}

/// Longer than any of these programs takes to answer; only a download has a limit that matters.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Runs until it ends, or for at most so long.
pub(super) fn run(
    command: &mut Command,
    limit: Option<Duration>,
    on_line: &mut dyn FnMut(Line),
) -> Result<Ended, BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    follow(command, limit.unwrap_or(FOR_EVER), on_line).map_err(|source| BuildError::Start { program, source })
}

fn follow(command: &mut Command, limit: Duration, on_line: &mut dyn FnMut(Line)) -> io::Result<Ended> {
    let deadline = Instant::now() + limit;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (lines, received) = mpsc::channel();
    if let Some(pipe) = child.stdout.take() {
        forward(pipe, lines.clone(), Line::Out);
    }
    if let Some(pipe) = child.stderr.take() {
        forward(pipe, lines, Line::Err);
    }
    loop {
        match received.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => on_line(line),
            // Both pipes are closed.
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child.kill()?;
                child.wait()?;
                return Ok(Ended::OutOfTime);
            }
        }
    }
    let status = child.wait()?;
    Ok(if status.success() { Ended::Well } else { Ended::Badly(status) })
}

/// Runs on the terminal of this process, where a person may type what it asks for.
pub(super) fn attended(command: &mut Command) -> Result<Ended, BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|source| BuildError::Start { program, source })?;
    Ok(if status.success() { Ended::Well } else { Ended::Badly(status) })
}

/// The thread is left to itself: after a kill, a grandchild may hold the pipe open for as long as it likes.
fn forward(pipe: impl Read + Send + 'static, lines: Sender<Line>, kind: fn(String) -> Line) {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(pipe.read_until(b'\n', &mut line), Ok(1..)) {
            if lines.send(kind(shown(&line))).is_err() {
                return;
            }
            line.clear();
        }
    });
}

/// What a terminal would show of a line: where it returns to its beginning, as progress does, only the last of it.
fn shown(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end_matches(['\n', '\r']);
    line.rsplit('\r').next().unwrap_or(line).to_owned()
}

/// What a program answered: everything on its standard output, if it ended well, or else everything it said.
pub(super) fn ask(command: &mut Command) -> Result<Result<String, String>, BuildError> {
    let (mut answer, mut all) = (String::new(), String::new());
    let ended = run(command, None, &mut |line| {
        let text = match &line {
            Line::Out(text) => {
                answer.push_str(text);
                answer.push('\n');
                text
            }
            Line::Err(text) => text,
        };
        all.push_str(text);
        all.push('\n');
    })?;
    Ok(if ended == Ended::Well { Ok(answer) } else { Err(all) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_heard() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; printf three; exit 3"]);
        let ended = run(&mut command, None, &mut |line| lines.push(line)).expect("sh starts");
        assert!(matches!(ended, Ended::Badly(status) if status.code() == Some(3)), "{ended:?}");
        assert_eq!(lines.len(), 3, "{lines:?}");
        for line in [Line::Out("one".into()), Line::Err("two".into()), Line::Out("three".into())] {
            assert!(lines.contains(&line), "{line:?} in {lines:?}");
        }
    }

    #[test]
    fn progress_leaves_its_last_word() {
        for (line, expected) in [("plain\n", "plain"), ("dos\r\n", "dos"), ("5%\r10%\rdone\n", "done"), ("\n", "")] {
            assert_eq!(shown(line.as_bytes()), expected);
        }
    }

    #[test]
    fn what_takes_too_long_is_killed() {
        let mut command = Command::new("sh");
        command.args(["-c", "read -r line < /dev/zero"]);
        let ended = run(&mut command, Some(Duration::ZERO), &mut |_| {}).expect("sh starts");
        assert_eq!(ended, Ended::OutOfTime);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("skep-no-such-program"), None, &mut |_| {}).expect_err("there is none");
        assert!(error.to_string().contains("skep-no-such-program"), "{error}");
    }
}
