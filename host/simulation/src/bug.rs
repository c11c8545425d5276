//! Defects that can be planted, and the invariant that each of them must break.
//!
//! They sit where the simulation performs what the kernel decided, or hands a guest what the kernel has for it: an
//! invariant that no planted defect breaks has not been shown to say anything.

/// What must hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Invariant {
    /// Mail of one sender to one receiver arrives once and in order (PROC-01), over hibernation and upgrade too.
    Mail,
    /// A monitor fires once (MON-01), and not after it was taken back (MON-05).
    Downs,
    /// A link fires once (LINK-01), and not after an unlink (LINK-03).
    Exits,
    /// Both sides of a link know of it.
    Links,
    /// A process's name is free, and its pid unknown, before anybody hears of its end (PROC-09).
    NamesFree,
    /// Nothing comes through an alias that was taken back (MON-08), nor twice through one for a reply (MON-09).
    Aliases,
    /// Whoever was told to end, and is then asked by the same process whether it lives, denies it (PROC-06).
    Alive,
    /// Nothing of a process is left in a registry or a group when anybody hears of its end (PROC-09).
    EntriesFree,
    /// A unique key has one holder (RPG-01).
    OneHolder,
    /// Under each key are those who have entered and not left, and each of them knows of it.
    Entries,
    /// Whoever watches is told of each change once, and in order.
    Changes,
    /// A lock has one holder, and when that gives it back or ends, the next who has asked.
    Locks,
    /// Children start one after the other (SUP-01).
    StartOrder,
    /// Children stop one by one, the last one first (SUP-01).
    StopOrder,
    /// Not more restarts than the intensity allows, and no giving up below it (SUP-08).
    Intensity,
    /// A supervisor that is gone leaves nobody behind.
    Orphans,
    /// Each request to a supervisor, and each system message, is answered once.
    Requests,
    /// A timer goes off once, not before its time (TMR-01), and not after it was cancelled (TMR-04).
    Timers,
    /// A call has one outcome (GS-01), and a late reply reaches nobody (GS-04).
    Calls,
    /// Nobody waits in a circle of calls of which none is handled.
    Circles,
    /// When an upgrade is over, nobody is suspended (HOT-09); and whoever the operator suspends handles nothing (SYS-01).
    Suspended,
    /// After an upgrade all run the same code: the new, or the old (HOT-09).
    AllOrNone,
    /// A state that was saved is the one that is restored, and no process goes on without.
    States,
    /// What a guest tells itself to do next comes before its mail (GS-15).
    Continues,
    /// No table and no mailbox grows beyond its limit.
    Limits,
    /// Whoever has something to do has a turn.
    WakeUps,
    /// No process is on two workers at once.
    OneWorker,
    /// When all has stopped, nothing is left.
    Leaks,
    /// When all is told to stop, it does.
    Stops,
    /// Neither the kernel nor the simulation panics.
    Panics,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Invariant; 30] = [
        Invariant::Mail,
        Invariant::Downs,
        Invariant::Exits,
        Invariant::Links,
        Invariant::NamesFree,
        Invariant::Aliases,
        Invariant::Alive,
        Invariant::EntriesFree,
        Invariant::OneHolder,
        Invariant::Entries,
        Invariant::Changes,
        Invariant::Locks,
        Invariant::StartOrder,
        Invariant::StopOrder,
        Invariant::Intensity,
        Invariant::Orphans,
        Invariant::Requests,
        Invariant::Timers,
        Invariant::Calls,
        Invariant::Circles,
        Invariant::Suspended,
        Invariant::AllOrNone,
        Invariant::States,
        Invariant::Continues,
        Invariant::Limits,
        Invariant::WakeUps,
        Invariant::OneWorker,
        Invariant::Leaks,
        Invariant::Stops,
        Invariant::Panics,
    ];
}

