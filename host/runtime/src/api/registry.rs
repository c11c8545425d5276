//! `skep:process/registry`: keys that processes hold, each with a value.

use std::future::poll_fn;

use skep_kernel::directory::{HowMany, Watched};
use skep_kernel::{Body, Refusal};

use super::bindings::registry::Host;
use super::bindings::types::{self, Entry};
use super::convert;
use super::directory::{count, in_registry};
use super::messaging::too_large;
use crate::engine::context::Context;
use crate::engine::fuel;

type Answer<T> = wasmtime::Result<Result<T, types::Refusal>>;

impl Host for Context {
    async fn register(&mut self, registry: String, key: String, value: types::Body) -> Answer<()> {
        let (place, value, limit) = (in_registry(registry, key), Body::from(value), self.body_bytes);
        let syscalls = self.at("register", &place, value.len()).await?;
        if let Some(why) = too_large(&value, limit) {
            return Ok(Err(types::Refusal::Limit(why)));
        }
        Ok(syscalls.enroll(place, None, value)?.map_err(types::Refusal::from))
    }

    async fn unregister(&mut self, registry: String, key: String) -> Answer<u32> {
        let place = in_registry(registry, key);
        let syscalls = self.at("unregister", &place, 0).await?;
        Ok(syscalls.withdraw(place, None, HowMany::All)?.map(count).map_err(types::Refusal::from))
    }

    async fn lookup(&mut self, registry: String, key: String) -> Answer<Vec<Entry>> {
        let (place, limit) = (in_registry(registry, key), self.body_bytes);
        let found = self.at("lookup", &place, 0).await?.find(place, limit)?;
        self.carry(found).await
    }

    async fn entries(&mut self, registry: String) -> Answer<Vec<Entry>> {
        let (place, limit) = (in_registry(registry, String::new()), self.body_bytes);
        let found = self.at("entries", &place, 0).await?.list(place.table, limit)?;
        self.carry(found).await
    }

    async fn count(&mut self, registry: String) -> Answer<u64> {
        let place = in_registry(registry, String::new());
        let counted = self.at("count", &place, 0).await?.count(place.table)?;
        // Each has been looked at.
        self.pay(0, counted.as_ref().map_or(0, |number| *number)).await?;
        Ok(counted.map(|number| number as u64).map_err(types::Refusal::from))
    }

    async fn keys(&mut self, registry: String, of: types::Pid) -> Answer<Vec<String>> {
        let (place, of) = (in_registry(registry, String::new()), convert::pid(of)?);
        let keys = self.at("keys", &place, 0).await?.keys_of(place.table, of)?;
        self.carry_keys(keys).await
    }

    async fn update_value(&mut self, registry: String, key: String, value: types::Body) -> Answer<()> {
        let (place, value, limit) = (in_registry(registry, key), Body::from(value), self.body_bytes);
        let syscalls = self.at("update-value", &place, value.len()).await?;
        if let Some(why) = too_large(&value, limit) {
            return Ok(Err(types::Refusal::Limit(why)));
        }
        Ok(syscalls.replace_value(place, value)?.map_err(types::Refusal::from))
    }

    async fn listen(&mut self, registry: String) -> Answer<u64> {
        let place = in_registry(registry, String::new());
        let watch = self.at("listen", &place, 0).await?.watch(Watched::Table(place.table), None)?;
        Ok(watch.map(|(mark, _)| mark.0).map_err(types::Refusal::from))
    }

    async fn unlisten(&mut self, mark: u64) -> wasmtime::Result<bool> {
        let mark = convert::mark(mark)?;
        Ok(self.act_with("unlisten", fuel::MESSAGE, 0).await?.unwatch(mark)?)
    }

    async fn lock(&mut self, registry: String, key: String, timeout_ms: Option<u64>) -> Answer<bool> {
        let (place, timeout_ms) = (in_registry(registry, key), convert::maybe_number(timeout_ms, "`timeout-ms`")?);
        let syscalls = self.at("lock", &place, 0).await?;
        let mark = match syscalls.begin_lock(place.clone(), timeout_ms)? {
            Ok(mark) => mark,
            Err(refusal) => return Ok(Err(Refusal::into(refusal))),
        };
        let has_it = poll_fn(|cx| syscalls.poll_lock(&place, mark, cx)).await?;
        self.meter.waited();
        Ok(Ok(has_it))
    }

    async fn unlock(&mut self, registry: String, key: String) -> wasmtime::Result<bool> {
        let place = in_registry(registry, key);
        Ok(self.at("unlock", &place, 0).await?.unlock(&place)?)
    }
}
