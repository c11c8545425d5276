//! `skep upgrade` and `skep rollback`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::build::Progress;
use super::failure::Failure;
use super::logs::escaped;
use super::replace::replace;
use super::{Asking, Shared, json};
use crate::build::{self, Request};
use crate::manifest::units::Time;
use crate::node::deploy::MODULE_BYTES;
use crate::signing;

/// Bytes of `--extra`, which travels in the request's line.
const EXTRA_BYTES: usize = 8 << 10;

/// Replaces a module's code in its running processes
///
/// Every process of the module goes on with the same pid, name, links, timers and mailbox on the new code, which takes
/// over its state; or, if anything does not fit, all of them go on as they were, the reason is printed, and the exit code
/// is 1. Tasks finish on the code they began with.
///
/// Ctrl-C, or the end of this command in any other way, calls the upgrade off; one that is being committed at that moment
/// is finished. `skep versions` shows which it was.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep upgrade counter counter.wasm\n  skep upgrade counter ./counter\n  \
                        skep upgrade shop/till till.wasm --wait 30s --extra '{\"currency\": \"EUR\"}' --json")]
pub(super) struct Upgrade {
    /// Which module: its name in the manifest, or `app/module`
    name: String,

    /// The new code: a file that `skep build` made, or the folder of a guest crate, which is built first
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,

    #[command(flatten)]
    manner: Manner,

    #[command(flatten)]
    pub(super) asking: Asking,
}

/// Takes a module back to the code that it ran before
///
/// The same transaction as `skep upgrade`, with code that the node has kept: the running code writes each state in the
/// older version (its `Revert`s), and the older code goes on. Once more, and it is the code before that. `skep versions`
/// shows what is kept.
#[derive(Args)]
#[command(after_help = "Examples:\n  skep rollback counter\n  skep rollback shop/till --to 1\n  \
                        skep rollback counter --to 4f1c09 --json")]
pub(super) struct Rollback {
    /// Which module: its name in the manifest, or `app/module`
    name: String,

    /// To which code: a version, or the beginning of a digest, as in `skep versions` [default: what ran before]
    #[arg(long, value_name = "VERSION|DIGEST")]
    to: Option<String>,

    #[command(flatten)]
    manner: Manner,

    #[command(flatten)]
    pub(super) asking: Asking,
}

/// How it is done.
#[derive(Args)]
struct Manner {
    /// How long processes in the middle of something are waited for: milliseconds, or text such as `30s`
    #[arg(long, default_value = "5s", value_name = "TIME")]
    wait: Time,

    /// What every migration gets beside the state: JSON
    #[arg(long, value_name = "JSON")]
    extra: Option<String>,
}

impl Manner {
    /// As a part of the request's line.
    fn query(&self) -> Result<String, Failure> {
        let mut query = format!("&wait_ms={}", self.wait.0.as_millis());
        if let Some(extra) = &self.extra {
            let body = json::body(extra)?;
            if body.get().len() > EXTRA_BYTES {
                let message = format!("--extra has {} bytes, and may have {EXTRA_BYTES}", body.get().len());
                return Err(Failure::usage(message).remedy("let the new code have larger things in itself"));
            }
            query.push_str(&format!("&extra={}", escaped(body.get())));
        }
        Ok(query)
    }
}

impl Upgrade {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let manner = self.manner.query()?;
        let client = shared.client(&self.asking).await?;
        let (path, bytes, signature) = code(self.file).await?;
        let origin = std::path::absolute(&path).unwrap_or(path).display().to_string();
        let signature = signature.map_or_else(String::new, |text| format!("&signature={}", escaped(&text)));
        let (name, origin) = (escaped(&self.name), escaped(&origin));
        let path = format!("/v1/upgrade?module={name}&origin={origin}{signature}{manner}");
        replace(&client, &self.asking, &path, bytes).await
    }
}

impl Rollback {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let manner = self.manner.query()?;
        let client = shared.client(&self.asking).await?;
        let to = self.to.as_deref().map_or_else(String::new, |to| format!("&to={}", escaped(to)));
        let path = format!("/v1/rollback?module={}{to}{manner}", escaped(&self.name));
        replace(&client, &self.asking, &path, Vec::new()).await
    }
}

/// The file of the new code, the code, and the signature beside it. Builds and reads on a thread of its own, since both
/// block.
async fn code(given: PathBuf) -> Result<(PathBuf, Vec<u8>, Option<String>), Failure> {
    let reading = tokio::task::spawn_blocking(move || {
        let path = if given.is_dir() { built(&given)? } else { given };
        let bytes = read(&path)?;
        let signature = signing::beside(&path).map_err(|error| {
            Failure::new(format!("cannot read {}: {error}", signing::path(&path).display()))
                .remedy("sign the module anew, or remove the file")
        })?;
        Ok((path, bytes, signature))
    });
    reading.await.map_err(|error| Failure::new(format!("reading failed: {error}")))?
}

fn built(dir: &Path) -> Result<PathBuf, Failure> {
    let mut progress = Progress::default();
    let built = build::guests(&Request::new(dir), &mut progress);
    progress.finish();
    let mut built = built?;
    match (built.pop(), built.is_empty()) {
        (Some(guest), true) => Ok(guest.path),
        (last, _) => {
            let files: Vec<String> = built.iter().chain(&last).map(|guest| guest.path.display().to_string()).collect();
            Err(Failure::new(format!("there are several guests in {}", dir.display()))
                .remedy(format!("give the file of one of them: {}", files.join(", "))))
        }
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(format!("cannot read {}: {error}", path.display()))
            .remedy("give a file that `skep build` made, or the folder of a guest crate")
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > MODULE_BYTES as u64 {
        let message = format!("{} is not a file of at most {} MiB", path.display(), MODULE_BYTES >> 20);
        return Err(Failure::new(message).remedy("give the path of a .wasm file"));
    }
    std::fs::read(path).map_err(unreadable)
}
