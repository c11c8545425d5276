//! Where a request goes, read once: what is checked is what is connected to, and what the server is told.

use std::net::IpAddr;

use hyper::http::Uri;
use hyper::http::header::HeaderValue;
use wasmtime_wasi_http::Error;

use crate::spec::{HostName, Scheme};

/// Where a request goes.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Target {
    pub(super) scheme: Scheme,
    pub(super) host: TargetHost,
    pub(super) port: u16,
}

/// A host in the form in which it is compared with what was granted.
#[derive(PartialEq, Eq, Debug)]
pub(in crate::engine::wasi) enum TargetHost {
    Name(HostName),
    Address(IpAddr),
}

impl Target {
    /// Reads the target of a request, or refuses what could be read in two ways.
    pub(super) fn of(uri: &Uri) -> Result<Self, Error> {
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(Error::HttpRequestUriInvalid),
        };
        let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?.as_str();
        let (host, port) = match authority.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, rest))) => (host, rest.strip_prefix(':').or((!rest.is_empty()).then_some("no port"))),
            Some(None) => return Err(Error::HttpRequestUriInvalid),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let host = match host.parse::<IpAddr>() {
            Ok(address) if address.is_ipv6() == authority.starts_with('[') => {
                TargetHost::Address(address.to_canonical())
            }
            Ok(_) => return Err(Error::HttpRequestUriInvalid),
            Err(_) if authority.starts_with('[') => return Err(Error::HttpRequestUriInvalid),
            Err(_) => TargetHost::Name(HostName::parse(host).ok_or(Error::HttpRequestUriInvalid)?),
        };
        let port = match port {
            None => scheme.port(),
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok().filter(|port| *port > 0).ok_or(Error::HttpRequestUriInvalid)?
            }
            Some(_) => return Err(Error::HttpRequestUriInvalid),
        };
        Ok(Target { scheme, host, port })
    }

    /// What the server is told of whom it was asked.
    pub(super) fn host_header(&self) -> HeaderValue {
        let host = match &self.host {
            TargetHost::Name(name) => name.to_string(),
            TargetHost::Address(IpAddr::V4(address)) => address.to_string(),
            TargetHost::Address(IpAddr::V6(address)) => format!("[{address}]"),
        };
        let text = if self.port == self.scheme.port() { host } else { format!("{host}:{}", self.port) };
        HeaderValue::from_str(&text).expect("names and addresses are plain")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_in_one_way_or_refused() {
        for (uri, header) in [
            ("http://example.org/", "example.org"),
            ("http://Example.ORG.:80/", "example.org"),
            ("https://example.org:443/", "example.org"),
            ("https://example.org:80/", "example.org:80"),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("http://[::1]:8080/", "[::1]:8080"),
            ("http://[::ffff:127.0.0.1]/", "127.0.0.1"),
        ] {
            let target = Target::of(&uri.parse().expect("a URI")).unwrap_or_else(|error| panic!("{uri}: {error}"));
            assert_eq!(target.host_header(), header, "{uri}");
        }
        for uri in [
            "http://user@example.org/",
            "http://example.org@evil.example/",
            "http://example.org:/",
            "http://example.org:0/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://127.1/",
            "http://0177.0.0.1/",
            "http://-a.example/",
            "ftp://example.org/",
            "/path",
        ] {
            assert!(Target::of(&uri.parse().expect("a URI")).is_err(), "{uri}");
        }
    }
}
