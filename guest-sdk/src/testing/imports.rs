//! The host's functions as the harness performs them.
//!
//! Owns signatures equal to the generated imports, and nothing else: each looks up the world of this thread and asks
//! it. Called by `host` in place of the imports.

/// Talking.
pub(crate) mod messaging {
    pub(crate) use crate::bindings::process::skep::process::messaging::AliasMode;
    use crate::testing::world::{act, look};
    use crate::types::{Address, Alias, Body, CallError, Caller, ExitReason, Mark, Pid, Refusal};

    pub(crate) fn me() -> Pid {
        look(|world| world.me)
    }

    pub(crate) fn send(to: Pid, body: &Body) -> Result<(), Refusal> {
        act(|world| world.send(Address::Pid(to), body.clone()))
    }

    pub(crate) fn send_named(name: &str, body: &Body) -> Result<(), Refusal> {
        act(|world| world.send(Address::Name(name.to_owned()), body.clone()))
    }

    pub(crate) fn send_to(to: &Address, body: &Body) -> Result<(), Refusal> {
        act(|world| world.send(to.clone(), body.clone()))
    }

    pub(crate) fn open_alias(mode: AliasMode) -> Alias {
        act(|world| world.open_alias(matches!(mode, AliasMode::Reply)))
    }

    pub(crate) fn unalias(alias: Alias) -> bool {
        act(|world| world.unalias(alias))
    }

    pub(crate) fn is_alive(pid: Pid) -> bool {
        act(|world| world.is_alive(pid))
    }

    pub(crate) fn cast(to: &Address, body: &Body) {
        act(|world| world.cast(to.clone(), body.clone()));
    }

    pub(crate) fn call(to: &Address, body: &Body, timeout_ms: Option<u64>) -> Result<Body, CallError> {
        act(|world| world.call(to, body, timeout_ms))
    }

    pub(crate) fn request(to: &Address, body: &Body, timeout_ms: Option<u64>) -> Mark {
        act(|world| world.request(to.clone(), body.clone(), timeout_ms))
    }

    pub(crate) fn stop_server(to: &Address, reason: &ExitReason, timeout_ms: Option<u64>) -> Result<(), CallError> {
        act(|world| world.stop_server(to, reason, timeout_ms))
    }

    pub(crate) fn abandon(mark: Mark) -> bool {
        act(|world| world.abandon(mark))
    }

    pub(crate) fn reply(to: Caller, body: &Body) {
        act(|world| world.reply(to, body.clone()));
    }
}

/// Receiving.
pub(crate) mod inbox {
    pub(crate) use crate::bindings::process::skep::process::inbox::Seen;
    use crate::testing::world::act;
    use crate::types::{Body, Event, Mark};

    pub(crate) fn more(reply: Option<&Body>) -> Option<Event> {
        act(|world| world.more(reply.cloned()))
    }

    pub(crate) fn receive(timeout_ms: Option<u64>) -> Option<Event> {
        act(|world| world.receive(None, timeout_ms))
    }

    pub(crate) fn receive_only(marks: &[Mark], timeout_ms: Option<u64>) -> Option<Event> {
        act(|world| world.receive(Some(marks), timeout_ms))
    }

    pub(crate) fn look(behind: Option<u64>, timeout_ms: Option<u64>) -> Option<Seen> {
        act(|world| world.look(behind, timeout_ms))
    }

    pub(crate) fn take(number: u64) -> bool {
        act(|world| world.take_seen(number))
    }
}

/// Links and monitors.
pub(crate) mod links {
    pub(crate) use crate::bindings::process::skep::process::links::{MonitorAlias, Watch};
    use crate::testing::Action;
    use crate::testing::world::{Stopped, act};
    use crate::types::{Address, Body, ExitReason, Mark, Pid, Refusal};

