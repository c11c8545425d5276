//! Server and client over a real socket, on nodes without apps.

mod remote;

use std::path::Path;
use std::sync::Arc;

use serde_json::value::RawValue;
use skep_runtime::observe::Level;
use skep_runtime::{EngineConfig, RuntimeConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::client::{Client, ClientError};
use super::protocol::{AppTree, Halted, Message, NodeInfo, Process, Sent};
use super::server::{Doors, Listener, Remote, serve};
use crate::node::body::Readable;
use crate::node::code::history::Event;
use crate::node::code::versions::Versions;
use crate::node::home::{Claim, Home};
use crate::node::{Node, Stage};

/// A node that listens, and is taken down when it is asked to stop.
struct Served {
    node: Arc<Node>,
    claim: Claim,
    life: JoinHandle<()>,
}

fn start(home: &Home, name: &str) -> Served {
    start_with(home, name, None)
}

fn start_with(home: &Home, name: &str, remote: Option<Remote>) -> Served {
    let engine = EngineConfig { slots: Some(4), ..EngineConfig::default() };
    let config = RuntimeConfig { workers: Some(1), engine, ..RuntimeConfig::default() };
    let claim = home.claim(name).expect("the name is free");
    let node = Node::new(name, config, claim.folder()).expect("the machine can run a node");
    let socket = Listener::bind(claim.socket(), Arc::clone(&node.log)).expect("nothing is there");
    let server = tokio::spawn(serve(Arc::clone(&node), Doors { socket, remote }));
    let life = tokio::spawn({
        let node = Arc::clone(&node);
        async move {
            node.reaches(Stage::Stopping).await;
            node.end().await;
            server.await.expect("it does not panic");
        }
    });
    Served { node, claim, life }
}

fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Home::create(&folder.path().join("home")).expect("it is ours");
    (folder, home)
}

async fn find(home: &Home, node: Option<&str>) -> Result<Client, ClientError> {
    Client::find(home.path(), node).await
}

fn message(to: &str) -> Message {
    let body = RawValue::from_string("[1]".to_owned()).expect("it is JSON");
    Message { to: to.to_owned(), body, timeout_ms: None }
}

