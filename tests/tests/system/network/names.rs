//! Names of hosts: which are looked up, what they lead to, and whose answer counts.

use serde_json::json;

use super::{Zone, alone, error, listen_at, ok, tcp};

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_looked_up_if_it_was_granted_in_whatever_form_it_is_written() {
    let zone = Zone::of(&[
        ("db.example.org", &[&["1.1.1.1", "2606:4700::1"]]),
        ("a.cdn.example", &[&["1.0.0.1"]]),
        ("other.example.org", &[&["1.1.1.2"]]),
        ("localhost", &[&["127.0.0.1", "::1", "10.0.0.1"]]),
    ]);
    let granted = ["db.example.org:5432", "*.cdn.example:443", "localhost:1", "192.168.1.0/24:22"].map(str::to_owned);
    let app = alone(zone, tcp(&granted)).await;
    let long = "a".repeat(64);
    let endless = "a.".repeat(130) + "cdn.example";
    for (name, found) in [
        ("db.example.org", ok(&["1.1.1.1", "2606:4700::1"])),
        ("DB.Example.ORG.", ok(&["1.1.1.1", "2606:4700::1"])),
        ("a.cdn.example", ok(&["1.0.0.1"])),
        ("localhost", ok(&["127.0.0.1", "::1"])),
        ("missing.cdn.example", error("name-unresolvable")),
        ("cdn.example", error("access-denied")),
        ("other.example.org", error("access-denied")),
        ("db.example.org.evil.example", error("access-denied")),
        ("evil-db.example.org", error("access-denied")),
        ("sub.localhost", error("access-denied")),
        // Addresses are those that were granted as such.
        ("192.168.1.7", ok(&["192.168.1.7"])),
        ("127.0.0.1", error("access-denied")),
        ("1.1.1.1", error("access-denied")),
        ("::1", error("access-denied")),
        ("::ffff:127.0.0.1", error("access-denied")),
        // What some resolvers take for an address, and what is no name.
        ("127.1", error("invalid-argument")),
        ("2130706433", error("invalid-argument")),
        ("0x7f000001", error("invalid-argument")),
        ("0177.0.0.1", error("invalid-argument")),
        ("db.example.org\0.evil.example", error("invalid-argument")),
        ("db.example.org:80", error("invalid-argument")),
        ("user@db.example.org", error("invalid-argument")),
        ("d\u{e4}.cdn.example", error("invalid-argument")),
        (&*long, error("invalid-argument")),
        (&*endless, error("invalid-argument")),
        ("", error("invalid-argument")),
        (".", error("invalid-argument")),
    ] {
        assert_eq!(app.ask("net", json!({ "Lookup": name })).await, found, "{name:?}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_leads_nowhere_private() {
    let private: &[&str] = &[
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "0.0.0.0",
        "::1",
        "fd00:ec2::254",
        "fe80::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
    ];
    let mixed: Vec<&str> = private.iter().copied().chain(["1.1.1.1"]).collect();
    let zone =
        Zone::of(&[("evil.example", &[private]), ("mixed.example", &[&mixed]), ("lan.example", &[&["10.1.2.3"]])]);
    let port = listen_at(&["127.0.0.1"]).await;
    let granted = [format!("*.example:{port}"), "10.1.0.0/16:22".to_owned()];
    let app = alone(zone, tcp(&granted)).await;
    assert_eq!(app.ask("net", json!({ "Lookup": "evil.example" })).await, error("name-unresolvable"));
    assert_eq!(app.ask("net", json!({ "Lookup": "mixed.example" })).await, ok(&["1.1.1.1"]));
    assert_eq!(
        app.ask("net", json!({ "Lookup": "lan.example" })).await,
        ok(&["10.1.2.3"]),
        "it was granted by address"
    );
    for to in [format!("127.0.0.1:{port}"), format!("10.0.0.1:{port}"), format!("10.1.2.3:{port}")] {
        assert_eq!(app.ask("net", json!({ "Tcp": [to, "hello"] })).await, error("access-denied"), "{to}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_name_stands_for_is_what_it_stood_for_first() {
    // Whoever answers for `a` says another address each time, as one does who wants to get behind a check.
    let zone = Zone::of(&[("a.localhost", &[&["127.0.0.2"], &["127.0.0.3"]]), ("b.localhost", &[&["127.0.0.4"]])]);
    let port = listen_at(&["127.0.0.2", "127.0.0.3", "127.0.0.4"]).await;
    let app = alone(zone.clone(), tcp(&[format!("a.localhost:{port}"), "b.localhost:1".to_owned()])).await;
    let connect = async |last: u8| app.ask("net", json!({ "Tcp": [format!("127.0.0.{last}:{port}"), "hello"] })).await;
    assert_eq!(connect(2).await, error("access-denied"), "nobody has asked for the name");
    for _ in 0..2 {
        assert_eq!(app.ask("net", json!({ "Lookup": "a.localhost" })).await, ok(&["127.0.0.2"]));
        assert_eq!(connect(2).await, ok(&["127.0.0.2: hello"]));
        assert_eq!(connect(3).await, error("access-denied"), "that was the second answer");
    }
    assert_eq!(zone.asked("a.localhost"), 1);
    assert_eq!(app.ask("net", json!({ "Lookup": "b.localhost" })).await, ok(&["127.0.0.4"]));
    assert_eq!(connect(4).await, error("access-denied"), "that name was granted with another port");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_has_its_own_answers() {
    let zone = Zone::of(&[("a.localhost", &[&["127.0.0.2"], &["127.0.0.3"]])]);
    let port = listen_at(&["127.0.0.2", "127.0.0.3"]).await;
    let granted = tcp(&[format!("a.localhost:{port}")]);
    let children = ["a", "b"].map(|id| super::prober(id, granted.clone()));
    let app = super::app(zone, skep_runtime::spec::Keep::Never, children).await;
    for (who, address) in [("a", "127.0.0.2"), ("b", "127.0.0.3"), ("a", "127.0.0.2")] {
        assert_eq!(app.ask(who, json!({ "Lookup": "a.localhost" })).await, ok(&[address]), "{who}");
    }
    for (who, last, reached) in [("a", 2, true), ("a", 3, false), ("b", 2, false), ("b", 3, true)] {
        let came_of_it = app.ask(who, json!({ "Tcp": [format!("127.0.0.{last}:{port}"), "hello"] })).await;
        assert_eq!(came_of_it["Ok"].is_array(), reached, "{who} to {last}: {came_of_it}");
    }
    app.stop().await;
}
