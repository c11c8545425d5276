//! The `skep` command as it is typed: one binary for all of it, because linking the engine takes long.

mod bench;
mod child;
mod demo;
mod deploy;
mod docs;
mod elsewhere;
mod grants;
mod names;
mod network;
mod new;
mod node;
mod programs;
mod refusals;
mod sign;
mod skep;
mod sys;
mod top;
mod upgrade;
