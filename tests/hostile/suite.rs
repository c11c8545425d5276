//! The table of crimes: what each does, how it must end, and how it is committed.
//!
//! Owns the shape of a row, and the one way in which each is run: beside a neighbour, with the host watched. The rows are
//! in `crimes`, by group; `docs/hostile.md` shows them to people.

use std::fmt;
use std::pin::Pin;

use skep_runtime::kernel::ExitReason;

use crate::scene::{Place, Scene};
use crate::watch::{Host, Sampler, beside_the_neighbour};

/// What a crime is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Group {
    Compute,
    Callbacks,
    Memory,
    Messages,
    Processes,
    Timers,
    Names,
    Logs,
    Paths,
    Network,
    Bytes,
    Boundary,
    Features,
    Starts,
    Compiling,
    Restarts,
    Hibernation,
}

impl Group {
    /// All there are, in the order of the page.
    pub const ALL: [Group; 17] = [
        Group::Compute,
        Group::Callbacks,
        Group::Memory,
        Group::Messages,
        Group::Processes,
        Group::Timers,
        Group::Names,
        Group::Logs,
        Group::Paths,
        Group::Network,
        Group::Bytes,
        Group::Boundary,
        Group::Features,
        Group::Starts,
        Group::Compiling,
        Group::Restarts,
        Group::Hibernation,
    ];
}

/// How a crime must end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Its process ends: it has reached this limit.
    Limit(&'static str),
    /// Its process ends: a fault of this kind.
    Fault(&'static str),
    /// Its process ends in another way, and the reason has these words in it.
    Ends(&'static str),
    /// It gets an answer that has these words in it, and lives.
    Refused(&'static str),
    /// What it does is held back or dropped and counted.
    Throttled,
    /// Nothing comes of it.
    Nothing,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Limit(what) => write!(f, "ends: limit `{what}`"),
            End::Fault(kind) => write!(f, "ends: fault `{kind}`"),
            End::Ends(words) => write!(f, "ends: “{words}”"),
            End::Refused(words) => write!(f, "refused: “{words}”"),
            End::Throttled => f.write_str("throttled"),
            End::Nothing => f.write_str("nothing happens"),
        }
    }
}

/// How a crime did end.
#[derive(Debug)]
pub enum Seen {
    /// Its process ended.
    Ended(ExitReason),
    /// It was told no.
    Refused(String),
    /// Held back, or dropped and counted.
    Throttled,
    /// It lives, and nobody else noticed.
    Nothing,
}

impl Seen {
    fn is(&self, end: End) -> bool {
        match (end, self) {
            (End::Limit(what), Seen::Ended(reason)) => *reason == ExitReason::limit(what),
            (End::Fault(kind), Seen::Ended(ExitReason::Trap(fault))) => fault.kind == kind,
            (End::Ends(words), Seen::Ended(reason)) => reason.to_string().contains(words),
            (End::Refused(words), Seen::Refused(told)) => told.contains(words),
            (End::Throttled, Seen::Throttled) | (End::Nothing, Seen::Nothing) => true,
            _ => false,
        }
    }
}

/// A crime that is being committed.
pub type Deed<'a> = Pin<Box<dyn Future<Output = Seen> + 'a>>;

/// A row of the table.
pub struct Crime {
    /// Also the name of its test.
    pub id: &'static str,
    pub group: Group,
    /// In words.
    pub what: &'static str,
    pub end: End,
    /// By how much the host's memory may grow while it goes on, at most.
    pub memory_mib: u64,
    /// Where it is committed.
    pub place: Place,
    pub commit: for<'a> fn(&'a Scene) -> Deed<'a>,
}

/// Rows of a group, each with a test of its own that is called as the row is:
/// `id: "what", end[, MiB of memory][, place] => |scene| future;`
macro_rules! crimes {
    (@place) => { $crate::scene::Place::default() };
    (@place $place:expr) => { $place };
    ($group:ident; $($id:ident: $what:literal, $end:expr, $mib:literal MiB $(, $place:expr)? => |$scene:ident| $deed:expr;)+) => {
        /// The rows of this group.
        pub fn rows() -> Vec<$crate::suite::Crime> {
            use $crate::suite::{Crime, End::*, Group};
            vec![$(Crime {
                id: stringify!($id),
                group: Group::$group,
                what: $what,
                end: $end,
                memory_mib: $mib,
                place: $crate::suite::crimes!(@place $($place)?),
                commit: |$scene| Box::pin(async move { $deed.await }),
            }),+]
        }
        $(#[test]
        fn $id() {
            $crate::suite::run(&rows(), stringify!($id));
        })+
    };
}
pub(crate) use crimes;

/// Commits a crime of these, and holds it to its row.
pub fn run(rows: &[Crime], id: &str) {
    let crime = rows.iter().find(|crime| crime.id == id).expect("a row has the name of its test");
    let _turn = crate::TURN.blocking_lock();
    // Threads for files go soon, so that those that stay can be told from them.
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(std::time::Duration::from_millis(1))
        .enable_all()
        .build()
        .expect("a runtime");
    tokio.block_on(committed(crime));
}

async fn committed(crime: &Crime) {
    let Crime { id, end, memory_mib, .. } = crime;
    let scene = Scene::new(crime.place).await;
    let before = Host::now();
    let sampler = Sampler::start();
    let seen = beside_the_neighbour(&scene.app, id, (crime.commit)(&scene)).await;
    let grown = sampler.stop().saturating_sub(before.memory_mib);
    println!("{id}: memory grew by {grown} MiB from {}; {}", before.memory_mib, excerpt(&seen));
    assert!(seen.is(*end), "{id}: it should have ended so: {end}, and has so: {seen:?}");
    assert!(grown <= *memory_mib, "{id}: memory grew by {grown} MiB, and {memory_mib} are allowed");
    scene.clear().await;
    scene.others_live(id);
    before.comes_back(id).await;
    scene.app.stop().await;
}

fn excerpt(seen: &Seen) -> String {
    format!("{seen:?}").chars().take(200).collect()
}
