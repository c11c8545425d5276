//! Apps that come, change and go on a node that runs, as an operator types it.

use std::path::Path;

use serde_json::{Value, json};
use skep::control::client::{Client, ClientError};
use skep::control::protocol::{Agreed, DeployLine, Proposal, Wanted};
use skep::node::plan::Does;

use crate::skep::{Home, Node, refused};

/// A manifest: modules by name and path, then the keys of the root supervisor.
fn manifest(app: &str, modules: &[(&str, &Path)], supervisor: &str) -> String {
    let mut text = format!("name = \"{app}\"\n");
    for (name, path) in modules {
        text.push_str(&format!("[modules.{name}]\npath = \"{}\"\n", path.display()));
    }
    text + "[supervisor]\nmax_restarts = 3\n" + supervisor
}

fn child(id: &str, module: &str, keys: &str) -> String {
    format!("[[supervisor.children]]\nid = \"{id}\"\nmodule = \"{module}\"\nname = \"{id}\"\n{keys}\n")
}

/// A node with the app `first`: the counters `a` and `b`.
struct Site {
    home: Home,
    node: Node,
    counter: std::path::PathBuf,
}

impl Site {
    fn new() -> Self {
        let home = Home::new();
        let counter = home.build("counter");
        let children = child("a", "counter", "args = 1") + &child("b", "counter", "args = 2");
        let path = home.file("first.toml", manifest("first", &[("counter", &counter)], &children).as_bytes());
        let node = Node::run(&home, &path);
        Site { home, node, counter }
    }

    /// Writes another manifest of the app `first`.
    fn change(&self, modules: &[(&str, &Path)], supervisor: &str) -> String {
        self.home.file("first.toml", manifest("first", modules, supervisor).as_bytes())
    }

    #[track_caller]
    fn deploy(&self, manifest: &str) -> Value {
        self.home.json(&["deploy", manifest, "--yes", "--json"])
    }

    #[track_caller]
    fn call(&self, name: &str, request: &str) -> Value {
        self.home.json(&["call", name, request, "--json"])["body"].clone()
    }

    /// Who runs: app, id and pid of every process.
    fn processes(&self) -> Vec<[String; 3]> {
        let Value::Array(processes) = self.home.json(&["ps", "--json"]) else { panic!("no list") };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        processes.iter().map(|process| ["app", "id", "pid"].map(|key| text(&process[key]))).collect()
    }

    fn pid(&self, id: &str) -> String {
        let found = self.processes().into_iter().find(|[_, known, _]| known == id);
        found.unwrap_or_else(|| panic!("there is no {id}"))[2].clone()
    }

    fn client<T>(&self, ask: impl AsyncFnOnce(Client) -> T) -> T {
        let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
        tokio.block_on(async {
            let home = self.home.nodes();
            ask(Client::find(&home, None).await.expect("it runs")).await
        })
    }
}

