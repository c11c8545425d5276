//! The control socket: bound inside the owner's folder, open to its owner only.
//!
//! Owns the check of the peer. Never reads a byte of a request.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use skep_runtime::observe::Level;
use std::sync::Arc;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};

use crate::node::log::Log;

/// After an error such as too many open files: long enough for some to be closed.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections of this program's own user.
pub struct Listener {
    socket: UnixListener,
    log: Arc<Log>,
}

impl Listener {
    /// Listens at this path, where nothing may be.
    pub fn bind(path: &Path, log: Arc<Log>) -> io::Result<Self> {
        let socket = UnixListener::bind(path)?;
        // The folder keeps others out already; this is the second lock.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Listener { socket, log })
    }
}

impl axum::serve::Listener for Listener {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok((stream, address)) => match stream.peer_cred() {
                    Ok(peer) if peer.uid() == rustix::process::geteuid().as_raw() => return (stream, address),
                    Ok(peer) => {
                        let message = format!("turned the user with id {} away from the control socket", peer.uid());
                        self.log.note(Level::Warn, message);
                    }
                    // It hung up before it could be looked at.
                    Err(_) => {}
                },
                Err(error) => {
                    self.log.note(Level::Warn, format!("the control socket cannot accept: {error}"));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}
