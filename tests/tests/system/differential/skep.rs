//! This side: a scenario is performed by probes in Skep, step by step, and its trace written.
//!
//! Owns what `$name` stands for, and the wait until all that follows from a step has happened. What is compared of a trace
//! is decided in `trace`. There is one worker: whoever has been served by it has been served after all that was queued.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Map, Value, json};
use skep_runtime::kernel::{Address, Body, CallError, ExitReason, Pid};
use skep_runtime::spec::Keep;
use skep_runtime::{EngineConfig, Request, RuntimeConfig};
use skep_tests::app::{PATIENCE, SLOTS, supervisor};
use skep_tests::{Child, TestApp};

use super::trace::{is_script, renamed};

/// Monitors whoever takes part, and is no part of any scenario.
const WATCHER: &str = "watcher";
/// Rounds in a row in which everybody waits, before nothing more is to come.
const CALM: u32 = 3;

/// A runtime for scenarios, one after the other.
pub(super) struct Stage {
    pub(super) app: TestApp,
    /// Who is no part of a scenario.
    stagehands: HashSet<Pid>,
    /// The messages that a process had handled when it was asked last.
    pub(super) counted: Mutex<HashMap<Pid, u64>>,
}

impl Stage {
    pub(super) async fn new(keep: Keep) -> Stage {
        let engine = EngineConfig { slots: Some(SLOTS), ..EngineConfig::default() };
        let config = RuntimeConfig { workers: Some(1), keep: Some(keep), engine, ..RuntimeConfig::default() };
        let root = supervisor([Child::probe(WATCHER)]);
        let app = TestApp::try_start_as(config, root, Arc::default()).await.expect("it starts");
        let stagehands = app.runtime.processes().into_iter().map(|process| process.pid).collect();
        Stage { app, stagehands, counted: Mutex::default() }
    }

    /// The trace of a scenario that says `names` and `steps`.
    pub(super) async fn run(&self, scenario: &Value) -> Vec<Value> {
        let mut cast = Cast::default();
        for name in texts(&scenario["names"]) {
            self.start(Child::probe(&name)).await;
            let pid = self.app.pid(&name);
            cast.enter(&name, pid);
            cast.probes.push(name.clone());
            self.watch(&mut cast.watched, &name, &pid.to_text()).await;
        }
        let mut trace = Vec::new();
        for step in scenario["steps"].as_array().into_iter().flatten() {
            trace.push(self.step(step, &mut cast).await);
        }
        self.clear().await;
        trace
    }

    /// Starts a child of the root.
    pub(super) async fn start(&self, child: Child) {
        let root = self.app.runtime.root("test").expect("the app runs");
        self.app.runtime.supervise(root, Request::StartChild(child.spec)).await.expect("it starts");
    }

    async fn step(&self, step: &Value, cast: &mut Cast) -> Value {
        let mut early = Vec::new();
        let result = match cast.substituted(step) {
            None => json!("skipped"),
            Some(clear) if clear.get("hear").is_some() => {
                early = self.hear(&clear, cast).await;
                Value::Null
            }
            Some(clear) => self.perform(&clear, cast).await,
        };
        self.settle().await;
        if let Some(newcomer) = cast.bind(step, &result, &self.app) {
            let pid = cast.text(&newcomer);
            self.watch(&mut cast.watched, &newcomer, &pid).await;
            self.settle().await;
        }
        let mut heard = Map::new();
        for name in cast.probes.clone().iter().filter(|_| step.get("quiet").is_none()) {
            let mut entries = if step["hear"] == **name { std::mem::take(&mut early) } else { Vec::new() };
            entries.extend(self.take(cast.pids[name]).await);
            heard.insert(name.clone(), entries.into());
        }
        let ended = self.ended(&mut cast.watched).await;
        renamed(json!({ "result": result, "heard": heard, "ended": ended }), &|text| cast.name_of(text))
    }

    async fn perform(&self, step: &Value, cast: &Cast) -> Value {
        let pid = step["at"].as_str().and_then(|text| cast.known.get(text).copied());
        if let Some(script) = step.get("tell") {
            let script = Body::Json(json!({ "do": script }).to_string());
            // Whoever has ended hears nothing, which is no error.
            let _ = pid.map(|pid| self.app.runtime.send("test", &Address::Pid(pid), script));
            return Value::Null;
        }
        if let Some(request) = step.get("sys") {
            return match pid {
                Some(pid) => self.asked(pid, request).await,
                None => json!("nobody"),
            };
        }
        match pid {
            Some(pid) => self.ask(pid, &step["do"]).await,
            None => json!({ "Err": { "ended": "noproc" } }),
        }
    }

