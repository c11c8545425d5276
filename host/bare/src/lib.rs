//! A server on wasmtime with nothing of Skep around it: what its code costs alone, metered or not.
//!
//! Owns an engine that is set up as the runtime's class of large guests is, but for what is measured here: fuel, and the
//! stack of its own that a guest needs to be preempted. Nothing it imports is there, so it can only compute. Called by the
//! benchmark and by `tests/rivals`; no process ever runs on it.

use wasmtime::component::{Component, Func, Linker, Val};
use wasmtime::{Config, Engine, Error, OptLevel, Result, Store};

/// What a server exports.
const BEHAVIOUR: &str = "skep:process/behaviour@0.1.0";
/// Wasm's part of the stack, as the runtime has it.
const WASM_STACK: usize = 1 << 20;

/// Whether instructions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metering {
    /// Each costs fuel, of which there is enough.
    Metered,
    /// They are not.
    Unmetered,
}

/// A server that has started.
pub struct Bare {
    store: Store<()>,
    handle: Func,
}

impl Bare {
    /// Compiles a component, and starts it without arguments.
    ///
    /// # Errors
    ///
    /// It is no server, or its `init` failed.
    pub fn start(component: &[u8], metering: Metering) -> Result<Self> {
        let mut config = Config::new();
        config
            .concurrency_support(false)
            .consume_fuel(metering == Metering::Metered)
            .max_wasm_stack(WASM_STACK)
            .cranelift_opt_level(OptLevel::Speed);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, component)?;
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&component)?;
        let mut store = Store::new(&engine, ());
        if metering == Metering::Metered {
            store.set_fuel(u64::MAX)?;
        }
        let instance = linker.instantiate(&mut store, &component)?;
        let mut export = |name: &str| {
            let behaviour = component.get_export_index(None, BEHAVIOUR);
            let export = behaviour.and_then(|behaviour| component.get_export_index(Some(&behaviour), name));
            let export = export.and_then(|export| instance.get_func(&mut store, export));
            export.ok_or_else(|| Error::msg(format!("it is no server: it has no `{name}`")))
        };
        let (init, handle) = (export("init")?, export("handle")?);
        ask(&mut store, &init, &[json("null")])?;
        Ok(Bare { store, handle })
    }

    /// Calls it with a request in JSON, and brings the reply.
    ///
    /// # Errors
    ///
    /// It trapped, refused, or did not reply in JSON.
    pub fn call(&mut self, request: &str) -> Result<String> {
        let caller = record([
            ("pid", record([("node", Val::U32(0)), ("id", Val::U64(1)), ("tag", Val::U64(1))])),
            ("mark", Val::U64(1)),
        ]);
        let request = record([("caller", caller), ("body", json(request))]);
        let event = Val::Variant("call".to_owned(), Some(Box::new(request)));
        match ask(&mut self.store, &self.handle, &[event, Val::U32(0)])? {
            Val::Record(fields) => reply(fields).ok_or_else(|| Error::msg("it did not reply in JSON")),
            other => Err(Error::msg(format!("this is no outcome: {other:?}"))),
        }
    }
}

/// Calls an export whose result has an error as text.
fn ask(store: &mut Store<()>, export: &Func, arguments: &[Val]) -> Result<Val> {
    let mut results = [Val::Bool(false)];
    export.call(store, arguments, &mut results)?;
    match results {
        [Val::Result(Ok(Some(value)))] => Ok(*value),
        [Val::Result(Err(Some(why)))] => Err(Error::msg(format!("it answered with an error: {why:?}"))),
        [other] => Err(Error::msg(format!("this is no result: {other:?}"))),
    }
}

/// What an outcome replies.
fn reply(outcome: Vec<(String, Val)>) -> Option<String> {
    let (_, reply) = outcome.into_iter().find(|(name, _)| name == "reply")?;
    let Val::Option(Some(body)) = reply else { return None };
    match *body {
        Val::Variant(form, Some(text)) if form == "json" => match *text {
            Val::String(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn json(text: &str) -> Val {
    Val::Variant("json".to_owned(), Some(Box::new(Val::String(text.to_owned()))))
}

fn record<const N: usize>(fields: [(&str, Val); N]) -> Val {
    Val::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_server_is_refused() {
        let component = wat::parse_str("(component)").expect("it is one");
        for metering in [Metering::Metered, Metering::Unmetered] {
            let why = Bare::start(&component, metering).err().map(|why| why.to_string());
            assert_eq!(why.as_deref(), Some("it is no server: it has no `init`"));
        }
        assert!(Bare::start(b"no component", Metering::Metered).is_err());
    }

    #[test]
    fn a_reply_is_found_in_the_outcome() {
        let outcome = |reply| vec![("next".to_owned(), Val::Bool(true)), ("reply".to_owned(), Val::Option(reply))];
        assert_eq!(reply(outcome(Some(Box::new(json("55"))))).as_deref(), Some("55"));
        assert_eq!(reply(outcome(None)), None);
        let raw = Val::Variant("raw".to_owned(), Some(Box::new(Val::List(Vec::new()))));
        assert_eq!(reply(outcome(Some(Box::new(raw)))), None);
    }
}
