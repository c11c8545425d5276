//! Requests as WASI has them, each waited for.

use serde::{Deserialize, Serialize};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

use crate::Tried;

/// Bytes that are read or written at once.
const CHUNK: usize = 4 << 10;

/// A request.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// `GET` if nothing is said.
    pub method: String,
    /// `https` if nothing is said.
    pub scheme: Option<String>,
    /// Host, and port.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body, if any.
    pub body: Option<String>,
    /// How long to wait for the connection, and for the first byte of the answer, in milliseconds.
    pub timeout_ms: Option<u64>,
}

impl Asked {
    /// For the first page of a host.
    pub(crate) fn to(authority: &str) -> Self {
        Asked {
            scheme: Some("http".to_owned()),
            authority: authority.to_owned(),
            path: "/".to_owned(),
            ..Asked::default()
        }
    }
}

/// A request under way.
pub(crate) type Held = FutureIncomingResponse;

fn named(error: ErrorCode) -> String {
    format!("{error:?}")
}

fn made(asked: &Asked) -> Result<OutgoingRequest, String> {
    let headers = Fields::new();
    for (name, value) in &asked.headers {
        headers.append(name, value.as_bytes()).map_err(|error| format!("{error:?}"))?;
    }
    let request = OutgoingRequest::new(headers);
    let method = match asked.method.as_str() {
        "" | "GET" => Method::Get,
        "POST" => Method::Post,
        "CONNECT" => Method::Connect,
        other => Method::Other(other.to_owned()),
    };
    request.set_method(&method).map_err(|()| "method")?;
    let scheme = asked.scheme.as_deref().map(|scheme| match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    });
    request.set_scheme(scheme.as_ref()).map_err(|()| "scheme")?;
    request.set_authority(Some(&asked.authority)).map_err(|()| "authority")?;
    request.set_path_with_query(Some(&asked.path)).map_err(|()| "path")?;
    Ok(request)
}

/// Begins a request, and sends what it has for a body.
pub(crate) fn begin(asked: &Asked) -> Result<Held, String> {
    let request = made(asked)?;
    let body = request.body().map_err(|()| "body")?;
    let options = RequestOptions::new();
    let timeout = asked.timeout_ms.map(|ms| ms * 1_000_000);
    options.set_connect_timeout(timeout).map_err(|()| "timeout")?;
    options.set_first_byte_timeout(timeout).map_err(|()| "timeout")?;
    let held = handle(request, Some(options)).map_err(named)?;
    if let Some(text) = &asked.body {
        let output = body.write().map_err(|()| "write")?;
        for chunk in text.as_bytes().chunks(CHUNK) {
            if output.blocking_write_and_flush(chunk).is_err() {
                break;
            }
        }
    }
    // An error shows with the answer.
    let _ = OutgoingBody::finish(body, None);
    Ok(held)
}

pub(crate) fn request(asked: &Asked) -> Tried {
    let held = begin(asked)?;
    let response = loop {
        match held.get() {
            Some(Ok(outcome)) => break outcome.map_err(named)?,
            Some(Err(())) => return Err("it was taken".to_owned()),
            None => held.subscribe().block(),
        }
    };
    let mut told = vec![response.status().to_string()];
    for (name, value) in response.headers().entries() {
        told.push(format!("{name}: {}", String::from_utf8_lossy(&value)));
    }
    let body = response.consume().map_err(|()| "consume")?;
    let stream = body.stream().map_err(|()| "stream")?;
    let mut heard = Vec::new();
    loop {
        match stream.blocking_read(CHUNK as u64) {
            Ok(bytes) => heard.extend(bytes),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
    told.push(String::from_utf8_lossy(&heard).into_owned());
    Ok(told)
}
