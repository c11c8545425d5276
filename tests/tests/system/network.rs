//! Guests on the network: whom they reach, whom they do not, and what that costs.
//!
//! Real guests, real sockets on this machine, and a resolver that answers as a hostile one might.

mod bounds;
mod names;
mod requests;
mod sockets;
mod tls;
mod waiting;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use skep_runtime::engine::Resolver;
use skep_runtime::spec::{Keep, Network};
use skep_runtime::{EngineConfig, RuntimeConfig};
use skep_tests::app::{Reports, SLOTS, supervisor};
use skep_tests::network::{http, prober, tcp, udp};
use skep_tests::{Child, TestApp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Says of each name what it was told to, one answer after the other, and the last one again and again.
#[derive(Debug, Default)]
pub struct Zone(Mutex<HashMap<String, Answers>>);

#[derive(Debug)]
struct Answers {
    left: Vec<Vec<IpAddr>>,
    asked: usize,
}

impl Zone {
    /// Of these names, these answers.
    fn of(names: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let addresses = |answer: &&[&str]| answer.iter().map(|address| address.parse().expect("an address")).collect();
        let answers = |list: &[&[&str]]| Answers { left: list.iter().rev().map(addresses).collect(), asked: 0 };
        let names = names.iter().map(|(name, list)| ((*name).to_owned(), answers(list)));
        Arc::new(Zone(Mutex::new(names.collect())))
    }

    /// How often it was asked for a name.
    fn asked(&self, name: &str) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).map_or(0, |answers| answers.asked)
    }
}

impl Resolver for Zone {
    fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = names.get_mut(name).ok_or(std::io::ErrorKind::NotFound)?;
        answers.asked += 1;
        let answer = if answers.left.len() > 1 { answers.left.pop() } else { answers.left.last().cloned() };
        Ok(answer.expect("there is an answer left"))
    }
}

/// An app with these children, whose names are looked up there.
async fn app(resolver: Arc<dyn Resolver>, keep: Keep, children: impl IntoIterator<Item = Child>) -> TestApp {
    app_on(EngineConfig { resolver, ..EngineConfig::default() }, keep, children).await
}

/// The same on an engine of its own.
async fn app_on(engine: EngineConfig, keep: Keep, children: impl IntoIterator<Item = Child>) -> TestApp {
    let engine = EngineConfig { slots: Some(SLOTS), ..engine };
    let config = RuntimeConfig { engine, keep: Some(keep), ..RuntimeConfig::default() };
    let started = TestApp::try_start_as(config, supervisor(children), Arc::new(Reports::default())).await;
    started.unwrap_or_else(|error| panic!("the app does not start: {error}"))
}

/// One guest that may do this, called `net`.
async fn alone(resolver: Arc<dyn Resolver>, network: Network) -> TestApp {
    app(resolver, Keep::WhileItFits, [prober("net", network)]).await
}

fn ok(texts: &[&str]) -> Value {
    json!({ "Ok": texts })
}

fn error(name: &str) -> Value {
    json!({ "Err": name })
}

/// Hears something, and says it again with its own address before it.
async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let own = stream.local_addr()?;
    let mut bytes = vec![0; 1 << 10];
    let length = stream.read(&mut bytes).await?;
    if length > 0 {
        stream.write_all(&[format!("{}: ", own.ip()).as_bytes(), &bytes[..length]].concat()).await?;
    }
    Ok(())
}

/// Listens at this address, and answers.
async fn listen(at: &str, port: u16) -> std::io::Result<u16> {
    let listener = TcpListener::bind((at, port)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    Ok(port)
}

/// Listens at all these addresses, at one port.
async fn listen_at(addresses: &[&str]) -> u16 {
    'port: loop {
        let port = listen(addresses[0], 0).await.expect("there is a port");
        for address in &addresses[1..] {
            if listen(address, port).await.is_err() {
                continue 'port;
            }
        }
        return port;
    }
}
