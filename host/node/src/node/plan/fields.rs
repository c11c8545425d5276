//! Which fields differ, as text, and when each takes effect.
//!
//! Owns the manifest's names of fields and the units of their values.

use skep_runtime::kernel::LogLimits;
use skep_runtime::kernel::budget::{BudgetSpec, FuelRate, WhenOut};
use skep_runtime::kernel::directory::Keys;
use skep_runtime::kernel::supervisor::{AutoShutdown, Backoff, ChildSpec, Restart, Roster, Strategy, SupervisorSpec};
use skep_runtime::kernel::{Body, Limits};
use skep_runtime::spec::{Blueprint, Console, Grants, Input, Keep, Output, ProcessSpec};

use super::super::rights::rights;
use super::{Change, When};
use crate::manifest::units::{HibernateAfter, ShutdownWord, Size, Time};

/// Bytes of a value that are shown: arguments and lists may be long.
const SHOWN: usize = 200;

/// Changes being collected.
#[derive(Default)]
pub(super) struct Changes {
    list: Vec<Change>,
    /// Takes the place of every moment.
    when: Option<When>,
}

impl Changes {
    /// Changes that all take effect at this moment.
    pub(super) fn at(when: When) -> Self {
        Changes { list: Vec::new(), when: Some(when) }
    }

    pub(super) fn list(self) -> Vec<Change> {
        self.list
    }

    fn field(&mut self, what: &str, from: impl ToString, to: impl ToString, when: When) {
        let (from, to) = (from.to_string(), to.to_string());
        if from != to {
            let when = self.when.unwrap_or(when);
            self.list.push(Change { what: what.to_owned(), from: cut(from), to: cut(to), when });
        }
    }

    pub(super) fn supervisor(&mut self, was: &SupervisorSpec<Blueprint>, is: &SupervisorSpec<Blueprint>) {
        self.field("strategy", strategy(was.strategy), strategy(is.strategy), When::Now);
        self.field("max_restarts", was.max_restarts, is.max_restarts, When::Now);
        self.field("max_seconds", was.max_seconds, is.max_seconds, When::Now);
        self.field("auto_shutdown", auto_shutdown(was.auto_shutdown), auto_shutdown(is.auto_shutdown), When::Now);
        self.field("backoff", backoff(was.backoff), backoff(is.backoff), When::Now);
        self.field("max_children", was.max_children, is.max_children, When::Now);
        self.field("extra_args", extra_args(&was.roster), extra_args(&is.roster), When::Now);
        // Whoever runs already counts in a budget that was there when it started.
        let when = if was.budget.is_unbounded() { When::NextStart } else { When::Now };
        self.budget("budget.", &was.budget, &is.budget, when);
        let name = |spec: &SupervisorSpec<Blueprint>| spec.name.as_deref().unwrap_or("none").to_owned();
        self.field("name", name(was), name(is), When::NextStart);
        let common = |of: &SupervisorSpec<Blueprint>, other: &SupervisorSpec<Blueprint>| {
            let known: std::collections::HashSet<&str> = other.children.iter().map(|child| &*child.id).collect();
            let ids = of.children.iter().map(|child| &*child.id).filter(|id| known.contains(id));
            ids.collect::<Vec<_>>().join(", ")
        };
        self.field("order", common(was, is), common(is, was), When::Now);
    }

    pub(super) fn policy(&mut self, was: &ChildSpec<Blueprint>, is: &ChildSpec<Blueprint>) {
        self.field("restart", restart(was.restart), restart(is.restart), When::Now);
        self.field("significant", was.significant, is.significant, When::Now);
        self.field("shutdown", ShutdownWord(was.shutdown), ShutdownWord(is.shutdown), When::Now);
    }

    pub(super) fn process(&mut self, was: &ProcessSpec, is: &ProcessSpec) {
        self.field("module", &was.module, &is.module, When::NextStart);
        let name = |spec: &ProcessSpec| spec.name.as_deref().unwrap_or("none").to_owned();
        self.field("name", name(was), name(is), When::NextStart);
        self.field("args", body(&was.args), body(&is.args), When::NextStart);
        self.field("hibernate_after", HibernateAfter(was.keep), HibernateAfter(is.keep), When::NextStart);
        self.field("pinned", was.keep == Keep::Pinned, is.keep == Keep::Pinned, When::NextStart);
        self.field("stdin", stdin(&was.console), stdin(&is.console), When::NextStart);
        self.field("output", output(&was.console), output(&is.console), When::NextStart);
        self.limits(&was.limits, &is.limits);
        self.grants(&was.grants, &is.grants);
    }

