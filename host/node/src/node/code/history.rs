//! What became of each upgrade, the last ones, also of a node's earlier lives.
//!
//! Owns a bounded list, in memory and in a file of JSON lines. Never decides anything, and a file that cannot be written
//! never stands in an upgrade's way.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use skep_runtime::upgrade::{Pauses, Summary};

use super::CodeId;
use crate::node::file;

/// Events that are kept: a busy day of `run --watch`, in a file of some 100 kB.
const KEPT: usize = 200;
/// Bytes of a refusal's text that are kept.
const TEXT_BYTES: usize = 1_024;

/// One upgrade, or one that did not take place.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// When it was over, in milliseconds since 1970.
    pub time_ms: u64,
    /// What was asked.
    pub how: How,
    /// Of which app.
    pub app: String,
    /// Which module.
    pub module: String,
    /// The code that ran.
    pub from: CodeId,
    /// The code that was to take its place.
    pub to: CodeId,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Who wants other code to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// An operator, with new code.
    Upgrade,
    /// An operator, with code that ran before.
    Rollback,
    /// An operator, with a whole manifest.
    Deploy,
    /// A source that changed under `skep run --watch`.
    Watch,
}

/// What came of an upgrade.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// The new code runs.
    Done {
        /// What was done.
        figures: Figures,
    },
    /// Nothing has happened.
    Refused {
        /// A stable word.
        code: String,
        /// Why, in one line.
        message: String,
    },
    /// Nothing has happened: whoever asked for it has gone.
    CalledOff,
}

/// What an upgrade has done, in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Processes that run on the new code now, or will begin on it.
    pub processes: usize,
    /// Of these, those whose state was taken over.
    pub migrated: usize,
    /// Of these, those that were hibernated, and still are.
    pub hibernated: usize,
    /// Of the migrated, those that were in the middle of something and had to be waited for.
    pub waited_for: usize,
    /// Processes that had not begun.
    pub not_begun: usize,
    /// Tasks, which finish on the code they began with.
    pub tasks: usize,
    /// Bytes of all states, as the new code writes them.
    pub state_bytes: u64,
    /// Half of the processes stood still no longer than this, in microseconds.
    pub pause_p50_us: u64,
    /// 99 of 100 no longer than this.
    pub pause_p99_us: u64,
    /// None longer than this.
    pub pause_max_us: u64,
    /// How long all of it took.
    pub took_us: u64,
}

impl From<&Summary> for Figures {
    fn from(summary: &Summary) -> Self {
        let Summary { migrated, hibernated, waited_for, not_begun, tasks, state_bytes, pause, took, ungranted: _ } =
            summary.clone();
        let Pauses { p50, p99, max } = pause;
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Figures {
            processes: migrated + not_begun,
            migrated,
            hibernated,
            waited_for,
            not_begun,
            tasks,
            state_bytes,
            pause_p50_us: us(p50),
            pause_p99_us: us(p99),
            pause_max_us: us(max),
            took_us: us(took),
        }
    }
}

impl Outcome {
    /// Nothing has happened, for this reason.
    #[must_use]
    pub fn refused(code: &str, message: &str) -> Self {
        let mut message = message.to_owned();
        if message.len() > TEXT_BYTES {
            message.truncate(message.floor_char_boundary(TEXT_BYTES));
            message.push('…');
        }
        Outcome::Refused { code: code.to_owned(), message }
    }
}

/// The last upgrades.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    events: Mutex<VecDeque<Event>>,
    /// Held while the file is written.
    writing: Mutex<()>,
}

impl History {
    /// What this file has of earlier lives. A line that cannot be read is left out.
    #[must_use]
    pub fn open(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let mut events: VecDeque<Event> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        events.drain(..events.len().saturating_sub(KEPT));
        History { path, events: Mutex::new(events), writing: Mutex::default() }
    }

    /// The last upgrades, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().iter().cloned().collect()
    }

    /// Adds one, which is in the file once that is saved.
    pub fn add(&self, event: Event) {
        let mut events = self.events.lock();
        events.push_back(event);
        if events.len() > KEPT {
            events.pop_front();
        }
    }

    /// Writes the file. Blocks for as long as a disk takes for a small one.
    pub fn save(&self) {
        let _one_at_a_time = self.writing.lock();
        let lines = self.events().into_iter().map(|event| serde_json::to_string(&event).unwrap_or_default() + "\n");
        let text: String = lines.collect();
        // It is in memory and in the log, whatever becomes of the file.
        let _ = file::replace(&self.path, text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(time_ms: u64, outcome: Outcome) -> Event {
        let code = |letter: &str, version| CodeId { digest: letter.repeat(64), version: Some(version) };
        Event {
            time_ms,
            how: How::Upgrade,
            app: "a".into(),
            module: "m".into(),
            from: code("1", 1),
            to: code("2", 2),
            outcome,
        }
    }

    #[test]
    fn the_last_events_outlive_the_node_and_a_bad_line_is_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("upgrades.jsonl");
        let history = History::open(path.clone());
        for time_ms in 0..KEPT as u64 + 5 {
            history.add(event(time_ms, Outcome::CalledOff));
        }
        history.save();
        assert_eq!(History::open(path.clone()).events(), history.events());
        assert_eq!(history.events().len(), KEPT);
        let done = Outcome::Done { figures: Figures { processes: 3, ..Figures::default() } };
        history.add(event(1_000, done.clone()));
        history.save();
        let text = std::fs::read_to_string(&path).expect("it is there").replacen('{', "[", 1);
        std::fs::write(&path, text).expect("it is ours");
        let events = History::open(path).events();
        assert_eq!(events.len(), KEPT - 1);
        assert_eq!(events.last().map(|event| event.outcome.clone()), Some(done));
    }

    #[test]
    fn a_long_refusal_is_cut() {
        let Outcome::Refused { message, .. } = Outcome::refused("busy", &"ü".repeat(TEXT_BYTES)) else {
            panic!("it is one");
        };
        assert!(message.len() <= TEXT_BYTES + 3 && message.ends_with('…'));
    }
}
