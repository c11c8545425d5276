//! Names of hosts, in the one form in which they are compared.

use std::fmt;

/// Bytes of a name, and of one part of it, as DNS has it.
const NAME_BYTES: usize = 253;
const LABEL_BYTES: usize = 63;

/// A name of a host: in lower case, without a dot behind, and never an address, however it is written. What is not ASCII is
/// written in Punycode, as DNS has it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostName(Box<str>);

impl HostName {
    /// Reads a name; none if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let last = name.rsplit('.').next()?;
        let fits = name.len() <= NAME_BYTES && name.split('.').all(is_label) && !is_number(last);
        fits.then(|| HostName(name.into()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a name below this one.
    pub(super) fn is_below(&self, other: &HostName) -> bool {
        self.0.strip_suffix(&*other.0).is_some_and(|rest| rest.ends_with('.'))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Letters, digits, and `-` within; `_` too, which services have in their names.
fn is_label(label: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    !label.is_empty()
        && label.len() <= LABEL_BYTES
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(is_plain)
}

/// Whether a resolver might take what ends so for an address: `127.1`, `2130706433`, `0x7f000001`.
fn is_number(label: &str) -> bool {
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    label.bytes().all(|byte| byte.is_ascii_digit()) || label.strip_prefix("0x").is_some_and(is_hex)
}

/// Whether a name stands for this machine, whatever a resolver says (RFC 6761).
pub(crate) fn is_local(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}
