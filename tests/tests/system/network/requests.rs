//! Requests over HTTP: to whom they go, what the server is told of them, and what is an answer.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use skep_runtime::spec::Keep;
use skep_tests::eventually;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Zone, alone, app, error, http, ok, prober};

/// A server that says what it is told by the path, and remembers what it was asked.
#[derive(Clone, Default)]
pub(super) struct Site(Arc<Mutex<Vec<String>>>);

impl Site {
    /// Listens at an address, and a port if one is said.
    async fn at(self, address: &str, port: u16) -> u16 {
        let listener = TcpListener::bind((address, port)).await.expect("the port is free");
        let (port, address) = (listener.local_addr().expect("it listens").port(), address.to_owned());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(self.clone().answer(stream, address.clone()));
            }
        });
        port
    }

    /// The heads of all requests so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers one request.
    pub(super) async fn answer(self, mut stream: impl AsyncRead + AsyncWrite + Unpin, name: String) {
        let mut bytes = Vec::new();
        while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let head = String::from_utf8_lossy(&bytes).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(head);
        let answer = match path.split_once('?').map_or((path.as_str(), ""), |(path, rest)| (path, rest)) {
            ("/silent", _) => std::future::pending().await,
            ("/redirect", to) => format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
            ("/switch", _) => {
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_owned()
            }
            ("/long", _) => format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "a".repeat(1 << 20)),
            ("/cut", _) => "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfour".to_owned(),
            ("/noise", _) => "what?\r\n\r\n".to_owned(),
            _ => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len()),
        };
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

/// A request over plain HTTP.
pub(super) fn get(authority: &str, path: &str) -> Value {
    json!({ "Http": { "scheme": "http", "authority": authority, "path": path } })
}

fn answered(body: &str) -> Value {
    ok(&["200", &format!("content-length: {}", body.len()), body])
}

