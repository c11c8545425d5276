//! Whom of the network a process may talk to: patterns of hosts and ports, read once, and compared.
//!
//! Owns the grammar of these patterns, and what two of them have in common. Never resolves a name: what a name stands for is
//! said by whoever asks, see `engine::wasi::network`.

mod address;
mod endpoint;
mod name;

use std::fmt;
use std::net::IpAddr;

use super::pattern::within;

pub use address::Block;
pub(crate) use address::{is_public, is_unicast};
pub use endpoint::{Endpoint, Host, PatternError, Ports};
pub use name::HostName;
pub(crate) use name::is_local;

/// Whom of the network a process may talk to. Nobody, unless it says so here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Network {
    /// To whom it may open connections.
    pub tcp: Vec<Endpoint>,
    /// To whom it may send datagrams, and from whom it gets them.
    pub udp: Vec<Endpoint>,
    /// Whom it may send requests.
    pub http: Vec<Origin>,
}

/// How requests travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The port if none is said.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        })
    }
}

/// Hosts to which requests may be sent, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// How.
    pub scheme: Scheme,
    /// To whom.
    pub endpoint: Endpoint,
}

impl Origin {
    /// Reads `api.example.org`, `*.example.org:8443` or `http://localhost:8080`. Without a scheme it is HTTPS.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::Https, text),
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            Some((other, _)) => return Err(PatternError::Scheme(other.to_owned())),
        };
        let endpoint = Endpoint::parse_or(rest, Some(scheme.port())).map_err(|error| match error {
            PatternError::Host(host) if host.contains(['/', '?', '#', '@']) => PatternError::Path(text.to_owned()),
            error => error,
        })?;
        Ok(Origin { scheme, endpoint })
    }

    /// What both stand for, as far as one pattern says it; see [`Endpoint::meet`].
    #[must_use]
    pub fn meet(&self, other: &Origin) -> Option<Origin> {
        let endpoint = self.endpoint.meet(&other.endpoint)?;
        (self.scheme == other.scheme).then_some(Origin { endpoint, ..*self })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.endpoint)
    }
}

impl Network {
    /// Whether it grants nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.udp.is_empty() && self.http.is_empty()
    }

    /// This as far as `parent` has it too.
    #[must_use]
    pub(super) fn within(&self, parent: &Network) -> Network {
        Network {
            tcp: within(&self.tcp, &parent.tcp, Endpoint::meet),
            udp: within(&self.udp, &parent.udp, Endpoint::meet),
            http: within(&self.http, &parent.http, Origin::meet),
        }
    }
}

/// Whether an address may be used where it is one of those that a name stands for: a public one, or this machine's if that
/// is what the name says. Whoever answers for a name could otherwise lead a process behind the firewall.
pub(crate) fn may_stand_for(name: &HostName, address: IpAddr) -> bool {
    is_public(address) || (is_local(name.as_str()) && address.to_canonical().is_loopback())
}

/// Whether one of these patterns lets through to this address and port. `names` are those that stand for the address.
pub(crate) fn lets_through<'a>(
    patterns: impl IntoIterator<Item = &'a Endpoint>,
    address: IpAddr,
    port: u16,
    names: &[HostName],
) -> bool {
    let address = address.to_canonical();
    let by_name =
        |pattern: &Endpoint| names.iter().any(|name| pattern.host.has_name(name) && may_stand_for(name, address));
    is_unicast(address)
        && patterns
            .into_iter()
            .any(|pattern| pattern.ports.contains(port) && (pattern.host.has_address(address) || by_name(pattern)))
}

#[cfg(test)]
mod tests;
