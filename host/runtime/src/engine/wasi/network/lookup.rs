//! `wasi:sockets/ip-name-lookup`: names that a grant for sockets has, and no others.

use std::net::IpAddr;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress};
use wasmtime_wasi::p2::{DynPollable, Network, Pollable, SocketError, subscribe};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};

use super::{NoAddress, Reach};
use crate::engine::context::Context;
use crate::engine::wasi::{Acting, acting};
use crate::spec::HostName;
use crate::spec::network::is_unicast;

/// The interface, as the linker has it.
const LOOKUP: &str = "wasi:sockets/ip-name-lookup@0.2.12";
/// What it gives.
const STREAM: &str = "resolve-address-stream";

/// A name being looked up, and then its addresses.
pub(super) enum Lookup {
    Asked(AbortOnDropJoinHandle<Result<Vec<IpAddr>, NoAddress>>),
    Answered(std::vec::IntoIter<IpAddr>),
    Failed(ErrorCode),
}

impl Lookup {
    fn answered(answer: Result<Vec<IpAddr>, NoAddress>) -> Self {
        match answer {
            Ok(addresses) => Lookup::Answered(addresses.into_iter()),
            Err(NoAddress::Unknown) => Lookup::Failed(ErrorCode::NameUnresolvable),
            Err(NoAddress::Failed(error)) => {
                tracing::debug!("a name cannot be looked up: {error}");
                Lookup::Failed(ErrorCode::NameUnresolvable)
            }
        }
    }
}

#[async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        if let Lookup::Asked(answer) = self {
            *self = Lookup::answered(answer.await);
        }
    }
}

impl Reach {
    /// Begins to look up what a guest has written.
    fn asked(&self, text: &str) -> Result<Lookup, ErrorCode> {
        if let Ok(address) = text.parse::<IpAddr>() {
            let address = address.to_canonical();
            let is_granted = is_unicast(address) && self.of_sockets().any(|pattern| pattern.host.has_address(address));
            return match is_granted {
                true => Ok(Lookup::Answered(vec![address].into_iter())),
                false => Err(ErrorCode::AccessDenied),
            };
        }
        let name = HostName::parse(text).ok_or(ErrorCode::InvalidArgument)?;
        if !self.of_sockets().any(|pattern| pattern.host.has_name(&name)) {
            return Err(ErrorCode::AccessDenied);
        }
        let reach = self.clone();
        Ok(Lookup::Asked(spawn(async move { reach.look_up(&name).await })))
    }
}

fn resolve(context: &mut Context, network: &Resource<Network>, name: &str) -> Result<Resource<Lookup>, SocketError> {
    let Acting { table, reach, .. } = acting(context);
    table.get(network)?;
    Ok(table.push(reach.asked(name)?)?)
}

fn next(context: &mut Context, stream: &Resource<Lookup>) -> Result<Option<IpAddress>, SocketError> {
    match acting(context).table.get_mut(stream)? {
        Lookup::Asked(_) => Err(ErrorCode::WouldBlock.into()),
        Lookup::Answered(addresses) => Ok(addresses.next().map(IpAddress::from)),
        Lookup::Failed(error) => Err((*error).into()),
    }
}

type Store<'a> = StoreContextMut<'a, Context>;

/// Adds the interface, over wasmtime's.
pub(super) fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    let mut lookup = linker.instance(LOOKUP)?;
    lookup.resource(STREAM, ResourceType::host::<Lookup>(), |mut store, stream| {
        store.data_mut().wasi().table.delete(Resource::<Lookup>::new_own(stream))?;
        Ok(())
    })?;
    lookup.func_wrap("resolve-addresses", |mut store: Store<'_>, (network, name): (Resource<Network>, String)| {
        super::sockets::answer(resolve(store.data_mut(), &network, &name))
    })?;
    lookup.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        |mut store: Store<'_>, (stream,): (Resource<Lookup>,)| super::sockets::answer(next(store.data_mut(), &stream)),
    )?;
    lookup.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: Store<'_>, (stream,): (Resource<Lookup>,)| -> wasmtime::Result<(Resource<DynPollable>,)> {
            Ok((subscribe(acting(store.data_mut()).table, stream)?,))
        },
    )
}
