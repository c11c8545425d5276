//! What is wrong with a manifest, where, and what to do about it.
//!
//! Owns places in the text. Never renders them: the command does, with the line of the manifest.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::suggest;

/// A manifest's path and text, shared by all that points into it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path, as it was given.
    pub path: PathBuf,
    /// The whole text.
    pub text: Arc<str>,
}

impl Source {
    /// An error about these bytes of the text.
    #[must_use]
    pub fn error(&self, span: Range<usize>, problem: impl Into<String>, remedy: impl Into<String>) -> ManifestError {
        ManifestError {
            problem: problem.into(),
            remedy: Some(remedy.into()),
            place: Some(Box::new(Place { source: self.clone(), span })),
        }
    }

    /// An error of the parser, in a manifest's words.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> ManifestError {
        let (problem, remedy) = reworded(error.message());
        let place = error.span().map(|span| Box::new(Place { source: self.clone(), span }));
        ManifestError { problem, remedy, place }
    }
}

/// Some bytes of a manifest.
#[derive(Clone, Debug)]
pub struct Place {
    /// Of which manifest.
    pub source: Source,
    /// Which bytes.
    pub span: Range<usize>,
}

impl Place {
    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// The character within the line, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.before().rsplit('\n').next().unwrap_or_default().chars().count() + 1
    }

    fn before(&self) -> &str {
        self.source.text.get(..self.span.start).unwrap_or(&self.source.text)
    }
}

/// `app.toml:3:7`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source.path.display(), self.line(), self.column())
    }
}

/// Why a manifest is refused. Nothing has been started.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{problem}")]
pub struct ManifestError {
    problem: String,
    remedy: Option<String>,
    place: Option<Box<Place>>,
}

impl ManifestError {
    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        ManifestError {
            problem: format!("cannot read the manifest {}: {error}", path.display()),
            remedy: Some("give the path of an app's manifest, such as `skep run app.toml`".to_owned()),
            place: None,
        }
    }

    /// Where it is, if it is about a part of the text.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_deref()
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

/// serde speaks of fields and variants; a manifest has keys and values, and a misspelt one was meant to be another.
fn reworded(message: &str) -> (String, Option<String>) {
    let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if let (true, [found, known @ ..]) = (message.starts_with("unknown field"), words.as_slice()) {
        return (format!("unknown key `{found}`"), Some(suggest::remedy(found, "keys here", known.iter().copied())));
    }
    if let (true, [found, known @ ..]) = (message.starts_with("unknown variant"), words.as_slice()) {
        return (
            format!("unknown value `{found}`"),
            Some(suggest::remedy(found, "values here", known.iter().copied())),
        );
    }
    if let (true, [missing]) = (message.starts_with("missing field"), words.as_slice()) {
        let remedy = match *missing {
            "supervisor" => "add a section [supervisor], and in it [[supervisor.children]]".to_owned(),
            key => format!("add a line that begins with `{key} =`"),
        };
        return (format!("the key `{missing}` is missing"), Some(remedy));
    }
    (message.to_owned(), Some("correct it here; `skep run --help` shows a whole manifest".to_owned()))
}
