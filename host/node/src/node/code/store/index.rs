//! Which module ran which code, and in which order.
//!
//! Owns the rule where a rollback leads to, and which code is forgotten. Never touches the code's files: the store does.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::node::code::CodeId;

/// Code that is kept for each module, beside what runs: enough for a week of fixes.
const KEPT: usize = 10;
/// Upgrades of a module that can be gone back one by one.
const STEPS_BACK: usize = 10;
/// The layout of the file.
const FORMAT: u32 = 1;

/// What all modules of a node ran.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Index {
    format: u32,
    /// By app, then by module.
    apps: BTreeMap<String, BTreeMap<String, Ran>>,
}

/// What a module ran.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Ran {
    /// Digests, each the code that was left for the next; the last is the one that runs. The same code may be in it
    /// twice: upgraded from 1 to 2 and on to 1 again, the way back leads over 2.
    line: Vec<String>,
    /// All code that is kept, the one that came last at the end.
    kept: Vec<Kept>,
}

/// Code that is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Which.
    pub code: CodeId,
    /// Its size.
    pub bytes: u64,
    /// When it came, in milliseconds since 1970.
    pub came_ms: u64,
    /// Where it came from, such as the path of a file.
    pub origin: String,
    /// The signature that came with it; checked again before it runs again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// Why an index cannot be read.
pub(super) enum IndexError {
    /// The file cannot be.
    Unreadable(io::Error),
    /// What is in it makes no sense.
    Damaged(String),
}

impl Default for Index {
    fn default() -> Self {
        Index { format: FORMAT, apps: BTreeMap::new() }
    }
}

