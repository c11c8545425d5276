//! Whose code a node runs: anybody's, or only what is signed with one of its keys.
//!
//! Owns the check, and where the rule is kept: in the node's own folder, so that it outlives the node and no manifest
//! can loosen it. Never reads a signature from a disk; asked wherever a node loads code.
//!
//! ```text
//! <home>/nodes/<name>/signers    public keys, one a line; no file: no rule
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use minisign_verify::{Error, PublicKey, Signature};

use crate::node::file;

/// A public key is one line of 56 characters; its file has a comment too.
const KEY_FILE_BYTES: u64 = 4 << 10;

/// Whose code is run.
#[derive(Clone, Debug, Default)]
pub enum Admission {
    /// Anybody's.
    #[default]
    Anyone,
    /// What was signed with one of these.
    SignedBy(Vec<Signer>),
}

/// A public key.
#[derive(Clone, Debug)]
pub struct Signer {
    /// As `minisign` shows it.
    text: String,
    key: PublicKey,
}

/// Why code is not admitted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAdmitted {
    /// There is no signature.
    #[error("it is not signed, and this node runs signed code only")]
    Unsigned,
    /// There is something else in its place.
    #[error("its signature is not in minisign's format")]
    Malformed,
    /// Made as minisign did before version 0.6: the whole code went through the signing function.
    #[error("its signature is of minisign's old kind, without a digest")]
    Legacy,
    /// Signed with a key that the node does not trust.
    #[error("it is signed with another key than those that this node trusts ({})", trusted.join(", "))]
    OtherKey {
        /// The keys that it trusts.
        trusted: Vec<String>,
    },
    /// Code, signature or comment was changed.
    #[error("its signature does not fit: the code, or the signature, has been changed since it was signed")]
    Tampered,
}

impl NotAdmitted {
    /// A stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            NotAdmitted::Unsigned => "not_signed",
            _ => "bad_signature",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            NotAdmitted::Unsigned => {
                "sign it with `skep sign FILE.wasm --key KEYFILE`, which leaves FILE.wasm.minisig beside it"
            }
            NotAdmitted::Malformed | NotAdmitted::Legacy => "sign it anew with `skep sign FILE.wasm --key KEYFILE`",
            NotAdmitted::OtherKey { .. } => {
                "sign it with a key that the node trusts, or start the node with `--require-signed` and this key too"
            }
            NotAdmitted::Tampered => {
                "if the change is yours, such as a new build, sign it anew; if not, get the code again from who made it"
            }
        }
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    /// The file cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// To read, write or remove.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Neither a key nor the path of one.
    #[error("`{0}` is neither a public key of minisign's nor the path of one")]
    Malformed(String),
    /// What the node remembers is no list of keys. It does not run: the rule would be lost.
    #[error("{} is damaged: line {line} is no public key", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

impl BadKey {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            BadKey::File { .. } => "is there room on the disk, and does the file belong to you?",
            BadKey::Malformed(_) => {
                "give the .pub file that `skep sign --new-key` or `minisign -G` made, or its second line"
            }
            BadKey::Damaged { .. } => "say anew whose code it runs: `--require-signed KEY`, or `--allow-unsigned`",
        }
    }
}

impl Signer {
    /// A key as it is given on the command line: the path of a `.pub` file, or the line of it that is the key.
    pub fn given(text: &str) -> Result<Self, BadKey> {
        if let Some(signer) = Signer::parse(text) {
            return Ok(signer);
        }
        let path = Path::new(text);
        let failed = |source| BadKey::File { action: "read", path: path.to_owned(), source };
        let is_key_sized = fs::metadata(path).map_err(failed)?.len() <= KEY_FILE_BYTES;
        let file = if is_key_sized { fs::read_to_string(path).map_err(failed)? } else { String::new() };
        file.lines().nth(1).and_then(Signer::parse).ok_or_else(|| BadKey::Malformed(text.to_owned()))
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let key = PublicKey::from_base64(text).ok()?;
        Some(Signer { text: text.to_owned(), key })
    }
}

impl Admission {
    /// The rule that a node remembers in its folder.
    pub fn remembered(folder: &Path) -> Result<Self, BadKey> {
        let path = file_in(folder);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Admission::Anyone),
            read => read.map_err(|source| BadKey::File { action: "read", path: path.clone(), source })?,
        };
        let parsed = text.lines().enumerate().map(|(index, line)| {
            Signer::parse(line).ok_or_else(|| BadKey::Damaged { path: path.clone(), line: index + 1 })
        });
        match parsed.collect::<Result<Vec<Signer>, BadKey>>()? {
            // It was cut off: without a rule there is no file.
            signers if signers.is_empty() => Err(BadKey::Damaged { path, line: 1 }),
            signers => Ok(Admission::SignedBy(signers)),
        }
    }

    /// Makes this the rule that a node remembers.
    pub fn remember(&self, folder: &Path) -> Result<(), BadKey> {
        let path = file_in(folder);
        let (action, done) = match self {
            Admission::Anyone => match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => ("remove", Ok(())),
                removed => ("remove", removed),
            },
            Admission::SignedBy(signers) => {
                let lines: String = signers.iter().map(|signer| format!("{}\n", signer.text)).collect();
                ("write", file::replace(&path, lines.as_bytes()))
            }
        };
        done.map_err(|source| BadKey::File { action, path, source })
    }

    /// The public keys, as `minisign` shows them; none where anybody's code is run.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        match self {
            Admission::Anyone => Vec::new(),
            Admission::SignedBy(signers) => signers.iter().map(|signer| signer.text.clone()).collect(),
        }
    }

    /// Whether this code may run. `signature` is what lies beside it.
    pub fn check(&self, code: &[u8], signature: Option<&str>) -> Result<(), NotAdmitted> {
        let Admission::SignedBy(signers) = self else { return Ok(()) };
        let text = signature.ok_or(NotAdmitted::Unsigned)?;
        let signature = Signature::decode(text).map_err(|_| NotAdmitted::Malformed)?;
        for signer in signers {
            match signer.key.verify(code, &signature, false) {
                Ok(()) => return Ok(()),
                Err(Error::UnexpectedKeyId) => {}
                Err(Error::UnexpectedAlgorithm | Error::UnsupportedLegacyMode) => return Err(NotAdmitted::Legacy),
                Err(_) => return Err(NotAdmitted::Tampered),
            }
        }
        Err(NotAdmitted::OtherKey { trusted: self.keys() })
    }
}

fn file_in(folder: &Path) -> PathBuf {
    folder.join("signers")
}
