//! A process's queue of events: in order of arrival, bounded, searchable.
//!
//! Knows nothing of senders or scheduling. What an own table already bounds (replies, `Down`, linked exits, timers) is
//! never refused; everything else counts against the limits.

use std::collections::VecDeque;

use crate::signal::Undelivered;
use crate::{Event, ExitReason, Limits, Mark, Pid};

/// Events that wait to be handled. An empty one owns no memory.
#[derive(Debug, Default)]
pub struct Mailbox {
    queue: VecDeque<Event>,
    /// Bytes of all bodies in the queue.
    bytes: usize,
    /// How many casts and exit signals of strangers were dropped because it was full.
    dropped: u64,
}

impl Mailbox {
    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
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
        if self.queue.len() >= limits.mailbox_messages || self.bytes + event.len() > limits.mailbox_bytes {
            return Err(Undelivered::MailboxFull);
        }
        self.push(event);
        Ok(())
    }

    /// Queues an event that another table bounds.
    pub fn push(&mut self, event: Event) {
        self.bytes += event.len();
        self.queue.push_back(event);
    }

    /// The oldest event, left in place.
    #[must_use]
    pub fn front(&self) -> Option<&Event> {
        self.queue.front()
    }

    /// Takes the oldest event.
    pub fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        self.forget_bytes(&event);
        Some(event)
    }

    /// Takes the oldest answer, timer, loss or change with one of these marks; the rest keeps its place (MBX-01).
    pub fn take_marked(&mut self, marks: &[Mark]) -> Option<Event> {
        self.take_first(|event| event_mark(event).is_some_and(|mark| marks.contains(&mark)))
    }

    /// Takes back a loss that was queued but not yet handled.
    pub fn flush_down(&mut self, mark: Mark) {
        self.take_first(|event| matches!(event, Event::Down { mark: queued, .. } if *queued == mark));
    }

    /// Takes back what a watch has brought and was not yet handled.
    pub fn flush_changes(&mut self, mark: Mark) {
        let bytes = &mut self.bytes;
        self.queue.retain(|event| {
            let flushed = matches!(event, Event::Change { mark: queued, .. } if *queued == mark);
            *bytes -= if flushed { event.len() } else { 0 };
            !flushed
        });
    }

    /// Takes back an answer that was queued but not yet handled. True if there was one.
    pub fn flush_answer(&mut self, mark: Mark) -> bool {
        self.take_first(|event| matches!(event, Event::Answer { mark: queued, .. } if *queued == mark)).is_some()
    }

    /// Whether an exit signal of this process waits.
    #[must_use]
    pub fn has_exit_of(&self, of: Pid) -> bool {
        self.queue.iter().any(|event| is_exit_of(event, of))
    }

    /// Takes the oldest exit signal of this process; the rest keeps its place.
    pub fn take_exit_of(&mut self, of: Pid) -> Option<ExitReason> {
        match self.take_first(|event| is_exit_of(event, of))? {
            Event::Exit { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// The oldest events, to be looked at.
    pub fn oldest(&self) -> impl Iterator<Item = &Event> {
        self.queue.iter()
    }

    fn take_first(&mut self, wanted: impl Fn(&Event) -> bool) -> Option<Event> {
        let place = self.queue.iter().position(wanted)?;
        let event = self.queue.remove(place)?;
        self.forget_bytes(&event);
        Some(event)
    }

    fn forget_bytes(&mut self, event: &Event) {
        self.bytes -= event.len();
        if self.queue.is_empty() {
            // A process that waits owns no buffer; a burst must not be paid for for ever.
            const KEPT: usize = 64;
            if self.queue.capacity() > KEPT {
                self.queue = VecDeque::new();
            }
        }
    }
}

fn is_exit_of(event: &Event, of: Pid) -> bool {
    matches!(event, Event::Exit { pid, .. } if *pid == of)
}

/// The mark that a selective receive looks for.
fn event_mark(event: &Event) -> Option<Mark> {
    match event {
        Event::Answer { mark, .. }
        | Event::Down { mark, .. }
        | Event::Timer { mark, .. }
        | Event::Change { mark, .. } => Some(*mark),
        _ => None,
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
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..4u64, 0..5usize).prop_map(|(mark, size)| Step::Push(mark, size)),
            3 => (0..7usize).prop_map(Step::PushBounded),
            2 => Just(Step::Pop),
            1 => prop::collection::vec(0..4u64, 0..3).prop_map(Step::Take),
            1 => (0..4u64).prop_map(Step::Flush),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_list_and_counts_exactly(steps in prop::collection::vec(step(), 0..60)) {
            let limits = limits(5, 12, 5);
            let (mut mailbox, mut model) = (Mailbox::default(), Vec::<Event>::new());
            for step in steps {
                match step {
                    Step::Push(mark, size) => {
                        let event = match size {
                            0 => Event::Down {
                                mark: Mark(mark),
                                target: crate::Address::Name("n".into()),
                                reason: crate::ExitReason::Normal,
                            },
                            size => Event::Timer { mark: Mark(mark), body: Body::Raw(vec![0; size]) },
                        };
                        mailbox.push(event.clone());
                        model.push(event);
                    }
                    Step::PushBounded(size) => {
                        let event = Event::Info(Body::Raw(vec![0; size]));
                        let bytes: usize = model.iter().map(Event::len).sum();
                        let expected = match (size > 5, model.len() >= 5 || bytes + size > 12) {
                            (true, _) => Err(Undelivered::TooLarge),
                            (false, true) => Err(Undelivered::MailboxFull),
                            (false, false) => Ok(()),
                        };
                        model.extend(expected.is_ok().then(|| event.clone()));
                        prop_assert_eq!(mailbox.push_bounded(event, &limits), expected);
                    }
                    Step::Pop => {
                        let oldest = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(mailbox.front(), oldest.as_ref());
                        prop_assert_eq!(mailbox.pop(), oldest);
                    }
                    Step::Take(marks) => {
                        let marks: Vec<Mark> = marks.into_iter().map(Mark).collect();
                        let place = model.iter().position(|event| event_mark(event).is_some_and(|m| marks.contains(&m)));
                        prop_assert_eq!(mailbox.take_marked(&marks), place.map(|place| model.remove(place)));
                    }
                    Step::Flush(flushed) => {
                        let is_it = |event: &Event| matches!(event, Event::Down { mark, .. } if *mark == Mark(flushed));
                        if let Some(place) = model.iter().position(is_it) {
                            model.remove(place);
                        }
                        mailbox.flush_down(Mark(flushed));
                    }
                }
                prop_assert_eq!((mailbox.len(), mailbox.is_empty()), (model.len(), model.is_empty()));
                prop_assert_eq!(mailbox.bytes(), model.iter().map(Event::len).sum::<usize>());
            }
        }
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
