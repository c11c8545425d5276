//! JSON as people give and read it.
//!
//! Owns the layout of printed JSON and the words about JSON that is none. Lays text out as it is, without taking it apart:
//! numbers keep their digits and objects their order, and no depth of nesting can exhaust the stack.

use serde_json::value::RawValue;

use super::failure::Failure;

/// Characters of a bad body that are shown before and after the place.
const SHOWN: usize = 30;

/// Valid JSON, indented. What is empty or holds no other value stays in its line.
pub(super) fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0;
    let mut characters = json.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                out.push('"');
                while let Some(c) = characters.next() {
                    out.push(c);
                    match c {
                        '\\' => out.extend(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                out.push(c);
                while characters.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                if let Some(end) = characters.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth -= 1;
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(',');
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

/// Nesting deeper than this is not indented further: it would be megabytes of blanks.
const INDENTED: usize = 50;

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(INDENTED)));
}

/// A body from the command line, checked.
pub(super) fn body(text: &str) -> Result<Box<RawValue>, Failure> {
    serde_json::from_str::<Box<RawValue>>(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let remedy =
            "a body is JSON in single quotes, text in it in double quotes: '{\"Add\": 2}', '\"Get\"', '[1, 2]', 'null'";
        let why = error.to_string();
        let why = why.split(" at line ").next().unwrap_or_default();
        let place =
            if text.contains('\n') { format!("line {line}, column {column}") } else { format!("column {column}") };
        Failure::usage(format!("the body is not JSON: {why} ({place})"))
            .remedy(remedy)
            .detail(pointed(text, line, column))
    })
}

/// The line that is wrong, and an arrow below the place. `column` counts bytes from 1.
fn pointed(text: &str, line: usize, column: usize) -> String {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let at = line.floor_char_boundary(column.saturating_sub(1));
    let (before, after) = line.split_at(at);
    let skipped = before.chars().count().saturating_sub(SHOWN);
    let before: String = before.chars().skip(skipped).collect();
    let after: String = after.chars().take(SHOWN).collect();
    format!("{before}{after}\n{}^", " ".repeat(before.chars().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_keeps_every_value_as_it_is() {
        let json = r#"{"b":[1e400,{"x":"a,\"{}"}],"a":{},"c":[ ],"d":null}"#;
        let expected = r#"{
  "b": [
    1e400,
    {
      "x": "a,\"{}"
    }
  ],
  "a": {},
  "c": [],
  "d": null
}"#;
        assert_eq!(pretty(json), expected);
        assert_eq!(pretty(" 5 "), "5");
        assert_eq!(pretty(&pretty(json)), expected);
    }

    #[test]
    fn deep_nesting_is_laid_out_too() {
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(pretty(&deep).split_whitespace().collect::<String>(), deep);
    }

    #[test]
    fn a_body_that_is_not_json_is_refused_with_its_place() {
        assert_eq!(body("{\"Add\": 2}").expect("it is JSON").get(), "{\"Add\": 2}");
        assert_eq!(pointed("{\"a\": Get}", 1, 7), "{\"a\": Get}\n      ^");
        let failure = body("Get").expect_err("it has no quotes");
        assert_eq!(failure.to_string(), "the body is not JSON: expected value (column 1)");
        for bad in ["", "{", "{\"a\":}", "[1,]", "'x'", "1 2", "ü\nü"] {
            assert!(body(bad).is_err(), "{bad}");
        }
    }
}
