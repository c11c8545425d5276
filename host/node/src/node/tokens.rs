//! Who may talk to a node from elsewhere: tokens, each with a name, a scope and perhaps an end.
//!
//! Owns the file with them, in the node's folder. A token itself is shown once, when it is made; kept is its hash. The
//! file is read at every use, so that a revocation counts from the next request on, whoever made it. Only who owns the
//! folder makes tokens: there is no request for it.
//!
//! ```text
//! <home>/nodes/<name>/tokens.json    names, scopes, hashes
//! <home>/nodes/<name>/tokens.lock    held by whoever changes them
//! ```

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::TryRng;
use serde::{Deserialize, Serialize};

use super::file;
use super::home::valid_node_name;

/// Tokens of one node at most; each one is compared with at every request.
pub const TOKENS: usize = 100;
/// What every token begins with, so that one that was published is found.
const PREFIX: &str = "skep_";
/// As many as of an Ed25519 key: nobody guesses them, so a fast hash does.
const SECRET_BYTES: usize = 32;
/// Says what is hashed, as BLAKE3 wants it: the same bytes hashed for something else have another hash.
const CONTEXT: &str = "skep 2026-11 control token";

/// What a token allows; each scope includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To look: processes, trees, states, logs, traces, versions.
    Read,
    /// To talk to processes and stop them: calls, casts, system messages, children, the end of the node.
    Operate,
    /// To change which code runs. As much as the node's owner can: a manifest may grant any folder.
    Deploy,
}

impl Scope {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Operate => "operate",
            Scope::Deploy => "deploy",
        }
    }
}

/// A token, as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Token {
    /// Whom it was made for.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// In hexadecimal.
    hash: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it ends, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
}

impl Token {
    /// Whether its time is over.
    #[must_use]
    pub fn has_expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|end| end <= now_ms)
    }
}

/// The tokens of a node.
#[derive(Clone, Debug)]
pub struct Tokens {
    folder: PathBuf,
}

/// Why the tokens cannot be used, or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// To lock, read or write.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is in it makes no sense. Nobody is let in.
    #[error("{path} is damaged: {why}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The text cannot name a token.
    #[error("bad token name `{name}`: {why}")]
    BadName {
        /// The text.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is one of this name.
    #[error("there is a token named `{0}` already")]
    Taken(String),
    /// There is none of this name.
    #[error("there is no token named `{0}`")]
    Unknown(String),
    /// There are as many as there may be.
    #[error("there are {TOKENS} tokens already")]
    TooMany,
    /// The system has no randomness.
    #[error("cannot make a token: {0}")]
    NoRandomness(String),
}

impl TokenError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            TokenError::File { .. } => "is there room on the disk, and does the folder belong to you?",
            TokenError::Damaged { .. } => "remove the file, and make the tokens anew",
            TokenError::BadName { .. } => "choose a name such as `ci` or `dashboard-1`",
            TokenError::Taken(_) => "choose another name, or revoke that one first",
            TokenError::Unknown(_) => "`skep token list` shows them",
            TokenError::TooMany => "revoke those that nobody uses: `skep token list` shows them",
            TokenError::NoRandomness(_) => "try again",
        }
    }
}

impl Tokens {
    /// Those of the node with this folder.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Tokens { folder: folder.to_owned() }
    }

    /// All of them, the oldest first.
    pub fn list(&self) -> Result<Vec<Token>, TokenError> {
        let path = self.path();
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(|source| TokenError::File { action: "read", path: path.clone(), source })?,
        };
        serde_json::from_slice(&text).map_err(|error| TokenError::Damaged { path, why: error.to_string() })
    }

    /// Makes a token: its text, which is nowhere else.
    pub fn issue(
        &self,
        name: &str,
        scope: Scope,
        lasts: Option<Duration>,
        now_ms: u64,
    ) -> Result<(String, Token), TokenError> {
        valid_node_name(name).map_err(|why| TokenError::BadName { name: name.to_owned(), why })?;
        let mut secret = [0; SECRET_BYTES];
        let filled = rand::rngs::SysRng.try_fill_bytes(&mut secret);
        filled.map_err(|error| TokenError::NoRandomness(error.to_string()))?;
        let text = secret.iter().fold(PREFIX.to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let expires_ms = lasts.map(|lasts| now_ms.saturating_add(u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX)));
        let hash = hash(&text).to_hex().to_string();
        let token = Token { name: name.to_owned(), scope, hash, created_ms: now_ms, expires_ms };
        self.change(|tokens| {
            if tokens.iter().any(|known| known.name == name) {
                return Err(TokenError::Taken(name.to_owned()));
            }
            if tokens.len() >= TOKENS {
                return Err(TokenError::TooMany);
            }
            tokens.push(token.clone());
            Ok(())
        })?;
        Ok((text, token))
    }

    /// Takes a token back.
    pub fn revoke(&self, name: &str) -> Result<(), TokenError> {
        self.change(|tokens| {
            let before = tokens.len();
            tokens.retain(|token| token.name != name);
            if tokens.len() < before { Ok(()) } else { Err(TokenError::Unknown(name.to_owned())) }
        })
    }

    /// The token with this text, if there is one; it may have expired. How long this takes says nothing about how much of
    /// the text is right: it is hashed, `blake3::Hash` compares in constant time, and every token is compared with.
    pub fn find(&self, text: &str) -> Result<Option<Token>, TokenError> {
        let given = hash(text);
        let mut found = None;
        for token in self.list()? {
            let kept = blake3::Hash::from_hex(&token.hash)
                .map_err(|error| TokenError::Damaged { path: self.path(), why: error.to_string() })?;
            if kept == given {
                found = Some(token);
            }
        }
        Ok(found)
    }

    /// Whether a token that was found before still counts.
    pub fn has(&self, token: &Token, now_ms: u64) -> Result<bool, TokenError> {
        Ok(!token.has_expired(now_ms) && self.list()?.contains(token))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Token>) -> Result<(), TokenError>) -> Result<(), TokenError> {
        let _one_at_a_time = self.lock()?;
        let mut tokens = self.list()?;
        change(&mut tokens)?;
        let text = serde_json::to_string_pretty(&tokens)
            .map_err(|error| TokenError::Damaged { path: self.path(), why: error.to_string() })?;
        let path = self.path();
        file::replace(&path, text.as_bytes()).map_err(|source| TokenError::File { action: "write", path, source })
    }

    fn lock(&self) -> Result<File, TokenError> {
        let path = self.folder.join("tokens.lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let locked = opened.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|source| TokenError::File { action: "lock", path, source })
    }

    fn path(&self) -> PathBuf {
        self.folder.join("tokens.json")
    }
}

