//! The other side: scenarios are handed to OTP, all in one start of its machine, and their traces come back.
//!
//! Owns how a scenario is written as an Erlang term. What the steps mean there stands in `probe.escript`.

use std::fs::File;
use std::io::{ErrorKind, Seek as _, Write as _};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The traces of these scenarios, one each; none where no `escript` is installed, which is said.
pub(super) fn traces<'a>(scenarios: impl IntoIterator<Item = &'a Value>) -> Option<Vec<Vec<Value>>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/system/differential/probe.escript");
    let output = match Command::new("escript").arg(script).stdin(written(scenarios)).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Past the harness: that nothing was compared must be seen.
            let _ = writeln!(std::io::stdout(), "nothing is compared with Erlang: escript is not installed");
            return None;
        }
        output => output.expect("escript runs"),
    };
    let text = String::from_utf8(output.stdout).expect("it is text");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "probe.escript: {complaints}\n{text}");
    Some(text.lines().map(|line| serde_json::from_str(line).expect("each line is a trace")).collect())
}

/// The scenarios as terms, in a file: both sides of a pipe might be waited for.
fn written<'a>(scenarios: impl IntoIterator<Item = &'a Value>) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    for scenario in scenarios {
        writeln!(file, "{}.", term(scenario)).expect("there is room");
    }
    file.rewind().expect("it is a file");
    file
}

/// A JSON value as a term: texts as binaries, objects as maps.
fn term(value: &Value) -> String {
    let list = |terms: Vec<String>| terms.join(",");
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("<<\"{}\">>", text.replace('\\', "\\\\").replace('"', "\\\"")),
        Value::Array(values) => format!("[{}]", list(values.iter().map(term).collect())),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("<<\"{key}\">>=>{}", term(value)));
            format!("#{{{}}}", list(fields.collect()))
        }
    }
}

#[test]
fn a_value_becomes_a_term() {
    let value = serde_json::json!({ "a": [1, null, true, "x\"\\"], "b": {} });
    assert_eq!(term(&value), r#"#{<<"a">>=>[1,null,true,<<"x\"\\">>],<<"b">>=>#{}}"#);
}
