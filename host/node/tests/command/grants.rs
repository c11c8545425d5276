//! What a process may do and where that comes from, as an operator asks for it.

use serde_json::{Value, json};

use crate::skep::{Home, Node, refused, until};

/// An app with a parent that may spawn workers, whose module may more than the parent; and two children of one module, one
/// with grants of its own.
fn family(home: &Home) -> String {
    let probe = home.build("probe");
    let probe = probe.display();
    let text = format!(
        r#"
name = "family"

[modules.parent]
path = "{probe}"

[modules.worker]
path = "{probe}"
grants = {{ names = ["w:*"], groups = ["pg"], spawn = ["worker"] }}

[[supervisor.children]]
id = "parent"
name = "parent"
module = "parent"
grants = {{ names = {{ register = ["w:1"] }}, spawn = [{{ module = "worker", most = 3 }}], apps = ["shop"] }}

[[supervisor.children]]
id = "plain"
name = "plain"
module = "worker"

[[supervisor.children]]
id = "odd"
name = "odd"
module = "worker"
grants = {{ groups = ["pg"] }}
"#
    );
    home.file("family.toml", text.as_bytes())
}

fn right(key: &str, what: &str, why: &str) -> Value {
    json!({ "key": key, "what": what, "why": why })
}

#[test]
fn each_right_is_shown_with_where_it_comes_from() {
    let home = Home::new();
    let node = Node::run(&home, &family(&home));
    let rights = |of: &str, list: &str| -> Vec<Value> {
        let granted = home.json(&["grants", of, "--json"]);
        let rights = granted[list].as_array().unwrap_or_else(|| panic!("no {list}: {granted}"));
        // What everybody has is not what this is about.
        rights.iter().filter(|right| right["key"] != "clocks" && right["key"] != "random").cloned().collect()
    };
    let own = "its child, family/parent";
    assert_eq!(
        rights("parent", "rights"),
        [right("spawn", "worker (at most 3)", own), right("names.register", "w:1", own), right("apps", "shop", own)]
    );
    let odd = "[modules.worker], but the child has grants of its own";
    assert_eq!(
        rights("odd", "withheld"),
        [right("spawn", "worker", odd), right("names.register", "w:*", odd), right("names.look_up", "w:*", odd)]
    );
    assert_eq!(rights("plain", "rights")[0], right("spawn", "worker", "[modules.worker]"));
    assert_eq!(rights("plain", "withheld"), [] as [Value; 0]);

    // Who is spawned has at most what the parent has.
    let spawned = home.json(&["call", "parent", r#"{"Spawn":{"module":"worker"}}"#, "--json"]);
    let tagged = spawned["body"]["Ok"]["pid"].as_str().unwrap_or_else(|| panic!("{spawned}"));
    let number: Vec<&str> = tagged.split('.').take(2).collect();
    let pid = format!("<{}>", number.join("."));
    let parents = home.json(&["grants", "parent", "--json"])["pid"].as_str().expect("a pid").to_owned();
    let from = |why: &str| format!("[modules.worker], {why}").replace('P', &format!("{parents} parent"));
    let passed_on = from("and P has it");
    assert_eq!(
        rights(&pid, "rights"),
        [right("spawn", "worker (at most 3)", &passed_on), right("names.register", "w:1", &passed_on)]
    );
    let withheld = rights(&pid, "withheld");
    for (key, what) in [("names.register", "w:*"), ("names.look_up", "w:*"), ("groups", "pg")] {
        assert!(withheld.contains(&right(key, what, &from("but beyond what P has"))), "{key}: {withheld:?}");
    }
    let granted = home.json(&["grants", &pid, "--json"]);
    let refused_imports = granted["refused"].as_array().expect("a list");
    assert!(
        refused_imports.iter().any(|import| import.as_str().is_some_and(|import| import.contains("/groups"))),
        "{granted}"
    );
    let shown = home.ok(&["grants", &pid]);
    for part in ["started by <", "WITHHELD", "groups", "beyond what", "skep:process/groups"] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }

    let root = home.json(&["tree", "--json"])[0]["root"]["pid"].as_str().expect("it runs").to_owned();
    refused(&home.skep(&["grants", &root]), 1, &["the host's own", "skep ps"]);
    refused(&home.skep(&["grants", "nobody"]), 1, &["no process named `nobody`", "parent"]);
    home.ok(&["stop"]);
    assert!(node.wait().success());
}

/// An app with a child that has grants of its own, and one that has those of the module.
fn prober(home: &Home, own: &str, of_module: &str) -> String {
    let probe = home.build("probe-net");
    let text = format!(
        "name = 'net'\n[modules.probe]\npath = '{}'\ngrants = {{ {of_module} }}\n[supervisor]\nmax_restarts = 5\n\
         [[supervisor.children]]\nid = 'own'\nname = 'own'\nmodule = 'probe'\ngrants = {{ {own} }}\n\
         [[supervisor.children]]\nid = 'plain'\nname = 'plain'\nmodule = 'probe'\n",
        probe.display()
    );
    home.file("net.toml", text.as_bytes())
}

/// What a process may do on the network, and why.
fn on_the_network(home: &Home, name: &str) -> Vec<[String; 3]> {
    let granted = home.json(&["grants", name, "--json"]);
    let text = |right: &Value| ["key", "what", "why"].map(|key| right[key].as_str().expect("text").to_owned());
    let rights = granted["rights"].as_array().expect("a list").iter().map(text);
    rights.filter(|[key, _, _]| ["tcp", "udp", "http"].contains(&key.as_str())).collect()
}

#[test]
fn what_changes_of_the_network_is_planned_and_shown_once_it_counts() {
    let home = Home::new();
    let before = prober(&home, "tcp = ['db.example.org:5432', '10.0.0.0/8:80'], http = ['API.example.org']", "");
    let node = Node::run(&home, &before);
    let right = |key: &str, what: &str, why: &str| [key, what, why].map(str::to_owned);
    let own = "its child, net/own";
    let first = [
        right("tcp", "db.example.org:5432", own),
        right("tcp", "10.0.0.0/8:80", own),
        right("http", "https://api.example.org:443", own),
    ];
    assert_eq!((on_the_network(&home, "own"), on_the_network(&home, "plain")), (first.to_vec(), Vec::new()));

    // Added, widened and taken away, of a child and of its module.
    let after = prober(&home, "tcp = ['*.example.org:5432-5440'], udp = ['*:53']", "http = ['http://localhost:8080']");
    let plan = home.json(&["deploy", &after, "--yes", "--json"])["plan"].take();
    let changes = |changes: &Value| -> Vec<[String; 4]> {
        let text =
            |change: &Value| ["what", "from", "to", "when"].map(|key| change[key].as_str().expect("text").to_owned());
        changes.as_array().expect("a list").iter().map(text).collect()
    };
    let change = |what: &str, from: &str, to: &str, when: &str| [what, from, to, when].map(str::to_owned);
    let later = "next_start";
    assert_eq!(
        changes(&plan["children"][0]["changes"]),
        [
            change("grants.tcp", "db.example.org:5432, 10.0.0.0/8:80", "*.example.org:5432-5440", later),
            change("grants.udp", "none", "*:53", later),
            change("grants.http", "https://api.example.org:443", "none", later),
        ]
    );
    let added = |when: &str| [change("grants.http", "none", "http://localhost:8080", when)];
    assert_eq!(changes(&plan["children"][1]["changes"]), added(later));
    assert_eq!(changes(&plan["modules"][0]["changes"]), added("next_spawn"));

    // It counts from the next start on.
    let second = [right("tcp", "*.example.org:5432-5440", own), right("udp", "*:53", own)];
    let of_module = [right("http", "http://localhost:8080", "[modules.probe]")];
    assert_eq!(on_the_network(&home, "own"), first);
    for (name, expected) in [("own", &second[..]), ("plain", &of_module)] {
        let pid = |process: &str| home.json(&["inspect", process, "--json"])["pid"].take();
        let first = pid(name);
        home.ok(&["sys", "terminate", name]);
        until(|| {
            let processes = home.json(&["ps", "--json"]);
            let next = processes.as_array().expect("a list").iter().find(|process| process["name"] == name);
            next.filter(|process| process["pid"] != first)
                .map(|_| ())
                .ok_or_else(|| format!("no next life in {processes}"))
        });
        assert_eq!(on_the_network(&home, name), expected);
    }
    // What the module has and the child does not is shown as withheld, and all of it in words.
    let shown = home.ok(&["grants", "own"]);
    for part in ["*.example.org:5432-5440", "udp", "*:53", "WITHHELD", "http://localhost:8080"] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }
    let text = home.ok(&["deploy", &prober(&home, "udp = ['*:53']", "http = ['http://localhost:8080']"), "--yes"]);
    assert!(text.contains("grants.tcp *.example.org:5432-5440 → none, at its next start"), "{text}");
    home.ok(&["stop"]);
    assert!(node.wait().success());
}
