//! Whom an operator means: a name, `app/name`, or a pid.
//!
//! Owns the grammar and the search. An operator has control of the node, so a pid without its tag will do; guests never
//! get here. Called by the control API.

use skep_runtime::inspect::ProcessInfo;
use skep_runtime::kernel::{Address, Name, Pid};

use crate::suggest;

/// What can be looked up; a runtime, or a test's list.
pub trait Directory {
    /// The apps that run.
    fn apps(&self) -> Vec<Name>;
    /// Whether somebody holds the name there.
    fn holds(&self, app: &str, name: &str) -> bool;
    /// All processes. Slow: asked only for pids, and for suggestions.
    fn processes(&self) -> Vec<ProcessInfo>;
}

impl Directory for skep_runtime::Runtime {
    fn apps(&self) -> Vec<Name> {
        self.apps()
    }

    fn holds(&self, app: &str, name: &str) -> bool {
        self.whereis(app, name).is_some()
    }

    fn processes(&self) -> Vec<ProcessInfo> {
        self.processes()
    }
}

/// Somebody who can be talked to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// In which app.
    pub app: Name,
    /// Who.
    pub address: Address,
}

/// Why nobody is meant.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unresolved {
    /// Nobody has the name.
    #[error("there is no process named `{name}`")]
    UnknownName {
        /// The text as given.
        name: String,
        /// What to do about it.
        remedy: String,
    },
    /// There is no such process, or not any more.
    #[error("there is no process {text}")]
    UnknownPid {
        /// The text as given.
        text: String,
    },
    /// Several apps have a process of this name.
    #[error("several apps have a process named `{name}`")]
    Ambiguous {
        /// The name.
        name: String,
        /// Those apps.
        apps: Vec<Name>,
    },
}

impl Unresolved {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Unresolved::UnknownName { remedy, .. } => remedy.clone(),
            Unresolved::UnknownPid { .. } => {
                "`skep ps` lists the processes; one that was restarted has a new pid".to_owned()
            }
            Unresolved::Ambiguous { name, apps } => {
                let full: Vec<String> = apps.iter().map(|app| format!("`{app}/{name}`")).collect();
                format!("say which: {}", full.join(" or "))
            }
        }
    }
}

/// Who is meant by a text. A name comes before a number that could be a pid's; `<0.12>` is never a name.
pub fn resolve(text: &str, directory: &dyn Directory) -> Result<Target, Unresolved> {
    let apps = directory.apps();
    let mut holders: Vec<Name> = apps.iter().filter(|app| directory.holds(app, text)).cloned().collect();
    match holders.len() {
        0 => {}
        1 => return Ok(Target { app: holders.remove(0), address: Address::Name(text.into()) }),
        _ => return Err(Unresolved::Ambiguous { name: text.to_owned(), apps: holders }),
    }
    if let Some((app, name)) = text.split_once('/')
        && let Some(app) = apps.iter().find(|known| &***known == app)
        && directory.holds(app, name)
    {
        return Ok(Target { app: app.clone(), address: Address::Name(name.into()) });
    }
    let processes = directory.processes();
    match Wanted::parse(text) {
        Some(wanted) => processes
            .iter()
            .find(|process| wanted.matches(process.pid))
            .map(|process| Target { app: process.app.clone(), address: Address::Pid(process.pid) })
            .ok_or_else(|| Unresolved::UnknownPid { text: text.to_owned() }),
        None => Err(unknown(text, &processes)),
    }
}

/// The process that is meant by a text.
pub fn pid(text: &str, runtime: &skep_runtime::Runtime) -> Result<Pid, Unresolved> {
    let Target { app, address } = resolve(text, runtime)?;
    // Whoever had the name may have ended since.
    runtime.resolve(&app, &address).ok_or_else(|| Unresolved::UnknownPid { text: text.to_owned() })
}

