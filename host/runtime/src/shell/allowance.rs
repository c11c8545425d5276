//! What guests may let supervisors hold: so many supervisors, so many children, so many bytes of arguments.
//!
//! Owns the counts. What is counted gives itself back when it is dropped: a supervisor with its process, a child with the
//! last that knows how to start it. Never decides what follows from a refusal.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use skep_kernel::supervisor::{ChildSpec, SupervisorSpec};
use skep_kernel::{Limits, Refusal};

use crate::spec::Blueprint;

/// Bytes of arguments that guests may let one declared supervisor hold for restarts.
const DECLARED_BYTES: usize = 64 << 20;

/// A count with an end.
struct Count {
    used: AtomicUsize,
    most: usize,
    what: &'static str,
}

impl Count {
    fn new(most: usize, what: &'static str) -> Self {
        Count { used: AtomicUsize::new(0), most, what }
    }

    fn take(&self, many: usize) -> Result<(), Refusal> {
        let taken = self.used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
            used.checked_add(many).filter(|sum| *sum <= self.most)
        });
        taken.map(|_| ()).map_err(|_| Refusal::Limit(self.what.into()))
    }

    fn give(&self, many: usize) {
        self.used.fetch_sub(many, Ordering::SeqCst);
    }
}

/// What one guest may let its supervisors hold, or all guests together one declared supervisor.
pub(crate) struct Allowance {
    supervisors: Count,
    children: Count,
    bytes: Count,
}

impl Allowance {
    /// Of a guest with these limits.
    pub(crate) fn of_guest(limits: &Limits) -> Arc<Self> {
        Arc::new(Allowance {
            supervisors: Count::new(limits.supervisors, "supervisors"),
            children: Count::new(limits.children, "children"),
            // Arguments that wait for a restart are like mail that waits.
            bytes: Count::new(limits.mailbox_bytes, "mailbox_bytes, for the arguments of children"),
        })
    }

    /// Of a supervisor that the app declares, and that bounds its children itself.
    pub(crate) fn of_declared() -> Arc<Self> {
        Arc::new(Allowance {
            supervisors: Count::new(usize::MAX, "supervisors"),
            children: Count::new(usize::MAX, "children"),
            bytes: Count::new(DECLARED_BYTES, "bytes of arguments in this supervisor"),
        })
    }

    /// Room for one supervisor.
    pub(crate) fn supervisor(self: &Arc<Self>) -> Result<Permit, Refusal> {
        self.supervisors.take(1).map(|()| Permit(Arc::clone(self)))
    }

    /// Counts a child, and whatever comes with it.
    pub(crate) fn charge(self: &Arc<Self>, child: &mut ChildSpec<Blueprint>) -> Result<(), Refusal> {
        match &mut child.start {
            Blueprint::Process(process) => {
                let bytes = process.args.len();
                let charge = self.child(bytes)?;
                Arc::make_mut(process).charge = Some(Charge(Some(Arc::new(charge))));
                Ok(())
            }
            Blueprint::Supervisor(nested) => self.charge_all(Arc::make_mut(nested)),
        }
    }

    /// Counts all children of a tree.
    pub(crate) fn charge_all(self: &Arc<Self>, tree: &mut SupervisorSpec<Blueprint>) -> Result<(), Refusal> {
        tree.children.iter_mut().try_for_each(|child| self.charge(child))
    }

    fn child(self: &Arc<Self>, bytes: usize) -> Result<Held, Refusal> {
        self.children.take(1)?;
        self.bytes.take(bytes).inspect_err(|_| self.children.give(1))?;
        Ok(Held { allowance: Arc::clone(self), bytes })
    }
}

impl fmt::Debug for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Allowance")
    }
}

/// One supervisor that counts.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Allowance>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.supervisors.give(1);
    }
}

#[derive(Debug)]
struct Held {
    allowance: Arc<Allowance>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.allowance.children.give(1);
        self.allowance.bytes.give(self.bytes);
    }
}

/// What a child counts against, for as long as anybody knows how to start it. Made by the runtime alone; nothing about how
/// a process is made depends on it, so all are equal.
#[derive(Clone, Debug, Default)]
pub struct Charge(#[allow(dead_code, reason = "it is held to be dropped")] Option<Arc<Held>>);

impl PartialEq for Charge {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_given_back() {
        let limits = Limits { supervisors: 1, children: 2, mailbox_bytes: 10, ..Limits::default() };
        let allowance = Allowance::of_guest(&limits);
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
}
