//! What the others notice of a crime: the neighbour's answers, the host's memory, its threads and its open files.
//!
//! Owns the stopwatch and the reading of `/proc`. What counts as too much is said here, with its reason, and in no test.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skep_tests::TestApp;
use skep_tests::app::PATIENCE;

/// How long the neighbour's answer may take on any machine, however busy. It is milliseconds; beyond this it hangs.
pub const LONGEST: Duration = Duration::from_secs(2);
/// How long half of its answers may take at most. Alone it answers in less than a millisecond.
pub const MEDIAN: Duration = Duration::from_millis(100);
/// Memory that may stay after a crime: what the allocator keeps for the next one, and the pool of its places.
pub const STAYS_MIB: u64 = 48;

/// Calls before a crime and, at least, during it.
const TIMES: usize = 100;

/// How long answers took, the shortest first.
pub struct Times(Vec<Duration>);

impl Times {
    /// So many of a hundred were not slower.
    fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [half, most, all] = [50, 99, 100].map(|percent| self.percentile(percent));
        write!(f, "p50 {half:.1?}, p99 {most:.1?}, at most {all:.1?} of {}", self.0.len())
    }
}

/// Calls the neighbour at least `times` times, one call after the other, until `over`. Each must be answered.
async fn calls(app: &TestApp, times: usize, over: impl Fn() -> bool) -> Times {
    let Value::Number(first) = app.ask("neighbour", json!("Get")).await else { panic!("no number") };
    let mut taken = Vec::new();
    while taken.len() < times || !over() {
        let started = Instant::now();
        let count = app.ask("neighbour", json!({ "Add": 1 })).await;
        taken.push(started.elapsed());
        assert_eq!(count.as_u64(), first.as_u64().map(|first| first + taken.len() as u64), "nothing is lost");
    }
    taken.sort();
    Times(taken)
}

/// Does something evil, and calls the neighbour before and all the while.
pub async fn beside_the_neighbour<T>(app: &TestApp, what: &str, evil: impl Future<Output = T>) -> T {
    let before = calls(app, TIMES, || true).await;
    let done = Cell::new(false);
    let evil = async {
        let result = evil.await;
        done.set(true);
        result
    };
    let (result, during) = tokio::join!(evil, calls(app, TIMES, || done.get()));
    println!("{what}: the neighbour answers before in {before}; during in {during}");
    assert!(during.percentile(100) < LONGEST, "{what}: the neighbour waited for {:?}", during.percentile(100));
    assert!(during.percentile(50) < MEDIAN, "{what}: the neighbour mostly waited for {:?}", during.percentile(50));
    result
}

/// What this program has of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    pub memory_mib: u64,
    threads: usize,
    files: usize,
}

impl Host {
    pub fn now() -> Self {
        Host { memory_mib: memory_mib(), threads: threads(), files: files() }
    }

    /// Waits until all is as it was, but for the memory that may stay.
    pub async fn comes_back(&self, what: &str) {
        let as_before = |now: &Host| {
            now.memory_mib <= self.memory_mib + STAYS_MIB && now.threads <= self.threads && now.files <= self.files
        };
        let started = Instant::now();
        while !as_before(&Host::now()) {
            let late = started.elapsed() >= PATIENCE;
            assert!(!late, "{what}: before {self:?}, afterwards {:?}; open are {:?}", Host::now(), open_files());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// What is resident.
fn memory_mib() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").expect("Linux says");
    let pages: u64 = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("the second is resident");
    (pages * rustix::param::page_size() as u64) >> 20
}

/// All threads but those of the test harness, which are called after tests: `module::test`.
fn threads() -> usize {
    let all = fs::read_dir("/proc/self/task").expect("Linux says");
    let names = all.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
    names.filter(|name| !name.contains("::")).count()
}

fn files() -> usize {
    open_files().len()
}

/// All open files but those of compiled code, which are as many as there are modules: what is compiled lies in a file, or
/// its data in a memory that has the form of one.
fn open_files() -> Vec<PathBuf> {
    let all = fs::read_dir("/proc/self/fd").expect("Linux says").flatten();
    let paths = all.filter_map(|file| fs::read_link(file.path()).ok());
    let is_code = |path: &PathBuf| {
        let name = path.to_string_lossy();
        name.contains(".cwasm") || name.contains("wasm-memory-image")
    };
    paths.filter(|path| !is_code(path)).collect()
}

/// Looks at the memory every few milliseconds.
pub struct Sampler {
    over: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Sampler {
    pub fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = over.clone();
        let look = move || {
            let mut most = 0;
            while !seen.load(Ordering::Relaxed) {
                most = most.max(memory_mib());
                std::thread::sleep(Duration::from_millis(2));
            }
            most
        };
        let thread = std::thread::Builder::new().name("watch::memory".into()).spawn(look).expect("a thread");
        Sampler { over, thread }
    }

    /// The most there was.
    pub fn stop(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("it only reads").max(memory_mib())
    }
}
