//! The control API over TCP, by real connections: who is let in, what each scope may, and what takes too much.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::control::tls::{Fingerprint, Identity, Trust};
use crate::node::audit::Entry;
use crate::node::log::now_ms;
use crate::node::tokens::Scope;

/// Longer than anything here should take; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A node that listens on TCP too.
struct Elsewhere {
    served: Served,
    address: SocketAddr,
    fingerprint: Fingerprint,
    _home: tempfile::TempDir,
}

async fn elsewhere() -> Elsewhere {
    let (keep, home) = home();
    let claim = home.claim("blue").expect("the name is free");
    let identity = Identity::own(claim.folder()).expect("it can be made");
    drop(claim);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let remote = Remote::bind(any, &identity, Arc::default()).await.expect("there is a free port");
    let address = remote.address().expect("it listens");
    let served = start_with(&home, "blue", Some(remote));
    Elsewhere { served, address, fingerprint: identity.fingerprint, _home: keep }
}

impl Elsewhere {
    fn token(&self, name: &str, scope: Scope) -> String {
        self.served.node.tokens.issue(name, scope, None, now_ms()).expect("it is made").0
    }

    fn client(&self, token: &str) -> Client {
        let trust = Trust::Fingerprint(self.fingerprint);
        Client::elsewhere(&format!("https://{}", self.address), token.to_owned(), &trust).expect("it is an address")
    }

    /// What is said to a request with this token.
    async fn get(&self, token: &str) -> Result<NodeInfo, ClientError> {
        self.client(token).get("/v1/node").await
    }

    /// What the node says to these bytes within TLS, until it hangs up.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connected().await;
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        // A connection that is torn down has said what it had to say.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it hangs up");
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn connected(&self) -> tokio_rustls::client::TlsStream<TcpStream> {
        let config = Trust::Fingerprint(self.fingerprint).config().expect("it is sound");
        let stream = TcpStream::connect(self.address).await.expect("it listens");
        let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await.expect("it speaks TLS")
    }

