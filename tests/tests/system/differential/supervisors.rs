//! Scenarios of supervisors: the same specs and the same sequence of ends and requests.
//!
//! Compared are who says that it comes up or goes down and in which order, what each request brings, the children and
//! their counts between two steps, how often each was started, and why the supervisor ends. Owns how such a scenario is
//! performed in Skep.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use skep_runtime::kernel::supervisor::{
    Answer, AutoShutdown, ChildSpec, ChildStatus, ChildView, Counts, RequestError, Restart, Shutdown, Strategy,
    SupervisorSpec,
};
use skep_runtime::kernel::{Body, ExitReason, Pid, Refusal, SpawnError};
use skep_runtime::spec::Blueprint;
use skep_runtime::{Request, RuntimeError};
use skep_tests::Child;

use super::skep::{Stage, reason_value};
use super::trace::{Order, renamed};
use super::{Scenario, custom, shutdown};

/// Restarts are counted within these seconds, which no scenario outlasts. `probe.escript` says the same.
const WINDOW_S: u32 = 1000;
/// The id of whatever is made from a template.
pub(super) const COMES_AND_GOES: &str = "worker";

impl Stage {
    /// The trace of a scenario that says `supervisor` and `steps`.
    pub(super) async fn supervise(&self, scenario: &Value) -> Vec<Value> {
        self.start(Child::probe("o")).await;
        let mut inner = ChildSpec::supervisor("inner", Blueprint::Supervisor(spec(&scenario["supervisor"]).into()));
        inner.restart = Restart::Temporary;
        let root = self.app.runtime.root("test").expect("the app runs");
        let started = self.request(root, Request::StartChild(inner)).await;
        let mut tree = Tree { root, supervisor: root, born: HashMap::new(), watched: HashMap::new() };
        // Where it has not started, nobody answers any more: as a supervisor that has ended.
        let begun = match started {
            Ok(Answer::Started(Some(pid))) => {
                tree.supervisor = pid;
                self.watch(&mut tree.watched, "supervisor", &pid.to_text()).await;
                json!("started")
            }
            other => {
                tree.supervisor = self.app.pid("o");
                shown(&other)
            }
        };
        let mut trace = vec![self.seen(begun, &mut tree).await];
        for step in scenario["steps"].as_array().into_iter().flatten() {
            let result = self.sup_step(step, &tree).await;
            trace.push(self.seen(result, &mut tree).await);
        }
        self.clear().await;
        trace
    }

    async fn sup_step(&self, step: &Value, tree: &Tree) -> Value {
        let text = |key: &str| step[key].as_str();
        if let Some(name) = text("tell") {
            // Whoever is not there hears nothing.
            if self.app.whereis(name).is_some() {
                self.app.send(name, &json!({ "do": step["do"] }));
            }
            return Value::Null;
        }
        if let Some(name) = text("kill") {
            let _ = self.app.whereis(name).map(|pid| self.app.runtime.kill(pid));
            return Value::Null;
        }
        if let Some(name) = text("end") {
            let pid = self.app.whereis(name).or_else(|| tree.born.get(name)?.last().copied());
            return match pid {
                Some(pid) => shown(&self.request(tree.supervisor, Request::TerminatePid(pid)).await),
                None => panic!("nobody was ever called {name}"),
            };
        }
        let request = match (text("terminate"), text("restart"), text("delete")) {
            (Some(id), _, _) => Request::TerminateChild(id.into()),
            (_, Some(id), _) => Request::RestartChild(id.into()),
            (_, _, Some(id)) => Request::DeleteChild(id.into()),
            _ if step.get("stop").is_some() => {
                let stopped = self.request(tree.root, Request::TerminateChild("inner".into())).await;
                return if stopped == Err(Some(RequestError::NotFound)) { json!("gone") } else { shown(&stopped) };
            }
            _ if step.get("begin").is_some() => Request::StartFromTemplate(Some(Body::Json(step["begin"].to_string()))),
            _ => Request::StartChild(child(&step["start"]).spec),
        };
        shown(&self.request(tree.supervisor, request).await)
    }

