//! A pid as text, in JSON and in MessagePack, and addresses likewise.
//!
//! Owns the text form `node.id.tag` (tag in hexadecimal) and keeps the tag out of `Debug` and `Display`: who holds it
//! may send, so it belongs in messages and states and in no log. Never calls the host.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::Address;

/// Names one process for good. `id` is never used twice on a node, so it alone will do as a key.
///
/// In JSON a string, `"0.7.1f2e"`; in MessagePack a map of the three numbers. Both are read wherever a pid is expected.
/// `Display` and `Debug` leave the tag out, for logs; [`Pid::to_text`] has it, for messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
// The bindings read a list of pids as it lies in memory.
#[repr(C)]
pub struct Pid {
    /// The node it lives on.
    pub node: u32,
    /// Its number there, never used twice.
    pub id: u64,
    /// What makes the address unguessable.
    pub tag: u64,
}

impl Pid {
    /// The whole address as text, with the tag: what [`FromStr`] reads.
    pub fn to_text(&self) -> String {
        format!("{}.{}.{:x}", self.node, self.id, self.tag)
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}>", self.node, self.id)
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no pid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePidError;

impl fmt::Display for ParsePidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a pid (expected node.id.tag, the tag in hexadecimal)")
    }
}

impl std::error::Error for ParsePidError {}

impl FromStr for Pid {
    type Err = ParsePidError;

    fn from_str(text: &str) -> Result<Pid, ParsePidError> {
        let mut parts = text.split('.');
        let (Some(node), Some(id), Some(tag), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(ParsePidError);
        };
        Ok(Pid {
            node: node.parse().map_err(|_| ParsePidError)?,
            id: id.parse().map_err(|_| ParsePidError)?,
            tag: u64::from_str_radix(tag, 16).map_err(|_| ParsePidError)?,
        })
    }
}

impl Serialize for Pid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str(&self.to_text());
        }
        let mut fields = serializer.serialize_struct("Pid", 3)?;
        fields.serialize_field("node", &self.node)?;
        fields.serialize_field("id", &self.id)?;
        fields.serialize_field("tag", &self.tag)?;
        fields.end()
    }
}

/// Asks for whatever is there, not for what `is_human_readable` suggests: behind `#[serde(untagged)]` and
/// `#[serde(flatten)]` serde answers that wrongly.
impl<'de> Deserialize<'de> for Pid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pid, D::Error> {
        deserializer.deserialize_any(PidVisitor)
    }
}

struct PidVisitor;

impl<'de> Visitor<'de> for PidVisitor {
    type Value = Pid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pid: \"node.id.tag\" or {node, id, tag}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Pid, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pid, A::Error> {
        let (mut node, mut id, mut tag) = (None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "node" => node = Some(map.next_value()?),
                "id" => id = Some(map.next_value()?),
                "tag" => tag = Some(map.next_value()?),
                _ => {
                    map.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        match (node, id, tag) {
            (Some(node), Some(id), Some(tag)) => Ok(Pid { node, id, tag }),
            _ => Err(de::Error::custom("a pid needs node, id and tag")),
        }
    }
}

/// A second address of a process, which that process can close: an address for one reply, or for as long as it is wanted.
///
/// Who has one may send there, and learns neither whose it is nor whether it is open. It travels as a pid does: in JSON a
/// string, in MessagePack a map of the three numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alias {
    /// The node its process lives on.
    pub node: u32,
    /// Says nothing of whose it is.
    pub id: u64,
    /// What makes it unguessable.
    pub tag: u64,
}

impl Alias {
    fn of(Pid { node, id, tag }: Pid) -> Alias {
        Alias { node, id, tag }
    }

    /// Written and read as a pid is; it is none.
    fn as_pid(self) -> Pid {
        let Alias { node, id, tag } = self;
        Pid { node, id, tag }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<alias>")
    }
}

impl fmt::Debug for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Alias {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_pid().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Alias {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Alias, D::Error> {
        Pid::deserialize(deserializer).map(Alias::of)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Address::Pid(pid) => serializer.serialize_newtype_variant("Address", 0, "pid", pid),
            Address::Name(name) => serializer.serialize_newtype_variant("Address", 1, "name", name),
            Address::Via(via) => serializer.serialize_newtype_variant("Address", 2, "via", via),
            Address::Alias(alias) => serializer.serialize_newtype_variant("Address", 3, "alias", alias),
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        deserializer.deserialize_any(AddressVisitor)
    }
}

struct AddressVisitor;

impl<'de> Visitor<'de> for AddressVisitor {
    type Value = Address;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address: a pid, a name, {pid}, {name}, {via} or {alias}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Address, E> {
        Ok(text.parse().map_or_else(|_| Address::Name(text.to_owned()), Address::Pid))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Address, A::Error> {
        let address = match map.next_key::<String>()?.as_deref() {
            Some("pid") => Address::Pid(map.next_value()?),
            Some("name") => Address::Name(map.next_value()?),
            Some("via") => Address::Via(map.next_value()?),
            Some("alias") => Address::Alias(map.next_value()?),
            _ => return Err(de::Error::custom("an address is {pid}, {name}, {via} or {alias}")),
        };
        if map.next_key::<de::IgnoredAny>()?.is_some() {
            return Err(de::Error::custom("an address is one of {pid}, {name}, {via} and {alias}"));
        }
        Ok(address)
    }
}
