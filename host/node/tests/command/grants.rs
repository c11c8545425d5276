//! What a process may do and where that comes from, as an operator asks for it.

use serde_json::{Value, json};

use crate::skep::{Home, Node, refused};

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
    assert_eq!(rights(&pid, "rights"), [right("spawn", "worker (at most 3)", &from("and P has it"))]);
    // An entry is passed on whole or not at all.
    let withheld = rights(&pid, "withheld");
    assert!(withheld.contains(&right("names.register", "w:*", &from("but P does not have it"))), "{withheld:?}");
    let granted = home.json(&["grants", &pid, "--json"]);
    let refused_imports = granted["refused"].as_array().expect("a list");
    assert!(
        refused_imports.iter().any(|import| import.as_str().is_some_and(|import| import.contains("/groups"))),
        "{granted}"
    );
    let shown = home.ok(&["grants", &pid]);
    for part in ["started by <", "WITHHELD", "groups", "does not have it", "skep:process/groups"] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }

    let root = home.json(&["tree", "--json"])[0]["root"]["pid"].as_str().expect("it runs").to_owned();
    refused(&home.skep(&["grants", &root]), 1, &["the host's own", "skep ps"]);
    refused(&home.skep(&["grants", "nobody"]), 1, &["no process named `nobody`", "parent"]);
    home.ok(&["stop"]);
    assert!(node.wait().success());
}
