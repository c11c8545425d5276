//! What is printed when something went wrong: what, where, and what to do about it.
//!
//! Owns the form of every error and the exit code. Everything that fails becomes one of these, here and nowhere else.

use std::fmt;
use std::io::IsTerminal;
use std::process::ExitCode;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use super::log_line::Colour;
use super::safe;
use crate::build::BuildError;
use crate::control::client::{ClientError, ElsewhereError};
use crate::control::protocol::Problem;
use crate::manifest::{ManifestError, Place};
use crate::node::NodeError;
use crate::node::body;
use crate::node::code::refused::Refused;
use crate::node::deploy::DeployError;
use crate::node::home::HomeError;
use skep_runtime::{RuntimeError, StartError};

/// Columns of an error, as of the help texts.
const WIDTH: usize = 100;

/// Why the command failed.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    code: String,
    remedy: Option<String>,
    detail: Option<String>,
    place: Option<Box<Shown>>,
    usage: bool,
}

/// A place, with the text around it in the form that it is shown in.
#[derive(Debug)]
struct Shown {
    place: Place,
    text: NamedSource<String>,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
            code: "failed".to_owned(),
            remedy: None,
            detail: None,
            place: None,
            usage: false,
        }
    }

    /// What was typed makes no sense.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Failure { usage: true, code: "usage".to_owned(), ..Failure::new(message) }
    }

    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(super) fn code(mut self, code: &str) -> Self {
        self.code = code.to_owned();
        self
    }

    pub(super) fn place(mut self, place: &Place) -> Self {
        let name = place.source.path.display().to_string();
        let text = NamedSource::new(name, place.source.text.to_string());
        self.place = Some(Box::new(Shown { place: place.clone(), text }));
        self
    }

    /// 2 for wrong usage, else 1.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.usage { 2 } else { 1 })
    }

    /// Prints it on standard error.
    #[allow(clippy::print_stderr, reason = "nothing is left to tell that standard error is closed")]
    pub(super) fn print(&self, json: bool) {
        if json {
            eprintln!("{}", safe::json(&self.to_json()));
        } else {
            let terminal = std::io::stderr().is_terminal();
            let theme = match Colour::on(terminal) {
                Colour::Always => GraphicalTheme::unicode(),
                Colour::Never => GraphicalTheme::unicode_nocolor(),
            };
            // What a script reads keeps its sentences in one line.
            eprint!("{}", self.rendered(GraphicalReportHandler::new_themed(theme).with_wrap_lines(terminal)));
        }
    }

    fn to_json(&self) -> String {
        let error = serde_json::json!({
            "code": self.code,
            "message": self.message,
            "remedy": self.remedy,
            "detail": self.detail,
            "place": self.place.as_ref().map(|shown| shown.place.to_string()),
        });
        serde_json::json!({ "error": error }).to_string()
    }

    fn rendered(&self, handler: GraphicalReportHandler) -> String {
        let mut text = String::new();
        if handler.with_width(WIDTH).with_links(false).render_report(&mut text, self).is_err() {
            text = format!("{self}\n");
        }
        if let Some(detail) = &self.detail {
            text.push_str(&safe::block(detail, "  "));
        }
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(safe::block(&self.message, "").trim_end())
    }
}

impl std::error::Error for Failure {}

impl Diagnostic for Failure {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.remedy.as_ref().map(|remedy| Box::new(safe::line(remedy)) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|shown| &shown.text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Place { source, span } = &self.place.as_ref()?.place;
        // A table or a section may span many lines; its first one says where it is.
        let text = source.text.get(span.clone()).unwrap_or_default();
        let length = text.lines().next().unwrap_or_default().len();
        Some(Box::new(std::iter::once(LabeledSpan::new(Some("here".to_owned()), span.start, length))))
    }
}

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        let mut failure = Failure::new(error.to_string()).code("manifest");
        failure.remedy = error.remedy().map(str::to_owned);
        match error.place() {
            Some(place) => failure.place(place),
            None => failure,
        }
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            message.push_str(&format!(": {error}"));
            cause = error.source();
        }
        let mut failure = Failure::new(message).code("build");
        failure.detail = error.output().map(str::to_owned);
        failure
    }
}

