//! Who says what a name stands for.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};

/// Says what names of hosts stand for. It is believed in no more than what addresses a grant lets through.
pub trait Resolver: Send + Sync + Debug {
    /// The addresses of a name, which is in lower case and without a dot behind. May block: it is asked on a thread for that.
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's: hosts file, DNS, and whatever else it is set up to ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}
