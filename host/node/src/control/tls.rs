//! TLS for the control API: how a node shows that it is itself, and how a client makes sure.
//!
//! Owns certificates and their fingerprints; version 1.3 only. A node that was given no certificate makes one, which a
//! client knows by its fingerprint. There is no list of authorities that is trusted by itself.
//!
//! ```text
//! <home>/nodes/<name>/tls.pem    the certificate that the node made, and its key
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use sha2::{Digest, Sha256};

use crate::node::file;

/// Who a node is.
#[derive(Debug)]
pub struct Identity {
    pub(super) config: Arc<ServerConfig>,
    /// By which a client knows its certificate.
    pub fingerprint: Fingerprint,
}

/// The SHA-256 digest of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint([u8; 32]);

/// Which certificate a client believes.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The one with this fingerprint, whatever it says.
    Fingerprint(Fingerprint),
    /// Those that one of the certificates in this file vouches for, for the host's name.
    Authorities(PathBuf),
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("cannot {action} {path}: {why}")]
    File {
        /// To read or write.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A certificate or a key makes no sense.
    #[error("{path} cannot be used: {why}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No certificate can be made.
    #[error("cannot make a certificate: {0}")]
    NotMade(String),
    /// The text is no fingerprint.
    #[error("`{0}` is no fingerprint: 64 hexadecimal digits")]
    NoFingerprint(String),
}

impl Identity {
    /// Of a certificate, with those that vouch for it, and its key; both in PEM.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let certificates = certificates(certificate)?;
        let unusable = |why: &dyn ToString| TlsError::Unusable { path: key.to_owned(), why: why.to_string() };
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(&error))?;
        let fingerprint = Fingerprint::of(certificates.first().ok_or_else(|| unusable(&"there is no certificate"))?);
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, secret))
            .map_err(|error| unusable(&error))?;
        Ok(Identity { config: Arc::new(config), fingerprint })
    }

    /// The node's own, made at the first time and kept in its folder.
    pub fn own(folder: &Path) -> Result<Self, TlsError> {
        let path = folder.join("tls.pem");
        if !path.exists() {
            // The name says nothing: a client knows it by its fingerprint.
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
            let made = made.map_err(|error| TlsError::NotMade(error.to_string()))?;
            let text = made.cert.pem() + &made.signing_key.serialize_pem();
            file::replace(&path, text.as_bytes()).map_err(|error| failed("write", &path, &error))?;
        }
        Identity::load(&path, &path)
    }
}

impl Fingerprint {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        Fingerprint(Sha256::digest(certificate).into())
    }

    /// As `skep run --listen` or `openssl x509 -fingerprint -sha256` show it.
    pub fn parse(text: &str) -> Result<Self, TlsError> {
        let none = || TlsError::NoFingerprint(text.to_owned());
        let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b':').collect();
        if digits.len() != 64 {
            return Err(none());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let pair = str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()));
            *byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or_else(none)?;
        }
        Ok(Fingerprint(bytes))
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Trust {
    /// What a client needs to begin TLS.
    pub(super) fn config(&self) -> Result<ClientConfig, TlsError> {
        let broken = |error: rustls::Error| TlsError::NotMade(error.to_string());
        let builder =
            ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]).map_err(broken)?;
        match self {
            Trust::Fingerprint(fingerprint) => {
                let pinned = Arc::new(Pinned { fingerprint: *fingerprint, provider: provider() });
                Ok(builder.dangerous().with_custom_certificate_verifier(pinned).with_no_client_auth())
            }
            Trust::Authorities(path) => {
                let mut roots = RootCertStore::empty();
                // A list of authorities may have some that the library does not understand.
                roots.add_parsable_certificates(certificates(path)?);
                if roots.is_empty() {
                    return Err(TlsError::Unusable {
                        path: path.clone(),
                        why: "there is no certificate in it".to_owned(),
                    });
                }
                Ok(builder.with_root_certificates(roots).with_no_client_auth())
            }
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = |why: String| TlsError::Unusable { path: path.to_owned(), why };
    let text = fs::read(path).map_err(|error| failed("read", path, &error))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    certificates.map_err(|error| unusable(error.to_string()))
}

fn failed(action: &'static str, path: &Path, error: &io::Error) -> TlsError {
    TlsError::File { action, path: path.to_owned(), why: error.to_string() }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Believes one certificate, of which it has the fingerprint: nobody else has its key.
#[derive(Debug)]
struct Pinned {
    fingerprint: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if Fingerprint::of(certificate) == self.fingerprint {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_shown_by_us_and_by_openssl() {
        let shown = "0a".repeat(32);
        let fingerprint = Fingerprint::parse(&shown).expect("it is one");
        assert_eq!(fingerprint.to_string(), shown);
        assert_eq!(Fingerprint::parse(&["0A"; 32].join(":")).expect("it is one"), fingerprint);
        for bad in ["", "0a", &"0a".repeat(33), &"+a".repeat(32), &"zz".repeat(32), &"é".repeat(32)] {
            assert!(Fingerprint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_node_stays_itself() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Identity::own(folder.path()).expect("it is made").fingerprint;
        assert_eq!(Identity::own(folder.path()).expect("it is kept").fingerprint, first);
        let path = folder.path().join("tls.pem");
        fs::write(&path, "hello").expect("it is ours");
        assert!(matches!(Identity::own(folder.path()), Err(TlsError::Unusable { .. })));
        assert!(Trust::Authorities(path).config().is_err());
        let other = tempfile::tempdir().expect("a folder");
        assert_ne!(Identity::own(other.path()).expect("it is made").fingerprint, first);
    }
}
