//! A node on another machine: an address, a token, and what its certificate is known by.
//!
//! Owns the connection. Never reads a file or the environment: the command does.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderValue;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::control::tls::{TlsError, Trust};

/// What an address begins with, and no node's name.
const SCHEME: &str = "https://";
/// How long a connection may take to come about.
const PATIENCE: Duration = Duration::from_secs(10);

/// A node that listens on TCP.
#[derive(Clone)]
pub(super) struct Elsewhere {
    host: String,
    port: u16,
    name: ServerName<'static>,
    connector: TlsConnector,
    /// Marked as not to be shown.
    pub(super) authorization: HeaderValue,
}

/// Why a node elsewhere cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ElsewhereError {
    /// The text is no address.
    #[error("`{0}` is no address of a node")]
    BadAddress(String),
    /// The text is no token.
    #[error("what is given as a token is none")]
    BadToken,
    /// What the certificate is known by cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl ElsewhereError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            ElsewhereError::BadAddress(_) => "an address is `https://host:port`, as `skep run --listen` says it",
            ElsewhereError::BadToken => "a token is one line, as `skep token new` printed it",
            ElsewhereError::Tls(_) => "`skep run --listen` says the fingerprint when it starts",
        }
    }
}

/// Whether what is given as a node is the address of one.
#[must_use]
pub fn is_address(node: &str) -> bool {
    node.contains("://")
}

impl Elsewhere {
    pub(super) fn new(address: &str, token: String, trust: &Trust) -> Result<Self, ElsewhereError> {
        let bad = || ElsewhereError::BadAddress(address.to_owned());
        let uri: Uri = address.parse().map_err(|_| bad())?;
        let is_plain = address.starts_with(SCHEME) && matches!(uri.path(), "" | "/") && uri.query().is_none();
        let (Some(host), Some(port), true) = (uri.host(), uri.port_u16(), is_plain) else { return Err(bad()) };
        // An address of IPv6 is in brackets within a URI, and nowhere else.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| bad())?;
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ElsewhereError::BadToken)?;
        authorization.set_sensitive(true);
        let connector = TlsConnector::from(Arc::new(trust.config()?));
        Ok(Elsewhere { host, port, name, connector, authorization })
    }

    pub(super) async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let connecting = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            self.connector.connect(self.name.clone(), stream).await
        };
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "nobody answers there");
        tokio::time::timeout(PATIENCE, connecting).await.map_err(late)?
    }
}

impl std::fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elsewhere").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::tls::Fingerprint;

    #[test]
    fn only_an_address_with_a_port_and_nothing_else_is_one() {
        let trust = Trust::Fingerprint(Fingerprint::parse(&"00".repeat(32)).expect("it is one"));
        let new = |address: &str, token: &str| Elsewhere::new(address, token.to_owned(), &trust);
        for (address, host) in [("https://a.example:7777", "a.example"), ("https://[::1]:1/", "::1")] {
            assert_eq!(new(address, "t").expect(address).host, host);
        }
        for bad in ["https://a", "http://a:1", "https://a:1/v1", "https://a:1?x", "https://:1", "tally://a:1"] {
            assert!(matches!(new(bad, "t"), Err(ElsewhereError::BadAddress(_))), "{bad}");
        }
        assert!(matches!(new("https://a:1", "t\nx"), Err(ElsewhereError::BadToken)));
        let shown = format!("{:?}", new("https://a:1", "skep_secret").expect("it is one"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
