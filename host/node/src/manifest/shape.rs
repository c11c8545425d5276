//! A manifest as it is written: keys, values and their places, nothing judged yet.
//!
//! Owns the names of the keys. serde refuses what is unknown, missing or of another type; everything that takes a second
//! look is `check`'s.

use std::collections::BTreeMap;

use serde::Deserialize;
use skep_runtime::kernel::supervisor as kernel;
use toml::Spanned;

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

/// A module that may be spawned: its name, or a table that says how many as well.
pub(super) struct Spawn {
    pub(super) module: String,
    pub(super) most: Option<u64>,
}

impl<'de> Deserialize<'de> for Spawn {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(SpawnVisitor)
    }
}

struct SpawnVisitor;

impl<'de> serde::de::Visitor<'de> for SpawnVisitor {
    type Value = Spawn;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a module, such as \"parser\" or { module = \"parser\", most = 8 }")
    }

    fn visit_str<E: serde::de::Error>(self, module: &str) -> Result<Spawn, E> {
        Ok(Spawn { module: module.to_owned(), most: None })
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Spawn, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            module: String,
            most: u64,
        }
        let Table { module, most } = Table::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(Spawn { module, most: Some(most) })
    }
}

/// `names`: all of them, those of a list, or a list for each of what can be done with them.
#[derive(Default)]
pub(super) struct Names {
    pub(super) register: Vec<Spanned<String>>,
    pub(super) look_up: Vec<Spanned<String>>,
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> serde::de::Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("true, names such as [\"bank\", \"room:*\"], or { register = [\"room:*\"], look_up = [\"*\"] }")
    }

    fn visit_bool<E: serde::de::Error>(self, all: bool) -> Result<Names, E> {
        let list = || if all { vec![Spanned::new(0..0, "*".to_owned())] } else { Vec::new() };
        Ok(Names { register: list(), look_up: list() })
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, list: A) -> Result<Names, A::Error> {
        let names: Vec<Spanned<String>> = Deserialize::deserialize(serde::de::value::SeqAccessDeserializer::new(list))?;
        Ok(Names { register: names.clone(), look_up: names })
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Names, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            #[serde(default)]
            register: Vec<Spanned<String>>,
            #[serde(default)]
            look_up: Vec<Spanned<String>>,
        }
        let Table { register, look_up } = Table::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(Names { register, look_up })
    }
}

/// One folder: `"./data:/input"`, or a table where a path has a colon in it.
pub(super) struct Folder {
    pub(super) host: String,
    pub(super) guest: String,
}

impl<'de> Deserialize<'de> for Folder {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(FolderVisitor)
    }
}

struct FolderVisitor;

impl<'de> serde::de::Visitor<'de> for FolderVisitor {
    type Value = Folder;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a folder, such as \"./data:/input\" or { host = \"./data\", guest = \"/input\" }")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Folder, E> {
        match text.split_once(':') {
            Some((host, guest)) if !host.is_empty() && !guest.contains(':') => {
                Ok(Folder { host: host.to_owned(), guest: guest.to_owned() })
            }
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Folder, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            host: String,
            guest: String,
        }
        let Table { host, guest } = Table::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(Folder { host, guest })
    }
}

/// A variable of `env`: its value, or `true` for the host's.
pub(super) enum Variable {
    Value(String),
    OfHost,
}

impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(VariableVisitor)
    }
}

struct VariableVisitor;

impl serde::de::Visitor<'_> for VariableVisitor {
    type Value = Variable;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the text of a variable, or true for that of the host")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Variable, E> {
        Ok(Variable::Value(text.to_owned()))
    }

    fn visit_bool<E: serde::de::Error>(self, of_host: bool) -> Result<Variable, E> {
        match of_host {
            true => Ok(Variable::OfHost),
            false => Err(E::invalid_value(serde::de::Unexpected::Bool(false), &self)),
        }
    }
}

impl From<&Variable> for skep_runtime::spec::Variable {
    fn from(variable: &Variable) -> Self {
        match variable {
            Variable::Value(text) => Self::Value(text.clone()),
            Variable::OfHost => Self::OfHost,
        }
    }
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

/// `random`: `"real"`, or `{ seed = 7 }`.
#[derive(Clone, Copy, Default)]
pub(super) struct Randomness(pub(super) skep_runtime::spec::Randomness);

impl<'de> Deserialize<'de> for Randomness {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(RandomnessVisitor)
    }
}

struct RandomnessVisitor;

impl<'de> serde::de::Visitor<'de> for RandomnessVisitor {
    type Value = Randomness;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"real\" or { seed = 7 }")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Randomness, E> {
        match text {
            "real" => Ok(Randomness::default()),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Randomness, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Seeded {
            seed: u64,
        }
        let Seeded { seed } = Seeded::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(Randomness(skep_runtime::spec::Randomness::Seeded(seed)))
    }
}

/// `stdin`: `"messages"`, or `{ file = "./words.txt" }`.
pub(super) enum Input {
    Messages,
    File(String),
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(InputVisitor)
    }
}

struct InputVisitor;

impl<'de> serde::de::Visitor<'de> for InputVisitor {
    type Value = Input;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"messages\" or { file = \"./words.txt\" }")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Input, E> {
        match text {
            "messages" => Ok(Input::Messages),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Input, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            file: String,
        }
        let Table { file } = Table::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(Input::File(file))
    }
}

/// `output`: `"log"`, or `{ to = "name" }`.
pub(super) enum Output {
    Log,
    To(String),
}

impl<'de> Deserialize<'de> for Output {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OutputVisitor)
    }
}

struct OutputVisitor;

impl<'de> serde::de::Visitor<'de> for OutputVisitor {
    type Value = Output;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"log\" or { to = \"name\" }")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Output, E> {
        match text {
            "log" => Ok(Output::Log),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Output, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            to: String,
        }
        let Table { to } = Table::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(Output::To(to))
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
