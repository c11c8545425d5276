//! Who did what to a node, when, and what came of it: on the node's own disk, for its owner.
//!
//! Owns the files and their bound: a full one is put aside, and the oldest is dropped. Bodies of messages are never in it.
//! Written by the control API for all that may change something, and for all that was turned away; a look that changes
//! nothing is not written down, or a dashboard would push out everything else.
//!
//! ```text
//! <home>/nodes/<name>/audit.jsonl                 the latest, an entry a line
//! <home>/nodes/<name>/audit.1.jsonl … .4.jsonl    what came before
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Bytes of one file: some 5,000 entries.
const FILE_BYTES: u64 = 1 << 20;
/// Files that are kept beside the one that is written.
const OLD_FILES: usize = 4;
/// Characters of what somebody else chose.
const TEXT: usize = 200;

/// Something that was done, or turned away.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// When it was asked for, in milliseconds since 1970.
    pub time_ms: u64,
    /// `uid 1000` on the socket; the name of a token elsewhere; `nobody` without one.
    pub who: String,
    /// From where: an address, if not over the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What: the last part of the request's path.
    pub action: String,
    /// To what: a process, a module, an app, a manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `done`, or the word of the refusal.
    pub result: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// The log of a node's control API.
#[derive(Debug)]
pub struct Audit {
    folder: PathBuf,
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    file: Option<File>,
    bytes: u64,
}

impl Audit {
    /// The log in this folder.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Audit { folder: folder.to_owned(), latest: Mutex::default() }
    }

    /// Writes one down. What is too long is cut off.
    pub fn write(&self, mut entry: Entry) -> io::Result<()> {
        for text in [Some(&mut entry.action), entry.target.as_mut()].into_iter().flatten() {
            if let Some((end, _)) = text.char_indices().nth(TEXT) {
                text.truncate(end);
                text.push('…');
            }
        }
        let mut line = serde_json::to_string(&entry)?;
        line.push('\n');
        let mut latest = self.latest.lock();
        if latest.file.is_none() {
            *latest = self.open()?;
        }
        if latest.bytes + line.len() as u64 > FILE_BYTES {
            latest.file = None;
            self.put_aside()?;
            *latest = self.open()?;
        }
        let Latest { file: Some(file), bytes } = &mut *latest else { return Ok(()) };
        // One write for a line: a crash leaves all of it, or its beginning at the very end.
        file.write_all(line.as_bytes())?;
        *bytes += line.len() as u64;
        Ok(())
    }

    /// All that is kept, the oldest first. A line that cannot be read is left out.
    #[must_use]
    pub fn read(&self) -> Vec<Entry> {
        let files = (0..=OLD_FILES).rev().filter_map(|age| fs::read_to_string(self.path(age)).ok());
        files
            .flat_map(|text| text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<_>>())
            .collect()
    }

    fn open(&self) -> io::Result<Latest> {
        let mut file = OpenOptions::new().append(true).read(true).create(true).mode(0o600).open(self.path(0))?;
        let mut bytes = file.metadata()?.len();
        if !ends_with_a_line(&file, bytes)? {
            // What was cut off keeps a line of its own, and spoils no other.
            file.write_all(b"\n")?;
            bytes += 1;
        }
        Ok(Latest { file: Some(file), bytes })
    }

    fn put_aside(&self) -> io::Result<()> {
        for age in (0..OLD_FILES).rev() {
            match fs::rename(self.path(age), self.path(age + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, age: usize) -> PathBuf {
        self.folder.join(if age == 0 { "audit.jsonl".to_owned() } else { format!("audit.{age}.jsonl") })
    }
}

fn ends_with_a_line(file: &File, bytes: u64) -> io::Result<bool> {
    use std::os::unix::fs::FileExt;
    let mut last = [b'\n'];
    if let Some(at) = bytes.checked_sub(1) {
        file.read_exact_at(&mut last, at)?;
    }
    Ok(last == [b'\n'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn entry(number: u64) -> Entry {
        Entry {
            time_ms: number,
            who: "uid 0".to_owned(),
            from: None,
            action: "call".to_owned(),
            target: Some("counter".to_owned()),
            result: "done".to_owned(),
            took_ms: 1,
        }
    }

    #[test]
    fn what_is_written_outlives_the_node_and_is_its_owners() {
        let folder = tempfile::tempdir().expect("a folder");
        Audit::of(folder.path()).write(entry(1)).expect("it can be written");
        // As a crash in the middle of a line leaves it.
        let path = folder.path().join("audit.jsonl");
        let mut text = fs::read_to_string(&path).expect("it is there");
        text.push_str("{\"time_ms\":");
        fs::write(&path, text).expect("it is ours");
        let audit = Audit::of(folder.path());
        audit.write(entry(2)).expect("it can be written");
        assert_eq!(audit.read(), [entry(1), entry(2)]);
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn it_never_grows_beyond_its_bound_and_what_is_latest_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let audit = Audit::of(folder.path());
        let long = |number| Entry { target: Some("ü".repeat(1 << 20)), ..entry(number) };
        let mut written = 0;
        for _ in 0..(OLD_FILES as u64 + 3) * (FILE_BYTES / 500) {
            written += 1;
            audit.write(long(written)).expect("it can be written");
        }
        let sizes: Vec<u64> = fs::read_dir(folder.path())
            .expect("it is there")
            .map(|entry| entry.and_then(|entry| entry.metadata()).expect("it is there").len())
            .collect();
        assert_eq!(sizes.len(), OLD_FILES + 1);
        assert!(sizes.iter().all(|size| *size <= FILE_BYTES), "{sizes:?}");
        let kept = audit.read();
        let numbers: Vec<u64> = kept.iter().map(|entry| entry.time_ms).collect();
        let first = written + 1 - kept.len() as u64;
        assert_eq!(numbers, (first..=written).collect::<Vec<_>>());
        assert!(first > 1);
        assert_eq!(kept[0].target.as_ref().map(|target| target.chars().count()), Some(TEXT + 1));
    }
}
