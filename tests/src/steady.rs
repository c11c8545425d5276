//! Whether a runtime stays as it is however much it has done: processes that come and go, instances given back and made
//! anew, and both at once.
//!
//! Owns the work and the reading of `/proc`. The hostile tests do a little of it, in a program where nobody else does
//! anything, and the benchmark `steady` as much as one has time for.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;
use skep_runtime::engine::Class;
use skep_runtime::kernel::{Address, Body, Event, ExitReason};
use skep_runtime::spec::{Keep, ProcessSpec};
use skep_runtime::{Client, EngineConfig};

use crate::app::{PATIENCE, SLOTS, supervisor};
use crate::{Child, TestApp, eventually};

/// How many do something at the same time.
const HANDS: u64 = 4;
/// Servers that are woken.
const SLEEPERS: u64 = 16;
/// Memory that may come on top: what the allocator keeps for threads that come later.
const MEMORY_KIB: u64 = 16 << 10;
/// Mappings that may come on top, for the same reason.
const MAPPINGS: usize = 64;

/// What a program has of its machine, and a runtime of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Footing {
    /// Resident memory.
    pub memory_kib: u64,
    /// Lines of `/proc/self/maps`.
    pub mappings: usize,
    /// Open files.
    pub files: usize,
    /// Live instances of both classes.
    pub instances: u32,
    /// Processes in the table.
    pub processes: usize,
}

impl Footing {
    /// As it is now.
    ///
    /// # Panics
    ///
    /// Where `/proc` cannot be read.
    #[must_use]
    pub fn of(app: &TestApp) -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        let live = |class| app.runtime.engine().usage(class).live;
        Footing {
            memory_kib: resident.and_then(|number| number.parse().ok()).expect("a number of kB"),
            mappings: fs::read_to_string("/proc/self/maps").expect("Linux has it").lines().count(),
            files: fs::read_dir("/proc/self/fd").expect("Linux has it").count(),
            instances: live(Class::Small) + live(Class::Large),
            processes: app.runtime.processes().len(),
        }
    }

    /// What has become more since, of what must not.
    #[must_use]
    pub fn grown_since(&self, before: &Footing) -> Vec<String> {
        let grown = [
            ("KiB of memory", self.memory_kib, before.memory_kib + MEMORY_KIB),
            ("mappings", self.mappings as u64, (before.mappings + MAPPINGS) as u64),
            ("open files", self.files as u64, before.files as u64),
            ("instances", u64::from(self.instances), u64::from(before.instances)),
            ("processes", self.processes as u64, before.processes as u64),
        ];
        let grown = grown.into_iter().filter(|(_, now, most)| now > most);
        grown.map(|(what, now, most)| format!("{now} {what}, where {most} are all there may be")).collect()
    }
}

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Spawns and exits.
    pub spawns: u64,
    /// Instances given back and made anew.
    pub wakes: u64,
    /// How long there is both, with kills among it.
    pub mixed: Duration,
}

/// An app of servers that are given back after every message.
///
/// # Panics
///
/// If it does not start.
pub async fn app() -> TestApp {
    let sleepers = (0..SLEEPERS).map(|number| Child::new(&name(number), "counter", &json!(0)));
    let engine = EngineConfig { slots: Some(SLOTS), ..EngineConfig::default() };
    let started = TestApp::try_start_on(engine, Keep::Never, supervisor(sleepers)).await;
    started.unwrap_or_else(|error| panic!("the app does not start: {error}"))
}

fn name(number: u64) -> String {
    format!("sleeper.{}", number % SLEEPERS)
}

/// Does all of it once it has done a tenth, and brings what there was before and after that.
///
/// # Panics
///
/// If a process does not do what it is told.
pub async fn work(app: &TestApp, load: Load) -> (Footing, Footing) {
    let tenth = Load { spawns: load.spawns / 10, wakes: load.wakes / 10, mixed: load.mixed / 10 };
    perform(app, tenth).await;
    let before = rested(app).await;
    perform(app, load).await;
    (before, rested(app).await)
}

async fn perform(app: &TestApp, load: Load) {
    let hand = async || {
        let mut client = app.runtime.client("test").expect("the app runs");
        for _ in 0..load.spawns / HANDS {
            live_once(app, &mut client, End::ByItself).await;
        }
        for number in 0..load.wakes / HANDS {
            wake(&mut client, number).await;
        }
        let until = Instant::now() + load.mixed;
        let mut number = 0;
        while Instant::now() < until {
            number += 1;
            live_once(app, &mut client, End::ByItself).await;
            live_once(app, &mut client, End::Killed).await;
            wake(&mut client, number).await;
        }
    };
    // As many as HANDS says.
    tokio::join!(hand(), hand(), hand(), hand());
}

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    ByItself,
    /// Wherever it is, unless it was quicker.
    Killed,
}

/// A task that does nothing.
async fn live_once(app: &TestApp, client: &mut Client, end: End) {
    let task = ProcessSpec::new("probe-task").args(Body::Json("[]".to_owned()));
    let (pid, mark) = client.spawn_monitor(task).await.expect("there is room");
    if end == End::Killed {
        app.runtime.kill(pid);
    }
    loop {
        match client.receive(PATIENCE).await {
            Some(Event::Down { mark: of, reason, .. }) if of == mark => {
                let killed = end == End::Killed && reason == ExitReason::Killed;
                assert!(killed || reason == ExitReason::Normal, "{reason}");
                return;
            }
            // Its result comes before.
            Some(Event::Answer { .. }) => {}
            other => panic!("not the end of a task: {other:?}"),
        }
    }
}

/// A server has its instance made anew, and gives it back behind the answer.
async fn wake(client: &mut Client, number: u64) {
    let body = Body::Json(json!({ "Add": 1 }).to_string());
    client.call(Address::Name(name(number).into()), body, Some(PATIENCE)).await.expect("it answers");
}

/// What there is when nobody does anything any more.
async fn rested(app: &TestApp) -> Footing {
    let at_rest = || {
        let footing = Footing::of(app);
        (footing.instances == 0).then_some(footing)
    };
    eventually("all to rest", at_rest).await
}
