//! Registries: which processes hold which key, with which value.
//!
//! Owns the types of keys and values; the host keeps the entries, which end with their process, and tells keys apart by
//! their text in JSON. Used by guest authors. Declared and granted in the app's manifest.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::{Codec, Message};
use crate::context::{Context, millis};
use crate::host::registry;
use crate::types::{Body, Change, Changed, Entry, Mark, Pid, Refusal, Removal, Via};

/// One of the app's registries, with keys `K` and values `V`.
///
/// Unique or duplicate, as the manifest says: in a unique one a key has one holder, and can serve as a name
/// ([`via`](Registry::via)); in a duplicate one it has any number of entries, also of one process.
///
/// ```toml
/// [registries]
/// users = "unique"
/// [modules.session]
/// grants = { registries = ["users"] }
/// ```
///
/// A key is the same as another if both look the same in JSON: `1` and `1.0` are two. Do not take a `HashMap` for one.
///
/// ```
/// use skep_sdk::prelude::*;
///
/// const USERS: Registry<String, u32> = Registry::named("users");
///
/// #[derive(Serialize, Deserialize)]
/// pub struct Session { user: String }
///
/// #[server]
/// impl Server for Session {
///     type Args = String;
///     type Call = String;
///     type Reply = Option<Pid>;
///
///     fn init(user: String, context: &Context) -> Start<Self> {
///         match USERS.register(context, &user, 1) {
///             Ok(()) => Ok(Session { user }),
///             Err(Refusal::Taken(_)) => Err(NotStarted::Ignore), // she is here already
///             Err(refusal) => Err(NotStarted::Failed(refusal.to_string())),
///         }
///     }
///
///     fn handle_call(&mut self, user: String, _: From<Self>, context: &Context) -> Outcome<Option<Pid>> {
///         match USERS.whereis(context, user) {
///             Ok(pid) => reply(pid),
///             Err(refusal) => fail(refusal),
///         }
///     }
/// }
///
/// skep_sdk::export!(Session);
/// # fn main() {
/// # let mut ada = skep_sdk::testing::Harness::<Session>::start("ada".to_owned()).unwrap();
/// # let me = ada.world().me();
/// # assert_eq!(ada.call("ada".to_owned()), Ok(Some(me)));
/// # assert_eq!(ada.call("bob".to_owned()), Ok(None));
/// # }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Registry<K, V = ()> {
    name: Cow<'static, str>,
    #[serde(skip)]
    holds: PhantomData<fn() -> (K, V)>,
}

/// One entry of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder<K, V> {
    /// The key.
    pub key: K,
    /// Who holds it.
    pub pid: Pid,
    /// The value.
    pub value: V,
}

/// What a process that listens is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration<K, V> {
    /// A process registered.
    Added(Holder<K, V>),
    /// An entry is gone: its owner unregistered, or has ended.
    Removed {
        /// The key.
        key: K,
        /// Whose it was.
        pid: Pid,
    },
    /// The mailbox was full when something changed: nothing more is told. Listen again.
    Missed,
}

impl<K, V> Registry<K, V> {
    /// The app's registry of this name.
    pub const fn named(name: &'static str) -> Registry<K, V> {
        Registry { name: Cow::Borrowed(name), holds: PhantomData }
    }

    /// As [`named`](Registry::named), where the name is not known when compiling.
    pub const fn of_name(name: String) -> Registry<K, V> {
        Registry { name: Cow::Owned(name), holds: PhantomData }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many entries there are.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: not granted, or no such registry.
    pub fn count(&self, _: &Context) -> Result<u64, Refusal> {
        registry::count(&self.name)
    }

    /// From now on each registration and its end arrive at `handle_change`, with this mark; [`read`](Registry::read) gives
    /// them their type.
    ///
    /// # Errors
    ///
    /// As [`count`](Registry::count), and too many monitors.
    pub fn listen(&self, _: &Context) -> Result<Mark, Refusal> {
        registry::listen(&self.name)
    }

    /// No longer; what is queued is taken back. Whether this process was listening.
    pub fn unlisten(&self, _: &Context, mark: Mark) -> bool {
        registry::unlisten(mark)
    }
}

impl<K: Serialize + DeserializeOwned, V: Message> Registry<K, V> {
    /// Registers this process.
    ///
    /// # Errors
    ///
    /// [`Refusal::Taken`] in a unique registry, if anybody holds the key, this process included. Else not granted, no such
    /// registry, a key longer than 1,024 bytes, or too many entries.
    pub fn register(&self, _: &Context, key: impl Borrow<K>, value: impl Borrow<V>) -> Result<(), Refusal> {
        registry::register(&self.name, &text(key.borrow())?, &body(value.borrow())?)
    }

