//! A process's queue of events: in order of arrival, bounded, searchable.
//!
//! Knows nothing of senders or scheduling. What an own table already bounds (replies, `Down`, linked exits, timers) is
//! never refused; everything else counts against the limits. Taking an event with a certain mark, or looking at what came
//! behind a certain one, costs the same however many others wait (MBX-01).

use std::collections::{BTreeSet, VecDeque};

use crate::signal::Undelivered;
use crate::{Caller, Event, ExitReason, Limits, Mark, Pid};

/// Tells one queued event from all others of its mailbox: they are counted as they come.
pub type Number = u64;

/// Events that wait to be handled. An empty one owns no memory.
#[derive(Debug, Default)]
pub struct Mailbox {
    /// Ordered by number, never beginning with a gap.
    queue: VecDeque<Slot>,
    /// Events in the queue.
    waiting: usize,
    /// How many events ever came.
    came: Number,
    /// Where the events are that have a mark.
    marked: BTreeSet<(Mark, Number)>,
    /// Bytes of all bodies in the queue.
    bytes: usize,
    /// How many casts and exit signals of strangers were dropped because it was full.
    dropped: u64,
    /// How many slots were looked at so far.
    #[cfg(test)]
    looked_at: std::cell::Cell<usize>,
}

/// A place in the queue. What is taken from the middle leaves a gap, since closing it would move all that is behind.
#[derive(Debug)]
struct Slot {
    number: Number,
    event: Option<Event>,
}

impl Slot {
    fn is_request(&self, of: Caller) -> bool {
        matches!(&self.event, Some(Event::Call { caller, .. } | Event::Stop { caller, .. }) if *caller == of)
    }
}

impl Mailbox {
    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Bytes of the bodies that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many casts and exit signals of strangers were dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Counts one event that nobody will hear was refused.
    pub fn count_dropped(&mut self) {
        self.dropped += 1;
    }

    /// Queues an event from outside, if the limits allow it.
    pub fn push_bounded(&mut self, event: Event, limits: &Limits) -> Result<(), Undelivered> {
        if event.len() > limits.body_bytes {
            return Err(Undelivered::TooLarge);
        }
        if self.waiting >= limits.mailbox_messages || self.bytes + event.len() > limits.mailbox_bytes {
            return Err(Undelivered::MailboxFull);
        }
        self.push(event);
        Ok(())
    }

    /// Queues an event that another table bounds.
    pub fn push(&mut self, event: Event) {
        let number = self.came;
        self.came += 1;
        self.waiting += 1;
        self.bytes += event.len();
        self.marked.extend(event.mark().map(|mark| (mark, number)));
        self.queue.push_back(Slot { number, event: Some(event) });
    }

    /// The oldest event, left in place.
    #[must_use]
    pub fn front(&self) -> Option<&Event> {
        self.queue.front()?.event.as_ref()
    }

    /// Takes the oldest event.
    pub fn pop(&mut self) -> Option<Event> {
        self.take_at(0)
    }

    /// Takes the oldest answer, timer, loss or change with one of these marks; the rest keeps its place (MBX-01).
    pub fn take_marked(&mut self, marks: &[Mark]) -> Option<Event> {
        let number = marks.iter().filter_map(|mark| self.numbers_of(*mark).next()).min()?;
        self.take(number)
    }

    /// Takes back a loss that was queued but not yet handled.
    pub fn flush_down(&mut self, mark: Mark) {
        let is_down = |number: &Number| matches!(self.get(*number), Some(Event::Down { .. }));
        let found = self.numbers_of(mark).find(is_down);
        found.and_then(|number| self.take(number));
    }

    /// Takes back what a watch has brought and was not yet handled.
    pub fn flush_changes(&mut self, mark: Mark) {
        let numbers: Vec<Number> = self.numbers_of(mark).collect();
        for number in numbers {
            if matches!(self.get(number), Some(Event::Change { .. })) {
                self.take(number);
            }
        }
    }

    /// Takes back an answer that was queued but not yet handled. True if there was one.
    pub fn flush_answer(&mut self, mark: Mark) -> bool {
        let is_answer = |number: &Number| matches!(self.get(*number), Some(Event::Answer { .. }));
        let found = self.numbers_of(mark).find(is_answer);
        found.and_then(|number| self.take(number)).is_some()
    }

    /// Whether this request waits. Looks at so many events at most, the newest first, and counts them off.
    pub(crate) fn has_request(&self, caller: Caller, looks: &mut usize) -> bool {
        let newest = self.queue.iter().rev().take(*looks);
        let mut looked_at = 0;
        let found = newest.inspect(|_| looked_at += 1).any(|slot| slot.is_request(caller));
        *looks -= looked_at;
        found
    }

