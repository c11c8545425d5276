//! Makes text of guests harmless on a terminal: what would move the cursor, colour, hide or reorder is shown instead.
//!
//! Owns which characters those are. Everything that a guest can influence passes through here before it is printed.

use std::fmt::Write;

/// Whether a terminal or a reader could be misled by it.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Direction of writing.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Ends of line that only some programs see.
            | '\u{2028}' | '\u{2029}'
            // Nothing to be seen.
            | '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// The text in one line.
#[must_use]
pub fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if misleads(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// The text in as many lines as it has, each after `indent` and with its end.
#[must_use]
pub fn block(text: &str, indent: &str) -> String {
    text.lines().fold(String::new(), |mut shown, text| {
        shown.push_str(indent);
        shown.push_str(&line(text));
        shown.push('\n');
        shown
    })
}

/// The same JSON with nothing in it that misleads. Ends of line between values stay; within strings, JSON has none.
#[must_use]
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if misleads(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_shown_and_words_are_left_alone() {
        assert_eq!(line("grüße, 世界 👩‍🚀 \\ \"ok\""), "grüße, 世界 👩‍🚀 \\ \"ok\"");
        assert_eq!(line("a\u{1b}[31mb\r\n\tc\u{7f}"), "a\\u{1b}[31mb\\r\\n\\tc\\u{7f}");
        assert_eq!(line("\u{9b}1m \u{202e}evil \u{e0041} \u{2028}"), "\\u{9b}1m \\u{202e}evil \\u{e0041} \\u{2028}");
    }

    #[test]
    fn a_block_keeps_its_lines_within_its_margin() {
        assert_eq!(block("one\n\u{8}two\n\nthree", "| "), "| one\n| \\u{8}two\n| \n| three\n");
        assert_eq!(block("", "| "), "");
    }

    #[test]
    fn json_stays_the_same_json() {
        let text = "{\n  \"a\": \"\u{7f}\u{202e}\u{e0041}x\"\n}";
        let shown = json(text);
        assert_eq!(shown, "{\n  \"a\": \"\\u007f\\u202e\\udb40\\udc41x\"\n}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("it is JSON");
        assert_eq!(read(&shown), read(text));
    }
}
