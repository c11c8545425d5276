//! Whole-system tests: real guests on a real runtime, in one binary, because linking the engine takes long.

mod conformance;
mod hostile;
mod semantics;
mod smoke;
mod upgrade;
