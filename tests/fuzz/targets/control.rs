//! Requests to the control API, in process: as the node's owner, as the holders of tokens of each scope, and as strangers.
//!
//! A request is made of paths and bodies that there are, with anything in between; or the whole connection is wild bytes. The
//! node never answers with a 5xx, and with a bounded number of bytes; strangers are told nothing, and who may only read changes
//! nothing.

#![no_main]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use skep::control::server::answer;
use skep::node::tokens::Scope;
use skep::node::{Node, Stage};
use skep_fuzz::host::{Compiled, engine};
use skep_runtime::RuntimeConfig;
use skep_runtime::inspect::ProcessInfo;
use skep_runtime::kernel::{Address, Body, CallError};
use skep_runtime::spec::{AppSpec, ModuleSpec, ProcessSpec};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Bytes of an answer at most: the log has as many lines as it keeps.
const ANSWER_BYTES: usize = 8 << 20;
/// How long an answer is waited for that may be a stream, or that of a process.
const MOMENT: Duration = Duration::from_millis(50);

/// How long the app is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A path, and bodies that make sense there.
const PATHS: &[(&str, &str, &[&str])] = &[
    ("GET", "/v1/node", &[]),
    ("GET", "/v1/processes", &[]),
    ("GET", "/v1/usage", &[]),
    ("GET", "/metrics", &[]),
    ("GET", "/v1/tree?app=", &["app", "other"]),
    ("GET", "/v1/inspect?process=", &["counter", "app/counter", "%3C0.2%3E", "counter&state_ms=10"]),
    ("GET", "/v1/grants?process=", &["counter"]),
    ("GET", "/v1/trace?process=", &["counter"]),
    ("GET", "/v1/names?app=", &["app"]),
    ("GET", "/v1/logs?lines=", &["10", "10&follow=true", "1&process=counter"]),
    ("GET", "/v1/modules", &[]),
    ("GET", "/v1/upgrades", &[]),
    (
        "POST",
        "/v1/system",
        &[
            r#"{"to":"counter","ask":"suspend"}"#,
            r#"{"to":"counter","ask":"resume"}"#,
            r#"{"to":"counter","ask":"state"}"#,
            r#"{"to":"counter","ask":"replace_state","state":{"count":1}}"#,
            r#"{"to":"counter","ask":"terminate","reason":"normal"}"#,
        ],
    ),
    (
        "POST",
        "/v1/children",
        &[
            r#"{"supervisor":"app","ask":"list"}"#,
            r#"{"supervisor":"app","ask":{"start":{"id":"x","module":"counter","args":1,"restart":"temporary"}}}"#,
            r#"{"supervisor":"app","ask":{"stop":{"child":"counter"}}}"#,
            r#"{"supervisor":"app","ask":{"restart":{"child":"counter"}}}"#,
            r#"{"supervisor":"app","ask":{"delete":{"child":"counter"}}}"#,
            r#"{"supervisor":"app","ask":{"resize":{"partitions":2}}}"#,
        ],
    ),
    (
        "POST",
        "/v1/call",
        &[r#"{"to":"counter","body":{"Add":1}}"#, r#"{"to":"app/counter","body":"Get","timeout_ms":10}"#],
    ),
    ("POST", "/v1/cast", &[r#"{"to":"counter","body":{"Note":{"client":1,"number":1}}}"#]),
    ("POST", "/v1/stop", &[]),
    ("POST", "/v1/upgrade?module=", &["counter", "counter&wait_ms=10", "counter&extra=1&origin=x&signature=y"]),
    ("POST", "/v1/rollback?module=", &["counter", "counter&to=1", "counter&to=abc"]),
    ("POST", "/v1/plan", &[r#"{"manifest":"/nowhere/app.toml","files":{}}"#]),
    ("POST", "/v1/deploy", &[r#"{"manifest":"/nowhere/app.toml","files":{},"agreed":"x"}"#]),
    ("POST", "/v1/undeploy", &[r#"{"app":"app"}"#, r#"{"app":"other"}"#]),
];

/// A node with an app, and who may ask it.
struct Served {
    node: Arc<Node>,
    tokens: [String; 3],
    _folder: tempfile::TempDir,
}

struct World {
    tokio: tokio::runtime::Runtime,
    served: Mutex<Served>,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let tokio = tokio.expect("there are threads");
        let served = Mutex::new(tokio.block_on(serve()));
        World { tokio, served }
    })
}

async fn serve() -> Served {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("nodes/fuzz");
    std::fs::create_dir_all(&place).expect("it is ours");
    let engine = engine(16, Compiled::Kept);
    let config = RuntimeConfig { workers: Some(1), engine, ..RuntimeConfig::default() };
    let node = Node::new("fuzz", config, &place).expect("a node");
    let token = |scope: Scope| node.tokens.issue(scope.word(), scope, None, 0).expect("it is made").0;
    let tokens = [Scope::Read, Scope::Operate, Scope::Deploy].map(token);
    start(&node).await;
    Served { node, tokens, _folder: folder }
}

async fn start(node: &Arc<Node>) {
    let counter = node.runtime.engine().load("counter", &skep_tests::guests::bytes("counter")).expect("it loads");
    let process = ProcessSpec::new("counter").args(Body::Json("0".into())).named("counter");
    let app = AppSpec::new("app").module(ModuleSpec::new("counter", counter)).child(process.child("counter"));
    node.start(app).await.expect("the node runs").expect("the app starts");
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary)]
enum Who {
    Owner,
    Reader,
    Operator,
    Deployer,
    Stranger,
    /// Of these bytes as a token.
    Guesser,
}

struct Request {
    who: Who,
    bytes: Vec<u8>,
    /// Whether it may change nothing.
    only_looks: bool,
}

impl Request {
    fn drawn(input: &mut Unstructured<'_>, tokens: &[String; 3]) -> arbitrary::Result<Self> {
        let who: Who = input.arbitrary()?;
        let only_looks = matches!(who, Who::Reader | Who::Stranger | Who::Guesser);
        let authorization = match who {
            Who::Owner | Who::Stranger => String::new(),
            Who::Reader => format!("authorization: Bearer {}\r\n", tokens[0]),
            Who::Operator => format!("authorization: Bearer {}\r\n", tokens[1]),
            Who::Deployer => format!("authorization: Bearer {}\r\n", tokens[2]),
            Who::Guesser => format!("authorization: Bearer {}\r\n", piece(input)?),
        };
        let (method, mut path, mut body) = head(input)?;
        if input.ratio(1, 4)? {
            let at = input.choose_index(path.len() + 1)?;
            if path.is_char_boundary(at) {
                path.insert_str(at, &piece(input)?);
            }
        }
        if input.ratio(1, 2)? {
            wear(input, &mut body)?;
        }
        let header =
            if input.ratio(1, 4)? { format!("{}: {}\r\n", piece(input)?, piece(input)?) } else { String::new() };
        let length = if input.ratio(15, 16)? { body.len() } else { input.arbitrary()? };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\n{authorization}{header}connection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        Ok(Request { who, bytes: [head.into_bytes(), body].concat(), only_looks })
    }
}

fn head(input: &mut Unstructured<'_>) -> arbitrary::Result<(&'static str, String, Vec<u8>)> {
    let (method, path, samples) = *input.choose(PATHS)?;
    let sample = if samples.is_empty() { "" } else { *input.choose(samples)? };
    let method = if input.ratio(1, 16)? { *input.choose(&["PUT", "HEAD", "GET", "POST", "OPTIONS"])? } else { method };
    if path.ends_with('=') {
        let body = if input.ratio(1, 2)? { Vec::new() } else { input.arbitrary()? };
        return Ok((method, format!("{path}{sample}"), body));
    }
    Ok((method, path.to_owned(), sample.as_bytes().to_vec()))
}

/// A few characters that a line may have.
fn piece(input: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let bytes: Vec<u8> = input.arbitrary()?;
    Ok(bytes.iter().take(40).map(|byte| char::from(*byte)).filter(|c| !c.is_control()).collect())
}

/// Replaces a part of the bytes.
fn wear(input: &mut Unstructured<'_>, bytes: &mut Vec<u8>) -> arbitrary::Result<()> {
    let from = input.choose_index(bytes.len() + 1)?;
    let to = input.int_in_range(from..=bytes.len())?;
    let by: Vec<u8> = input.arbitrary()?;
    bytes.splice(from..to, by);
    Ok(())
}

// Guests are built and compiled before the time of an input counts.
fuzz_target!(init: { world(); }, |data: &[u8]| {
    let World { tokio, served } = world();
    let mut served = served.lock().expect("nobody panicked");
    let Some((&how, rest)) = data.split_first() else { return };
    let request = if how == 0 {
        Request { who: Who::Stranger, bytes: rest.to_vec(), only_looks: true }
    } else if how == 1 {
        Request { who: Who::Owner, bytes: rest.to_vec(), only_looks: false }
    } else {
        match Request::drawn(&mut Unstructured::new(rest), &served.tokens) {
            Ok(request) => request,
            Err(_) => return,
        }
    };
    tokio.block_on(async {
        let before = seen(&served.node).await;
        let answered = ask(&served.node, &request).await;
        check(&request, &answered);
        if request.only_looks {
            assert_eq!(before, seen(&served.node).await, "{}", String::from_utf8_lossy(&request.bytes));
            return;
        }
        if served.node.stage() != Stage::Running {
            served.node.end().await;
            *served = serve().await;
        }
        settle(&served.node).await;
    });
});

/// What a request may change.
async fn seen(node: &Node) -> (Stage, Vec<String>, Vec<String>, String) {
    let apps = node.runtime.apps().iter().map(ToString::to_string).collect();
    let processes = node.runtime.processes().into_iter().filter(|process| process.kind != "client");
    let about =
        |process: ProcessInfo| format!("{:?} {:?} {}", process.pid, process.code, process.status == "suspended");
    (node.stage(), apps, processes.map(about).collect(), format!("{:?}", count(node).await))
}

/// Waits until all that was asked for has been done, and makes the app anew if it is not what it was.
async fn settle(node: &Arc<Node>) {
    let settling = async {
        while !is_whole(node) || !count(node).await.is_ok_and(|_| is_whole(node)) {
            if !is_whole(node) {
                for app in node.runtime.apps() {
                    // It may have ended by itself.
                    let _ = node.runtime.kill_app(&app).await;
                }
                start(node).await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, settling).await.expect("the app can be asked, or made anew");
}

async fn count(node: &Node) -> Result<Body, CallError> {
    let get = Body::Json("\"Get\"".into());
    node.runtime.call("app", Address::Name("counter".into()), get, Some(PATIENCE)).await
}

/// Whether the app is there, and nothing else.
fn is_whole(node: &Node) -> bool {
    let suspended = node.runtime.processes().iter().any(|process| process.status == "suspended");
    let children = node.runtime.tree("app").map_or(0, |tree| tree.children.len());
    node.runtime.whereis("app", "counter").is_some() && !suspended && children == 1
}

/// What the node says, until it hangs up or says nothing for a moment.
async fn ask(node: &Arc<Node>, request: &Request) -> Vec<u8> {
    let (mut ours, theirs) = tokio::io::duplex(64 << 10);
    // Another address each time: who fails often is not heard for a while.
    let address = SocketAddr::from((rand_address(&request.bytes), 1));
    let from = (request.who != Who::Owner).then_some(address);
    let serving = answer(node, theirs, from);
    let asking = async {
        // One that hangs up before all is said has answered.
        let _ = tokio::time::timeout(MOMENT, ours.write_all(&request.bytes)).await;
        heard(&mut ours).await
    };
    tokio::select! {
        said = asking => said,
        () = serving => Vec::new(),
    }
}

fn rand_address(bytes: &[u8]) -> [u8; 4] {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
    [a, b, c, d]
}

async fn heard(ours: &mut DuplexStream) -> Vec<u8> {
    let mut said = Vec::new();
    let mut part = vec![0; 64 << 10];
    while let Ok(Ok(length @ 1..)) = tokio::time::timeout(MOMENT, ours.read(&mut part)).await {
        said.extend(&part[..length]);
        assert!(said.len() <= ANSWER_BYTES, "{} bytes of answer", said.len());
    }
    said
}

fn check(request: &Request, answered: &[u8]) {
    let asked = || String::from_utf8_lossy(&request.bytes).into_owned();
    let said = String::from_utf8_lossy(&answered[..answered.len().min(1_000)]).into_owned();
    let Some(status) = said.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)) else {
        assert!(answered.is_empty() || said.starts_with("HTTP/1."), "{}: {said}", asked());
        return;
    };
    // A process that ended, or did not answer in time, is no fault of the node.
    let of_a_process = request.who != Who::Stranger && matches!(status, "502" | "504");
    assert!(!status.starts_with('5') || of_a_process, "{}: {said}", asked());
    if matches!(request.who, Who::Stranger | Who::Guesser) {
        assert!(matches!(status, "400" | "401" | "408" | "413" | "414" | "429" | "431"), "{}: {said}", asked());
    }
}
