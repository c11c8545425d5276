//! A manifest as it is written: keys, values and their places, nothing judged yet.
//!
//! Owns the names of the keys. serde refuses what is unknown, missing or of another type; everything that takes a second
//! look is `check`'s.

use std::collections::BTreeMap;

use serde::Deserialize;
use skep_runtime::kernel::supervisor as kernel;
use toml::Spanned;

pub(super) use super::forms::{Folder, Input, Names, Output, Randomness, Spawn, Variable};
use super::units::{HibernateAfter, ShutdownWord, Size, Time};

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) modules: BTreeMap<Spanned<String>, Spanned<Module>>,
    #[serde(default)]
    pub(super) registries: BTreeMap<Spanned<String>, Keys>,
    pub(super) budget: Option<Spanned<Budget>>,
    pub(super) supervisor: Spanned<Supervisor>,
}

/// `budget`, of an app or of a supervisor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Budget {
    pub(super) memory: Option<Spanned<Size>>,
    pub(super) instances: Option<Spanned<u64>>,
    pub(super) processes: Option<Spanned<u64>>,
    pub(super) mailbox_bytes: Option<Spanned<Size>>,
    pub(super) timers: Option<Spanned<u64>>,
    pub(super) open_files: Option<Spanned<u64>>,
    pub(super) blocking_operations: Option<Spanned<u64>>,
    pub(super) log_bytes: Option<Spanned<Size>>,
    pub(super) log_burst: Option<Spanned<Size>>,
    pub(super) fuel_per_second: Option<Spanned<u64>>,
    pub(super) burst: Option<Spanned<u64>>,
    pub(super) when_out_of_fuel: Option<Spanned<OutOfFuel>>,
}

/// `when_out_of_fuel`
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OutOfFuel {
    Throttle,
    End,
}

/// `[modules.NAME]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Module {
    pub(super) path: Option<Spanned<String>>,
    #[serde(rename = "crate")]
    pub(super) source: Option<Spanned<String>>,
    pub(super) package: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) limits: Limits,
    pub(super) grants: Option<Grants>,
}

/// `[supervisor]`, and `supervisor` of a child.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Supervisor {
    #[serde(default = "unsaid")]
    pub(super) strategy: Spanned<Strategy>,
    pub(super) max_restarts: Option<u32>,
    pub(super) max_seconds: Option<Spanned<u32>>,
    pub(super) auto_shutdown: Option<Spanned<AutoShutdown>>,
    pub(super) backoff: Option<Spanned<Backoff>>,
    pub(super) max_children: Option<Spanned<u64>>,
    pub(super) partitioned: Option<Spanned<bool>>,
    pub(super) extra_args: Option<Spanned<toml::Value>>,
    pub(super) budget: Option<Spanned<Budget>>,
    #[serde(default)]
    pub(super) children: Vec<Spanned<Child>>,
}

/// `[[supervisor.children]]`: a process if it has a `module`, a supervisor if it has a `supervisor`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Child {
    pub(super) id: Spanned<String>,
    pub(super) module: Option<Spanned<String>>,
    pub(super) args: Option<Spanned<toml::Value>>,
    pub(super) count: Option<Spanned<u64>>,
    pub(super) name: Option<Spanned<String>>,
    #[serde(default = "unsaid")]
    pub(super) restart: Spanned<Restart>,
    pub(super) shutdown: Option<ShutdownWord>,
    pub(super) significant: Option<Spanned<bool>>,
    pub(super) limits: Option<Spanned<Limits>>,
    pub(super) grants: Option<Spanned<Grants>>,
    pub(super) hibernate_after: Option<Spanned<HibernateAfter>>,
    pub(super) pinned: Option<Spanned<bool>>,
    pub(super) stdin: Option<Spanned<Input>>,
    pub(super) output: Option<Spanned<Output>>,
    pub(super) supervisor: Option<Box<Spanned<Supervisor>>>,
}

/// A value that is not written has no place; nothing is wrong with a default.
fn unsaid<T: Default>() -> Spanned<T> {
    Spanned::new(0..0, T::default())
}

