//! Limits of a manifest: each within bounds that make sense, laid over what they inherit.
//!
//! Owns the bounds. The defaults are the kernel's.

use std::ops::Range;
use std::time::Duration;

use skep_runtime::kernel::Limits;
use toml::Spanned;

use super::units::Size;
use super::{ManifestError, Source, shape};

/// One page of WebAssembly: with less, no guest can be instantiated.
const MEMORY_LEAST: u64 = 64 << 10;
/// All that 32 bits can address.
const MEMORY_MOST: u64 = 4 << 30;
/// So many of anything that is counted: beyond this, the host's memory gives out first.
const COUNT_MOST: u64 = u32::MAX as u64;
/// So many bytes of anything but memory.
const BYTES_MOST: u64 = 1 << 30;
/// So many bytes on a disk.
const DISK_MOST: u64 = 1 << 50;
/// Two of the longest lines: with less, some would never be written.
pub(super) const BURST_LEAST: u64 = 10 << 10;

/// What `given` says, and for the rest what is inherited.
pub(super) fn laid_over(inherited: &Limits, given: &shape::Limits, source: &Source) -> Result<Limits, ManifestError> {
    let mut limits = inherited.clone();
    let bounded = |key: &str, number: u64, span: Range<usize>, bounds: (u64, u64)| -> Result<usize, ManifestError> {
        let (least, most) = bounds;
        match usize::try_from(number) {
            Ok(fits) if (least..=most).contains(&number) => Ok(fits),
            _ => Err(source.error(
                span,
                format!("`{key}` cannot be {number}"),
                format!("give a number from {least} to {most}, or leave the key out for the default"),
            )),
        }
    };
    let size = |key, given: &Option<Spanned<Size>>, bounds, limit: &mut usize| -> Result<(), ManifestError> {
        if let Some(given) = given {
            *limit = bounded(key, given.get_ref().0, given.span(), bounds)?;
        }
        Ok(())
    };
    let count = |key, given: &Option<Spanned<u64>>, least, limit: &mut usize| -> Result<(), ManifestError> {
        if let Some(given) = given {
            *limit = bounded(key, *given.get_ref(), given.span(), (least, COUNT_MOST))?;
        }
        Ok(())
    };
    size("memory", &given.memory, (MEMORY_LEAST, MEMORY_MOST), &mut limits.memory_bytes)?;
    size("mailbox_bytes", &given.mailbox_bytes, (1, BYTES_MOST), &mut limits.mailbox_bytes)?;
    size("body_bytes", &given.body_bytes, (1, BYTES_MOST), &mut limits.body_bytes)?;
    count("mailbox_messages", &given.mailbox_messages, 1, &mut limits.mailbox_messages)?;
    count("timers", &given.timers, 0, &mut limits.timers)?;
    count("links", &given.links, 0, &mut limits.links)?;
    count("monitors", &given.monitors, 0, &mut limits.monitors)?;
    count("entries", &given.entries, 0, &mut limits.entries)?;
    size("entry_bytes", &given.entry_bytes, (0, BYTES_MOST), &mut limits.entry_bytes)?;
    count("aliases", &given.aliases, 0, &mut limits.aliases)?;
    count("requests", &given.requests, 0, &mut limits.requests)?;
    count("supervisors", &given.supervisors, 0, &mut limits.supervisors)?;
    count("children", &given.children, 0, &mut limits.children)?;
    count("open_files", &given.open_files, 0, &mut limits.files.open)?;
    let bytes = |key, given: &Option<Spanned<Size>>, least, limit: &mut u64| -> Result<(), ManifestError> {
        if let Some(given) = given {
            *limit = bounded(key, given.get_ref().0, given.span(), (least, DISK_MOST))? as u64;
        }
        Ok(())
    };
    bytes("written_bytes", &given.written_bytes, 0, &mut limits.files.written_bytes)?;
    bytes("log_bytes", &given.log_bytes, 0, &mut limits.log.bytes_per_second)?;
    bytes("log_burst", &given.log_burst, BURST_LEAST, &mut limits.log.burst)?;
    if let Some(fuel) = &given.fuel_per_message {
        bounded("fuel_per_message", *fuel.get_ref(), fuel.span(), (1, u64::MAX))?;
        limits.fuel_per_message = *fuel.get_ref();
    }
    if let Some(time) = &given.init_timeout {
        if time.get_ref().0 == Duration::ZERO {
            let remedy = "give a time such as \"30s\", or leave the key out for the default";
            return Err(source.error(time.span(), "`init_timeout` cannot be 0: no process could ever start", remedy));
        }
        limits.init_timeout = time.get_ref().0;
    }
    if let Some(body) = given.body_bytes.as_ref().filter(|_| limits.body_bytes > limits.mailbox_bytes) {
        return Err(source.error(
            body.span(),
            format!(
                "`body_bytes` is {}, and `mailbox_bytes` only {}: such a message could never be delivered",
                limits.body_bytes, limits.mailbox_bytes
            ),
            format!("set `mailbox_bytes` to {} or more", limits.body_bytes),
        ));
    }
    Ok(limits)
}
