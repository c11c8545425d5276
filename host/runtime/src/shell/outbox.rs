//! Messages that a guest sends to one receiver in a row: from the third one on they are collected, and go under one lock.
//!
//! Owns what the guest whose turn it is on this thread has sent and what has not been delivered yet. Room for it is kept in the
//! receiver's mailbox from before, so that a guest which was told that a message is sent was told the truth. It leaves before
//! any other signal that goes out from this thread, when there is no more room, and when the turn is over, however it ends:
//! whatever a process sends arrives in the order in which it was sent, at all receivers taken together. Used by `syscalls` (a
//! message), `post` (any other signal) and `guest` (the turn).
//!
//! Each message that is delivered by itself takes the receiver's lock, and the cache lines of its mailbox, away from the core
//! that the receiver runs on: the more cores send to one, the more that is.

use std::cell::RefCell;
use std::sync::Arc;

use skep_kernel::mailbox::Reservation;
use skep_kernel::{Event, Pid};

use super::sync::thread_local;
use super::{Cell, Way};

/// What room is kept for: so many messages as a turn has time for, half of it, and small ones.
const ROOM: Reservation = Reservation { messages: 32, bytes: 4 << 10 };

thread_local! {
    static OUTBOX: RefCell<Outbox> = const { RefCell::new(Outbox { is_open: false, last: None, run: None, spare: Vec::new() }) };
}

struct Outbox {
    /// Whether a guest has its turn.
    is_open: bool,
    /// To whose pid the last message of this turn went.
    last: Option<Pid>,
    run: Option<Run>,
    /// The buffer of the run before.
    spare: Vec<Event>,
}

/// Messages to one receiver.
pub(super) struct Run {
    to: Arc<Cell>,
    events: Vec<Event>,
    bytes: usize,
    /// How large a body the receiver takes.
    body_bytes: usize,
    /// How many waited there when this began.
    waiting: usize,
}

/// A guest's turn on this thread.
pub(super) struct OpenTurn(());

/// Begins a turn. When it is dropped everything is on its way.
pub(super) fn open() -> OpenTurn {
    OUTBOX.with(|outbox| outbox.borrow_mut().is_open = true);
    OpenTurn(())
}

impl Drop for OpenTurn {
    fn drop(&mut self) {
        flush();
        OUTBOX.with(|outbox| {
            let mut outbox = outbox.borrow_mut();
            outbox.is_open = false;
            outbox.last = None;
        });
    }
}

/// Collects a message, if it goes where the ones before it went and there is room. How many wait there then; or the message, to
/// be delivered by itself.
pub(super) fn collect(to: Pid, event: Event) -> Result<usize, Event> {
    OUTBOX.with(|outbox| match &mut outbox.borrow_mut().run {
        Some(run) if run.to.pid == to && run.takes(&event) => {
            run.bytes += event.len();
            run.events.push(event);
            Ok(run.waiting + run.events.len())
        }
        _ => Err(event),
    })
}

/// A message was delivered by itself, to a pid, and so many wait there now. If it is the second one in a row, those that follow are
/// collected.
pub(super) fn delivered(way: &Way, waiting: usize) {
    OUTBOX.with(|outbox| {
        let mut outbox = outbox.borrow_mut();
        let is_repeated = outbox.last.replace(way.pid()) == Some(way.pid());
        if !outbox.is_open || !is_repeated {
            return;
        }
        let kept = way.to.process.lock().reserve(ROOM);
        if let Some(body_bytes) = kept {
            let events = std::mem::take(&mut outbox.spare);
            outbox.run = Some(Run { to: Arc::clone(&way.to), events, bytes: 0, body_bytes, waiting });
        }
    });
}

/// Delivers what was collected. Before any other signal leaves this thread.
pub(super) fn flush() {
    let run = OUTBOX.with(|outbox| outbox.borrow_mut().run.take());
    if let Some(mut run) = run {
        run.deliver();
        OUTBOX.with(|outbox| outbox.borrow_mut().spare = run.events);
    }
}

impl Run {
    fn takes(&self, event: &Event) -> bool {
        let bytes = event.len();
        self.events.len() < ROOM.messages && self.bytes + bytes <= ROOM.bytes && bytes <= self.body_bytes
    }

    fn deliver(&mut self) {
        // What becomes of it if the receiver is gone is nobody's concern (PROC-03).
        let delivery = self.to.process.lock().deliver_reserved(&mut self.events, ROOM);
        if delivery.wake {
            self.to.shell().schedule(Arc::clone(&self.to));
        }
    }
}
