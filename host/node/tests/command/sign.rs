//! A node that runs signed code only: whatever else comes is refused before anything changes.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::skep::{Home, Node, refused};

/// An app of one counter, whose code is this file.
fn manifest(home: &Home, name: &str, code: &str) -> String {
    let text = format!(
        "name = \"{name}\"\n[modules.counter]\npath = \"{code}\"\n[supervisor]\n[[supervisor.children]]\n\
         id = \"counter\"\nmodule = \"counter\"\nname = \"counter\"\nargs = 40\n"
    );
    home.file(&format!("{name}.toml"), text.as_bytes())
}

/// A copy of an example guest, which may be signed and tampered with.
fn copy(home: &Home, guest: &str, file: &str) -> String {
    let code = fs::read(home.build(guest)).expect("it was built");
    home.file(file, &code)
}

/// Changes one byte of a file in a place that no loader minds: the last one, in a name.
fn tamper(path: &str) {
    let mut code = fs::read(path).expect("it is there");
    *code.last_mut().expect("it is not empty") ^= 1;
    fs::write(path, code).expect("it is ours");
}

#[track_caller]
fn version(home: &Home) -> Value {
    home.json(&["call", "counter", r#""Version""#, "--json"])["body"].clone()
}

#[test]
fn a_node_that_wants_signed_code_runs_nothing_else() {
    let home = Home::new();
    let [good, two, three] = [("counter", "one.wasm"), ("counter-v2", "two.wasm"), ("counter-v3", "three.wasm")]
        .map(|(guest, file)| copy(&home, guest, file));
    let app = manifest(&home, "signed", "one.wasm");
    home.ok(&["sign", "--new-key", "good", "--no-password"]);
    home.ok(&["sign", "--new-key", "other", "--no-password"]);
    let run = ["run", &app, "--require-signed", "good.pub"];

    // Start.
    refused(&home.skep(&run), 1, &["one.wasm: it is not signed", "signed.toml:3:", "skep sign"]);
    home.ok(&["sign", &good, "--key", "other.key"]);
    refused(&home.skep(&run), 1, &["signed with another key", "signed.toml:3:", "trusts"]);
    home.ok(&["sign", &good, "--key", "good.key"]);
    tamper(&good);
    refused(&home.skep(&run), 1, &["its signature does not fit", "signed.toml:3:", "sign it anew"]);
    tamper(&good);
    let node = Node::run_with(&home, &run[1..]);

    // Upgrade.
    assert_eq!(version(&home), json!(1));
    refused(&home.skep(&["upgrade", "counter", &two]), 1, &["two.wasm: it is not signed", "skep sign"]);
    let signature = home.file("two.wasm.minisig", b"hello");
    refused(&home.skep(&["upgrade", "counter", &two]), 1, &["not in minisign's format"]);
    fs::copy(format!("{good}.minisig"), &signature).expect("it is ours");
    refused(&home.skep(&["upgrade", "counter", &two]), 1, &["its signature does not fit"]);
    home.ok(&["sign", &two, &three, "--key", "other.key"]);
    refused(&home.skep(&["upgrade", "counter", &two]), 1, &["signed with another key"]);
    assert_eq!(version(&home), json!(1));
    home.ok(&["sign", &two, "--key", "good.key"]);
    home.ok(&["upgrade", "counter", &two]);
    assert_eq!(version(&home), json!(2));

    // Roll back, to kept code that is checked again.
    home.ok(&["rollback", "counter"]);
    assert_eq!(version(&home), json!(1));

    // Deploy.
    let changed = manifest(&home, "signed", "three.wasm");
    refused(&home.skep(&["deploy", &changed, "--yes"]), 1, &["three.wasm: it is signed with another key", ".toml:3:"]);
    let other = manifest(&home, "other", "three.wasm");
    refused(&home.skep(&["deploy", &other, "--yes"]), 1, &["three.wasm: it is signed with another key", ".toml:3:"]);
    assert_eq!(version(&home), json!(1));
    home.ok(&["stop"]);
    assert!(node.wait().success());
}

#[test]
fn a_node_remembers_whose_code_it_runs() {
    let home = Home::new();
    let [one, two] =
        [("counter", "one.wasm"), ("counter-v2", "two.wasm")].map(|(guest, file)| copy(&home, guest, file));
    let app = manifest(&home, "kept", "one.wasm");
    let key = home.json(&["sign", "--new-key", "k", "--no-password", "--json"]);
    let key = key["key"].as_str().expect("it is printed").to_owned();

    // Code that is kept from before the rule is not signed, so there is no way back to it.
    let node = Node::run(&home, &app);
    home.ok(&["sign", &two, "--key", "k.key"]);
    home.ok(&["upgrade", "counter", &two]);
    home.ok(&["stop"]);
    assert!(node.wait().success());
    let two_app = manifest(&home, "kept", "two.wasm");
    // The key itself will do in place of its file.
    let node = Node::run_with(&home, &[&two_app, "--require-signed", &key]);
    refused(&home.skep(&["rollback", "counter"]), 1, &["one.wasm: it is not signed"]);
    refused(&home.skep(&["rollback", "counter", "--to", "1"]), 1, &["one.wasm: it is not signed"]);
    assert_eq!(version(&home), json!(2));
    home.ok(&["stop"]);
    assert!(node.wait().success());

    // Started again without a word about it, the rule holds; and nothing that is built on the way is signed.
    let app = manifest(&home, "kept", "one.wasm");
    refused(&home.skep(&["run", &app]), 1, &["one.wasm: it is not signed"]);
    refused(&home.skep(&["run", &two_app, "--watch"]), 2, &["nobody signs what --watch builds", "--allow-unsigned"]);
    let rule = home.nodes().join("nodes/kept/signers");
    fs::write(&rule, "").expect("it is ours");
    refused(&home.skep(&["run", &app]), 1, &["signers is damaged", "--allow-unsigned"]);
    refused(&home.skep(&["run", &app, "--require-signed", "kk.pub"]), 1, &["cannot read kk.pub"]);
    refused(&home.skep(&["run", &app, "--require-signed", &one]), 2, &["neither a public key"]);
    let node = Node::run_with(&home, &[&app, "--allow-unsigned"]);
    home.ok(&["stop"]);
    assert!(node.wait().success());
}

#[test]
fn a_password_is_read_where_there_is_no_terminal() {
    let home = Home::new();
    let module = home.file("m.wasm", b"any bytes");
    let typed = |arguments: &[&str], password: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
        command.args(arguments).current_dir(home.folder()).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("skep can be started");
        let mut input = child.stdin.take().expect("it is piped");
        input.write_all(password.as_bytes()).expect("it reads");
        drop(input);
        child.wait_with_output().expect("it ran")
    };
    refused(&typed(&["sign", "--new-key", "k"], "\n"), 2, &["the password is empty", "--no-password"]);
    assert!(typed(&["sign", "--new-key", "k"], "open sesame\n").status.success());
    refused(&typed(&["sign", "--new-key", "k"], "open sesame\n"), 1, &["k.pub", "never written over"]);
    refused(&typed(&["sign", &module, "--key", "k.key"], "sesame\n"), 1, &["not the password of k.key"]);
    assert!(fs::metadata(format!("{module}.minisig")).is_err());
    assert!(typed(&["sign", &module, "--key", "k.key"], "open sesame\n").status.success());
    assert!(fs::metadata(format!("{module}.minisig")).is_ok());
    refused(&typed(&["sign", &module, "--key", "k.pub"], "x\n"), 1, &["no secret key"]);
    refused(&typed(&["sign", &module], ""), 2, &["--key"]);
    refused(&typed(&["sign", "none.wasm", "--key", "k.key"], "open sesame\n"), 1, &["cannot read none.wasm"]);
}