    async fn audited(&self, wanted: impl Fn(&Entry) -> bool) -> Entry {
        let start = Instant::now();
        loop {
            if let Some(entry) = self.served.node.audit.read().into_iter().find(|entry| wanted(entry)) {
                return entry;
            }
            assert!(start.elapsed() < PATIENCE, "it was never written down: {:?}", self.served.node.audit.read());
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn end(self) {
        self.served.node.ask_to_stop();
        self.served.life.await.expect("it ends");
    }
}

fn code(error: &ClientError) -> &str {
    match error {
        ClientError::Refused(problem) => &problem.code,
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_that_counts_is_let_in() {
    let node = elsewhere().await;
    let good = node.token("good", Scope::Read);
    assert_eq!(node.get(&good).await.expect("it is let in").name, "blue");

    let tokens = &node.served.node.tokens;
    let revoked = node.token("revoked", Scope::Deploy);
    tokens.revoke("revoked").expect("it is there");
    let second = Some(Duration::from_secs(1));
    let (expired, _) = tokens.issue("expired", Scope::Deploy, second, now_ms() - 2_000).expect("it is made");
    for (wrong, why) in [
        ("", "no token"),
        ("skep_00", "none of this node's"),
        (revoked.as_str(), "was revoked"),
        (expired.as_str(), "has expired"),
        (&"x".repeat(101), "no token"),
        (&format!("{good}0"), "none of this node's"),
    ] {
        let refused = node.get(wrong).await.expect_err(wrong);
        assert_eq!(code(&refused), "unauthorized", "{wrong}");
        assert!(refused.to_string().contains(why), "{refused}");
    }
    // Without the header, with another scheme, twice; also where there is nothing, which nobody learns.
    for head in [
        "GET /v1/node HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "GET /v1/nothing HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        format!("GET /v1/node?token={good} HTTP/1.1\r\nhost: x\r\ncookie: {good}\r\n\r\n"),
    ] {
        let answer = node.raw(head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("connection: close"), "{head}: {answer}");
    }
    let entry = node.audited(|entry| entry.result == "unauthorized").await;
    assert_eq!((entry.who.as_str(), entry.action.as_str()), ("nobody", "node"));
    assert!(entry.from.is_some_and(|from| from.starts_with("127.0.0.1:")));
    // Failures are counted, and none of them has cost the good one its way in.
    assert!(node.get(&good).await.is_ok());
    node.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_request_needs_its_scope() {
    let node = elsewhere().await;
    let scopes = [Scope::Read, Scope::Operate, Scope::Deploy];
    let clients = scopes.map(|scope| (scope, node.client(&node.token(scope.word(), scope))));
    let table = [
        ("GET", "/v1/node", Scope::Read),
        ("GET", "/v1/processes", Scope::Read),
        ("GET", "/v1/tree", Scope::Read),
        ("GET", "/v1/inspect?process=x", Scope::Read),
        ("GET", "/v1/grants?process=x", Scope::Read),
        ("GET", "/v1/trace?process=x", Scope::Read),
        ("GET", "/v1/names", Scope::Read),
        ("GET", "/v1/logs", Scope::Read),
        ("GET", "/v1/modules", Scope::Read),
        ("GET", "/v1/upgrades", Scope::Read),
        ("POST", "/v1/system", Scope::Operate),
        ("POST", "/v1/children", Scope::Operate),
        ("POST", "/v1/call", Scope::Operate),
        ("POST", "/v1/cast", Scope::Operate),
        ("POST", "/v1/upgrade?module=x", Scope::Deploy),
        ("POST", "/v1/rollback?module=x", Scope::Deploy),
        ("POST", "/v1/plan", Scope::Deploy),
        ("POST", "/v1/deploy", Scope::Deploy),
        ("POST", "/v1/undeploy", Scope::Deploy),
    ];
    for (method, path, needed) in table {
        for (scope, client) in &clients {
            let ignore = |_: &str| Ok::<(), ClientError>(());
            let answered = match method {
                "GET" => client.lines(path, ignore).await,
                _ => client.post_lines(path, Vec::new(), ignore).await,
            };
            let forbidden = matches!(&answered, Err(ClientError::Refused(problem)) if problem.code == "forbidden");
            assert_eq!(forbidden, *scope < needed, "{path} with {}: {answered:?}", scope.word());
        }
    }
    // What is not let through is written down, with the name of the token.
    let entry = node.audited(|entry| entry.action == "undeploy" && entry.who == "token operate").await;
    assert_eq!(entry.result, "forbidden");
    let refused = clients[0].1.post::<Halted>("/v1/stop", &()).await.expect_err("it is not for readers");
    assert_eq!(refused.to_string(), "token read may read, and this needs `operate`");
    assert_eq!(node.served.node.stage(), Stage::Running);
    let halted: Halted = clients[1].1.post("/v1/stop", &()).await.expect("operators may");
    assert!(halted.stopped);
    let entry = node.audited(|entry| entry.action == "stop" && entry.result == "done").await;
    assert_eq!(entry.who, "token operate");
    node.served.life.await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_fails_too_often_waits() {
    let node = elsewhere().await;
    let good = node.token("good", Scope::Read);
    for _ in 0..10 {
        assert_eq!(code(&node.get("skep_wrong").await.expect_err("it is wrong")), "unauthorized");
    }
    assert_eq!(code(&node.get("skep_wrong").await.expect_err("it is wrong")), "too_many_failures");
    // From this address; and the owner's socket is not concerned.
    assert_eq!(code(&node.get(&good).await.expect_err("it must wait")), "too_many_failures");
    let socket = raw(node.served.claim.socket(), "GET /v1/node HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(socket.starts_with("HTTP/1.1 200 "), "{socket}");
    node.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tls_or_with_the_wrong_certificate_nothing_is_said() {
    let node = elsewhere().await;
    let token = node.token("good", Scope::Deploy);
    let mut plain = TcpStream::connect(node.address).await.expect("it listens");
    let head = format!("GET /v1/node HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    plain.write_all(head.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, plain.read_to_end(&mut answer)).await.expect("it hangs up");
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));

    let other = tempfile::tempdir().expect("a folder");
    let wrong = Identity::own(other.path()).expect("it is made").fingerprint;
    let authority = other.path().join("tls.pem");
    for trust in [Trust::Fingerprint(wrong), Trust::Authorities(authority)] {
        let client =
            Client::elsewhere(&format!("https://{}", node.address), token.clone(), &trust).expect("an address");
        let refused = client.get::<NodeInfo>("/v1/node").await.expect_err("it is another");
        assert!(matches!(refused, ClientError::Unreachable { .. }), "{refused}");
    }
    node.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_with_its_token() {
    let node = elsewhere().await;
    let client = node.client(&node.token("eyes", Scope::Read));
    let tokens = node.served.node.tokens.clone();
    node.served.node.log.note(Level::Info, "past".to_owned());
    let followed = client.lines("/v1/logs?follow=true&lines=1", |_| {
        // It is open now, and would go on for as long as the node does.
        tokens.revoke("eyes").expect("it is there");
        Ok::<(), ClientError>(())
    });
    let _cut_off = timeout(PATIENCE, followed).await.expect("it ends");
    assert_eq!(node.served.node.stage(), Stage::Running);
    assert_eq!(code(&client.get::<NodeInfo>("/v1/node").await.expect_err("it is revoked")), "unauthorized");
    node.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_refused() {
    let node = elsewhere().await;
    let token = node.token("all", Scope::Deploy);
    let said = |head: String| {
        let authorization = format!("host: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
        let node = &node;
        async move { node.raw((head + &authorization).as_bytes()).await }
    };
    let headers: String = (0..100).map(|number| format!("x-{number}: y\r\n")).collect();
    let answer = said(format!("GET /v1/node HTTP/1.1\r\n{headers}")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let answer = said(format!("GET /v1/node HTTP/1.1\r\nx-long: {}\r\n", "y".repeat(1 << 20))).await;
    assert!(answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(), "{answer}");
    let answer = said(format!("GET /v1/node?{} HTTP/1.1\r\n", "y".repeat(1 << 20))).await;
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");

    let client = node.client(&token);
    let long = "x".repeat(1_025);
    let refused = |answer: Result<(), ClientError>| code(&answer.expect_err("it is too long")).to_owned();
    let ignore = |_: &str| Ok::<(), ClientError>(());
    for path in [
        "/v1/tree?app=",
        "/v1/inspect?process=",
        "/v1/grants?process=",
        "/v1/trace?process=",
        "/v1/names?app=",
        "/v1/logs?process=",
    ] {
        assert_eq!(refused(client.lines(&format!("{path}{long}"), ignore).await), "bad_request", "{path}");
    }
    let deep = "/x".repeat(2_049);
    let files: std::collections::BTreeMap<String, &str> = (0..1_001).map(|number| (number.to_string(), "/x")).collect();
    let orders = [
        ("/v1/call", serde_json::json!({ "to": long, "body": 1 })),
        ("/v1/cast", serde_json::json!({ "to": long, "body": 1 })),
        ("/v1/system", serde_json::json!({ "to": long, "ask": "suspend" })),
        ("/v1/children", serde_json::json!({ "supervisor": long, "ask": "list" })),
        ("/v1/children", serde_json::json!({ "supervisor": "x", "ask": { "stop": { "child": long } } })),
        ("/v1/undeploy", serde_json::json!({ "app": long })),
        ("/v1/plan", serde_json::json!({ "manifest": deep })),
        ("/v1/plan", serde_json::json!({ "manifest": "/x", "files": files })),
        ("/v1/plan", serde_json::json!({ "manifest": "/x", "files": { "x": deep } })),
        ("/v1/deploy", serde_json::json!({ "manifest": deep, "agreed": "x" })),
    ];
    for (path, order) in orders {
        let answer = client.post_lines(path, order.to_string().into_bytes(), ignore).await;
        let ClientError::Refused(problem) = answer.expect_err(path) else { panic!("{path}") };
        let is_bound = problem.message.contains("may have") || problem.message.contains("may be");
        assert!(problem.code == "bad_request" && is_bound, "{path}: {}", problem.message);
    }
    let large = client.post_lines("/v1/plan", vec![b' '; (1 << 20) + 1], ignore).await;
    assert_eq!(refused(large), "bad_request");
    for path in
        ["/v1/upgrade?module=", "/v1/rollback?module=", "/v1/upgrade?module=x&origin=xxxx", "/v1/rollback?module=x&to="]
    {
        let answer = client.post_lines(&format!("{path}{}", "x".repeat(4_096)), Vec::new(), ignore).await;
        assert_eq!(refused(answer), "bad_request", "{path}");
    }
    node.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_slow_is_hung_up_on_and_others_are_served_meanwhile() {
    let node = elsewhere().await;
    let good = node.token("good", Scope::Read);
    // One says nothing at all, one nothing within TLS, one half a head; and as many as one address may have.
    let mut silent = TcpStream::connect(node.address).await.expect("it listens");
    let mut shy = node.connected().await;
    let mut slow = node.connected().await;
    slow.write_all(b"GET /v1/node HTTP/1.1\r\nhost: ").await.expect("it reads");
    assert!(node.get(&good).await.is_ok());
    let mut more = Vec::new();
    for _ in 0..40 {
        more.push(TcpStream::connect(node.address).await.expect("it listens"));
    }
    let mut rest = Vec::new();
    for stream in &mut more {
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it hangs up");
    }
    for stream in [&mut shy, &mut slow] {
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it hangs up");
    }
    let _ = timeout(PATIENCE, silent.read_to_end(&mut rest)).await.expect("it hangs up");
    // The places are free again.
    let start = Instant::now();
    while node.get(&good).await.is_err() {
        assert!(start.elapsed() < PATIENCE, "nobody is let in any more");
        sleep(Duration::from_millis(50)).await;
    }
    node.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_owner_does_is_written_down_and_what_he_looks_at_is_not() {
    let (_keep, home) = home();
    let served = start(&home, "blue");
    let client = find(&home, None).await.expect("it runs");
    client.get::<NodeInfo>("/v1/node").await.expect("it answers");
    let _ = client.post::<Readable>("/v1/call", &message("nobody")).await;
    let _ = client.post_lines::<ClientError>("/v1/upgrade?module=none", vec![1], |_| Ok(())).await;
    let halted: Halted = client.post("/v1/stop", &()).await.expect("it answers");
    assert!(halted.stopped);
    let node = Arc::clone(&served.node);
    served.life.await.expect("it ends");
    let who = format!("uid {}", rustix::process::geteuid().as_raw());
    let entries = node.audit.read();
    assert!(entries.iter().all(|entry| entry.who == who && entry.from.is_none()), "{entries:?}");
    let told: Vec<(&str, Option<&str>, &str)> =
        entries.iter().map(|entry| (entry.action.as_str(), entry.target.as_deref(), entry.result.as_str())).collect();
    let expected = [
        ("call", Some("nobody"), "unknown_process"),
        ("upgrade", Some("none"), "unknown_module"),
        ("stop", None, "done"),
    ];
    assert_eq!(told, expected);
}
