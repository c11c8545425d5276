//! The steps of a script: any operation of the contract, as JSON.
//!
//! Owns their shapes and how each is performed, and how bodies and events look in a journal. Never keeps anything. Shared,
//! by path, by the guests `probe` (a server) and `probe-task`: one guest cannot depend on another.

#[path = "steps/supervision.rs"]
mod supervision;
// By path, because it is found from two crates.
#[path = "directory.rs"]
pub mod directory;

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use skep_sdk::prelude::*;
use skep_sdk::supervision::Ask;
use skep_sdk::sys::{self, SystemRef};
use skep_sdk::{Alias, Caller, Codec, Message, Raw, Untyped, Via};

use directory::{GroupStep, RegistryStep, TopicStep};

/// A body in a script or a journal: a JSON value as it is, everything else as an object with one key: `{"$text":"…"}`,
/// `{"$raw":[1,2]}`, `{"$messagepack":value}`; in scripts also `{"$zeros":1000}`, raw bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Value", into = "Value")]
pub struct Content(pub Body);

impl std::convert::From<Value> for Content {
    fn from(value: Value) -> Content {
        let special = value.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
        let body = match special {
            Some((key, Value::String(text))) if key == "$text" => Body::Text(text.clone()),
            Some((key, raw)) if key == "$raw" => Body::Raw(serde_json::from_value(raw.clone()).unwrap_or_default()),
            Some((key, Value::Number(size))) if key == "$zeros" => {
                Body::Raw(vec![0; size.as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(0)])
            }
            Some((key, inner)) if key == "$messagepack" => {
                inner.encode(Codec::Messagepack).unwrap_or(Body::Raw(Vec::new()))
            }
            _ => Body::Json(value.to_string()),
        };
        Content(body)
    }
}

impl std::convert::From<Content> for Value {
    fn from(content: Content) -> Value {
        match content.0 {
            Body::Json(text) => serde_json::from_str(&text).unwrap_or(json!({ "$json": text })),
            Body::Text(text) => json!({ "$text": text }),
            Body::Raw(bytes) => json!({ "$raw": bytes }),
            body @ Body::Messagepack(_) => json!({ "$messagepack": Value::decode(body).unwrap_or_default() }),
        }
    }
}

/// A value, or the one that came of an earlier step of the same script: `{"step":0}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Given<T> {
    /// As it stands.
    Literal(T),
    /// From the result of that step, counted from 0.
    Of {
        /// Which.
        step: usize,
    },
}

impl<T: DeserializeOwned> Given<T> {
    fn get(self, key: &str, results: &[Value]) -> Result<T, String> {
        match self {
            Given::Literal(value) => Ok(value),
            Given::Of { step } => {
                let result = results.get(step).ok_or_else(|| format!("step {step} has no result yet"))?;
                let value = find(result, key).unwrap_or(result).clone();
                serde_json::from_value(value).map_err(|error| format!("step {step} brought no {key}: {error}"))
            }
        }
    }
}

/// The value under this key, however deep.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(object) => object.get(key).or_else(|| object.values().find_map(|value| find(value, key))),
        Value::Array(values) => values.iter().find_map(|value| find(value, key)),
        _ => None,
    }
}

fn five_seconds() -> Option<u64> {
    Some(5000)
}

