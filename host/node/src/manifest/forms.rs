//! Values of a manifest that are written in more than one form: as a word, `true`, a list, or a table.
//!
//! Owns how each form is read. What the values mean is checked elsewhere.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use skep_runtime::spec;
use toml::Spanned;

/// The forms of a value. One that it does not say how to read is an error that tells what is expected.
trait Forms: Sized {
    /// What is expected, with an example of each form.
    const EXPECTED: &'static str;
    /// Its table.
    type Table: for<'de> Deserialize<'de>;

    fn word<E: Error>(word: &str) -> Result<Self, E> {
        Err(E::invalid_type(Unexpected::Str(word), &Self::EXPECTED))
    }

    fn truth<E: Error>(truth: bool) -> Result<Self, E> {
        Err(E::invalid_type(Unexpected::Bool(truth), &Self::EXPECTED))
    }

    fn list<E: Error>(_: Vec<Spanned<String>>) -> Result<Self, E> {
        Err(E::invalid_type(Unexpected::Seq, &Self::EXPECTED))
    }

    fn table<E: Error>(_: Self::Table) -> Result<Self, E> {
        Err(E::invalid_type(Unexpected::Map, &Self::EXPECTED))
    }

    /// A word that is none of those expected.
    fn other<E: Error>(word: &str) -> Result<Self, E> {
        Err(E::invalid_value(Unexpected::Str(word), &Self::EXPECTED))
    }
}

struct AnyForm<T>(PhantomData<T>);

impl<'de, T: Forms> Visitor<'de> for AnyForm<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<T, E> {
        T::word(word)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<T, E> {
        T::truth(truth)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(Deserialize::deserialize(SeqAccessDeserializer::new(list))?)
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<T, A::Error> {
        T::table(Deserialize::deserialize(MapAccessDeserializer::new(table))?)
    }
}

macro_rules! read_in_any_form {
    ($($value:ty),*) => {$(
        impl<'de> Deserialize<'de> for $value {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(AnyForm(PhantomData))
            }
        }
    )*};
}

read_in_any_form!(Spawn, Names, Folder, Variable, Randomness, Input, Output);

/// A module that may be spawned: its name, or a table that says how many as well.
pub(super) struct Spawn {
    pub(super) module: String,
    pub(super) most: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpawnTable {
    module: String,
    most: u64,
}

impl Forms for Spawn {
    const EXPECTED: &'static str = "a module, such as \"parser\" or { module = \"parser\", most = 8 }";
    type Table = SpawnTable;

    fn word<E: Error>(module: &str) -> Result<Self, E> {
        Ok(Spawn { module: module.to_owned(), most: None })
    }

    fn table<E: Error>(SpawnTable { module, most }: SpawnTable) -> Result<Self, E> {
        Ok(Spawn { module, most: Some(most) })
    }
}

/// `names`: all of them, those of a list, or a list for each of what can be done with them.
#[derive(Default)]
pub(super) struct Names {
    pub(super) register: Vec<Spanned<String>>,
    pub(super) look_up: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamesTable {
    #[serde(default)]
    register: Vec<Spanned<String>>,
    #[serde(default)]
    look_up: Vec<Spanned<String>>,
}

impl Forms for Names {
    const EXPECTED: &'static str =
        "true, names such as [\"bank\", \"room:*\"], or { register = [\"room:*\"], look_up = [\"*\"] }";
    type Table = NamesTable;

    fn truth<E: Error>(all: bool) -> Result<Self, E> {
        let list = || if all { vec![Spanned::new(0..0, "*".to_owned())] } else { Vec::new() };
        Ok(Names { register: list(), look_up: list() })
    }

    fn list<E: Error>(names: Vec<Spanned<String>>) -> Result<Self, E> {
        Ok(Names { register: names.clone(), look_up: names })
    }

    fn table<E: Error>(NamesTable { register, look_up }: NamesTable) -> Result<Self, E> {
        Ok(Names { register, look_up })
    }
}

/// One folder: `"./data:/input"`, or a table where a path has a colon in it.
pub(super) struct Folder {
    pub(super) host: String,
    pub(super) guest: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FolderTable {
    host: String,
    guest: String,
}

impl Forms for Folder {
    const EXPECTED: &'static str = "a folder, such as \"./data:/input\" or { host = \"./data\", guest = \"/input\" }";
    type Table = FolderTable;

    fn word<E: Error>(text: &str) -> Result<Self, E> {
        match text.split_once(':') {
            Some((host, guest)) if !host.is_empty() && !guest.contains(':') => {
                Ok(Folder { host: host.to_owned(), guest: guest.to_owned() })
            }
            _ => Self::other(text),
        }
    }

    fn table<E: Error>(FolderTable { host, guest }: FolderTable) -> Result<Self, E> {
        Ok(Folder { host, guest })
    }
}

/// A variable of `env`: its value, or `true` for the host's.
pub(super) enum Variable {
    Value(String),
    OfHost,
}

impl Forms for Variable {
    const EXPECTED: &'static str = "the text of a variable, or true for that of the host";
    type Table = IgnoredAny;

    fn word<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Variable::Value(text.to_owned()))
    }

    fn truth<E: Error>(of_host: bool) -> Result<Self, E> {
        match of_host {
            true => Ok(Variable::OfHost),
            false => Err(E::invalid_value(Unexpected::Bool(false), &Self::EXPECTED)),
        }
    }
}

impl From<&Variable> for spec::Variable {
    fn from(variable: &Variable) -> Self {
        match variable {
            Variable::Value(text) => Self::Value(text.clone()),
            Variable::OfHost => Self::OfHost,
        }
    }
}

/// `random`: `"real"`, or `{ seed = 7 }`.
#[derive(Clone, Copy, Default)]
pub(super) struct Randomness(pub(super) spec::Randomness);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seeded {
    seed: u64,
}

impl Forms for Randomness {
    const EXPECTED: &'static str = "\"real\" or { seed = 7 }";
    type Table = Seeded;

    fn word<E: Error>(word: &str) -> Result<Self, E> {
        if word == "real" { Ok(Randomness::default()) } else { Self::other(word) }
    }

    fn table<E: Error>(Seeded { seed }: Seeded) -> Result<Self, E> {
        Ok(Randomness(spec::Randomness::Seeded(seed)))
    }
}

/// `stdin`: `"messages"`, or `{ file = "./words.txt" }`.
pub(super) enum Input {
    Messages,
    File(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputTable {
    file: String,
}

impl Forms for Input {
    const EXPECTED: &'static str = "\"messages\" or { file = \"./words.txt\" }";
    type Table = InputTable;

    fn word<E: Error>(word: &str) -> Result<Self, E> {
        if word == "messages" { Ok(Input::Messages) } else { Self::other(word) }
    }

    fn table<E: Error>(InputTable { file }: InputTable) -> Result<Self, E> {
        Ok(Input::File(file))
    }
}

/// `output`: `"log"`, or `{ to = "name" }`.
pub(super) enum Output {
    Log,
    To(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputTable {
    to: String,
}

impl Forms for Output {
    const EXPECTED: &'static str = "\"log\" or { to = \"name\" }";
    type Table = OutputTable;

    fn word<E: Error>(word: &str) -> Result<Self, E> {
        if word == "log" { Ok(Output::Log) } else { Self::other(word) }
    }

    fn table<E: Error>(OutputTable { to }: OutputTable) -> Result<Self, E> {
        Ok(Output::To(to))
    }
}
