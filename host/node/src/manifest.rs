//! What an operator writes about an app: its code, its tree, its limits and its grants, in TOML.
//!
//! Owns the format, and refuses what makes no sense with the place and a remedy, before anything is built, loaded or
//! started. Never loads code: `node::deploy` does, and asks [`Manifest::into_app`] for the runtime's form of it all.
//!
//! ```toml
//! name = "tally"                         # letters, digits, `-`, `_`; also the node's name unless --node gives one
//!
//! [modules.parser]
//! path = "parser.wasm"                   # a component, or a core module made for Skep; relative to this file
//! [modules.store]
//! crate = "../store"                     # built by `skep build`; `package = ".."` chooses among several guests there
//! limits = { memory = "16MiB" }          # for each of its processes, whoever starts it
//! grants = { names = true }              # the same
//!
//! [registries]                           # keys that processes hold, each with a value
//! users = "unique"                       # one holder a key; or "duplicate", any number
//!
//! [supervisor]
//! strategy = "one_for_one"               # or "one_for_all", "rest_for_one"
//! max_restarts = 3                       # so many restarts (default 1)…
//! max_seconds = 5                        # …within so many seconds (default 5); one more, and the supervisor ends
//!
//! [[supervisor.children]]
//! id = "store"
//! module = "store"
//! name = "store"                         # what other processes and `skep call` find it by; default none
//! args = { start = 5 }                   # the argument of `init`, as JSON; default null
//! restart = "permanent"                  # or "transient", "temporary"
//! shutdown = "5s"                        # or milliseconds, "brutal_kill", "infinity"
//! hibernate_after = "30s"                # or "always" (after every message), "never" (while there is room, the default)
//! # pinned = true                      # never: its instance is its own, and takes a place, for as long as it lives
//! limits = { fuel_per_message = 1_000_000 }                       # over the module's, key by key
//! grants = { read = ["./data:/input"], spawn = ["parser"] }       # in place of the module's
//!
//! [[supervisor.children]]
//! id = "parser"
//! module = "parser"
//! name = "parser"
//! count = 8                              # a pool: ids and names from parser.1 to parser.8; 100,000 in all at most
//!
//! [[supervisor.children]]
//! id = "nested"
//! [supervisor.children.supervisor]       # a supervisor, with the same keys
//! strategy = "rest_for_one"
//! [[supervisor.children.supervisor.children]]
//! id = "inner"
//! module = "parser"
//! ```
//!
//! More about supervisors: `auto_shutdown = "any_significant"` (or `"all_significant"`) ends the supervisor when a child (the
//! last one) ends for good that has `significant = true`. `backoff = { first = "100ms", most = "30s" }` makes restarts in a
//! row wait. A supervisor has a `name` beside its `id`, for guests and for `skep child`. Its children may come and go:
//!
//! ```toml
//! [[supervisor.children]]
//! id = "sessions"
//! name = "sessions"
//! [supervisor.children.supervisor]
//! strategy = "simple_one_for_one"        # nobody is started; each child is made from the one section below
//! max_children = 500                     # default 10,000
//! [[supervisor.children.supervisor.children]]
//! id = "session"
//! module = "session"
//! args = { greeting = "hello" }          # `init` gets the pair of these and the child's own, or whichever there is
//! restart = "temporary"
//!
//! [[supervisor.children]]
//! id = "stores"
//! name = "stores"
//! [supervisor.children.supervisor]
//! partitioned = true                     # a key leads always to the same child, see `Context::partition` of the SDK
//! [[supervisor.children.supervisor.children]]
//! id = "store"
//! module = "store"
//! count = 4
//! ```
//!
//! With `strategy = "dynamic"` no child is listed, and each that is started has a spec of its own; `extra_args` come before
//! the arguments of each.
//!
//! Sizes are bytes, or text with a unit (`"64MiB"`, `"10kB"`); times are milliseconds, or text (`"250ms"`, `"5s"`, `"2m"`).
//!
//! | limit              | unit         | default        | what happens beyond it                           |
//! | ------------------ | ------------ | -------------- | ------------------------------------------------ |
//! | `memory`           | size         | 4 MiB          | growing fails; most guests trap                  |
//! | `fuel_per_message` | instructions | 10,000,000,000 | the process ends                                 |
//! | `mailbox_messages` | messages     | 10,000         | a send is refused, a cast dropped                |
//! | `mailbox_bytes`    | size         | 16 MiB         | the same                                         |
//! | `body_bytes`       | size         | 1 MiB          | a send is refused; as argument or state it ends  |
//! | `timers`           | timers       | 1,000          | the process ends                                 |
//! | `links`            | links        | 10,000         | a link is refused                                |
//! | `monitors`         | monitors     | 10,000         | the process ends                                 |
//! | `entries`          | entries      | 10,000         | registering, joining, subscribing is refused     |
//! | `entry_bytes`      | size         | 1 MiB          | the same: keys and values together               |
//! | `aliases`          | aliases      | 1,000          | the process ends                                 |
//! | `requests`         | requests     | 1,000          | a request is refused                             |
//! | `supervisors`      | supervisors  | 16             | a supervisor of its own is not started           |
//! | `children`         | processes    | 1,000          | a child of these is not started                  |
//! | `written_bytes`    | size         | 1 GiB          | a write to a file fails, as on a full disk       |
//! | `open_files`       | files        | 64             | opening fails, as beyond a quota                 |
//! | `log_bytes`        | size         | 64 KiB         | what is logged beyond it in a second is dropped… |
//! | `log_burst`        | size         | 1 MiB          | …if it is more than this, and one line says so   |
//! | `init_timeout`     | time         | 30 s           | the process is killed, its start fails           |
//!
//! The bodies of timers that run count against `mailbox_bytes` too, apart from the mail: with more, the process ends.
//! `written_bytes` counts over the whole life of a process: what it writes, what a file is made longer by, and 4 KiB for each
//! new name in a folder. At most four operations of a process on files block a thread at a time; the next one waits.
//!
//! What many processes use together is bounded by a `budget`: of the app, where it stands before the first section, or of a
//! supervisor and all that is below it. They nest: each process counts in its own limits, in the budget of each supervisor
//! above it that has one, and in its app's. A reason or refusal says whose budget it was (`processes of app tally`).
//!
//! ```toml
//! name = "tally"
//! budget = { memory = "64MiB", processes = 1000, fuel_per_second = 1_000_000_000 }
//!
//! [supervisor]
//! budget = { instances = 50, mailbox_bytes = "4MiB", timers = 100 }
//! ```
//!
//! | budget             | unit         | what happens beyond it                                                       |
//! | ------------------ | ------------ | ---------------------------------------------------------------------------- |
//! | `memory`           | size         | growing fails, as beyond a process's own limit; see below                    |
//! | `instances`        | instances    | whoever wants one waits until another gives its own back                     |
//! | `processes`        | processes    | a start is refused; a restart that is refused counts as one that failed      |
//! | `mailbox_bytes`    | size         | a send is refused, a cast dropped                                            |
//! | `timers`           | timers       | the process that starts one more ends                                        |
//! | `open_files`       | files        | opening fails, as beyond a quota; sockets count too                          |
//! | `blocking_operations` | operations | whoever wants one more waits until another is over, first come first served |
//! | `log_bytes`, `log_burst` | size    | lines beyond are dropped, and whoever lost some says how many later          |
//! | `fuel_per_second`  | instructions | see `when_out_of_fuel`                                                       |
//!
//! An app that says nothing of `processes` may have 100,000, and of `blocking_operations` 64. All else is bounded only where a budget says so. Memory is that
//! of live instances and of saved states. When seven eighths of it are used, processes give their instances
//! back as soon as they rest. Whoever finds no memory to begin with fails if nobody can give any back now, and a process that
//! wakes waits. Fuel may be used at once up to `burst` (default: as much as flows in in a second). `when_out_of_fuel` is
//! `"throttle"` (the default: processes wait for their next turn until fuel has flown in, and nobody else is delayed; the
//! time for `init` and that of calls goes on) or `"end"`: whoever uses the last of it ends. A restart that finds no place for
//! a process is tried again as after any failed start, so that it counts towards `max_restarts`; `backoff` makes it wait.
//!
//! Nothing is granted that `grants` does not say: `read` and `write` give folders (`"host:guest"`, or a table with `host`
//! and `guest`), `spawn` modules to start processes of (`"parser"`, or `{ module = "parser", most = 8 }` for so many at
//! once), `names` names to register and to ask whose they are (`true`, a list such as `["bank", "room:*"]`, or a table with a
//! list for each: `register`, `look_up`; whoever knows a name of its app may write to it), `supervisors` the right to start supervisors of its own, `supervise` names of supervisors whose children it may start, stop and list,
//! `registries` registries by name, `groups` scopes of process groups, `topics` topics to publish and subscribe to, by name
//! or by how they begin (`"room:*"`), `control` processes to suspend, to look into and to give another state, by the names
//! under which they are started or how these begin (`"*"`: every process of the app), `apps` other apps whose processes it
//! may write to, call and monitor, whole (`"shop"`) or by the names under which these are started (`"shop/desk:*"`); they are
//! addressed by pid, or by name as `"//shop/stock"`.
//!
//! Of the network a process reaches whom these lists name, and nobody listens:
//!
//! ```toml
//! grants.tcp = ["db.example.org:5432", "10.0.0.0/8:5432-5440", "[::1]:*"]     # to whom it may connect; ports are said
//! grants.udp = ["*:53"]                                                       # whom it may send datagrams, and hear
//! grants.http = ["api.example.org", "*.example.org:8443", "http://localhost:8080"]    # https and its port if not said
//! ```
//!
//! A host is a name, the names below one (`*.example.org`, however deep), an address, a block of addresses, or `*`: every
//! name, and every address that everybody can reach. What is private (this machine, private networks, `169.254.169.254`) has
//! to be said by address, or by the name `localhost`: a name that leads there leads nowhere. The host looks names up, for
//! whoever may talk to them, and what it found counts for ten minutes. A connection and a request count in `open_files`.
//!
//! Through WASI a process sees these too:
//!
//! ```toml
//! grants.env = { LANG = "C", HOME = true }   # variables: with this value, or the one that the node has; default none
//! grants.argv = ["--verbose"]                # arguments, behind the module's name; default none, not even that
//! grants.clocks = "coarse"                   # whole milliseconds (the default); "real": exact; "frozen": always 2000-01-01
//! grants.random = { seed = 7 }               # the same numbers after each start; default "real": nobody foresees them
//! ```
//!
//! A module may also be a command: a component that exports `wasi:cli/run`, or a core module of wasip1 that begins with
//! `_start`, made by any compiler and for nobody in particular. A child of it runs once, like a task, and its exit status is
//! its exit reason: 0 is `normal`, and 3 is `exit status 3`. Restarts, limits and `shutdown` are as for every child; its
//! `fuel_per_message` is for its whole run. It takes `grants.argv` and no `args`, and has two more keys:
//!
//! ```toml
//! stdin = { file = "./words.txt" }       # or "messages": each body is appended, an empty one is the end; default: closed
//! output = { to = "collector" }          # raw bytes, as messages to the process of this name; default "log"
//! ```
//!
//! Its standard error goes into the log. Text is read as text from a message in any codec, so that
//! `skep call NAME '"a line\n"'` types a line, and answers `null` when it is taken.
//!
//! `argv` is for programs that read their command line, and `args` of a child for `init`. Timers go on whatever `clocks`
//! says. To what it spawns a process passes on at most what it has: of a list what both let in (of `"room:*"` and `"room:1"`
//! the latter, whoever has which), of a folder to write that it may read the right to read, of a clock that is coarse no
//! exact one, of a seed the seed, of the node's variables those that it sees. What the manifest itself writes for a module
//! (`argv`, the values in `env`) is the module's, whoever spawns it.

