//! Calls in a circle: processes that wait for each other for ever are found, and one of them is told.
//!
//! A request that reaches a process which itself stands still in a call may have closed a circle. Then a search goes, as a
//! signal, from each process that stands still to the one it waits for, as long as each owes the one before it an answer
//! that nobody else can give: the request is not handled yet, or it is being handled and nobody can have been told of it,
//! or it is a start that has not come to its end. Back where it began it goes around once more. A request has a mark that
//! is never drawn again while it is open, so what was there both times was there all the time, and all of it at once.
//!
//! The last request is then taken back, so that it was never delivered, and its caller told so. OTP lets all of them wait
//! until their time is up; so it is here where one of them calls through an alias, which says nothing of whom it names.

use std::fmt::Write;
use std::sync::Arc;

use super::Process;
use super::calls::{Asked, Block, Callee};
use super::delivery::Effect;
use crate::{Action, CallError, Caller, Name, Pid, Signal};

/// Processes in a circle beside the first, at most: nobody looks further.
const MOST: usize = 64;
/// Queued events that one search looks at, in all mailboxes together: a chain of flooded processes must not cost whoever
/// calls its end more than that.
const LOOKS: usize = 10_000;

/// A search for the end of a chain of calls.
#[derive(Clone, PartialEq, Debug)]
pub struct Search {
    /// The request that may have closed a circle.
    first: Caller,
    /// Who stands still since, in which request of its own: whom the first one waits for, whom that waits for, and so on.
    chain: Vec<Standing>,
    /// The second time around: how many of the chain are found to stand still as before.
    confirmed: Option<usize>,
    /// How many queued events may still be looked at.
    looks: usize,
}

#[derive(Clone, PartialEq, Debug)]
struct Standing {
    request: Caller,
    name: Option<Name>,
}

/// Where a search goes from somebody who stands still.
enum Way {
    /// To whom that waits for.
    On,
    /// Nowhere.
    Out,
    /// It was all around, twice.
    Circle,
}

impl Search {
    /// Whose answer is owed by whom the search has reached.
    fn creditor(&self) -> Caller {
        let place = self.confirmed.unwrap_or(self.chain.len());
        place.checked_sub(1).and_then(|before| self.chain.get(before)).map_or(self.first, |before| before.request)
    }

    fn pass(&mut self, request: Caller, name: Option<&Name>) -> Way {
        let Some(confirmed) = &mut self.confirmed else {
            if request == self.first {
                self.confirmed = Some(0);
                return Way::On;
            }
            let seen = self.chain.iter().any(|standing| standing.request.pid == request.pid);
            if seen || request.pid == self.first.pid || self.chain.len() == MOST {
                return Way::Out;
            }
            self.chain.push(Standing { request, name: name.cloned() });
            return Way::On;
        };
        match self.chain.get(*confirmed) {
            Some(expected) if expected.request == request => {
                *confirmed += 1;
                Way::On
            }
            None if request == self.first => Way::Circle,
            _ => Way::Out,
        }
    }

    /// Who waits for whom, in words. `name` is that of the first one.
    fn tell(&self, name: Option<&Name>) -> String {
        let mut text = format!("deadlock: {}", who(self.first.pid, name));
        for Standing { request, name } in &self.chain {
            let _ = write!(text, " waits for {}, which", who(request.pid, name.as_ref()));
        }
        let _ = write!(text, " waits for {}", who(self.first.pid, name));
        text
    }
}

fn who(pid: Pid, name: Option<&Name>) -> String {
    name.map_or_else(|| pid.to_string(), |name| format!("{name} {pid}"))
}

impl Process {
    /// A request has been queued: it may have closed a circle, if this process waits for an answer itself.
    pub(super) fn search_from(&self, first: Caller, actions: &mut Vec<Action>) {
        let search = Search { first, chain: Vec::new(), confirmed: None, looks: LOOKS };
        self.send_on(search, actions);
    }

    /// A search has come to this process.
    pub(super) fn take_search(&self, mut search: Search, actions: &mut Vec<Action>) -> Effect {
        if self.owes(search.creditor(), &mut search.looks) {
            self.send_on(search, actions);
        }
        Effect::Quiet
    }

    fn send_on(&self, mut search: Search, actions: &mut Vec<Action>) {
        let Some((request, to)) = self.stands_still() else { return };
        match search.pass(request, self.name()) {
            Way::On => actions.push(Action::Deliver { to, signal: Signal::Search(Box::new(search)) }),
            Way::Out => {}
            Way::Circle => {
                let why = search.tell(self.name()).into();
                actions.push(Action::Deliver { to, signal: Signal::Retract { caller: request, why } });
            }
        }
    }