impl Index {
    /// The index in this file; an empty one if there is none.
    pub(super) fn read(path: &Path) -> Result<Self, IndexError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Index::default()),
            Err(error) => return Err(IndexError::Unreadable(error)),
        };
        let index: Index = serde_json::from_slice(&text).map_err(|error| IndexError::Damaged(error.to_string()))?;
        if index.format != FORMAT {
            return Err(IndexError::Damaged(format!(
                "its format is {}, and this version reads {FORMAT}",
                index.format
            )));
        }
        // They become names of files.
        match index.digests().iter().find(|digest| !is_digest(digest)) {
            Some(bad) => Err(IndexError::Damaged(format!("`{bad}` is no digest"))),
            None => Ok(index),
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| panic!("it is plain data with text as keys: {error}"))
    }

    pub(super) fn ran(&self, app: &str, module: &str) -> Ran {
        self.apps.get(app).and_then(|modules| modules.get(module)).cloned().unwrap_or_default()
    }

    pub(super) fn entry(&mut self, app: &str, module: &str) -> &mut Ran {
        self.apps.entry(app.to_owned()).or_default().entry(module.to_owned()).or_default()
    }

    /// All code that some module refers to.
    pub(super) fn digests(&self) -> BTreeSet<String> {
        let all = self.apps.values().flat_map(BTreeMap::values).flat_map(|ran| &ran.kept);
        all.map(|kept| kept.code.digest.clone()).collect()
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl Ran {
    /// All code that is kept, the one that came first at the front.
    #[must_use]
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The code that was left for the one that runs now, by its digest: where a rollback leads to.
    #[must_use]
    pub fn before(&self, current: &str) -> Option<&str> {
        match self.line.iter().rposition(|digest| digest == current) {
            Some(place) => self.line[..place].last(),
            // It came here without being kept, so it was left for nothing that is known.
            None => self.line.last(),
        }
        .map(String::as_str)
    }

    /// The kept code of this digest.
    #[must_use]
    pub fn get(&self, digest: &str) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.code.digest == digest)
    }

    /// The kept code that an operator means: of this state version, the one that came last; or whose digest begins so.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&Kept> {
        let version: Option<u32> = text.parse().ok();
        let mut latest_first = self.kept.iter().rev();
        let of_version = latest_first.find(|kept| version.is_some() && kept.code.version == version);
        let begins = |kept: &&Kept| kept.code.digest.starts_with(&text.to_lowercase());
        of_version.or_else(|| self.kept.iter().rev().find(begins).filter(|_| !text.is_empty()))
    }

    /// Code has come. The same code again comes anew.
    pub(super) fn keep(&mut self, kept: Kept) {
        self.kept.retain(|other| other.code.digest != kept.code.digest);
        self.kept.push(kept);
    }

    /// An app began with this code. Where it ran before, what came after it has been left.
    pub(super) fn started(&mut self, digest: &str) {
        match self.line.iter().rposition(|ran| ran == digest) {
            Some(place) => self.line.truncate(place + 1),
            None => self.line.push(digest.to_owned()),
        }
    }

    /// This code took the place of that.
    pub(super) fn upgraded(&mut self, left: &str, digest: &str) {
        if self.line.last().is_none_or(|last| last != left) {
            self.line.push(left.to_owned());
        }
        self.line.push(digest.to_owned());
    }

    /// This code took its place again.
    pub(super) fn rolled_back(&mut self, digest: &str) {
        self.started(digest);
    }

    /// Forgets what is too much. What runs stays, then what a rollback leads to, then what came last.
    pub(super) fn forget(&mut self, running: &[String]) {
        let excess = self.line.len().saturating_sub(STEPS_BACK + 1);
        self.line.drain(..excess);
        let latest_first = self.kept.iter().rev().map(|kept| &kept.code.digest);
        let mut wanted: Vec<&String> = Vec::new();
        for digest in self.line.iter().rev().chain(latest_first) {
            if wanted.len() < KEPT && !wanted.contains(&digest) {
                wanted.push(digest);
            }
        }
        let wanted: BTreeSet<String> = wanted.into_iter().chain(running).cloned().collect();
        self.kept.retain(|kept| wanted.contains(&kept.code.digest));
        // There is no way back beyond what is forgotten.
        let forgotten = self.line.iter().rposition(|digest| self.get(digest).is_none());
        self.line.drain(..forgotten.map_or(0, |place| place + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(letter: char, version: u32) -> Kept {
        let code = CodeId { digest: letter.to_string().repeat(64), version: Some(version) };
        Kept { code, bytes: 1, came_ms: 0, origin: format!("{letter}.wasm"), signature: None }
    }

    fn digest(letter: char) -> String {
        letter.to_string().repeat(64)
    }

    /// `s` started with, `u` upgraded to, `r` rolled back to; each with the letter of the code.
    fn after(steps: &str) -> Ran {
        let mut ran = Ran::default();
        let mut current = String::new();
        for step in steps.split_whitespace() {
            let letter = step.chars().last().expect("a step has two letters");
            let next = digest(letter);
            match &step[..1] {
                "s" => {
                    ran.keep(kept(letter, 1));
                    ran.started(&next);
                }
                "u" => {
                    ran.keep(kept(letter, 1));
                    ran.upgraded(&current, &next);
                }
                _ => ran.rolled_back(&next),
            }
            ran.forget(std::slice::from_ref(&next));
            current = next;
        }
        ran
    }

    #[test]
    fn a_rollback_leads_to_what_was_left_for_what_runs() {
        let table = [
            ("s1", '1', None),
            ("s1 u2 u3", '3', Some('2')),
            ("s1 u2 u3 r2", '2', Some('1')),
            ("s1 u2 u3 r2 r1", '1', None),
            ("s1 u2 u3 r2 u4", '4', Some('2')),
            // To code that is not on the way back: what it was left for is its way back.
            ("s1 u2 r1 u2", '2', Some('1')),
            ("s1 u2 u1", '1', Some('2')),
            ("s1 u2 u1 r2", '2', Some('1')),
            ("s1 u2 u3 r1", '1', None),
            // The node ended, and began with what its manifest says.
            ("s1 u2 u3 s1", '1', None),
            ("s1 u2 s3", '3', Some('2')),
            // The code that runs was never kept.
            ("s1 u2", '9', Some('2')),
        ];
        for (steps, current, expected) in table {
            let ran = after(steps);
            assert_eq!(ran.before(&digest(current)), expected.map(digest).as_deref(), "{steps}");
        }
    }

    #[test]
    fn what_an_operator_means_is_found_by_version_or_digest() {
        let mut ran = Ran::default();
        for (letter, version) in [('a', 1), ('b', 1), ('7', 2)] {
            ran.keep(kept(letter, version));
        }
        for (text, expected) in [
            ("1", Some('b')),
            ("2", Some('7')),
            ("A", Some('a')),
            ("aaaa", Some('a')),
            ("777", Some('7')),
            ("", None),
            ("3", None),
            ("ab", None),
        ] {
            let found = ran.find(text).map(|kept| kept.code.digest.clone());
            assert_eq!(found, expected.map(digest), "{text}");
        }
    }

    #[test]
    fn what_is_too_much_is_forgotten_and_what_runs_is_not() {
        let mut ran = Ran::default();
        let code = "0123456789abcdef";
        ran.keep(kept('0', 1));
        ran.started(&digest('0'));
        for (left, next) in code.chars().zip(code.chars().skip(1)) {
            ran.keep(kept(next, 1));
            ran.upgraded(&digest(left), &digest(next));
            ran.forget(&[digest(next), digest('0')]);
        }
        let letters: String = ran.kept().iter().filter_map(|kept| kept.code.digest.chars().next()).collect();
        assert_eq!(letters, "06789abcdef");
        assert_eq!(ran.line.len(), KEPT);
        // Up and down between two, the way back has an end as well.
        for _ in 0..50 {
            ran.upgraded(&digest('f'), &digest('e'));
            ran.upgraded(&digest('e'), &digest('f'));
            ran.forget(&[]);
        }
        assert_eq!(ran.line.len(), STEPS_BACK + 1);
        assert_eq!(ran.kept().len(), KEPT);
    }
}
