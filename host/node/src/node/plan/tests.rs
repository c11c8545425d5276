//! Pairs of manifests, and what leads from one to the other.

use std::path::Path as FilePath;

use super::*;
use crate::manifest::{Manifest, Source};

/// A manifest in few words: modules with the letter of their digest, and the supervisor's keys.
fn manifest(modules: &str, supervisor: &str) -> Manifest {
    let mut text = "name = 'a'\n".to_owned();
    for module in modules.split(' ') {
        let (name, keys) = module.split_once('{').unwrap_or((module, ""));
        let name = name.split_once('=').map_or(name, |(name, _)| name);
        let keys = keys.trim_end_matches('}');
        let _ = writeln!(text, "[modules.{name}]\npath = 'x'\n{keys}");
    }
    let _ = writeln!(text, "[supervisor]\n{supervisor}");
    let source = Source { path: "/nowhere/app.toml".into(), text: text.as_str().into() };
    Manifest::parse(source, FilePath::new("/nowhere/home")).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// The code that `m=b2` gives the module `m`: version 2, with a digest of `b`s.
fn code(modules: &str, name: &str) -> CodeId {
    let module = modules.split(' ').find(|module| module.starts_with(&format!("{name}=")));
    let code = module.and_then(|module| module.split_once('=')).map_or("a1", |(_, code)| code);
    let version = code.get(1..2).and_then(|version| version.parse().ok());
    CodeId { digest: code.get(..1).unwrap_or("a").repeat(64), version }
}

fn app<'a>(manifest: &'a Manifest, modules: &str) -> App<'a> {
    let of = |module: &'a crate::manifest::Module| Module {
        name: &module.name,
        code: code(modules, &module.name),
        limits: &module.limits,
        grants: &module.grants,
    };
    App {
        modules: manifest.modules.iter().map(of).collect(),
        registries: &manifest.registries,
        budget: &manifest.budget,
        root: &manifest.root,
    }
}

fn change(change: &Change) -> String {
    let Change { what, from, to, when } = change;
    format!("{what} {from} > {to} {}", serde_json::to_value(when).expect("a word").as_str().expect("a word"))
}

fn shown(plan: &Plan) -> Vec<String> {
    let changes = |list: &[Change]| list.iter().map(change).collect::<Vec<_>>().join(", ");
    let mut lines = Vec::new();
    for ModuleStep { module, does } in &plan.modules {
        lines.push(match does {
            ModuleDoes::Add { to } => format!("+{module} {to}"),
            ModuleDoes::Upgrade { from, to } => format!("^{module} {from} > {to}"),
            ModuleDoes::Change { changes: list } => format!("~{module} {}", changes(list)),
            ModuleDoes::Remove { from } => format!("-{module} {from}"),
        });
    }
    lines.extend(plan.budget.iter().map(|budget| format!("$ {}", change(budget))));
    lines.extend(plan.registries.iter().map(|registry| format!("={}", change(registry))));
    for ChildStep { child, through, count, does } in &plan.children {
        let who = match through {
            Some(last) => format!("{child}..{last} ({count})"),
            None => child.clone(),
        };
        let what = |kind: &Kind| match kind {
            Kind::Process { module } => module.clone(),
            Kind::Supervisor { processes } => format!("supervisor of {processes}"),
        };
        lines.push(match does {
            ChildDoes::Change { changes: list } => format!("~ {who}: {}", changes(list)),
            ChildDoes::Stop { kind } => format!("- {who}: {}", what(kind)),
            ChildDoes::Start { kind } => format!("+ {who}: {}", what(kind)),
        });
    }
    lines
}

/// What leads from one pair of modules and supervisor to another.
#[track_caller]
fn check(was: (&str, &str), is: (&str, &str), expected: &[&str]) {
    let (running, wanted) = (manifest(was.0, was.1), manifest(is.0, is.1));
    let plan = Plan::new("a", Some(&app(&running, was.0)), &app(&wanted, is.0));
    assert_eq!(shown(&plan), expected);
    let does = if expected.is_empty() { Does::Nothing } else { Does::Change };
    assert_eq!((plan.app.as_str(), plan.does), ("a", does));
    let json = serde_json::to_string(&plan).expect("it is JSON");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("it is a plan"), plan);
}

const ONE: &str = "children = [{ id = 'c', module = 'm' }]";

#[test]
fn an_app_that_does_not_run_is_started() {
    let modules = "m=a1 n=b";
    let wanted = manifest(
        modules,
        "children = [{ id = 'c', module = 'm' }, { id = 'p', module = 'n', count = 3 }, \
         { id = 's', supervisor = { children = [{ id = 'x', module = 'm', count = 2 }] } }]",
    );
    let plan = Plan::new("a", None, &app(&wanted, modules));
    let expected =
        ["+m version 1 (aaaaaaaaaaaa)", "+n bbbbbbbbbbbb", "+ c: m", "+ p.1..p.3 (3): n", "+ s: supervisor of 2"];
    assert_eq!((shown(&plan), plan.does), (expected.map(str::to_owned).to_vec(), Does::Start));
}

