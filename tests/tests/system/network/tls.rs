//! Requests over TLS: who is believed to be who was asked.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use skep_runtime::EngineConfig;
use skep_runtime::spec::Keep;
use skep_tests::TestApp;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::requests::Site;
use super::{Zone, app_on, error, http, ok, prober};

/// Who vouches for servers of a test.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are fine");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    /// A server that shows a certificate for this name.
    async fn server(&self, site: Site, name: &str) -> u16 {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("it is signed");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("there are some")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("they belong together");
        let (acceptor, listener) =
            (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.expect("a port"));
        let port = listener.local_addr().expect("it listens").port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, site) = (acceptor.clone(), site.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        site.answer(stream, "over TLS".to_owned()).await;
                    }
                });
            }
        });
        port
    }
}

fn get(authority: &str) -> Value {
    json!({ "Http": { "authority": authority, "path": "/" } })
}

async fn believing(authorities: Option<PathBuf>, granted: &[String]) -> TestApp {
    let resolver = Zone::of(&[("api.localhost", &[&["127.0.0.1"]]), ("other.localhost", &[&["127.0.0.1"]])]);
    let engine = EngineConfig { resolver, authorities, ..EngineConfig::default() };
    app_on(engine, Keep::WhileItFits, [prober("net", http(granted))]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_a_server_shows_that_it_is_who_was_asked() {
    let (authority, stranger, site) = (Authority::new(), Authority::new(), Site::default());
    let right = authority.server(site.clone(), "api.localhost").await;
    let wrong = authority.server(site.clone(), "elsewhere.localhost").await;
    let strange = stranger.server(site.clone(), "api.localhost").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("authorities.pem");
    std::fs::write(&file, &authority.pem).expect("it is written");
    let granted: Vec<String> = [right, wrong, strange].iter().map(|port| format!("api.localhost:{port}")).collect();
    let app = believing(Some(file), &granted).await;
    let heard = app.ask("net", get(&format!("api.localhost:{right}"))).await;
    assert_eq!(heard, ok(&["200", "content-length: 8", "over TLS"]));
    let head = site.asked().pop().expect("it was asked");
    assert!(head.contains(&format!("\r\nhost: api.localhost:{right}\r\n")), "{head}");
    for port in [wrong, strange] {
        let refused = app.ask("net", get(&format!("api.localhost:{port}"))).await;
        assert_eq!(refused, error("ErrorCode::TlsCertificateError"), "{port}");
    }
    assert_eq!(site.asked().len(), 1, "the others were told nothing");
    app.stop().await;
    // Nobody who may be believed: nothing is sent.
    let app = believing(Some(folder.path().join("none.pem")), &granted).await;
    let refused = app.ask("net", get(&format!("api.localhost:{right}"))).await;
    assert_eq!(refused, error("ErrorCode::TlsProtocolError"));
    app.stop().await;
    assert_eq!(site.asked().len(), 1);
}
