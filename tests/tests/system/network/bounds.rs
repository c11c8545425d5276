//! What a request is held to, whatever the guest and the server want. The bounds are small here, so that nobody waits.

use std::time::Duration;

use serde_json::{Value, json};
use skep_runtime::EngineConfig;
use skep_runtime::engine::RequestBounds;
use skep_runtime::spec::Keep;
use skep_tests::TestApp;
use skep_tests::network::{Answer, Server};

use super::requests::get;
use super::waiting::Stubborn;
use super::{Zone, app_on, error, http, ok, prober};

/// So long that the test would fail.
const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(100);

fn bounds() -> RequestBounds {
    RequestBounds { connect: LONG, silence: LONG, body: u64::MAX }
}

/// A guest that may ask everybody on this machine, within these bounds.
async fn bounded(requests: RequestBounds) -> TestApp {
    let engine = EngineConfig { requests, resolver: Zone::of(&[]), ..EngineConfig::default() };
    app_on(engine, Keep::WhileItFits, [prober("net", http(&["http://127.0.0.1:*".to_owned()]))]).await
}

/// A request of a guest that says that it waits for an hour.
fn patient(mut request: Value) -> Value {
    request["Http"]["timeout_ms"] = json!(LONG.as_millis());
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_silent_no_longer_than_it_may_be() {
    let app = bounded(RequestBounds { silence: SHORT, ..bounds() }).await;
    let head = "HTTP/1.1 200 OK\r\n".to_owned();
    for (what, answer) in [
        ("nothing", Answer::default()),
        ("half a head", Answer { first: head.clone(), then: None }),
        // Whoever says a little all the while has not said the head in time.
        ("a head without an end", Answer { first: head.clone() + "x: ", then: Some(("a".to_owned(), SHORT / 5)) }),
        ("half a body", Answer { first: head + "content-length: 10\r\n\r\nfour", then: None }),
    ] {
        let server = Server::start(answer).await;
        let request = get(&server.authority(), "/");
        for request in [request.clone(), patient(request)] {
            let told = app.ask("net", request).await;
            // The head of an answer may be late on a busy machine, and then it is as if there were none.
            let late = [error("ErrorCode::ConnectionReadTimeout"), error("connection read timeout")];
            assert!(late.contains(&told), "{what}: {told}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_takes_no_longer_than_it_may() {
    // Accepts, and never speaks TLS; and a resolver that never answers.
    let silent = Server::start(Answer::default()).await;
    let (resolver, _questions, holds) = Stubborn::new();
    let requests = RequestBounds { connect: SHORT, ..bounds() };
    let engine = EngineConfig { requests, resolver, ..EngineConfig::default() };
    let granted = http(&["127.0.0.1:*".to_owned(), "http://localhost:*".to_owned()]);
    let app = app_on(engine, Keep::WhileItFits, [prober("net", granted)]).await;
    let over_tls = json!({ "Http": { "authority": silent.authority(), "path": "/" } });
    for request in [over_tls, get("localhost:1", "/")] {
        for request in [request.clone(), patient(request)] {
            let told = app.ask("net", request.clone()).await;
            assert_eq!(told, error("ErrorCode::ConnectionTimeout"), "{request}");
        }
    }
    drop(holds);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_has_so_many_bytes_and_no_more() {
    let app = bounded(RequestBounds { body: 4, ..bounds() }).await;
    let told = |head: &str, body: &str| Answer { first: format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}"), then: None };
    let chunk = |length: usize| format!("{length:x}\r\n{}\r\n", "a".repeat(length));
    for (answer, fits) in [
        (told("content-length: 4\r\n", "four"), true),
        (told("content-length: 5\r\n", "fives"), false),
        (told("transfer-encoding: chunked\r\n", &(chunk(2) + &chunk(2) + "0\r\n\r\n")), true),
        (told("transfer-encoding: chunked\r\n", &(chunk(2) + &chunk(3) + "0\r\n\r\n")), false),
        // Without an end.
        (Answer { then: Some(("a".to_owned(), Duration::ZERO)), ..told("", "") }, false),
    ] {
        let what = answer.first.clone();
        let server = Server::start(answer).await;
        let heard = app.ask("net", get(&server.authority(), "/")).await;
        let refused = heard == error("HTTP response body size exceeds limit: 4 bytes");
        assert_eq!((heard["Ok"][0] == json!("200"), refused), (fits, !fits), "{what:?}: {heard}");
    }
    let fine = Answer { first: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned(), then: None };
    for (body, fits) in [("four", true), ("fives", false)] {
        let server = Server::start(if fits { fine.clone() } else { Answer::default() }).await;
        let mut request = get(&server.authority(), "/");
        request["Http"]["method"] = json!("POST");
        request["Http"]["body"] = json!(body);
        let heard = app.ask("net", request).await;
        let expected = if fits {
            ok(&["200", "content-length: 2", "ok"])
        } else {
            error("ErrorCode::HttpRequestBodySize(Some(4))")
        };
        assert_eq!(heard, expected, "{body}");
    }
    app.stop().await;
}
