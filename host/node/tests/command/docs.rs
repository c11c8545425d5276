//! The documents in `docs`: what they show is done, and what they name is there.
//!
//! A text is run word for word. A block of code is written to the file that the line before it ends with (`` `src/lib.rs`:
//! ``); each line of a `console` block that begins with `$ ` is typed into one shell, and the lines below it are what must
//! be printed then. `…` stands for whatever differs: within a line for anything, as a line for any number of lines.

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use crate::skep::Node;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// What the shell says when a command is over.
const OVER: &str = "that was all of it";
/// Said where another test builds at the same time.
const WAITS: [&str; 2] = ["waiting for another build", "Blocking waiting for"];

/// What a reader does with a block.
#[derive(PartialEq, Debug)]
enum Block {
    /// Writes a file.
    File { path: String, content: String },
    /// Types this, and sees that.
    Command { typed: String, expected: Vec<String> },
}

/// The blocks of a text, each with the number of its line.
fn blocks(text: &str) -> Vec<(usize, Block)> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            before = if line.is_empty() { before } else { line };
            continue;
        };
        let body: Vec<(usize, &str)> = lines.by_ref().take_while(|(_, line)| *line != "```").collect();
        if language == "console" {
            for (number, line) in body {
                match (line.strip_prefix("$ "), blocks.last_mut()) {
                    (Some(typed), _) => {
                        blocks.push((number + 1, Block::Command { typed: typed.into(), expected: Vec::new() }));
                    }
                    (None, Some((_, Block::Command { expected, .. }))) => expected.push(line.into()),
                    (None, _) => panic!("line {}: nothing was typed before this", number + 1),
                }
            }
        } else {
            let path = before.strip_suffix("`:").and_then(|before| before.rsplit_once('`'));
            let (_, path) = path.unwrap_or_else(|| panic!("line {}: no file is named for this", number + 1));
            let content = body.iter().map(|(_, line)| format!("{line}\n")).collect();
            blocks.push((number + 1, Block::File { path: path.into(), content }));
        }
    }
    blocks
}

/// Whether all of a text is as in a pattern with gaps.
fn matches<P, T>(pattern: &[P], text: &[T], is_gap: &impl Fn(&P) -> bool, is_like: &impl Fn(&P, &T) -> bool) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((first, rest)) if is_gap(first) => {
            (0..=text.len()).any(|skipped| matches(rest, &text[skipped..], is_gap, is_like))
        }
        Some((first, rest)) => {
            let split = text.split_first();
            split.is_some_and(|(head, tail)| is_like(first, head) && matches(rest, tail, is_gap, is_like))
        }
    }
}

/// Whether what was printed is as the text says, however it is spaced.
fn is_as_told(expected: &[String], printed: &[String]) -> bool {
    let words = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect::<Vec<char>>();
    let expected: Vec<Vec<char>> = expected.iter().map(words).collect();
    let printed: Vec<Vec<char>> = printed.iter().map(words).collect();
    let is_like = |expected: &Vec<char>, line: &Vec<char>| matches(expected, line, &|c| *c == '…', &|a, b| a == b);
    matches(&expected, &printed, &|line| line[..] == ['…'], &is_like)
}

/// A folder, and a shell in it: what `skep` is typed into.
struct Reader {
    folder: TempDir,
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    node: Option<Node>,
}

