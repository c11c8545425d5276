//! Secret keys: made, opened and signed with, in minisign's files.
//!
//! Owns the files' names and modes. Never asks for a password: the command does. Used by `skep sign`.

use std::fs::{self, OpenOptions};
use std::io::{self, Cursor, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ct_codecs::{Base64, Decoder};
use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};

/// What a key file begins with is for people; minisign's own says the same.
const SECRET_COMMENT: &str = "minisign encrypted secret key";
const OPEN_COMMENT: &str = "minisign secret key, without a password";

/// A secret key: three algorithms of 2, a salt of 32, two numbers of 8, an id of 8, the key of 64, and its checksum.
const KEY_BYTES: usize = 158;
const CHECKSUM_BYTES: usize = 32;

/// A secret key as its file has it.
pub struct Locked {
    path: PathBuf,
    text: String,
}

/// A secret key that can sign.
pub struct Secret(SecretKey);

/// Why there is no key, or no signature.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// A file cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// To read or create.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has no secret key in it.
    #[error("{0} is no secret key of minisign's")]
    NotAKey(PathBuf),
    /// The password opens nothing.
    #[error("this is not the password of {0}")]
    WrongPassword(PathBuf),
    /// The library failed, for want of randomness or memory.
    #[error("cannot make a key or a signature: {0}")]
    Failed(#[from] minisign::PError),
}

impl SigningError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            SigningError::File { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                "a key is never written over: choose another name, or move the old one away"
            }
            SigningError::File { .. } => "check the path",
            SigningError::NotAKey(_) => "give the .key file that `skep sign --new-key NAME` or `minisign -G` made",
            SigningError::WrongPassword(_) => "type the password that was chosen when the key was made",
            SigningError::Failed(_) => "try again; is there memory left?",
        }
    }
}

/// The files of a new key.
#[derive(Debug)]
pub struct Pair {
    /// To be kept secret.
    pub secret: PathBuf,
    /// To be given to nodes.
    pub public: PathBuf,
    /// What is in the public one, in one line.
    pub key: String,
}

/// Makes a key: `NAME.key`, which only its owner can read, and `NAME.pub`.
pub fn create(name: &Path, password: Option<String>) -> Result<Pair, SigningError> {
    let path = |extension: &str| {
        let mut path = name.as_os_str().to_owned();
        path.push(extension);
        PathBuf::from(path)
    };
    let (secret, public) = (path(".key"), path(".pub"));
    let comment = if password.is_some() { SECRET_COMMENT } else { OPEN_COMMENT };
    let KeyPair { pk, sk } = match password {
        Some(password) => KeyPair::generate_encrypted_keypair(Some(password))?,
        None => KeyPair::generate_unencrypted_keypair()?,
    };
    // Neither is written if one of them is there.
    if fs::symlink_metadata(&public).is_ok() {
        return Err(SigningError::File { action: "create", path: public, source: io::ErrorKind::AlreadyExists.into() });
    }
    write_new(&secret, 0o600, sk.to_box(Some(comment))?.into_string().as_bytes())?;
    write_new(&public, 0o644, pk.to_box()?.into_string().as_bytes())?;
    Ok(Pair { secret, public, key: pk.to_base64() })
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), SigningError> {
    let written = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = written.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|source| SigningError::File { action: "create", path: path.to_owned(), source })
}

impl Locked {
    /// Reads a key file.
    pub fn read(path: &Path) -> Result<Self, SigningError> {
        let text = fs::read_to_string(path).map_err(|source| SigningError::File {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        Ok(Locked { path: path.to_owned(), text })
    }

    /// The key, if it has no password.
    #[must_use]
    pub fn without_password(&self) -> Option<Secret> {
        let checked = SecretKeyBox::from(self.text.clone()).into_unencrypted_secret_key().ok();
        checked.or_else(|| self.without_checksum()).map(Secret)
    }

    /// `minisign -W` leaves the checksum at zero, which the library takes for damage.
    fn without_checksum(&self) -> Option<SecretKey> {
        let bytes = Base64::decode_to_vec(self.text.lines().nth(1)?.trim(), None).ok()?;
        let (kdf, checksum) = (bytes.get(2..4)?, bytes.get(KEY_BYTES - CHECKSUM_BYTES..KEY_BYTES)?);
        let is_open = bytes.len() == KEY_BYTES && kdf.iter().chain(checksum).all(|byte| *byte == 0);
        is_open.then(|| SecretKey::from_bytes(&bytes).ok()).flatten()
    }

    /// Opens the key, which takes a second on purpose: so long takes each guess too.
    pub fn open(self, password: String) -> Result<Secret, SigningError> {
        use minisign::ErrorKind;
        SecretKeyBox::from(self.text).into_secret_key(Some(password)).map(Secret).map_err(|error| match error.kind() {
            ErrorKind::Verify => SigningError::WrongPassword(self.path),
            _ => SigningError::NotAKey(self.path),
        })
    }
}

impl Secret {
    /// The signature of some bytes, as the text of its file. The comment is signed too.
    pub fn sign(&self, code: &[u8], comment: &str) -> Result<String, SigningError> {
        // With the public half it checks what it made: a damaged key would sign too.
        let public = PublicKey::from_secret_key(&self.0)?;
        let code = Cursor::new(code);
        let signed = minisign::sign(Some(&public), &self.0, code, Some(comment), Some("signature from skep sign"))?;
        Ok(signed.into_string())
    }
}