impl From<DeployError> for Failure {
    fn from(error: DeployError) -> Self {
        match error {
            DeployError::Refused(error) => error.into(),
            DeployError::Build { module, place, error } => {
                let mut failure = Failure::from(*error).place(&place);
                failure.message = format!("module `{module}` cannot be built: {}", failure.message);
                failure
            }
        }
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        let usage = matches!(error, HomeError::BadName { .. });
        let failure =
            if usage { Failure::usage(error.to_string()) } else { Failure::new(error.to_string()).code("home") };
        failure.remedy(error.remedy())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let code = match &error {
            ClientError::Home(_) => "home",
            ClientError::NotRunning { .. } | ClientError::NoneRunning { .. } => "not_running",
            ClientError::Several { .. } => "several_nodes",
            ClientError::Elsewhere(_) => "elsewhere",
            ClientError::Unreachable { .. } | ClientError::Lost { .. } => "unreachable",
            ClientError::Refused(problem) => &problem.code,
        };
        let mut failure = Failure::new(error.to_string()).code(code);
        failure.remedy = error.remedy();
        failure.usage = match &error {
            ClientError::Home(error) => matches!(error, HomeError::BadName { .. }),
            ClientError::Elsewhere(error) => matches!(error, ElsewhereError::BadAddress(_)),
            _ => false,
        };
        if let ClientError::Refused(problem) = error {
            failure.detail = problem.detail;
        }
        failure
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let mut failure = Failure::new(refused.to_string()).code(refused.code());
        failure.remedy = refused.remedy();
        failure.detail = refused.detail().map(str::to_owned);
        failure
    }
}

/// As a node sends it within a stream.
impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        ClientError::Refused(problem).into()
    }
}

impl From<RuntimeError> for Failure {
    fn from(error: RuntimeError) -> Self {
        Failure::new(format!("the runtime cannot be set up: {error}")).code("runtime")
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Runtime(error) => error.into(),
            NodeError::Admission(error) => error.into(),
            NodeError::Store(error) => Failure::new(error.to_string()).code("store").remedy(error.remedy()),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let why = match &error {
            StartError::Failed(error) => body::not_started(error),
            StartError::Taken(_) | StartError::Load(_) => error.to_string(),
        };
        Failure::new(format!("the app did not start: {why}"))
            .code("start")
            .remedy("the log above says which child failed, and how; everything started before it has been stopped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Manifest, Source};
    use std::path::Path;

    fn plain(failure: &Failure) -> String {
        failure.rendered(GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()))
    }

    #[test]
    fn a_bad_manifest_is_shown_with_its_line_and_a_remedy() {
        let source = Source { path: "app.toml".into(), text: "name = \"a\"\nmodul = 1\n".into() };
        let error = Manifest::parse(source, Path::new("/nowhere")).expect_err("it has a misspelt key");
        let failure = Failure::from(error);
        let text = plain(&failure);
        for part in ["unknown key `modul`", "app.toml:2:1", "modul = 1", "here", "did you mean `modules`?"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let json: serde_json::Value = serde_json::from_str(&failure.to_json()).expect("it is JSON");
        assert_eq!(json["error"]["place"], "app.toml:2:1");
    }

    #[test]
    fn what_a_guest_says_cannot_move_the_cursor() {
        let failure = Failure::new("it said \u{1b}[2J\u{202e}").detail("at \u{9b}one\nat two").remedy("\u{7}");
        let text = plain(&failure);
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\u{7}']), "{text:?}");
        assert!(text.contains("  at \\u{9b}one\n  at two\n"), "{text:?}");
    }
}
