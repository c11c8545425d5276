//! A process's queue of events: in order of arrival, bounded, searchable.
//!
//! Knows nothing of senders or scheduling. What an own table already bounds (replies, `Down`, linked exits, timers) is
//! never refused; everything else counts against the limits. Taking an event with a certain mark, or looking at what came
//! behind a certain one, costs the same however many others wait (MBX-01).

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use crate::budget::Credit;
use crate::folded::{Fold, Folded};
use crate::signal::Undelivered;
use crate::{Caller, Event, ExitReason, Limits, Mark, Pid};

/// Tells one queued event from all others of its mailbox: they are counted as they come.
pub type Number = u64;

/// Events that wait to be handled. An empty one owns no memory.
#[derive(Debug, Default)]
pub struct Mailbox {
    mail: Folded<Mail>,
    /// How many casts and exit signals of strangers were dropped because it was full.
    dropped: u64,
    /// What it has taken of the budgets above it.
    credit: Credit,
    /// How many slots were looked at so far.
    #[cfg(test)]
    looked_at: std::cell::Cell<usize>,
}

/// Room that is kept for messages which are on their way together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reservation {
    /// So many.
    pub messages: usize,
    /// With so many bytes in their bodies, together.
    pub bytes: usize,
}

/// What waits in a mailbox.
#[derive(Debug)]
struct Mail {
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
    /// Kept free for what is on its way.
    reserved: Reservation,
}

/// No mail.
static NOTHING: Mail = Mail::none();

impl Mail {
    const fn none() -> Self {
        Mail {
            queue: VecDeque::new(),
            waiting: 0,
            came: 0,
            marked: BTreeSet::new(),
            bytes: 0,
            reserved: Reservation::NONE,
        }
    }

    /// Bytes that are there or will be.
    fn held(&self) -> usize {
        self.bytes + self.reserved.bytes
    }
}

impl Fold for Mail {
    const NOTHING: &'static Self = &NOTHING;

    fn nothing() -> Self {
        Mail::none()
    }

    fn is_nothing(&self) -> bool {
        self.waiting == 0 && self.reserved == Reservation::NONE
    }
}

impl Reservation {
    const NONE: Reservation = Reservation { messages: 0, bytes: 0 };
}

/// A place in the queue. What is taken from the middle leaves a gap, since closing it would move all that is behind.
#[derive(Debug)]
struct Slot {
    number: Number,
    event: Option<Event>,
}

/// Whether this orders a server to end: whoever stops it, or an exit signal of its parent (GS-12, GS-14).
#[must_use]
pub fn is_order(event: &Event, parent: Option<Pid>) -> bool {
    match event {
        Event::Stop { .. } => true,
        Event::Exit { pid, .. } => parent == Some(*pid),
        _ => false,
    }
}

impl Slot {
    fn is_request(&self, of: Caller) -> bool {
        self.event.as_ref().and_then(Event::caller) == Some(of)
    }
}

impl Mailbox {
    /// An empty one, whose bytes count against these budgets.
    #[must_use]
    pub fn on(credit: Credit) -> Self {
        Mailbox { credit, ..Mailbox::default() }
    }

    /// Gives up what an empty one keeps for the next events, the count of those that came included: nobody may hold the number
    /// of one any more.
    pub(crate) fn put_away(&mut self) {
        self.mail.put_away();
    }

    /// Whether it owns any memory.
    #[cfg(test)]
    pub(crate) fn is_there(&self) -> bool {
        self.mail.is_there()
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mail.waiting
    }

    /// The number that the next event gets.
    #[must_use]
    pub fn next_number(&self) -> Number {
        self.mail.came
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mail.waiting == 0
    }