    /// Children that come and go are known by their names, which they register.
    fn id(&self, view: &ChildView) -> String {
        if &*view.id != COMES_AND_GOES {
            return view.id.to_string();
        }
        let processes = self.app.runtime.processes();
        let process = processes.into_iter().find(|process| Some(process.pid) == view.status.pid());
        process.and_then(|process| process.name).map_or_else(String::new, |name| name.to_string())
    }

    /// None as the error: there is no such supervisor any more.
    async fn request(&self, supervisor: Pid, request: Request) -> Result<Answer, Option<RequestError>> {
        match self.app.runtime.supervise(supervisor, request).await {
            Ok(answer) => Ok(answer),
            Err(RuntimeError::Refused(error)) => Err(Some(error)),
            Err(_) => Err(None),
        }
    }

    /// What there is to see once everything is at rest.
    async fn seen(&self, result: Value, tree: &mut Tree) -> Value {
        let children = loop {
            self.settle().await;
            let children = self.request(tree.supervisor, Request::WhichChildren).await;
            let Ok(Answer::Children(views)) = children else { break json!("gone") };
            // A try that has failed is followed by the next one.
            let rests = |status: ChildStatus| matches!(status, ChildStatus::Running(_) | ChildStatus::Stopped);
            if views.iter().all(|view| rests(view.status)) {
                let shown = views.iter().map(|view| {
                    let id = self.id(view);
                    let place = view.status.pid().map(|pid| tree.place(&id, pid));
                    json!({ "id": id, "pid": place, "type": "worker" })
                });
                break shown.collect();
            }
        };
        let counts = match self.request(tree.supervisor, Request::CountChildren).await {
            Ok(Answer::Counts(Counts { specs, active, supervisors, workers })) => {
                json!([specs, active, supervisors, workers])
            }
            _ => json!("gone"),
        };
        let told = self.take(self.app.pid("o")).await;
        let ended = self.ended(&mut tree.watched).await;
        let line = json!({ "result": result, "told": told, "children": children, "counts": counts, "ended": ended });
        renamed(line, &|_| None)
    }
}

/// A supervisor on the stage.
struct Tree {
    root: Pid,
    supervisor: Pid,
    /// The processes of each id that were seen, in the order in which they were.
    born: HashMap<String, Vec<Pid>>,
    watched: HashMap<u64, String>,
}

impl Tree {
    /// Which of all processes of this id it is, counted from 1.
    fn place(&mut self, id: &str, pid: Pid) -> usize {
        let born = self.born.entry(id.to_owned()).or_default();
        if !born.contains(&pid) {
            born.push(pid);
        }
        born.iter().position(|other| *other == pid).map_or(0, |index| index + 1)
    }
}

fn spec(value: &Value) -> SupervisorSpec<Blueprint> {
    let max_restarts = value["max_restarts"].as_u64().and_then(|number| u32::try_from(number).ok()).expect("a number");
    if let Some(template) = value.get("template") {
        let template = child(template).process(|process| process.name = None).spec;
        return SupervisorSpec { max_restarts, max_seconds: WINDOW_S, ..SupervisorSpec::template(template) };
    }
    let strategy = match value["strategy"].as_str() {
        Some("one_for_one") => Strategy::OneForOne,
        Some("one_for_all") => Strategy::OneForAll,
        Some("rest_for_one") => Strategy::RestForOne,
        other => panic!("no strategy: {other:?}"),
    };
    let auto_shutdown = match value["auto_shutdown"].as_str() {
        Some("any_significant") => AutoShutdown::AnySignificant,
        Some("all_significant") => AutoShutdown::AllSignificant,
        _ => AutoShutdown::Never,
    };
    let children = value["children"].as_array().into_iter().flatten().map(|value| child(value).spec).collect();
    SupervisorSpec { strategy, max_restarts, max_seconds: WINDOW_S, auto_shutdown, ..SupervisorSpec::new(children) }
}