    #[allow(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn link(to: Pid) -> Result<(), Refusal> {
        act(|world| world.note(Action::Link(to)));
        Ok(())
    }

    pub(crate) fn unlink(to: Pid) {
        act(|world| world.unlink(to));
    }

    pub(crate) fn monitor(target: &Address) -> Mark {
        act(|world| world.monitor(target.clone(), None, None).mark)
    }

    pub(crate) fn monitor_with(target: &Address, tag: Option<&Body>, alias: Option<MonitorAlias>) -> Watch {
        act(|world| world.monitor(target.clone(), tag.cloned(), alias))
    }

    pub(crate) fn demonitor(mark: Mark, flush: bool) -> bool {
        act(|world| world.demonitor(mark, flush))
    }

    pub(crate) fn trap_exit(on: bool) -> bool {
        act(|world| std::mem::replace(&mut world.traps_exits, on))
    }

    pub(crate) fn exit(to: Pid, reason: &ExitReason) {
        act(|world| {
            world.note(Action::Exit { to, reason: reason.clone() });
            world.signal(to, reason.clone());
        });
    }

    pub(crate) fn kill(to: Pid) {
        act(|world| {
            world.note(Action::Kill(to));
            world.signal(to, ExitReason::Killed);
        });
    }

    pub(crate) fn stop(reason: &ExitReason) {
        act(|_| ());
        std::panic::resume_unwind(Box::new(Stopped(reason.clone())));
    }
}

/// Children.
pub(crate) mod spawning {
    use crate::host::spawning::{Child, Options, SpawnError};
    use crate::testing::world::act;
    use crate::types::Body;

    pub(crate) fn spawn(module: &str, args: &Body, options: &Options) -> Result<Child, SpawnError> {
        act(|world| world.spawn(module, args, options))
    }
}

/// Supervisors.
pub(crate) mod supervision {
    use crate::supervision::{Ask, Reply, SupervisionError, Supervisor};
    use crate::testing::world::act;
    use crate::types::{Address, Pid};

    pub(crate) fn start(supervisor: Supervisor) -> Result<Pid, SupervisionError> {
        act(|world| world.start_supervisor(supervisor))
    }

    pub(crate) fn ask(supervisor: &Address, ask: Ask) -> Result<Reply, SupervisionError> {
        act(|world| world.ask_supervisor(supervisor, ask))
    }
}

/// System messages.
pub(crate) mod system {
    use crate::sys::{Ask, Reply, SystemError};
    use crate::testing::world::act;
    use crate::types::Address;

    pub(crate) fn ask(target: &Address, ask: Ask, _: Option<u64>) -> Result<Reply, SystemError> {
        act(|world| world.ask_server(target, ask))
    }
}

/// Names.
pub(crate) mod names {
    use crate::testing::world::act;
    use crate::types::{Pid, Refusal};

    pub(crate) fn register(name: &str, pid: Pid) -> Result<(), Refusal> {
        act(|world| world.register(name, pid))
    }

    pub(crate) fn unregister(name: &str) -> bool {
        act(|world| world.names.remove(name).is_some())
    }

    pub(crate) fn whereis(name: &str) -> Option<Pid> {
        act(|world| world.names.get(name).copied())
    }
}

/// Registries.
pub(crate) mod registry {
    use crate::testing::directory::Table;
    use crate::testing::world::act;
    use crate::types::{Body, Entry, Mark, Pid, Refusal};

    fn table(registry: &str) -> Table {
        Table::Registry(registry.to_owned())
    }

