//! Servers that mean ill to the guests that ask them, and guests that want more of those whom they may ask.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use skep_runtime::engine::{RequestBounds, Resolver};
use skep_runtime::kernel::{Address, Body};
use skep_tests::eventually;
use skep_tests::network::{Answer, Server, http, prober, tcp};

use crate::scene::{Place, Scene};
use crate::suite::{Seen, crimes};

crimes! {
    Network;

    a_head_by_drops: "asks a server that says the head of its answer letter by letter, and never to its end",
        Refused("ConnectionReadTimeout"), 32 MiB, Place::impatient() =>
        |scene| asks(scene, Answer { first: HEAD.to_owned() + "x: ", then: Some(("a".to_owned(), DROP)) });
    a_body_by_drops: "asks a server that says a body letter by letter, and never to its end", Nothing, 32 MiB => |scene| drips(scene);
    a_head_without_end: "asks a server whose headers never end", Refused("HttpResponseHeaderSectionSize"), 32 MiB =>
        |scene| asks(scene, Answer { first: HEAD.to_owned(), then: endless("a: aaaaaaaaaaaaa\r\n") });
    a_body_without_end: "asks a server whose body never ends, and keeps all of it", Limit("memory"), 32 MiB =>
        |scene| asks(scene, Answer { first: HEAD.to_owned() + "\r\n", then: endless("aaaaaaaaaaaaaaaa") });
    a_redirect_inside: "goes where a server sends it: to another port of this machine", Refused("HttpRequestDenied"), 32 MiB =>
        |scene| redirected(scene);
    another_answer: "asks for a page again and again, while the name comes to stand for another address", Nothing, 32 MiB,
        Place { resolver: || Arc::new(Turning::default()), ..Place::default() } => |scene| rebinds(scene);
    a_thousand_connections: "opens a thousand connections", Refused("new-socket-limit"), 32 MiB => |scene| connections(scene);
    a_thousand_requests: "sends a thousand requests to a server that does not answer", Refused("ConnectionLimitReached"), 32 MiB =>
        |scene| requests(scene);
}

const HEAD: &str = "HTTP/1.1 200 OK\r\n";
const DROP: Duration = Duration::from_millis(20);
const THOUSAND: usize = 1_000;

impl Place {
    /// Where requests wait no longer than a crime may take.
    fn impatient() -> Self {
        let requests = RequestBounds { silence: Duration::from_millis(500), ..RequestBounds::default() };
        Place { requests, ..Place::default() }
    }
}

/// Says that every name is one address, and the next time another.
#[derive(Debug, Default)]
struct Turning(AtomicUsize);

impl Resolver for Turning {
    fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        let last = if self.0.fetch_add(1, Ordering::Relaxed) == 0 { 2 } else { 3 };
        Ok(vec![[127, 0, 0, last].into()])
    }
}

/// Says this as fast as it is heard.
fn endless(part: &str) -> Option<(String, Duration)> {
    Some((part.repeat(256), Duration::ZERO))
}

fn get(authority: &str) -> Value {
    json!({ "Http": { "scheme": "http", "authority": authority, "path": "/" } })
}

/// The right to send requests to a server, and to nobody else.
fn to(authority: &str) -> Vec<String> {
    vec![format!("http://{authority}")]
}

/// What a guest is told that lives.
fn told(reply: &Value) -> Seen {
    reply["Err"].as_str().map_or(Seen::Nothing, |error| Seen::Refused(error.to_owned()))
}

/// Starts a guest that may use this much of the network.
async fn starts(scene: &Scene, network: skep_runtime::spec::Network) {
    scene.culprit(prober("culprit", network)).await.expect("it starts");
}

async fn asks(scene: &Scene, answer: Answer) -> Seen {
    let server = Server::start(answer).await;
    let culprit = prober("culprit", http(&to(&server.authority())));
    let answer = scene.answer(culprit, get(&server.authority())).await;
    answer.map_or_else(|seen| seen, |answer| told(&answer))
}

/// Who hears something all the while waits, and can be ended.
async fn drips(scene: &Scene) -> Seen {
    let server = Server::start(Answer { first: HEAD.to_owned() + "\r\n", then: Some(("a".to_owned(), DROP)) }).await;
    starts(scene, http(&to(&server.authority()))).await;
    let (runtime, pid) = (scene.app.runtime.clone(), scene.app.pid("culprit"));
    let request = Body::Json(get(&server.authority()).to_string());
    let call = tokio::spawn(async move { runtime.call("test", Address::Pid(pid), request, None).await });
    eventually("some of the body", || (server.parts() >= 20).then_some(())).await;
    assert!(!call.is_finished() && scene.app.is_alive(pid), "it waits");
    scene.app.runtime.kill(pid);
    eventually("the end of the connection", || (server.gone() == 1).then_some(())).await;
    let _ = call.await;
    Seen::Nothing
}

async fn redirected(scene: &Scene) -> Seen {
    let hidden = Server::start(Answer { first: HEAD.to_owned(), then: None }).await;
    let (moved, there) = ("HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: http://", hidden.authority());
    let server = Server::start(Answer { first: format!("{moved}{there}/\r\n\r\n"), then: None }).await;
    starts(scene, http(&to(&server.authority()))).await;
    let answer = scene.app.ask("culprit", get(&server.authority())).await;
    let location = answer["Ok"]
        .as_array()
        .and_then(|told| told.iter().find_map(|line| line.as_str()?.strip_prefix("location: http://")));
    let location = location.and_then(|location| location.strip_suffix('/')).expect("it is sent on");
    let seen = told(&scene.app.ask("culprit", get(location)).await);
    assert_eq!((location, hidden.asked()), (there.as_str(), 0));
    seen
}

async fn rebinds(scene: &Scene) -> Seen {
    let page = |body: &str| Answer { first: format!("{HEAD}content-length: {}\r\n\r\n{body}", body.len()), then: None };
    let first = Server::start_at("127.0.0.2:0", page("first")).await;
    let second = Server::start_at(&format!("127.0.0.3:{}", first.port()), page("second")).await;
    let authority = format!("rebinding.localhost:{}", first.port());
    starts(scene, http(&to(&authority))).await;
    for _ in 0..10 {
        let heard = scene.app.ask("culprit", get(&authority)).await;
        assert_eq!(heard["Ok"][2], json!("first"), "{heard}");
    }
    assert_eq!((first.asked(), second.asked()), (10, 0));
    Seen::Nothing
}

async fn connections(scene: &Scene) -> Seen {
    let server = Server::start(Answer::default()).await;
    starts(scene, tcp(&[server.authority()])).await;
    let held = scene.app.ask("culprit", json!({ "Hold": [server.authority(), THOUSAND] })).await;
    held["Ok"][1].as_str().map_or(Seen::Nothing, |error| Seen::Refused(error.to_owned()))
}

async fn requests(scene: &Scene) -> Seen {
    let server = Server::start(Answer::default()).await;
    starts(scene, http(&to(&server.authority()))).await;
    let mut request = json!({ "HoldHttp": get(&server.authority())["Http"] });
    for _ in 0..THOUSAND {
        let seen = told(&scene.app.ask("culprit", request.clone()).await);
        if !matches!(seen, Seen::Nothing) {
            return seen;
        }
        request["HoldHttp"]["path"] = json!("/again");
    }
    Seen::Nothing
}
