//! Why a request is refused: status, code, message, remedy.
//!
//! Owns the mapping of every error of the node to one of these.

use std::time::Duration;

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use skep_runtime::kernel::{CallError, ExitReason, Name, Pid};
use skep_runtime::system::SystemError;

use crate::control::protocol::{Problem, Spot};
use crate::node::address::Unresolved;
use crate::node::body;
use crate::node::children::NotDone;
use crate::node::code::refused::Refused;
use crate::node::code::target::UnknownModule;
use crate::node::deployment::NotDeployed;
use crate::node::tokens::Scope;
use crate::suggest;

/// The word of a refusal, beside the response that has it in its body.
#[derive(Clone)]
pub(super) struct Code(pub(super) String);

/// An answer that is none.
pub(super) struct Refusal {
    status: StatusCode,
    problem: Problem,
}

impl Refusal {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        let problem = Problem { code, message, remedy: None, detail: None, place: None };
        Refusal { status, problem }
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.problem.remedy = Some(remedy.into());
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable word.
    pub(super) fn code(&self) -> &str {
        &self.problem.code
    }

    /// As it is sent within a stream.
    pub(super) fn problem(self) -> Problem {
        self.problem
    }

    /// The host's own may do anything.
    pub(super) fn not_a_guest(pid: Pid) -> Self {
        Refusal::new(StatusCode::CONFLICT, "not_a_guest", format!("{pid} is the host's own, and needs no grants"))
            .remedy("`skep ps` shows which processes have a module: these are guests")
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Refusal::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
            .remedy("`skep token new` makes one, where the node runs; it is read from --token-file or SKEP_TOKEN")
    }

    pub(super) fn too_many_failures() -> Self {
        let message = "there were too many requests from this address without a token that counts";
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_failures", message).remedy("wait for a minute")
    }

    pub(super) fn forbidden(who: &str, has: Scope, needed: Scope) -> Self {
        let message = format!("{who} may {}, and this needs `{}`", has.word(), needed.word());
        Refusal::new(StatusCode::FORBIDDEN, "forbidden", message)
            .remedy(format!("ask the node's owner for a token with `--scope {}`", needed.word()))
    }

    pub(super) fn unknown_app(wanted: &str, apps: &[Name]) -> Self {
        let remedy = suggest::remedy(wanted, "apps", apps.iter().map(|app| &**app));
        Refusal::not_found(format!("there is no app named `{wanted}`")).remedy(remedy)
    }

    /// A message that was not answered, or not delivered.
    pub(super) fn call(to: &str, timeout: Duration, error: &CallError) -> Self {
        match error {
            CallError::Timeout => {
                let message = format!("`{to}` did not reply within {} ms", timeout.as_millis());
                let remedy = "the request may still be performed; give it more time with --timeout (`timeout_ms`)";
                Refusal::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message).remedy(remedy)
            }
            CallError::Ended(ExitReason::Noproc) => {
                let message = format!("there is no process `{to}` any more");
                Refusal::new(StatusCode::NOT_FOUND, "unknown_process", message)
                    .remedy("`skep tree` shows whether it is being restarted")
            }
            CallError::Ended(reason) => {
                let message = format!("`{to}` ended before it replied: {}", body::reason(reason));
                let remedy = if reason.is_orderly() {
                    "it was stopped, or had finished; `skep tree` shows what runs"
                } else {
                    "`skep logs` has its crash report"
                };
                let mut refusal = Refusal::new(StatusCode::BAD_GATEWAY, "ended", message).remedy(remedy);
                refusal.problem.detail = body::trace(reason).map(str::to_owned);
                refusal
            }
            CallError::Refused(why) => {
                let message = format!("the message was not delivered to `{to}`: {why}");
                Refusal::new(StatusCode::CONFLICT, "refused", message)
                    .remedy("`skep ps` shows its mailbox; the manifest's `limits` say how much it holds")
            }
        }
    }
}

