//! What all guests of an engine share of the way out: who says what names stand for, whom TLS believes, and what requests
//! are held to.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{load_certs_from_paths, load_native_certs};

use super::Resolver;
use crate::engine::config::EngineConfig;
use crate::engine::wasi::RequestBounds;

/// What all guests of an engine share of the way out.
pub struct Uplink {
    resolver: Arc<dyn Resolver>,
    authorities: Option<PathBuf>,
    bounds: RequestBounds,
    tls: OnceLock<Arc<ClientConfig>>,
}

impl Uplink {
    pub fn new(config: &EngineConfig) -> Self {
        Uplink {
            resolver: Arc::clone(&config.resolver),
            authorities: config.authorities.clone(),
            bounds: config.requests,
            tls: OnceLock::new(),
        }
    }

    pub(super) fn resolver(&self) -> &Arc<dyn Resolver> {
        &self.resolver
    }

    pub(super) fn bounds(&self) -> RequestBounds {
        self.bounds
    }

    /// How TLS is spoken. Reads the authorities when it is first asked, and blocks.
    pub(in crate::engine::wasi) fn tls(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.tls.get() {
            return Ok(Arc::clone(config));
        }
        let found = match &self.authorities {
            Some(file) => load_certs_from_paths(Some(file), None),
            None => load_native_certs(),
        };
        let mut roots = RootCertStore::empty();
        // Some hosts have authorities with flaws among hundreds of others.
        let (believed, _) = roots.add_parsable_certificates(found.certs);
        if believed == 0 {
            let why = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
            return Err(io::Error::other(format!("no authority for TLS can be read: {why}")));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::clone(self.tls.get_or_init(|| Arc::new(config))))
    }
}
