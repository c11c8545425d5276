//! How much happened: shows that a simulation does what it is for.

/// Counts of one or several episodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// Processes that were born.
    pub births: u64,
    /// Processes that ended.
    pub ends: u64,
    /// Guests that trapped.
    pub crashes: u64,
    /// Events that guests were handed.
    pub events: u64,
    /// Calls that were made.
    pub calls: u64,
    /// Circles of calls of which somebody was told.
    pub circles: u64,
    /// Timers that were started.
    pub timers: u64,
    /// Messages that came through an alias.
    pub through: u64,
    /// Questions whether somebody lives that were answered.
    pub asked_alive: u64,
    /// Entries that were made in registries, groups and topics.
    pub entries: u64,
    /// Changes of these that watchers saw.
    pub changes: u64,
    /// Locks that were granted.
    pub locks: u64,
    /// Instances given back.
    pub sleeps: u64,
    /// Instances made of a saved state.
    pub wakes: u64,
    /// States that new code took over.
    pub migrations: u64,
    /// Upgrades that were committed.
    pub upgrades: u64,
    /// Upgrades that were rolled back.
    pub rolled_back: u64,
    /// Restarts by supervisors.
    pub restarts: u64,
    /// Supervisors that gave up.
    pub gave_up: u64,
    /// Requests to supervisors that were answered.
    pub requests: u64,
    /// System messages that were answered.
    pub answers: u64,
    /// Moments at which nobody had anything to do, and everything was checked.
    pub audits: u64,
}

impl Figures {
    /// Each count and its name.
    #[must_use]
    pub fn list(&self) -> [(&'static str, u64); 22] {
        [
            ("births", self.births),
            ("ends", self.ends),
            ("crashes", self.crashes),
            ("events", self.events),
            ("calls", self.calls),
            ("circles", self.circles),
            ("timers", self.timers),
            ("through", self.through),
            ("asked_alive", self.asked_alive),
            ("entries", self.entries),
            ("changes", self.changes),
            ("locks", self.locks),
            ("sleeps", self.sleeps),
            ("wakes", self.wakes),
            ("migrations", self.migrations),
            ("upgrades", self.upgrades),
            ("rolled_back", self.rolled_back),
            ("restarts", self.restarts),
            ("gave_up", self.gave_up),
            ("requests", self.requests),
            ("answers", self.answers),
            ("audits", self.audits),
        ]
    }

    /// Adds those of another episode.
    pub fn add(&mut self, other: &Figures) {
        self.births += other.births;
        self.ends += other.ends;
        self.crashes += other.crashes;
        self.events += other.events;
        self.calls += other.calls;
        self.circles += other.circles;
        self.timers += other.timers;
        self.through += other.through;
        self.asked_alive += other.asked_alive;
        self.entries += other.entries;
        self.changes += other.changes;
        self.locks += other.locks;
        self.sleeps += other.sleeps;
        self.wakes += other.wakes;
        self.migrations += other.migrations;
        self.upgrades += other.upgrades;
        self.rolled_back += other.rolled_back;
        self.restarts += other.restarts;
        self.gave_up += other.gave_up;
        self.requests += other.requests;
        self.answers += other.answers;
        self.audits += other.audits;
    }
}
