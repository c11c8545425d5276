//! Many requests at once, and which answer belongs to which: OTP's collections of request ids.
//!
//! Owns the marks of those that are open, each with a label of the author's. Never sends: [`Ref::request`](crate::Ref::request)
//! does. Lives in a state like any value; a server asks it in `handle_answer`, a task waits with it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::codec::Message;
use crate::context::Context;
use crate::reference::Pending;
use crate::task::TaskContext;
use crate::types::{Answer, CallError, Event, Mark};

/// Requests that are open, each with a label.
///
/// ```
/// use skep_sdk::prelude::*;
/// # use std::collections::BTreeMap;
/// # pub struct Shop;
/// # impl Protocol for Shop {
/// #     type Args = ();
/// #     type Call = String;
/// #     type Reply = u64;
/// #     type Cast = Never;
/// #     type Info = Never;
/// # }
///
/// /// Asks every shop for the price, and takes the lowest of those that are named within a second.
/// fn lowest(shops: &[Ref<Shop>], thing: &str, context: &TaskContext) -> Option<u64> {
///     let mut open = Requests::new();
///     for (number, shop) in shops.iter().enumerate() {
///         open.add(shop.request(context, thing.to_owned(), None), number);
///     }
///     let mut lowest = None;
///     while let Some((_, answer)) = open.receive(context, std::time::Duration::from_secs(1)) {
///         lowest = lowest.into_iter().chain(answer).min();
///     }
///     lowest
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "L: Serialize", deserialize = "L: Deserialize<'de>"))]
pub struct Requests<R, L = ()> {
    open: Vec<(Pending<R>, L)>,
}

impl<R, L> Default for Requests<R, L> {
    fn default() -> Requests<R, L> {
        Requests { open: Vec::new() }
    }
}

impl<R, L> Requests<R, L> {
    /// None.
    pub fn new() -> Requests<R, L> {
        Requests::default()
    }

    /// One more, with this label.
    pub fn add(&mut self, request: Pending<R>, label: L) {
        self.open.push((request, label));
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Those that are open, with their labels.
    pub fn iter(&self) -> impl Iterator<Item = (&Pending<R>, &L)> {
        self.open.iter().map(|(request, label)| (request, label))
    }

    /// Gives all of them up.
    pub fn abandon(&mut self, context: &Context) {
        for (request, _) in self.open.drain(..) {
            context.abandon(&request);
        }
    }
}

impl<R: Message, L> Requests<R, L> {
    /// For `handle_answer`: which of them is answered, and how; it is open no longer. `None` if the answer is to none.
    pub fn answered(&mut self, answer: &Answer) -> Option<(L, Result<R, CallError>)> {
        let place = self.open.iter().position(|(request, _)| request.mark() == answer.mark)?;
        let (request, label) = self.open.remove(place);
        Some((label, answer.of(&request)?))
    }

    /// The next answer to any of them; `None` when the time is up or none is open. Those without an answer stay open.
    pub fn wait(
        &mut self,
        context: &TaskContext,
        timeout: impl Into<Option<Duration>>,
    ) -> Option<(L, Result<R, CallError>)> {
        if self.is_empty() {
            return None;
        }
        let marks: Vec<Mark> = self.open.iter().map(|(request, _)| request.mark()).collect();
        match context.receive_only(&marks, timeout)? {
            Event::Answer(answer) => self.answered(&answer),
            _ => None,
        }
    }

    /// As [`wait`](Requests::wait), but when the time is up all that are open are given up: later answers go nowhere.
    pub fn receive(
        &mut self,
        context: &TaskContext,
        timeout: impl Into<Option<Duration>>,
    ) -> Option<(L, Result<R, CallError>)> {
        let answer = self.wait(context, timeout);
        if answer.is_none() {
            self.abandon(context);
        }
        answer
    }
}