/// One thing to do. It is read from a JSON value and from nothing else, which keeps these guests small. Those from `Hold` on only a server can, `Receive` and its like only a task.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of the contract's functions")]
pub enum Step {
    /// Brings this process's pid.
    Me,
    /// Brings `{"Ok":null}` or `{"Err":refusal}`.
    Send { to: Given<Address>, body: Content },
    /// As `Send`.
    SendNamed { name: String, body: Content },
    /// Brings null.
    Cast { to: Given<Address>, body: Content },
    /// Brings `{"Ok":body}` or `{"Err":call error}`. Without `timeout_ms` 5,000; null waits for ever.
    Call {
        to: Given<Address>,
        body: Content,
        #[serde(default = "five_seconds")]
        timeout_ms: Option<u64>,
    },
    /// Brings the body.
    CallOrExit { to: Given<Address>, body: Content },
    /// Brings the mark.
    Request {
        to: Given<Address>,
        body: Content,
        #[serde(default = "five_seconds")]
        timeout_ms: Option<u64>,
    },
    /// Brings `{"Ok":null}` or `{"Err":call error}`.
    StopServer {
        to: Given<Address>,
        reason: ExitReason,
        #[serde(default = "five_seconds")]
        timeout_ms: Option<u64>,
    },
    /// Brings whether there was anything to give up.
    Abandon { mark: Given<Mark> },
    /// Answers any caller, also one that another process holds. Brings null.
    ReplyTo { caller: Given<Caller>, body: Content },
    /// Brings `{"Ok":null}` or `{"Err":refusal}`.
    Link { to: Given<Pid> },
    /// Brings null.
    Unlink { to: Given<Pid> },
    /// Brings the mark.
    Monitor { target: Given<Address> },
    /// `alias` is `explicit-unalias`, `demonitor` or `reply-demonitor`. Brings `{"mark":…,"alias":…}`.
    MonitorWith {
        target: Given<Address>,
        #[serde(default)]
        tag: Option<Content>,
        #[serde(default)]
        alias: Option<String>,
    },
    /// Opens an alias, for one message or for ever. Brings `{"alias":…}`, which is an address too.
    OpenAlias { once: bool },
    /// Brings whether it was open.
    Unalias { alias: Given<Alias> },
    /// Brings whether there is such a process.
    IsAlive { pid: Given<Pid> },
    /// Brings whether there was one.
    Demonitor {
        mark: Given<Mark>,
        #[serde(default)]
        flush: bool,
    },
    /// Brings what it was before.
    TrapExit(bool),
    /// Brings null.
    Exit { to: Given<Pid>, reason: ExitReason },
    /// Brings null.
    Kill { to: Given<Pid> },
    /// Ends this process here and now.
    Stop { reason: ExitReason },
    /// Brings `{"Ok":{"pid":…,"mark":…}}` or `{"Err":spawn error}`.
    Spawn {
        module: String,
        #[serde(default)]
        args: Value,
        #[serde(default)]
        link: bool,
        #[serde(default)]
        monitor: bool,
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        via: Option<Via>,
    },
    /// Without `pid`: itself. Brings `{"Ok":null}` or `{"Err":refusal}`.
    Register {
        name: String,
        #[serde(default)]
        pid: Option<Given<Pid>>,
    },
    /// Brings whether it held the name.
    Unregister { name: String },
    /// Brings a pid or null.
    Whereis { name: String },
    /// With a registry of the app.
    Registry { name: String, does: RegistryStep },
    /// With a process group.
    Group {
        #[serde(default)]
        scope: Option<String>,
        name: String,
        does: GroupStep,
    },
    /// With a topic.
    Topic { name: String, does: TopicStep },
    /// Brings the mark.
    SendAfter { after_ms: u64, to: Given<Address>, body: Content },
    /// Brings the mark.
    StartTimer { after_ms: u64, body: Content },
    /// Brings the milliseconds since the node began.
    Now,
    /// `at_ms` is a moment of `Now`. Brings the mark.
    SendAt { at_ms: u64, to: Given<Address>, body: Content },
    /// As `SendAt`.
    StartTimerAt { at_ms: u64, body: Content },
    /// Another process's timer. Brings the milliseconds that were left, or null.
    CancelOf { owner: Given<Pid>, mark: Given<Mark> },
    /// Another process's timer. Brings the milliseconds that are left, or null.
    LeftOf { owner: Given<Pid>, mark: Given<Mark> },
    /// Brings the milliseconds that were left, or null.
    Cancel { mark: Given<Mark> },
    /// Brings the milliseconds that are left, or null.
    Left { mark: Given<Mark> },
    /// Brings `{"Ok":{"pid":…}}` or `{"Err":…}`.
    StartSupervisor(Supervisor),
    /// Brings `{"Ok":reply}` or `{"Err":…}`.
    Supervise { supervisor: Given<Address>, ask: Ask },
    /// A system message. Brings `{"Ok":reply}` or `{"Err":…}`.
    System {
        target: Given<Address>,
        ask: sys::Ask,
        #[serde(default = "five_seconds")]
        timeout_ms: Option<u64>,
    },
    /// Gives a server another state, if this is its author's part. Brings `{"Ok":the one before}` or `{"Err":…}`.
    SetState { target: Given<Address>, state: Value },
    /// Writes into the log, at level info.
    Log(String),
    /// Loops for ever.
    Spin,
    /// Panics with this text.
    Panic(String),
    /// Brings the results of all, in order.
    Many(Vec<Value>),

