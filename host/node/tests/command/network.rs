//! Guests of a node that send requests: what of the node's surroundings counts for them.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};

use crate::elsewhere::listening;
use crate::node::counter;
use crate::skep::{Home, Node};

/// An app of a guest that may send requests there.
fn asks(home: &Home, authority: &str) -> String {
    let probe = home.build("probe-net");
    let probe = probe.display();
    let text = format!(
        r#"
name = "asks"

[modules.net]
path = "{probe}"
grants = {{ http = ["{authority}"] }}

[[supervisor.children]]
id = "net"
name = "net"
module = "net"
"#
    );
    home.file("asks.toml", text.as_bytes())
}

/// What that guest is told when it sends a request, on a node that this command starts.
fn answered(home: &Home, node: Command, request: &Value) -> Value {
    let (node, _) = Node::start(node);
    let mut answer = home.json(&["call", "net", &json!({ "Http": request }).to_string(), "--node", "asks", "--json"]);
    home.ok(&["stop", "--node", "asks"]);
    assert!(node.wait().success());
    answer["body"].take()
}

#[test]
fn a_guest_is_told_what_went_wrong_and_not_where_in_the_host() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let authority = listener.local_addr().expect("it listens").to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody asks");
        assert!(stream.read(&mut [0; 1 << 10]).is_ok_and(|length| length > 0), "it asks for something");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfour").expect("it listens");
    });
    let mut command = home.command(&["run", &asks(&home, &format!("http://{authority}"))]);
    command.env("RUST_BACKTRACE", "1");
    let told = answered(&home, command, &json!({ "scheme": "http", "authority": authority, "path": "/" }));
    server.join().expect("it answers");
    let told = told["Err"].as_str().unwrap_or_else(|| panic!("half a body is none: {told}"));
    assert!(!told.is_empty() && told.lines().count() == 1 && !told.contains("wasmtime"), "{told}");
}

#[test]
fn requests_over_tls_believe_whom_the_variable_names() {
    let home = Home::new();
    // A server that is there anyway: the control API of another node. It answers nobody who shows no token.
    let vouched = |name: &str| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("it can be made");
        let key = home.file(&format!("{name}.key"), made.signing_key.serialize_pem().as_bytes());
        (home.file(&format!("{name}.pem"), made.cert.pem().as_bytes()), key)
    };
    let ((certificate, key), (stranger, _)) = (vouched("server"), vouched("stranger"));
    let app = counter(&home, "server");
    let (server, address, _) = listening(&home, &[&app, "--tls-cert", &certificate, "--tls-key", &key]);
    let authority = format!("localhost:{}", address.rsplit(':').next().expect("it has a port"));
    let manifest = asks(&home, &authority);
    let request = json!({ "authority": authority, "path": "/v1/processes" });
    let asked = |believed: &str| {
        let mut command = home.command(&["run", &manifest]);
        command.env("SSL_CERT_FILE", believed).env_remove("SSL_CERT_DIR");
        answered(&home, command, &request)
    };
    assert_eq!(asked(&certificate)["Ok"][0], json!("401"), "the server is heard");
    assert_eq!(asked(&stranger), json!({ "Err": "ErrorCode::TlsCertificateError" }));
    assert_eq!(asked("none.pem"), json!({ "Err": "ErrorCode::TlsProtocolError" }), "nobody is believed");
    home.ok(&["stop", "--node", "server"]);
    assert!(server.wait().success());
}