#[test]
fn the_same_again_is_nothing_to_do() {
    check(("m", ONE), ("m", ONE), &[]);
}

#[test]
fn modules_come_change_and_go() {
    check(("m=a1", ONE), ("m=b2", ONE), &["^m version 1 (aaaaaaaaaaaa) > version 2 (bbbbbbbbbbbb)"]);
    check(("m o=c3", ONE), ("m n=b", ONE), &["+n bbbbbbbbbbbb", "-o version 3 (cccccccccccc)"]);
    // What guests spawn of a module gets its limits and grants; the children have their own, which are the same here.
    check(
        ("m", ONE),
        ("m{limits.timers=5}", "children = [{ id = 'c', module = 'm', limits = { timers = 1000 } }]"),
        &["~m limits.timers 1000 > 5 next_spawn"],
    );
}

#[test]
fn children_come_and_go_and_pools_are_one_line() {
    let pool = |count: usize| format!("children = [{{ id = 'p', module = 'm', count = {count} }}]");
    check(("m", &pool(2)), ("m", &pool(5)), &["+ p.3..p.5 (3): m"]);
    check(("m", &pool(5)), ("m", &pool(2)), &["- p.5..p.3 (3): m"]);
    check(
        (
            "m",
            "children = [{ id = 'x', module = 'm' }, { id = 's', supervisor.children = [{ id = 'y', module = 'm' }] }]",
        ),
        ("m", "children = [{ id = 'z', module = 'm' }, { id = 's', module = 'm' }]"),
        &["- s: supervisor of 1", "- x: m", "+ z: m", "+ s: m"],
    );
    let nested = |inner: &str| format!("children = [{{ id = 's', supervisor = {{ {inner} }} }}]");
    check(
        ("m", &nested("children = [{ id = 'x', module = 'm' }]")),
        ("m", &nested("strategy = 'one_for_all', children = [{ id = 'y', module = 'm' }]")),
        &["~ s: strategy one_for_one > one_for_all now", "- s/x: m", "+ s/y: m"],
    );
}

#[test]
fn who_stays_says_what_changes_and_when() {
    let child = |keys: &str| format!("children = [{{ id = 'c', module = 'm', {keys} }}]");
    for (was, is, expected) in [
        ("args = 1", "args = 2", "args 1 > 2 next_start"),
        ("name = 'x'", "", "name x > none next_start"),
        ("restart = 'transient'", "restart = 'temporary'", "restart transient > temporary now"),
        ("shutdown = '1m'", "shutdown = 'brutal_kill'", "shutdown 1m > brutal_kill now"),
        ("hibernate_after = '5s'", "hibernate_after = 'always'", "hibernate_after 5s > always next_start"),
        ("pinned = true", "", "pinned true > false next_start"),
        ("limits.memory = '4MiB'", "limits.memory = '16MiB'", "limits.memory 4MiB > 16MiB next_instance"),
        ("limits.fuel_per_message = 5", "limits.fuel_per_message = 6", "limits.fuel_per_message 5 > 6 next_instance"),
        ("limits.body_bytes = 5", "limits.body_bytes = 6", "limits.body_bytes 5B > 6B next_instance"),
        ("limits.mailbox_bytes = '1kB'", "limits.mailbox_bytes = '1KiB'", "limits.mailbox_bytes 1kB > 1KiB now"),
        ("limits.init_timeout = '5s'", "limits.init_timeout = 9", "limits.init_timeout 5s > 9ms next_start"),
        ("grants.names = ['a']", "grants.names = { look_up = ['a'] }", "grants.names.register a > none next_start"),
        (
            "grants.spawn = ['m']",
            "grants.spawn = [{ module = 'm', most = 3 }]",
            "grants.spawn m > m (at most 3) next_start",
        ),
        ("", "grants.apps = ['shop', 'bank/till']", "grants.apps none > shop, bank/till next_start"),
        ("", "grants.spawn = ['m']", "grants.spawn none > m next_start"),
        ("grants.groups = ['pg']", "", "grants.groups pg > none next_start"),
        ("", "grants.topics = ['a', 'b:*']", "grants.topics none > a, b:* next_start"),
        ("", "grants.control = ['a', 'b:*']", "grants.control none > a, b:* next_start"),
        ("", "stdin = 'messages'", "stdin none > messages next_start"),
        ("output = { to = 'x' }", "", "output to x > log next_start"),
        ("", "limits.written_bytes = 0", "limits.written_bytes 1GiB > 0B next_instance"),
        ("", "limits.open_files = 3", "limits.open_files 64 > 3 next_instance"),
        ("", "limits.log_bytes = 5", "limits.log_bytes 64KiB > 5B next_start"),
        ("limits.log_burst = '10KiB'", "", "limits.log_burst 10KiB > 1MiB next_start"),
        ("", "grants.env = { A = 'b', HOME = true }", "grants.env none > A=b, HOME of the host next_start"),
        ("grants.argv = ['-v', 'x y']", "", "grants.argv \"-v\", \"x y\" > none next_start"),
        ("", "grants.clocks = 'frozen'", "grants.clocks coarse > frozen next_start"),
        ("grants.random = { seed = 7 }", "grants.random = 'real'", "grants.random seed 7 > real next_start"),
        ("limits.entry_bytes = 5", "limits.entry_bytes = 6", "limits.entry_bytes 5B > 6B now"),
    ] {
        check(("m", &child(was)), ("m", &child(is)), &[&format!("~ c: {expected}")]);
    }
    for limit in ["mailbox_messages", "timers", "links", "monitors", "entries", "aliases", "requests"] {
        let keys = |number: u32| child(&format!("limits.{limit} = {number}"));
        check(("m", &keys(5)), ("m", &keys(6)), &[&format!("~ c: limits.{limit} 5 > 6 now")]);
    }
    let pool = |keys: &str| format!("children = [{{ id = 'c', module = 'm', count = 9, {keys} }}]");
    check(("m", &pool("args = 1")), ("m", &pool("args = 2")), &["~ c.1..c.9 (9): args 1 > 2 next_start"]);
    let other = "children = [{ id = 'c', module = 'n' }]";
    check(("m n", ONE), ("m n", other), &["~ c: module m > n next_start"]);
}

