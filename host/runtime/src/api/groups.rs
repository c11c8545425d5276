//! `skep:process/groups`: process groups, within scopes.

use skep_kernel::Body;
use skep_kernel::directory::{HowMany, Watched};

use super::bindings::groups::Host;
use super::bindings::types::{self, Entry};
use super::convert;
use super::directory::in_scope;
use crate::engine::context::Context;
use crate::engine::fuel;

type Answer<T> = wasmtime::Result<Result<T, types::Refusal>>;

impl Host for Context {
    async fn join(&mut self, scope: String, group: String, pid: types::Pid) -> Answer<()> {
        let (place, pid) = (in_scope(scope, group), convert::pid(pid)?);
        let syscalls = self.at("join", &place, 0).await?;
        Ok(syscalls.enroll(place, Some(pid), Body::Json("null".into()))?.map_err(types::Refusal::from))
    }

    async fn leave(&mut self, scope: String, group: String, pid: types::Pid) -> Answer<bool> {
        let (place, pid) = (in_scope(scope, group), convert::pid(pid)?);
        let syscalls = self.at("leave", &place, 0).await?;
        let left = syscalls.withdraw(place, Some(pid), HowMany::One)?;
        Ok(left.map(|count| count > 0).map_err(types::Refusal::from))
    }

    async fn members(&mut self, scope: String, group: String) -> Answer<Vec<types::Pid>> {
        let (place, limit) = (in_scope(scope, group), self.body_bytes);
        let found = self.at("members", &place, 0).await?.find(place, limit)?;
        let members = self.carry(found).await?;
        Ok(members.map(|entries| entries.into_iter().map(|entry| entry.pid).collect()))
    }

    async fn which(&mut self, scope: String) -> Answer<Vec<String>> {
        let (place, limit) = (in_scope(scope, String::new()), self.body_bytes);
        let found = self.at("which", &place, 0).await?.list(place.table, limit)?;
        let entries = self.carry(found).await?;
        Ok(entries.map(|entries| {
            let mut groups: Vec<String> = entries.into_iter().map(|entry| entry.key).collect();
            groups.dedup();
            groups
        }))
    }

    async fn monitor(&mut self, scope: String, group: Option<String>) -> Answer<(u64, Vec<Entry>)> {
        let (place, limit) = (in_scope(scope, group.clone().unwrap_or_default()), self.body_bytes);
        let syscalls = self.at("monitor", &place, 0).await?;
        let watched = if group.is_some() { Watched::Key(place) } else { Watched::Table(place.table) };
        match syscalls.watch(watched, Some(limit))? {
            Ok((mark, found)) => Ok(self.carry(Ok(found)).await?.map(|entries| (mark.0, entries))),
            Err(refusal) => Ok(Err(refusal.into())),
        }
    }

    async fn demonitor(&mut self, mark: u64) -> wasmtime::Result<bool> {
        let mark = convert::mark(mark)?;
        Ok(self.act_with("demonitor", fuel::MESSAGE, 0).await?.unwatch(mark)?)
    }
}