impl Reader {
    fn new() -> Reader {
        let folder = TempDir::new().expect("a folder");
        let mut shell = with_skep(Command::new("sh"), folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let input = shell.stdin.take().expect("it is piped");
        let output = BufReader::new(shell.stdout.take().expect("it is piped"));
        let mut reader = Reader { folder, shell, input, output, node: None };
        reader.types("exec 2>&1");
        reader
    }

    /// Types a command, and brings the lines that it prints.
    fn types(&mut self, command: &str) -> Vec<String> {
        // It must not read what is typed next, and `echo $?` must show how it ended.
        let typed = format!("{{ {command}\n}} </dev/null\nended=$?; printf '\\n{OVER}\\n'; (exit $ended)\n");
        self.input.write_all(typed.as_bytes()).expect("the shell listens");
        let mut said = String::new();
        while !said.ends_with(&format!("\n{OVER}\n")) {
            let read = self.output.read_line(&mut said).expect("the shell talks");
            assert!(read > 0, "the shell has ended after: {command}\n{said}");
        }
        said.truncate(said.len() - OVER.len() - 2);
        said.lines().map(str::to_owned).filter(|line| !WAITS.iter().any(|waits| line.contains(waits))).collect()
    }

    /// The folder that the shell is in.
    fn place(&mut self) -> PathBuf {
        let status = self.types("was=$?; pwd; (exit $was)");
        PathBuf::from(status.concat())
    }

    /// Does what the text says, and brings what is printed.
    fn follows(&mut self, block: &Block) -> Vec<String> {
        let place = self.place();
        match block {
            Block::File { path, content } => {
                fs::write(place.join(path), content).expect("its folder is there");
                Vec::new()
            }
            // A node runs beside the shell, as in a second terminal.
            Block::Command { typed, .. } if typed.starts_with("skep run ") => {
                let mut command = with_skep(Command::new("sh"), self.folder.path());
                command.current_dir(place).args(["-c", &format!("exec {typed}")]);
                let (node, said) = Node::start(command);
                self.node = Some(node);
                said
            }
            Block::Command { typed, .. } => {
                let printed = self.types(typed);
                self.share_target();
                printed
            }
        }
    }

    /// What a new crate depends on has been built for other tests already.
    fn share_target(&mut self) {
        let place = self.place();
        if place.join("Cargo.toml").exists() && fs::symlink_metadata(place.join("target")).is_err() {
            let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new");
            fs::create_dir_all(&shared).expect("it is ours");
            symlink(shared, place.join("target")).expect("nothing is there");
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// A command that finds `skep`, with a home of its own and without a network.
fn with_skep(mut command: Command, folder: &Path) -> Command {
    let skep = Path::new(env!("CARGO_BIN_EXE_skep")).parent().expect("it is in a folder");
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([skep.to_owned()].into_iter().chain(std::env::split_paths(&others)));
    command.env("PATH", path.expect("folders")).env("SKEP_HOME", folder.join("home"));
    command.env("CARGO_NET_OFFLINE", "true").env("CARGO_TERM_COLOR", "never");
    command.env_remove("CARGO_TARGET_DIR");
    command
}

#[test]
fn upgrading_is_as_it_is_told() {
    let text = fs::read_to_string(format!("{ROOT}/docs/upgrading.md")).expect("it is there");
    let mut reader = Reader::new();
    for (line, block) in blocks(&text) {
        let printed = reader.follows(&block);
        if let Block::Command { typed, expected } = &block {
            assert!(
                is_as_told(expected, &printed),
                "docs/upgrading.md:{line}: $ {typed}\nshould print\n{}\nand prints\n{}",
                expected.join("\n"),
                printed.join("\n")
            );
        }
    }
    let node = reader.node.take().expect("it runs a node");
    assert!(node.wait().success(), "it stops the node");
}

#[test]
fn each_test_that_is_named_is_there() {
    let mut sources = String::new();
    for folder in ["host", "guest-sdk", "tests"] {
        read_all(&Path::new(ROOT).join(folder), &mut sources);
    }
    // What the other pages name is held against the tests by the tests of the whole system.
    let text = fs::read_to_string(format!("{ROOT}/docs/upgrading.md")).expect("it is there");
    // Nothing else in backquotes has a name that long.
    let is_test = |word: &&str| {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        word.chars().all(letters) && word.matches('_').count() >= 3
    };
    let missing: Vec<&str> =
        text.split('`').filter(is_test).filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "these tests are not there: {missing:?}");
}

fn read_all(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn a_text_is_read_as_a_reader_does() {
    let text = "Say it in `a.rs`:\n\n```rust\nfn a() {}\n```\n\n```console\n$ ls\na.rs\n$ true\n```\n";
    let expected = [
        (3, Block::File { path: "a.rs".into(), content: "fn a() {}\n".into() }),
        (8, Block::Command { typed: "ls".into(), expected: vec!["a.rs".into()] }),
        (10, Block::Command { typed: "true".into(), expected: Vec::new() }),
    ];
    assert_eq!(blocks(text), expected);
}

#[test]
fn what_differs_may_differ_and_nothing_else() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (expected, printed, fits) in [
        ("", "", true),
        ("", "a", false),
        ("a  b", "a b", true),
        ("a …", "a b c", true),
        ("a … c", "a b d", false),
        ("…\nb\n…", "a\nb", true),
        ("…\nb", "a\nb\nc", false),
        ("a\n…", "b", false),
    ] {
        assert_eq!(is_as_told(&lines(expected), &lines(printed)), fits, "{expected:?} {printed:?}");
    }
}
