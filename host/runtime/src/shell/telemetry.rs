//! Who wants to know what happens to processes, and the queues in which they are told.
//!
//! Costs one relaxed load of a byte where nobody wants to know. Whoever tells never waits for a subscriber: what does not fit
//! into a queue is counted instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use parking_lot::RwLock;
use tokio::sync::mpsc::{self, Sender};

use super::Shell;
use crate::telemetry::{Event, Kind, Subscription, Upgraded};
use crate::upgrade::{Summary, Upgrade, UpgradeError};

/// All who want to know something.
#[derive(Default)]
pub(crate) struct Hub {
    /// The kinds that somebody wants, to be looked at without the lock.
    wanted: AtomicU8,
    /// Written when somebody comes or goes.
    subscribers: RwLock<Vec<Arc<Subscriber>>>,
}

/// One of them.
pub(crate) struct Subscriber {
    kinds: u8,
    queue: RwLock<Option<Sender<Item>>>,
    /// What did not fit since the last one that did.
    lost: AtomicU64,
}

/// An event, and how many were lost before it.
pub(crate) struct Item {
    pub(crate) event: Event,
    pub(crate) lost: u64,
}

impl Subscriber {
    /// What did not fit, unless that is told already.
    pub(crate) fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }

    fn tell(&self, event: Event) {
        let queue = self.queue.read();
        let Some(queue) = &*queue else { return };
        match queue.try_reserve() {
            Ok(place) => place.send(Item { event, lost: self.take_lost() }),
            Err(_) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Hub {
    /// One more, who wants these kinds; so many wait for him at most, and at least one.
    pub(crate) fn subscribe(self: &Arc<Self>, kinds: &[Kind], capacity: usize) -> Subscription {
        let (sender, receiver) = mpsc::channel(capacity.clamp(1, tokio::sync::Semaphore::MAX_PERMITS));
        let kinds = kinds.iter().fold(0, |kinds, kind| kinds | kind.bit());
        let subscriber = Arc::new(Subscriber { kinds, queue: RwLock::new(Some(sender)), lost: AtomicU64::new(0) });
        let mut subscribers = self.subscribers.write();
        subscribers.push(Arc::clone(&subscriber));
        self.note_wanted(&subscribers);
        Subscription::new(receiver, subscriber, Arc::downgrade(self))
    }

    pub(crate) fn unsubscribe(&self, subscriber: &Arc<Subscriber>) {
        let mut subscribers = self.subscribers.write();
        subscribers.retain(|known| !Arc::ptr_eq(known, subscriber));
        self.note_wanted(&subscribers);
    }

    fn note_wanted(&self, subscribers: &[Arc<Subscriber>]) {
        let wanted = subscribers.iter().fold(0, |kinds, subscriber| kinds | subscriber.kinds);
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    /// Nothing happens any more: whoever waits is told so.
    pub(super) fn close(&self) {
        self.subscribers.read().iter().for_each(|subscriber| drop(subscriber.queue.write().take()));
    }

    /// Whether anybody wants to know.
    pub(super) fn wants(&self, kind: Kind) -> bool {
        self.wanted.load(Ordering::Relaxed) & kind.bit() != 0
    }

    /// Something has happened; what, is asked only if somebody wants to know.
    pub(super) fn tell(&self, kind: Kind, event: impl FnOnce() -> Event) {
        if self.wants(kind) {
            self.tell_all(kind, &event());
        }
    }

    #[cold]
    fn tell_all(&self, kind: Kind, event: &Event) {
        let subscribers = self.subscribers.read();
        let wanting = subscribers.iter().filter(|subscriber| subscriber.kinds & kind.bit() != 0);
        wanting.for_each(|subscriber| subscriber.tell(event.clone()));
    }
}

/// An upgrade whose end will be told, however it comes.
pub(super) struct Upgrading<'a> {
    shell: &'a Shell,
    upgrade: Option<&'a Upgrade>,
}

impl<'a> Upgrading<'a> {
    pub(super) fn begins(shell: &'a Shell, upgrade: &'a Upgrade) -> Self {
        Upgrading { shell, upgrade: Some(upgrade) }
    }

    pub(super) fn ends(mut self, result: &Result<Summary, UpgradeError>) {
        self.tell(|| match result {
            Ok(summary) => Upgraded::Done(Box::new(summary.clone())),
            Err(error) => Upgraded::Refused(error.to_string()),
        });
    }

    fn tell(&mut self, outcome: impl FnOnce() -> Upgraded) {
        let Some(upgrade) = self.upgrade.take() else { return };
        self.shell.seen.hub.tell(Kind::Upgrade, || Event::Upgrade {
            app: upgrade.app.clone(),
            modules: upgrade.changes.iter().map(|change| change.module.clone()).collect(),
            outcome: outcome(),
        });
    }
}

/// Whoever had begun it has dropped it half-way.
impl Drop for Upgrading<'_> {
    fn drop(&mut self) {
        self.tell(|| Upgraded::CalledOff);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Told;

    fn upgrade(number: usize) -> Event {
        Event::Upgrade { app: number.to_string().into(), modules: Vec::new(), outcome: Upgraded::CalledOff }
    }

    fn tell(hub: &Hub, numbers: std::ops::Range<usize>) {
        numbers.for_each(|number| hub.tell(Kind::Upgrade, || upgrade(number)));
    }

    /// All that there is now, in words.
    fn all(subscription: &mut Subscription) -> String {
        let told = std::iter::from_fn(|| subscription.try_next());
        let words = told.map(|told| match told {
            Told::Event(Event::Upgrade { app, .. }) => app.to_string(),
            Told::Event(other) => format!("{other:?}"),
            Told::Lost(lost) => format!("-{lost}"),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told_in_its_place() {
        let hub = Arc::new(Hub::default());
        let (mut small, mut large) = (hub.subscribe(&Kind::ALL, 2), hub.subscribe(&Kind::ALL, 100));
        tell(&hub, 0..5);
        assert_eq!((all(&mut small), all(&mut large)), ("0 1 -3".to_owned(), "0 1 2 3 4".to_owned()));
        tell(&hub, 5..9);
        assert!(matches!(small.try_next(), Some(Told::Event(_))));
        tell(&hub, 9..11);
        assert_eq!(all(&mut small), "6 -2 9 -1", "where there was room again");
        assert_eq!(all(&mut small), "");
    }

    #[test]
    fn who_wants_nothing_of_it_is_not_asked() {
        let hub = Arc::new(Hub::default());
        let unwanted = || unreachable!("nobody wants it");
        hub.tell(Kind::Upgrade, unwanted);
        let mut other = hub.subscribe(&[Kind::Spawn, Kind::Wake], 8);
        hub.tell(Kind::Upgrade, unwanted);
        let mut mine = hub.subscribe(&[Kind::Upgrade], 8);
        tell(&hub, 0..1);
        assert_eq!((all(&mut other), all(&mut mine)), (String::new(), "0".to_owned()));
        drop(mine);
        hub.tell(Kind::Upgrade, unwanted);
        drop(other);
        assert_eq!((hub.wanted.load(Ordering::SeqCst), hub.subscribers.read().len()), (0, 0));
    }

    #[tokio::test]
    async fn who_waits_is_told_when_nothing_comes_any_more() {
        let hub = Arc::new(Hub::default());
        let mut subscription = hub.subscribe(&Kind::ALL, 1);
        tell(&hub, 0..3);
        hub.close();
        tell(&hub, 3..4);
        assert!(matches!(subscription.next().await, Some(Told::Event(_))));
        assert!(matches!(subscription.next().await, Some(Told::Lost(2))));
        assert!(subscription.next().await.is_none());
    }
}