    async fn ask(&self, pid: Pid, step: &Value) -> Value {
        let body = Body::Json(step.to_string());
        match self.app.runtime.call("test", Address::Pid(pid), body, Some(PATIENCE)).await {
            Ok(reply) => {
                let reply = value(&reply);
                assert!(!reply.to_string().contains("\"script\""), "a step is wrong: {step} brings {reply}");
                reply
            }
            Err(CallError::Ended(reason)) => json!({ "Err": { "ended": reason_value(&reason) } }),
            Err(error) => panic!("no reply to {step}: {error:?}"),
        }
    }

    /// What a probe has noted since it was asked last. Whoever blocks or stands still is asked later.
    pub(super) async fn take(&self, pid: Pid) -> Vec<Value> {
        let processes = self.app.runtime.processes();
        let Some(process) = processes.iter().find(|process| process.pid == pid) else { return Vec::new() };
        if ["blocked", "suspended"].contains(&process.status) {
            return Vec::new();
        }
        match self.ask(pid, &json!("Take")).await {
            Value::Array(entries) => entries.into_iter().filter(|entry| !is_script(entry)).collect(),
            _ => Vec::new(),
        }
    }

    /// Asks one probe until it has heard so much.
    async fn hear(&self, step: &Value, cast: &Cast) -> Vec<Value> {
        let name = step["hear"].as_str().expect("a name");
        let enough = step["entries"].as_u64().and_then(|count| usize::try_from(count).ok()).expect("a number");
        let (started, mut heard) = (Instant::now(), Vec::new());
        while heard.len() < enough {
            heard.extend(self.take(cast.pids[name]).await);
            assert!(started.elapsed() < PATIENCE, "{name} has only heard {heard:?}");
        }
        heard
    }

    /// Waits until everybody waits, and goes on waiting.
    pub(super) async fn settle(&self) {
        let (started, mut calm) = (Instant::now(), 0);
        while calm < CALM {
            self.app.ask(WATCHER, json!("Me")).await;
            calm = if self.all_rest() { calm + 1 } else { 0 };
            assert!(started.elapsed() < PATIENCE, "it never rests: {:#?}", self.app.runtime.processes());
        }
    }

    fn all_rest(&self) -> bool {
        let watcher = self.app.pid(WATCHER);
        let takes_part = |pid: Pid, kind: &str| pid != watcher && kind != "client";
        let rests = |status: &str| ["waiting", "blocked", "hibernating", "suspended"].contains(&status);
        let processes = self.app.runtime.processes();
        processes.iter().all(|process| !takes_part(process.pid, process.kind) || rests(process.status))
    }

    /// Has the watcher tell of a process' end, under this name.
    pub(super) async fn watch(&self, watched: &mut HashMap<u64, String>, name: &str, pid: &str) {
        let mark = self.app.ask(WATCHER, json!({ "Monitor": { "target": { "pid": pid } } })).await;
        watched.insert(mark.as_u64().expect("a mark"), name.to_owned());
    }

    /// Who has ended since it was asked last, and why.
    pub(super) async fn ended(&self, watched: &mut HashMap<u64, String>) -> Value {
        let mut ended = Map::new();
        for entry in self.app.ask(WATCHER, json!("Take")).await.as_array().into_iter().flatten() {
            // The result of a task, which comes to whoever monitors it.
            if entry.get("answer").is_some() {
                continue;
            }
            let name = entry["down"]["mark"].as_u64().and_then(|mark| watched.remove(&mark));
            let name = name.unwrap_or_else(|| panic!("nobody asked for this: {entry}"));
            ended.insert(name, entry["down"]["reason"].clone());
        }
        Value::Object(ended)
    }

    /// Ends whoever took part.
    pub(super) async fn clear(&self) {
        let started = Instant::now();
        loop {
            let processes = self.app.runtime.processes();
            let takes_part = |pid: &Pid, kind: &str| !self.stagehands.contains(pid) && kind != "client";
            let left = processes.iter().filter(|process| takes_part(&process.pid, process.kind));
            if left.map(|process| self.app.runtime.kill(process.pid)).count() == 0 {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "they do not end");
            tokio::task::yield_now().await;
        }
        self.settle().await;
        self.app.ask(WATCHER, json!("Take")).await;
    }
}

