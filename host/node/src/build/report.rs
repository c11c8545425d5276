//! What a build tells while it goes on.
//!
//! Owns the events. Never formats them for people: the command does; tests stay [`Quiet`].

use std::path::Path;

use super::{Freshness, Route, Target};

/// Something that a build does, or has done.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Another build of the same project is at work; this one goes on when that has ended.
    Waiting {
        /// The file that the other one holds.
        lock: &'a Path,
    },
    /// This is how guests are compiled.
    RouteChosen {
        /// What for.
        target: Target,
        /// Which way.
        route: Route,
        /// The compiler and its version, as far as it is known.
        compiler: &'a str,
    },
    /// rustup is asked for a target.
    AddingTarget {
        /// Which.
        target: Target,
        /// To which of its toolchains.
        toolchain: &'a str,
    },
    /// A way turned out to be closed; the next one is tried.
    RouteFailed {
        /// What for.
        target: Target,
        /// Which way.
        route: Route,
        /// What stands in it.
        problem: &'a str,
    },
    /// Packages of the system are installed, by these commands.
    Installing {
        /// Which packages.
        packages: &'a [String],
        /// What is run.
        commands: &'a [String],
    },
    /// cargo is asked for a guest.
    Compiling {
        /// Which.
        package: &'a str,
        /// What for.
        target: Target,
    },
    /// A line that cargo, rustup or apt-get wrote.
    Output(&'a str),
    /// A component is ready.
    Wrapped {
        /// The guest.
        package: &'a str,
        /// The component.
        path: &'a Path,
        /// Its size in bytes.
        size: u64,
        /// Whether the file is another one than before.
        freshness: Freshness,
    },
}

/// Whether the person at the terminal agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Go on.
    Given,
    /// Do not.
    Refused,
}

/// Who is told, and asked.
pub trait Report {
    /// Told of every event, in order.
    fn event(&mut self, event: Event<'_>);

    /// Asked before `sudo` installs packages by these commands; never asked as root. Only who talks to a person on a
    /// terminal may agree, and `sudo` may ask for a password there.
    fn may_install(&mut self, packages: &[String], commands: &[String]) -> Consent {
        let _ = (packages, commands);
        Consent::Refused
    }
}

/// Says nothing. [`super::BuildError::in_full`] has all that is needed when it fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Report for Quiet {
    fn event(&mut self, _: Event<'_>) {}
}