fn unknown(name: &str, processes: &[ProcessInfo]) -> Unresolved {
    let mut names: Vec<&str> = processes.iter().filter_map(|process| process.name.as_deref()).collect();
    names.sort_unstable();
    let remedy = if names.is_empty() {
        "no process has a name: take a pid from `skep ps`, or give the child a `name` in the manifest".to_owned()
    } else {
        suggest::remedy_or(name, "names", names, "; a pid from `skep ps` will do too")
    };
    Unresolved::UnknownName { name: name.to_owned(), remedy }
}

/// A pid as far as it was given.
enum Wanted {
    /// `12`, `0.12` or `<0.12>`: as listings show it.
    Listed { node: u32, id: u64 },
    /// `0.12.1f`: as messages carry it.
    Whole(Pid),
}

impl Wanted {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
        if let Ok(pid) = text.parse() {
            return Some(Wanted::Whole(pid));
        }
        let (node, id) = text.split_once('.').unwrap_or(("0", text));
        Some(Wanted::Listed { node: node.parse().ok()?, id: id.parse().ok()? })
    }

    fn matches(&self, pid: Pid) -> bool {
        match self {
            Wanted::Listed { node, id } => (pid.node, pid.id) == (*node, *id),
            Wanted::Whole(whole) => pid == *whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes 1, 2, 3… of these apps and names.
    struct Apps(&'static [(&'static str, Option<&'static str>)]);

    impl Directory for Apps {
        fn apps(&self) -> Vec<Name> {
            let mut apps: Vec<Name> = self.0.iter().map(|(app, _)| (*app).into()).collect();
            apps.dedup();
            apps
        }

        fn holds(&self, app: &str, name: &str) -> bool {
            self.0.contains(&(app, Some(name)))
        }

        fn processes(&self) -> Vec<ProcessInfo> {
            let processes = self.0.iter().zip(1..).map(|((app, name), id)| ProcessInfo {
                pid: Pid { node: 0, id, tag: 0xab },
                app: (*app).into(),
                label: None,
                module: None,
                code: None,
                name: name.map(Into::into),
                kind: "server",
                status: "waiting",
                mailbox_messages: 0,
                mailbox_bytes: 0,
                dropped: 0,
                links: 0,
                timers: 0,
                saved_bytes: None,
                memory_bytes: None,
                fuel_used: None,
                statistics: skep_runtime::kernel::system::Statistics::default(),
            });
            processes.collect()
        }
    }

    const APPS: Apps = Apps(&[
        ("shop", Some("stock")),
        ("shop", Some("till")),
        ("shop", Some("7")),
        ("shop", Some("a/b")),
        ("bank", Some("till")),
        ("bank", None),
    ]);

    fn found(text: &str) -> String {
        match resolve(text, &APPS) {
            Ok(Target { app, address: Address::Name(name) }) => format!("{app}: {name}"),
            Ok(Target { app, address: Address::Pid(pid) }) => format!("{app}: {pid}"),
            Ok(Target { address: Address::Via(_) | Address::Alias(_), .. }) => {
                unreachable!("a person has no word for it")
            }
            Err(error) => format!("{error}; {}", error.remedy()),
        }
    }

    #[test]
    fn names_pids_and_apps_are_understood() {
        let cases = [
            ("stock", "shop: stock"),
            ("bank/till", "bank: till"),
            ("a/b", "shop: a/b"),
            ("shop/a/b", "shop: a/b"),
            ("7", "shop: 7"),
            ("6", "bank: <0.6>"),
            ("0.6", "bank: <0.6>"),
            ("<0.6>", "bank: <0.6>"),
            ("0.6.ab", "bank: <0.6>"),
            ("till", "several apps have a process named `till`; say which: `shop/till` or `bank/till`"),
            ("stok", "there is no process named `stok`; did you mean `stock`?"),
            ("<0.9>", "there is no process <0.9>; `skep ps` lists the processes; one that was restarted has a new pid"),
        ];
        for (text, expected) in cases {
            assert_eq!(found(text), expected, "{text}");
        }
        assert!(found("0.6.ac").starts_with("there is no process 0.6.ac"), "a wrong tag is a wrong pid");
        assert!(found("shop/none").starts_with("there is no process named `shop/none`"));
        assert!(found("").starts_with("there is no process named ``"));
    }
}
