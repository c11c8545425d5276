//! Names of processes and of what belongs to one process.
//!
//! Only plain values: nothing here knows whether such a process exists.

use std::fmt;
use std::str::FromStr;

use crate::secret::Secret;

/// Numbers that a guest sees stay below this, because JavaScript's numbers are floats.
pub const NUMBER_LIMIT: u64 = 1 << 53;

/// Names one process for good.
///
/// `id` is never used twice on a node. `tag` looks random (see [`PidSeal`]), so that only who was given the pid can address the process.
/// `Display` and `Debug` leave the tag out, for logs and listings; [`Pid::to_text`] has it, for messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid {
    /// The node it lives on; 0 is this one.
    pub node: u32,
    /// Counts the node's processes, below 2^53.
    pub id: u64,
    /// 53 bits that nobody can guess.
    pub tag: u64,
}

/// What makes the tags of one node's pids. Whether a pid was ever given can be told without remembering those that were:
/// one that has the wrong tag was made up.
#[derive(Clone, Copy, Debug)]
pub struct PidSeal {
    secret: Secret,
}

impl PidSeal {
    /// A seal; the secret is random.
    #[must_use]
    pub const fn new(secret: [u64; 2]) -> Self {
        PidSeal { secret: Secret::new(secret) }
    }

    /// The pid of this number.
    #[must_use]
    pub fn pid(&self, id: u64) -> Pid {
        Pid { node: 0, id, tag: self.secret.of(id) }
    }

    /// Whether the pid is one of this seal's.
    #[must_use]
    pub fn made(&self, pid: Pid) -> bool {
        self.pid(pid.id) == pid
    }
}

impl Pid {
    /// The form that bodies carry: node, a dot, id, a dot, tag in hexadecimal. [`FromStr`] reads it back.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{}.{}.{:x}", self.node, self.id, self.tag)
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}>", self.node, self.id)
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not `node.id.tag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPid;

impl fmt::Display for NotAPid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a pid: expected node.id.tag, the tag in hexadecimal")
    }
}

impl std::error::Error for NotAPid {}

impl FromStr for Pid {
    type Err = NotAPid;

    fn from_str(text: &str) -> Result<Self, NotAPid> {
        let mut parts = text.split('.');
        let (Some(node), Some(id), Some(tag), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(NotAPid);
        };
        let pid = Pid {
            node: node.parse().map_err(|_| NotAPid)?,
            id: id.parse().map_err(|_| NotAPid)?,
            tag: u64::from_str_radix(tag, 16).map_err(|_| NotAPid)?,
        };
        if pid.id < NUMBER_LIMIT && pid.tag < NUMBER_LIMIT { Ok(pid) } else { Err(NotAPid) }
    }
}

/// Tells one monitor, timer or request from all others of its process. Below 2^53.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Mark(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_there_and_back_and_logs_hide_the_tag() {
        let pid = Pid { node: 0, id: 12, tag: 0x1f_ffff_ffff_ffff };
        assert_eq!(pid.to_text(), "0.12.1fffffffffffff");
        assert_eq!(pid.to_text().parse(), Ok(pid));
        assert_eq!(format!("{pid} {pid:?}"), "<0.12> <0.12>");
    }

    #[test]
    fn a_pid_is_known_for_one_that_was_given() {
        let seal = PidSeal::new([1, 2]);
        let pid = seal.pid(7);
        assert!(seal.made(pid) && pid.id == 7 && pid.tag < NUMBER_LIMIT);
        for bit in 0..53 {
            assert!(!seal.made(Pid { tag: pid.tag ^ (1 << bit), ..pid }), "a tag with bit {bit} wrong");
        }
        assert!(!seal.made(Pid { id: 8, ..pid }) && !seal.made(Pid { node: 1, ..pid }));
        assert!(!PidSeal::new([1, 3]).made(pid), "each node has a secret of its own");
        let used = (0..64).fold(0, |bits, id| bits | seal.pid(id).tag);
        assert_eq!(used, NUMBER_LIMIT - 1, "every bit of a tag counts");
    }

    #[test]
    fn wrong_texts_are_refused() {
        for text in ["", "0", "0.1", "0.1.2.3", "0.1.x", "0.9007199254740992.0", "0.1.20000000000000", "-1.1.1"] {
            assert_eq!(text.parse::<Pid>(), Err(NotAPid), "{text}");
        }
        assert_eq!(NotAPid.to_string(), "not a pid: expected node.id.tag, the tag in hexadecimal");
    }
}
