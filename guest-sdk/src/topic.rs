//! Publishing and subscribing, after Phoenix.PubSub.
//!
//! Owns the type of what is published; the host keeps the subscriptions, which end with their process. Used by guest
//! authors. Topics are granted in the app's manifest, and need no declaration.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::codec::{Codec, Message};
use crate::context::Context;
use crate::host::topics::{self, Audience};
use crate::types::Refusal;

/// Where `M` is published, granted by name, or by how the name begins: `grants = { topics = ["news", "room:*"] }`.
///
/// What is published arrives at `handle_info`, so a subscriber's [`Info`](crate::Server::Info) is `M`, or can be read from
/// what `M` looks like. Everyone who subscribes to exactly this topic gets it, the publisher too if it subscribes.
///
/// ```
/// use skep_sdk::prelude::*;
///
/// const NEWS: Topic<String> = Topic::named("news");
///
/// #[derive(Serialize, Deserialize)]
/// pub struct Reader { heard: Vec<String> }
///
/// #[server]
/// impl Server for Reader {
///     type Call = ();
///     type Reply = Vec<String>;
///     type Info = String;
///
///     fn init(_: (), context: &Context) -> Start<Self> {
///         match NEWS.subscribe(context) {
///             Ok(()) => Ok(Reader { heard: Vec::new() }),
///             Err(refusal) => Err(NotStarted::Failed(refusal.to_string())),
///         }
///     }
///
///     fn handle_call(&mut self, _: (), _: From<Self>, context: &Context) -> Outcome<Vec<String>> {
///         match NEWS.broadcast(context, "somebody asked".to_owned()) {
///             Ok(_) => reply(self.heard.clone()),
///             Err(refusal) => fail(refusal),
///         }
///     }
///
///     fn handle_info(&mut self, news: String, _: &Context) -> Outcome {
///         self.heard.push(news);
///         noreply()
///     }
/// }
///
/// skep_sdk::export!(Reader);
/// # fn main() {
/// # let mut reader = skep_sdk::testing::Harness::<Reader>::start(()).unwrap();
/// # assert_eq!(reader.call(()), Ok(vec![]));
/// # assert_eq!(reader.call(()), Ok(vec!["somebody asked".to_owned()]));
/// # }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Topic<M> {
    name: Cow<'static, str>,
    #[serde(skip)]
    carries: PhantomData<fn() -> M>,
}

impl<M> Topic<M> {
    /// The topic of this name.
    pub const fn named(name: &'static str) -> Topic<M> {
        Topic { name: Cow::Borrowed(name), carries: PhantomData }
    }

    /// As [`named`](Topic::named), where the name is not known when compiling.
    pub const fn of_name(name: String) -> Topic<M> {
        Topic { name: Cow::Owned(name), carries: PhantomData }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// From now on this process is told. Who subscribes twice is told twice.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: not granted, or too many entries.
    pub fn subscribe(&self, _: &Context) -> Result<(), Refusal> {
        topics::subscribe(&self.name)
    }

    /// Takes back all subscriptions of this process to this topic, and says how many there were.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: not granted.
    pub fn unsubscribe(&self, _: &Context) -> Result<u32, Refusal> {
        topics::unsubscribe(&self.name)
    }
}

impl<M: Message> Topic<M> {
    /// Tells every subscriber, and says how many were reached: a full mailbox is passed over.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: not granted, or the message is too large.
    pub fn broadcast(&self, _: &Context, message: impl Borrow<M>) -> Result<u32, Refusal> {
        self.publish(message.borrow(), Audience::Everybody)
    }

    /// As [`broadcast`](Topic::broadcast), to all but this process (Phoenix's `broadcast_from`).
    ///
    /// # Errors
    ///
    /// As `broadcast`.
    pub fn broadcast_to_others(&self, _: &Context, message: impl Borrow<M>) -> Result<u32, Refusal> {
        self.publish(message.borrow(), Audience::Others)
    }

    fn publish(&self, message: &M, to: Audience) -> Result<u32, Refusal> {
        let body = message.encode(Codec::default()).map_err(|error| Refusal::Invalid(error.to_string()))?;
        topics::broadcast(&self.name, &body, to)
    }
}

impl<M> Clone for Topic<M> {
    fn clone(&self) -> Topic<M> {
        Topic { name: self.name.clone(), carries: PhantomData }
    }
}

impl<M> fmt::Debug for Topic<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({})", self.name)
    }
}