#[test]
fn an_app_comes_changes_and_goes_beside_another() {
    let site = Site::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples-wasm/counter");
    let second = |supervisor: &str| {
        let text = format!("name = \"second\"\n[modules.counter]\ncrate = \"{example}\"\n[supervisor]\n{supervisor}");
        site.home.file("second.toml", text.as_bytes())
    };
    let text = site.home.ok(&["deploy", &second(&child("x", "counter", "args = 5")), "--yes"]);
    for part in ["second on first would be started:", "add", "version 1 (", "start    x", "deployed second", "it is up"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(site.call("second/x", r#"{"Add":1}"#), json!(6));

    let again = second(&child("x", "counter", "args = 5"));
    let nothing = site.deploy(&again);
    assert_eq!((&nothing["plan"]["does"], &nothing["done"]), (&json!("nothing"), &Value::Null));
    assert!(site.home.ok(&["deploy", &again, "--yes"]).contains("nothing to do"));

    let (x, a) = (site.pid("x"), site.pid("a"));
    let children = child("y", "counter", "args = 7") + &child("x", "counter", "args = 9\nlimits = { timers = 5 }");
    let done = site.deploy(&second(&("strategy = \"one_for_all\"\n".to_owned() + &children)));
    assert_eq!(done["plan"]["does"], json!("change"));
    let changes = |step: usize| {
        let changes = done["plan"]["children"][step]["changes"].as_array().cloned().unwrap_or_default();
        changes
            .iter()
            .map(|change| format!("{} {}", change["what"], change["when"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(changes(0), ["strategy now"]);
    assert_eq!(changes(1), ["args next_start", "limits.timers now"]);
    assert_eq!((&done["done"]["started"], &done["done"]["stopped"]), (&json!(["y"]), &json!([])));
    assert_eq!((site.pid("x"), site.call("x", r#""Get""#)), (x, json!(6)), "the same process, with its state");
    assert_eq!(site.call("second/y", r#""Get""#), json!(7));

    let done = site.deploy(&second(&child("y", "counter", "args = 7")));
    assert_eq!(done["done"]["stopped"], json!(["x"]));
    refused(&site.home.skep(&["call", "x", r#""Get""#]), 1, &["no process named `x`"]);

    let gone = site.home.ok(&["undeploy", "second"]);
    assert!(gone.contains("second has ended on first: shutdown"), "{gone}");
    refused(&site.home.skep(&["undeploy", "second"]), 1, &["no app named `second`", "`first`"]);
    assert_eq!(site.pid("a"), a, "nobody else was touched");
    site.home.ok(&["stop"]);
    assert!(site.node.wait().success());
}

#[test]
fn modules_are_upgraded_all_or_none_and_the_rest_follows() {
    let site = Site::new();
    let (v1, v2, refuses) = (&site.counter, site.home.build("counter-v2"), site.home.build("counter-refuses"));
    let pair = child("a", "counter", "args = 1") + &child("b", "other", "args = -5");
    // Child `b` becomes one of another module, which counts at its next start: so the app is started anew.
    site.home.ok(&["undeploy", "first"]);
    site.deploy(&site.change(&[("counter", v1), ("other", v1)], &pair));
    site.call("a", r#"{"Add":10}"#);

    // Of two that change, one refuses: then neither does, and nobody comes or goes.
    let before = site.processes();
    let with_c = pair.clone() + &child("c", "more", "args = 3");
    let bad = site.change(&[("counter", &v2), ("other", &refuses), ("more", v1)], &with_c);
    let output = site.home.skep(&["deploy", &bad, "--yes"]);
    refused(&output, 1, &["cannot be upgraded", "version 2 cannot count from -5", "correct the migration"]);
    assert_eq!(site.processes(), before);
    assert_eq!((site.call("a", r#""Version""#), site.call("b", r#""Version""#)), (json!(1), json!(1)));

    let good = site.change(&[("counter", &v2), ("other", &v2), ("more", v1)], &with_c);
    let text = site.home.ok(&["deploy", &good, "--yes", "--wait", "10s"]);
    for part in
        ["upgrade  counter  version 1 (", "→ version 2 (", "add      more", "2 processes upgraded", "1 child started"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(site.processes()[..before.len()], before, "the same processes");
    assert_eq!((site.call("a", r#""Get""#), site.call("a", r#""Version""#)), (json!(11), json!(2)));
    assert_eq!((site.call("b", r#""Get""#), site.call("b", r#""Version""#)), (json!(-5), json!(2)));
    assert_eq!((site.call("c", r#""Get""#), site.call("c", r#""Version""#)), (json!(3), json!(1)));
    // What was deployed is in the history, and there is a way back.
    let versions = site.home.ok(&["versions", "--history"]);
    assert!(versions.contains("deploy"), "{versions}");
    site.home.ok(&["rollback", "counter"]);
    assert_eq!((site.call("a", r#""Get""#), site.call("a", r#""Version""#)), (json!(11), json!(1)));
    site.home.ok(&["stop"]);
}

#[test]
fn a_child_that_does_not_start_is_named_and_everything_else_is_done() {
    let site = Site::new();
    let a = site.pid("a");
    let bad = child("bad", "counter", "args = \"no number\"");
    let children = child("a", "counter", "args = 1") + &bad + &child("c", "counter", "args = 3");
    let path = site.change(&[("counter", &site.counter)], &children);
    for _ in 0..2 {
        let output = site.home.skep(&["deploy", &path, "--yes"]);
        refused(&output, 1, &["1 child of `first` did not start", "bad: ", "cannot decode", "skep logs"]);
        assert_eq!((site.pid("a"), site.call("c", r#""Get""#)), (a.clone(), json!(3)));
    }
    let output = site.home.skep(&["deploy", &path, "--yes", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let done: Value = serde_json::from_slice(&output.stdout).expect("what was done is JSON");
    assert_eq!(done["done"]["failed"][0]["child"], json!("bad"));
    // An app of which a child does not start is not started at all.
    let path = site.home.file("other.toml", manifest("other", &[("counter", &site.counter)], &bad).as_bytes());
    refused(&site.home.skep(&["deploy", &path, "--yes"]), 1, &["did not start", "bad", "skep logs"]);
    assert_eq!(site.home.json(&["tree", "--json"]).as_array().map(Vec::len), Some(1));
    site.home.ok(&["stop"]);
}

#[test]
fn bad_input_is_refused_before_anything_changes() {
    let site = Site::new();
    let before = site.processes();
    let file = |name: &str, content: &[u8]| std::path::PathBuf::from(site.home.file(name, content));
    let foreign = wat::parse_str(
        r#"(component
            (import "acme:rocket/engine@1.0.0" (instance (export "fire" (func))))
            (instance $nothing)
            (export "skep:process/entry@0.1.0" (instance $nothing)))"#,
    );
    let text = file("text.wasm", b"hello, I am text");
    let foreign = file("foreign.wasm", &foreign.expect("it is a component"));
    let task = site.home.build("probe-task");
    let children = child("a", "counter", "args = 1") + &child("c", "counter", "");
    let cases: &[(&Path, &[&str])] = &[
        (&text, &["module `counter`", "not WebAssembly", "first.toml:3:8", "skep build"]),
        (&foreign, &["acme:rocket/engine", "first.toml:3:8"]),
        (Path::new("missing.wasm"), &["cannot read", "missing.wasm", "first.toml:3:8", "check the path"]),
        (&task, &["is a server", "is a task"]),
    ];
    for (code, expected) in cases {
        let path = site.change(&[("counter", code)], &children);
        refused(&site.home.skep(&["deploy", &path, "--yes"]), 1, expected);
        assert_eq!(site.processes(), before);
    }
    let unknown = site.change(&[("counter", &site.counter)], &child("a", "countr", ""));
    refused(
        &site.home.skep(&["deploy", &unknown, "--yes"]),
        1,
        &["unknown module `countr`", "did you mean `counter`?"],
    );
    refused(&site.home.skep(&["deploy", "no-such.toml", "--yes"]), 1, &["cannot read", "no-such.toml"]);
    let good = site.change(&[("counter", &site.counter)], &children);
    let usage: &[(&[&str], &[&str])] = &[
        (&["deploy", &good], &["no terminal", "--yes"]),
        (&["deploy", &good, "--json"], &["no terminal", "--yes"]),
        (&["deploy", "--yes"], &["<APP.TOML>"]),
        (&["deploy", &good, "--yes", "--wait", "soon"], &["--wait", "a time is"]),
        (&["undeploy"], &["<APP>"]),
    ];
    for (arguments, expected) in usage {
        refused(&site.home.skep(arguments), 2, expected);
    }
    refused(&site.home.skep(&["deploy", &good, "--yes", "--node", "ghost"]), 1, &["`ghost` is not running", "first"]);
    refused(&site.home.skep(&["undeploy", "frist"]), 1, &["no app named `frist`", "did you mean `first`?"]);
    assert_eq!(site.processes(), before);
    site.home.ok(&["stop"]);
}

#[test]
fn the_node_outlives_the_app_it_was_started_with_but_not_its_crash() {
    let site = Site::new();
    site.home.ok(&["undeploy", "first"]);
    assert_eq!(site.processes(), Vec::<[String; 3]>::new());
    // The manifest that the node was started with is an app like any other now.
    let children = child("a", "counter", "args = 4");
    let path = site.change(&[("counter", &site.counter)], &children);
    assert_eq!(site.deploy(&path)["plan"]["does"], json!("start"));
    assert_eq!(site.call("a", r#""Get""#), json!(4));
    // One that gives up by itself is said so, and can be deployed again.
    for _ in 0..4 {
        // Each of these ends it; the last one is one too many, and may not find it any more.
        site.home.skep(&["call", "a", r#""Fly""#]);
    }
    let log = site.home.start(&["logs", "--follow"]).wait_for("`first` has ended");
    assert!(log.contains("skep deploy"), "{log}");
    assert_eq!(site.deploy(&path)["plan"]["does"], json!("start"));
    assert_eq!(site.call("a", r#""Get""#), json!(4));
    site.home.ok(&["stop"]);
    assert!(site.node.wait().success(), "it was asked to stop");

    let site = Site::new();
    let other = site.home.file("other.toml", manifest("other", &[("counter", &site.counter)], &children).as_bytes());
    site.deploy(&other);
    for _ in 0..4 {
        site.home.skep(&["call", "first/b", r#""Fly""#]);
    }
    assert_eq!(site.node.wait().code(), Some(1), "the app that it runs has given up");
}

#[test]
fn only_the_plan_that_was_agreed_to_is_performed_and_it_is_finished() {
    let site = Site::new();
    let children = (0..40).map(|n| child(&format!("n{n}"), "counter", "args = 1")).collect::<String>();
    let path = site.change(&[("counter", &site.counter)], &(child("a", "counter", "args = 1") + &children));
    let wanted = Wanted { manifest: path.clone().into(), files: Default::default() };
    let agreed = |id: &str| Agreed {
        manifest: path.clone().into(),
        files: Default::default(),
        agreed: id.to_owned(),
        wait_ms: None,
    };
    site.client(async |client| {
        let plan: Proposal = client.post("/v1/plan", &wanted).await.expect("it is fine");
        assert_eq!(plan.plan.does, Does::Change);
        // Something else happens in between.
        let v2 = site.home.build("counter-v2");
        site.home.ok(&["upgrade", "counter", v2.to_str().expect("a plain path")]);
        let before = site.processes();
        let apply = async |id: &str, hang_up: bool| {
            let mut lines = Vec::new();
            let body = serde_json::to_vec(&agreed(id)).expect("it is JSON");
            let sent = client.post_lines("/v1/deploy", body, |line| {
                lines.push(serde_json::from_str::<DeployLine>(line).expect("it is a line"));
                if hang_up { Err(ClientError::NoneRunning { home: "".into() }) } else { Ok(()) }
            });
            (sent.await.is_ok(), lines)
        };
        let (_, lines) = apply(&plan.id, false).await;
        let [DeployLine::Refused(problem)] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(problem.code, "plan_changed");
        assert_eq!(site.processes(), before);

        // Agreed to what is now, with the code going back; whoever agreed hangs up at the first sign of it.
        let plan: Proposal = client.post("/v1/plan", &wanted).await.expect("it is fine");
        let (finished, lines) = apply(&plan.id, true).await;
        assert!(!finished && matches!(lines[..], [DeployLine::Progress(_)]), "{lines:?}");
        loop {
            let plan: Proposal = client.post("/v1/plan", &wanted).await.expect("it is fine");
            if plan.plan.does == Does::Nothing {
                break;
            }
        }
        assert_eq!(site.call("n39", r#""Version""#), json!(1));
        // A path that begins nowhere, and a crate that nobody has built.
        let relative = Wanted { manifest: "first.toml".into(), ..wanted.clone() };
        let refused = client.post::<Proposal>("/v1/plan", &relative).await.expect_err("it is relative");
        assert!(refused.to_string().contains("not absolute"), "{refused}");
        let text = "name = \"first\"\nmodules.m.crate = \".\"\n[supervisor]\n".to_owned() + &child("a", "m", "");
        let crates = Wanted { manifest: site.home.file("crate.toml", text.as_bytes()).into(), ..wanted.clone() };
        let refused = client.post::<Proposal>("/v1/plan", &crates).await.expect_err("nothing is built");
        assert!(refused.to_string().contains("its component was not given"), "{refused}");
        assert!(client.post::<Proposal>("/v1/plan", &[1]).await.is_err());
    });
    site.home.ok(&["stop"]);
}
