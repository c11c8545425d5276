//! The rows of the table of `tests/hostile`, as they stand in its sources.

/// The id in a line that begins a row, which is also the name of a test: `    id: "what it does", …`.
#[must_use]
pub fn row(line: &str) -> Option<&str> {
    let (id, _) = line.strip_prefix("    ")?.split_once(": \"")?;
    let is_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    id.chars().all(is_id).then_some(id)
}
