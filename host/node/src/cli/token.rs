//! `skep token`.
//!
//! Owns what of a token is shown, and that its text is shown once. Works on the node's folder, whether the node runs or
//! not: who cannot enter that folder makes no token.

use clap::{Args, Subcommand, ValueEnum};

use super::failure::Failure;
use super::table::table;
use super::when::when;
use super::{Shared, output};
use crate::manifest::units::Time;
use crate::node::log::now_ms;
use crate::node::tokens::{Scope, Token, TokenError, Tokens};

/// Says who may ask a node from elsewhere
///
/// A token goes with each request to a node that runs with `--listen`. The node keeps only its hash. What is revoked, or
/// has expired, counts no more from the next request on, and its connections are closed.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep token new dashboard --scope read\n  \
                        skep token new ci --scope deploy --expires 30d --node tally > ci.token\n  \
                        skep token list --json\n  skep token revoke ci")]
pub(super) struct TokenOf {
    #[command(subcommand)]
    what: What,

    /// Which node; needed only where there are several
    #[arg(long, value_name = "NAME", global = true)]
    node: Option<String>,

    /// Print JSON, for scripts
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Subcommand)]
enum What {
    /// Make a token, and print it: it is nowhere else
    New {
        /// Whom it is for
        name: String,

        /// What it allows; each of these includes those before it
        #[arg(long)]
        scope: ScopeWord,

        /// For how long: text such as `12h` or `30d` [default: until it is revoked]
        #[arg(long, value_name = "TIME")]
        expires: Option<Time>,
    },
    /// List the tokens
    List,
    /// Take a token back
    Revoke {
        /// Whose
        name: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum ScopeWord {
    /// To look: processes, trees, states, logs, traces, versions
    Read,
    /// To talk to processes, start and stop them, and stop the node
    Operate,
    /// To change which code runs: as much as the node's owner
    Deploy,
}

impl From<ScopeWord> for Scope {
    fn from(word: ScopeWord) -> Self {
        match word {
            ScopeWord::Read => Scope::Read,
            ScopeWord::Operate => Scope::Operate,
            ScopeWord::Deploy => Scope::Deploy,
        }
    }
}

impl TokenOf {
    pub(super) fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let node = self.node.as_deref();
        let folder = match self.what {
            What::New { .. } => shared.folder_to_be(node)?,
            What::List | What::Revoke { .. } => shared.folder(node)?,
        };
        let tokens = Tokens::of(&folder);
        match self.what {
            What::New { name, scope, expires } => {
                let lasts = expires.map(|time| time.0);
                let (text, token) = tokens.issue(&name, scope.into(), lasts, now_ms())?;
                if self.json {
                    return output::print_json(&serde_json::json!({
                        "token": text, "name": token.name, "scope": token.scope, "expires_ms": token.expires_ms,
                    }));
                }
                output::print(&format!("{text}\n"))
            }
            What::List if self.json => {
                let line = |token: &Token| {
                    serde_json::json!({
                        "name": token.name, "scope": token.scope, "created_ms": token.created_ms,
                        "expires_ms": token.expires_ms, "expired": token.has_expired(now_ms()),
                    })
                };
                output::print_json(&tokens.list()?.iter().map(line).collect::<Vec<_>>())
            }
            What::List => {
                let row = |token: &Token| {
                    let end = match token.expires_ms {
                        None => String::new(),
                        Some(end) if token.has_expired(now_ms()) => format!("{} (expired)", when(end)),
                        Some(end) => when(end),
                    };
                    vec![token.name.clone(), token.scope.word().to_owned(), when(token.created_ms), end]
                };
                let rows: Vec<Vec<String>> = tokens.list()?.iter().map(row).collect();
                output::print(&table(&["name", "scope", "created", "expires"], &rows))
            }
            What::Revoke { name } => {
                tokens.revoke(&name)?;
                if self.json { output::print_json(&serde_json::json!({ "revoked": name })) } else { Ok(()) }
            }
        }
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        let failure = match error {
            TokenError::BadName { .. } => Failure::usage(error.to_string()),
            _ => Failure::new(error.to_string()).code("token"),
        };
        failure.remedy(error.remedy())
    }
}
