//! What handlers return.
//!
//! Owns the grammar of outcomes: a reply or none, then one thing to do next. Never talks to the host: `run` turns an
//! outcome into the contract's form.

use std::fmt::Display;
use std::time::Duration;

use crate::codec::Never;
use crate::types::ExitReason;

/// What a handler returns: a reply of type `R` or none, and what comes next, where `C` is what the server may tell
/// itself with [`then_continue`](Outcome::then_continue).
///
/// ```
/// # use skep_sdk::prelude::*;
/// # use std::time::Duration;
/// let answered: Outcome<i64> = reply(7);
/// let hurried: Outcome<i64, String> = reply(7).then_continue("tidy up".to_owned());
/// let quiet: Outcome = noreply().idle_after(Duration::from_secs(60));
/// let last: Outcome<i64> = reply(7).stop(ExitReason::Normal);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a handler has to return its outcome"]
pub struct Outcome<R = Never, C = Never> {
    pub(crate) reply: Option<R>,
    pub(crate) then: Then<C>,
}

/// What comes next. One thing only, as in OTP: the last modifier counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Then<C> {
    Wait,
    Idle(Duration),
    Hibernate,
    Continue(C),
    Stop(ExitReason),
    Fail(String),
}

/// Answers the call and waits for the next event.
pub fn reply<R, C>(reply: R) -> Outcome<R, C> {
    Outcome { reply: Some(reply), then: Then::Wait }
}

/// Waits for the next event. A call stays open, and is answered later with the [`From`](crate::From) that came with it.
pub fn noreply<R, C>() -> Outcome<R, C> {
    Outcome { reply: None, then: Then::Wait }
}

/// Ends the process with [`ExitReason::Failed`] and this text, after `terminate`. Cheaper than a panic, which ruins the
/// instance.
pub fn fail<R, C>(why: impl Display) -> Outcome<R, C> {
    Outcome { reply: None, then: Then::Fail(why.to_string()) }
}

impl<R, C> Outcome<R, C> {
    fn then(self, then: Then<C>) -> Outcome<R, C> {
        Outcome { then, ..self }
    }

    /// Runs `handle_continue` with this, before anything that is queued.
    pub fn then_continue(self, step: C) -> Outcome<R, C> {
        self.then(Then::Continue(step))
    }

    /// Runs `handle_idle` if nothing comes for so long. Whatever does come calls it off.
    pub fn idle_after(self, quiet: Duration) -> Outcome<R, C> {
        self.then(Then::Idle(quiet))
    }

    /// Gives the instance back at once; the state is saved, and restored when something comes.
    pub fn hibernate(self) -> Outcome<R, C> {
        self.then(Then::Hibernate)
    }

    /// Runs `terminate`, then ends the process with this reason.
    pub fn stop(self, reason: ExitReason) -> Outcome<R, C> {
        self.then(Then::Stop(reason))
    }
}

/// What `init` returns: the server, or why there is none. `?` turns any error that can be shown into a failure.
pub type Start<S> = Result<S, NotStarted>;

/// Why `init` made no server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotStarted {
    /// Nothing is wrong, but there is nothing to do: the process ends without a fault.
    Ignore,
    /// For this reason.
    Stop(ExitReason),
    /// `init` failed: [`ExitReason::Failed`] with this text.
    Failed(String),
}

impl<E: Display> From<E> for NotStarted {
    fn from(error: E) -> NotStarted {
        NotStarted::Failed(error.to_string())
    }
}

/// A text saying what went wrong; `?` makes one of any error that can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.to_string())
    }
}
