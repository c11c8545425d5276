//! Names of processes: who holds which.
//!
//! Owns one shard of the names of one app. Never knows whether a holder lives: whoever ends a process releases its
//! name. That a process has at most one name is kept by [`crate::Process`]. A process that lives already is given one in
//! three steps, so that nobody finds one that has ended: the name is claimed, the process takes it, the claim is confirmed.

use std::collections::{BTreeSet, HashMap};

use crate::{Name, Pid};

/// Bytes that a name may have at most.
pub const NAME_BYTES: usize = 255;

/// The name is held by this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken(pub Pid);

/// What a name of another app begins with: `//shop/stock` is `stock` of the app `shop`.
const ABROAD: &str = "//";

/// The app and the name in it, if a name is meant for another app.
#[must_use]
pub fn foreign(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(ABROAD).map(|rest| rest.split_once('/').unwrap_or((rest, "")))
}

/// Whether a text can be a name; the error says what is wrong with it.
pub fn valid_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("a name cannot be empty")
    } else if name.len() > NAME_BYTES {
        Err("a name has at most 255 bytes")
    } else if name.chars().any(char::is_control) {
        Err("a name has no control characters")
    } else if name.starts_with(ABROAD) {
        Err("a name does not begin with //, which leads to another app")
    } else {
        Ok(())
    }
}

/// A map from names to processes.
#[derive(Debug, Default)]
pub struct Registry {
    holders: HashMap<Name, Pid>,
    /// Of names that are about to be given. Several may be after the same one, and none of them keeps others from it.
    claims: BTreeSet<(Name, Pid)>,
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

    /// First step of giving a name to a process that may end meanwhile. Nobody finds it yet; [`Registry::confirm`] is the
    /// last step, and [`Registry::release`] takes the claim back.
    pub fn claim(&mut self, name: Name, pid: Pid) -> Result<(), Taken> {
        match self.whereis(&name) {
            Some(holder) => Err(Taken(holder)),
            None => {
                self.claims.insert((name, pid));
                Ok(())
            }
        }
    }

    /// The process has taken the name that was claimed for it: from now on it is found. False if the claim was released
    /// meanwhile: the process has ended, or given the name up. An error if another was quicker.
    pub fn confirm(&mut self, name: Name, pid: Pid) -> Result<bool, Taken> {
        let is_claimed = self.claims.remove(&(Name::clone(&name), pid));
        if is_claimed { self.register(name, pid).map(|()| true) } else { Ok(false) }
    }

    /// Takes the name, or a claim to it, from `pid`, which has ended (REG-01) or does not take it. Whoever holds it by now
    /// keeps it.
    pub fn release(&mut self, name: &str, pid: Pid) {
        self.unregister(name, pid);
        if !self.claims.is_empty() {
            self.claims.remove(&(Name::from(name), pid));
        }
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
    fn names_of_other_apps_lead_there_and_are_nobodys_here() {
        for (name, leads) in [
            ("stock", None),
            ("/stock", None),
            ("shop//stock", None),
            ("//shop/stock", Some(("shop", "stock"))),
            ("//shop/a/b", Some(("shop", "a/b"))),
            ("//shop", Some(("shop", ""))),
            ("//", Some(("", ""))),
        ] {
            assert_eq!(foreign(name), leads, "{name}");
            assert_eq!(valid_name(name).is_ok(), leads.is_none(), "{name}");
        }
    }

    /// What two threads do that give processes 1 and 2 the same name, and a third that ends process 1.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Act {
        Claim(usize),
        Take(usize),
        Confirm(usize),
        Vanish,
        Release,
    }

    /// Every order in which the threads' acts may come.
    fn orders(threads: &[&[Act]]) -> Vec<Vec<Act>> {
        if threads.iter().all(|thread| thread.is_empty()) {
            return vec![Vec::new()];
        }
        let mut all = Vec::new();
        for (place, thread) in threads.iter().enumerate() {
            let Some((first, rest)) = thread.split_first() else { continue };
            let mut left = threads.to_vec();
            left[place] = rest;
            all.extend(orders(&left).into_iter().map(|order| [&[*first], &order[..]].concat()));
        }
        all
    }

    #[test]
    fn proc_09_nobody_finds_a_process_that_has_ended_under_a_name_that_it_was_being_given() {
        let name = || Name::from("x");
        let giving = |who| [Act::Claim(who), Act::Take(who), Act::Confirm(who)];
        let (first, second) = (giving(1), giving(2));
        let orders = orders(&[&first, &second, &[Act::Vanish, Act::Release]]);
        assert_eq!(orders.len(), 560);
        for order in orders {
            let mut names = Registry::default();
            // Whether each lives, and has taken the name; whether whoever gives it goes on.
            let (mut lives, mut named, mut on) = ([true; 3], [false; 3], [true; 3]);
            let mut released = false;
            for act in &order {
                match *act {
                    Act::Claim(who) if on[who] => on[who] = names.claim(name(), pid(who as u64)).is_ok(),
                    Act::Take(who) if on[who] && lives[who] => named[who] = true,
                    Act::Take(who) if on[who] => {
                        names.release("x", pid(who as u64));
                        on[who] = false;
                    }
                    Act::Confirm(who) if on[who] => {
                        let confirmed = names.confirm(name(), pid(who as u64));
                        assert!(confirmed.is_ok() || lives[2], "{order:?}");
                        on[who] = confirmed == Ok(true);
                    }
                    Act::Vanish => lives[1] = false,
                    // What its end has it perform: it gives up the name that it had taken.
                    Act::Release => {
                        released = true;
                        if named[1] {
                            names.release("x", pid(1));
                        }
                    }
                    Act::Claim(_) | Act::Take(_) | Act::Confirm(_) => {}
                }
                assert!(!released || names.whereis("x") != Some(pid(1)), "found after its end: {order:?}");
            }
            // One of the two has it, and only the one whose process lives; nothing is left of the other's claim.
            let expected = on[2].then_some(pid(2));
            assert_eq!(names.whereis("x"), expected, "{order:?}");
            assert!(names.claims.is_empty(), "{order:?}");
        }
    }

    #[test]
    fn reg_02_a_claim_keeps_nobody_from_a_name() {
        let mut names = Registry::default();
        assert_eq!(names.claim("a".into(), pid(1)), Ok(()));
        assert_eq!((names.whereis("a"), names.len()), (None, 0));
        assert_eq!(names.register("a".into(), pid(2)), Ok(()));
        assert_eq!(names.claim("a".into(), pid(3)), Err(Taken(pid(2))));
        assert_eq!(names.confirm("a".into(), pid(1)), Err(Taken(pid(2))));
        names.release("a", pid(2));
        assert_eq!(names.confirm("a".into(), pid(1)), Ok(false), "its claim is over");
        assert_eq!(names.claim("a".into(), pid(1)), Ok(()));
        assert_eq!(names.confirm("a".into(), pid(1)), Ok(true));
        assert_eq!(names.whereis("a"), Some(pid(1)));
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