    pub(super) fn limits(&mut self, was: &Limits, is: &Limits) {
        let size = |bytes: usize| Size(bytes as u64);
        self.field("limits.memory", size(was.memory_bytes), size(is.memory_bytes), When::NextInstance);
        self.field("limits.fuel_per_message", was.fuel_per_message, is.fuel_per_message, When::NextInstance);
        self.field("limits.mailbox_messages", was.mailbox_messages, is.mailbox_messages, When::Now);
        self.field("limits.mailbox_bytes", size(was.mailbox_bytes), size(is.mailbox_bytes), When::Now);
        self.field("limits.body_bytes", size(was.body_bytes), size(is.body_bytes), When::NextInstance);
        self.field("limits.timers", was.timers, is.timers, When::Now);
        self.field("limits.links", was.links, is.links, When::Now);
        self.field("limits.monitors", was.monitors, is.monitors, When::Now);
        self.field("limits.entries", was.entries, is.entries, When::Now);
        self.field("limits.entry_bytes", size(was.entry_bytes), size(is.entry_bytes), When::Now);
        self.field("limits.aliases", was.aliases, is.aliases, When::Now);
        self.field("limits.requests", was.requests, is.requests, When::Now);
        self.field("limits.supervisors", was.supervisors, is.supervisors, When::NextStart);
        self.field("limits.children", was.children, is.children, When::NextStart);
        let (files, log) = ((&was.files, &is.files), (&was.log, &is.log));
        self.field(
            "limits.written_bytes",
            Size(files.0.written_bytes),
            Size(files.1.written_bytes),
            When::NextInstance,
        );
        self.field("limits.open_files", files.0.open, files.1.open, When::NextInstance);
        self.field("limits.log_bytes", Size(log.0.bytes_per_second), Size(log.1.bytes_per_second), When::NextStart);
        self.field("limits.log_burst", Size(log.0.burst), Size(log.1.burst), When::NextStart);
        self.field("limits.init_timeout", Time(was.init_timeout), Time(is.init_timeout), When::NextStart);
    }

    /// A budget, whose keys have `prefix` before them.
    pub(super) fn budget(&mut self, prefix: &str, was: &BudgetSpec, is: &BudgetSpec, when: When) {
        let none = || "none".to_owned();
        let size = |bytes: Option<u64>| bytes.map_or_else(none, |bytes| Size(bytes).to_string());
        let count = |count: Option<u64>| count.map_or_else(none, |count| count.to_string());
        let log = |spec: &BudgetSpec, of: fn(&LogLimits) -> u64| size(spec.log.as_ref().map(of));
        let rate = |spec: &BudgetSpec, of: fn(FuelRate) -> u64| count(spec.fuel.map(of));
        let when_out = |spec: &BudgetSpec| match spec.fuel.map(|rate| rate.when_out) {
            Some(WhenOut::Throttle) => "throttle".to_owned(),
            Some(WhenOut::End) => "end".to_owned(),
            None => none(),
        };
        let mut field = |key: &str, from, to| self.field(&format!("{prefix}{key}"), from, to, when);
        field("memory", size(was.memory_bytes), size(is.memory_bytes));
        field("instances", count(was.instances), count(is.instances));
        field("processes", count(was.processes), count(is.processes));
        field("mailbox_bytes", size(was.mailbox_bytes), size(is.mailbox_bytes));
        field("timers", count(was.timers), count(is.timers));
        field("open_files", count(was.open_files), count(is.open_files));
        field("blocking_operations", count(was.blocking_operations), count(is.blocking_operations));
        field("log_bytes", log(was, |log| log.bytes_per_second), log(is, |log| log.bytes_per_second));
        field("log_burst", log(was, |log| log.burst), log(is, |log| log.burst));
        field("fuel_per_second", rate(was, |rate| rate.per_second), rate(is, |rate| rate.per_second));
        field("burst", rate(was, |rate| rate.burst), rate(is, |rate| rate.burst));
        field("when_out_of_fuel", when_out(was), when_out(is));
    }

    pub(super) fn registry(&mut self, name: &str, was: Option<Keys>, is: Option<Keys>) {
        let word = |keys| match keys {
            Some(Keys::Unique) => "unique",
            Some(Keys::Duplicate) => "duplicate",
            None => "none",
        };
        self.field(name, word(was), word(is), When::Now);
    }

    pub(super) fn grants(&mut self, was: &Grants, is: &Grants) {
        for ((key, was), (_, is)) in rights(was).into_iter().zip(rights(is)) {
            self.field(&format!("grants.{key}"), list(was.into_iter()), list(is.into_iter()), When::NextStart);
        }
    }
}

fn stdin(console: &Console) -> String {
    match &console.input {
        Input::Closed => "none".to_owned(),
        Input::File(path) => path.display().to_string(),
        Input::Messages => "messages".to_owned(),
    }
}

fn output(console: &Console) -> String {
    match &console.output {
        Output::Log => "log".to_owned(),
        Output::To(name) => format!("to {name}"),
    }
}

fn strategy(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::OneForOne => "one_for_one",
        Strategy::OneForAll => "one_for_all",
        Strategy::RestForOne => "rest_for_one",
    }
}

fn auto_shutdown(auto_shutdown: AutoShutdown) -> &'static str {
    match auto_shutdown {
        AutoShutdown::Never => "never",
        AutoShutdown::AnySignificant => "any_significant",
        AutoShutdown::AllSignificant => "all_significant",
    }
}

fn backoff(backoff: Option<Backoff>) -> String {
    backoff.map_or("none".to_owned(), |Backoff { first, most }| format!("{} to {}", Time(first), Time(most)))
}

fn extra_args(roster: &Roster) -> String {
    match roster {
        Roster::Dynamic { extra_args: Some(extra) } => body(extra),
        Roster::Dynamic { extra_args: None } | Roster::Listed | Roster::Partitions | Roster::Template => {
            "none".to_owned()
        }
    }
}

fn restart(restart: Restart) -> &'static str {
    match restart {
        Restart::Permanent => "permanent",
        Restart::Transient => "transient",
        Restart::Temporary => "temporary",
    }
}

fn body(body: &Body) -> String {
    match body {
        Body::Json(text) | Body::Text(text) => text.clone(),
        Body::Raw(bytes) | Body::MessagePack(bytes) => format!("{} bytes", bytes.len()),
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

fn cut(mut text: String) -> String {
    if text.len() > SHOWN {
        text.truncate(text.floor_char_boundary(SHOWN));
        text.push('…');
    }
    text
}
