//! Trees of supervisors, made of the flat form that the contract has, in which supervisors are known by their numbers.
//!
//! Owns what can be wrong with such a list by itself. Whether a guest may have what is in it is decided elsewhere.

use std::sync::Arc;
use std::time::Duration;

use skep_kernel::supervisor::{AutoShutdown, Backoff, ChildSpec, Roster, Shutdown, Strategy, SupervisorSpec};
use skep_kernel::{Body, Name, Refusal};

use super::{Wish, invalid};
use crate::api::bindings::supervision as wit;
use crate::api::bindings::types;
use crate::api::convert;
use crate::api::messaging::too_large;

/// Bytes that a description carries across, for the price of it.
pub(super) fn size(child: &wit::Child) -> usize {
    let process = match &child.start {
        wit::ChildStart::Process(process) => {
            let args = match &process.args {
                types::Body::Raw(bytes) | types::Body::Messagepack(bytes) => bytes.len(),
                types::Body::Json(text) | types::Body::Text(text) => text.len(),
            };
            args + process.module.len() + process.name.as_ref().map_or(0, String::len)
        }
        wit::ChildStart::Supervisor(_) => 0,
    };
    child.id.len() + process
}

pub(super) fn sizes(supervisors: &[wit::Supervisor]) -> usize {
    supervisors.iter().flat_map(|supervisor| &supervisor.children).map(size).sum()
}

/// Makes a tree of the flat form that the contract has.
pub(super) struct Planting {
    /// Each is taken once, by one before it.
    supervisors: Vec<Option<wit::Supervisor>>,
    body_bytes: usize,
}

impl Planting {
    pub(super) fn new(supervisors: Vec<wit::Supervisor>, body_bytes: usize) -> Self {
        Planting { supervisors: supervisors.into_iter().map(Some).collect(), body_bytes }
    }

    /// The supervisor of this number with all beneath it, which have higher numbers.
    pub(super) fn supervisor(&mut self, number: usize) -> Result<SupervisorSpec<Wish>, Refusal> {
        let given = self.supervisors.get_mut(number).and_then(Option::take);
        let given = given.ok_or_else(|| invalid(format!("supervisor {number} is not there, or is used twice")))?;
        let children = given.children.into_iter();
        let children = children.map(|child| self.child(child, number + 1)).collect::<Result<Vec<_>, _>>()?;
        let name = given.name.map(|name| convert::check_name(&name).map(|()| Name::from(name))).transpose();
        let ms = |ms| Duration::from_millis(ms);
        Ok(SupervisorSpec {
            strategy: match given.strategy {
                wit::Strategy::OneForOne => Strategy::OneForOne,
                wit::Strategy::OneForAll => Strategy::OneForAll,
                wit::Strategy::RestForOne => Strategy::RestForOne,
            },
            max_restarts: given.max_restarts,
            max_seconds: given.max_seconds,
            auto_shutdown: match given.auto_shutdown {
                wit::AutoShutdown::Never => AutoShutdown::Never,
                wit::AutoShutdown::AnySignificant => AutoShutdown::AnySignificant,
                wit::AutoShutdown::AllSignificant => AutoShutdown::AllSignificant,
            },
            backoff: given
                .backoff
                .map(|wit::Backoff { first_ms, most_ms }| Backoff { first: ms(first_ms), most: ms(most_ms) }),
            roster: match given.roster {
                wit::Roster::Listed => Roster::Listed,
                wit::Roster::Partitions => Roster::Partitions,
                wit::Roster::Template => Roster::Template,
                wit::Roster::Dynamic(extra) => {
                    Roster::Dynamic { extra_args: extra.map(|extra| self.body(extra)).transpose()? }
                }
            },
            max_children: given.max_children.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX)),
            // What a guest starts counts in the budgets that are above the guest.
            budget: Box::default(),
            name: name.map_err(Refusal::Invalid)?,
            children,
        })
    }

    /// A child; if it is a supervisor, its number is `from` at least.
    pub(super) fn child(&mut self, given: wit::Child, from: usize) -> Result<ChildSpec<Wish>, Refusal> {
        convert::check_name(&given.id).map_err(Refusal::Invalid)?;
        let id = Name::from(given.id);
        let mut spec = match given.start {
            wit::ChildStart::Process(wit::Process { module, args, name }) => {
                convert::check_name(&module).map_err(Refusal::Invalid)?;
                name.as_deref().map_or(Ok(()), convert::check_name).map_err(Refusal::Invalid)?;
                let args = self.body(args)?;
                ChildSpec::worker(id, Wish::Process { module: module.into(), args, name: name.map(Name::from) })
            }
            wit::ChildStart::Supervisor(number) => {
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                if number < from {
                    return Err(invalid(format!("child {id}: supervisor {number} does not come after its own")));
                }
                ChildSpec::supervisor(id, Wish::Supervisor(Arc::new(self.supervisor(number)?)))
            }
        };
        spec.restart = given.restart.into();
        spec.significant = given.significant;
        spec.shutdown = match given.shutdown {
            None => spec.shutdown,
            Some(wit::Shutdown::BrutalKill) => Shutdown::BrutalKill,
            Some(wit::Shutdown::Timeout(ms)) => Shutdown::Timeout(Duration::from_millis(ms)),
            Some(wit::Shutdown::Infinity) => Shutdown::Infinity,
        };
        Ok(spec)
    }

    fn body(&self, body: types::Body) -> Result<Body, Refusal> {
        let body = Body::from(body);
        too_large(&body, self.body_bytes).map_or(Ok(body), |why| Err(Refusal::Limit(why)))
    }

    /// Whoever is in the list is in the tree.
    pub(super) fn done(self) -> Result<(), Refusal> {
        match self.supervisors.iter().position(Option::is_some) {
            Some(number) => Err(invalid(format!("supervisor {number} is a child of none"))),
            None => Ok(()),
        }
    }
}
