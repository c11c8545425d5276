//! A node that is asked over TCP: tokens, certificates and the audit log, as they are typed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::node::counter;
use crate::skep::{Home, Node, refused};

/// A node with a free port: it, its address, and the fingerprint of its certificate.
pub(crate) fn listening(home: &Home, arguments: &[&str]) -> (Node, String, String) {
    let (node, said) = Node::start(home.command(&[&["run"], arguments, &["--listen", "127.0.0.1:0"]].concat()));
    let line = said.iter().find(|line| line.contains("listens at ")).unwrap_or_else(|| panic!("{said:?}"));
    let (_, rest) = line.split_once("listens at ").expect("it is in it");
    let (address, fingerprint) = rest.split_once(", certificate ").expect("it says both");
    (node, address.to_owned(), fingerprint.trim().to_owned())
}

/// The command as it is typed on another machine: all that it has is in the environment.
fn away(home: &Home, variables: &[(&str, &str)], arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
    command.env("SKEP_HOME", home.folder().join("nowhere")).envs(variables.iter().copied());
    command.args(arguments).current_dir(home.folder()).output().expect("skep can be started")
}

#[test]
fn a_token_lets_its_holder_ask_from_elsewhere_until_it_is_revoked() {
    let home = Home::new();
    let app = counter(&home, "far");
    let eyes = home.ok(&["token", "new", "eyes", "--scope", "read", "--node", "far"]);
    let (node, address, fingerprint) = listening(&home, &[&app]);
    let ci = home.json(&["token", "new", "ci", "--scope", "deploy", "--expires", "30d", "--json"]);
    let ci = ci["token"].as_str().expect("it is printed").to_owned();
    let file = home.file("eyes.token", eyes.as_bytes());
    let pinned = ("SKEP_FINGERPRINT", fingerprint.as_str());
    let as_ci = [pinned, ("SKEP_TOKEN", ci.as_str())];
    let as_eyes = [pinned, ("SKEP_TOKEN_FILE", file.as_str())];
    let at = ["--node", address.as_str()];

    // A file that others can read has been read by others.
    refused(&away(&home, &as_eyes, &[&["ps"], &at[..]].concat()), 1, &["others can read", "chmod 600"]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let processes = away(&home, &as_eyes, &[&["ps", "--json"], &at[..]].concat());
    assert!(String::from_utf8_lossy(&processes.stdout).contains("\"counter\""), "{processes:?}");
    let add = [&["call", "counter", r#"{"Add":2}"#], &at[..]].concat();
    refused(&away(&home, &as_eyes, &add), 1, &["token eyes may read", "needs `operate`", "--scope operate"]);
    let called = away(&home, &as_ci, &add);
    assert_eq!(String::from_utf8_lossy(&called.stdout).trim(), "42", "{called:?}");
    let two = home.build("counter-v2");
    let upgrade = [&["upgrade", "counter", two.to_str().expect("plain")], &at[..]].concat();
    refused(&away(&home, &as_eyes, &upgrade), 1, &["token eyes may read", "needs `deploy`"]);
    assert!(away(&home, &as_ci, &upgrade).status.success());

    // What is missing is said, and nothing is asked of anybody then.
    refused(&away(&home, &[pinned], &add), 2, &["no token", "--token-file", "SKEP_TOKEN"]);
    refused(&away(&home, &as_ci[1..], &add), 2, &["which certificate to believe", "--fingerprint", "--ca-file"]);
    let wrong = [("SKEP_FINGERPRINT", &"00".repeat(32)[..]), as_ci[1]];
    refused(&away(&home, &wrong, &add), 1, &["cannot reach", "fingerprint"]);
    refused(&away(&home, &as_ci, &["ps", "--node", "https://127.0.0.1"]), 2, &["no address", "https://host:port"]);

    let listed = home.json(&["token", "list", "--json"]);
    assert_eq!((&listed[0]["name"], &listed[1]["scope"]), (&json!("eyes"), &json!("deploy")));
    assert!(!listed.to_string().contains(&ci), "it is shown once");
    assert!(home.ok(&["token", "list"]).contains("eyes"));
    home.ok(&["token", "revoke", "ci"]);
    refused(&away(&home, &as_ci, &add), 1, &["none of this node's, or was revoked", "skep token new"]);
    refused(&home.skep(&["token", "revoke", "ci"]), 1, &["no token named `ci`"]);
    refused(&home.skep(&["token", "new", "eyes", "--scope", "read"]), 1, &["a token named `eyes` already"]);
    refused(&home.skep(&["token", "new", "x", "--scope", "all"]), 2, &["read", "operate", "deploy"]);
    refused(&home.skep(&["token", "list", "--node", &address]), 2, &["where the node runs"]);
    refused(&home.skep(&["token", "new", "x", "--scope", "read", "--node", &address]), 2, &["where the node runs"]);
    refused(&home.skep(&["audit", "--node", "fra"]), 1, &["no node named `fra`", "far"]);

    home.ok(&["cast", "counter", "1"]);
    home.ok(&["stop"]);
    assert!(node.wait().success());
    // It outlives the node, and says who did what.
    let told = home.ok(&["audit", "--json"]);
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    let owner = format!("uid {}", rustix::process::geteuid().as_raw());
    let expected = [
        ("token eyes", "call", Value::Null, "forbidden"),
        ("token ci", "call", json!("counter"), "done"),
        ("token eyes", "upgrade", Value::Null, "forbidden"),
        ("token ci", "upgrade", json!("counter"), "done"),
        ("nobody", "call", Value::Null, "unauthorized"),
        (owner.as_str(), "cast", json!("counter"), "done"),
        (owner.as_str(), "stop", Value::Null, "done"),
    ];
    let line = |entry: &Value| [&entry["who"], &entry["action"], &entry["target"], &entry["result"]].map(Value::clone);
    let expected: Vec<[Value; 4]> = expected
        .into_iter()
        .map(|(who, action, target, result)| [json!(who), json!(action), target, json!(result)])
        .collect();
    assert_eq!(told.iter().map(line).collect::<Vec<_>>(), expected);
    assert!(home.ok(&["audit", "--lines", "1"]).contains("stop"));
    assert!(!home.ok(&["audit"]).contains("Add"), "bodies are not in it");
}

#[test]
fn a_certificate_that_others_vouch_for_is_believed_for_its_name() {
    let home = Home::new();
    let app = counter(&home, "named");
    // One that vouches for itself, for the name `localhost`.
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("it can be made");
    let certificate = home.file("cert.pem", made.cert.pem().as_bytes());
    let key = home.file("key.pem", made.signing_key.serialize_pem().as_bytes());
    let (node, address, _) = listening(&home, &[&app, "--tls-cert", &certificate, "--tls-key", &key]);
    let token = home.ok(&["token", "new", "eyes", "--scope", "read"]);
    let port = address.rsplit(':').next().expect("it has one");
    let variables = [("SKEP_TOKEN", token.trim()), ("SKEP_CA_FILE", certificate.as_str())];
    let by_name = away(&home, &variables, &["ps", "--node", &format!("https://localhost:{port}")]);
    assert!(by_name.status.success(), "{by_name:?}");
    refused(&away(&home, &variables, &["ps", "--node", &address]), 1, &["cannot reach", "127.0.0.1"]);
    node.interrupt();
    assert!(node.wait().success());
    refused(&home.skep(&["run", &app, "--tls-cert", &certificate, "--tls-key", &key]), 2, &["--listen"]);
    let listen = ["run", &app, "--listen", "127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &certificate];
    refused(&home.skep(&listen), 1, &["cert.pem cannot be used"]);
}
