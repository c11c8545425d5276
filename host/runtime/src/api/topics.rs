//! `skep:process/topics`: publishing and subscribing.

use skep_kernel::directory::HowMany;
use skep_kernel::{Address, Body};

use super::bindings::topics::{Audience, Host};
use super::bindings::types;
use super::directory::{count, topic};
use super::messaging::too_large;
use crate::engine::context::Context;
use crate::engine::fuel;

type Answer<T> = wasmtime::Result<Result<T, types::Refusal>>;

impl Host for Context {
    async fn subscribe(&mut self, name: String) -> Answer<()> {
        let place = topic(name);
        let syscalls = self.at("subscribe", &place, 0).await?;
        Ok(syscalls.enroll(place, None, Body::Json("null".into()))?.map_err(types::Refusal::from))
    }

    async fn unsubscribe(&mut self, name: String) -> Answer<u32> {
        let place = topic(name);
        let syscalls = self.at("unsubscribe", &place, 0).await?;
        Ok(syscalls.withdraw(place, None, HowMany::All)?.map(count).map_err(types::Refusal::from))
    }

    async fn broadcast(&mut self, name: String, body: types::Body, to: Audience) -> Answer<u32> {
        let (place, body, limit) = (topic(name), Body::from(body), self.body_bytes);
        let syscalls = self.at("broadcast", &place, body.len()).await?;
        if let Some(why) = too_large(&body, limit) {
            return Ok(Err(types::Refusal::Limit(why)));
        }
        // However many they are: the list stays here, and each of them is paid for before it is told.
        let subscribers = match syscalls.find(place, usize::MAX)? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let me = syscalls.pid();
        let mut reached = 0;
        for (_, pid, _) in subscribers {
            if to == Audience::Others && pid == me {
                continue;
            }
            self.pay(fuel::MESSAGE, body.len()).await?;
            reached += usize::from(syscalls.send(Address::Pid(pid), body.clone())?.is_ok());
        }
        Ok(Ok(count(reached)))
    }
}