fn child(value: &Value) -> Child {
    let restart = match value["restart"].as_str() {
        Some("permanent") => Restart::Permanent,
        Some("transient") => Restart::Transient,
        Some("temporary") => Restart::Temporary,
        other => panic!("no restart type: {other:?}"),
    };
    let shutdown = match (value["shutdown"].as_u64(), value["shutdown"].as_str()) {
        (Some(after_ms), _) => Shutdown::Timeout(Duration::from_millis(after_ms)),
        (_, Some("brutal_kill")) => Shutdown::BrutalKill,
        _ => Shutdown::Infinity,
    };
    let id = value["id"].as_str().expect("an id");
    let mut child = Child::new(id, "probe", &value["init"]).restart(restart).shutdown(shutdown);
    child.spec.significant = value["significant"] == true;
    child
}

/// What a request brought, in the words of `probe.escript`.
fn shown(result: &Result<Answer, Option<RequestError>>) -> Value {
    match result {
        Ok(Answer::Started(Some(_))) => json!("started"),
        Ok(Answer::Started(None)) => json!("ignored"),
        Ok(Answer::Done) => json!("done"),
        Ok(other) => panic!("nobody asked for this: {other:?}"),
        Err(None) => json!("gone"),
        Err(Some(RequestError::AlreadyStarted(_))) => json!("already started"),
        Err(Some(RequestError::AlreadyPresent)) => json!("already present"),
        Err(Some(RequestError::NotFound)) => json!("not found"),
        Err(Some(RequestError::Running)) => json!("running"),
        Err(Some(RequestError::Restarting)) => json!("restarting"),
        Err(Some(RequestError::OnlyByPid)) => json!("only by pid"),
        Err(Some(RequestError::Failed(SpawnError::Failed(reason)))) => failed(reason),
        Err(Some(RequestError::Invalid(_) | RequestError::Failed(SpawnError::Refused(Refusal::Invalid(_))))) => {
            json!("invalid")
        }
        Err(Some(other)) => json!({ "refused": format!("{other:?}") }),
    }
}

/// OTP says the same of a supervisor whose child did not start as a term.
fn failed(reason: &ExitReason) -> Value {
    let text = reason.to_string();
    let id = text.strip_prefix("shutdown: failed to start child \"").and_then(|rest| rest.split('"').next());
    id.map_or_else(|| json!({ "failed": reason_value(reason) }), |id| json!({ "failed to start": id }))
}

/// A probe that says to `o` that it comes up, and, if it can, that it goes down.
pub(super) fn teller(id: &str, restart: &str, shutdown: Value, traps: bool) -> Value {
    let say = |what: &str| json!({ "SendNamed": { "name": "o", "body": format!("{id} {what}") } });
    let init = json!([{ "TrapExit": traps }, { "AtEnd": { "steps": [say("down")] } }, say("up")]);
    json!({ "id": id, "restart": restart, "shutdown": shutdown, "init": init })
}

pub(super) fn end(id: &str, reason: &Value) -> Value {
    json!({ "tell": id, "do": [{ "StopWith": reason }] })
}

/// A scenario of a supervisor with these children.
pub(super) fn supervised(
    title: &str,
    strategy: &str,
    max_restarts: u32,
    children: &[Value],
    steps: impl IntoIterator<Item = Value>,
) -> Scenario {
    let steps: Vec<Value> = steps.into_iter().collect();
    let supervisor = json!({ "strategy": strategy, "max_restarts": max_restarts, "children": children });
    let script = json!({ "supervisor": supervisor, "steps": steps });
    Scenario { title: title.into(), script, order: Order::Counts }
}

pub(super) fn scenarios() -> Vec<Scenario> {
    [lives(), every_end(), significant(), failing_starts(), requests()].into_iter().flatten().collect()
}

/// Three that trap exits, of this restart type.
fn three(restart: &str) -> [Value; 3] {
    ["a", "b", "c"].map(|id| teller(id, restart, json!(5000), true))
}

