//! What names stand for, as one process has been told.
//!
//! Owns the answers. Whoever answers for a name could give one address while it is checked and another while it is used; so
//! the first answer is the answer, for ten minutes: long enough for whatever begins with it, and short enough that a server
//! that lives for months finds a service that has moved. Never asks: `Reach` does.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::spec::HostName;

/// How long an answer is the answer.
const LIFE: Duration = Duration::from_secs(600);
/// Names that are kept; of more, the oldest is asked for anew.
const NAMES: usize = 256;
/// Addresses of one name that are kept; no resolver gives more in one packet of the usual size.
const ADDRESSES: usize = 32;

/// What names stand for.
#[derive(Default)]
pub struct Pins(BTreeMap<HostName, Pin>);

struct Pin {
    addresses: Vec<IpAddr>,
    until: Instant,
}

impl Pins {
    /// What a name stands for, if that was asked lately.
    pub(super) fn addresses(&self, name: &HostName, now: Instant) -> Option<Vec<IpAddr>> {
        self.0.get(name).filter(|pin| now < pin.until).map(|pin| pin.addresses.clone())
    }

    /// Takes an answer, unless there is one already; gives what counts.
    pub(super) fn pin(&mut self, name: &HostName, mut addresses: Vec<IpAddr>, now: Instant) -> Vec<IpAddr> {
        if let Some(known) = self.addresses(name, now) {
            return known;
        }
        if self.0.len() >= NAMES && !self.0.contains_key(name) {
            let oldest = self.0.iter().min_by_key(|(_, pin)| pin.until).map(|(name, _)| name.clone());
            self.0.remove(&oldest.expect("there are many"));
        }
        addresses.truncate(ADDRESSES);
        self.0.insert(name.clone(), Pin { addresses: addresses.clone(), until: now + LIFE });
        addresses
    }

    /// The names that stand for an address. An answer that has grown old counts here until there is a newer one: what was
    /// connected to goes on.
    pub(super) fn names(&self, address: IpAddr) -> Vec<HostName> {
        let stands_for = |(_, pin): &(&HostName, &Pin)| pin.addresses.contains(&address);
        self.0.iter().filter(stands_for).map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HostName {
        HostName::parse(text).expect("it is a name")
    }

    fn addresses(last: &[u8]) -> Vec<IpAddr> {
        last.iter().map(|last| IpAddr::from([1, 1, 1, *last])).collect()
    }

    #[test]
    fn the_first_answer_is_the_answer_for_ten_minutes() {
        let (mut pins, start) = (Pins::default(), Instant::now());
        assert_eq!(pins.pin(&name("a"), addresses(&[1, 2]), start), addresses(&[1, 2]));
        let late = start + LIFE - Duration::from_nanos(1);
        assert_eq!(pins.pin(&name("a"), addresses(&[3]), late), addresses(&[1, 2]), "the second is not believed");
        assert_eq!(pins.addresses(&name("a"), late), Some(addresses(&[1, 2])));
        assert_eq!(pins.addresses(&name("b"), late), None);
        assert_eq!(pins.addresses(&name("a"), start + LIFE), None);
        assert_eq!(pins.names(addresses(&[2])[0]), [name("a")], "what was connected to goes on");
        assert_eq!(pins.pin(&name("a"), addresses(&[3]), start + LIFE), addresses(&[3]));
        assert_eq!((pins.names(addresses(&[2])[0]), pins.names(addresses(&[3])[0])), (vec![], vec![name("a")]));
    }

    #[test]
    fn so_many_names_with_so_many_addresses_are_kept() {
        let (mut pins, start) = (Pins::default(), Instant::now());
        let many: Vec<u8> = (0..100).collect();
        for number in 0..NAMES {
            let now = start + Duration::from_millis(number as u64);
            assert_eq!(pins.pin(&name(&format!("n{number}")), addresses(&many), now).len(), ADDRESSES);
        }
        let later = start + Duration::from_secs(1);
        assert_eq!(pins.pin(&name("n0"), addresses(&[1]), later).len(), ADDRESSES, "it is known");
        pins.pin(&name("more"), addresses(&[1]), later);
        assert_eq!(pins.0.len(), NAMES);
        assert_eq!(pins.addresses(&name("n0"), later), None, "the oldest has gone");
        assert!(pins.addresses(&name("n1"), later).is_some());
    }
}