    pub(crate) fn register(registry: &str, key: &str, value: &Body) -> Result<(), Refusal> {
        act(|world| world.enroll(table(registry), key, world.me, value.clone()))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn unregister(registry: &str, key: &str) -> Result<u32, Refusal> {
        act(|world| Ok(world.withdraw(&table(registry), key, world.me, usize::MAX)))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn lookup(registry: &str, key: &str) -> Result<Vec<Entry>, Refusal> {
        act(|world| Ok(world.directory.find(&table(registry), key)))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn entries(registry: &str) -> Result<Vec<Entry>, Refusal> {
        act(|world| Ok(world.directory.list(&table(registry))))
    }

    pub(crate) fn count(registry: &str) -> Result<u64, Refusal> {
        entries(registry).map(|entries| entries.len() as u64)
    }

    pub(crate) fn keys(registry: &str, of: Pid) -> Result<Vec<String>, Refusal> {
        let theirs = |entry: Entry| (entry.pid == of).then_some(entry.key);
        entries(registry).map(|entries| entries.into_iter().filter_map(theirs).collect())
    }

    pub(crate) fn update_value(registry: &str, key: &str, value: &Body) -> Result<(), Refusal> {
        act(|world| world.directory.replace(registry, key, world.me, value.clone()))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn listen(registry: &str) -> Result<Mark, Refusal> {
        act(|world| Ok(world.watch(table(registry), None)))
    }

    pub(crate) fn unlisten(mark: Mark) -> bool {
        act(|world| world.unwatch(mark))
    }

    pub(crate) fn lock(registry: &str, key: &str, _: Option<u64>) -> Result<bool, Refusal> {
        act(|world| world.directory.lock(registry, key))
    }

    pub(crate) fn unlock(registry: &str, key: &str) -> bool {
        act(|world| world.directory.unlock(registry, key))
    }
}

/// Process groups.
pub(crate) mod groups {
    use crate::testing::directory::Table;
    use crate::testing::world::act;
    use crate::types::{Body, Entry, Mark, Pid, Refusal};

    fn table(scope: &str) -> Table {
        Table::Scope(scope.to_owned())
    }

    pub(crate) fn join(scope: &str, group: &str, pid: Pid) -> Result<(), Refusal> {
        act(|world| world.enroll(table(scope), group, pid, Body::Json("null".to_owned())))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn leave(scope: &str, group: &str, pid: Pid) -> Result<bool, Refusal> {
        act(|world| Ok(world.withdraw(&table(scope), group, pid, 1) > 0))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn members(scope: &str, group: &str) -> Result<Vec<Pid>, Refusal> {
        act(|world| Ok(world.directory.find(&table(scope), group).iter().map(|entry| entry.pid).collect()))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn which(scope: &str) -> Result<Vec<String>, Refusal> {
        let mut groups: Vec<String> =
            act(|world| world.directory.list(&table(scope))).into_iter().map(|entry| entry.key).collect();
        groups.dedup();
        Ok(groups)
    }

    #[allow(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn monitor(scope: &str, group: Option<&str>) -> Result<(Mark, Vec<Entry>), Refusal> {
        act(|world| {
            let there = match group {
                Some(group) => world.directory.find(&table(scope), group),
                None => world.directory.list(&table(scope)),
            };
            Ok((world.watch(table(scope), group.map(str::to_owned)), there))
        })
    }

    pub(crate) fn demonitor(mark: Mark) -> bool {
        act(|world| world.unwatch(mark))
    }
}

/// Topics.
pub(crate) mod topics {
    use crate::host::topics::Audience;
    use crate::testing::directory::Table;
    use crate::testing::world::act;
    use crate::types::{Body, Refusal};

    pub(crate) fn subscribe(topic: &str) -> Result<(), Refusal> {
        act(|world| world.enroll(Table::Topics, topic, world.me, Body::Json("null".to_owned())))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn unsubscribe(topic: &str) -> Result<u32, Refusal> {
        act(|world| Ok(world.withdraw(&Table::Topics, topic, world.me, usize::MAX)))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the signature is the contract's")]
    pub(crate) fn broadcast(topic: &str, body: &Body, to: Audience) -> Result<u32, Refusal> {
        act(|world| Ok(world.broadcast(topic, body, to)))
    }
}

/// Timers.
pub(crate) mod timers {
    use crate::testing::world::act;
    use crate::types::{Address, Body, Mark, Pid};

    pub(crate) fn now() -> u64 {
        act(|world| world.now_ms)
    }

    pub(crate) fn send_at(at_ms: u64, to: &Address, body: &Body) -> Mark {
        act(|world| world.start_timer_at(at_ms, Some(to.clone()), body.clone()))
    }

    pub(crate) fn start_at(at_ms: u64, body: &Body) -> Mark {
        act(|world| world.start_timer_at(at_ms, None, body.clone()))
    }

    pub(crate) fn send_after(after_ms: u64, to: &Address, body: &Body) -> Mark {
        act(|world| world.start_timer(after_ms, Some(to.clone()), body.clone()))
    }

    pub(crate) fn start(after_ms: u64, body: &Body) -> Mark {
        act(|world| world.start_timer(after_ms, None, body.clone()))
    }

    pub(crate) fn cancel(mark: Mark) -> Option<u64> {
        act(|world| world.cancel(mark))
    }

    pub(crate) fn left(mark: Mark) -> Option<u64> {
        act(|world| world.left(mark))
    }

    pub(crate) fn cancel_of(owner: Pid, mark: Mark) -> Option<u64> {
        act(|world| if owner == world.me { world.cancel(mark) } else { None })
    }

    pub(crate) fn left_of(owner: Pid, mark: Mark) -> Option<u64> {
        act(|world| if owner == world.me { world.left(mark) } else { None })
    }
}

/// The log.
pub(crate) mod log {
    use crate::testing::Action;
    use crate::testing::world::look;
    use crate::types::Level;

    pub(crate) fn log(level: Level, message: &str) {
        look(|world| world.note(Action::Log(level, message.to_owned())));
    }
}
