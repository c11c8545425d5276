//! Scenarios of process groups: OTP's `pg`, where the order of members is nobody's promise.

use serde_json::{Value, json};

use super::{Scenario, at, bring, custom, decided, unordered};

fn group(name: &str, does: Value) -> Value {
    json!({ "Group": { "name": name, "does": does } })
}

fn join(who: &str) -> Value {
    json!({ "Join": { "pid": format!("${who}") } })
}

fn leave(who: &str) -> Value {
    json!({ "Leave": { "pid": format!("${who}") } })
}

/// Who is in a group, and which groups there are.
fn looks(by: &str) -> [Value; 2] {
    ["Members", "Groups"].map(|what| unordered(at(by, group("red", json!(what)))))
}

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![membership(), ends(), watching(), scope(), the_dead()]
}

fn membership() -> Scenario {
    let own = |does: &str| group("red", json!({ does: {} }));
    let steps = [
        vec![at("a", own("Join")), at("a", own("Join")), at("b", group("red", join("c")))],
        vec![at("c", group("blue", join("c")))],
        looks("b").into(),
        vec![at("b", group("red", leave("a")))],
        looks("b").into(),
        vec![at("a", own("Leave")), at("a", own("Leave")), at("c", group("none", json!({ "Leave": {} })))],
        looks("b").into(),
    ];
    Scenario::new("RPG-10 a member joins and leaves as often as it likes", &["a", "b", "c"], steps.concat())
}

/// A member that ends is gone from all groups, before anybody hears of the end.
fn ends() -> Scenario {
    let joins = ["red", "red", "blue"].map(|name| group(name, join("c")));
    let first = looks("b");
    let steps = [
        vec![at("a", json!({ "Many": joins })), at("a", json!({ "Monitor": { "target": "$c" } }))],
        first.to_vec(),
        vec![at("b", json!({ "Kill": { "to": "$c" } }))],
        looks("b").into(),
        vec![at("b", group("red", leave("c")))],
    ];
    Scenario::new("RPG-10 a member that ends leaves all its groups", &["a", "b", "c"], steps.concat())
}

fn watching() -> Scenario {
    let steps = [
        at("b", group("red", join("b"))),
        bring("watch", "a", group("red", json!("Monitor"))),
        at("b", group("red", join("b"))),
        at("c", group("red", join("c"))),
        at("c", group("blue", join("c"))),
        at("b", group("red", leave("b"))),
        at("b", group("red", leave("c"))),
        at("b", group("red", leave("c"))),
        at("b", json!({ "StopWith": custom("x") })),
        at("a", group("red", json!({ "Demonitor": { "mark": "$watch.0" } }))),
        at("a", group("red", json!({ "Demonitor": { "mark": "$watch.0" } }))),
        at("c", group("red", join("c"))),
    ];
    Scenario::new("RPG-10 who watches a group hears of each coming and going", &["a", "b", "c"], steps)
}

fn scope() -> Scenario {
    let steps = [
        at("b", group("red", join("b"))),
        at("b", group("blue", join("b"))),
        unordered(bring("watch", "a", group("", json!("MonitorAll")))),
        at("c", group("green", join("c"))),
        at("c", group("green", join("b"))),
        at("b", group("red", leave("b"))),
        // Its groups are left in no order.
        at("a", json!({ "Kill": { "to": "$b" } })),
    ];
    Scenario::new("RPG-10 who watches a scope hears of all its groups", &["a", "b", "c"], steps).in_any_order()
}

fn the_dead() -> Scenario {
    let steps = [
        at("a", json!({ "Kill": { "to": "$b" } })),
        // In pg it is a member for a moment.
        decided(at("a", group("red", join("b"))), json!({ "Ok": null }), json!({ "Err": "refused" })),
        at("a", group("red", json!("Members"))),
    ];
    Scenario::new("RPG-10 the dead are no members", &["a", "b"], steps)
}
