//! Sends one request over a connection of its own.
//!
//! Owns the order: who is asked is read off the request, held against the grants, looked up, and connected to, and the
//! address that was held against the grants is the one that is connected to. No redirect is followed and nothing is tried
//! again: the guest may, with a request that is checked anew.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper::body::Body;
use hyper::client::conn::http1;
use hyper::http::uri::PathAndQuery;
use hyper::http::{Method, Request, Response, StatusCode, Uri, header};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{Answer, Outgoing};
use super::bounds::{RequestBounds, patience};
use super::target::{Target, TargetHost};
use crate::engine::wasi::network::{NoAddress, Reach};
use crate::engine::wasi::opened::Place;
use crate::spec::Scheme;

/// How long one address of several may take to answer.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Bytes of the head of an answer, and its headers. A guest may keep heads, as many as it may hold resources.
const HEAD: usize = 16 << 10;
const HEADERS: usize = 200;

/// What reads and writes for a request until its answer has come.
type Driver = AbortOnDropJoinHandle<Result<(), hyper::Error>>;

/// What is connected to.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Sends a request, and waits for the head of the answer.
pub(super) async fn send(
    reach: &Reach,
    mut request: Request<WasiBody>,
    options: RequestOptions,
    place: Place,
) -> Result<(Response<impl Body<Data = bytes::Bytes, Error = Error> + Send + use<>>, Driver), Error> {
    let target = Target::of(request.uri())?;
    if request.method() == Method::CONNECT {
        return Err(Error::HttpRequestMethodInvalid);
    }
    let RequestBounds { connect: most, silence, body: bytes } = reach.bounds();
    let connecting = timeout(patience(options.connect_timeout, most), connect(reach, &target));
    let stream = connecting.await.map_err(|_| Error::ConnectionTimeout)??;
    let mut client = http1::Builder::new();
    client.max_buf_size(HEAD).max_headers(HEADERS);
    let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await?;
    let driver = spawn(connection);
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    // One, and this one, whatever came along.
    request.headers_mut().insert(header::HOST, target.host_header());
    let request = request.map(|body| Outgoing::new(body, bytes));
    let answering = timeout(patience(options.first_byte_timeout, silence), sender.send_request(request));
    let answer = answering.await.map_err(|_| Error::ConnectionReadTimeout)??;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Error::HttpUpgradeFailed);
    }
    let between = patience(options.between_bytes_timeout, silence);
    Ok((answer.map(|body| Answer::new(body, bytes, between, place)), driver))
}

/// A stream to the target, over TLS if so said.
async fn connect(reach: &Reach, target: &Target) -> Result<Box<dyn Stream>, Error> {
    let stream = connect_any(&addresses(reach, target).await?, target.port).await?;
    if target.scheme == Scheme::Http {
        return Ok(Box::new(stream));
    }
    let server = match &target.host {
        TargetHost::Name(name) => ServerName::try_from(name.to_string()).map_err(|_| Error::HttpRequestUriInvalid)?,
        TargetHost::Address(address) => ServerName::from(*address),
    };
    let config = reach.tls().await.map_err(Error::Tls)?;
    Ok(Box::new(TlsConnector::from(config).connect(server, stream).await.map_err(Error::Tls)?))
}

/// The addresses of a target that a request may go to.
async fn addresses(reach: &Reach, target: &Target) -> Result<Vec<IpAddr>, Error> {
    if !reach.grants_request(target.scheme, target.port, &target.host) {
        return Err(Error::HttpRequestDenied);
    }
    let (name, found) = match &target.host {
        TargetHost::Address(address) => (None, vec![*address]),
        TargetHost::Name(name) => (Some(name.clone()), reach.look_up(name).await.map_err(unknown)?),
    };
    let names = name.as_slice();
    let may_go = |address: &IpAddr| reach.request_reaches(target.scheme, SocketAddr::new(*address, target.port), names);
    let allowed: Vec<IpAddr> = found.into_iter().filter(may_go).collect();
    if allowed.is_empty() { Err(Error::DestinationIpProhibited) } else { Ok(allowed) }
}

fn unknown(why: NoAddress) -> Error {
    let rcode = match why {
        NoAddress::Unknown => "no address that may be used",
        NoAddress::Failed(_) => "the name cannot be looked up",
    };
    Error::DnsError { rcode: Some(rcode.to_owned()), info_code: None }
}

/// Connects to the first of these that answers.
async fn connect_any(addresses: &[IpAddr], port: u16) -> Result<TcpStream, Error> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match timeout(ATTEMPT, TcpStream::connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(Error::Connect)?;
                return Ok(stream);
            }
            Ok(Err(error)) => failed = error,
            Err(_) => failed = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(Error::Connect(failed))
}