    /// Takes out all entries of this process under the key, and says how many.
    ///
    /// # Errors
    ///
    /// As [`count`](Registry::count).
    pub fn unregister(&self, _: &Context, key: impl Borrow<K>) -> Result<u32, Refusal> {
        registry::unregister(&self.name, &text(key.borrow())?)
    }

    /// The entries under a key. Nobody who has ended is among them.
    ///
    /// # Errors
    ///
    /// As [`count`](Registry::count); and a value that is no `V`, or more of them than a body may carry.
    pub fn lookup(&self, _: &Context, key: impl Borrow<K>) -> Result<Vec<Holder<K, V>>, Refusal> {
        registry::lookup(&self.name, &text(key.borrow())?)?.into_iter().map(holder).collect()
    }

    /// Who holds a key of a unique registry.
    ///
    /// # Errors
    ///
    /// As [`lookup`](Registry::lookup).
    pub fn whereis(&self, _: &Context, key: impl Borrow<K>) -> Result<Option<Pid>, Refusal> {
        Ok(registry::lookup(&self.name, &text(key.borrow())?)?.first().map(|entry| entry.pid))
    }

    /// The values that a process has under a key.
    ///
    /// # Errors
    ///
    /// As [`lookup`](Registry::lookup).
    pub fn values(&self, context: &Context, key: impl Borrow<K>, of: Pid) -> Result<Vec<V>, Refusal> {
        let mine = |holder: Holder<K, V>| (holder.pid == of).then_some(holder.value);
        Ok(self.lookup(context, key)?.into_iter().filter_map(mine).collect())
    }

    /// The keys that a process has entries under, each as often as it has.
    ///
    /// # Errors
    ///
    /// As [`lookup`](Registry::lookup).
    pub fn keys(&self, _: &Context, of: Pid) -> Result<Vec<K>, Refusal> {
        registry::keys(&self.name, of)?.iter().map(|key| read(key)).collect()
    }

    /// All entries, by the text of their keys: to be filtered as one likes.
    ///
    /// # Errors
    ///
    /// As [`lookup`](Registry::lookup).
    pub fn entries(&self, _: &Context) -> Result<Vec<Holder<K, V>>, Refusal> {
        registry::entries(&self.name)?.into_iter().map(holder).collect()
    }

    /// Gives this process's own entry under a unique key another value.
    ///
    /// # Errors
    ///
    /// As [`count`](Registry::count); [`Refusal::Unknown`] if this process has no such entry, [`Refusal::Invalid`] in a
    /// duplicate registry.
    pub fn set_value(&self, _: &Context, key: impl Borrow<K>, value: impl Borrow<V>) -> Result<(), Refusal> {
        registry::update_value(&self.name, &text(key.borrow())?, &body(value.borrow())?)
    }

    /// Changes the value of this process's own entry under a unique key, and brings the new one.
    ///
    /// # Errors
    ///
    /// As [`lookup`](Registry::lookup), and as [`set_value`](Registry::set_value).
    pub fn update_value(
        &self,
        context: &Context,
        key: impl Borrow<K>,
        change: impl FnOnce(V) -> V,
    ) -> Result<V, Refusal> {
        let key = key.borrow();
        let Some(old) = self.values(context, key, context.me())?.pop() else {
            return Err(Refusal::Unknown("this process has no entry under the key".to_owned()));
        };
        let new = change(old);
        self.set_value(context, key, &new)?;
        Ok(new)
    }

