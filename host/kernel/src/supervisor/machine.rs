//! A supervisor of either kind: one whose children are listed, or one whose children come and go.
//!
//! Owns nothing but the choice. What runs supervisors holds one of these and need not know which.

use crate::budget::BudgetSpec;
use crate::{Pid, Time};

use super::Supervisor;
use super::dynamic::DynamicSupervisor;
use super::partitions::RouteError;
use super::protocol::{ChildStatus, ChildView, Counts, Input, Order};
use super::spec::{ChildSpec, Roster, SpecError, SupervisorSpec};

/// A supervisor of either kind.
#[derive(Debug)]
pub enum Machine<S, A> {
    /// Its children are listed.
    Listed(Box<Supervisor<S, A>>),
    /// Its children come and go.
    Dynamic(Box<DynamicSupervisor<S, A>>),
}

impl<S: Clone, A> Machine<S, A> {
    /// The supervisor that this spec describes; it has not begun.
    pub fn new(spec: SupervisorSpec<S>) -> Result<Self, SpecError> {
        if spec.roster.is_dynamic() {
            DynamicSupervisor::new(spec).map(|machine| Machine::Dynamic(Box::new(machine)))
        } else {
            Supervisor::new(spec).map(|machine| Machine::Listed(Box::new(machine)))
        }
    }

    /// What all below it may use together.
    #[must_use]
    pub fn budget(&self) -> &BudgetSpec {
        match self {
            Machine::Listed(machine) => machine.budget(),
            Machine::Dynamic(machine) => machine.budget(),
        }
    }

    /// Takes one input and adds what is to be done to `out`. `now` does not go back from call to call.
    pub fn step(&mut self, input: Input<S, A>, now: Time, out: &mut Vec<Order<S, A>>) {
        match self {
            Machine::Listed(machine) => machine.step(input, now, out),
            Machine::Dynamic(machine) => machine.step(input, now, out),
        }
    }

    /// The children in start order, each with what its next start is made from, unless that was not kept.
    #[must_use]
    pub fn children(&self) -> Vec<(ChildView, Option<S>)> {
        match self {
            Machine::Listed(machine) => {
                let starts = machine.specs().map(|child| Some(child.start.clone()));
                machine.view().into_iter().zip(starts).collect()
            }
            Machine::Dynamic(machine) => machine.children(),
        }
    }

    /// The children in start order, for listings.
    #[must_use]
    pub fn view(&self) -> Vec<ChildView> {
        match self {
            Machine::Listed(machine) => machine.view(),
            Machine::Dynamic(machine) => machine.view(),
        }
    }

    /// How many restarts there have been, failed tries included.
    #[must_use]
    pub fn restarts_total(&self) -> u64 {
        match self {
            Machine::Listed(machine) => machine.restarts_total(),
            Machine::Dynamic(machine) => machine.restarts_total(),
        }
    }

    /// How a listed child is doing.
    #[must_use]
    pub fn status(&self, id: &str) -> Option<ChildStatus> {
        match self {
            Machine::Listed(machine) => machine.status(id),
            Machine::Dynamic(_) => None,
        }
    }

    /// How many children there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        match self {
            Machine::Listed(machine) => machine.counts(),
            Machine::Dynamic(machine) => machine.counts(),
        }
    }

    /// Where its children come from.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        match self {
            Machine::Listed(machine) => &machine.roster,
            Machine::Dynamic(machine) => machine.roster(),
        }
    }

    /// What all its children are made from, if they are.
    #[must_use]
    pub fn template(&self) -> Option<&ChildSpec<S>> {
        match self {
            Machine::Listed(_) => None,
            Machine::Dynamic(machine) => machine.template(),
        }
    }

    /// The process that a key leads to.
    pub fn route(&self, key: &[u8]) -> Result<Pid, RouteError> {
        match self {
            Machine::Listed(machine) => machine.route(key),
            Machine::Dynamic(_) => Err(RouteError::NotPartitioned),
        }
    }

    /// How many partitions are in use, of how many.
    #[must_use]
    pub fn partitions(&self) -> Option<(usize, usize)> {
        match self {
            Machine::Listed(machine) => machine.partitions(),
            Machine::Dynamic(_) => None,
        }
    }
}
