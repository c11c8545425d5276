//! What one process may use, with defaults.

use std::time::Duration;

/// Bounds of one process. Each ends or refuses in its own way, as said; none can be switched off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Messages waiting in the mailbox. Beyond, a send is refused and a cast dropped.
    pub mailbox_messages: usize,
    /// Bytes of bodies waiting in the mailbox. Beyond, as above.
    pub mailbox_bytes: usize,
    /// Bytes of one body, argument or state. Beyond, the send is refused or the process ends.
    pub body_bytes: usize,
    /// Timers running at once. Beyond, the process ends.
    pub timers: usize,
    /// Links at once. Beyond, a link is refused.
    pub links: usize,
    /// Monitors set at once. Beyond, the process ends. As many watches of registries and groups; beyond, refused.
    pub monitors: usize,
    /// Entries in registries, groups and topics, and locks, at once. Beyond, one more is refused.
    pub entries: usize,
    /// Bytes of the keys and values of these entries. Beyond, as above.
    pub entry_bytes: usize,
    /// Aliases open at once. Beyond, the process ends.
    pub aliases: usize,
    /// Requests unanswered at once. Beyond, a request is refused.
    pub requests: usize,
    /// Supervisors of its own at once, those within others included. Beyond, a start is refused.
    pub supervisors: usize,
    /// Children of these supervisors, all together. Beyond, a start is refused.
    pub children: usize,
    /// Bytes of linear memory.
    pub memory_bytes: usize,
    /// Fuel for one message; about one for each Wasm instruction.
    pub fuel_per_message: u64,
    /// What it may do with files.
    pub files: FileLimits,
    /// How much it may log.
    pub log: LogLimits,
    /// How long `init` may take before the process is killed and its starter told so.
    pub init_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            mailbox_messages: 10_000,
            mailbox_bytes: 16 << 20,
            body_bytes: 1 << 20,
            timers: 1_000,
            links: 10_000,
            monitors: 10_000,
            entries: 10_000,
            entry_bytes: 1 << 20,
            aliases: 1_000,
            requests: 1_000,
            supervisors: 16,
            children: 1_000,
            memory_bytes: 4 << 20,
            // Several seconds of computing.
            fuel_per_message: 10_000_000_000,
            files: FileLimits::default(),
            log: LogLimits::default(),
            init_timeout: Duration::from_secs(30),
        }
    }
}

/// Bounds of what one process does with files. Beyond, the operation fails, and the guest is told why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileLimits {
    /// Bytes written in its whole life. A new name in a folder, and what a file is made longer by, count too.
    pub written_bytes: u64,
    /// Files and folders open at once, beyond those granted.
    pub open: usize,
}

impl Default for FileLimits {
    fn default() -> Self {
        FileLimits { written_bytes: 1 << 30, open: 64 }
    }
}

/// Bounds of what one process logs, itself or by its output. Lines beyond are dropped and counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogLimits {
    /// Bytes a second.
    pub bytes_per_second: u64,
    /// Bytes at once.
    pub burst: u64,
}

impl Default for LogLimits {
    fn default() -> Self {
        LogLimits { bytes_per_second: 64 << 10, burst: 1 << 20 }
    }
}
