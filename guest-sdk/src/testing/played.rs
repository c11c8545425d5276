//! Tasks that the process under test starts, played by the test.
//!
//! Owns what becomes of them, and when. Never runs one beside another: what a task brings is known when it is started, and
//! comes when its time is up. Kept by `world`.

use std::time::Duration;

use super::world::{World, inside};
use crate::codec::{Codec, Message};
use crate::context::millis;
use crate::reference::written;
use crate::run;
use crate::task::Task;
use crate::types::{Body, ExitReason, Mark, Pid};

/// What becomes of a task that the process under test starts; for [`World::on_task`].
///
/// ```
/// # use skep_sdk::testing::{Played, World};
/// # use skep_sdk::ExitReason;
/// # use std::time::Duration;
/// let quick = Played::brings(&42);
/// let slow = Played::brings(&42).after(Duration::from_secs(10));
/// let broken = Played::ends(ExitReason::Failed("no".into()));
/// let deaf = Played::never().stubborn();
/// let world = World::new().on_task(move |module, _| if module == "sum" { quick.clone() } else { slow.clone() });
/// ```
#[derive(Clone, Debug)]
pub struct Played {
    after_ms: Option<u64>,
    outcome: Result<Body, ExitReason>,
    stubborn: bool,
}

impl Played {
    /// It brings this at once.
    ///
    /// # Panics
    ///
    /// If serde cannot write it.
    pub fn brings(value: &impl Message) -> Played {
        Played::at_once(Ok(written(value, Codec::default())))
    }

    /// It ends with this reason at once, without a result.
    pub fn ends(reason: ExitReason) -> Played {
        Played::at_once(Err(reason))
    }

    /// It never ends by itself.
    pub fn never() -> Played {
        Played { after_ms: None, ..Played::ends(ExitReason::Normal) }
    }

    /// It is run, with nobody else about, and brings at once what came of it.
    pub fn run<T: Task>(args: Body) -> Played {
        let outcome = inside(&mut World::new(), || run::task::<T>(args));
        Played::at_once(outcome.and_then(|output| output.map_err(ExitReason::Failed)))
    }

    fn at_once(outcome: Result<Body, ExitReason>) -> Played {
        Played { after_ms: Some(0), outcome, stubborn: false }
    }

    /// Only after this time.
    #[must_use]
    pub fn after(self, time: Duration) -> Played {
        Played { after_ms: Some(millis(time)), ..self }
    }

    /// Traps exit signals and does not care: only a kill ends it before its time.
    #[must_use]
    pub fn stubborn(self) -> Played {
        Played { stubborn: true, ..self }
    }
}

/// A task that plays.
pub(crate) struct Playing {
    pub(crate) pid: Pid,
    pub(crate) mark: Mark,
    pub(crate) linked: bool,
    pub(crate) due_ms: Option<u64>,
    pub(crate) outcome: Result<Body, ExitReason>,
    pub(crate) stubborn: bool,
}

impl Playing {
    pub(crate) fn begin(played: Played, pid: Pid, mark: Mark, linked: bool, now_ms: u64) -> Playing {
        let Played { after_ms, outcome, stubborn } = played;
        let due_ms = after_ms.map(|after| now_ms.saturating_add(after));
        Playing { pid, mark, linked, due_ms, outcome, stubborn }
    }
}
