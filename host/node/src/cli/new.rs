//! `skep new`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::{output, safe};
use crate::new::{self, NewError, Written};

/// Writes a guest crate to begin with
///
/// Makes a folder with a crate of one small server, its tests, an app to run it in, and version 2 of it in a comment.
/// `skep build` builds it and `cargo test` tests it as it is. It depends on the SDK of the sources that this program was
/// built from.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep new greeter && cd greeter && skep build && cargo test\n  \
                        skep new greeter --sdk ~/skep/guest-sdk --json")]
pub(super) struct New {
    /// The crate's name, which is also that of its folder, its module and its app
    name: String,

    /// The folder of the SDK [default: where this program was built]
    #[arg(long, value_name = "PATH")]
    sdk: Option<PathBuf>,

    /// Print JSON, for scripts
    #[arg(long)]
    pub(super) json: bool,
}

impl New {
    pub(super) fn perform(self) -> Result<(), Failure> {
        let Written { folder, sdk, files } = new::write(&self.name, Path::new(""), self.sdk.as_deref())?;
        if self.json {
            return output::print_json(&serde_json::json!({ "folder": folder, "sdk": sdk, "files": files }));
        }
        let name = &self.name;
        let folder = safe::line(&folder.display().to_string());
        output::print(&format!(
            "{folder} is ready; its README says more:\n  cd {folder}\n  skep build && cargo test\n  skep run {name}.toml\n"
        ))
    }
}

impl From<NewError> for Failure {
    fn from(error: NewError) -> Self {
        let failure = match error {
            NewError::BadName { .. } => Failure::usage(error.to_string()),
            _ => Failure::new(error.to_string()),
        };
        failure.remedy(error.remedy())
    }
}