    /// Waits. Brings an event as in the journal, or null when the time is up.
    Receive {
        #[serde(default = "five_seconds")]
        timeout_ms: Option<u64>,
    },
    /// Waits for one of these marks. Brings as `Receive`.
    ReceiveOnly {
        marks: Vec<Given<Mark>>,
        #[serde(default = "five_seconds")]
        timeout_ms: Option<u64>,
    },
    /// Waits for an event in whose JSON there is this text. Brings as `Receive`.
    ReceiveWhere {
        text: String,
        #[serde(default = "five_seconds")]
        timeout_ms: Option<u64>,
    },

    /// Does not reply; the caller waits until somebody does.
    Hold,
    /// Brings the callers held, oldest first: `[{"pid":…,"mark":…}]`, for `ReplyTo` elsewhere.
    Held,
    /// Replies to the oldest one held. Brings whether there was one.
    Release { body: Content },
    /// Notes the body as `{"call":body}` and brings it.
    Echo(Content),
    /// Brings the journal.
    Journal,
    /// Brings the journal and clears it.
    Take,
    /// Brings how often its state was restored.
    Restores,
    /// Replies, and stops with this reason.
    ReplyAndStop(ExitReason),
    /// Stops with this reason, without a reply.
    StopWith(ExitReason),
    /// Fails with this text.
    Fail(String),
    /// In `init`: there is nothing to do.
    Ignore,
    /// Replies, then continues so often, each time noted as `{"continue":n}`, n counting down to 1.
    Continue(u32),
    /// Replies, and asks for `idle`.
    Idle { after_ms: u64 },
    /// Replies, and gives the instance back.
    Hibernate,
    /// From now on `save` refuses, or no longer does.
    RefuseSave(bool),
    /// For the end: in `terminate`, sends `{"terminated":reason}` to this address, then does these steps.
    AtEnd {
        #[serde(default)]
        tell: Option<Address>,
        #[serde(default)]
        steps: Vec<Value>,
    },
}

/// The step that a value stands for.
///
/// # Errors
///
/// What a script then brings in place of a result: `{"Err":{"script":"…"}}`.
pub fn read(value: Value) -> Result<Step, Value> {
    serde_json::from_value(value).map_err(|error| wrong(&error.to_string()))
}

/// The result of a step that could not be performed because of how the script was written.
pub fn wrong(why: &str) -> Value {
    json!({ "Err": { "script": why } })
}

/// Performs a step that any process can, and brings its result; gives back one that is for servers or tasks alone.
/// `results` are those of the steps before it.
///
/// # Errors
///
/// The step, unperformed.
pub fn perform(step: Step, results: &[Value], context: &Context) -> Result<Value, Box<Step>> {
    Ok(attempt(step, results, context)?.unwrap_or_else(|why| wrong(&why)))
}