/// Who takes part in a scenario.
#[derive(Default)]
struct Cast {
    /// What `$name` stands for: the text of a pid, a mark, or whatever a step brought.
    values: BTreeMap<String, Value>,
    pids: HashMap<String, Pid>,
    /// Each pid that has a name, by its text.
    known: HashMap<String, Pid>,
    /// Those who keep a journal, in the order in which they are asked for it.
    probes: Vec<String>,
    watched: HashMap<u64, String>,
}

impl Cast {
    fn enter(&mut self, name: &str, pid: Pid) {
        self.values.insert(name.to_owned(), pid.to_text().into());
        self.pids.insert(name.to_owned(), pid);
        self.known.insert(pid.to_text(), pid);
    }

    fn text(&self, name: &str) -> String {
        self.values[name].as_str().expect("a pid").to_owned()
    }

    /// The value with what `$name` stands for; none if a name in it stands for nothing.
    fn substituted(&self, value: &Value) -> Option<Value> {
        match value {
            Value::String(text) => match text.strip_prefix('$') {
                Some(name) => self.values.get(name).cloned(),
                None => Some(value.clone()),
            },
            Value::Array(values) => values.iter().map(|value| self.substituted(value)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| Some((key.clone(), self.substituted(value)?)));
                Some(Value::Object(fields.collect::<Option<_>>()?))
            }
            other => Some(other.clone()),
        }
    }

    /// Remembers what a step brought that has a name, and says whether that is a process.
    fn bind(&mut self, step: &Value, result: &Value, app: &TestApp) -> Option<String> {
        let name = step.get("as")?.as_str()?;
        if let Some(pid) = result["Ok"]["pid"].as_str() {
            let known = app.runtime.processes().into_iter().find(|process| process.pid.to_text() == pid);
            self.values.insert(name.to_owned(), pid.into());
            self.values.insert(format!("{name}.mark"), result["Ok"]["mark"].clone());
            if let Some(process) = known {
                self.enter(name, process.pid);
                if step["do"]["Spawn"]["module"] == "probe" {
                    self.probes.insert(0, name.to_owned());
                }
            }
            return Some(name.to_owned());
        }
        match result.get("Ok").filter(|found| found.is_array()).unwrap_or(result) {
            Value::Array(results) => {
                let numbered = results.iter().enumerate();
                self.values.extend(numbered.map(|(number, value)| (format!("{name}.{number}"), value.clone())));
            }
            Value::Object(fields) => {
                let parts = ["mark", "alias"].into_iter().filter_map(|key| Some((key, fields.get(key)?)));
                self.values.extend(parts.map(|(key, value)| (format!("{name}.{key}"), value.clone())));
            }
            Value::String(word) if word == "skipped" => {}
            other => drop(self.values.insert(name.to_owned(), other.clone())),
        }
        None
    }

    /// The name of a pid, by its text; `?` if it has none.
    fn name_of(&self, text: &str) -> Option<String> {
        let named = self.values.iter().find(|(_, value)| value.as_str() == Some(text) && is_pid(text));
        named.map(|(name, _)| format!("${name}")).or_else(|| is_pid(text).then(|| "?".to_owned()))
    }
}

/// `0.12.3f`: a node, an id and a tag.
fn is_pid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_number = |part: &str, radix| !part.is_empty() && part.chars().all(|c| c.is_digit(radix));
    matches!(parts[..], [node, id, tag] if is_number(node, 10) && is_number(id, 10) && is_number(tag, 16))
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts.map(|text| text.as_str().expect("a text").to_owned()).collect()
}

fn value(body: &Body) -> Value {
    match body {
        Body::Json(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        Body::Text(text) => json!({ "$text": text }),
        Body::Raw(bytes) | Body::MessagePack(bytes) => json!(bytes),
    }
}

/// A reason as a probe's journal has it.
pub(super) fn reason_value(reason: &ExitReason) -> Value {
    let text = |body: &Body| match body {
        Body::Text(text) | Body::Json(text) => json!({ "text": text }),
        Body::Raw(bytes) | Body::MessagePack(bytes) => json!({ "raw": bytes }),
    };
    match reason {
        ExitReason::Normal => json!("normal"),
        ExitReason::Shutdown(body) => json!({ "shutdown": body.as_deref().map(text) }),
        ExitReason::Killed => json!("killed"),
        ExitReason::Noproc => json!("noproc"),
        ExitReason::Noconnection => json!("noconnection"),
        ExitReason::Limit(what) => json!({ "limit": &**what }),
        ExitReason::Trap(_) => json!("trap"),
        ExitReason::Failed(why) => json!({ "failed": &**why }),
        ExitReason::Custom(body) => json!({ "custom": text(body) }),
    }
}
