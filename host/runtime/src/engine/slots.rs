//! How many instances of the small class a machine has room for.
//!
//! Owns the bounds that come from outside, each with what it is reckoned from, so that whoever asks for too many can be told
//! what stands in the way. Asked before an engine is made; the engine itself takes what it is given.

use super::config::{MAPPINGS, mappings_allowed};

/// Memory mappings that are left for all that is no instance: code, heaps, threads, large instances.
const OTHER_MAPPINGS: u32 = 2_000;
/// Bytes of memory that a small instance holds on the average, of a guest with little state.
const RESIDENT: u64 = 25 << 10;

/// What a machine has room for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Most {
    /// So many instances.
    pub slots: u32,
    /// More would need more of this.
    pub bound: Bound,
}

/// What bounds the number of instances.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// Memory mappings of one program: `vm.max_map_count`.
    Mappings {
        /// So many there may be.
        allowed: u32,
        /// So many an instance takes at most.
        each: u32,
    },
    /// Memory, of this machine or of the group of processes that this one is in.
    Memory {
        /// Bytes there are; instances may have half of them.
        bytes: u64,
        /// Bytes that an instance holds on the average.
        each: u64,
    },
}

impl Most {
    /// What this machine has room for, as it is set up now.
    #[must_use]
    pub fn here() -> Self {
        Most::of(mappings_allowed(), memory())
    }

    fn of(mappings: u32, memory: Option<u64>) -> Self {
        let by_mappings = Most {
            slots: (mappings.saturating_sub(OTHER_MAPPINGS) / MAPPINGS).max(1),
            bound: Bound::Mappings { allowed: mappings, each: MAPPINGS },
        };
        let Some(bytes) = memory else { return by_mappings };
        let slots = u32::try_from(bytes / 2 / RESIDENT).unwrap_or(u32::MAX).max(1);
        let by_memory = Most { slots, bound: Bound::Memory { bytes, each: RESIDENT } };
        if by_memory.slots < by_mappings.slots { by_memory } else { by_mappings }
    }
}

/// Bytes of memory that there are; none on a system that does not say.
fn memory() -> Option<u64> {
    let read = |path| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| total(&text));
    // Without a bound it says `max`.
    let group = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(group).min()
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_less_of_bounds() {
        let most = Most::of(65_530, Some(24 << 30));
        assert_eq!(most, Most { slots: 7_941, bound: Bound::Mappings { allowed: 65_530, each: MAPPINGS } });
        let most = Most::of(65_530, Some(100 << 20));
        assert_eq!(most, Most { slots: 2_048, bound: Bound::Memory { bytes: 100 << 20, each: RESIDENT } });
        assert_eq!(Most::of(1_000_000, None).slots, 124_750);
        assert_eq!((Most::of(0, Some(0)).slots, Most::of(10, None).slots), (1, 1), "one there always is");
    }

    #[test]
    fn memory_is_read_as_linux_writes_it() {
        assert_eq!(total("MemTotal:       24683848 kB\nMemFree:  1 kB\n"), Some(24_683_848 << 10));
        assert_eq!((total("MemTotal: much\n"), total("")), (None, None));
        assert!(Most::here().slots >= 1);
    }
}
