//! `wasi:sockets` over wasmtime's: a socket counts as an open file, and nothing acts where nothing may.
//!
//! Owns no socket. Whom one reaches is asked by wasmtime, see `Reach`.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket::Host as _;
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket::Host as _;
use wasmtime_wasi::p2::bindings::sockets::{tcp, tcp_create_socket, udp, udp_create_socket};
use wasmtime_wasi::p2::{SocketError, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsCtxView};

use crate::engine::context::Context;
use crate::engine::fuel;
use crate::engine::wasi::opened::Place;
use crate::engine::wasi::{Acting, acting};

/// The interfaces, as the linker has them.
const TCP: &str = "wasi:sockets/tcp@0.2.12";
const UDP: &str = "wasi:sockets/udp@0.2.12";
const CREATE_TCP: &str = "wasi:sockets/tcp-create-socket@0.2.12";
const CREATE_UDP: &str = "wasi:sockets/udp-create-socket@0.2.12";

/// As the contract has it.
pub(super) type Answer<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;

pub(super) fn answer<T>(outcome: Result<T, SocketError>) -> Answer<T> {
    Ok((outcome.map(Ok).or_else(|error| error.downcast().map(Err))?,))
}

/// All sockets there are.
fn all(context: &mut Context) -> WasiSocketsCtxView<'_> {
    let wasi = context.wasi();
    WasiSocketsCtxView { ctx: wasi.context.sockets(), table: &mut wasi.table }
}

/// Those that may be used: none where nothing may act, so that each operation traps.
fn usable(context: &mut Context) -> WasiSocketsCtxView<'_> {
    let Acting { context, table, .. } = acting(context);
    WasiSocketsCtxView { ctx: context.sockets(), table }
}

/// A place among the open files for one more socket, or a trap where nothing may act.
fn place(context: &mut Context, import: &'static str) -> Result<Place, SocketError> {
    context.act(import, fuel::MESSAGE).map_err(SocketError::trap)?;
    context.wasi().parts.opened.place().map_err(|_| ErrorCode::NewSocketLimit.into())
}

fn create_tcp(context: &mut Context, family: IpAddressFamily) -> Result<Resource<TcpSocket>, SocketError> {
    let place = place(context, "tcp-create-socket.create-tcp-socket")?;
    let socket = all(context).create_tcp_socket(family)?;
    context.wasi().sockets.insert(socket.rep(), place);
    Ok(socket)
}

async fn create_udp(context: &mut Context, family: IpAddressFamily) -> Result<Resource<UdpSocket>, SocketError> {
    let place = place(context, "udp-create-socket.create-udp-socket")?;
    let socket = all(context).create_udp_socket(family).await?;
    context.wasi().sockets.insert(socket.rep(), place);
    Ok(socket)
}

/// Lets go of a socket, which every phase may.
fn close<T: 'static>(context: &mut Context, rep: u32) -> wasmtime::Result<()> {
    let wasi = context.wasi();
    wasi.table.delete(Resource::<T>::new_own(rep))?;
    wasi.sockets.remove(&rep);
    Ok(())
}

type Store<'a> = StoreContextMut<'a, Context>;

fn add_creation(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    tcp_create_socket::add_to_linker::<Context, WasiSockets>(linker, usable)?;
    udp_create_socket::add_to_linker::<Context, WasiSockets>(linker, usable)?;
    linker
        .instance(CREATE_TCP)?
        .func_wrap("create-tcp-socket", |mut store: Store<'_>, (family,): (IpAddressFamily,)| {
            answer(create_tcp(store.data_mut(), family))
        })?;
    linker.instance(CREATE_UDP)?.func_wrap_async(
        "create-udp-socket",
        |mut store: Store<'_>, (family,): (IpAddressFamily,)| {
            Box::new(async move { answer(create_udp(store.data_mut(), family).await) })
        },
    )
}

/// What lets go.
fn add_drops(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    linker.instance(TCP)?.resource("tcp-socket", ResourceType::host::<TcpSocket>(), |mut store, socket| {
        close::<TcpSocket>(store.data_mut(), socket)
    })?;
    let mut udp = linker.instance(UDP)?;
    udp.resource("udp-socket", ResourceType::host::<UdpSocket>(), |mut store, socket| {
        close::<UdpSocket>(store.data_mut(), socket)
    })?;
    udp.resource(
        "incoming-datagram-stream",
        ResourceType::host::<udp::IncomingDatagramStream>(),
        |mut store, stream| {
            let stream = Resource::new_own(stream);
            udp::HostIncomingDatagramStream::drop(&mut all(store.data_mut()), stream)
        },
    )?;
    udp.resource_async(
        "outgoing-datagram-stream",
        ResourceType::host::<udp::OutgoingDatagramStream>(),
        |mut store, stream| {
            let stream = Resource::new_own(stream);
            Box::new(async move { udp::HostOutgoingDatagramStream::drop(&mut all(store.data_mut()), stream).await })
        },
    )
}

/// Adds what of sockets is not wasmtime's.
pub(in crate::engine::wasi) fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    tcp::add_to_linker::<Context, WasiSockets>(linker, usable)?;
    udp::add_to_linker::<Context, WasiSockets>(linker, usable)?;
    add_creation(linker)?;
    add_drops(linker)?;
    super::lookup::add_to_linker(linker)
}
