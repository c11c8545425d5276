//! Monitors with more to them: a tag that comes back with the loss, an alias that lasts as long as the monitor.
//!
//! Owns how they are asked for and what is got, and timers as other processes know them. Never keeps anything: the host
//! does. Used by `Context`.

use serde::{Deserialize, Serialize};

use crate::codec::{Codec, CodecError, Message};
use crate::host::links::MonitorAlias;
use crate::reference::written;
use crate::types::{Address, Alias, Body, Lost, Mark, Pid};

/// A monitor to be set with [`monitor_with`](crate::Context::monitor_with).
#[derive(Clone, Debug)]
#[must_use = "it is not set yet"]
pub struct Watch {
    pub(crate) target: Address,
    pub(crate) tag: Option<Body>,
    pub(crate) alias: Option<MonitorAlias>,
}

impl Watch {
    /// Neither tagged nor with an alias.
    pub fn of(target: impl Into<Address>) -> Watch {
        Watch { target: target.into(), tag: None, alias: None }
    }

    /// With something that the down brings along: at most 1,024 bytes, or this process ends with the reason `limit`.
    ///
    /// # Panics
    ///
    /// If serde cannot write it.
    pub fn tag(self, tag: &impl Message) -> Watch {
        Watch { tag: Some(written(tag, Codec::default())), ..self }
    }

    /// With an alias that lasts until it is closed, whatever becomes of the monitor.
    pub fn alias(self) -> Watch {
        Watch { alias: Some(MonitorAlias::ExplicitUnalias), ..self }
    }

    /// With an alias that closes with the monitor: by the down, or by demonitoring.
    pub fn tied_alias(self) -> Watch {
        Watch { alias: Some(MonitorAlias::Demonitor), ..self }
    }

    /// With an alias for one reply: the first message through it closes it and ends the monitor, and so does the down.
    pub fn reply_alias(self) -> Watch {
        Watch { alias: Some(MonitorAlias::ReplyDemonitor), ..self }
    }
}

/// A monitor that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// What tells its down from others.
    pub mark: Mark,
    /// The alias, if one was asked for.
    pub alias: Option<Alias>,
}

impl Lost {
    /// The tag given to [`Watch::tag`]; `None` if there was none.
    ///
    /// # Errors
    ///
    /// It is not of this type.
    pub fn tag<T: Message>(&self) -> Result<Option<T>, CodecError> {
        self.tag.clone().map(T::decode).transpose()
    }
}

/// A timer as other processes know it. It travels in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimerRef {
    /// Who has started it.
    pub owner: Pid,
    /// What that process calls it.
    pub timer: Mark,
}
