//! What is going on in a process: what it is in the middle of, whom it waits for, and who waits for it.
//!
//! Owns the place of all that. Most processes sleep most of the time and have nothing of it: then there is none of this, which
//! is most of what a process weighs.

use std::collections::BTreeMap;

use super::{
    AliasMode, Awaited, Caller, Mark, Monitor, Watcher, calls, code_change, holdings, lifecycle, relations, system,
    timers,
};
use crate::folded::Fold;

/// What is going on in a process.
#[derive(Debug)]
pub(super) struct Affairs {
    pub(super) plan: lifecycle::Plan,
    pub(super) block: calls::Block,
    pub(super) change: code_change::Change,
    /// What operators ask; none where nobody does.
    pub(super) system: Option<Box<system::System>>,
    /// The link that is being asked for.
    pub(super) asking: Option<Box<relations::Asking>>,
    pub(super) watchers: Vec<Watcher>,
    /// Who came behind an exit signal that ends it, and so finds nobody (PROC-06). They hear of it with all others, when
    /// its name is free.
    pub(super) behind: Vec<Watcher>,
    pub(super) monitors: BTreeMap<Mark, Monitor>,
    /// What it has in the app's directory. In a box: few processes have anything there.
    pub(super) holdings: Option<Box<holdings::Holdings>>,
    pub(super) aliases: BTreeMap<Mark, AliasMode>,
    pub(super) requests: BTreeMap<Mark, calls::Request>,
    pub(super) timers: timers::Timers,
    /// Who has to do with its beginning. None for a server that is up.
    pub(super) beginning: Option<Box<Beginning>>,
}

/// Who waits for the beginning of a process, or for what it brings.
#[derive(Debug)]
pub(super) struct Beginning {
    /// Who waits for its `init`.
    pub(super) starter: Option<Caller>,
    /// The mark of its parent's monitor, if that was set with the start.
    pub(super) monitor: Option<Mark>,
    /// Who awaits what it brings.
    pub(super) awaited: Option<Awaited>,
}

/// Nothing is going on.
static NOTHING: Affairs = Affairs::of_nobody();

impl Affairs {
    const fn of_nobody() -> Self {
        Affairs {
            plan: lifecycle::Plan::nothing(),
            block: calls::Block::None,
            change: code_change::Change::None,
            system: None,
            asking: None,
            watchers: Vec::new(),
            behind: Vec::new(),
            monitors: BTreeMap::new(),
            holdings: None,
            aliases: BTreeMap::new(),
            requests: BTreeMap::new(),
            timers: timers::Timers::none(),
            beginning: None,
        }
    }
}

impl Fold for Affairs {
    const NOTHING: &'static Self = &NOTHING;

    fn nothing() -> Self {
        Affairs::of_nobody()
    }

    fn is_nothing(&self) -> bool {
        // By name, so that nobody forgets what is new.
        let Affairs {
            plan,
            block,
            change,
            system,
            asking,
            watchers,
            behind,
            monitors,
            holdings,
            aliases,
            requests,
            timers,
            beginning,
        } = self;
        plan.is_nothing()
            && matches!(block, calls::Block::None)
            && matches!(change, code_change::Change::None)
            && system.is_none()
            && asking.is_none()
            && watchers.is_empty()
            && behind.is_empty()
            && monitors.is_empty()
            && holdings.is_none()
            && aliases.is_empty()
            && requests.is_empty()
            && timers.is_empty()
            && beginning.is_none()
    }
}
