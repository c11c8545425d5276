//! What is sent about children of a supervisor.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use skep_runtime::kernel::Pid;
use skep_runtime::kernel::supervisor::{ChildKind, ChildStatus, ChildView, Restart};

use super::bounds;

/// `POST /v1/children`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskChildren {
    /// A name, `app/name`, a pid, or the ids that lead there, beginning with the app.
    #[serde(deserialize_with = "bounds::name")]
    pub supervisor: String,
    /// What is wanted.
    pub ask: ChildOrder,
}

/// What is wanted of a supervisor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildOrder {
    /// List the children.
    List,
    /// Start one that is not listed; without `id` and `module`, from the template.
    Start {
        /// Its id.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "bounds::maybe_name")]
        id: Option<String>,
        /// Its module.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "bounds::maybe_name")]
        module: Option<String>,
        /// Its arguments.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Box<RawValue>>,
        /// The name that it is born with.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "bounds::maybe_name")]
        name: Option<String>,
        /// When it is restarted; `permanent` unless said.
        #[serde(default)]
        restart: RestartWord,
    },
    /// Stop a child: an id, or a pid where children come and go.
    Stop {
        /// Which.
        #[serde(deserialize_with = "bounds::name")]
        child: String,
    },
    /// Start a child that is down.
    Restart {
        /// Its id.
        #[serde(deserialize_with = "bounds::name")]
        child: String,
    },
    /// Forget a child that is down.
    Delete {
        /// Its id.
        #[serde(deserialize_with = "bounds::name")]
        child: String,
    },
    /// Use so many partitions.
    Resize {
        /// How many.
        partitions: usize,
    },
}

/// When a child is restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "Erlang's words")]
pub enum RestartWord {
    #[default]
    Permanent,
    Transient,
    Temporary,
}

impl From<RestartWord> for Restart {
    fn from(word: RestartWord) -> Self {
        match word {
            RestartWord::Permanent => Restart::Permanent,
            RestartWord::Transient => Restart::Transient,
            RestartWord::Temporary => Restart::Temporary,
        }
    }
}

impl From<Restart> for RestartWord {
    fn from(restart: Restart) -> Self {
        match restart {
            Restart::Permanent => RestartWord::Permanent,
            Restart::Transient => RestartWord::Transient,
            Restart::Temporary => RestartWord::Temporary,
        }
    }
}

/// The answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Children {
    /// It was started; none: its `init` answered `ignore`.
    Started {
        /// Its pid, without the tag.
        pid: Option<String>,
    },
    /// It is done.
    Done,
    /// Newest first.
    Children(Vec<ChildLine>),
}

/// One child.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChildLine {
    /// Its id.
    pub id: String,
    /// Its pid, without the tag, if it has one now.
    pub pid: Option<String>,
    /// `worker` or `supervisor`.
    pub kind: String,
    /// `running`, `starting`, `restarting`, `stopping` or `stopped`.
    pub status: String,
    /// When it is restarted.
    pub restart: RestartWord,
    /// How often it was.
    pub restarts: u64,
}

impl From<&ChildView> for ChildLine {
    fn from(view: &ChildView) -> Self {
        let status = match view.status {
            ChildStatus::Stopped => "stopped",
            ChildStatus::Starting => "starting",
            ChildStatus::Running(_) => "running",
            ChildStatus::Stopping(_) => "stopping",
            ChildStatus::Restarting => "restarting",
        };
        let kind = if view.kind == ChildKind::Supervisor { "supervisor" } else { "worker" };
        ChildLine {
            id: view.id.to_string(),
            pid: view.status.pid().map(|pid: Pid| pid.to_string()),
            kind: kind.to_owned(),
            status: status.to_owned(),
            restart: view.restart.into(),
            restarts: view.restarts,
        }
    }
}
