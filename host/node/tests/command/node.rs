//! A node from start to stop, as an operator types it.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::skep::{Home, Node, refused};

/// The example's manifest, under another name.
pub(crate) fn counter(home: &Home, name: &str) -> String {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples-wasm/counter");
    let text = std::fs::read_to_string(format!("{example}/counter.toml")).expect("the example is there");
    let text = text.replacen("name = \"counter\"", &format!("name = \"{name}\""), 1);
    let text = text.replace("crate = \".\"", &format!("crate = \"{example}\""));
    home.file(&format!("{name}.toml"), text.as_bytes())
}

#[test]
fn two_nodes_run_side_by_side_and_each_answers_for_itself() {
    let home = Home::new();
    let one = Node::run(&home, &counter(&home, "one"));
    let two = Node::run(&home, &counter(&home, "two"));

    assert_eq!(home.json(&["call", "counter", r#"{"Add":2}"#, "--node", "one", "--json"])["body"], json!(42));
    assert_eq!(home.json(&["call", "counter", r#""Get""#, "--node", "two", "--json"])["body"], json!(40));
    refused(&home.skep(&["ps"]), 1, &["one", "two", "--node"]);
    refused(&home.skep(&["run", &counter(&home, "one")]), 1, &["`one`", "already"]);
    refused(&home.skep(&["call", "nobody", "1", "--node", "one"]), 1, &["no process named `nobody`", "counter"]);

    home.ok(&["stop", "--node", "two"]);
    assert!(two.wait().success());
    // Now there is one, which need not be named.
    home.ok(&["cast", "counter", "1"]);
    home.ok(&["stop"]);
    assert!(one.wait().success());
}

#[test]
fn a_crash_is_seen_and_the_child_is_back() {
    let home = Home::new();
    let node = Node::run(&home, &counter(&home, "crash"));
    home.ok(&["call", "counter", r#"{"Add":1}"#]);
    let crash = home.skep(&["call", "counter", r#""Fly""#]);
    refused(&crash, 1, &["ended before it replied", "unknown variant `Fly`", "skep logs"]);
    home.ok(&["call", "counter", r#""Get""#]);

    let tree = home.json(&["tree", "--json"]).to_string();
    assert!(tree.contains("\"restarts\":1"), "{tree}");
    let log = home.ok(&["logs"]);
    for part in ["crashed while handling `call`", "unknown variant `Fly`", "restart"] {
        assert!(log.contains(part), "{part} is not in\n{log}");
    }
    let processes = home.json(&["ps", "--json"]);
    assert!(processes.to_string().contains("\"counter\""), "{processes}");
    node.interrupt();
    assert!(node.wait().success(), "Ctrl-C stops in order");
}

#[test]
fn a_dead_node_is_not_taken_for_a_live_one_and_its_name_is_free() {
    let home = Home::new();
    let manifest = counter(&home, "dead");
    Node::run(&home, &manifest).kill();
    refused(&home.skep(&["ps", "--node", "dead"]), 1, &["`dead` is not running", "skep run"]);
    let again = Node::run(&home, &manifest);
    assert_eq!(home.json(&["call", "counter", r#""Get""#, "--json"])["body"], json!(40));
    home.ok(&["stop"]);
    assert!(again.wait().success());
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let home = Home::new();
    for command in [
        "run", "new", "build", "ps", "top", "metrics", "tree", "inspect", "grants", "sys", "call", "cast", "logs",
        "upgrade", "rollback", "versions", "deploy", "undeploy", "stop", "demo", "bench",
    ] {
        let help = home.ok(&[command, "--help"]);
        assert!(help.contains(&format!("skep {command}")) && help.contains("--json"), "{command}:\n{help}");
        assert!(help.contains("xample"), "{command} has no example:\n{help}");
    }
}

#[test]
fn json_is_one_value_for_scripts_also_when_it_fails() {
    let home = Home::new();
    let output = home.skep(&["ps", "--json"]);
    let error: Value = serde_json::from_slice(&output.stderr).expect("an error is JSON too");
    assert_eq!(error["error"]["code"], json!("not_running"));
}

/// Asks on a socket, as the user with this id: what comes back.
fn asked_by(uid: u32, socket: &Path) -> String {
    const ASK: &str = r#"
        $SIG{PIPE} = 'IGNORE';
        my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "cannot connect: $!";
        print $socket "GET /v1/processes HTTP/1.1\r\nHost: skep\r\nConnection: close\r\n\r\n";
        local $/;
        print "answer: ", <$socket> // "";"#;
    let mut perl = Command::new("perl");
    let output = perl.args(["-MIO::Socket::UNIX", "-e", ASK]).arg(socket).uid(uid).current_dir("/").output();
    let output = output.expect("every Debian has perl");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.starts_with("answer: "), "{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn only_the_owner_is_heard_on_the_socket() {
    const NOBODY: u32 = 65_534;
    let home = Home::new();
    if std::fs::metadata(home.folder()).expect("it is there").uid() != 0 {
        eprintln!("skipped: only root can be somebody else");
        return;
    }
    let node = Node::run(&home, &counter(&home, "guarded"));
    let socket = home.nodes().join("nodes/guarded/control.sock");
    // Nobody else can get there. Somebody opens all the doors on the way.
    for path in socket.ancestors().take_while(|path| path.starts_with(home.folder())) {
        std::fs::set_permissions(path, Permissions::from_mode(0o777)).expect("it is ours");
    }
    assert!(asked_by(0, &socket).contains("200 OK"));
    assert_eq!(asked_by(NOBODY, &socket), "answer: ", "it is hung up on");
    assert!(asked_by(0, &socket).contains("counter"), "the owner is heard as before");
    // The command itself would not enter a folder that is open to all.
    let all = home.nodes();
    std::fs::set_permissions(&all, Permissions::from_mode(0o700)).expect("it is ours");
    let log = home.ok(&["logs"]);
    assert!(log.contains("turned the user with id 65534 away"), "{log}");
    home.ok(&["stop"]);
    assert!(node.wait().success());
}