/// What the node says to these bytes.
async fn raw(socket: &Path, request: &str) -> String {
    let mut stream = tokio::net::UnixStream::connect(socket).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_tells_of_itself_and_stops_when_asked() {
    let (_keep, home) = home();
    let served = start(&home, "blue");
    let client = find(&home, None).await.expect("it is the only one");
    let info: NodeInfo = client.get("/v1/node").await.expect("it answers");
    assert_eq!((info.name.as_str(), info.apps.len(), info.os_process), ("blue", 0, std::process::id()));
    assert_eq!(client.get::<Vec<Process>>("/v1/processes").await.expect("it answers").len(), 0);
    assert_eq!(client.get::<Vec<AppTree>>("/v1/tree").await.expect("it answers").len(), 0);

    let halted: Halted = client.post("/v1/stop", &()).await.expect("it answers when all is stopped");
    assert!(halted.stopped);
    served.life.await.expect("it ends");
    let gone = client.get::<NodeInfo>("/v1/node").await.expect_err("it has ended");
    assert!(matches!(gone, ClientError::NotRunning { left_socket: true, .. }), "{gone}");
    drop(served.claim);
    assert!(matches!(find(&home, None).await, Err(ClientError::NoneRunning { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_refused_with_a_reason() {
    let (_keep, home) = home();
    let served = start(&home, "blue");
    let client = find(&home, Some("blue")).await.expect("it runs");
    let refused = |error: ClientError| match error {
        ClientError::Refused(problem) => problem,
        other => panic!("{other}"),
    };
    let problem = refused(client.post::<Readable>("/v1/call", &message("nobody")).await.expect_err("nobody is there"));
    assert_eq!(
        (problem.code.as_str(), problem.message.as_str()),
        ("unknown_process", "there is no process named `nobody`")
    );
    assert!(problem.remedy.is_some());
    let problem = refused(client.post::<Sent>("/v1/cast", &message("<0.9>")).await.expect_err("nobody is there"));
    assert_eq!(problem.message, "there is no process <0.9>");
    let problem = refused(client.get::<Vec<AppTree>>("/v1/tree?app=none").await.expect_err("there is no app"));
    assert_eq!(problem.message, "there is no app named `none`");
    let problem = refused(client.get::<NodeInfo>("/v1/tree?ap=none").await.expect_err("there is no such key"));
    assert_eq!(problem.code, "bad_request");
    let problem = refused(client.get::<NodeInfo>("/v1/none").await.expect_err("there is no such path"));
    assert_eq!(problem.code, "not_found");
    let problem = refused(client.get::<NodeInfo>("/v1/call").await.expect_err("one posts there"));
    assert_eq!(problem.code, "bad_request");
    let problem = refused(client.post::<Sent>("/v1/cast", &[1]).await.expect_err("it is no message"));
    assert!(problem.message.starts_with("the request is not"), "{}", problem.message);

    let unknown = client.post_lines::<ClientError>("/v1/upgrade?module=none", vec![1], |_| Ok(())).await;
    let problem = refused(unknown.expect_err("there is no module"));
    assert_eq!((problem.code.as_str(), problem.remedy.as_deref()), ("unknown_module", Some("there are no modules")));
    let unknown = client.post_lines::<ClientError>("/v1/rollback?module=none&wait=1", vec![], |_| Ok(())).await;
    assert_eq!(refused(unknown.expect_err("there is no such key")).code, "bad_request");
    assert_eq!(client.get::<Vec<Versions>>("/v1/modules").await.expect("it answers").len(), 0);
    assert_eq!(client.get::<Vec<Event>>("/v1/upgrades").await.expect("it answers").len(), 0);

    let length = (16 << 20) + 1;
    let head = format!("POST /v1/cast HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    let answer = raw(served.claim.socket(), &(head + &" ".repeat(length))).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let answer = raw(served.claim.socket(), "not even HTTP\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    served.node.ask_to_stop();
    served.life.await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sees_the_past_then_the_future_and_ends_with_the_node() {
    let (_keep, home) = home();
    let served = start(&home, "blue");
    let client = find(&home, None).await.expect("it runs");
    served.node.log.note(Level::Info, "past".to_owned());
    let mut seen = Vec::new();
    let node = Arc::clone(&served.node);
    let followed = client.lines("/v1/logs?follow=true&lines=1", |line| {
        let entry: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        seen.push(entry["message"].as_str().unwrap_or_default().to_owned());
        match seen.last().map(String::as_str) {
            Some("past") => node.log.note(Level::Info, "future".to_owned()),
            Some("future") => node.ask_to_stop(),
            _ => {}
        }
        Ok::<(), ClientError>(())
    });
    followed.await.expect("it ends in order");
    assert_eq!(seen, ["past", "future", "stopped"]);
    served.life.await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_node_is_found_among_the_living_and_the_dead() {
    let (_keep, home) = home();
    let (blue, red) = (start(&home, "blue"), start(&home, "red"));
    // As a node leaves it that was killed: nobody listens any more.
    let dead = home.claim("dead").expect("the name is free");
    drop(std::os::unix::net::UnixListener::bind(dead.socket()).expect("nothing is there"));

    let several = find(&home, None).await.expect_err("two run");
    assert_eq!(several.to_string(), "several nodes are running: blue, red");
    assert_eq!(find(&home, Some("red")).await.expect("it runs").node(), "red");
    let died = find(&home, Some("dead")).await.expect_err("it does not run");
    assert_eq!(died.to_string(), "node `dead` is not running (it died and left its socket behind)");
    assert_eq!(died.remedy().as_deref(), Some("these are running: blue, red"));
    let never = find(&home, Some("none")).await.expect_err("it never was");
    assert_eq!(never.to_string(), "node `none` is not running");
    assert!(matches!(find(&home, Some("../x")).await, Err(ClientError::Home(_))));
    let nowhere = Client::find(&home.path().join("none"), None).await.expect_err("there is no home");
    assert!(matches!(nowhere, ClientError::NoneRunning { .. }));
    for served in [blue, red] {
        served.node.ask_to_stop();
        served.life.await.expect("it ends");
    }
}