/// `limits`: what is not given comes from the module, or from [`skep_runtime::kernel::Limits`].
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) memory: Option<Spanned<Size>>,
    pub(super) fuel_per_message: Option<Spanned<u64>>,
    pub(super) mailbox_messages: Option<Spanned<u64>>,
    pub(super) mailbox_bytes: Option<Spanned<Size>>,
    pub(super) body_bytes: Option<Spanned<Size>>,
    pub(super) timers: Option<Spanned<u64>>,
    pub(super) links: Option<Spanned<u64>>,
    pub(super) monitors: Option<Spanned<u64>>,
    pub(super) entries: Option<Spanned<u64>>,
    pub(super) entry_bytes: Option<Spanned<Size>>,
    pub(super) aliases: Option<Spanned<u64>>,
    pub(super) requests: Option<Spanned<u64>>,
    pub(super) supervisors: Option<Spanned<u64>>,
    pub(super) children: Option<Spanned<u64>>,
    pub(super) written_bytes: Option<Spanned<Size>>,
    pub(super) open_files: Option<Spanned<u64>>,
    pub(super) log_bytes: Option<Spanned<Size>>,
    pub(super) log_burst: Option<Spanned<Size>>,
    pub(super) init_timeout: Option<Spanned<Time>>,
}

/// `grants`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grants {
    #[serde(default)]
    pub(super) read: Vec<Spanned<Folder>>,
    #[serde(default)]
    pub(super) write: Vec<Spanned<Folder>>,
    #[serde(default)]
    pub(super) spawn: Vec<Spanned<Spawn>>,
    #[serde(default)]
    pub(super) names: Names,
    #[serde(default)]
    pub(super) supervise: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) supervisors: bool,
    #[serde(default)]
    pub(super) registries: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) groups: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) topics: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) control: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) apps: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) tcp: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) udp: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) http: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) env: BTreeMap<Spanned<String>, Spanned<Variable>>,
    #[serde(default)]
    pub(super) argv: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) clocks: Clocks,
    #[serde(default)]
    pub(super) random: Randomness,
}

/// `clocks`
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Clocks {
    Frozen,
    #[default]
    Coarse,
    Real,
}

impl From<Clocks> for skep_runtime::spec::Clocks {
    fn from(clocks: Clocks) -> Self {
        match clocks {
            Clocks::Frozen => Self::Frozen,
            Clocks::Coarse => Self::Coarse,
            Clocks::Real => Self::Real,
        }
    }
}

/// `[registries]`
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Keys {
    Unique,
    Duplicate,
}

impl From<Keys> for skep_runtime::kernel::directory::Keys {
    fn from(keys: Keys) -> Self {
        match keys {
            Keys::Unique => Self::Unique,
            Keys::Duplicate => Self::Duplicate,
        }
    }
}

/// `backoff`
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Backoff {
    pub(super) first: Time,
    pub(super) most: Time,
}

/// `auto_shutdown`
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AutoShutdown {
    Never,
    AnySignificant,
    AllSignificant,
}

impl From<AutoShutdown> for kernel::AutoShutdown {
    fn from(auto_shutdown: AutoShutdown) -> Self {
        match auto_shutdown {
            AutoShutdown::Never => kernel::AutoShutdown::Never,
            AutoShutdown::AnySignificant => kernel::AutoShutdown::AnySignificant,
            AutoShutdown::AllSignificant => kernel::AutoShutdown::AllSignificant,
        }
    }
}

/// `strategy`
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Strategy {
    #[default]
    OneForOne,
    OneForAll,
    RestForOne,
    SimpleOneForOne,
    Dynamic,
}

impl From<Strategy> for kernel::Strategy {
    fn from(strategy: Strategy) -> Self {
        match strategy {
            Strategy::OneForOne | Strategy::SimpleOneForOne | Strategy::Dynamic => kernel::Strategy::OneForOne,
            Strategy::OneForAll => kernel::Strategy::OneForAll,
            Strategy::RestForOne => kernel::Strategy::RestForOne,
        }
    }
}

/// `restart`
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Restart {
    #[default]
    Permanent,
    Transient,
    Temporary,
}

impl From<Restart> for kernel::Restart {
    fn from(restart: Restart) -> Self {
        match restart {
            Restart::Permanent => kernel::Restart::Permanent,
            Restart::Transient => kernel::Restart::Transient,
            Restart::Temporary => kernel::Restart::Temporary,
        }
    }
}
