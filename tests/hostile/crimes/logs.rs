//! Guests that write without end, by the log and by their output, or what a terminal would obey.

use serde_json::{Value, json};
use skep_runtime::kernel::{Limits, LogLimits};
use skep_tests::Child;

use crate::guest::{Server, ZEROS};
use crate::scene::Scene;
use crate::suite::{Seen, crimes};

crimes! {
    Logs;

    a_flood_of_log_lines: "logs 500 lines, and may log ten", Throttled, 32 MiB =>
        |scene| lines(scene);
    standard_output_without_end: "writes lines to its standard output without end", Limit("fuel"), 48 MiB =>
        |scene| output(scene, 1, "line after line\\0a");
    standard_error_without_end: "writes lines to its standard error without end", Limit("fuel"), 48 MiB =>
        |scene| output(scene, 2, "line after line\\0a");
    a_line_without_end: "writes to its standard output, and never ends the line", Limit("fuel"), 48 MiB =>
        |scene| output(scene, 1, "on and on");
    a_line_of_a_megabyte: "logs a line of 1 MB", Nothing, 48 MiB =>
        |scene| long(scene);
    what_a_terminal_obeys: "logs sequences that clear a screen and fake a line", Nothing, 32 MiB =>
        |scene| escapes(scene);
    what_is_no_text: "writes bytes to its standard output that are no text", Nothing, 32 MiB =>
        |scene| no_text(scene);
}

fn bounds(limits: &mut Limits) {
    limits.log = LogLimits { bytes_per_second: 0, burst: 10 * 100 };
}

async fn lines(scene: &Scene) -> Seen {
    let script: Vec<Value> = (0..500).map(|_| json!({ "Log": "x".repeat(36) })).collect();
    scene.steps(bounds, Value::from(script)).await;
    assert_eq!(scene.logged().len(), 10);
    Seen::Throttled
}

const WRITE: &str =
    r#"(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))"#;

fn writes(descriptor: u32, text: &str, length: usize, body: &str) -> Vec<u8> {
    let more = format!(
        r#"{WRITE} (data (i32.const 512) "{text}") (data (i32.const 640) "\00\02\00\00")
        (func $say (i32.store (i32.const 644) (i32.const {length}))
            (drop (call $write (i32.const {descriptor}) (i32.const 640) (i32.const 1) (i32.const 660))))"#
    );
    Server { more, pages: 16, handle: body.into(), ..Server::default() }.build()
}

async fn output(scene: &Scene, descriptor: u32, text: &str) -> Seen {
    let length = text.len() - 2 * text.matches('\\').count();
    let guest = writes(descriptor, text, length, "(loop (call $say) (br 0)) unreachable");
    let mut limits = Limits { fuel_per_message: 20_000_000, ..Limits::default() };
    bounds(&mut limits);
    let seen = scene.run(guest, limits).await;
    let logged: usize = scene.logged().iter().map(String::len).sum();
    assert!(logged <= 1_000 + 4_096 + 200, "{logged} bytes of it were logged");
    seen
}

async fn long(scene: &Scene) -> Seen {
    scene.steps(|_| {}, json!([{ "Log": "x".repeat(1_000_000) }])).await;
    assert_eq!(scene.logged(), [format!("{}…", "x".repeat(4_096))]);
    Seen::Nothing
}

async fn escapes(scene: &Scene) -> Seen {
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\rroot: all is well\u{9b}31m";
    scene.culprit(Child::probe("culprit")).await.expect("it starts");
    scene.app.steps("culprit", json!([{ "Log": evil }])).await;
    let shown: Vec<String> = scene.logged().iter().map(|line| skep::cli::safe::line(line)).collect();
    assert_eq!(shown.len(), 1);
    assert!(!shown[0].chars().any(char::is_control), "{:?}", shown[0]);
    Seen::Nothing
}

async fn no_text(scene: &Scene) -> Seen {
    let guest = writes(1, "\\ff\\fe\\00\\80\\0a", 5, &format!("(call $say) {ZEROS}"));
    let seen = scene.run(guest, Limits::default()).await;
    assert_eq!(scene.logged().len(), 1);
    seen
}