fn attempt(step: Step, results: &[Value], context: &Context) -> Result<Result<Value, String>, Box<Step>> {
    Ok(match step {
        Step::Me => show(context.me()),
        Step::Send { to, body } => address(to, results).and_then(|to| show(context.send(to, &Raw(body.0)))),
        Step::SendNamed { name, body } => show(context.send(name, &Raw(body.0))),
        Step::Cast { to, body } => process(to, results).map(|to| nothing(|| to.cast(context, Raw(body.0)))),
        Step::Call { to, body, timeout_ms } => process(to, results).and_then(|to| {
            let reply = to.call_within(context, Raw(body.0), timeout_ms.map(Duration::from_millis));
            show(reply.map(|Raw(body)| Content(body)))
        }),
        Step::CallOrExit { to, body } => {
            process(to, results).and_then(|to| show(Content(to.call_or_exit(context, Raw(body.0)).0)))
        }
        Step::Request { to, body, timeout_ms } => process(to, results)
            .and_then(|to| show(to.request(context, Raw(body.0), timeout_ms.map(Duration::from_millis)).mark())),
        Step::ReplyTo { caller, body } => {
            caller.get("caller", results).map(|caller| nothing(|| context.reply_to(caller, &body.0)))
        }
        Step::Link { to } => pid(to, results).and_then(|to| show(context.link(to))),
        Step::Unlink { to } => pid(to, results).map(|to| nothing(|| context.unlink(to))),
        Step::Monitor { target } => address(target, results).and_then(|target| show(context.monitor(target))),
        Step::MonitorWith { target, tag, alias } => {
            address(target, results).and_then(|target| watch(target, tag, alias.as_deref())).map(|watch| {
                let Watched { mark, alias } = context.monitor_with(watch);
                json!({ "mark": mark, "alias": alias })
            })
        }
        Step::OpenAlias { once } => {
            let alias = if once { context.reply_alias() } else { context.alias() };
            Ok(json!({ "alias": alias }))
        }
        Step::Unalias { alias } => alias.get("alias", results).and_then(|alias| show(context.unalias(alias))),
        Step::IsAlive { pid: who } => pid(who, results).and_then(|who| show(context.is_alive(who))),
        Step::Demonitor { mark: which, flush } => mark(which, results)
            .and_then(|mark| show(if flush { context.demonitor_flush(mark) } else { context.demonitor(mark) })),
        Step::TrapExit(on) => show(context.trap_exit(on)),
        Step::Exit { to, reason } => pid(to, results).map(|to| nothing(|| context.exit(to, &reason))),
        Step::Kill { to } => pid(to, results).map(|to| nothing(|| context.kill(to))),
        Step::Stop { reason } => context.stop(reason),
        Step::Spawn { module, args, link, monitor, name, via } => {
            let args = Raw(Content::from(args).0);
            let mut options = Options::new();
            if link {
                options = options.link();
            }
            if monitor {
                options = options.monitor();
            }
            if let Some(name) = name {
                options = options.named(name);
            }
            if let Some(via) = via {
                options = options.via(via);
            }
            let child = context.spawn::<Untyped>(&module, &args, options);
            show(child.map(|child| json!({ "pid": child.pid, "mark": child.monitor })))
        }
        Step::Register { name, pid: given } => {
            let who = given.map_or_else(|| Ok(context.me()), |given| pid(given, results));
            who.and_then(|pid| show(context.register(&name, pid)))
        }
        Step::Unregister { name } => show(context.unregister(&name)),
        Step::Whereis { name } => show(context.whereis(&name)),
        Step::Registry { name, does } => directory::registry(name, does, results, context),
        Step::Group { scope, name, does } => directory::group(scope, name, does, results, context),
        Step::Topic { name, does } => directory::topic(name, does, context),
        Step::SendAfter { after_ms, to, body } => address(to, results)
            .and_then(|to| show(context.send_after(Duration::from_millis(after_ms), to, &Raw(body.0)))),
        Step::StartTimer { after_ms, body } => show(context.start_timer(Duration::from_millis(after_ms), &Raw(body.0))),
        Step::StopServer { to, reason, timeout_ms } => process(to, results)
            .and_then(|process| show(process.stop(context, &reason, timeout_ms.map(Duration::from_millis)))),
        Step::Abandon { mark: which } => {
            mark(which, results).and_then(|mark| show(context.abandon(&Pending::<Raw>::of(mark))))
        }
        Step::Now => show(millis(context.now())),
        Step::SendAt { at_ms, to, body } => {
            address(to, results).and_then(|to| show(context.send_at(Duration::from_millis(at_ms), to, &Raw(body.0))))
        }
        Step::StartTimerAt { at_ms, body } => show(context.start_timer_at(Duration::from_millis(at_ms), &Raw(body.0))),
        Step::CancelOf { owner, mark: which } => {
            timer(owner, which, results).and_then(|timer| show(context.cancel_of(timer).map(millis)))
        }
        Step::LeftOf { owner, mark: which } => {
            timer(owner, which, results).and_then(|timer| show(context.left_of(timer).map(millis)))
        }
        Step::Cancel { mark: which } => mark(which, results).and_then(|mark| show(context.cancel(mark).map(millis))),
        Step::Left { mark: which } => mark(which, results).and_then(|mark| show(context.left(mark).map(millis))),
        Step::StartSupervisor(supervisor) => supervision::start(supervisor, context),
        Step::Supervise { supervisor, ask } => {
            address(supervisor, results).and_then(|supervisor| supervision::ask(supervisor, ask, context))
        }
        Step::System { target, ask, timeout_ms } => address(target, results).and_then(|target| {
            show(SystemRef::at(target).within(timeout_ms.map(Duration::from_millis)).ask(context, ask))
        }),
        Step::SetState { target, state } => {
            address(target, results).and_then(|target| set_state(&SystemRef::at(target), &state, context))
        }
        Step::Log(line) => Ok(nothing(|| context.info(&line))),
        Step::Spin => loop {
            std::hint::black_box(());
        },
        Step::Panic(why) => panic!("{why}"),
        other => return Err(Box::new(other)),
    })
}