    /// The request that the guest stands still in without an answer, and to whom it went.
    fn stands_still(&self) -> Option<(Caller, Pid)> {
        let (Block::Call { mark, answer: None } | Block::Spawn { mark, answer: None }) = &self.affairs.block else {
            return None;
        };
        let (mark, from) = (*mark, self.nature.pid);
        let to = match self.affairs.requests.get(&mark)?.what {
            // Whoever was told of the circle would learn whom an alias names (MON-12).
            Asked::Call(Callee::Behind(_) | Callee::Nobody) => return None,
            Asked::Call(Callee::Pid(to)) => to,
            Asked::Spawn { child, .. } => child,
        };
        (!self.is_doomed()).then_some((Caller { pid: from, mark }, to))
    }

    /// Whether nobody but this process can answer this request, and it cannot while it stands still.
    fn owes(&self, caller: Caller, looks: &mut usize) -> bool {
        self.starter() == Some(caller) || self.handles_in_secret(caller) || self.mailbox.has_request(caller, looks)
    }

    /// Takes a request back that waits here, for the sake of its caller, who is told why. Not one that has been handled.
    pub(super) fn take_retract(&mut self, caller: Caller, why: Arc<str>, actions: &mut Vec<Action>) -> Effect {
        if self.mailbox.take_request(caller) {
            self.forget_watcher(caller.pid, caller.mark);
            let outcome = Err(CallError::Refused(why));
            let signal = Signal::Answer { mark: caller.mark, by: self.nature.pid, outcome };
            actions.push(Action::Deliver { to: caller.pid, signal });
        }
        Effect::Quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mark;

    fn request(id: u64, mark: u64) -> Caller {
        Caller { pid: Pid { node: 0, id, tag: 0 }, mark: Mark(mark) }
    }

    fn search(first: Caller) -> Search {
        Search { first, chain: Vec::new(), confirmed: None, looks: LOOKS }
    }

    /// Where a search goes along these, the first of whom it begins at.
    fn goes(search: &mut Search, along: &[Caller]) -> &'static str {
        along.iter().fold("nowhere", |_, request| match search.pass(*request, None) {
            Way::On => "on",
            Way::Out => "out",
            Way::Circle => "circle",
        })
    }

    #[test]
    fn only_what_stands_still_all_the_time_is_a_circle() {
        let (a, b, c) = (request(1, 10), request(2, 20), request(3, 30));
        for (along, goes_to) in [
            (vec![b, c, a, b, c, a], "circle"),
            (vec![b, c, a, b, c], "on"),
            // Once around, somebody was not in that request any more.
            (vec![b, c, a, b, request(3, 31)], "out"),
            (vec![b, c, a, request(2, 21)], "out"),
            (vec![b, c, a, b, c, request(1, 11)], "out"),
            // The one it began with waits for something else.
            (vec![b, c, request(1, 11)], "out"),
            // Others are in a circle, which is found from within.
            (vec![b, c, b], "out"),
        ] {
            assert_eq!(goes(&mut search(a), &along), goes_to, "{along:?}");
        }
    }

    #[test]
    fn each_is_asked_for_what_the_one_before_it_waits_for() {
        let (a, b, c) = (request(1, 10), request(2, 20), request(3, 30));
        let mut search = search(a);
        let mut creditors = Vec::new();
        for request in [b, c, a, b, c, a] {
            creditors.push(search.creditor());
            let _ = search.pass(request, None);
        }
        assert_eq!(creditors, [a, b, c, a, b, c]);
    }

    #[test]
    fn a_chain_is_followed_so_far_and_no_farther() {
        let chain: Vec<Caller> = (1..=64).map(|number| request(number, number)).collect();
        let mut search = search(request(0, 0));
        assert_eq!(goes(&mut search, &chain), "on");
        assert_eq!(goes(&mut search.clone(), &[request(65, 65)]), "out");
        assert_eq!(goes(&mut search, &[request(0, 0)]), "on", "a circle of 65");
    }

    #[test]
    fn the_names_are_told_where_there_are_any() {
        let name = |name: &str| Some(Name::from(name));
        let mut search = search(request(1, 10));
        let _ = search.pass(request(2, 20), None);
        let _ = search.pass(request(3, 30), name("three").as_ref());
        assert_eq!(
            search.tell(name("one").as_ref()),
            "deadlock: one <0.1> waits for <0.2>, which waits for three <0.3>, which waits for one <0.1>"
        );
    }
}