#[test]
fn registries_come_change_and_go_at_once() {
    let with = |registries: &str| format!("{ONE}\n[registries]\n{registries}");
    check(
        ("m", &with("users = 'unique'\nrooms = 'unique'\nold = 'duplicate'")),
        ("m", &with("users = 'unique'\nrooms = 'duplicate'\nnew = 'unique'")),
        &["=new none > unique now", "=old duplicate > none now", "=rooms unique > duplicate now"],
    );
}

#[test]
fn the_budget_of_an_app_changes_at_once_and_that_of_a_supervisor_where_it_had_one() {
    // The keys of the supervisor come first in these manifests, so its own come before those of the app.
    let with = |app: &str, supervisor: &str| format!("budget = {{ {supervisor} }}\n{ONE}\n[budget]\n{app}");
    let fuel = "fuel_per_second = 2_000_000";
    check(
        ("m", &with("memory = '1MiB'\nprocesses = 5", "timers = 3")),
        ("m", &with(&format!("memory = '2MiB'\n{fuel}\nwhen_out_of_fuel = 'end'"), "instances = 2")),
        &[
            "$ memory 1MiB > 2MiB now",
            "$ processes 5 > 100000 now",
            "$ fuel_per_second none > 2000000 now",
            "$ burst none > 2000000 now",
            "$ when_out_of_fuel none > end now",
            "~ root: budget.instances none > 2 now, budget.timers 3 > none now",
        ],
    );
    let first = format!("budget = {{ timers = 3 }}\n{ONE}");
    check(("m", ONE), ("m", &first), &["~ root: budget.timers none > 3 next_start"]);
}

#[test]
fn supervisors_change_at_once() {
    let with = |keys: &str, ids: &str| {
        let children = ids.split(' ').map(|id| format!("{{ id = '{id}', module = 'm' }}"));
        format!("{keys}\nchildren = [{}]", children.collect::<Vec<_>>().join(", "))
    };
    check(
        ("m", &with("", "x y")),
        ("m", &with("max_restarts = 7\nmax_seconds = 9", "x y")),
        &["~ root: max_restarts 1 > 7 now, max_seconds 5 > 9 now"],
    );
    check(("m", &with("", "x y")), ("m", &with("", "y n x")), &["~ root: order x, y > y, x now", "+ n: m"]);
}

#[test]
fn a_plan_as_json() {
    let (running, wanted) = (manifest("m=a1", ONE), manifest("m=b2", "children = [{ id = 'd', module = 'm' }]"));
    let plan = Plan::new("a", Some(&app(&running, "m=a1")), &app(&wanted, "m=b2"));
    let expected = serde_json::json!({
        "app": "a",
        "does": "change",
        "modules": [{
            "module": "m",
            "does": "upgrade",
            "from": { "digest": "a".repeat(64), "version": 1 },
            "to": { "digest": "b".repeat(64), "version": 2 },
        }],
        "children": [
            { "child": "c", "count": 1, "does": "stop", "kind": "process", "module": "m" },
            { "child": "d", "count": 1, "does": "start", "kind": "process", "module": "m" },
        ],
    });
    assert_eq!(serde_json::to_value(&plan).expect("it is JSON"), expected);
}
