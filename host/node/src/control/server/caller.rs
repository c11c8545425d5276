//! Who asks, and whether they may.
//!
//! Owns the order: a token is asked for before anybody reads a body, then the scope of the path, and what may change
//! something is written down with what came of it. On the socket it is always the owner, who may do everything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::header::{AUTHORIZATION, CONNECTION, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use skep_runtime::observe::Level;

use super::connection::BODY_TIME;
use super::failures::Failures;
use super::refusal::{Code, Refusal};
use crate::node::Node;
use crate::node::audit::Entry;
use crate::node::deploy::MODULE_BYTES;
use crate::node::log::now_ms;
use crate::node::tokens::{Scope, Token};

/// A longer one is none of ours.
const TOKEN_BYTES: usize = 100;
/// How much is taken in of what a stranger says, and for how long: most bodies are smaller.
const OF_STRANGERS: (usize, Duration) = (64 << 10, Duration::from_secs(1));
/// And of somebody who is known, and may not do that: as much as if he might.
const OF_THE_KNOWN: (usize, Duration) = (MODULE_BYTES, BODY_TIME);

/// Where a connection comes from.
#[derive(Clone, Debug)]
pub(super) enum Peer {
    /// The node's owner, over the socket.
    Owner { uid: u32 },
    /// Anybody, over TCP.
    Remote(Arc<Session>),
}

/// A connection over TCP.
#[derive(Debug)]
pub(super) struct Session {
    address: SocketAddr,
    /// What its first request showed. It is closed when this counts no more.
    token: Mutex<Option<Token>>,
}

impl Session {
    pub(super) fn new(address: SocketAddr) -> Self {
        Session { address, token: Mutex::default() }
    }

    /// The token that was shown, if one was.
    pub(super) fn token(&self) -> Option<Token> {
        self.token.lock().clone()
    }

    /// One connection, one token: when it is revoked, it is clear what ends.
    fn is_of(&self, token: &Token) -> bool {
        self.token.lock().get_or_insert_with(|| token.clone()) == token
    }
}

/// Who asks.
#[derive(Clone, Debug)]
struct Caller {
    name: String,
    from: Option<SocketAddr>,
    scope: Scope,
}

/// What all requests share.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) node: Arc<Node>,
    pub(super) failures: Arc<Mutex<Failures>>,
}

/// Lets a request in that comes over the socket, or shows a token that counts.
pub(super) async fn authenticate(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let caller = match request.extensions().get::<Peer>() {
        Some(Peer::Owner { uid }) => Ok(Caller { name: format!("uid {uid}"), from: None, scope: Scope::Deploy }),
        Some(Peer::Remote(session)) => gate.admit(session, request.headers()),
        None => Err(Refusal::unauthorized("nobody knows where this request comes from")),
    };
    match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => {
            let address = request.extensions().get::<Peer>().and_then(Peer::address);
            gate.turned_away(address, &request, &refusal);
            hear_out(request, OF_STRANGERS).await;
            let mut response = refusal.into_response();
            // What else it has to say is not listened to.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

impl Peer {
    fn address(&self) -> Option<SocketAddr> {
        match self {
            Peer::Owner { .. } => None,
            Peer::Remote(session) => Some(session.address),
        }
    }
}

impl Gate {
    fn admit(&self, session: &Session, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let address = session.address.ip();
        // Before any comparison: who guesses learns nothing from then on.
        if !self.failures.lock().may_try(address, Instant::now()) {
            return Err(Refusal::too_many_failures());
        }
        match self.token(session, headers) {
            Ok(token) => {
                Ok(Caller { name: format!("token {}", token.name), from: Some(session.address), scope: token.scope })
            }
            Err(refusal) => {
                self.failures.lock().failed(address, Instant::now());
                Err(refusal)
            }
        }
    }

    fn token(&self, session: &Session, headers: &HeaderMap) -> Result<Token, Refusal> {
        let text = bearer(headers).ok_or_else(|| Refusal::unauthorized("the request has no token"))?;
        let found = self.node.tokens.find(text).map_err(|error| {
            self.node.log.note(Level::Warn, format!("nobody is let in: {error}; {}", error.remedy()));
            Refusal::unauthorized("the node cannot read its tokens")
        })?;
        match found {
            None => Err(Refusal::unauthorized("this token is none of this node's, or was revoked")),
            Some(token) if token.has_expired(now_ms()) => Err(Refusal::unauthorized("the token has expired")),
            Some(token) if session.is_of(&token) => Ok(token),
            Some(_) => Err(Refusal::unauthorized("another token was shown on this connection before")),
        }
    }

    fn turned_away(&self, from: Option<SocketAddr>, request: &Request, refusal: &Refusal) {
        // Of those that fail again and again only the first are written down, or they would push out everything else.
        if refusal.status() == StatusCode::TOO_MANY_REQUESTS || !self.failures.lock().may_write(Instant::now()) {
            return;
        }
        let entry = Entry {
            time_ms: now_ms(),
            who: "nobody".to_owned(),
            from: from.map(|from| from.to_string()),
            action: action(request),
            target: None,
            result: refusal.code().to_owned(),
            took_ms: 0,
        };
        write(&self.node, entry);
    }
}

/// Takes in what a refused request still has to say, up to a bound, and forgets it: a connection that is closed with something unread
/// is reset, and the answer can be lost on its way.
async fn hear_out(request: Request, (bytes, time): (usize, Duration)) {
    let mut body = request.into_body();
    let rest = async {
        let mut left = bytes;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(bytes) else { return };
            left = rest;
        }
    };
    let _ = tokio::time::timeout(time, rest).await;
}

/// The token that a request shows.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (one, None) = (all.next()?, all.next()) else { return None };
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && token.len() <= TOKEN_BYTES).then_some(token)
}