    /// Bytes of the bodies that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.mail.bytes
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
        let (messages, bytes) = (self.mail.waiting + self.mail.reserved.messages, self.mail.held() + event.len());
        if messages >= limits.mailbox_messages || bytes > limits.mailbox_bytes {
            return Err(Undelivered::MailboxFull);
        }
        self.credit.admit(bytes).map_err(|exceeded| Undelivered::OverBudget(exceeded.whose))?;
        self.push(event);
        Ok(())
    }

    /// Keeps room, if there is plenty: at most a quarter of a mailbox is kept for what is on its way, and nobody is refused for
    /// that unless three quarters are taken.
    pub fn reserve(&mut self, room: Reservation, limits: &Limits) -> bool {
        let Reservation { messages, bytes } = self.mail.reserved;
        let all = Reservation { messages: messages + room.messages, bytes: bytes + room.bytes };
        let is_plenty = all.messages <= limits.mailbox_messages / 4
            && all.bytes <= limits.mailbox_bytes / 4
            && self.mail.waiting + all.messages <= limits.mailbox_messages
            && self.mail.bytes + all.bytes <= limits.mailbox_bytes;
        if !is_plenty || self.credit.admit(self.mail.bytes + all.bytes).is_err() {
            return false;
        }
        self.mail.reserved = all;
        true
    }

    /// Queues what room was kept for, and gives up the rest of that.
    pub fn push_reserved(&mut self, events: impl IntoIterator<Item = Event>, room: Reservation) {
        self.mail.reserved.messages -= room.messages;
        self.mail.reserved.bytes -= room.bytes;
        events.into_iter().for_each(|event| self.push(event));
        self.credit.keep(self.mail.held());
    }

    /// Queues an event that another table bounds.
    pub fn push(&mut self, event: Event) {
        let number = self.mail.came;
        self.mail.came += 1;
        self.mail.waiting += 1;
        self.mail.bytes += event.len();
        self.credit.hold(self.mail.held());
        self.mail.marked.extend(event.mark().map(|mark| (mark, number)));
        self.mail.queue.push_back(Slot { number, event: Some(event) });
    }

    /// The oldest event, left in place.
    #[must_use]
    pub fn front(&self) -> Option<&Event> {
        self.mail.queue.front()?.event.as_ref()
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
        let newest = self.mail.queue.iter().rev().take(*looks);
        let mut looked_at = 0;
        let found = newest.inspect(|_| looked_at += 1).any(|slot| slot.is_request(caller));
        *looks -= looked_at;
        found
    }

    /// Takes this request back. False if it does not wait any more.
    pub(crate) fn take_request(&mut self, caller: Caller) -> bool {
        let number = self.mail.queue.iter().rev().find(|slot| slot.is_request(caller)).map(|slot| slot.number);
        number.and_then(|number| self.take(number)).is_some()
    }

    /// Whether an order to end waits: to stop, or an exit signal of this parent.
    #[must_use]
    pub fn has_order(&self, parent: Option<Pid>) -> bool {
        self.order(parent).is_some()
    }

    /// Takes the oldest order to end, and brings its reason; the rest keeps its place.
    pub fn take_order(&mut self, parent: Option<Pid>) -> Option<ExitReason> {
        match self.take(self.order(parent)?)? {
            Event::Exit { reason, .. } | Event::Stop { reason, .. } => Some(reason),
            _ => None,
        }
    }

    fn order(&self, parent: Option<Pid>) -> Option<Number> {
        let is_it = |slot: &&Slot| slot.event.as_ref().is_some_and(|event| is_order(event, parent));
        self.mail.queue.iter().find(is_it).map(|slot| slot.number)
    }

    /// The oldest events, to be looked at.
    pub fn oldest(&self) -> impl Iterator<Item = &Event> {
        self.mail.queue.iter().filter_map(|slot| slot.event.as_ref())
    }

    /// The oldest event that came behind this one, or of all, left in place. The one named need not be there any more.
    #[must_use]
    pub fn behind(&self, number: Option<Number>) -> Option<(Number, &Event)> {
        let from = number.map_or(0, |number| self.place(number + 1));
        self.mail.queue.range(from..).find_map(|slot| {
            self.look();
            Some((slot.number, slot.event.as_ref()?))
        })
    }

    /// Takes this event, wherever it is.
    pub fn take(&mut self, number: Number) -> Option<Event> {
        let place = self.place(number);
        if self.mail.queue.get(place)?.number == number { self.take_at(place) } else { None }
    }

    fn take_at(&mut self, place: usize) -> Option<Event> {
        let slot = self.mail.queue.get_mut(place)?;
        let (number, event) = (slot.number, slot.event.take()?);
        self.mail.waiting -= 1;
        self.mail.bytes -= event.len();
        self.credit.keep(self.mail.held());
        if let Some(mark) = event.mark() {
            self.mail.marked.remove(&(mark, number));
        }
        self.close_gaps();
        Some(event)
    }

    fn get(&self, number: Number) -> Option<&Event> {
        self.mail.queue.get(self.place(number)).filter(|slot| slot.number == number)?.event.as_ref()
    }

    /// Where the events with this mark are, oldest first.
    fn numbers_of(&self, mark: Mark) -> impl Iterator<Item = Number> {
        self.mail.marked.range((mark, 0)..=(mark, Number::MAX)).map(|(_, number)| *number)
    }

    /// The place of this number, or of the first that is larger.
    fn place(&self, number: Number) -> usize {
        self.mail.queue.partition_point(|slot| {
            self.look();
            slot.number < number
        })
    }

    /// Gaps at the front go at once. All others stay until there are more of them than events, so that closing them
    /// costs each taking no more than a few moves; what a look into the middle passes over is bounded with them.
    fn close_gaps(&mut self) {
        // Fewer are not worth the trouble, and as much buffer is kept by a process that waits.
        const FEW: usize = 64;
        if self.mail.waiting == 0 {
            self.mail.queue.clear();
            if self.mail.queue.capacity() > FEW {
                // A burst must not be paid for for ever.
                self.mail.queue = VecDeque::new();
            }
            return;
        }
        while self.mail.queue.front().is_some_and(|slot| slot.event.is_none()) {
            self.look();
            self.mail.queue.pop_front();
        }
        if self.mail.queue.len() > 2 * self.mail.waiting + FEW {
            self.mail.queue.retain(|slot| {
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
