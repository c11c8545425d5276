//! What a component must export and may import, and how much it takes before it runs.
//!
//! Owns the names of interfaces. Compares names only: whether types fit is for wasmtime to say when it links.

use wasmparser::{Parser, Payload};
use wasmtime::component::types::ComponentItem;

use super::module::LoadError;
use super::wrap::exit;

/// The interfaces of `wit/` that the host offers; `types` has no functions.
const OWN: [&str; 13] = [
    "messaging",
    "inbox",
    "links",
    "spawning",
    "supervision",
    "system",
    "names",
    "registry",
    "groups",
    "topics",
    "timers",
    "log",
    "types",
];
/// The interfaces of WASI 0.2 that the host offers.
const WASI: [&str; 29] = [
    "cli/environment",
    "cli/exit",
    "cli/stderr",
    "cli/stdin",
    "cli/stdout",
    "cli/terminal-input",
    "cli/terminal-output",
    "cli/terminal-stderr",
    "cli/terminal-stdin",
    "cli/terminal-stdout",
    "clocks/monotonic-clock",
    "clocks/wall-clock",
    "filesystem/preopens",
    "filesystem/types",
    "http/outgoing-handler",
    "http/types",
    "io/error",
    "io/poll",
    "io/streams",
    "random/insecure",
    "random/insecure-seed",
    "random/random",
    "sockets/instance-network",
    "sockets/ip-name-lookup",
    "sockets/network",
    "sockets/tcp",
    "sockets/tcp-create-socket",
    "sockets/udp",
    "sockets/udp-create-socket",
];

/// What kind of process a component makes, by what it exports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum World {
    /// `behaviour`.
    Server,
    /// `entry`.
    Task,
    /// `wasi:cli/run`.
    Command,
}

/// What a component says of itself.
#[derive(Debug)]
pub(crate) struct Interfaces {
    /// What it exports.
    pub world: World,
    /// What it imports, in its own order.
    pub imports: Vec<String>,
    /// Whether that includes WASI.
    pub needs_wasi: bool,
}

impl Interfaces {
    /// Reads them off a component, or refuses it.
    pub fn of(component: &wasmtime::component::Component) -> Result<Self, LoadError> {
        let engine = component.engine();
        let ty = component.component_type();
        let exports: Vec<String> = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
        let has = |interface: &str| exports.iter().any(|name| own_interface(name) == Some(interface));
        let is_command = exports.iter().any(|name| name.starts_with("wasi:cli/run@0.2."));
        let world = match (has("behaviour"), has("entry")) {
            (true, false) => World::Server,
            (false, true) => World::Task,
            (true, true) => return Err(LoadError::TwoKinds),
            (false, false) if is_command => World::Command,
            (false, false) => return Err(LoadError::NoKind { exports }),
        };
        let mut imports = Vec::new();
        for (name, import) in ty.imports(engine) {
            let is_known = is_known(name) || (name == exit::INTERFACE && world == World::Command);
            let is_known = is_known && matches!(import.ty, ComponentItem::ComponentInstance(_));
            if !is_known {
                return Err(LoadError::UnknownImport { name: name.to_owned() });
            }
            // Every component imports it, and nothing can be done with it.
            if own_interface(name) != Some("types") && name != exit::INTERFACE {
                imports.push(name.to_owned());
            }
        }
        let needs_wasi = imports.iter().any(|name| name.starts_with("wasi:"));
        Ok(Interfaces { world, imports, needs_wasi })
    }
}

/// The interface in `skep:process/interface@0.1.n`.
fn own_interface(name: &str) -> Option<&str> {
    let (interface, version) = name.strip_prefix("skep:process/")?.split_once('@')?;
    version.starts_with("0.1.").then_some(interface)
}

/// Whether the host offers an interface of this name.
fn is_known(name: &str) -> bool {
    if let Some(interface) = own_interface(name) {
        return OWN.contains(&interface);
    }
    let wasi = name.strip_prefix("wasi:").and_then(|name| name.split_once('@'));
    wasi.is_some_and(|(interface, version)| version.starts_with("0.2.") && WASI.contains(&interface))
}

/// Bytes of linear memory that a component has from the start, all core modules in it together. Zero where it cannot be
/// read: compiling will say why.
pub(crate) fn initial_memory(component: &[u8]) -> u64 {
    const PAGE: u64 = 64 << 10;
    let memories = Parser::new(0).parse_all(component).filter_map(|payload| match payload {
        Ok(Payload::MemorySection(memories)) => Some(memories),
        _ => None,
    });
    memories.flatten().flatten().map(|memory| memory.initial.saturating_mul(PAGE)).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_fit_are_known() {
        for name in
            ["skep:process/log@0.1.0", "skep:process/log@0.1.7", "wasi:cli/exit@0.2.12", "wasi:sockets/udp@0.2.0"]
        {
            assert!(is_known(name), "{name}");
        }
        for name in [
            "skep:process/log@0.2.0",
            "skep:process/tables@0.1.0",
            "wasi:http/incoming-handler@0.2.0",
            "wasi:cli/exit@0.3.0",
            "log",
        ] {
            assert!(!is_known(name), "{name}");
        }
    }

    #[test]
    fn memory_is_summed_over_nested_modules() {
        let text = "(component (core module (memory 2)) (core module (memory 3)))";
        assert_eq!(initial_memory(&wat::parse_str(text).expect("text")), 5 * (64 << 10));
        assert_eq!(initial_memory(b"rubbish"), 0);
    }
}