    /// Takes this request back. False if it does not wait any more.
    pub(crate) fn take_request(&mut self, caller: Caller) -> bool {
        let number = self.queue.iter().rev().find(|slot| slot.is_request(caller)).map(|slot| slot.number);
        number.and_then(|number| self.take(number)).is_some()
    }

    /// Whether an exit signal of this process waits.
    #[must_use]
    pub fn has_exit_of(&self, of: Pid) -> bool {
        self.exit_of(of).is_some()
    }

    /// Takes the oldest exit signal of this process; the rest keeps its place.
    pub fn take_exit_of(&mut self, of: Pid) -> Option<ExitReason> {
        match self.take(self.exit_of(of)?)? {
            Event::Exit { reason, .. } => Some(reason),
            _ => None,
        }
    }

    fn exit_of(&self, of: Pid) -> Option<Number> {
        let is_it = |slot: &&Slot| matches!(&slot.event, Some(Event::Exit { pid, .. }) if *pid == of);
        self.queue.iter().find(is_it).map(|slot| slot.number)
    }

    /// The oldest events, to be looked at.
    pub fn oldest(&self) -> impl Iterator<Item = &Event> {
        self.queue.iter().filter_map(|slot| slot.event.as_ref())
    }

    /// The oldest event that came behind this one, or of all, left in place. The one named need not be there any more.
    #[must_use]
    pub fn behind(&self, number: Option<Number>) -> Option<(Number, &Event)> {
        let from = number.map_or(0, |number| self.place(number + 1));
        self.queue.range(from..).find_map(|slot| {
            self.look();
            Some((slot.number, slot.event.as_ref()?))
        })
    }

    /// Takes this event, wherever it is.
    pub fn take(&mut self, number: Number) -> Option<Event> {
        let place = self.place(number);
        if self.queue.get(place)?.number == number { self.take_at(place) } else { None }
    }

    fn take_at(&mut self, place: usize) -> Option<Event> {
        let slot = self.queue.get_mut(place)?;
        let (number, event) = (slot.number, slot.event.take()?);
        self.waiting -= 1;
        self.bytes -= event.len();
        if let Some(mark) = event.mark() {
            self.marked.remove(&(mark, number));
        }
        self.close_gaps();
        Some(event)
    }

    fn get(&self, number: Number) -> Option<&Event> {
        self.queue.get(self.place(number)).filter(|slot| slot.number == number)?.event.as_ref()
    }

    /// Where the events with this mark are, oldest first.
    fn numbers_of(&self, mark: Mark) -> impl Iterator<Item = Number> {
        self.marked.range((mark, 0)..=(mark, Number::MAX)).map(|(_, number)| *number)
    }

    /// The place of this number, or of the first that is larger.
    fn place(&self, number: Number) -> usize {
        self.queue.partition_point(|slot| {
            self.look();
            slot.number < number
        })
    }

    /// Gaps at the ends go at once. Those in the middle stay until there are more of them than events, so that closing
    /// them costs each taking no more than a few moves; what a look into the middle passes over is bounded with them.
    fn close_gaps(&mut self) {
        // Fewer are not worth the trouble, and as much buffer is kept by a process that waits.
        const FEW: usize = 64;
        if self.waiting == 0 {
            self.queue.clear();
            if self.queue.capacity() > FEW {
                // A burst must not be paid for for ever.
                self.queue = VecDeque::new();
            }
            return;
        }
        while self.queue.front().is_some_and(|slot| slot.event.is_none()) {
            self.look();
            self.queue.pop_front();
        }
        if self.queue.len() > 2 * self.waiting + FEW {
            self.queue.retain(|slot| {
                #[cfg(test)]
                self.looked_at.set(self.looked_at.get() + 1);
                slot.event.is_some()
            });
        }
    }

