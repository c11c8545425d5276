//! The control socket: bound inside the owner's folder, open to its owner only.
//!
//! Owns the check of the peer. Never reads a byte of a request.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use skep_runtime::observe::Level;
use tokio::net::{UnixListener, UnixStream};

use crate::node::log::Log;

/// After an error such as too many open files: long enough for some to be closed.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

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

    /// The next connection, and the user whose it is.
    pub(super) async fn accept(&self) -> (UnixStream, u32) {
        loop {
            match self.socket.accept().await {
                Ok((stream, _)) => match stream.peer_cred() {
                    Ok(peer) if peer.uid() == rustix::process::geteuid().as_raw() => return (stream, peer.uid()),
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
}
