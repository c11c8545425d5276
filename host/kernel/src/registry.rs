//! Names of processes: who holds which.
//!
//! Owns one shard of the names of one app. Never knows whether a holder lives: whoever ends a process releases its
//! name. That a process has at most one name is kept by [`crate::Process`].

use std::collections::HashMap;

use crate::{Name, Pid};

/// Bytes that a name may have at most.
pub const NAME_BYTES: usize = 255;

/// The name is held by this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken(pub Pid);

/// Whether a text can be a name; the error says what is wrong with it.
pub fn valid_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("a name cannot be empty")
    } else if name.len() > NAME_BYTES {
        Err("a name has at most 255 bytes")
    } else if name.chars().any(char::is_control) {
        Err("a name has no control characters")
    } else {
        Ok(())
    }
}

/// A map from names to processes.
#[derive(Debug, Default)]
pub struct Registry {
    holders: HashMap<Name, Pid>,
}

impl Registry {
    /// Gives `name` to `pid`, unless anybody holds it, be it `pid` itself (REG-02).
    pub fn register(&mut self, name: Name, pid: Pid) -> Result<(), Taken> {
        match self.whereis(&name) {
            Some(holder) => Err(Taken(holder)),
            None => {
                self.holders.insert(name, pid);
                Ok(())
            }
        }
    }

    /// Who holds the name.
    #[must_use]
    pub fn whereis(&self, name: &str) -> Option<Pid> {
        self.holders.get(name).copied()
    }

    /// Takes the name from `pid`; false if that process does not hold it, and then nothing changes.
    pub fn unregister(&mut self, name: &str, pid: Pid) -> bool {
        let held = self.whereis(name) == Some(pid);
        if held {
            self.holders.remove(name);
        }
        held
    }

    /// Takes the name from `pid`, which has ended (REG-01). Whoever holds it by now keeps it.
    pub fn release(&mut self, name: &str, pid: Pid) {
        self.unregister(name, pid);
    }

    /// How many names are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.holders.len()
    }

    /// Whether no name is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }

    /// All names with their holders, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, Pid)> {
        self.holders.iter().map(|(name, &pid)| (name, pid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(id: u64) -> Pid {
        Pid { node: 0, id, tag: id * 7 }
    }

    #[test]
    fn reg_01_a_name_is_found_until_it_is_given_back_or_its_holder_ends() {
        let mut names = Registry::default();
        assert!(names.is_empty());
        assert_eq!(names.whereis("a"), None);
        assert_eq!(names.register("a".into(), pid(1)), Ok(()));
        assert_eq!(names.register("b".into(), pid(2)), Ok(()));
        assert_eq!((names.whereis("a"), names.whereis("b"), names.len()), (Some(pid(1)), Some(pid(2)), 2));
        let mut all: Vec<_> = names.iter().map(|(name, pid)| (name.to_string(), pid)).collect();
        all.sort();
        assert_eq!(all, [("a".to_string(), pid(1)), ("b".to_string(), pid(2))]);
        assert!(names.unregister("a", pid(1)));
        assert!(!names.unregister("a", pid(1)));
        names.release("b", pid(2));
        assert_eq!((names.whereis("a"), names.whereis("b"), names.is_empty()), (None, None, true));
    }

    #[test]
    fn reg_02_a_taken_name_is_refused_and_its_holder_untouched() {
        let mut names = Registry::default();
        assert_eq!(names.register("a".into(), pid(1)), Ok(()));
        assert_eq!(names.register("a".into(), pid(2)), Err(Taken(pid(1))));
        assert_eq!(names.register("a".into(), pid(1)), Err(Taken(pid(1))));
        assert_eq!((names.whereis("a"), names.len(), names.is_empty()), (Some(pid(1)), 1, false));
    }

    #[test]
    fn only_the_holder_gives_a_name_back() {
        let mut names = Registry::default();
        assert_eq!(names.register("a".into(), pid(1)), Ok(()));
        assert!(!names.unregister("a", pid(2)));
        names.release("a", pid(2));
        assert_eq!(names.whereis("a"), Some(pid(1)));
        // The same process under another tag is a guess, not the holder.
        assert!(!names.unregister("a", Pid { tag: 0, ..pid(1) }));
    }

    #[test]
    fn reg_04_a_name_that_moves_on_is_never_stale() {
        let mut names = Registry::default();
        let name = Name::from("a");
        for id in 0..1_000_000 {
            assert_eq!(names.register(name.clone(), pid(id)), Ok(()));
            assert_eq!(names.whereis("a"), Some(pid(id)));
            names.release("a", pid(id));
            assert_eq!(names.whereis("a"), None);
        }
        assert!(names.is_empty() && names.holders.capacity() < 100, "what is gone leaves nothing");
    }

    #[test]
    fn names_are_short_visible_text() {
        for good in ["a", "Ünïcode name", "app/worker-1", &"x".repeat(255)] {
            assert_eq!(valid_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a\nb", "\u{7f}", "\u{85}", "\0", &"x".repeat(256), &"ü".repeat(128)] {
            assert!(valid_name(bad).is_err(), "{bad:?}");
        }
    }
}