/// A defect to plant. It strikes once in an episode, at a moment that the seed chooses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Bug {
    /// A message is not delivered.
    DropMessage,
    /// A message is delivered twice.
    DoubleMessage,
    /// A message is overtaken by the next one of its sender.
    SwapMessages,
    /// The first message after a wake is lost.
    LoseMailOnWake,
    /// A `Down` is not delivered.
    DropDown,
    /// A guest is handed a `Down` twice.
    DoubleDown,
    /// A `Down` arrives though its monitor was taken back.
    DownAfterDemonitor,
    /// The exit signal of a link is not delivered.
    DropExit,
    /// A guest is handed the exit signal of a link twice.
    DoubleExit,
    /// An `unlink` is not delivered to the other side.
    HalfUnlink,
    /// A name is not released.
    ForgetName,
    /// A name is released last of all.
    LateName,
    /// A message arrives through an alias that was taken back.
    LateThrough,
    /// A second message arrives through an alias for one reply.
    SecondReply,
    /// A process that is to end says that it lives.
    StaleAlive,
    /// An entry of a process that ends is not taken out.
    ForgetEntry,
    /// An entry of a process that ends is taken out last of all.
    LateEntry,
    /// A unique key is given to a second process.
    TwoHolders,
    /// Whoever takes out one entry loses all.
    LoseEntries,
    /// A change is not told.
    DropChange,
    /// A change is told twice.
    DoubleChange,
    /// A change is told after the next one.
    SwapChanges,
    /// Whoever waits for a lock is told that he has it.
    TwoLocks,
    /// The lock of a process that ends is not given back.
    ForgetLock,
    /// A supervisor is told of a start before its child is up.
    StartEarly,
    /// Instead of the last child the first one is told to stop.
    StopFirst,
    /// A supervisor's clock runs ahead, so that it forgets restarts.
    ForgetRestarts,
    /// The exit signals of a supervisor are not delivered.
    ForgetChildren,
    /// A supervisor's answer is given twice.
    DoubleReply,
    /// The answer to a system message is not given.
    ForgetAnswer,
    /// A process that was suspended by the operator goes on.
    IgnoreSuspension,
    /// A timer goes off early.
    EarlyTimer,
    /// A timer never goes off.
    LostTimer,
    /// A guest is handed a timer's event twice.
    DoubleTimer,
    /// An answer is not delivered.
    DropAnswer,
    /// A guest is handed the answer to a call that was over.
    LateReply,
    /// A search for a circle of calls gets lost.
    DropSearch,
    /// A request that has closed a circle of calls is not taken back.
    DropRetract,
    /// A process is not resumed.
    ForgetResume,
    /// A process is resumed with the other verdict.
    OtherVerdict,
    /// A process is restored from an older state.
    StaleState,
    /// A guest is handed its mail before what it told itself to do.
    ForgetContinue,
    /// A process is born with wider limits than it should have.
    WiderLimits,
    /// A process that must have a turn is not put on the queue.
    LostWakeUp,
    /// A process is put on the queue twice.
    TwiceOnTheQueue,
    /// A timer that was cancelled stays in the clock.
    LeakTimer,
    /// A process that has ended stays in the table.
    ForgetRemove,
    /// A supervisor never hears of the end of a child.
    DeafSupervisor,
    /// The kernel breaks an assertion.
    Panic,
}

impl Bug {
    /// All of them, each with the invariant that it breaks.
    pub const ALL: [(Bug, Invariant); 49] = [
        (Bug::DropMessage, Invariant::Mail),
        (Bug::DoubleMessage, Invariant::Mail),
        (Bug::SwapMessages, Invariant::Mail),
        (Bug::LoseMailOnWake, Invariant::Mail),
        (Bug::DropDown, Invariant::Downs),
        (Bug::DoubleDown, Invariant::Downs),
        (Bug::DownAfterDemonitor, Invariant::Downs),
        (Bug::DropExit, Invariant::Exits),
        (Bug::DoubleExit, Invariant::Exits),
        (Bug::HalfUnlink, Invariant::Links),
        (Bug::ForgetName, Invariant::NamesFree),
        (Bug::LateName, Invariant::NamesFree),
        (Bug::LateThrough, Invariant::Aliases),
        (Bug::SecondReply, Invariant::Aliases),
        (Bug::StaleAlive, Invariant::Alive),
        (Bug::ForgetEntry, Invariant::EntriesFree),
        (Bug::LateEntry, Invariant::EntriesFree),
        (Bug::TwoHolders, Invariant::OneHolder),
        (Bug::LoseEntries, Invariant::Entries),
        (Bug::DropChange, Invariant::Changes),
        (Bug::DoubleChange, Invariant::Changes),
        (Bug::SwapChanges, Invariant::Changes),
        (Bug::TwoLocks, Invariant::Locks),
        (Bug::ForgetLock, Invariant::Locks),
        (Bug::StartEarly, Invariant::StartOrder),
        (Bug::StopFirst, Invariant::StopOrder),
        (Bug::ForgetRestarts, Invariant::Intensity),
        (Bug::ForgetChildren, Invariant::Orphans),
        (Bug::DoubleReply, Invariant::Requests),
        (Bug::ForgetAnswer, Invariant::Requests),
        (Bug::IgnoreSuspension, Invariant::Suspended),
        (Bug::EarlyTimer, Invariant::Timers),
        (Bug::LostTimer, Invariant::Timers),
        (Bug::DoubleTimer, Invariant::Timers),
        (Bug::DropAnswer, Invariant::Calls),
        (Bug::LateReply, Invariant::Calls),
        (Bug::DropSearch, Invariant::Circles),
        (Bug::DropRetract, Invariant::Circles),
        (Bug::ForgetResume, Invariant::Suspended),
        (Bug::OtherVerdict, Invariant::AllOrNone),
        (Bug::StaleState, Invariant::States),
        (Bug::ForgetContinue, Invariant::Continues),
        (Bug::WiderLimits, Invariant::Limits),
        (Bug::LostWakeUp, Invariant::WakeUps),
        (Bug::TwiceOnTheQueue, Invariant::OneWorker),
        (Bug::LeakTimer, Invariant::Leaks),
        (Bug::ForgetRemove, Invariant::Leaks),
        (Bug::DeafSupervisor, Invariant::Stops),
        (Bug::Panic, Invariant::Panics),
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn word(self) -> String {
        let mut word = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !word.is_empty() {
                word.push('-');
            }
            word.extend(letter.to_lowercase());
        }
        word
    }

    /// The defect of this name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().map(|(bug, _)| bug).find(|bug| bug.word() == word)
    }
}
