//! The `skep` command as tests start it: a home of its own, nodes that are gone when the test is.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A node's home, and a folder for manifests.
pub(crate) struct Home {
    folder: TempDir,
    /// Where commands are typed.
    place: PathBuf,
    /// Where cargo puts what it makes, if not beneath the crate.
    target: Option<PathBuf>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        Home { place: folder.path().to_owned(), folder, target: None }
    }

    /// For crates made in it. It is the same place at each run, and what they depend on is shared, so that it is not
    /// compiled anew; and it lies within another workspace, as a newcomer's may.
    pub(crate) fn for_crates_of(test: &str) -> Self {
        let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let place = temporary.join("crates").join(test);
        let _ = std::fs::remove_dir_all(&place);
        std::fs::create_dir_all(&place).expect("it is ours");
        Home { place, target: Some(temporary.join("crates/target")), ..Home::new() }
    }

    /// Where a crate made here leaves its component.
    pub(crate) fn component(&self, name: &str) -> String {
        let target = self.target.as_ref().expect("it is for new crates");
        target.join(format!("skep/{name}.wasm")).to_str().expect("a plain path").to_owned()
    }

    /// Runs the tests of a crate made here, without a network.
    #[track_caller]
    pub(crate) fn cargo_test(&self, name: &str) -> String {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(["test", "--offline"]).current_dir(self.place.join(name));
        command.envs(self.target.as_ref().map(|target| ("CARGO_TARGET_DIR", target)));
        let output = command.stdin(Stdio::null()).output().expect("cargo can be started");
        assert!(output.status.success(), "cargo test:\n{}", shown(&output));
        shown(&output)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
        command.arg("--home").arg(self.folder.path().join("home")).args(arguments).current_dir(&self.place);
        command.envs(self.target.as_ref().map(|target| ("CARGO_TARGET_DIR", target)));
        command
    }

    /// Runs the command to its end.
    pub(crate) fn skep(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().expect("skep can be started")
    }

    /// Runs a command that must succeed, and brings what it printed.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.skep(arguments);
        assert!(output.status.success(), "skep {arguments:?}:\n{}", shown(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts the command, whose standard output is read as it comes.
    pub(crate) fn start(&self, arguments: &[&str]) -> Started {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("skep can be started");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Started { child, lines }
    }

    /// The folder that commands are typed in.
    pub(crate) fn folder(&self) -> &Path {
        &self.place
    }

    /// The node's home itself.
    pub(crate) fn nodes(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Runs a command that must print JSON.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(arguments);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("skep {arguments:?} prints no JSON, {error}: {text}"))
    }

    /// Writes a file, and brings its path.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.place.join(name);
        std::fs::write(&path, content).expect("it can be written");
        path.to_str().expect("a plain path").to_owned()
    }

    /// Builds an example guest, and brings the component's path.
    pub(crate) fn build(&self, guest: &str) -> PathBuf {
        let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples-wasm");
        let request = ::skep::build::Request::new(crates).only([guest]);
        let built = ::skep::build::guests(&request, &mut ::skep::build::Quiet);
        built.unwrap_or_else(|error| panic!("{}", error.in_full())).swap_remove(0).path
    }
}

/// What a command printed.
fn shown(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// The command failed with this code, and said all of this.
#[track_caller]
pub(crate) fn refused(output: &Output, code: i32, expected: &[&str]) {
    // Long lines are wrapped, with a bar before what is carried over.
    let text: Vec<String> = shown(output).split_whitespace().filter(|word| *word != "│").map(str::to_owned).collect();
    let text = text.join(" ");
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in expected {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is not there yet must not be kept from its processor by the question.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is what must come; until then a look brings what there is instead.
#[track_caller]
pub(crate) fn until<T>(mut look: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(started.elapsed() < PATIENCE, "waited in vain: {seen}"),
        }
        std::thread::sleep(PAUSE);
    }
}

/// A command that runs.
pub(crate) struct Started {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Started {
    /// Reads on until a line has this in it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        let mut said = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.expect("it is text");
            if line.contains(part) {
                return line;
            }
            said.push(line);
        }
        panic!("{part:?} was never said:\n{}", said.join("\n"));
    }

    /// Ends it without a chance to clean up.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ran");
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A node in the foreground of another process.
pub(crate) struct Node {
    child: Child,
}

impl Node {
    /// Starts a node, and waits until it says that it is up.
    #[track_caller]
    pub(crate) fn run(home: &Home, manifest: &str) -> Node {
        Node::run_with(home, &[manifest])
    }

    /// Starts a node with these arguments, and waits until it says that it is up.
    #[track_caller]
    pub(crate) fn run_with(home: &Home, arguments: &[&str]) -> Node {
        Node::start(home.command(&[&["run"], arguments].concat())).0
    }

    /// Starts a node, waits until it says that it is up, and brings all that it said.
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> (Node, Vec<String>) {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("skep can be started");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let mut said = Vec::new();
        while let Some(Ok(line)) = lines.next() {
            let up = line.contains("is up");
            said.push(line);
            if up {
                // Whatever else it says is read, so that it never waits for a reader.
                std::thread::spawn(move || lines.for_each(drop));
                return (Node { child }, said);
            }
        }
        let end = child.wait().expect("it ran");
        panic!("the node does not come up, {end}:\n{}", said.join("\n"));
    }

    /// Kilobytes of memory that it has now.
    pub(crate) fn memory_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says so");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// What Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    }

    /// Ends it without a chance to clean up.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ran");
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().expect("it ran")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
