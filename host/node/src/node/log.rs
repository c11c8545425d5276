//! What the node remembers of what happened, and whom it tells while it happens.
//!
//! Owns a bounded memory of entries and one channel to all followers. Never formats and never waits: it is called on
//! scheduler threads, and a follower that is too slow misses entries and learns how many.

mod entry;
mod limiter;

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use skep_runtime::observe::{Level, Observer, Report};
use std::sync::Arc;
use tokio::sync::broadcast;

pub use entry::{About, Entry, Importance, Quoted, What, Who, named};
use limiter::{Crashes, Limiter};

/// Entries remembered at most.
const REMEMBERED: usize = 10_000;
/// Bytes of text remembered at most: entries are bounded, but long ones would add up to 200 MB.
const REMEMBERED_BYTES: usize = 8 << 20;
/// Entries that a follower may be behind.
const BEHIND: usize = 1_024;

/// The log of a node.
pub struct Log {
    memory: Mutex<Memory>,
}

struct Memory {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    limiter: Limiter,
    crashes: Crashes,
    /// None once the log is closed.
    followers: Option<broadcast::Sender<Arc<Entry>>>,
}

impl Default for Log {
    fn default() -> Self {
        let memory = Memory {
            entries: VecDeque::new(),
            bytes: 0,
            limiter: Limiter::default(),
            crashes: Crashes::default(),
            followers: Some(broadcast::Sender::new(BEHIND)),
        };
        Log { memory: Mutex::new(memory) }
    }
}

/// The past of a log, and its future.
pub struct Following {
    /// The last entries there are, oldest first.
    pub past: Vec<Arc<Entry>>,
    /// Those to come, with none between; none if the log is closed.
    pub future: Option<broadcast::Receiver<Arc<Entry>>>,
}

impl Log {
    /// The last `lines` entries that `wanted` accepts, and all that are to come.
    pub fn follow(&self, lines: usize, wanted: impl Fn(&Entry) -> bool) -> Following {
        let memory = self.memory.lock();
        let mut past: Vec<_> = memory.entries.iter().rev().filter(|entry| wanted(entry)).take(lines).cloned().collect();
        past.reverse();
        Following { past, future: memory.followers.as_ref().map(broadcast::Sender::subscribe) }
    }

    /// Adds a line of the node's own.
    pub fn note(&self, level: Level, message: String) {
        self.memory.lock().push(Entry::now(What::Node { level: level.into(), message }));
    }

    /// Tells how many lines were suppressed, if the second for that is over. To be called about once a second.
    pub fn tick(&self) {
        let now_ms = now_ms();
        self.memory.lock().close_second(now_ms);
    }

    /// Ends every following, when all has been told.
    pub fn close(&self) {
        let mut memory = self.memory.lock();
        memory.close_second(u64::MAX);
        memory.followers = None;
    }
}

impl Observer for Log {
    fn report(&self, report: Report) {
        let now_ms = now_ms();
        let entry = Entry::new(now_ms, report);
        let mut memory = self.memory.lock();
        memory.close_second(now_ms);
        let source = entry.who.as_ref().map_or("", Who::process);
        let app = entry.who.as_ref().map_or("", |who| &who.app);
        if matches!(entry.what, What::Crash { .. }) && !memory.crashes.admits(app) {
            return;
        }
        if memory.limiter.admits(source, entry.len()) {
            memory.push(entry);
        }
    }
}

impl Memory {
    fn close_second(&mut self, now_ms: u64) {
        let time_ms = if now_ms == u64::MAX { self::now_ms() } else { now_ms };
        if let Some(lines) = self.limiter.advance(now_ms / 1_000) {
            self.push(Entry { time_ms, who: None, what: What::Suppressed { lines } });
        }
        for (in_app, crashes) in self.crashes.advance(now_ms / 1_000) {
            self.push(Entry { time_ms, who: None, what: What::CrashesLeftOut { in_app, crashes } });
        }
    }

