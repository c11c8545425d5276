//! A pattern of hosts and ports.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::{Block, is_public};
use super::name::{HostName, is_local};
use crate::spec::pattern::narrower;

/// Hosts and their ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// The hosts.
    pub host: Host,
    /// Their ports.
    pub ports: Ports,
}

/// A pattern of hosts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Host {
    /// Every name, and every public address. What is private has to be said.
    Any,
    /// This name.
    Name(HostName),
    /// All names below this one, however deep.
    Below(HostName),
    /// These addresses, private or not.
    Addresses(Block),
}

/// Ports from one to another, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ports {
    first: u16,
    last: u16,
}

/// A text is no pattern.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PatternError {
    /// There is no port, and none is implied.
    #[error("`{0}` says no port")]
    NoPort(String),
    /// The ports are none.
    #[error("`{0}` is no port and no range of ports")]
    Ports(String),
    /// The host is neither a name nor an address.
    #[error("`{0}` is no host")]
    Host(String),
    /// An address whose prefix leaves out bits that are set.
    #[error("`{0}` is no block of addresses")]
    Block(String),
    /// Another scheme than those of the web.
    #[error("`{0}` is no scheme")]
    Scheme(String),
    /// There is more than host and port.
    #[error("`{0}` says more than a host and a port")]
    Path(String),
}

impl PatternError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            PatternError::NoPort(_) => "put it behind the host: \"db.example.org:5432\", or \":*\" for all of them",
            PatternError::Ports(_) => {
                "say a port (\"5432\"), a range (\"5432-5440\") or \"*\"; ports go from 1 to 65535"
            }
            PatternError::Host(_) => {
                "say a name (\"db.example.org\"), the names below one (\"*.example.org\"), an address (\"10.0.0.7\", \
                 \"[::1]\"), a block of them (\"10.0.0.0/8\", \"[fd00::/8]\") or \"*\"; names in Punycode if need be"
            }
            PatternError::Block(_) => "say how many bits all addresses share, and zeros behind: \"10.0.0.0/8\"",
            PatternError::Scheme(_) => "say \"http://\", or \"https://\", which is the default",
            PatternError::Path(_) => "leave out the rest: all paths of a host are granted, or none",
        }
    }
}

impl Endpoint {
    /// Reads `db.example.org:5432`, `10.0.0.0/8:5432-5440` or `[::1]:*`.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Self::parse_or(text, None)
    }

    /// The same, with a port that need not be said.
    pub(super) fn parse_or(text: &str, port: Option<u16>) -> Result<Self, PatternError> {
        let (host, ports) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, behind) = rest.split_once(']').ok_or_else(|| PatternError::Host(text.to_owned()))?;
                let ports = match behind.strip_prefix(':') {
                    None if behind.is_empty() => None,
                    None => return Err(PatternError::Host(text.to_owned())),
                    ports => ports,
                };
                (Host::Addresses(block::<Ipv6Addr>(host)?), ports)
            }
            None => {
                let (host, ports) = text.split_once(':').map_or((text, None), |(host, ports)| (host, Some(ports)));
                (Host::parse(host)?, ports)
            }
        };
        let ports = match (ports, port) {
            (Some(ports), _) => Ports::parse(ports)?,
            (None, Some(port)) => Ports { first: port, last: port },
            (None, None) => return Err(PatternError::NoPort(text.to_owned())),
        };
        Ok(Endpoint { host, ports })
    }

    /// What both stand for, as far as one pattern says it, and never more: the hosts of the narrower one, at the ports of
    /// both. There is no pattern for names that stand for addresses of a block, nor for what everybody can reach of a block
    /// that has private addresses too.
    #[must_use]
    pub fn meet(&self, other: &Endpoint) -> Option<Endpoint> {
        let host = narrower(&self.host, &other.host, Host::covers)?;
        Some(Endpoint { host, ports: self.ports.meet(other.ports)? })
    }
}

impl Host {
    /// All but what is written in brackets.
    fn parse(text: &str) -> Result<Self, PatternError> {
        let name = |text: &str| HostName::parse(text).ok_or_else(|| PatternError::Host(text.to_owned()));
        if text == "*" {
            return Ok(Host::Any);
        }
        if let Some(parent) = text.strip_prefix("*.") {
            return Ok(Host::Below(name(parent)?));
        }
        let address = text.split('/').next().unwrap_or(text);
        match address.parse::<Ipv4Addr>() {
            Ok(_) => Ok(Host::Addresses(block::<Ipv4Addr>(text)?)),
            Err(_) => Ok(Host::Name(name(text)?)),
        }
    }

    /// Whether a name is one of these. What stands for this machine has to be said.
    pub(crate) fn has_name(&self, name: &HostName) -> bool {
        match self {
            Host::Any => !is_local(name.as_str()),
            Host::Name(own) => own == name,
            Host::Below(parent) => name.is_below(parent),
            Host::Addresses(_) => false,
        }
    }

    /// Whether an address is one of these, whatever its name.
    pub(crate) fn has_address(&self, address: IpAddr) -> bool {
        match self {
            Host::Any => is_public(address),
            Host::Addresses(block) => block.contains(address),
            Host::Name(_) | Host::Below(_) => false,
        }
    }

    /// Whether all that `other` stands for is in here.
    fn covers(&self, other: &Host) -> bool {
        match (self, other) {
            (Host::Any, Host::Any) => true,
            (Host::Any, Host::Addresses(block)) => block.is_public(),
            (Host::Addresses(own), Host::Addresses(block)) => own.covers(block),
            (Host::Below(own), Host::Below(parent)) => own == parent || parent.is_below(own),
            (Host::Any, Host::Below(parent)) => !is_local(parent.as_str()),
            (_, Host::Name(name)) => self.has_name(name),
            _ => false,
        }
    }
}

/// An address, or a block of them.
fn block<A: std::str::FromStr + Into<IpAddr>>(text: &str) -> Result<Block, PatternError> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse::<A>().map_err(|_| PatternError::Host(text.to_owned()))?.into();
    let Some(bits) = bits else { return Ok(Block::of(address)) };
    let wrong = || PatternError::Block(text.to_owned());
    Block::new(address, bits.parse().map_err(|_| wrong())?).ok_or_else(wrong)
}

impl Ports {
    fn parse(text: &str) -> Result<Self, PatternError> {
        if text == "*" {
            return Ok(Ports { first: 1, last: u16::MAX });
        }
        let wrong = || PatternError::Ports(text.to_owned());
        let port = |text: &str| match text.parse() {
            Ok(port) if port > 0 && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(port),
            _ => Err(wrong()),
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let ports = Ports { first: port(first)?, last: port(last)? };
        if ports.first <= ports.last { Ok(ports) } else { Err(wrong()) }
    }

    fn meet(self, other: Ports) -> Option<Ports> {
        let ports = Ports { first: self.first.max(other.first), last: self.last.min(other.last) };
        (ports.first <= ports.last).then_some(ports)
    }

    /// Whether a port is one of these.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.ports)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Any => f.write_str("*"),
            Host::Name(name) => write!(f, "{name}"),
            Host::Below(parent) => write!(f, "*.{parent}"),
            Host::Addresses(block) => write!(f, "{block}"),
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Ports { first: 1, last: u16::MAX } => f.write_str("*"),
            Ports { first, last } if first == last => write!(f, "{first}"),
            Ports { first, last } => write!(f, "{first}-{last}"),
        }
    }
}
