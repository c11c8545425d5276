//! Guests that reach for the network, which nobody was granted.

use std::net::{TcpListener, UdpSocket};

use skep_runtime::kernel::Limits;

use crate::guest::{Server, ZEROS, contract, embed};
use crate::scene::Scene;
use crate::suite::{Seen, crimes};

crimes! {
    Network;

    a_connection: "connects to a port of this machine that listens", Refused("access-denied"), 32 MiB => |scene| connects(scene);
    a_port_of_its_own: "binds a TCP port", Refused("access-denied"), 32 MiB =>
        |scene| does(scene, &format!("(call $tcp (i32.const 0) (i32.const 2048)) {OPENED} {}", address("$tcp_bind", 0)));
    a_socket_that_listens: "listens for connections", Refused("access-denied"), 32 MiB =>
        |scene| does(scene, &format!("(call $tcp (i32.const 0) (i32.const 2048)) {OPENED}
            (call $tcp_listen (local.get $s) (i32.const 2048))"));
    a_datagram_port: "binds a UDP port", Refused("access-denied"), 32 MiB =>
        |scene| does(scene, &format!("(call $udp (i32.const 0) (i32.const 2048)) {OPENED} {}", address("$udp_bind", 0)));
    a_datagram: "makes ready to send datagrams to a port of this machine", Refused("access-denied"), 32 MiB => |scene| datagram(scene);
    a_name_of_the_net: "asks for the address of `localhost`", Refused("access-denied"), 32 MiB =>
        |scene| does(scene, "(call $lookup (call $network) (i32.const 512) (i32.const 9) (i32.const 2048))");
    another_family: "connects by IPv6", Refused("access-denied"), 32 MiB =>
        |scene| does(scene, &format!("(call $tcp (i32.const 1) (i32.const 2048)) {OPENED}
            (call $tcp_connect (local.get $s) (call $network) (i32.const 1) (i32.const 80) (i32.const 0) {} (i32.const 2048))",
            "(i32.const 0) ".repeat(9)));
}

/// Errors of `wasi:sockets`, in their order.
const ERRORS: [&str; 21] = [
    "unknown",
    "access-denied",
    "not-supported",
    "invalid-argument",
    "out-of-memory",
    "timeout",
    "concurrency-conflict",
    "not-in-progress",
    "would-block",
    "invalid-state",
    "new-socket-limit",
    "address-not-bindable",
    "address-in-use",
    "remote-unreachable",
    "connection-refused",
    "connection-reset",
    "connection-aborted",
    "datagram-too-large",
    "name-unresolvable",
    "temporary-resolver-failure",
    "permanent-resolver-failure",
];

/// As much of `wasi:sockets` as these crimes need; `ERRORS` stands for the errors.
const SOCKETS: &str = "package wasi:sockets@0.2.0;
    interface network {
        resource network;
        enum error-code { ERRORS }
        enum ip-address-family { ipv4, ipv6 }
        type ipv4-address = tuple<u8, u8, u8, u8>;
        type ipv6-address = tuple<u16, u16, u16, u16, u16, u16, u16, u16>;
        record ipv4-socket-address { port: u16, address: ipv4-address }
        record ipv6-socket-address { port: u16, flow-info: u32, address: ipv6-address, scope-id: u32 }
        variant ip-socket-address { ipv4(ipv4-socket-address), ipv6(ipv6-socket-address) }
    }
    interface instance-network {
        use network.{network};
        instance-network: func() -> network;
    }
    interface tcp {
        use network.{network, error-code, ip-socket-address};
        resource tcp-socket {
            start-bind: func(network: borrow<network>, local-address: ip-socket-address) -> result<_, error-code>;
            start-connect: func(network: borrow<network>, remote-address: ip-socket-address) -> result<_, error-code>;
            start-listen: func() -> result<_, error-code>;
        }
    }
    interface tcp-create-socket {
        use network.{error-code, ip-address-family};
        use tcp.{tcp-socket};
        create-tcp-socket: func(address-family: ip-address-family) -> result<tcp-socket, error-code>;
    }
    interface udp {
        use network.{network, error-code, ip-socket-address};
        resource incoming-datagram-stream;
        resource outgoing-datagram-stream;
        resource udp-socket {
            start-bind: func(network: borrow<network>, local-address: ip-socket-address) -> result<_, error-code>;
            %stream: func(remote-address: option<ip-socket-address>)
                -> result<tuple<incoming-datagram-stream, outgoing-datagram-stream>, error-code>;
        }
    }
    interface udp-create-socket {
        use network.{error-code, ip-address-family};
        use udp.{udp-socket};
        create-udp-socket: func(address-family: ip-address-family) -> result<udp-socket, error-code>;
    }
    interface ip-name-lookup {
        use network.{network, error-code};
        resource resolve-address-stream;
        resolve-addresses: func(network: borrow<network>, name: string) -> result<resolve-address-stream, error-code>;
    }";

const WORLD: &str = "package evil:net;
    world net {
        include skep:process/process@0.1.0;
        import wasi:sockets/instance-network@0.2.0;
        import wasi:sockets/tcp@0.2.0;
        import wasi:sockets/tcp-create-socket@0.2.0;
        import wasi:sockets/udp@0.2.0;
        import wasi:sockets/udp-create-socket@0.2.0;
        import wasi:sockets/ip-name-lookup@0.2.0;
    }";

/// The same as core functions. A result goes to the last argument: a byte that is 1 for an error, and behind it, or at 4,
/// what it is about.
const IMPORTS: &str = r#"
    (import "wasi:sockets/instance-network@0.2.0" "instance-network" (func $network (result i32)))
    (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket" (func $tcp (param i32 i32)))
    (import "wasi:sockets/udp-create-socket@0.2.0" "create-udp-socket" (func $udp (param i32 i32)))
    (import "wasi:sockets/tcp@0.2.0" "[method]tcp-socket.start-bind" (func $tcp_bind (param
        i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "wasi:sockets/tcp@0.2.0" "[method]tcp-socket.start-connect" (func $tcp_connect (param
        i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "wasi:sockets/tcp@0.2.0" "[method]tcp-socket.start-listen" (func $tcp_listen (param i32 i32)))
    (import "wasi:sockets/udp@0.2.0" "[method]udp-socket.start-bind" (func $udp_bind (param
        i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "wasi:sockets/udp@0.2.0" "[method]udp-socket.stream" (func $udp_stream (param
        i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "wasi:sockets/ip-name-lookup@0.2.0" "resolve-addresses" (func $lookup (param i32 i32 i32 i32)))
    (import "skep:process/log@0.1.0" "log" (func $log (param i32 i32 i32)))
    (data (i32.const 512) "localhost")
    ;; Two digits of what is wrong, or a hyphen.
    (func $tell (param $at i32) (local $error i32)
        (if (i32.load8_u (i32.const 2048)) (then
            (local.set $error (i32.load8_u (local.get $at)))
            (i32.store8 (i32.const 3072) (i32.add (i32.const 48) (i32.div_u (local.get $error) (i32.const 10))))
            (i32.store8 (i32.const 3073) (i32.add (i32.const 48) (i32.rem_u (local.get $error) (i32.const 10))))
            (call $log (i32.const 1) (i32.const 3072) (i32.const 2)))
        (else (i32.store8 (i32.const 3072) (i32.const 45)) (call $log (i32.const 1) (i32.const 3072) (i32.const 1)))))"#;

/// The socket that was made, or the end of it.
const OPENED: &str =
    "(if (i32.load8_u (i32.const 2048)) (then (call $tell (i32.const 2052)) (return (i32.const 1024))))
    (local.set $s (i32.load (i32.const 2052)))";

/// A call with a socket, the network and 127.0.0.1.
fn address(function: &str, port: u16) -> String {
    format!(
        "(call {function} (local.get $s) (call $network) (i32.const 0) (i32.const {port}) (i32.const 127) (i32.const 0)
            (i32.const 0) (i32.const 1) {} (i32.const 2048))",
        "(i32.const 0) ".repeat(6)
    )
}

async fn does(scene: &Scene, what: &str) -> Seen {
    // An error lies at 1, or at 4 where there would be a handle.
    let at = if what.contains("$lookup") || what.contains("$udp_stream") { 2052 } else { 2049 };
    let server = Server {
        more: IMPORTS.into(),
        handle: format!("(local $s i32) {what} (call $tell (i32.const {at})) {ZEROS}"),
        ..Server::default()
    };
    let (mut resolve, _) = contract();
    resolve.push_str("sockets.wit", &SOCKETS.replace("ERRORS", &ERRORS.join(", "))).expect("it can be read");
    let package = resolve.push_str("net.wit", WORLD).expect("it can be read");
    let world = resolve.select_world(&[package], Some("net")).expect("it is there");
    let seen = scene.run(embed(&resolve, world, &server.text()), Limits::default()).await;
    assert!(matches!(seen, Seen::Nothing), "it goes on: {seen:?}");
    match scene.logged().concat().parse::<usize>() {
        Ok(error) => Seen::Refused(ERRORS[error].to_owned()),
        Err(_) => Seen::Nothing,
    }
}

async fn connects(scene: &Scene) -> Seen {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("it can be asked");
    let port = listener.local_addr().expect("it is bound").port();
    let connect = address("$tcp_connect", port);
    let seen = does(scene, &format!("(call $tcp (i32.const 0) (i32.const 2048)) {OPENED} {connect}")).await;
    assert!(listener.accept().is_err(), "nobody came");
    seen
}

async fn datagram(scene: &Scene) -> Seen {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("it is bound").port();
    let stream = address("$udp_stream", port).replacen("(call $network)", "(i32.const 1)", 1);
    does(scene, &format!("(call $udp (i32.const 0) (i32.const 2048)) {OPENED} {stream}")).await
}
