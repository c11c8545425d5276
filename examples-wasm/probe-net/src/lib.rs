//! Tries what it is told on the network, and says what came of it.
//!
//! Owns the sockets and requests that it was told to hold: not part of its state, so that whoever takes its instance away
//! takes them too. Errors are those of the contract, by name.

mod http;
mod sockets;

use std::cell::RefCell;

use skep_sdk::prelude::*;

use crate::http::Held;
use crate::sockets::Connection;

/// What came of it: texts, or why not.
pub type Tried = Result<Vec<String>, String>;

/// What can be tried. Addresses are written as `1.2.3.4:80`.
#[derive(Clone, Serialize, Deserialize)]
pub enum Attempt {
    /// To look a name up.
    Lookup(String),
    /// To connect, say something, and hear all of the answer.
    Tcp(String, String),
    /// To connect from an address, to nobody.
    BindTcp(String),
    /// To listen.
    Listen,
    /// To send a datagram, over a socket that is connected to whoever gets it if so told, and to hear one.
    Udp(String, String, bool),
    /// To send a datagram, and to hear none.
    UdpSend(String, String),
    /// To receive datagrams at an address.
    BindUdp(String),
    /// To connect and to keep the connection, this often: how many came about, and why there were no more.
    Hold(String, usize),
    /// To say something over the first connection that is held, and to hear some of the answer.
    Say(String),
    /// To let go of all that is held.
    LetGo,
    /// To connect, and to hear a word that is never said.
    Wait(String),
    /// To send a request: method, scheme, authority, path, headers, body; gives the status, headers and the body.
    Http(http::Asked),
    /// To send a request and to keep what will be the answer.
    HoldHttp(http::Asked),
    /// To do this when the state is next saved.
    InSave(Saving),
}

/// What may not be done while a state is saved.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub enum Saving {
    /// To make a socket.
    Tcp,
    /// The same.
    Udp,
    /// To look a name up.
    Lookup,
    /// To send a request.
    Http,
}

/// What is held.
#[derive(Default)]
struct Hands {
    connections: Vec<Connection>,
    requests: Vec<Held>,
}

thread_local! {
    static HANDS: RefCell<Hands> = RefCell::default();
}

/// The server, which remembers next to nothing.
#[derive(Serialize, Deserialize)]
pub struct ProbeNet {
    #[serde(serialize_with = "saved")]
    in_save: Option<Saving>,
}

/// Does on the way what it was told to.
fn saved<S: serde::Serializer>(in_save: &Option<Saving>, to: S) -> Result<S::Ok, S::Error> {
    let _ = match in_save {
        Some(Saving::Tcp) => sockets::open("127.0.0.1:1").map(drop),
        Some(Saving::Udp) => sockets::bind_udp("0.0.0.0:0").map(drop),
        Some(Saving::Lookup) => sockets::look_up("localhost").map(drop),
        Some(Saving::Http) => http::begin(&http::Asked::to("localhost:1")).map(drop),
        None => Ok(()),
    };
    in_save.serialize(to)
}

#[server]
impl Server for ProbeNet {
    type Args = ();
    type Call = Attempt;
    type Reply = Tried;

    fn init((): (), _: &Context) -> Start<Self> {
        Ok(ProbeNet { in_save: None })
    }

    fn handle_call(&mut self, attempt: Attempt, _: From<Self>, _: &Context) -> Outcome<Tried> {
        reply(match attempt {
            Attempt::Lookup(name) => sockets::look_up(&name),
            Attempt::Tcp(to, text) => sockets::tcp(&to, &text),
            Attempt::BindTcp(at) => sockets::bind_tcp(&at),
            Attempt::Listen => sockets::listen(),
            Attempt::Udp(to, text, connected) => sockets::udp(&to, &text, connected),
            Attempt::UdpSend(to, text) => sockets::udp_send(&to, &text),
            Attempt::BindUdp(at) => sockets::bind_udp(&at),
            Attempt::Hold(to, times) => hold(&to, times),
            Attempt::Say(text) => HANDS.with_borrow(|hands| match hands.connections.first() {
                Some(connection) => connection.say(&text),
                None => Err("nothing is held".to_owned()),
            }),
            Attempt::LetGo => {
                HANDS.take();
                Ok(Vec::new())
            }
            Attempt::Wait(to) => sockets::wait(&to),
            Attempt::Http(asked) => http::request(&asked),
            Attempt::HoldHttp(asked) => http::begin(&asked).map(|held| {
                HANDS.with_borrow_mut(|hands| hands.requests.push(held));
                Vec::new()
            }),
            Attempt::InSave(what) => {
                self.in_save = Some(what);
                Ok(Vec::new())
            }
        })
    }
}

fn hold(to: &str, times: usize) -> Tried {
    for _ in 0..times {
        let connection = match sockets::connect(to) {
            Ok(connection) => connection,
            Err(error) => return Ok(vec![held().to_string(), error]),
        };
        HANDS.with_borrow_mut(|hands| hands.connections.push(connection));
    }
    Ok(vec![held().to_string()])
}

fn held() -> usize {
    HANDS.with_borrow(|hands| hands.connections.len())
}

skep_sdk::export!(ProbeNet);