fn lives() -> Vec<Scenario> {
    let silent = ["a", "b", "c"].map(|id| teller(id, "permanent", json!(5000), false));
    let killed = ["a", "b", "c"].map(|id| teller(id, "permanent", json!("brutal_kill"), true));
    let mut scenarios = vec![
        supervised(
            "SUP-01 SUP-15 up in order and down in reverse",
            "one_for_one",
            1,
            &three("permanent"),
            [json!({ "stop": true })],
        ),
        supervised("SUP-15 who does not trap says nothing", "one_for_one", 1, &silent, [json!({ "stop": true })]),
        supervised(
            "SUP-15 who is killed says nothing",
            "one_for_all",
            9,
            &killed,
            [json!({ "kill": "b" }), json!({ "terminate": "a" }), json!({ "stop": true })],
        ),
        supervised(
            "SUP-21 a new one knows only its spec",
            "one_for_one",
            0,
            &three("transient"),
            [
                json!({ "delete": "a" }),
                json!({ "start": teller("d", "permanent", json!(5000), true) }),
                json!({ "kill": "d" }),
            ],
        ),
    ];
    for max_restarts in [0, 1, 3] {
        for strategy in ["one_for_one", "one_for_all", "rest_for_one"] {
            let kills = (0..=max_restarts).map(|_| json!({ "kill": "b" }));
            let title = "SUP-05 SUP-08 SUP-09 gives up above max_restarts";
            scenarios.push(supervised(title, strategy, max_restarts, &three("permanent"), kills));
        }
    }
    scenarios
}

/// Each restart type, after each kind of end, under each strategy.
fn every_end() -> Vec<Scenario> {
    let ends = |id: &str| {
        let reasons =
            [json!("normal"), shutdown(), json!({ "shutdown": { "text": "x" } }), custom("x"), json!("killed")];
        let mut steps: Vec<Value> = reasons.iter().map(|reason| end(id, reason)).collect();
        steps.push(json!({ "tell": id, "do": [{ "Fail": "no" }] }));
        steps.push(json!({ "kill": id }));
        steps
    };
    let mut scenarios = Vec::new();
    for strategy in ["one_for_one", "one_for_all", "rest_for_one"] {
        for restart in ["permanent", "transient", "temporary"] {
            for (number, step) in ends("b").into_iter().enumerate() {
                let title = format!("SUP-04 SUP-05 {restart} under {strategy}, end {number}");
                let mut children = three("permanent");
                children[1] = teller("b", restart, json!(5000), true);
                scenarios.push(supervised(&title, strategy, 5, &children, [step, json!({ "kill": "a" })]));
            }
        }
    }
    scenarios
}

/// With a say in when its supervisor ends.
pub(super) fn made_significant(mut child: Value) -> Value {
    child["significant"] = true.into();
    child
}

/// A supervisor that ends with significant children.
pub(super) fn ending(mut scenario: Scenario, auto_shutdown: &str) -> Scenario {
    scenario.script["supervisor"]["auto_shutdown"] = auto_shutdown.into();
    scenario
}

/// Each way in which a significant child ends, alone or with another, of each type, under each kind of shutdown.
fn significant() -> Vec<Scenario> {
    let ends = |id: &str| {
        [end(id, &json!("normal")), end(id, &custom("x")), json!({ "terminate": id }), json!({ "kill": id })]
    };
    let mut scenarios = Vec::new();
    for auto_shutdown in ["never", "any_significant", "all_significant"] {
        for restart in ["permanent", "transient", "temporary"] {
            for (first, second) in ends("b").into_iter().zip(ends("c")) {
                let mut children = three("permanent");
                children[1] = made_significant(teller("b", restart, json!(5000), true));
                children[2] = made_significant(teller("c", restart, json!(5000), true));
                let title = format!("SUP-24 SUP-26 significant and {restart} under {auto_shutdown}");
                let scenario = supervised(&title, "one_for_one", 5, &children, [first, second]);
                scenarios.push(ending(scenario, auto_shutdown));
            }
        }
        let late = made_significant(teller("late", "temporary", json!(5000), true));
        let senseless = made_significant(teller("a", "permanent", json!(5000), true));
        let steps = [json!({ "start": senseless }), json!({ "start": late }), end("late", &custom("x"))];
        let scenario = supervised(
            "SUP-24 SUP-26 a significant child that comes later",
            "rest_for_one",
            5,
            &three("transient"),
            steps,
        );
        scenarios.push(ending(scenario, auto_shutdown));
    }
    scenarios
}