    fn push(&mut self, entry: Entry) {
        let entry = Arc::new(entry);
        self.bytes += entry.len();
        self.entries.push_back(Arc::clone(&entry));
        while self.entries.len() > REMEMBERED || self.bytes > REMEMBERED_BYTES {
            let oldest = self.entries.pop_front();
            self.bytes -= oldest.map_or(0, |oldest| oldest.len());
        }
        if let Some(followers) = &self.followers {
            // Fails where nobody follows.
            let _ = followers.send(entry);
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use skep_runtime::kernel::Pid;
    use skep_runtime::observe::Subject;

    fn report(label: &str, message: String) -> Report {
        let pid = Pid { node: 0, id: 7, tag: 0xbeef };
        let subject = Subject { app: "a".into(), module: Some("m".into()), label: Some(label.into()), pid };
        Report::Log { subject, level: Level::Info, message }
    }

    fn message(entry: &Entry) -> &str {
        match &entry.what {
            What::Log { message, .. } | What::Node { message, .. } => message,
            _ => "",
        }
    }

    #[test]
    fn the_past_and_the_future_meet_without_a_gap() {
        let log = Log::default();
        for text in ["one", "two", "three"] {
            log.note(Level::Info, text.to_owned());
        }
        let mut following = log.follow(2, |_| true);
        log.report(report("c", "four".to_owned()));
        log.close();
        log.note(Level::Info, "after the end".to_owned());
        let past: Vec<&str> = following.past.iter().map(|entry| message(entry)).collect();
        assert_eq!(past, ["two", "three"]);
        let future = following.future.as_mut().expect("it was open");
        assert_eq!(message(&future.try_recv().expect("it was told")), "four");
        assert!(matches!(future.try_recv(), Err(broadcast::error::TryRecvError::Closed)));
        assert!(log.follow(0, |_| true).future.is_none());
    }

    #[test]
    fn memory_is_bounded_in_entries_and_bytes() {
        let log = Log::default();
        for _ in 0..REMEMBERED + 5 {
            log.note(Level::Info, String::new());
        }
        assert_eq!(log.memory.lock().entries.len(), REMEMBERED);
        log.note(Level::Info, "x".repeat(REMEMBERED_BYTES - 1_000));
        let memory = log.memory.lock();
        assert!(memory.bytes <= REMEMBERED_BYTES && memory.entries.len() < REMEMBERED);
    }

    #[test]
    fn a_storm_is_cut_and_counted() {
        let log = Log::default();
        for number in 0..5_000 {
            log.report(report("loud", number.to_string()));
        }
        log.close();
        let entries = log.follow(usize::MAX, |_| true).past;
        let suppressed: u64 =
            entries.iter().map(|entry| if let What::Suppressed { lines } = entry.what { lines } else { 0 }).sum();
        let shown = entries.iter().filter(|entry| matches!(entry.what, What::Log { .. })).count() as u64;
        assert_eq!(shown + suppressed, 5_000);
        assert!(suppressed > 1_000, "{suppressed}");
    }

    #[test]
    fn a_crash_storm_is_left_out_and_counted_and_other_lines_are_not() {
        let log = Log::default();
        for number in 0..100 {
            log.report(crash("loop"));
            log.report(report("loop", number.to_string()));
        }
        log.close();
        let entries = log.follow(usize::MAX, |_| true).past;
        let shown = entries.iter().filter(|entry| matches!(entry.what, What::Crash { .. })).count() as u64;
        let left_out = |entry: &Arc<Entry>| match &entry.what {
            What::CrashesLeftOut { in_app, crashes } => Some((in_app.clone(), *crashes)),
            _ => None,
        };
        let left_out: Vec<_> = entries.iter().filter_map(left_out).collect();
        let in_all: u64 = left_out.iter().map(|(_, crashes)| crashes).sum();
        assert!(left_out.iter().all(|(app, _)| app == "a"));
        // A window may end meanwhile.
        assert!(shown + in_all == 100 && shown <= 40, "{shown} and {in_all}");
        assert_eq!(entries.iter().filter(|entry| matches!(entry.what, What::Log { .. })).count(), 100);
    }

    #[test]
    fn a_crash_is_told_in_full_and_reads_back() {
        let Report::Crash { subject, .. } = crash("c") else { unreachable!() };
        let entry = Entry::new(1_000, crash("c"));
        let text = serde_json::to_string(&entry).expect("it is plain data");
        let about = concat!(
            r#"{"path":"a/b/c","name":"n","version":3,"digest":"0123456789ab","#,
            r#""message":{"form":"messagepack","text":"{\"Add\":2}","bytes":6,"cut":false},"#,
            r#""links":["<0.8> store","<0.9>"],"links_total":2,"lived_ms":1500,"decision":"restarting","restarts":4}"#
        );
        let whole = format!(
            r#"{{"time_ms":1000,"app":"a","process":"c","module":"m","pid":"{}","kind":"crash","reason":"failed: no","handling":"call","trace":"here","about":{about}}}"#,
            subject.pid
        );
        assert_eq!(text, whole);
        let back: Entry = serde_json::from_str(&text).expect("it was an entry");
        assert_eq!(serde_json::to_string(&back).expect("it is plain data"), whole);
    }

    #[test]
    fn crashes_left_out_read_back() {
        let entry = Entry::now(What::CrashesLeftOut { in_app: "a".to_owned(), crashes: 7 });
        let text = serde_json::to_string(&entry).expect("it is plain data");
        let back: Entry = serde_json::from_str(&text).expect("it was an entry");
        assert!(matches!(back.what, What::CrashesLeftOut { in_app, crashes: 7 } if in_app == "a"), "{text}");
    }

    fn crash(label: &str) -> Report {
        use skep_runtime::kernel::{Body, ExitReason};
        use skep_runtime::observe::{Circumstances, Decision, Excerpt, Peer};
        let pid = Pid { node: 0, id: 7, tag: 0xbeef };
        let subject = Subject { app: "a".into(), module: Some("m".into()), label: Some(label.into()), pid };
        let message = rmp_serde::to_vec_named(&serde_json::json!({ "Add": 2 })).expect("it is plain data");
        let about = Circumstances {
            path: "a/b/c".to_owned(),
            name: Some("n".into()),
            version: Some(3),
            digest: Some("0123456789abcdef".to_owned()),
            message: Some(Excerpt { bytes: message.len(), body: Body::MessagePack(message) }),
            links: (
                vec![
                    Peer { pid: Pid { id: 8, ..pid }, name: Some("store".into()) },
                    Peer { pid: Pid { id: 9, ..pid }, name: None },
                ],
                2,
            ),
            lived: std::time::Duration::from_millis(1_500),
            decision: Decision::Restarting { restarts: 4 },
        };
        Report::Crash {
            subject,
            reason: ExitReason::failed("no"),
            trace: "here".to_owned(),
            handling: Some("call"),
            about: Box::new(about),
        }
    }

    #[test]
    fn entries_are_json_without_tags() {
        let entry = Entry::new(1_000, report("c", "hi".to_owned()));
        let text = serde_json::to_string(&entry).expect("it is plain data");
        let whole = r#"{"time_ms":1000,"app":"a","process":"c","module":"m","pid":"<0.7>","kind":"log","level":"info","message":"hi"}"#;
        assert_eq!(text, whole);
        let back: Entry = serde_json::from_str(&text).expect("it was an entry");
        assert_eq!(serde_json::to_string(&back).expect("it is plain data"), whole);
    }
}
