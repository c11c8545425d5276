//! Whom a guest may reach: those of its own app whose address it has, and of other apps those that it was granted.
//!
//! Owns the border between apps, and what becomes of who makes pids up. A grant lets messages through and the looks that go
//! with them (names, monitors, whether one lives), and never what would end or hold up somebody else: links, exit signals and
//! system messages stay within an app. Replies go to whoever has called.

use std::sync::Arc;

use skep_kernel::process::LinkRequest;
use skep_kernel::registry::foreign;
use skep_kernel::signal::Undelivered;
use skep_kernel::{Address, Pid, Refusal, Signal};

use super::syscalls::GuestCalls;
use super::{App, Cell, Content, Shell, Way};
use crate::api::Ended;

impl Shell {
    /// The way of what a process has sent beforehand. Whether it may go there counts now.
    pub(super) fn way_of(&self, sender: Pid, app: &App, to: &Address) -> Option<Way> {
        let cell = self.table.get(sender)?;
        match &cell.content {
            Content::Guest(_) => GuestCalls::new(cell).way(self, to).ok()?.ok()?,
            Content::Supervisor(_) | Content::Client(_) => self.way(app, to),
        }
    }
}

impl GuestCalls {
    /// The way to an address, if anybody is there now. Refused where looking that up, or going there, is not granted.
    pub(super) fn way(&self, shell: &Shell, to: &Address) -> Result<Result<Option<Way>, Refusal>, Ended> {
        if let Err(refusal) = self.admit_address(to) {
            return Ok(Err(refusal));
        }
        let way = match to {
            Address::Name(name) if foreign(name).is_some() => self.abroad(shell, name),
            Address::Pid(pid) => self.there(shell, *pid)?.map(Way::direct),
            Address::Name(_) | Address::Via(_) | Address::Alias(_) => shell.way(&self.cell.app, to),
        };
        Ok(match way {
            Some(way) if !self.is_at_home(&way.to) => match (self.admit_app(&way.to), to) {
                (Ok(()), _) => Ok(Some(way)),
                // MON-12: not even that it is another app's.
                (Err(_), Address::Alias(_)) => Ok(None),
                (Err(refusal), _) => Err(refusal),
            },
            way => Ok(way),
        })
    }

    /// A process of this app; none if it is another's, or is no more.
    pub(super) fn neighbour(&self, shell: &Shell, pid: Pid) -> Result<Option<Arc<Cell>>, Ended> {
        Ok(self.there(shell, pid)?.filter(|cell| self.is_at_home(cell)))
    }

    /// As [`GuestCalls::neighbour`], of whatever address. None where looking that up is not granted.
    pub(super) fn neighbour_at(&self, shell: &Shell, to: &Address) -> Result<Option<Arc<Cell>>, Ended> {
        if let Address::Alias(_) = to {
            // It would carry messages alone.
            return Ok(None);
        }
        let way = self.way(shell, to)?.ok().flatten();
        Ok(way.map(|way| way.to).filter(|cell| self.is_at_home(cell)))
    }

    /// Whether this process may have somebody stop in order, whom it can write to.
    pub(super) fn admit_stop(&self, shell: &Shell, to: &Address) -> Result<Result<(), Refusal>, Ended> {
        if let Address::Name(name) = to
            && let Err(refusal) = self.admit_look_up(name)
        {
            // A name alone would let anybody stop what it may only talk to; who has a pid may end it in any case.
            return Ok(Err(refusal));
        }
        Ok(match self.way(shell, to)? {
            Ok(Some(way)) if !self.is_at_home(&way.to) => {
                Err(Refusal::Denied("the end of a process of another app, which cannot be granted".into()))
            }
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal),
        })
    }

    /// Whose a name of another app is.
    pub(super) fn whereis_abroad(&self, shell: &Shell, name: &str) -> Option<Pid> {
        let way = self.abroad(shell, name)?;
        self.admit_app(&way.to).ok().map(|()| way.pid())
    }

    /// Asks for a link with a process of this app.
    pub(super) fn ask_for_link(&self, shell: &Shell, to: Pid) -> Result<Result<(), Refusal>, Ended> {
        let there = self.there(shell, to)?;
        if there.is_some_and(|cell| !self.is_at_home(&cell)) {
            return Ok(Err(Refusal::Denied("a link with a process of another app, which cannot be granted".into())));
        }
        let _pair = shell.pairs.lock(self.cell.pid, to);
        let request = self.process()?.link(to);
        Ok(match request {
            LinkRequest::Done => Ok(()),
            LinkRequest::Refused(refusal) => Err(refusal),
            LinkRequest::Ask => match shell.deliver(to, Signal::Link { from: self.cell.pid }) {
                Ok(()) => {
                    self.cell.process.lock().link_made();
                    Ok(())
                }
                Err(why) => self.link_refused(to, why),
            },
        })
    }

    fn link_refused(&self, to: Pid, why: Undelivered) -> Result<(), Refusal> {
        self.cell.process.lock().link_failed(to, why)
    }

    fn is_at_home(&self, cell: &Cell) -> bool {
        Arc::ptr_eq(&cell.app, &self.cell.app)
    }

    /// Who has this pid. Whoever keeps making pids up is ended.
    fn there(&self, shell: &Shell, pid: Pid) -> Result<Option<Arc<Cell>>, Ended> {
        let there = shell.table.get(pid);
        if there.is_none() && !shell.table.has_given(pid) {
            self.process()?.misaddressed().map_err(Ended)?;
        }
        Ok(there)
    }

    fn abroad(&self, shell: &Shell, name: &str) -> Option<Way> {
        let (app, name) = foreign(name)?;
        let app: Arc<App> = shell.apps.get(app)?;
        shell.way(&app, &Address::Name(name.into()))
    }

    fn admit_app(&self, cell: &Cell) -> Result<(), Refusal> {
        let Content::Guest(own) = &self.cell.content else { return Err(Refusal::Denied("apps".into())) };
        let name = cell.content.started_as();
        if own.spec.grants.allows_app(&cell.app.name, name) {
            return Ok(());
        }
        Err(Refusal::Denied(format!("apps = [{:?}]", &*cell.app.name)))
    }
}
