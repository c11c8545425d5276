//! How much a manifest may make of `count`: a few bytes of text must not become gigabytes of children.

use toml::Spanned;

use super::{ManifestError, Source};

/// Processes in all pools together. Whoever wants more starts them from a template.
const PROCESSES_MOST: u64 = 100_000;
/// Bytes of their arguments, which each process has for itself.
const ARGS_BYTES_MOST: u64 = 256 << 20;

/// The pools of a manifest so far.
#[derive(Default)]
pub(super) struct Pools {
    processes: u64,
    args_bytes: u64,
}

impl Pools {
    /// Counts one in, each of whose processes has arguments of this size, if there is room for it.
    pub(super) fn add(
        &mut self,
        count: &Spanned<u64>,
        args_bytes: usize,
        source: &Source,
    ) -> Result<(), ManifestError> {
        let refuse = |problem: String, remedy: &str| Err(source.error(count.span(), problem, remedy));
        let number = *count.get_ref();
        if !(1..=PROCESSES_MOST).contains(&number) {
            let remedy = format!("give a number from 1 to {PROCESSES_MOST}");
            return refuse(format!("`count` cannot be {number}"), &remedy);
        }
        self.processes += number;
        if self.processes > PROCESSES_MOST {
            let remedy = "make them smaller, or start processes from a template (`simple_one_for_one`)";
            return refuse(format!("all pools together have more than {PROCESSES_MOST} processes"), remedy);
        }
        let args_bytes = u64::try_from(args_bytes).unwrap_or(u64::MAX);
        self.args_bytes = self.args_bytes.saturating_add(number.saturating_mul(args_bytes));
        if self.args_bytes > ARGS_BYTES_MOST {
            let problem = format!("the arguments of all pools together have more than {} MiB", ARGS_BYTES_MOST >> 20);
            return refuse(problem, "give each process less, and the rest in a message");
        }
        Ok(())
    }
}
