//! Sockets as WASI has them, each operation waited for.

use std::net::SocketAddr;

use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp::{IncomingDatagramStream, OutgoingDatagram, OutgoingDatagramStream, UdpSocket};
use wasip2::sockets::udp_create_socket::create_udp_socket;

use crate::Tried;

/// Bytes that are read at once.
const CHUNK: u64 = 64 << 10;

/// A connection. Streams go before the socket that they belong to.
pub(crate) struct Connection {
    input: InputStream,
    output: OutputStream,
    _socket: TcpSocket,
}

fn named(error: ErrorCode) -> String {
    error.name().to_owned()
}

fn failed(error: StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        StreamError::LastOperationFailed(error) => error.to_debug_string(),
    }
}

fn address(text: &str) -> Result<(IpSocketAddress, IpAddressFamily), String> {
    match text.parse().map_err(|_| format!("{text} is no address"))? {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            let address = Ipv4SocketAddress { port: address.port(), address: (a, b, c, d) };
            Ok((IpSocketAddress::Ipv4(address), IpAddressFamily::Ipv4))
        }
        SocketAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.ip().segments();
            let address = Ipv6SocketAddress {
                port: address.port(),
                flow_info: 0,
                address: (a, b, c, d, e, f, g, h),
                scope_id: 0,
            };
            Ok((IpSocketAddress::Ipv6(address), IpAddressFamily::Ipv6))
        }
    }
}

/// Once more and once more, until it is ready.
fn ready<T>(
    subscribe: impl Fn() -> wasip2::io::poll::Pollable,
    mut next: impl FnMut() -> Result<T, ErrorCode>,
) -> Result<T, String> {
    loop {
        match next() {
            Err(ErrorCode::WouldBlock) => subscribe().block(),
            outcome => return outcome.map_err(named),
        }
    }
}

pub(crate) fn look_up(name: &str) -> Tried {
    let stream = resolve_addresses(&instance_network(), name).map_err(named)?;
    let mut found = Vec::new();
    while let Some(address) = ready(|| stream.subscribe(), || stream.resolve_next_address())? {
        found.push(match address {
            IpAddress::Ipv4((a, b, c, d)) => std::net::IpAddr::from([a, b, c, d]).to_string(),
            IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => std::net::IpAddr::from([a, b, c, d, e, f, g, h]).to_string(),
        });
    }
    Ok(found)
}

/// A socket for an address.
pub(crate) fn open(to: &str) -> Result<(TcpSocket, IpSocketAddress), String> {
    let (address, family) = address(to)?;
    Ok((create_tcp_socket(family).map_err(named)?, address))
}

pub(crate) fn connect(to: &str) -> Result<Connection, String> {
    let (socket, address) = open(to)?;
    socket.start_connect(&instance_network(), address).map_err(named)?;
    let (input, output) = ready(|| socket.subscribe(), || socket.finish_connect())?;
    Ok(Connection { input, output, _socket: socket })
}

impl Connection {
    fn write(&self, text: &str) -> Result<(), String> {
        self.output.blocking_write_and_flush(text.as_bytes()).map_err(failed)
    }

    /// Says something, and hears some of the answer.
    pub(crate) fn say(&self, text: &str) -> Tried {
        self.write(text)?;
        let heard = self.input.blocking_read(CHUNK).map_err(failed)?;
        Ok(vec![String::from_utf8_lossy(&heard).into_owned()])
    }
}

pub(crate) fn tcp(to: &str, text: &str) -> Tried {
    let connection = connect(to)?;
    connection.write(text)?;
    let mut heard = Vec::new();
    loop {
        match connection.input.blocking_read(CHUNK) {
            Ok(bytes) => heard.extend(bytes),
            Err(StreamError::Closed) => return Ok(vec![String::from_utf8_lossy(&heard).into_owned()]),
            Err(error) => return Err(failed(error)),
        }
    }
}

pub(crate) fn wait(to: &str) -> Tried {
    let connection = connect(to)?;
    connection.input.blocking_read(CHUNK).map_err(failed)?;
    Ok(Vec::new())
}

pub(crate) fn bind_tcp(at: &str) -> Tried {
    let (socket, address) = open(at)?;
    socket.start_bind(&instance_network(), address).map_err(named)?;
    socket.finish_bind().map_err(named)?;
    Ok(Vec::new())
}

pub(crate) fn listen() -> Tried {
    let (socket, address) = open("0.0.0.0:0")?;
    socket.start_bind(&instance_network(), address).map_err(named)?;
    socket.finish_bind().map_err(named)?;
    socket.start_listen().map_err(named)?;
    socket.finish_listen().map_err(named)?;
    Ok(Vec::new())
}

/// A socket that is bound as one must be that speaks first.
fn bound(family: IpAddressFamily) -> Result<UdpSocket, String> {
    let any = if family == IpAddressFamily::Ipv4 { "0.0.0.0:0" } else { "[::]:0" };
    let socket = create_udp_socket(family).map_err(named)?;
    socket.start_bind(&instance_network(), address(any)?.0).map_err(named)?;
    socket.finish_bind().map_err(named)?;
    Ok(socket)
}

pub(crate) fn bind_udp(at: &str) -> Tried {
    let (address, family) = address(at)?;
    let socket = create_udp_socket(family).map_err(named)?;
    socket.start_bind(&instance_network(), address).map_err(named)?;
    socket.finish_bind().map_err(named)?;
    Ok(Vec::new())
}

fn send(output: &OutgoingDatagramStream, text: &str, to: Option<IpSocketAddress>) -> Result<(), String> {
    let datagram = || OutgoingDatagram { data: text.as_bytes().to_vec(), remote_address: to };
    loop {
        if output.check_send().map_err(named)? == 0 {
            output.subscribe().block();
        } else if output.send(&[datagram()]).map_err(named)? == 1 {
            return Ok(());
        }
    }
}

fn receive(input: &IncomingDatagramStream) -> Tried {
    loop {
        let datagrams = input.receive(1).map_err(named)?;
        if let Some(datagram) = datagrams.first() {
            return Ok(vec![String::from_utf8_lossy(&datagram.data).into_owned()]);
        }
        input.subscribe().block();
    }
}

pub(crate) fn udp(to: &str, text: &str, connected: bool) -> Tried {
    let (address, family) = address(to)?;
    let socket = bound(family)?;
    let (input, output) = socket.stream(connected.then_some(address)).map_err(named)?;
    send(&output, text, (!connected).then_some(address))?;
    receive(&input)
}

pub(crate) fn udp_send(to: &str, text: &str) -> Tried {
    let (address, family) = address(to)?;
    let socket = bound(family)?;
    let (_input, output) = socket.stream(None).map_err(named)?;
    send(&output, text, Some(address))?;
    Ok(Vec::new())
}