const DENIED: &str = "ErrorCode::HttpRequestDenied";
const NO_URI: &str = "ErrorCode::HttpRequestUriInvalid";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_to_whom_was_granted_and_to_nobody_else() {
    let (site, other) = (Site::default(), Site::default());
    let port = site.clone().at("127.0.0.1", 0).await;
    let elsewhere = other.clone().at("127.0.0.1", 0).await;
    let zone = Zone::of(&[
        ("api.localhost", &[&["127.0.0.1"]]),
        ("other.localhost", &[&["127.0.0.1"]]),
        ("api.example.org", &[&["127.0.0.1"]]),
        ("lan.example.org", &[&["127.0.0.1", "10.0.0.1"]]),
    ]);
    let granted = [format!("http://api.localhost:{port}"), format!("http://*.example.org:{port}")];
    let app = alone(zone, http(&granted)).await;
    for (authority, expected) in [
        (format!("api.localhost:{port}"), None),
        (format!("API.LocalHost.:{port}"), None),
        (format!("api.localhost:{elsewhere}"), Some(DENIED)),
        ("api.localhost".to_owned(), Some(DENIED)),
        (format!("other.localhost:{port}"), Some(DENIED)),
        (format!("localhost:{port}"), Some(DENIED)),
        (format!("127.0.0.1:{port}"), Some(DENIED)),
        (format!("[::1]:{port}"), Some(DENIED)),
        (format!("[::ffff:127.0.0.1]:{port}"), Some(DENIED)),
        (format!("169.254.169.254:{port}"), Some(DENIED)),
        // What could be read in two ways.
        (format!("api.localhost@127.0.0.1:{port}"), Some(NO_URI)),
        (format!("2130706433:{port}"), Some(NO_URI)),
        (format!("0x7f000001:{port}"), Some(NO_URI)),
        (format!("127.1:{port}"), Some(NO_URI)),
        ("api.localhost:".to_owned(), Some(NO_URI)),
    ] {
        let came_of_it = app.ask("net", get(&authority, "/")).await;
        let expected = expected.map_or_else(|| answered("127.0.0.1"), error);
        assert_eq!(came_of_it, expected, "{authority}");
    }
    // A name that leads to what is private leads nowhere.
    for name in ["api", "lan"] {
        let came_of_it = app.ask("net", get(&format!("{name}.example.org:{port}"), "/")).await.to_string();
        assert!(came_of_it.contains("DnsError") && came_of_it.contains("no address"), "{name}: {came_of_it}");
    }
    let over_tls = json!({ "Http": { "authority": format!("api.localhost:{port}"), "path": "/" } });
    assert_eq!(app.ask("net", over_tls).await, error(DENIED), "another scheme");
    assert_eq!((site.asked().len(), other.asked().len()), (2, 0));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_grant_of_requests_none_is_sent() {
    let site = Site::default();
    let port = site.clone().at("127.0.0.1", 0).await;
    let zone = || Zone::of(&[("localhost", &[&["127.0.0.1"]])]);
    let everywhere = ["0.0.0.0/0:*", "*:*", "localhost:*"].map(str::to_owned);
    let app = app(zone(), Keep::WhileItFits, [prober("none", http(&[])), prober("tcp", super::tcp(&everywhere))]).await;
    for who in ["none", "tcp"] {
        for authority in [format!("127.0.0.1:{port}"), format!("localhost:{port}")] {
            assert_eq!(app.ask(who, get(&authority, "/")).await, error(DENIED), "{authority} for {who}");
        }
    }
    assert!(site.asked().is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_told_the_host_that_was_checked_and_nothing_is_smuggled() {
    let site = Site::default();
    let port = site.clone().at("127.0.0.1", 0).await;
    let app =
        alone(Zone::of(&[("api.localhost", &[&["127.0.0.1"]])]), http(&[format!("http://api.localhost:{port}")])).await;
    let asked = |change: Value| {
        let mut asked = json!({ "scheme": "http", "authority": format!("API.localhost.:{port}"), "path": "/" });
        asked.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        json!({ "Http": asked })
    };
    for header in
        ["Host", "host", "Connection", "Transfer-Encoding", "Upgrade", "Proxy-Authorization", "HTTP2-Settings"]
    {
        let came_of_it = app.ask("net", asked(json!({ "headers": [[header, "internal.example"]] }))).await;
        assert_eq!(came_of_it, error("HeaderError::Forbidden"), "{header}");
    }
    for (change, refused) in [
        (json!({ "headers": [["x", "a\r\nHost: internal.example"]] }), "HeaderError::InvalidSyntax"),
        (json!({ "headers": [["x\r\nhost", "a"]] }), "HeaderError::InvalidSyntax"),
        (json!({ "method": "CONNECT" }), "ErrorCode::HttpRequestMethodInvalid"),
        (json!({ "method": "GET / HTTP/1.1\r\nhost: internal.example\r\n\r\n" }), "method"),
        (json!({ "path": "http://internal.example/" }), "path"),
        (json!({ "path": "/ HTTP/1.1\r\nhost: internal.example\r\n\r\n" }), "path"),
        (json!({ "authority": "api.localhost\r\nhost: internal.example" }), "authority"),
        (json!({ "scheme": "ftp" }), "ErrorCode::HttpProtocolError"),
    ] {
        assert_eq!(app.ask("net", asked(change.clone())).await, error(refused), "{change}");
    }
    assert!(site.asked().is_empty(), "{:?}", site.asked());
    assert_eq!(app.ask("net", asked(json!({ "path": "/a?b", "headers": [["x", "y"]] }))).await, answered("127.0.0.1"));
    let [head] = site.asked().try_into().expect("one request");
    assert!(head.starts_with("GET /a?b HTTP/1.1\r\n") && head.contains("\r\nx: y\r\n"), "{head}");
    let hosts: Vec<&str> = head.lines().filter(|line| line.to_ascii_lowercase().starts_with("host:")).collect();
    assert_eq!(hosts, [format!("host: api.localhost:{port}")]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_is_followed_and_what_is_no_answer_is_none() {
    let (site, internal) = (Site::default(), Site::default());
    let port = site.clone().at("127.0.0.1", 0).await;
    let hidden = internal.clone().at("127.0.0.1", 0).await;
    let authority = format!("127.0.0.1:{port}");
    let app = alone(Zone::of(&[]), http(&[format!("http://{authority}")])).await;
    let to = format!("http://127.0.0.1:{hidden}/");
    let redirected = app.ask("net", get(&authority, &format!("/redirect?{to}"))).await;
    assert_eq!(redirected, ok(&["302", &format!("location: {to}"), "content-length: 0", ""]));
    assert!(internal.asked().is_empty());
    for (path, refused) in [
        ("/switch", "ErrorCode::HttpUpgradeFailed"),
        ("/long", "ErrorCode::HttpResponseHeaderSectionSize(None)"),
        ("/noise", "ErrorCode::HttpProtocolError"),
    ] {
        assert_eq!(app.ask("net", get(&authority, path)).await, error(refused), "{path}");
    }
    assert!(app.ask("net", get(&authority, "/cut")).await["Err"].is_string(), "half a body is none");
    assert_eq!(app.ask("net", get(&authority, "/")).await, answered("127.0.0.1"), "and all goes on");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_to_what_a_name_stood_for_first() {
    let (first, second) = (Site::default(), Site::default());
    let port = first.clone().at("127.0.0.2", 0).await;
    second.clone().at("127.0.0.3", port).await;
    let zone = Zone::of(&[("a.localhost", &[&["127.0.0.2"], &["127.0.0.3"]])]);
    let app = alone(zone.clone(), http(&[format!("http://a.localhost:{port}")])).await;
    for _ in 0..3 {
        assert_eq!(app.ask("net", get(&format!("a.localhost:{port}"), "/")).await, answered("127.0.0.2"));
    }
    assert_eq!((zone.asked("a.localhost"), second.asked().len()), (1, 0));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_goes_out_and_is_as_long_as_was_said() {
    let site = Site::default();
    let port = site.clone().at("127.0.0.1", 0).await;
    let app = alone(Zone::of(&[]), http(&[format!("http://127.0.0.1:{port}")])).await;
    let post = |headers: Value, body: &str| {
        let asked = json!({ "method": "POST", "scheme": "http", "authority": format!("127.0.0.1:{port}"), "path": "/",
            "headers": headers, "body": body });
        json!({ "Http": asked })
    };
    assert_eq!(app.ask("net", post(json!([["content-length", "5"]]), "hello")).await, answered("127.0.0.1"));
    let refused = app.ask("net", post(json!([["content-length", "+5"]]), "hello")).await;
    assert!(refused["Err"].is_string(), "{refused}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_counts_as_an_open_file_and_waits_as_long_as_it_says() {
    let site = Site::default();
    let port = site.clone().at("127.0.0.1", 0).await;
    let authority = format!("127.0.0.1:{port}");
    let granted = http(&[format!("http://{authority}")]);
    let bounded = prober("net", granted.clone()).limits(|limits| limits.files.open = 2);
    let app = app(Zone::of(&[]), Keep::Never, [bounded, prober("waits", granted)]).await;
    let silent = |extra: Value| {
        let mut asked = json!({ "scheme": "http", "authority": authority, "path": "/silent" });
        asked.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        asked
    };
    for _ in 0..2 {
        assert_eq!(app.ask("net", json!({ "HoldHttp": silent(json!({})) })).await, ok(&[]));
    }
    assert_eq!(app.ask("net", get(&authority, "/")).await, error("ErrorCode::ConnectionLimitReached"));
    // Both are still under way: who holds them kept the instance after each message.
    eventually("both requests", || (site.asked().len() == 2).then_some(())).await;
    app.ask("net", json!("LetGo")).await;
    let started = std::time::Instant::now();
    while app.ask("net", get(&authority, "/")).await != answered("127.0.0.1") {
        assert!(started.elapsed() < skep_tests::app::PATIENCE, "their places are not given back");
    }
    let timed_out = app.ask("net", json!({ "Http": silent(json!({ "timeout_ms": 50 })) })).await;
    assert_eq!(timed_out, error("ErrorCode::ConnectionReadTimeout"));
    // Who waits for an answer can be ended at any time.
    let (pid, count) = (app.pid("waits"), site.asked().len());
    let (runtime, body) = (app.runtime.clone(), json!({ "Http": silent(json!({})) }).to_string());
    tokio::spawn(async move {
        let to = skep_runtime::kernel::Address::Pid(pid);
        runtime.call("test", to, skep_runtime::kernel::Body::Json(body), None).await
    });
    eventually("the request", || (site.asked().len() > count).then_some(())).await;
    app.runtime.kill(pid);
    eventually("its end", || (!app.is_alive(pid)).then_some(())).await;
    app.stop().await;
}