/// A child that starts only as long as there is a `host`, whom it calls in its `init`.
fn guest(restart: &str) -> Value {
    let init = json!([{ "CallOrExit": { "to": { "name": "host" }, "body": { "Echo": "may I?" } } }]);
    json!({ "id": "guest", "restart": restart, "shutdown": 5000, "init": init })
}

fn failing_starts() -> Vec<Scenario> {
    let bad = |how: Value| json!({ "id": "bad", "restart": "permanent", "shutdown": 5000, "init": [how] });
    let ways = [json!({ "Fail": "no" }), json!({ "StopWith": custom("x") }), json!({ "StopWith": "normal" })];
    let mut scenarios = Vec::new();
    for way in ways {
        let children = [&three("permanent")[..2], &[bad(way.clone())], &three("permanent")[2..]].concat();
        scenarios.push(supervised("SUP-02 a failed start stops the ones before", "one_for_one", 1, &children, []));
        scenarios.push(supervised(
            "SUP-18 SUP-19 a failed start is not kept",
            "one_for_one",
            1,
            &three("permanent"),
            [json!({ "start": bad(way) }), json!({ "restart": "bad" })],
        ));
    }
    for restart in ["permanent", "transient", "temporary"] {
        let ignoring = json!({ "id": "ignores", "restart": restart, "shutdown": 5000, "init": ["Ignore"] });
        let title = "SUP-19 SUP-20 a child that ignores its start";
        let children = [&three("permanent")[..1], std::slice::from_ref(&ignoring)].concat();
        scenarios.push(supervised(
            title,
            "one_for_all",
            1,
            &children,
            [
                json!({ "restart": "ignores" }),
                json!({ "kill": "a" }),
                json!({ "delete": "ignores" }),
                json!({ "start": ignoring }),
            ],
        ));
        for strategy in ["one_for_one", "rest_for_one", "one_for_all"] {
            let host = teller("host", "temporary", json!(5000), true);
            let children = [&[host][..], &three("permanent")[..1], &[guest(restart)]].concat();
            let title = "SUP-11 a restart that fails is tried again until there were too many";
            scenarios.push(supervised(
                title,
                strategy,
                4,
                &children,
                [json!({ "kill": "host" }), json!({ "kill": "guest" })],
            ));
        }
    }
    scenarios
}

fn requests() -> Vec<Scenario> {
    let steps = |id: &str| {
        let [start, terminate, restart, delete] = [
            json!({ "start": teller(id, "permanent", json!(5000), true) }),
            json!({ "terminate": id }),
            json!({ "restart": id }),
            json!({ "delete": id }),
        ];
        let (start, terminate) = (|| start.clone(), || terminate.clone());
        let (restart, delete) = (|| restart.clone(), || delete.clone());
        let unknown = [terminate(), restart(), delete()];
        let running = [start(), start(), restart(), delete(), terminate(), terminate(), start()];
        let stopped = [restart(), terminate(), delete(), delete(), start()];
        [&unknown[..], &running[..], &stopped[..]].concat()
    };
    vec![
        supervised(
            "SUP-18 SUP-20 start, terminate, restart and delete",
            "one_for_one",
            1,
            &three("permanent"),
            steps("d"),
        ),
        supervised(
            "SUP-18 SUP-05 what was terminated comes back with the others",
            "one_for_all",
            5,
            &three("permanent"),
            [json!({ "terminate": "b" }), json!({ "kill": "a" }), json!({ "terminate": "c" }), json!({ "kill": "b" })],
        ),
        supervised(
            "SUP-18 SUP-05 the rest, too",
            "rest_for_one",
            5,
            &three("transient"),
            [json!({ "terminate": "c" }), json!({ "kill": "b" }), json!({ "terminate": "b" }), json!({ "kill": "a" })],
        ),
        supervised(
            "SUP-04 SUP-18 temporary children are forgotten",
            "one_for_one",
            5,
            &three("temporary"),
            [json!({ "terminate": "b" }), json!({ "restart": "b" }), json!({ "kill": "a" }), json!({ "delete": "a" })],
        ),
    ]
}
