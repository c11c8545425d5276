//! Whom a process is linked to. Most have one link, to whoever started them, and a set would weigh more than all else that
//! they keep while they sleep.

use std::collections::BTreeSet;

use crate::Pid;

/// Whom a process is linked to, each once (LINK-02), in the order of their pids.
#[derive(Debug, Default)]
pub(super) enum Links {
    #[default]
    None,
    One(Box<Pid>),
    #[expect(clippy::box_collection, reason = "what has no link would weigh more by the size of a set")]
    Many(Box<BTreeSet<Pid>>),
}

impl Links {
    pub(super) fn len(&self) -> usize {
        match self {
            Links::None => 0,
            Links::One(_) => 1,
            Links::Many(pids) => pids.len(),
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn contains(&self, pid: &Pid) -> bool {
        match self {
            Links::None => false,
            Links::One(one) => **one == *pid,
            Links::Many(pids) => pids.contains(pid),
        }
    }

    pub(super) fn insert(&mut self, pid: Pid) {
        match self {
            Links::None => *self = Links::One(Box::new(pid)),
            Links::One(one) if **one == pid => {}
            Links::One(one) => *self = Links::Many(Box::new(BTreeSet::from([**one, pid]))),
            Links::Many(pids) => {
                pids.insert(pid);
            }
        }
    }

    /// True if there was one.
    pub(super) fn remove(&mut self, pid: &Pid) -> bool {
        let had = self.contains(pid);
        match self {
            Links::Many(pids) if pids.len() > 1 => {
                pids.remove(pid);
            }
            _ if had => *self = Links::None,
            _ => {}
        }
        had
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Pid> {
        let (one, many) = match self {
            Links::None => (None, None),
            Links::One(one) => (Some(&**one), None),
            Links::Many(pids) => (None, Some(pids.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbered(id: u64) -> Pid {
        Pid { node: 0, id, tag: 7 }
    }

    proptest! {
        #[test]
        fn is_a_set(steps in prop::collection::vec((any::<bool>(), 0..4u64), 0..24)) {
            let (mut links, mut set) = (Links::default(), BTreeSet::new());
            for (adds, id) in steps {
                let pid = numbered(id);
                if adds {
                    links.insert(pid);
                    set.insert(pid);
                } else {
                    prop_assert_eq!(links.remove(&pid), set.remove(&pid));
                }
                prop_assert!(links.iter().eq(&set) && links.len() == set.len() && links.is_empty() == set.is_empty());
                let same = (0..4).map(numbered).all(|pid| links.contains(&pid) == set.contains(&pid));
                prop_assert!(same);
            }
        }
    }

    #[test]
    fn one_link_is_little() {
        assert_eq!(std::mem::size_of::<Links>(), 16);
    }
}