fn hash(text: &str) -> blake3::Hash {
    blake3::Hash::from(blake3::derive_key(CONTEXT, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn tokens() -> (tempfile::TempDir, Tokens) {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = Tokens::of(folder.path());
        (folder, tokens)
    }

    #[test]
    fn a_token_is_found_by_its_text_until_it_is_revoked_or_expires() {
        let (_keep, tokens) = tokens();
        let minute = Some(Duration::from_secs(60));
        let (text, ci) = tokens.issue("ci", Scope::Deploy, minute, 1_000).expect("it is made");
        let (other, eyes) = tokens.issue("eyes", Scope::Read, None, 1_000).expect("it is made");
        assert_ne!(text, other);
        assert_eq!(tokens.find(&text).expect("it reads"), Some(ci.clone()));
        assert_eq!(tokens.find(&other).expect("it reads"), Some(eyes.clone()));
        let last = if text.ends_with('0') { '1' } else { '0' };
        let wrong = format!("{}{last}", &text[..text.len() - 1]);
        for wrong in [wrong.as_str(), "", PREFIX, "ci", &ci.hash, &format!("{text}0")] {
            assert_eq!(tokens.find(wrong).expect("it reads"), None, "{wrong}");
        }
        assert!(!ci.has_expired(60_999) && ci.has_expired(61_000) && !eyes.has_expired(u64::MAX));
        assert!(tokens.has(&ci, 60_999).expect("it reads"));
        assert!(!tokens.has(&ci, 61_000).expect("it reads"));
        tokens.revoke("eyes").expect("it is there");
        assert_eq!(tokens.find(&other).expect("it reads"), None);
        assert!(!tokens.has(&eyes, 1_000).expect("it reads"));
        // Another of the same name is another token.
        tokens.issue("eyes", Scope::Read, None, 1_000).expect("the name is free");
        assert!(!tokens.has(&eyes, 1_000).expect("it reads"));
    }

    #[test]
    fn a_file_that_is_read_by_others_would_give_no_token_away() {
        let (keep, tokens) = tokens();
        let (text, _) = tokens.issue("ci", Scope::Deploy, None, 0).expect("it is made");
        let path = keep.path().join("tokens.json");
        let kept = fs::read_to_string(&path).expect("it is there");
        assert!(!kept.contains(&text) && !kept.contains(&text[PREFIX.len()..]), "{kept}");
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        assert_eq!(text.len(), PREFIX.len() + 2 * SECRET_BYTES);
    }

    #[test]
    fn names_and_numbers_have_bounds_and_a_damaged_file_lets_nobody_in() {
        let (keep, tokens) = tokens();
        let issue = |name: &str| tokens.issue(name, Scope::Read, None, 0);
        for bad in ["", "a b", "../x", "-x", &"x".repeat(65)] {
            assert!(matches!(issue(bad), Err(TokenError::BadName { .. })), "{bad}");
        }
        let (text, _) = issue("0").expect("it is made");
        assert!(matches!(issue("0"), Err(TokenError::Taken(_))));
        for number in 1..TOKENS {
            issue(&number.to_string()).expect("it is made");
        }
        assert!(matches!(issue("more"), Err(TokenError::TooMany)));
        assert!(matches!(tokens.revoke("more"), Err(TokenError::Unknown(_))));
        assert_eq!(tokens.list().expect("it reads").len(), TOKENS);
        for damaged in ["", "{}", "[{}]"] {
            fs::write(keep.path().join("tokens.json"), damaged).expect("it is ours");
            assert!(matches!(tokens.find(&text), Err(TokenError::Damaged { .. })), "{damaged}");
        }
    }

    #[test]
    fn each_scope_includes_those_before_it() {
        assert!(Scope::Read < Scope::Operate && Scope::Operate < Scope::Deploy);
    }
}
