//! What a guest of a test waits for in the middle of a call of the host, and what comes of it.

use super::super::notation;
use super::super::world::{Once, Seen, World};
use super::{Blocked, Went};
use crate::mailbox::Number;
use crate::process::*;
use crate::{Body, Event};

impl World {
    /// Each call of the host looks first whether an exit signal has come.
    pub(super) fn doom(&mut self, pid: Pid) -> Option<ExitReason> {
        self.person(pid).process.doom().cloned()
    }

    pub(super) fn poll(&mut self, pid: Pid) -> Went {
        if let Some(reason) = self.doom(pid) {
            return Went::Ended(reason);
        }
        let seen = match self.person(pid).guest.blocked {
            Blocked::Call(mark) => {
                let answer = self.person(pid).process.poll_call(mark);
                if answer.is_some() {
                    self.is_over(pid, Once::Answer(mark));
                }
                answer.map(|answer| Seen::Result(notation::answer(&answer)))
            }
            Blocked::Spawn(mark) => {
                let answer = self.person(pid).process.poll_spawn(mark);
                answer.map(|answer| Seen::Result(self.show_spawn(&answer)))
            }
            Blocked::Receive => match self.transition(pid, |process, _, actions| process.poll_receive(actions)) {
                Received::Event(event) => Some(Seen::Event(event)),
                Received::Seen(number, event) => return self.looks_at(pid, number, event),
                Received::Nothing => Some(Seen::Result("nothing".into())),
                Received::NotYet => None,
            },
            Blocked::Alive(mark) => {
                let answer = self.person(pid).process.poll_call(mark);
                answer.map(|answer| Seen::Result(if answer.is_ok() { "alive" } else { "dead" }.into()))
            }
            Blocked::More => match self.transition(pid, Process::poll_more) {
                More::Event(event) => Some(Seen::Event(event)),
                More::Return => Some(Seen::Result("no more".into())),
                More::Wait => None,
            },
            Blocked::No => unreachable!("it is blocked"),
        };
        let Some(seen) = seen else { return Went::Nowhere };
        self.person(pid).guest.blocked = Blocked::No;
        if let Seen::Event(event) = seen {
            self.take_event(pid, event);
        } else {
            self.see(pid, seen);
        }
        Went::On
    }

    /// It takes the event, if it is the one, or goes on looking behind it.
    fn looks_at(&mut self, pid: Pid, number: Number, event: Event) -> Went {
        let (text, until) = self.person(pid).guest.choosing.clone().expect("it chooses");
        if matches!(&event, Event::Info(Body::Text(said)) if *said == text) {
            assert!(self.person(pid).process.take_seen(number), "nobody else takes its mail");
            self.person(pid).guest.blocked = Blocked::No;
            // It is not the oldest that it was handed.
            let mail = &mut self.person(pid).mail;
            let place = mail.iter().position(|mail| *mail == event).expect("it came");
            let taken = mail.remove(place).expect("it is there");
            mail.push_front(taken);
            self.take_event(pid, event);
        } else {
            let begun = self.transition(pid, |process, now, actions| {
                process.begin_receive(Wanted::Behind(Some(number)), until, now, actions)
            });
            assert_eq!(begun, Ok(()));
        }
        Went::On
    }
}
