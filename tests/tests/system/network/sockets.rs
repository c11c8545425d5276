//! Sockets: whom they reach, from whom they hear, and how many a process may have.

use serde_json::json;
use skep_runtime::spec::Keep;
use skep_tests::eventually;
use tokio::net::UdpSocket;

use super::{Zone, alone, app, error, listen_at, ok, prober, tcp, udp};

#[tokio::test(flavor = "multi_thread")]
async fn a_process_connects_to_whom_it_was_granted_and_to_nobody_else() {
    let port = listen_at(&["127.0.0.1", "127.0.0.2", "127.1.0.1"]).await;
    let other = listen_at(&["127.0.0.1"]).await;
    let granted = [format!("127.0.0.1:{port}"), format!("127.1.0.0/16:{port}"), format!("*:{port}")];
    let app = alone(Zone::of(&[]), tcp(&granted)).await;
    for (to, heard) in [
        (format!("127.0.0.1:{port}"), ok(&["127.0.0.1: hello"])),
        (format!("127.1.0.1:{port}"), ok(&["127.1.0.1: hello"])),
        (format!("127.0.0.1:{other}"), error("access-denied")),
        (format!("127.0.0.2:{port}"), error("access-denied")),
        (format!("10.0.0.1:{port}"), error("access-denied")),
        (format!("169.254.169.254:{port}"), error("access-denied")),
        (format!("[::1]:{port}"), error("access-denied")),
        // The same address in another form, and what is nobody's.
        (format!("[::ffff:127.0.0.1]:{port}"), error("invalid-argument")),
        (format!("[::127.0.0.1]:{port}"), error("invalid-argument")),
        (format!("[64:ff9b::7f00:1]:{port}"), error("access-denied")),
        (format!("0.0.0.0:{port}"), error("invalid-argument")),
        (format!("255.255.255.255:{port}"), error("invalid-argument")),
        (format!("224.0.0.1:{port}"), error("invalid-argument")),
        ("127.0.0.1:0".to_owned(), error("invalid-argument")),
    ] {
        assert_eq!(app.ask("net", json!({ "Tcp": [to, "hello"] })).await, heard, "{to}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_grant_there_is_no_network() {
    let port = listen_at(&["127.0.0.1"]).await;
    let app = app(
        Zone::of(&[("localhost", &[&["127.0.0.1"]])]),
        Keep::WhileItFits,
        [
            prober("none", tcp(&[])),
            prober("tcp", tcp(&["localhost:*".to_owned()])),
            prober("udp", udp(&["*:*".to_owned()])),
        ],
    )
    .await;
    let to = format!("127.0.0.1:{port}");
    for (who, attempt) in [
        ("none", json!({ "Tcp": [to, "hello"] })),
        ("none", json!({ "UdpSend": [to, "hello"] })),
        ("none", json!({ "Lookup": "localhost" })),
        ("none", json!("Listen")),
        ("tcp", json!({ "UdpSend": [to, "hello"] })),
        ("udp", json!({ "Tcp": [to, "hello"] })),
    ] {
        assert_eq!(app.ask(who, attempt.clone()).await, error("access-denied"), "{attempt} of {who}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_and_a_socket_is_bound_only_as_one_that_speaks_first() {
    let everywhere = ["0.0.0.0/0:*", "[::/0]:*", "*:*", "localhost:*"].map(str::to_owned);
    let mut granted = tcp(&everywhere);
    granted.udp = granted.tcp.clone();
    let app = alone(Zone::of(&[]), granted).await;
    for (attempt, came_of_it) in [
        (json!("Listen"), error("access-denied")),
        (json!({ "BindTcp": "0.0.0.0:0" }), ok(&[])),
        (json!({ "BindTcp": "[::]:0" }), ok(&[])),
        (json!({ "BindTcp": "127.0.0.1:0" }), error("access-denied")),
        (json!({ "BindTcp": "0.0.0.0:45678" }), error("access-denied")),
        (json!({ "BindTcp": "[::1]:0" }), error("access-denied")),
        (json!({ "BindUdp": "0.0.0.0:0" }), ok(&[])),
        (json!({ "BindUdp": "127.0.0.1:0" }), error("access-denied")),
        (json!({ "BindUdp": "0.0.0.0:45678" }), error("access-denied")),
    ] {
        assert_eq!(app.ask("net", attempt.clone()).await, came_of_it, "{attempt}");
    }
    app.stop().await;
}

/// A socket that says what it is told, with its address before it.
async fn datagrams(at: &str) -> u16 {
    let socket = UdpSocket::bind((at, 0)).await.expect("there is a port");
    let own = socket.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let mut bytes = vec![0; 1 << 10];
        while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
            let said = [own.ip().to_string().as_bytes(), b": ", &bytes[..length]].concat();
            let _ = socket.send_to(&said, from).await;
        }
    });
    own.port()
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_go_to_and_come_from_whom_was_granted() {
    let (port, other) = (datagrams("127.0.0.1").await, datagrams("127.0.0.2").await);
    let granted = [format!("127.0.0.1:{port}"), "255.255.255.255:*".to_owned(), "224.0.0.0/4:*".to_owned()];
    let app = alone(Zone::of(&[]), udp(&granted)).await;
    let heard = ok(&["127.0.0.1: hello"]);
    for connected in [false, true] {
        let to = format!("127.0.0.1:{port}");
        assert_eq!(app.ask("net", json!({ "Udp": [to, "hello", connected] })).await, heard, "connected: {connected}");
        let to = format!("127.0.0.2:{other}");
        let came_of_it = app.ask("net", json!({ "Udp": [to, "hello", connected] })).await;
        assert_eq!(came_of_it, error("access-denied"), "connected: {connected}");
    }
    for to in ["255.255.255.255:9", "224.0.0.1:9", "127.255.255.255:9", "[ff02::1]:9"] {
        assert_eq!(app.ask("net", json!({ "UdpSend": [to, "hello"] })).await, error("access-denied"), "{to}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datagram_of_somebody_else_is_not_heard() {
    // Whoever is written to answers from another socket first.
    let (asked, intruder) =
        (UdpSocket::bind("127.0.0.1:0").await.expect("a port"), UdpSocket::bind("127.0.0.1:0").await.expect("a port"));
    let port = asked.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        let mut bytes = [0; 64];
        let (_, from) = asked.recv_from(&mut bytes).await.expect("something comes");
        intruder.send_to(b"intruder", from).await.expect("it is sent");
        asked.send_to(b"answer", from).await.expect("it is sent");
    });
    let app = alone(Zone::of(&[]), udp(&[format!("127.0.0.1:{port}")])).await;
    let heard = app.ask("net", json!({ "Udp": [format!("127.0.0.1:{port}"), "hello", false] })).await;
    assert_eq!(heard, ok(&["answer"]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_count_as_open_files_until_they_are_let_go_of() {
    let port = listen_at(&["127.0.0.1"]).await;
    let to = format!("127.0.0.1:{port}");
    let bounded = prober("net", tcp(std::slice::from_ref(&to))).limits(|limits| limits.files.open = 3);
    let app = app(Zone::of(&[]), Keep::WhileItFits, [bounded]).await;
    for _ in 0..3 {
        let held = app.ask("net", json!({ "Hold": [to, 5] })).await;
        assert_eq!(held, ok(&["3", "new-socket-limit"]));
        assert_eq!(app.ask("net", json!({ "Tcp": [to, "hello"] })).await, error("new-socket-limit"));
        app.ask("net", json!("LetGo")).await;
        assert_eq!(app.ask("net", json!({ "Tcp": [to, "hello"] })).await, ok(&["127.0.0.1: hello"]));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_a_connection_keeps_the_instance() {
    let port = listen_at(&["127.0.0.1"]).await;
    let to = format!("127.0.0.1:{port}");
    let app = app(Zone::of(&[]), Keep::Never, [prober("net", tcp(std::slice::from_ref(&to)))]).await;
    assert_eq!(app.ask("net", json!({ "Hold": [to, 1] })).await, ok(&["1"]));
    assert_eq!(app.ask("net", json!({ "Say": "hello" })).await, ok(&["127.0.0.1: hello"]), "it was not taken away");
    app.ask("net", json!("LetGo")).await;
    assert_eq!(app.ask("net", json!({ "Say": "hello" })).await, error("nothing is held"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_on_the_network_while_a_state_is_saved() {
    let mut granted = tcp(&["localhost:*".to_owned()]);
    granted.udp = granted.tcp.clone();
    granted.http = super::http(&["http://localhost:*".to_owned()]).http;
    for (what, why) in [
        ("Tcp", "`tcp-create-socket.create-tcp-socket` was called in `save`"),
        ("Udp", "`udp-create-socket.create-udp-socket` was called in `save`"),
        ("Lookup", "a file or a socket was used in `save`"),
        ("Http", "`outgoing-handler.handle` was called in `save`"),
    ] {
        let zone = Zone::of(&[("localhost", &[&["127.0.0.1"]])]);
        let app = app(zone.clone(), Keep::Never, [prober("net", granted.clone())]).await;
        let _ = app.call("net", json!({ "InSave": what })).await;
        let crash = eventually("its end", || app.crashes("net").pop()).await;
        let told = format!("{crash:?}");
        assert!(told.contains(why), "{what}: {told}");
        assert_eq!(zone.asked("localhost"), 0);
        app.stop().await;
    }
}
