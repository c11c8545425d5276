//! Who waits for a connection, a name or an answer: others go on, and it can be ended at any time.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::{Value, json};
use skep_runtime::engine::Resolver;
use skep_runtime::kernel::{Address, Body};
use skep_runtime::spec::Keep;
use skep_tests::eventually;
use tokio::net::TcpListener;

use super::{app, ok, prober, tcp};

/// Answers when it is let go: the sender is dropped. Tells of each question.
#[derive(Debug)]
pub(super) struct Stubborn {
    asked: Mutex<Sender<String>>,
    let_go: Mutex<Receiver<()>>,
}

impl Stubborn {
    pub(super) fn new() -> (Arc<Self>, Receiver<String>, Sender<()>) {
        let ((asked, questions), (holds, let_go)) = (channel(), channel());
        (Arc::new(Stubborn { asked: asked.into(), let_go: let_go.into() }), questions, holds)
    }
}

impl Resolver for Stubborn {
    fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        self.asked.lock().expect("nobody panics").send(name.to_owned()).expect("somebody listens");
        let _ = self.let_go.lock().expect("nobody panics").recv();
        Ok(vec![[127, 0, 0, 1].into()])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_connection_or_a_name_holds_up_nobody_and_ends_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let to = silent.local_addr().expect("it listens").to_string();
    let (resolver, questions, holds) = Stubborn::new();
    let granted = tcp(&[to.clone(), "localhost:1".to_owned()]);
    let children = ["reads", "asks", "works"].map(|id| prober(id, granted.clone()));
    let app = app(resolver, Keep::WhileItFits, children).await;
    let waiting: Vec<_> = [("reads", json!({ "Wait": to })), ("asks", json!({ "Lookup": "localhost" }))]
        .map(|(who, attempt)| {
            let pid = app.pid(who);
            let (runtime, body) = (app.runtime.clone(), Body::Json(attempt.to_string()));
            tokio::spawn(async move { runtime.call("test", Address::Pid(pid), body, None).await });
            pid
        })
        .into();
    let (connection, _) = silent.accept().await.expect("somebody connects");
    assert_eq!(
        tokio::task::spawn_blocking(move || questions.recv()).await.expect("no panic").expect("a question"),
        "localhost"
    );
    let works = app.ask("works", json!({ "BindTcp": "0.0.0.0:0" })).await;
    assert_eq!(works, ok(&[]), "others go on meanwhile");
    for pid in waiting {
        app.runtime.kill(pid);
        eventually("its end", || (!app.is_alive(pid)).then_some(())).await;
    }
    // The socket has gone with the process, though nobody has answered.
    let mut byte = [0];
    eventually("the end of the connection", || match connection.try_read(&mut byte) {
        Ok(0) => Some(()),
        Ok(_) => panic!("nothing was said"),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
        Err(_) => Some(()),
    })
    .await;
    drop(holds);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_systems_own_resolver_is_asked_where_no_other_is_given() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let port = listener.local_addr().expect("it listens").port();
    let system = Arc::new(skep_runtime::engine::SystemResolver);
    let app = app(system, Keep::WhileItFits, [prober("net", tcp(&[format!("localhost:{port}")]))]).await;
    let Value::Array(found) = app.ask("net", json!({ "Lookup": "localhost" })).await["Ok"].take() else {
        panic!("there is a localhost everywhere")
    };
    assert!(found.contains(&json!("127.0.0.1")), "{found:?}");
    app.stop().await;
}