mod budgets;
mod check;
mod commands;
mod error;
mod forms;
mod grants;
mod limits;
mod pools;
mod shape;
mod supervisors;
#[cfg(test)]
mod tests;
pub mod units;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use skep_runtime::kernel::budget::BudgetSpec;
use skep_runtime::kernel::directory::Keys;
use skep_runtime::kernel::supervisor::SupervisorSpec;
use skep_runtime::kernel::{Limits, Name};
use skep_runtime::spec::{AppSpec, Blueprint, Grants, ModuleSpec};

pub use commands::CommandKey;
pub use error::{ManifestError, Place, Source};

/// A manifest that makes sense. Whether its code does is not known yet.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The app's name.
    pub name: Name,
    /// Its modules, in the order of their names.
    pub modules: Vec<Module>,
    /// Its registries.
    pub registries: BTreeMap<Name, Keys>,
    /// What all its processes may use together.
    pub budget: BudgetSpec,
    /// Its root supervisor.
    pub root: SupervisorSpec<Blueprint>,
    /// What it says that is for commands only.
    pub command_keys: Vec<CommandKey>,
    /// The text, for errors that are found later.
    pub source: Source,
}

/// Where a module's code comes from, and what its processes may.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its name within the app.
    pub name: Name,
    /// Its code.
    pub code: Code,
    /// Which bytes of the manifest say so.
    pub place: Range<usize>,
    /// Bounds of its processes.
    pub limits: Limits,
    /// Rights of its processes.
    pub grants: Arc<Grants>,
}