impl From<Unresolved> for Refusal {
    fn from(error: Unresolved) -> Self {
        let (status, code) = match &error {
            Unresolved::Ambiguous { .. } => (StatusCode::CONFLICT, "ambiguous"),
            Unresolved::UnknownName { .. } | Unresolved::UnknownPid { .. } => {
                (StatusCode::NOT_FOUND, "unknown_process")
            }
        };
        Refusal::new(status, code, error.to_string()).remedy(error.remedy())
    }
}

impl From<SystemError> for Refusal {
    fn from(error: SystemError) -> Self {
        let (status, code, remedy) = match &error {
            SystemError::Noproc(_) => (
                StatusCode::NOT_FOUND,
                "unknown_process",
                "`skep ps` lists the processes; one that was restarted has a new pid",
            ),
            SystemError::NotAServer(_) => (
                StatusCode::CONFLICT,
                "not_a_server",
                "tasks, commands and supervisors have no state and are never suspended; `skep inspect` shows them too",
            ),
            SystemError::TooMany(_) => {
                (StatusCode::CONFLICT, "too_many", "wait until it has come to the end of what it is doing")
            }
            SystemError::Busy { .. } => (
                StatusCode::GATEWAY_TIMEOUT,
                "busy",
                "nothing has changed; give it more time with --timeout (`timeout_ms`), or `skep inspect` it to see what it \
                 waits for",
            ),
            SystemError::CallbackFailed(_) => (
                StatusCode::CONFLICT,
                "callback_failed",
                "nothing has changed; `skep sys state` shows the form of its state",
            ),
        };
        let mut message = error.to_string();
        let mut detail = None;
        if let SystemError::CallbackFailed(why) = &error {
            message = format!("{}: {}", why.step, body::reason(&why.reason));
            detail = Some(why.trace.clone()).filter(|trace| !trace.is_empty());
        }
        let mut refusal = Refusal::new(status, code, message).remedy(remedy);
        refusal.problem.detail = detail;
        refusal
    }
}

impl From<NotDone> for Refusal {
    fn from(error: NotDone) -> Self {
        let status = match &error {
            NotDone::Unresolved(_) | NotDone::NoSupervisor(_) | NotDone::UnknownModule { .. } => StatusCode::NOT_FOUND,
            NotDone::Refused { .. } => StatusCode::CONFLICT,
            NotDone::Ended(_) => StatusCode::BAD_GATEWAY,
        };
        let mut refusal = Refusal::new(status, error.code(), error.to_string());
        refusal.problem.remedy = error.remedy();
        refusal
    }
}

impl From<&Refused> for Refusal {
    fn from(refused: &Refused) -> Self {
        let status = match refused {
            Refused::Module(UnknownModule::Unknown { .. }) => StatusCode::NOT_FOUND,
            _ => StatusCode::CONFLICT,
        };
        let mut refusal = Refusal::new(status, refused.code(), refused.to_string());
        refusal.problem.remedy = refused.remedy();
        refusal.problem.detail = refused.detail().map(str::to_owned);
        refusal
    }
}

impl From<&NotDeployed> for Refusal {
    fn from(error: &NotDeployed) -> Self {
        let status = match error {
            NotDeployed::Manifest(_) | NotDeployed::Relative(_) | NotDeployed::NotBuilt(_) => StatusCode::BAD_REQUEST,
            NotDeployed::UnknownApp { .. } => StatusCode::NOT_FOUND,
            NotDeployed::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::CONFLICT,
        };
        let mut refusal = Refusal::new(status, error.code(), error.to_string());
        refusal.problem.remedy = error.remedy();
        refusal.problem.detail = error.detail().map(str::to_owned);
        refusal.problem.place = error
            .place()
            .map(|place| Box::new(Spot { at: place.to_string(), start: place.span.start, end: place.span.end }));
        refusal
    }
}

impl From<BytesRejection> for Refusal {
    fn from(error: BytesRejection) -> Self {
        Refusal::new(error.status(), "bad_request", error.body_text())
    }
}

impl From<QueryRejection> for Refusal {
    fn from(error: QueryRejection) -> Self {
        Refusal::new(error.status(), "bad_request", error.body_text())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = Code(self.problem.code.clone());
        (self.status, Extension(code), Json(self.problem)).into_response()
    }
}