    /// Does something with the entries under a key, unless there are none. Whether it did.
    ///
    /// # Errors
    ///
    /// As [`lookup`](Registry::lookup).
    pub fn dispatch(
        &self,
        context: &Context,
        key: impl Borrow<K>,
        act: impl FnOnce(Vec<Holder<K, V>>),
    ) -> Result<bool, Refusal> {
        let holders = self.lookup(context, key)?;
        let any = !holders.is_empty();
        if any {
            act(holders);
        }
        Ok(any)
    }

    /// Does something while this process alone has the lock of the key, which says nothing of entries. Blocks until then;
    /// `None` if the time is up first. Should this process end meanwhile, the lock is free.
    ///
    /// # Errors
    ///
    /// As [`count`](Registry::count); [`Refusal::Invalid`] if this process has the lock already.
    pub fn lock<R>(
        &self,
        _: &Context,
        key: impl Borrow<K>,
        timeout: impl Into<Option<Duration>>,
        act: impl FnOnce() -> R,
    ) -> Result<Option<R>, Refusal> {
        let key = text(key.borrow())?;
        if !registry::lock(&self.name, &key, timeout.into().map(millis))? {
            return Ok(None);
        }
        let result = act();
        registry::unlock(&self.name, &key);
        Ok(Some(result))
    }

    /// A key of a unique registry as a name: for [`Ref::at`](crate::Ref::at), for [`Context::send`], and for
    /// [`Options::holding`](crate::Options::holding).
    ///
    /// ```
    /// # use skep_sdk::prelude::*;
    /// # use skep_sdk::Untyped;
    /// # const USERS: Registry<String> = Registry::named("users");
    /// let ada = Ref::<Untyped>::at(USERS.via("ada".to_owned()).into());
    /// let options = Options::new().link().holding(USERS.via("bob".to_owned()), &());
    /// ```
    ///
    /// # Panics
    ///
    /// If serde cannot write the key.
    pub fn via(&self, key: impl Borrow<K>) -> Via {
        let key = text(key.borrow()).unwrap_or_else(|refusal| panic!("{refusal}"));
        Via { registry: self.name.clone().into_owned(), key }
    }

    /// What a change says, if it is one of this registry. Compare its mark first.
    ///
    /// # Errors
    ///
    /// If its key is no `K`, or its value no `V`.
    pub fn read(&self, change: Change) -> Result<Registration<K, V>, Refusal> {
        Ok(match change.what {
            Changed::Added(entry) => Registration::Added(holder(entry)?),
            Changed::Removed(Removal { key, pid }) => Registration::Removed { key: read(&key)?, pid },
            Changed::Missed => Registration::Missed,
        })
    }
}

fn invalid(error: impl fmt::Display) -> Refusal {
    Refusal::Invalid(error.to_string())
}

/// The text that the host knows a key by.
fn text(key: &impl Serialize) -> Result<String, Refusal> {
    serde_json::to_string(key).map_err(invalid)
}

fn read<K: DeserializeOwned>(key: &str) -> Result<K, Refusal> {
    serde_json::from_str(key).map_err(invalid)
}

fn body(value: &impl Message) -> Result<Body, Refusal> {
    value.encode(Codec::default()).map_err(invalid)
}

fn holder<K: DeserializeOwned, V: Message>(entry: Entry) -> Result<Holder<K, V>, Refusal> {
    Ok(Holder { key: read(&entry.key)?, pid: entry.pid, value: V::decode(entry.value).map_err(invalid)? })
}

// By hand, since deriving would ask the same of `K` and `V`.

impl<K, V> Clone for Registry<K, V> {
    fn clone(&self) -> Registry<K, V> {
        Registry { name: self.name.clone(), holds: PhantomData }
    }
}

impl<K, V> fmt::Debug for Registry<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({})", self.name)
    }
}
