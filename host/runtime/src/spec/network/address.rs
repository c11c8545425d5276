//! Blocks of addresses, and which addresses everybody can reach.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All addresses that begin with these bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    first: IpAddr,
    bits: u8,
}

impl Block {
    /// One address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let first = address.to_canonical();
        Block { first, bits: width(first) }
    }

    /// Those that begin with the first `bits` of an address; none if there are fewer in it, or if others of it are set.
    #[must_use]
    pub fn new(first: IpAddr, bits: u8) -> Option<Self> {
        let rest = width(first).checked_sub(bits)?;
        let is_first = u32::from(rest) <= number(first).trailing_zeros() || number(first) == 0;
        is_first.then_some(Block { first, bits })
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let rest = u32::from(width(self.first) - self.bits);
        let begins = |address: IpAddr| number(address).checked_shr(rest).unwrap_or(0);
        width(address) == width(self.first) && begins(address) == begins(self.first)
    }

    /// Whether all of another block are.
    #[must_use]
    pub fn covers(&self, other: &Block) -> bool {
        self.bits <= other.bits && self.contains(other.first)
    }

    /// Whether everybody can reach all of them.
    pub(super) fn is_public(&self) -> bool {
        let overlaps = |special: &Block| special.covers(self) || self.covers(special);
        match self.first {
            IpAddr::V4(_) => !SPECIAL_V4.iter().any(overlaps),
            IpAddr::V6(_) => GLOBAL_V6.covers(self) && !SPECIAL_V6.iter().any(overlaps),
        }
    }
}

impl fmt::Display for Block {
    /// As in a pattern that has a port behind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.bits < width(self.first) { format!("/{}", self.bits) } else { String::new() };
        match self.first {
            IpAddr::V4(first) => write!(f, "{first}{bits}"),
            IpAddr::V6(first) => write!(f, "[{first}{bits}]"),
        }
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

const fn v4(a: u8, b: u8, c: u8, bits: u8) -> Block {
    Block { first: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), bits }
}

const fn v6(a: u16, b: u16, bits: u8) -> Block {
    Block { first: IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0)), bits }
}

/// What is not reachable from everywhere, or not one host (IANA's registry of special addresses, RFC 6890).
const SPECIAL_V4: [Block; 15] = [
    v4(0, 0, 0, 8),       // this network
    v4(10, 0, 0, 8),      // private
    v4(100, 64, 0, 10),   // between a provider and its customers
    v4(127, 0, 0, 8),     // this machine
    v4(169, 254, 0, 16),  // this link, and the metadata of cloud machines
    v4(172, 16, 0, 12),   // private
    v4(192, 0, 0, 24),    // protocols
    v4(192, 0, 2, 24),    // examples
    v4(192, 88, 99, 24),  // relays to IPv6
    v4(192, 168, 0, 16),  // private
    v4(198, 18, 0, 15),   // benchmarks
    v4(198, 51, 100, 24), // examples
    v4(203, 0, 113, 24),  // examples
    v4(224, 0, 0, 4),     // groups
    v4(240, 0, 0, 4),     // for the future, and broadcast
];

/// Where addresses of IPv6 are given to hosts of everybody's network. So neither `::1` nor what is mapped, private, of this
/// link, a group or a way to IPv4 (64:ff9b::/96) is public.
const GLOBAL_V6: Block = v6(0x2000, 0, 3);
/// What in there is something else.
const SPECIAL_V6: [Block; 4] = [
    v6(0x2001, 0, 23),     // protocols, such as Teredo, which has an address of IPv4 inside
    v6(0x2001, 0xdb8, 32), // examples
    v6(0x2002, 0, 16),     // 6to4, which has an address of IPv4 inside
    v6(0x3fff, 0, 20),     // examples
];

/// Whether everybody can reach it: no address of this machine, of a private network, of a group, or for an example.
pub(crate) fn is_public(address: IpAddr) -> bool {
    Block::of(address).is_public()
}

/// Whether it is one host's.
pub(crate) fn is_unicast(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    !address.is_unspecified() && !address.is_multicast() && !is_broadcast
}
