//! What a child says of the standard streams of a command, and that nobody says it of another process.
//!
//! Owns the keys that only commands have. Whether a module is one is known when its code is there: then
//! [`Manifest::check_commands`] is asked.

use std::ops::Range;

use skep_runtime::kernel::Name;
use skep_runtime::kernel::registry::valid_name;
use skep_runtime::spec::{Console, Input, Output};
use toml::Spanned;

use super::grants::Ground;
use super::{Manifest, ManifestError, shape};

/// A key of a child that only a command has.
#[derive(Clone, Debug)]
pub struct CommandKey {
    key: &'static str,
    place: Range<usize>,
    module: Name,
}

/// Those of a child of this module.
pub(super) fn keys(child: &shape::Child, module: &Name) -> impl Iterator<Item = CommandKey> {
    let keys =
        [("stdin", child.stdin.as_ref().map(Spanned::span)), ("output", child.output.as_ref().map(Spanned::span))];
    keys.into_iter().filter_map(|(key, span)| Some(CommandKey { key, place: span?, module: module.clone() }))
}

impl Ground<'_> {
    /// The standard streams of a command.
    pub(super) fn console(&self, child: &shape::Child) -> Result<Console, ManifestError> {
        let input = match child.stdin.as_ref().map(|stdin| (stdin.get_ref(), stdin.span())) {
            None => Input::Closed,
            Some((shape::Input::Messages, _)) => Input::Messages,
            Some((shape::Input::File(path), place)) => Input::File(self.file(path, place)?),
        };
        let output = match child.output.as_ref().map(|output| (output.get_ref(), output.span())) {
            None | Some((shape::Output::Log, _)) => Output::Log,
            Some((shape::Output::To(name), place)) => match valid_name(name) {
                Ok(()) => Output::To(name.as_str().into()),
                Err(why) => {
                    return Err(self.source.error(place, format!("bad name: {why}"), "give the name of a process"));
                }
            },
        };
        Ok(Console { input, output })
    }
}

impl Manifest {
    /// Refuses the first key that only commands have, if its module is none.
    pub fn check_commands(&self, is_command: impl Fn(&str) -> bool) -> Result<(), ManifestError> {
        match self.command_keys.iter().find(|CommandKey { module, .. }| !is_command(module)) {
            None => Ok(()),
            Some(CommandKey { key, place, module }) => Err(self.source.error(
                place.clone(),
                format!("`{key}` is for commands, and module `{module}` is none"),
                format!(
                    "remove `{key}`, or give `{module}` a program for WASI, which exports `wasi:cli/run` or `_start`"
                ),
            )),
        }
    }
}