/// The last part of the path, which is what is done.
fn action(request: &Request) -> String {
    request.uri().path().rsplit('/').next().unwrap_or_default().to_owned()
}

/// For paths that only look.
pub(super) async fn may_read(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    pass(&gate, Scope::Read, request, next).await
}

/// For paths that talk to processes, or end them.
pub(super) async fn may_operate(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    pass(&gate, Scope::Operate, request, next).await
}

/// For paths that change which code runs.
pub(super) async fn may_deploy(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    pass(&gate, Scope::Deploy, request, next).await
}

async fn pass(gate: &Gate, needed: Scope, mut request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        return Refusal::unauthorized("nobody knows who asks").into_response();
    };
    let ticket = Ticket::new(gate, &caller, action(&request));
    if caller.scope < needed {
        let refusal = Refusal::forbidden(&caller.name, caller.scope, needed);
        ticket.came_of_it(refusal.code());
        hear_out(request, OF_THE_KNOWN).await;
        return refusal.into_response();
    }
    if needed == Scope::Read {
        ticket.forget();
        return next.run(request).await;
    }
    request.extensions_mut().insert(ticket.clone());
    let response = next.run(request).await;
    match response.extensions().get::<Code>() {
        Some(Code(code)) => ticket.came_of_it(code),
        // A stream says itself what comes of it, later.
        None if ticket.is_pending() => {}
        None if response.status().is_success() => ticket.came_of_it("done"),
        None => ticket.came_of_it("bad_request"),
    }
    response
}

/// What is being done for somebody. Written down when the last copy is dropped: as called off, if nobody said what came
/// of it.
#[derive(Clone)]
pub(super) struct Ticket(Arc<Doing>);

struct Doing {
    node: Arc<Node>,
    since: Instant,
    entry: Mutex<Entry>,
    state: Mutex<Stage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The answer says what came of it.
    Answering,
    /// The answer has begun, and a stream goes on.
    Pending,
    /// Not to be written down.
    Forgotten,
}

impl Ticket {
    fn new(gate: &Gate, caller: &Caller, action: String) -> Self {
        let entry = Entry {
            time_ms: now_ms(),
            who: caller.name.clone(),
            from: caller.from.map(|from| from.to_string()),
            action,
            target: None,
            result: "called_off".to_owned(),
            took_ms: 0,
        };
        let (node, entry, state) = (Arc::clone(&gate.node), Mutex::new(entry), Mutex::new(Stage::Answering));
        Ticket(Arc::new(Doing { node, since: Instant::now(), entry, state }))
    }

    /// Says to what it is done.
    pub(super) fn about(&self, target: &str) {
        self.0.entry.lock().target = Some(target.to_owned());
    }

    /// Says that the end is not yet known when the answer begins.
    pub(super) fn pending(&self) {
        *self.0.state.lock() = Stage::Pending;
    }

    /// Says how it ended: `done`, or the word of a refusal.
    pub(super) fn came_of_it(&self, result: &str) {
        self.0.entry.lock().result = result.to_owned();
    }

    fn is_pending(&self) -> bool {
        *self.0.state.lock() == Stage::Pending
    }

    fn forget(&self) {
        *self.0.state.lock() = Stage::Forgotten;
    }
}

impl Drop for Doing {
    fn drop(&mut self) {
        if *self.state.lock() != Stage::Forgotten {
            let took_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
            write(&self.node, Entry { took_ms, ..self.entry.lock().clone() });
        }
    }
}

fn write(node: &Node, entry: Entry) {
    if let Err(error) = node.audit.write(entry) {
        node.log.note(Level::Warn, format!("what was asked for cannot be written down: {error}"));
    }
}