    /// Notes that a slot is looked at: what the cost of a selective receive is judged by.
    fn look(&self) {
        #[cfg(test)]
        self.looked_at.set(self.looked_at.get() + 1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Body;

    fn info(text: &str) -> Event {
        Event::Info(Body::Text(text.into()))
    }

    fn timer(mark: u64) -> Event {
        Event::Timer { mark: Mark(mark), body: Body::Text("t".into()) }
    }

    fn limits(mailbox_messages: usize, mailbox_bytes: usize, body_bytes: usize) -> Limits {
        Limits { mailbox_messages, mailbox_bytes, body_bytes, ..Limits::default() }
    }

    #[test]
    fn mbx_01_a_selective_receive_takes_the_oldest_match_and_leaves_the_rest_in_place() {
        let mut mailbox = Mailbox::default();
        for event in [info("a"), timer(1), info("b"), timer(2), timer(1)] {
            mailbox.push(event);
        }
        assert_eq!(mailbox.take_marked(&[Mark(2), Mark(1)]), Some(timer(1)));
        assert_eq!(mailbox.take_marked(&[Mark(2)]), Some(timer(2)));
        assert_eq!(mailbox.take_marked(&[Mark(2)]), None);
        assert_eq!(mailbox.len(), 3);
        assert_eq!((mailbox.pop(), mailbox.pop(), mailbox.pop()), (Some(info("a")), Some(info("b")), Some(timer(1))));
        assert_eq!(mailbox.bytes(), 0);
    }

    #[test]
    fn limits_are_exact() {
        let mut mailbox = Mailbox::default();
        assert_eq!(mailbox.push_bounded(info("four"), &limits(2, 8, 3)), Err(Undelivered::TooLarge));
        assert_eq!(mailbox.push_bounded(info("four"), &limits(2, 8, 4)), Ok(()));
        assert_eq!(mailbox.push_bounded(info("fives"), &limits(2, 8, 8)), Err(Undelivered::MailboxFull));
        assert_eq!(mailbox.push_bounded(info("four"), &limits(2, 8, 4)), Ok(()));
        assert_eq!(mailbox.push_bounded(info(""), &limits(2, 8, 4)), Err(Undelivered::MailboxFull));
        assert_eq!((mailbox.len(), mailbox.bytes(), mailbox.is_empty()), (2, 8, false));
        mailbox.push(info("never refused"));
        assert_eq!(mailbox.len(), 3);
    }

    #[test]
    fn a_flushed_loss_is_gone_and_others_stay() {
        let down = |mark| Event::Down {
            mark: Mark(mark),
            target: crate::Address::Name("n".into()),
            reason: crate::ExitReason::Normal,
            tag: None,
        };
        let mut mailbox = Mailbox::default();
        mailbox.push(timer(1));
        mailbox.push(down(1));
        mailbox.push(down(2));
        mailbox.flush_down(Mark(1));
        mailbox.flush_down(Mark(3));
        assert_eq!((mailbox.pop(), mailbox.pop(), mailbox.pop()), (Some(timer(1)), Some(down(2)), None));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(u64, usize),
        PushBounded(usize),
        Pop,
        Take(Vec<u64>),
        Flush(u64),
        Look(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..4u64, 0..5usize).prop_map(|(mark, size)| Step::Push(mark, size)),
            3 => (0..7usize).prop_map(Step::PushBounded),
            2 => Just(Step::Pop),
            1 => prop::collection::vec(0..4u64, 0..3).prop_map(Step::Take),
            1 => (0..4u64).prop_map(Step::Flush),
            2 => (0..60u64).prop_map(Step::Look),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_list_and_counts_exactly(steps in prop::collection::vec(step(), 0..60)) {
            let limits = limits(5, 12, 5);
            let (mut mailbox, mut model) = (Mailbox::default(), Vec::<(u64, Event)>::new());
            let mut came = 0..;
            let mut next = move || came.next().expect("a number");
            for step in steps {
                match step {
                    Step::Push(mark, size) => {
                        let event = match size {
                            0 => Event::Down {
                                mark: Mark(mark),
                                target: crate::Address::Name("n".into()),
                                reason: crate::ExitReason::Normal,
            tag: None,
                            },
                            size => Event::Timer { mark: Mark(mark), body: Body::Raw(vec![0; size]) },
                        };
                        mailbox.push(event.clone());
                        model.push((next(), event));
                    }
                    Step::PushBounded(size) => {
                        let event = Event::Info(Body::Raw(vec![0; size]));
                        let bytes: usize = model.iter().map(|(_, event)| event.len()).sum();
                        let expected = match (size > 5, model.len() >= 5 || bytes + size > 12) {
                            (true, _) => Err(Undelivered::TooLarge),
                            (false, true) => Err(Undelivered::MailboxFull),
                            (false, false) => Ok(()),
                        };
                        model.extend(expected.is_ok().then(|| (next(), event.clone())));
                        prop_assert_eq!(mailbox.push_bounded(event, &limits), expected);
                    }
                    Step::Pop => {
                        let oldest = (!model.is_empty()).then(|| model.remove(0).1);
                        prop_assert_eq!(mailbox.front(), oldest.as_ref());
                        prop_assert_eq!(mailbox.pop(), oldest);
                    }
                    Step::Take(marks) => {
                        let marks: Vec<Mark> = marks.into_iter().map(Mark).collect();
                        let place = model.iter().position(|(_, event)| event.mark().is_some_and(|m| marks.contains(&m)));
                        prop_assert_eq!(mailbox.take_marked(&marks), place.map(|place| model.remove(place).1));
                    }
                    Step::Flush(flushed) => {
                        let is_it =
                            |(_, event): &(u64, Event)| matches!(event, Event::Down { mark, .. } if *mark == Mark(flushed));
                        if let Some(place) = model.iter().position(is_it) {
                            model.remove(place);
                        }
                        mailbox.flush_down(Mark(flushed));
                    }
                    Step::Look(behind) => {
                        let expected = model.iter().position(|(number, _)| *number > behind);
                        let seen = mailbox.behind(Some(behind)).map(|(number, event)| (number, event.clone()));
                        prop_assert_eq!(&seen, &expected.map(|place| model[place].clone()));
                        let oldest = mailbox.behind(None).map(|(number, event)| (number, event.clone()));
                        prop_assert_eq!(oldest, model.first().cloned());
                        if let Some((number, event)) = seen {
                            prop_assert_eq!(mailbox.take(number), Some(event));
                            prop_assert_eq!(mailbox.take(number), None);
                            model.retain(|(known, _)| *known != number);
                        }
                    }
                }
                prop_assert_eq!((mailbox.len(), mailbox.is_empty()), (model.len(), model.is_empty()));
                prop_assert_eq!(mailbox.bytes(), model.iter().map(|(_, event)| event.len()).sum::<usize>());
                prop_assert_eq!(mailbox.marked.len(), model.iter().filter(|(_, event)| event.mark().is_some()).count());
            }
        }
    }

    /// What one selective receive looks at, with so many other events in the queue: some before and some behind what it
    /// is after.
    fn cost_of_a_receive(others: u64) -> usize {
        let mut mailbox = Mailbox::default();
        for number in 0..others {
            mailbox.push(if number == others / 2 { timer(1) } else { info("x") });
            if number % 100 == 0 {
                mailbox.push(timer(number + 10));
            }
        }
        let mut worst = 0;
        // The first takes what lies deep in the queue; the others what comes while the queue stays as long as it is.
        for round in 0..100 {
            let before = mailbox.looked_at.get();
            assert_eq!(mailbox.take_marked(&[Mark(2), Mark(1)]), Some(timer(1)));
            worst = worst.max(mailbox.looked_at.get() - before);
            mailbox.push(timer(1));
            if round % 2 == 0 {
                mailbox.push(info("y"));
            }
        }
        worst
    }

    #[test]
    fn mbx_01_what_a_selective_receive_costs_does_not_grow_with_the_backlog() {
        assert_eq!(std::mem::size_of::<Slot>(), 8 + std::mem::size_of::<Event>(), "a gap costs nothing beside");
        let (few, many) = (cost_of_a_receive(1_000), cost_of_a_receive(1_000_000));
        assert!(many <= few + 12, "a thousand times as many others, and {many} looks instead of {few}");
        assert!(many < 50, "{many} looks");
    }

    #[test]
    fn mbx_01_a_search_begins_where_the_last_one_ended() {
        let mut mailbox = Mailbox::default();
        for _ in 0..100_000 {
            mailbox.push(info("x"));
        }
        let mut last = None;
        while let Some((number, _)) = mailbox.behind(last) {
            last = Some(number);
        }
        let before = mailbox.looked_at.get();
        assert_eq!(mailbox.behind(last), None);
        mailbox.push(timer(1));
        assert_eq!(mailbox.behind(last), Some((100_000, &timer(1))));
        assert!(mailbox.looked_at.get() - before < 50, "what was skipped is not looked at again");
    }

    #[test]
    fn gaps_do_not_add_up() {
        let mut mailbox = Mailbox::default();
        mailbox.push(info("stays"));
        for _ in 0..100_000 {
            mailbox.push(timer(1));
            assert_eq!(mailbox.take_marked(&[Mark(1)]), Some(timer(1)));
            assert!(mailbox.queue.len() < 100, "{} places for one event", mailbox.queue.len());
        }
        assert!(mailbox.looked_at.get() < 100_000 * 20, "closing them costs little");
        mailbox.push(timer(2));
        assert_eq!(mailbox.behind(Some(0)), Some((100_001, &timer(2))));
        assert_eq!(mailbox.take_marked(&[Mark(2)]), Some(timer(2)));
        assert_eq!((mailbox.pop(), mailbox.pop(), mailbox.bytes()), (Some(info("stays")), None, 0));
    }

    #[test]
    fn a_burst_is_not_paid_for_for_ever() {
        let mut mailbox = Mailbox::default();
        for _ in 0..1000 {
            mailbox.push(info("x"));
        }
        while mailbox.pop().is_some() {}
        assert_eq!(mailbox.queue.capacity(), 0);
        for _ in 0..64 {
            mailbox.push(info("x"));
        }
        while mailbox.pop().is_some() {}
        assert!(mailbox.queue.capacity() > 0, "a small buffer is kept, or each message would allocate");
    }
}
