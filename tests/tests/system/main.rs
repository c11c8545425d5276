//! Whole-system tests: real guests on a real runtime, in one binary, because linking the engine takes long.

mod chat;
mod commands;
mod conformance;
mod differential;
mod embedding;
mod isolation;
mod network;
mod pages;
mod rooms;
mod security;
mod seen;
mod semantics;
mod smoke;
mod upgrade;
