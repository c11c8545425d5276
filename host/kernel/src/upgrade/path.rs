//! How a state gets from one code to another, if at all (HOT-06).

use crate::Shape;

/// How a state gets from one code to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Path {
    /// The new code reads what the old one saves.
    Up,
    /// The old code saves it as this older version, which the new code reads.
    Down(u32),
}

/// Why a state does not get from one code to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoPath {
    /// The old code saves it as no version that the new code reads.
    Version,
    /// The old code saves it in a form that the new code does not read.
    Form,
}

/// How states of code that is `from` come to code that is `to`.
///
/// # Errors
///
/// They cannot.
pub fn path(from: &Shape, to: &Shape) -> Result<Path, NoPath> {
    if !to.reads.contains(&from.writes) {
        return Err(NoPath::Form);
    }
    if to.accepts.contains(&from.version) {
        return Ok(Path::Up);
    }
    // The nearest one loses least.
    let down = from.steps_down.iter().filter(|version| to.accepts.contains(version)).max();
    down.map(|version| Path::Down(*version)).ok_or(NoPath::Version)
}
