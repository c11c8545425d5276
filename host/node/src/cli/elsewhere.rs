//! What the command shows a node elsewhere, and what it wants to see of it.
//!
//! Owns where the token comes from: a file or the environment, never an argument, which any user of the machine sees in a
//! list of processes.

use std::env::{self, VarError};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use crate::control::client::{Client, ClientError};
use crate::control::tls::{Fingerprint, TlsError, Trust};

/// Of a node elsewhere.
#[derive(Args)]
#[command(next_help_heading = "Nodes elsewhere")]
pub(super) struct Proof {
    /// The file with the token [default: $SKEP_TOKEN_FILE; or SKEP_TOKEN has the token itself]
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,

    /// What the certificate is known by, as `skep run --listen` says it [default: $SKEP_FINGERPRINT]
    #[arg(long, value_name = "SHA256", global = true)]
    fingerprint: Option<String>,

    /// Certificates that vouch for the node's, in PEM, in place of a fingerprint [default: $SKEP_CA_FILE]
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "fingerprint")]
    ca_file: Option<PathBuf>,
}

impl Proof {
    /// The node at this address.
    pub(super) fn client(&self, address: &str) -> Result<Client, Failure> {
        Ok(Client::elsewhere(address, self.token()?, &self.trust()?)?)
    }

    fn token(&self) -> Result<String, Failure> {
        let file = self.token_file.clone().or(variable("SKEP_TOKEN_FILE")?.map(PathBuf::from));
        let token = match file {
            Some(path) => Some(read(&path)?),
            None => variable("SKEP_TOKEN")?,
        };
        let token = token.ok_or_else(|| {
            Failure::usage("there is no token for the node").remedy(
                "give the file that has it with --token-file, or the token in SKEP_TOKEN; `skep token new` makes one",
            )
        })?;
        Ok(token.trim().to_owned())
    }

    fn trust(&self) -> Result<Trust, Failure> {
        let given = self.fingerprint.is_some() || self.ca_file.is_some();
        let variable = |name| if given { Ok(None) } else { variable(name) };
        let fingerprint = self.fingerprint.clone().or(variable("SKEP_FINGERPRINT")?);
        let file = self.ca_file.clone().or(variable("SKEP_CA_FILE")?.map(PathBuf::from));
        match (fingerprint, file) {
            (Some(text), _) => Ok(Trust::Fingerprint(Fingerprint::parse(&text)?)),
            (None, Some(path)) => Ok(Trust::Authorities(path)),
            (None, None) => Err(Failure::usage("nothing says which certificate to believe").remedy(
                "give what `skep run --listen` says with --fingerprint; or authorities with --ca-file, such as \
                 /etc/ssl/certs/ca-certificates.crt",
            )),
        }
    }
}

fn variable(name: &str) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::usage(format!("{name} is not text"))),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error| {
        Failure::new(format!("cannot read {}: {error}", path.display()))
            .remedy("it is a file with one line, which `skep token new` printed")
    };
    let mode = fs::metadata(path).map_err(failed)?.mode();
    if mode & 0o077 != 0 {
        return Err(Failure::new(format!("others can read {}: its mode is {:03o}", path.display(), mode & 0o777))
            .remedy(format!("close it with `chmod 600 {}`", path.display())));
    }
    fs::read_to_string(path).map_err(failed)
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        ClientError::Elsewhere(error.into()).into()
    }
}
