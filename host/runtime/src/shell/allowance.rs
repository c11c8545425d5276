//! What guests may let supervisors hold, and have spawned: so many supervisors, so many children, so many bytes of arguments,
//! so many processes of a module.
//!
//! Owns the counts. What is counted gives itself back when it is dropped: a supervisor with its process, a child with the
//! last that knows how to start it. Never decides what follows from a refusal.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use skep_kernel::supervisor::{ChildSpec, SupervisorSpec};
use skep_kernel::{Limits, Name, Refusal};

use crate::spec::{Blueprint, Grants};

/// Bytes of arguments that guests may let one declared supervisor hold for restarts.
const DECLARED_BYTES: usize = 64 << 20;

/// A count with an end.
#[derive(Debug)]
struct Count {
    used: AtomicUsize,
    most: usize,
    what: &'static str,
}

impl Count {
    fn new(most: usize, what: &'static str) -> Arc<Self> {
        Arc::new(Count { used: AtomicUsize::new(0), most, what })
    }

    fn take(self: &Arc<Self>, many: usize) -> Result<Held, Refusal> {
        let taken = self.used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
            used.checked_add(many).filter(|sum| *sum <= self.most)
        });
        match taken {
            Ok(_) => Ok(Held { count: Arc::clone(self), many }),
            Err(_) => Err(Refusal::Limit(self.what.into())),
        }
    }
}

/// So many of a count, which are given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    count: Arc<Count>,
    many: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.count.used.fetch_sub(self.many, Ordering::SeqCst);
    }
}

/// What one guest may let its supervisors hold and have spawned, or all guests together one declared supervisor.
pub(crate) struct Allowance {
    supervisors: Arc<Count>,
    children: Arc<Count>,
    bytes: Arc<Count>,
    /// Of the modules whose processes are counted.
    spawned: Vec<(Name, Arc<Count>)>,
}

impl Allowance {
    /// Of a guest with these limits and grants.
    pub(crate) fn of_guest(limits: &Limits, grants: &Grants) -> Arc<Self> {
        let counted = grants.spawn.iter().filter(|grant| grant.most < usize::MAX);
        Arc::new(Allowance {
            supervisors: Count::new(limits.supervisors, "supervisors"),
            children: Count::new(limits.children, "children"),
            // Arguments that wait for a restart are like mail that waits.
            bytes: Count::new(limits.mailbox_bytes, "mailbox_bytes, for the arguments of children"),
            spawned: counted
                .map(|grant| (Arc::clone(&grant.module), Count::new(grant.most, "processes of this module")))
                .collect(),
        })
    }

    /// Of a supervisor that the app declares, and that bounds its children itself.
    pub(crate) fn of_declared() -> Arc<Self> {
        Arc::new(Allowance {
            supervisors: Count::new(usize::MAX, "supervisors"),
            children: Count::new(usize::MAX, "children"),
            bytes: Count::new(DECLARED_BYTES, "bytes of arguments in this supervisor"),
            spawned: Vec::new(),
        })
    }

    /// Room for one supervisor.
    pub(crate) fn supervisor(&self) -> Result<Held, Refusal> {
        self.supervisors.take(1)
    }

    /// Room for one process of a module, where these are counted.
    pub(crate) fn spawned(&self, module: &str) -> Result<Charge, Refusal> {
        match self.spawned.iter().find(|(counted, _)| &**counted == module) {
            Some((_, count)) => Ok(Charge(vec![Arc::new(count.take(1)?)])),
            None => Ok(Charge::default()),
        }
    }

    /// Counts a child, and whatever comes with it.
    pub(crate) fn charge(&self, child: &mut ChildSpec<Blueprint>) -> Result<(), Refusal> {
        match &mut child.start {
            Blueprint::Process(process) => {
                let (one, bytes) = self.child(process.args.len())?;
                Arc::make_mut(process).charge.0.extend([Arc::new(one), Arc::new(bytes)]);
                Ok(())
            }
            Blueprint::Supervisor(nested) => self.charge_all(Arc::make_mut(nested)),
        }
    }

    /// Counts all children of a tree.
    pub(crate) fn charge_all(&self, tree: &mut SupervisorSpec<Blueprint>) -> Result<(), Refusal> {
        tree.children.iter_mut().try_for_each(|child| self.charge(child))
    }

    fn child(&self, bytes: usize) -> Result<(Held, Held), Refusal> {
        Ok((self.children.take(1)?, self.bytes.take(bytes)?))
    }
}

impl fmt::Debug for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Allowance")
    }
}

/// What a process counts against, for as long as anybody knows how to start it. Made by the runtime alone; nothing about how
/// a process is made depends on it, so all are equal.
#[derive(Clone, Debug, Default)]
pub struct Charge(Vec<Arc<Held>>);

impl Charge {
    /// Whether it counts nowhere.
    pub(super) fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Charge {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::SpawnGrant;

    #[test]
    fn what_is_dropped_is_given_back() {
        let limits = Limits { supervisors: 1, children: 2, mailbox_bytes: 10, ..Limits::default() };
        let allowance = Allowance::of_guest(&limits, &Grants::default());
        let permit = allowance.supervisor().expect("there is room");
        assert_eq!(allowance.supervisor().expect_err("it is the second"), Refusal::Limit("supervisors".into()));
        drop(permit);
        assert!(allowance.supervisor().is_ok());

        let large = allowance.child(8).expect("there is room");
        let refused = allowance.child(3).expect_err("they are too large together");
        assert!(matches!(refused, Refusal::Limit(what) if what.contains("arguments")));
        let small = allowance.child(2).expect("what was refused was not counted");
        assert_eq!(allowance.child(0).expect_err("it is the third"), Refusal::Limit("children".into()));
        drop((large, small));
        assert!(allowance.child(10).is_ok());
    }

    #[test]
    fn processes_of_a_module_are_counted_where_a_grant_says_how_many() {
        let spawn = vec![SpawnGrant { module: "few".into(), most: 2 }, SpawnGrant::any("many")];
        let allowance = Allowance::of_guest(&Limits::default(), &Grants { spawn, ..Grants::default() });
        let first = allowance.spawned("few").expect("there is room");
        let held = [first.clone(), allowance.spawned("few").expect("there is room")];
        drop(first);
        let refused = allowance.spawned("few").expect_err("the first is still known");
        assert_eq!(refused, Refusal::Limit("processes of this module".into()));
        assert!((0..100).all(|_| allowance.spawned("many").is_ok()));
        drop(held);
        assert!(allowance.spawned("few").is_ok());
    }
}
