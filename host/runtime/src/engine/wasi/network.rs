//! What a guest reaches of the network: whom it was granted, by names that the host looks up.
//!
//! Owns who may be reached, asked at each use with the address that is then used, and the linking of `wasi:sockets`. Nobody
//! listens: there is only what a socket needs that speaks first.

mod lookup;
mod pins;
mod resolver;
mod sockets;
mod uplink;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use rustls::ClientConfig;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;

use crate::engine::ledger::Ledger;
use crate::engine::wasi::http::{RequestBounds, TargetHost};
use crate::spec::network::{lets_through, may_stand_for};
use crate::spec::{Endpoint, HostName, Network, Scheme};

pub use pins::Pins;
pub use resolver::{Resolver, SystemResolver};
pub(super) use sockets::add_to_linker;
pub use uplink::Uplink;

/// Whom one process reaches.
#[derive(Clone)]
pub(super) struct Reach {
    granted: Arc<Network>,
    ledger: Arc<Ledger>,
    uplink: Arc<Uplink>,
}

/// Why a name stands for nothing.
#[derive(Debug)]
pub(super) enum NoAddress {
    /// The resolver says so, or none of its addresses may be used.
    Unknown,
    /// The resolver cannot say.
    Failed(io::Error),
}

impl Reach {
    pub(super) fn new(granted: &Arc<Network>, ledger: &Arc<Ledger>, uplink: &Arc<Uplink>) -> Self {
        Reach { granted: Arc::clone(granted), ledger: Arc::clone(ledger), uplink: Arc::clone(uplink) }
    }

    /// Gives what of sockets was granted. Who may be reached is asked before each call of the system, with what it gets.
    pub(super) fn give(&self, builder: &mut WasiCtxBuilder) {
        let reach = self.clone();
        builder
            .allow_tcp(!self.granted.tcp.is_empty())
            .allow_udp(!self.granted.udp.is_empty())
            .allow_ip_name_lookup(false)
            .socket_addr_check(move |address, usage| {
                let allowed = reach.allows(address, usage);
                Box::pin(async move { allowed })
            });
    }

    fn allows(&self, address: SocketAddr, usage: SocketAddrUse) -> bool {
        match usage {
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => address.ip().is_unspecified() && address.port() == 0,
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
            SocketAddrUse::TcpConnect => self.reaches(&self.granted.tcp, address),
            SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => self.reaches(&self.granted.udp, address),
        }
    }

    fn reaches(&self, patterns: &[Endpoint], address: SocketAddr) -> bool {
        let names = self.ledger.pins().names(address.ip().to_canonical());
        lets_through(patterns, address.ip(), address.port(), &names)
    }

    /// The patterns for requests of one scheme.
    fn of_requests(&self, scheme: Scheme) -> impl Iterator<Item = &Endpoint> {
        self.granted.http.iter().filter(move |origin| origin.scheme == scheme).map(|origin| &origin.endpoint)
    }

    /// Whether requests to this host are granted, whatever its addresses are.
    pub(super) fn grants_request(&self, scheme: Scheme, port: u16, host: &TargetHost) -> bool {
        let has_host = |pattern: &Endpoint| match host {
            TargetHost::Name(name) => pattern.host.has_name(name),
            TargetHost::Address(address) => pattern.host.has_address(*address),
        };
        self.of_requests(scheme).any(|pattern| pattern.ports.contains(port) && has_host(pattern))
    }

    /// Whether a request may go to this address, for which these names stand.
    pub(super) fn request_reaches(&self, scheme: Scheme, address: SocketAddr, names: &[HostName]) -> bool {
        lets_through(self.of_requests(scheme), address.ip(), address.port(), names)
    }

    /// What each request is held to.
    pub(super) fn bounds(&self) -> RequestBounds {
        self.uplink.bounds()
    }

    /// How TLS is spoken.
    pub(super) async fn tls(&self) -> io::Result<Arc<ClientConfig>> {
        let uplink = Arc::clone(&self.uplink);
        self.ledger.blocking(move || uplink.tls()).await.await
    }

    /// All patterns for sockets.
    fn of_sockets(&self) -> impl Iterator<Item = &Endpoint> {
        self.granted.tcp.iter().chain(&self.granted.udp)
    }

    /// What a name stands for, as far as the process may use it: what it stood for when the process first asked, for a while.
    pub(super) async fn look_up(&self, name: &HostName) -> Result<Vec<IpAddr>, NoAddress> {
        if let Some(known) = self.ledger.pins().addresses(name, Instant::now()) {
            return Ok(known);
        }
        let (resolver, asked) = (Arc::clone(self.uplink.resolver()), name.clone());
        let answer = self.ledger.blocking(move || resolver.resolve(asked.as_str())).await;
        let mut addresses: Vec<IpAddr> = answer.await.map_err(NoAddress::Failed)?;
        addresses.retain_mut(|address| {
            *address = address.to_canonical();
            self.may_use(name, *address)
        });
        if addresses.is_empty() {
            return Err(NoAddress::Unknown);
        }
        Ok(self.ledger.pins().pin(name, addresses, Instant::now()))
    }

    /// Whether an address that a name stands for is of any use.
    fn may_use(&self, name: &HostName, address: IpAddr) -> bool {
        let of_requests = self.granted.http.iter().map(|origin| &origin.endpoint);
        may_stand_for(name, address)
            || self.of_sockets().chain(of_requests).any(|pattern| pattern.host.has_address(address))
    }
}
