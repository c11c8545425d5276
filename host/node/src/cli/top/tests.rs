//! What a terminal shows, one frame after the other.

use clap::Parser;
use serde_json::json;

use super::*;

/// A look, so many seconds after the beginning, at processes with what they have used: fuel and messages.
fn look(beginning: Instant, seconds: u64, processes: &[(&str, u64, u64)]) -> Look {
    let fuel = processes.iter().map(|(_, fuel, _)| fuel).sum::<u64>();
    let messages = processes.iter().map(|(_, _, messages)| messages).sum::<u64>();
    let app = json!({
        "app": "shop", "processes": processes.len() + 1, "instances": 1, "memory_bytes": 65_536, "mailbox_bytes": 0,
        "timers": 0, "open_files": 0, "blocking_operations": 0, "fuel_used": fuel, "logged_bytes": 0,
        "budget": { "fuel_per_second": 1_000_000 }, "supervisors": {}, "mailbox_messages": 0, "throttled": 0,
        "messages_in": messages, "messages_out": 0, "dropped": 0, "restarts": 0,
    });
    let process = |(number, (id, fuel, messages)): (usize, &(&str, u64, u64))| {
        json!({
            "pid": format!("<0.{number}>"), "app": "shop", "id": id, "kind": "server", "status": "waiting",
            "mailbox_messages": 0, "mailbox_bytes": 0, "dropped": 0, "links": 0, "timers": 0, "memory_bytes": 65_536,
            "fuel_used": fuel, "messages_in": messages, "messages_out": 0,
        })
    };
    let read = |value| serde_json::from_value(value).expect("as a node says it");
    Look {
        apps: vec![serde_json::from_value(app).expect("as a node says it")],
        processes: processes.iter().enumerate().map(process).map(read).collect(),
        at: Some(beginning + Duration::from_secs(seconds)),
    }
}

/// The command, alone.
#[derive(Parser)]
struct Typed {
    #[command(flatten)]
    top: Top,
}

/// The words of the lines that have this in them.
fn rows<'a>(frame: &'a str, part: &str) -> Vec<Vec<&'a str>> {
    frame.lines().filter(|line| line.contains(part)).map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn each_frame_takes_the_place_of_the_one_before_and_tells_what_was_used_since() {
    let beginning = Instant::now();
    let first = look(beginning, 0, &[("busy", 9_000, 30), ("lazy", 50_000, 10)]);
    let second = look(beginning, 2, &[("busy", 2_009_000, 70), ("lazy", 50_000, 10), ("new", 8_000, 2)]);
    let Typed { top } = Typed::parse_from(["top", "-n", "2"]);

    let frame = top.frame(&first, None);
    assert!(frame.starts_with(CLEAR) && !frame.contains("FUEL/S"), "{frame}");
    let ids = |frame: &str| -> Vec<String> { rows(frame, "<0.").iter().map(|row| row[2].to_owned()).collect() };
    assert_eq!(ids(&frame), ["lazy", "busy"], "who has used most comes first");
    assert_eq!(rows(&frame, "<0.1>")[0][7..], ["0", "50.0k", "10"], "since its start");

    let frame = top.frame(&second, Some(&first));
    assert_eq!((frame.matches(CLEAR).count(), frame.find(CLEAR)), (1, Some(0)), "{frame:?}");
    assert_eq!(frame.matches("FUEL/S").count(), 2, "of apps and of processes: {frame}");
    assert_eq!(ids(&frame), ["busy", "new"], "who has used most of late");
    assert_eq!(rows(&frame, "<0.0>")[0][7..], ["0", "1.0M", "20"], "in a second of two");
    assert_eq!(rows(&frame, "<0.2>")[0][7..], ["0", "4.0k", "1"], "all of it since");
    assert!(frame.ends_with("… and 1 more\n"), "{frame}");
    let app = rows(&frame, "shop").into_iter().find(|row| row[0] == "shop").expect("the app's own row");
    assert_eq!((app[7], app[8]), ("1.0M/1.0M", "21"));
}
