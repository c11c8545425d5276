//! Guests that may use the network, and servers that answer as none should.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use skep_runtime::spec::{Endpoint, Network, Origin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::Child;

fn endpoints(patterns: &[String]) -> Vec<Endpoint> {
    patterns.iter().map(|text| Endpoint::parse(text).expect("a pattern")).collect()
}

/// The right to open connections.
#[must_use]
pub fn tcp(patterns: &[String]) -> Network {
    Network { tcp: endpoints(patterns), ..Network::default() }
}

/// The right to send datagrams.
#[must_use]
pub fn udp(patterns: &[String]) -> Network {
    Network { udp: endpoints(patterns), ..Network::default() }
}

/// The right to send requests.
#[must_use]
pub fn http(patterns: &[String]) -> Network {
    Network {
        http: patterns.iter().map(|text| Origin::parse(text).expect("a pattern")).collect(),
        ..Network::default()
    }
}

/// A guest that tries what it is told.
#[must_use]
pub fn prober(id: &str, network: Network) -> Child {
    Child::new(id, "probe-net", &Value::Null)
        .process(move |process| Arc::make_mut(&mut process.grants).network = Arc::new(network))
}

/// What is said to whoever asks for something.
#[derive(Clone, Default)]
pub struct Answer {
    /// At first.
    pub first: String,
    /// And then again and again, after a while each time, if any; else nothing more is said, and the connection stays.
    pub then: Option<(String, Duration)>,
}

/// A server on this machine, which is gone with all its connections when this is dropped.
pub struct Server {
    address: SocketAddr,
    talks: Arc<Talks>,
    accepts: JoinHandle<()>,
}

/// How many have asked for something so far, what they were told again and again, and how many of them have gone.
#[derive(Default)]
struct Talks {
    begun: AtomicUsize,
    parts: AtomicUsize,
    over: AtomicUsize,
}

impl Server {
    /// One that gives everybody the same answer.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub async fn start(answer: Answer) -> Self {
        Self::start_at("127.0.0.1:0", answer).await
    }

    /// The same, at this address.
    ///
    /// # Panics
    ///
    /// If it is taken.
    pub async fn start_at(address: &str, answer: Answer) -> Self {
        let listener = TcpListener::bind(address).await.expect("there is a port");
        let address = listener.local_addr().expect("it listens");
        let talks = Arc::new(Talks::default());
        let accepts = tokio::spawn(accept(listener, answer, Arc::clone(&talks)));
        Server { address, talks, accepts }
    }

    /// Where it is, as `127.0.0.1:8080`.
    #[must_use]
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many have asked for something.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.talks.begun.load(Ordering::Relaxed)
    }

    /// How often something was said once more.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.talks.parts.load(Ordering::Relaxed)
    }

    /// How many of them have gone.
    #[must_use]
    pub fn gone(&self) -> usize {
        self.talks.over.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn accept(listener: TcpListener, answer: Answer, talks: Arc<Talks>) {
    // They end with this task.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(talk(stream, answer.clone(), Arc::clone(&talks)));
    }
}

/// Answers whoever has said something, for as long as they listen.
async fn talk(mut stream: TcpStream, answer: Answer, talks: Arc<Talks>) {
    let mut bytes = [0; 1 << 10];
    if stream.read(&mut bytes).await.unwrap_or(0) == 0 {
        return;
    }
    talks.begun.fetch_add(1, Ordering::Relaxed);
    let mut said = stream.write_all(answer.first.as_bytes()).await;
    while let Some((part, pause)) = &answer.then
        && said.is_ok()
    {
        if !pause.is_zero() {
            tokio::time::sleep(*pause).await;
        }
        said = stream.write_all(part.as_bytes()).await;
        talks.parts.fetch_add(1, Ordering::Relaxed);
    }
    // Until the other side is gone.
    while stream.read(&mut bytes).await.is_ok_and(|length| length > 0) {}
    talks.over.fetch_add(1, Ordering::Relaxed);
}
