//! States and envelopes: wild bytes in place of what a server has saved.
//!
//! Given to the SDK natively, whose envelope they pretend to be; and through the host to real guests, by `replace_state`, which
//! restores them in an instance of its own. Nothing changes unless the code takes the state, and what it takes it saves again.

#![no_main]

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use skep_fuzz::host::{self, Compiled};
use skep_runtime::kernel::{Body, Pid, State};
use skep_runtime::spec::{AppSpec, Keep, ModuleSpec, ProcessSpec};
use skep_sdk::prelude::*;
use skep_sdk::testing::Harness;
use skep_sdk::types::{Body as GuestBody, Cause, State as GuestState};

/// A server with all that serde can write.
#[derive(Clone, PartialEq, Debug, Arbitrary, Serialize, Deserialize)]
pub struct Keeper {
    number: i64,
    text: Option<String>,
    table: BTreeMap<u32, Vec<u8>>,
    cases: Vec<Case>,
    pair: (u64, bool),
}

/// Every kind of case.
#[derive(Clone, PartialEq, Debug, Arbitrary, Serialize, Deserialize)]
pub enum Case {
    /// Without anything.
    Unit,
    /// With one thing.
    One(char),
    /// With fields.
    Named {
        /// One.
        small: i8,
        /// Another.
        inner: Option<Box<Case>>,
    },
}

/// What it was.
mod old {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Keeper {
        pub number: i64,
    }
}

impl Migrate<old::Keeper> for Keeper {
    fn migrate(old: old::Keeper, _: &MigrateContext) -> Result<Self, Failure> {
        Ok(Keeper { number: old.number, text: None, table: BTreeMap::new(), cases: Vec::new(), pair: (0, false) })
    }
}

impl Revert<old::Keeper> for Keeper {
    fn revert(&self) -> Result<old::Keeper, Failure> {
        Ok(old::Keeper { number: self.number })
    }
}

#[server]
impl Server for Keeper {
    type Args = Keeper;

    fn init(keeper: Keeper, _: &Context) -> Start<Self> {
        Ok(keeper)
    }
}

skep_sdk::export!(Keeper, version = 2, from = [old::Keeper], back_to = 1);

// Guests are built and compiled before the time of an input counts.
fuzz_target!(init: { host::make(Compiled::Kept); servers(); }, |data: &[u8]| {
    let Some((&how, rest)) = data.split_first() else { return };
    match how & 3 {
        0 => natively(how >> 2, rest),
        1 => there_and_back(rest),
        _ => through_the_host(how >> 1, rest),
    }
});

fn body(how: u8, bytes: &[u8]) -> GuestBody {
    let text = || String::from_utf8_lossy(bytes).into_owned();
    match how & 3 {
        0 | 1 => GuestBody::Messagepack(bytes.to_vec()),
        2 => GuestBody::Json(text()),
        _ => GuestBody::Raw(bytes.to_vec()),
    }
}

/// What the SDK takes for a state it writes as one that it takes for the same, in both versions.
fn natively(how: u8, bytes: &[u8]) {
    let version = u32::from(how >> 2 & 3);
    let state = GuestState { version, body: body(how, bytes) };
    let Ok(mut harness) = Harness::<Keeper>::restore(state, Cause::Wake) else { return };
    assert!((1..=2).contains(&version), "there is no version {version}");
    let keeper = harness.server().expect("it runs").clone();
    harness.hibernate();
    assert_eq!(harness.server(), Some(&keeper));
}

/// What is written is read as it was.
fn there_and_back(bytes: &[u8]) {
    let Ok(keeper) = Keeper::arbitrary(&mut Unstructured::new(bytes)) else { return };
    let mut harness = Harness::<Keeper>::start(keeper.clone()).expect("it starts");
    harness.hibernate();
    assert_eq!(harness.server(), Some(&keeper));
}

/// Servers with states of all kinds, each waiting.
const SERVERS: [&str; 5] = ["counter", "counter-v3", "door", "stock", "probe"];

fn servers() -> &'static Vec<Pid> {
    static PIDS: OnceLock<Vec<Pid>> = OnceLock::new();
    PIDS.get_or_init(|| {
        let host = host::host();
        let load = |name: &str| ModuleSpec::new(name, host.load(name, &skep_tests::guests::bytes(name)));
        let modules = SERVERS.iter().map(|name| load(name)).collect();
        host.wait(host.runtime.start_app(AppSpec { modules, ..AppSpec::new("states") })).expect("it starts");
        let mut client = host.runtime.client("states").expect("it is there");
        let pids = SERVERS.iter().map(|name| {
            let args = match *name {
                "counter" | "counter-v3" => "0",
                "door" => r#"{"code":"1","open_ms":9999999,"digits_ms":9999999,"alarm_ms":9999999}"#,
                _ => "null",
            };
            let process = ProcessSpec { keep: Keep::Never, ..ProcessSpec::new(name).args(Body::Json(args.into())) };
            host.wait(client.spawn(process)).unwrap_or_else(|error| panic!("{name} does not start: {error:?}"))
        });
        pids.collect()
    })
}

fn through_the_host(how: u8, bytes: &[u8]) {
    let (host, within) = (host::host(), host::PATIENCE);
    let pid = servers()[usize::from(how >> 3) % SERVERS.len()];
    let runtime = &host.runtime;
    let before = host.wait(runtime.state(pid, within)).expect("it tells its state");
    let version = if how & 4 == 0 { before.version } else { u32::from(how >> 4) };
    let body = match body(how, bytes) {
        GuestBody::Json(text) => Body::Json(text),
        GuestBody::Raw(bytes) => Body::Raw(bytes),
        GuestBody::Text(text) => Body::Text(text),
        GuestBody::Messagepack(bytes) => Body::MessagePack(bytes),
    };
    let state = State { version, body };
    let replaced = host.wait(runtime.replace_state(pid, within, move |_| Ok(state)));
    let after = host.wait(runtime.state(pid, Duration::from_secs(20))).expect("it tells its state still");
    if let Err(error) = replaced {
        assert!(error.to_string().len() <= 64 << 10, "{} bytes of words", error.to_string().len());
        assert_eq!(before, after, "it was refused: {error}");
        return;
    }
    let same = after.clone();
    host.wait(runtime.replace_state(pid, within, move |_| Ok(same))).expect("it takes what it has saved");
    assert_eq!(host.wait(runtime.state(pid, within)).expect("it tells its state"), after);
    host.wait(runtime.replace_state(pid, within, move |_| Ok(before))).expect("it takes what it had");
}