/// Where code comes from. Paths begin at the manifest's folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Code {
    /// A file of WebAssembly.
    File(PathBuf),
    /// A crate to build.
    Crate {
        /// The crate or workspace.
        dir: PathBuf,
        /// Which guest there, if it is not the only one.
        package: Option<String>,
    },
}

impl Manifest {
    /// Reads and checks the file. `home` is the node's own folder, which need not exist yet.
    pub fn read(path: &Path, home: &Path) -> Result<Self, ManifestError> {
        let text = std::fs::read_to_string(path).map_err(|error| ManifestError::unreadable(path, &error))?;
        Self::parse(Source { path: path.to_owned(), text: text.into() }, home)
    }

    /// Checks a text. Looks at the folders that it grants, next to the path of `source`.
    pub fn parse(source: Source, home: &Path) -> Result<Self, ManifestError> {
        let file: shape::File = toml::from_str(&source.text).map_err(|error| source.syntax(&error))?;
        check::manifest(file, source, home)
    }

    /// The same app with nothing but one of its modules, from other code: what that is upgraded to.
    #[must_use]
    pub fn successor(&self, module: &str, code: Code) -> Self {
        let mut successor = self.clone();
        successor.modules.retain(|declared| &*declared.name == module);
        successor.modules.iter_mut().for_each(|declared| declared.code = code.clone());
        successor
    }

    /// The runtime's form of it, with the code of each module in the order of [`Manifest::modules`].
    #[must_use]
    pub fn into_app(self, code: Vec<skep_runtime::Module>) -> AppSpec {
        assert_eq!(code.len(), self.modules.len(), "one piece of code for each module");
        let modules = self.modules.into_iter().zip(code).map(|(declared, module)| ModuleSpec {
            name: declared.name,
            module,
            limits: Arc::new(declared.limits),
            grants: declared.grants,
        });
        AppSpec {
            name: self.name,
            modules: modules.collect(),
            registries: self.registries,
            budget: self.budget,
            root: self.root,
        }
    }
}