fn set_state(server: &SystemRef, wanted: &Value, context: &Context) -> Result<Value, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let before = match server.state(context) {
        Ok(before) => before,
        Err(error) => return show(Err::<(), _>(error)),
    };
    let after = before.with(wanted).map_err(|error| text(&error))?;
    let replaced = server.replace_state(context, after);
    let before: Value = before.read().map_err(|error| text(&error))?;
    show(replaced.map(|()| before))
}

fn show(result: impl Serialize) -> Result<Value, String> {
    serde_json::to_value(result).map_err(|error| error.to_string())
}

/// What an operation brings that brings nothing.
fn nothing(act: impl FnOnce()) -> Value {
    act();
    Value::Null
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn pid(given: Given<Pid>, results: &[Value]) -> Result<Pid, String> {
    given.get("pid", results)
}

/// The address that is meant. A step that brought an alias stands for that.
///
/// # Errors
///
/// If that step brought none.
pub fn address(given: Given<Address>, results: &[Value]) -> Result<Address, String> {
    if let Given::Of { step } = given
        && let Some(alias) = results.get(step).and_then(|result| find(result, "alias"))
    {
        return serde_json::from_value(json!({ "alias": alias })).map_err(|error| format!("step {step}: {error}"));
    }
    given.get("pid", results)
}

fn watch(target: Address, tag: Option<Content>, alias: Option<&str>) -> Result<Watch, String> {
    let mut watch = Watch::of(target);
    if let Some(tag) = tag {
        watch = watch.tag(&Raw(tag.0));
    }
    match alias {
        None => Ok(watch),
        Some("explicit-unalias") => Ok(watch.alias()),
        Some("demonitor") => Ok(watch.tied_alias()),
        Some("reply-demonitor") => Ok(watch.reply_alias()),
        Some(other) => Err(format!("no alias is {other}")),
    }
}

fn timer(owner: Given<Pid>, which: Given<Mark>, results: &[Value]) -> Result<TimerRef, String> {
    Ok(TimerRef { owner: pid(owner, results)?, timer: mark(which, results)? })
}

fn process(given: Given<Address>, results: &[Value]) -> Result<Ref<Untyped>, String> {
    address(given, results).map(Ref::at)
}

/// The mark that is meant.
///
/// # Errors
///
/// If that step brought none.
pub fn mark(given: Given<Mark>, results: &[Value]) -> Result<Mark, String> {
    given.get("mark", results)
}

/// An event as the journal has it.
pub fn entry(event: Event) -> Value {
    match event {
        Event::Call(request) => json!({ "call": { "caller": request.caller, "body": Content(request.body) } }),
        Event::Cast(body) => json!({ "cast": Content(body) }),
        Event::Info(body) => json!({ "info": Content(body) }),
        Event::Answer(answer) => {
            json!({ "answer": { "mark": answer.mark, "outcome": answer.outcome.map(Content) } })
        }
        Event::Exit(exit) => json!({ "exit": exit }),
        Event::Down(down) => json!({ "down": down }),
        Event::Timer(alarm) => json!({ "timer": { "mark": alarm.mark, "body": Content(alarm.body) } }),
        Event::Change(change) => json!({ "change": directory::entry(change) }),
        Event::Idle => json!("idle"),
        Event::Continue(body) => json!({ "continue": Content(body) }),
    }
}
