//! The control API over TCP: TLS first, then a token.
//!
//! Owns how many connections there are, in all and from one address, and that each proves within a bounded time that it
//! speaks TLS. A connection ends when the token that it showed does.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::server::graceful::Watcher;
use parking_lot::Mutex;
use skep_runtime::observe::Level;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::caller::{Peer, Session};
use super::connection;
use super::listener::PAUSE;
use crate::control::tls::Identity;
use crate::node::Node;
use crate::node::log::{Log, now_ms};

/// Connections at once.
pub(super) const CONNECTIONS: usize = 64;
/// Connections at once from one address, so that one client leaves room for the others.
pub(super) const CONNECTIONS_OF_ONE: usize = 16;
/// How long the beginning of TLS may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// How often is looked whether a connection's token still counts.
const LOOK: Duration = Duration::from_secs(1);

/// Accepts connections from elsewhere.
pub struct Remote {
    socket: TcpListener,
    acceptor: TlsAcceptor,
    room: Arc<Mutex<Room>>,
    log: Arc<Log>,
}

impl Remote {
    /// Listens at this address, as whoever the identity says.
    pub async fn bind(address: SocketAddr, identity: &Identity, log: Arc<Log>) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let acceptor = TlsAcceptor::from(Arc::clone(&identity.config));
        Ok(Remote { socket, acceptor, room: Arc::default(), log })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next connection for which there is room.
    pub(super) async fn accept(&self) -> Incoming {
        loop {
            match self.socket.accept().await {
                Ok((stream, address)) => {
                    // Without a place it is dropped unheard; the client may come again.
                    if let Some(place) = Place::take(&self.room, address.ip()) {
                        return Incoming { stream, address, acceptor: self.acceptor.clone(), _place: place };
                    }
                }
                Err(error) => {
                    self.log.note(Level::Warn, format!("the control API cannot accept over TCP: {error}"));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// A connection that has not yet said anything.
pub(super) struct Incoming {
    stream: TcpStream,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    _place: Place,
}

impl Incoming {
    /// Answers what is asked on it, until it ends or its token does.
    pub(super) async fn serve(self, node: Arc<Node>, router: Router, watcher: Watcher) {
        // Small answers go out at once; a failure costs only that.
        let _ = self.stream.set_nodelay(true);
        let shaking_hands = tokio::time::timeout(HANDSHAKE_TIME, self.acceptor.accept(self.stream));
        let Ok(Ok(stream)) = shaking_hands.await else { return };
        let session = Arc::new(Session::new(self.address));
        let peer = Peer::Remote(Arc::clone(&session));
        tokio::select! {
            () = connection::serve(stream, peer, router, watcher) => {}
            () = ends(&node, &session) => {}
        }
    }
}

/// Waits until the token that was shown counts no more.
async fn ends(node: &Node, session: &Session) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        if let Some(token) = session.token()
            && !node.tokens.has(&token, now_ms()).unwrap_or(false)
        {
            return;
        }
    }
}

/// Who is connected.
#[derive(Debug, Default)]
struct Room {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// One connection's place.
struct Place {
    room: Arc<Mutex<Room>>,
    address: IpAddr,
}

impl Place {
    fn take(room: &Arc<Mutex<Room>>, address: IpAddr) -> Option<Self> {
        let mut taken = room.lock();
        let of_one = taken.of.get(&address).copied().unwrap_or_default();
        if taken.all >= CONNECTIONS || of_one >= CONNECTIONS_OF_ONE {
            return None;
        }
        taken.all += 1;
        taken.of.insert(address, of_one + 1);
        Some(Place { room: Arc::clone(room), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut room = self.room.lock();
        room.all -= 1;
        let left = room.of.get(&self.address).map_or(0, |of_one| of_one - 1);
        if left == 0 {
            room.of.remove(&self.address);
        } else {
            room.of.insert(self.address, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_room_for_others_and_a_place_is_given_back() {
        let room = Arc::<Mutex<Room>>::default();
        let address = |number: u32| IpAddr::V4(number.into());
        let mut places: Vec<Place> = (0..CONNECTIONS_OF_ONE).filter_map(|_| Place::take(&room, address(1))).collect();
        assert_eq!(places.len(), CONNECTIONS_OF_ONE);
        assert!(Place::take(&room, address(1)).is_none());
        places.extend((2..).take(CONNECTIONS - CONNECTIONS_OF_ONE).filter_map(|n| Place::take(&room, address(n))));
        assert_eq!(places.len(), CONNECTIONS);
        assert!(Place::take(&room, address(0)).is_none(), "it is full");
        places.remove(0);
        assert!(Place::take(&room, address(1)).is_some());
        places.clear();
        let room = room.lock();
        assert_eq!((room.all, room.of.len()), (0, 0));
    }
}
