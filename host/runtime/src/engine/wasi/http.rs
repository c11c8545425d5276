//! `wasi:http/outgoing-handler`: requests to whom they were granted.
//!
//! Owns the linking, and that a request counts as an open file from when it is handed over until its answer is let go of.
//! Requests and answers as such are wasmtime's, and need no grant; sending them is Skep's own.

mod body;
mod bounds;
mod send;
mod target;

pub use bounds::RequestBounds;
pub(super) use target::TargetHost;

use http_body_util::BodyExt;
use hyper::http::{Request, Response};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::HttpError;
use wasmtime_wasi_http::p2::bindings::LinkOptions;
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::{self, Host as _};
use wasmtime_wasi_http::p2::bindings::http::types::{self, ErrorCode, RequestOptions};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{self as http, Error, WasiBody, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks};

use super::network::Reach;
use super::opened::Place;
use crate::engine::context::Context;
use crate::engine::fuel;

/// The interface, as the linker has it.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";
/// Bytes of a body that a guest hands over at once, which may be before the request is sent.
const CHUNK: usize = 16 << 10;
/// Bytes of the headers that a guest makes, in one list of them, as they lie in memory.
const HEADERS: usize = 16 << 10;

/// What an instance needs to send requests.
pub(super) struct Http {
    context: WasiHttpCtx,
    hooks: Hooks,
}

struct Hooks {
    reach: Reach,
    /// The place among the open files for the request that is being handed over.
    place: Option<Place>,
}

impl Http {
    pub(super) fn new(reach: Reach) -> Self {
        let mut context = WasiHttpCtx::new();
        context.set_field_size_limit(HEADERS);
        Http { context, hooks: Hooks { reach, place: None } }
    }
}

/// What comes of a request: the answer, and what goes on behind it until it has come.
type Outcome = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<http::RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Outcome> + Send> {
        let (reach, place) = (self.reach.clone(), self.place.take());
        Box::new(async move {
            let place = place.ok_or(Error::ConnectionLimitReached)?;
            let (response, driver) = send::send(&reach, request, options.unwrap_or_default(), place).await?;
            let done: Box<dyn Future<Output = Result<(), Error>> + Send> =
                Box::new(async move { driver.await.map_err(Error::Hyper) });
            Ok((response.map(BodyExt::boxed_unsync), done))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        tracing::debug!("a request of a guest failed: {error}");
        // What the body of the request says of itself.
        let own = std::error::Error::source(error).and_then(|source| source.downcast_ref());
        if let Some(Error::HttpRequestBodySize(most)) = own {
            return ErrorCode::HttpRequestBodySize(*most);
        }
        match error {
            error if error.is_parse_too_large() => ErrorCode::HttpResponseHeaderSectionSize(None),
            error if error.is_incomplete_message() || error.is_closed() => ErrorCode::ConnectionTerminated,
            _ => ErrorCode::HttpProtocolError,
        }
    }

    fn p2_error_from_connect(&mut self, error: &std::io::Error) -> ErrorCode {
        tracing::debug!("a guest cannot connect: {error}");
        ErrorCode::ConnectionRefused
    }

    fn p2_error_from_tls(&mut self, error: &std::io::Error) -> ErrorCode {
        tracing::debug!("a guest cannot speak TLS: {error}");
        let inner = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(_)) => ErrorCode::TlsCertificateError,
            _ => ErrorCode::TlsProtocolError,
        }
    }
}

fn view(context: &mut Context) -> WasiHttpCtxView<'_> {
    let wasi = context.wasi();
    WasiHttpCtxView { ctx: &mut wasi.http.context, hooks: &mut wasi.http.hooks, table: &mut wasi.table }
}

fn handle(
    context: &mut Context,
    request: Resource<HostOutgoingRequest>,
    options: Option<Resource<RequestOptions>>,
) -> Result<Resource<HostFutureIncomingResponse>, HttpError> {
    context.act("outgoing-handler.handle", fuel::MESSAGE).map_err(HttpError::trap)?;
    let wasi = context.wasi();
    let place = wasi.parts.opened.place().map_err(|_| ErrorCode::ConnectionLimitReached)?;
    wasi.http.hooks.place = Some(place);
    let answer = view(context).handle(request, options);
    // It is still there if the request was refused as such.
    context.wasi().http.hooks.place = None;
    answer
}

type Store<'a> = StoreContextMut<'a, Context>;
type Handed = (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>);

/// Adds what of `wasi:http` sends requests.
pub(super) fn add_to_linker(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    types::add_to_linker::<Context, WasiHttp>(linker, &LinkOptions::default().into(), view)?;
    outgoing_handler::add_to_linker::<Context, WasiHttp>(linker, view)?;
    linker.instance(HANDLER)?.func_wrap("handle", |mut store: Store<'_>, (request, options): Handed| {
        let answer = handle(store.data_mut(), request, options);
        Ok((answer.map(Ok).or_else(|error| error.downcast().map(Err))?,))
    })
}
