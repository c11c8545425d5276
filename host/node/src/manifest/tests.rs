//! Good manifests become trees; each bad one is refused with place, reason and remedy.

mod budgets;
mod supervisors;

use std::path::Path;
use std::time::Duration;

use skep_runtime::kernel::Body;
use skep_runtime::kernel::directory::Keys;
use skep_runtime::kernel::supervisor::{ChildKind, Restart, Shutdown, Strategy};
use skep_runtime::spec::{Access, Blueprint, Keep, ProcessSpec};

use super::*;

/// A folder with `data` in it, where the manifest is, and a node's folder beside.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("app/data")).expect("it is ours");
        std::fs::create_dir_all(folder.path().join("home/nodes")).expect("it is ours");
        Site(folder)
    }

    fn parse(&self, text: &str) -> Result<Manifest, ManifestError> {
        let source = Source { path: self.0.path().join("app/app.toml"), text: text.into() };
        Manifest::parse(source, &self.0.path().join("home"))
    }

    fn real(&self, path: &str) -> PathBuf {
        self.0.path().canonicalize().expect("it is there").join(path)
    }
}

/// An app with this in its only child.
fn child(keys: &str) -> String {
    format!(
        "name = 'a'\nmodules.m.path = 'm.wasm'\n[supervisor]\n[[supervisor.children]]\nid = 'c'\nmodule = 'm'\n{keys}\n"
    )
}

/// The refusal of a text: place, problem, remedy.
fn refusal(text: &str) -> String {
    let error = Site::new().parse(text).expect_err(text);
    let place = error.place().map_or_else(String::new, |place| format!("{}:{}", place.line(), place.column()));
    format!("{place} {error}; {}", error.remedy().unwrap_or("no remedy"))
}

fn process(blueprint: &Blueprint) -> &ProcessSpec {
    match blueprint {
        Blueprint::Process(spec) => spec,
        Blueprint::Supervisor(_) => panic!("a supervisor"),
    }
}

#[test]
fn a_whole_manifest_becomes_a_tree() {
    let site = Site::new();
    let manifest = site
        .parse(
            r#"
name = "tally"
[modules.parser]
path = "parser.wasm"
limits = { memory = "16MiB", timers = 5 }
grants = { names = true }
[modules.store]
crate = "../store"
package = "store"

[supervisor]
strategy = "rest_for_one"
max_restarts = 3
max_seconds = 9

[[supervisor.children]]
id = "store"
module = "store"
name = "store"
args = { start = 5, tags = ["a", 1.5, true], since = 2026-01-02 }
restart = "transient"
shutdown = "brutal_kill"
hibernate_after = "always"
grants = { read = ["./data:/input"], write = [{ host = "data", guest = "/output" }], spawn = ["parser"] }

[[supervisor.children]]
id = "parser"
module = "parser"
name = "p"
count = 3
shutdown = 250
hibernate_after = "30s"
limits = { timers = 7, init_timeout = "2s", mailbox_bytes = 1000 }

[[supervisor.children]]
id = "nested"
[supervisor.children.supervisor]
strategy = "one_for_all"
[[supervisor.children.supervisor.children]]
id = "parser.1"
module = "parser"
restart = "temporary"
shutdown = "infinity"
"#,
        )
        .expect("it makes sense");

    assert_eq!(&*manifest.name, "tally");
    assert_eq!(manifest.modules[0].code, Code::File(site.0.path().join("app/parser.wasm")));
    let store = Code::Crate { dir: site.0.path().join("app/../store"), package: Some("store".to_owned()) };
    assert_eq!(manifest.modules[1].code, store);

    let root = &manifest.root;
    assert_eq!((root.strategy, root.max_restarts, root.max_seconds), (Strategy::RestForOne, 3, 9));
    let ids: Vec<&str> = root.children.iter().map(|child| &*child.id).collect();
    assert_eq!(ids, ["store", "parser.1", "parser.2", "parser.3", "nested"]);

    let store = &root.children[0];
    assert_eq!((store.restart, store.shutdown), (Restart::Transient, Shutdown::BrutalKill));
    let spec = process(&store.start);
    assert_eq!(spec.args, Body::Json(r#"{"since":"2026-01-02","start":5,"tags":["a",1.5,true]}"#.to_owned()));
    assert_eq!((spec.name.as_deref(), spec.keep), (Some("store"), Keep::Never));
    assert_eq!(spec.grants.folders[0].host, site.real("app/data"));
    assert_eq!(spec.grants.folders.iter().map(|f| f.access).collect::<Vec<_>>(), [Access::Read, Access::Write]);
    assert_eq!(spec.grants.folders[1].guest, "/output");
    assert_eq!((&*spec.grants.spawn[0].module, spec.grants.register.len()), ("parser", 0));

    let pooled = process(&root.children[2].start);
    assert_eq!(pooled.name.as_deref(), Some("p.2"));
    assert_eq!(pooled.args, Body::Json("null".to_owned()));
    assert_eq!((pooled.limits.timers, pooled.limits.memory_bytes), (7, 16 << 20), "over the module's, key by key");
    assert_eq!((pooled.limits.init_timeout, pooled.limits.mailbox_bytes), (Duration::from_secs(2), 1000));
    assert_eq!((pooled.keep, pooled.grants.allows_register("any")), (Keep::For(Duration::from_secs(30)), true));
    assert_eq!(root.children[2].shutdown, Shutdown::Timeout(Duration::from_millis(250)));

    let nested = &root.children[4];
    assert_eq!((nested.kind, nested.shutdown), (ChildKind::Supervisor, Shutdown::Infinity));
    let Blueprint::Supervisor(nested) = &nested.start else { panic!("a process") };
    assert_eq!(
        (nested.strategy, nested.max_restarts, nested.max_seconds),
        (Strategy::OneForAll, 1, 5),
        "OTP's defaults"
    );
    assert_eq!((nested.children[0].restart, nested.children[0].shutdown), (Restart::Temporary, Shutdown::Infinity));
    assert!(process(&nested.children[0].start).name.is_none());
}

#[test]
fn registries_are_declared_and_granted_by_name_and_topics_by_their_beginning() {
    let site = Site::new();
    let manifest = site
        .parse(&child(
            "grants = { registries = ['users'], groups = ['pg'], topics = ['news', 'room:*'] }\n\
             limits = { entries = 5, entry_bytes = '1kB' }\n[registries]\nusers = 'unique'\nrooms = 'duplicate'",
        ))
        .expect("it makes sense");
    let declared: Vec<(&str, Keys)> = manifest.registries.iter().map(|(name, keys)| (&**name, *keys)).collect();
    assert_eq!(declared, [("rooms", Keys::Duplicate), ("users", Keys::Unique)]);
    let spec = process(&manifest.root.children[0].start);
    let names = |names: &[&str]| names.iter().map(|name| Name::from(*name)).collect::<Vec<_>>();
    assert_eq!((&spec.grants.registries, &spec.grants.groups), (&names(&["users"]), &names(&["pg"])));
    assert_eq!(spec.grants.topics, names(&["news", "room:*"]));
    assert_eq!((spec.limits.entries, spec.limits.entry_bytes), (5, 1000));
    for (keys, expected) in [
        (
            "grants.registries = ['user']\n[registries]\nusers = 'unique'",
            "unknown registry `user`; did you mean `users`?",
        ),
        ("grants.registries = ['users']", "unknown registry `users`"),
        ("grants.groups = ['']", "bad name: a name cannot be empty"),
        ("grants.topics = ['']", "bad name: a key cannot be empty"),
        ("[registries]\nusers = 'uniqe'", "unknown value `uniqe`; did you mean `unique`?"),
        ("[registries]\n'' = 'unique'", "bad name of a registry"),
    ] {
        let refusal = refusal(&child(keys));
        assert!(refusal.contains(expected), "{keys}: {refusal}");
    }
}

#[test]
fn keys_and_values_are_known_or_refused() {
    let cases = [
        ("nam = 'a'", "1:1 unknown key `nam`; did you mean `name`?"),
        ("name = 'a'", "the key `supervisor` is missing; add a section [supervisor]"),
        ("name = 'a'\n[supervisor", "2:12 "),
        ("name = 'a'\nname = 'b'", "2:1 duplicate key"),
        (&child("modul = 'm'"), "7:1 unknown key `modul`; did you mean `module`?"),
        (&child("restart = 'tranzient'"), "7:11 unknown value `tranzient`; did you mean `transient`?"),
        (&child("colour = 1"), "7:1 unknown key `colour`; the keys here are `id`, `module`, `args`"),
        (&child("limits = { memry = 1 }"), "7:12 unknown key `memry`; did you mean `memory`?"),
        (&child("count = 'x'"), "7:9 invalid type: string \"x\", expected u64"),
        (
            &child("[[supervisor.children]]\nmodule = 'm'"),
            "7:1 the key `id` is missing; add a line that begins with `id =`",
        ),
        (&child("shutdown = 'brutal-kill'"), "7:12 `shutdown` is \"brutal_kill\", \"infinity\", or a time"),
        (&child("shutdown = -1"), "7:12 invalid value: integer `-1`, expected \"brutal_kill\""),
        (&child("hibernate_after = 'now'"), "7:19 `hibernate_after` is \"always\""),
        (&child("limits.memory = '64M'"), "7:17 a size is a whole number of bytes"),
        (&child("grants.read = ['./data']"), "7:16 invalid value: string \"./data\", expected a folder, such as"),
        (&child("args = inf"), "7:8 `args` hold a number that JSON does not have"),
    ];
    for (text, expected) in cases {
        let refusal = refusal(text);
        assert!(refusal.contains(expected), "{text}\n is refused with {refusal}\n not with {expected}");
    }
}

#[test]
fn a_few_bytes_make_no_gigabytes_of_children() {
    let second = |keys: &str| child(&format!("[[supervisor.children]]\n{keys}"));
    for (text, expected) in [
        (child("count = 100001"), "7:9 `count` cannot be 100001; give a number from 1 to 100000"),
        (
            second("id = 'd'\nmodule = 'm'\ncount = 60000").replace("'m'\n[", "'m'\ncount = 60000\n["),
            "11:9 all pools together have more than 100000 processes; make them smaller",
        ),
        (
            child(&format!("count = 1000\nargs = '{}'", "x".repeat(270_000))),
            "7:9 the arguments of all pools together have more than 256 MiB; give each process less",
        ),
    ] {
        let refusal = refusal(&text);
        assert!(refusal.contains(expected), "{refusal}");
    }
}

#[test]
fn the_tree_makes_sense_or_is_refused() {
    let second = |keys: &str| child(&format!("[[supervisor.children]]\n{keys}"));
    let cases = [
        (child("").replace("'a'", "'a b'"), "1:8 bad name `a b`: it may have letters, digits"),
        ("name = 'a'\n[supervisor]".to_owned(), "the root supervisor has no child"),
        (
            child("").replace("module = 'm'", "module = 'other'"),
            "6:10 unknown module `other`; the modules are `m`; or add a section [modules.other]",
        ),
        (child("").replace("module = 'm'", ""), "child `c` has neither `module` nor `supervisor`"),
        (child("supervisor = {}"), "child `c` has both `module` and `supervisor`"),
        (second("id = 'c'\nmodule = 'm'"), "8:6 two children of this supervisor have the id `c`"),
        (
            second("id = 'c.2'\nmodule = 'm'").replace("'m'\n[", "'m'\ncount = 2\n["),
            "two children of this supervisor have the id `c.2`",
        ),
        (
            second("id = 'd'\nmodule = 'm'\nname = 'x'").replace("'m'\n[", "'m'\nname = 'x'\n["),
            "11:8 two processes of this app would have the name `x`",
        ),
        (second("id = 'd'\ncount = 2\nsupervisor = {}"), "9:9 `count` is for processes, and `d` is a supervisor"),
        (second("id = ''\nmodule = 'm'"), "8:6 bad id: a name cannot be empty"),
        (
            child("hibernate_after = '5s'\npinned = true"),
            "8:10 `pinned` keeps the instance for ever, and `hibernate_after` says when it is given back; leave one of them out",
        ),
        (second("id = 'd'\npinned = true\nsupervisor = {}"), "9:10 `pinned` is for processes, and `d` is a supervisor"),
        (child("count = 0"), "7:9 `count` cannot be 0; give a number from 1 to 100000"),
        (child("").replace("[supervisor]", "[supervisor]\nmax_seconds = 0"), "4:15 `max_seconds` cannot be 0"),
        (child("").replace("path", "package"), "module `m` has no code; add `path`"),
        (
            child("").replace("[supervisor]\n", "modules.m.crate = '.'\n[supervisor]\n"),
            "3:19 module `m` has both `path` and `crate`",
        ),
        (
            child("").replace("[supervisor]\n", "modules.m.package = 'x'\n[supervisor]\n"),
            "3:21 `package` goes with `crate`",
        ),
    ];
    for (text, expected) in cases {
        let refusal = refusal(&text);
        assert!(refusal.contains(expected), "{text}\n is refused with {refusal}\n not with {expected}");
    }
}

#[test]
fn what_is_pinned_keeps_its_instance() {
    for (keys, keep) in [
        ("pinned = true", Keep::Pinned),
        ("pinned = false", Keep::WhileItFits),
        ("pinned = false\nhibernate_after = 'always'", Keep::Never),
    ] {
        let manifest = Site::new().parse(&child(keys)).expect("it makes sense");
        assert_eq!(process(&manifest.root.children[0].start).keep, keep, "{keys}");
    }
}

#[test]
fn limits_and_grants_make_sense_or_are_refused() {
    let cases = [
        ("limits.memory = 1000", "7:17 `memory` cannot be 1000; give a number from 65536 to 4294967296"),
        ("limits.memory = '5GiB'", "7:17 `memory` cannot be"),
        ("limits.mailbox_messages = 0", "7:27 `mailbox_messages` cannot be 0"),
        ("limits.fuel_per_message = 0", "7:27 `fuel_per_message` cannot be 0"),
        ("limits.log_burst = 100", "7:20 `log_burst` cannot be 100; give a number from 10240"),
        ("limits.written_bytes = '2000000GB'", "7:24 `written_bytes` cannot be"),
        ("limits.init_timeout = 0", "7:23 `init_timeout` cannot be 0"),
        (
            "limits.body_bytes = '17MiB'",
            "such a message could never be delivered; set `mailbox_bytes` to 17825792 or more",
        ),
        ("args = 'long'\nlimits.body_bytes = 5", "7:8 `args` are 6 bytes, and `body_bytes` is 5"),
        ("stdin = 'words.txt'", "expected \"messages\" or { file = "),
        ("stdin = { file = 'none.txt' }", "7:9 cannot read "),
        ("stdin = { file = 'data' }", "data is no file; give a file that is there"),
        ("output = { to = '' }", "7:10 bad name"),
        ("grants.env = { 'A=B' = 'c' }", "7:16 `A=B` is no name of a variable"),
        ("grants.env = { A = false }", "invalid value: boolean `false`, expected the text of a variable, or true"),
        ("grants.env = { A = \"b\\u0000c\" }", "7:20 a NUL in a text for a program"),
        ("grants.argv = [\"b\\u0000c\"]", "7:16 a NUL in a text for a program"),
        ("grants.clocks = 'exact'", "unknown value `exact`"),
        ("grants.random = 'fake'", "expected \"real\" or { seed = 7 }"),
        ("grants.random = { seed = -1 }", "7:"),
        ("grants.spawn = ['mm']", "7:17 unknown module `mm`; did you mean `m`?"),
        ("grants.spawn = [{ module = 'mm', most = 2 }]", "7:17 unknown module `mm`; did you mean `m`?"),
        ("grants.spawn = [{ module = 'm', most = 0 }]", "7:17 `most` cannot be 0"),
        ("grants.names = ['//shop/x']", "7:17 bad name: a name does not begin with //"),
        ("grants.names = { look_up = [''] }", "7:29 bad name: a name cannot be empty"),
        ("grants.apps = ['shop', '/x']", "7:24 `/x` is no app"),
        ("grants.apps = ['shop/']", "7:16 `shop/` is no app"),
        ("grants.tcp = ['db.example.org']", "7:15 `db.example.org` says no port; put it behind the host"),
        ("grants.udp = ['*:53', '10.0.0.1/8:53']", "7:23 `10.0.0.1/8` is no block of addresses; say how many bits"),
        ("grants.http = ['ftp://a']", "7:16 `ftp` is no scheme; say \"http://\""),
        ("grants.http = [\"a\\u0000b\"]", "7:16 `a\\0b` is no host; say a name"),
        ("grants.read = ['./none:/x']", "7:16 cannot grant "),
        ("grants.read = ['./data:x']", "`x` is no path for a guest; give an absolute path"),
        ("grants.read = ['./data:/x/../y']", "`/x/../y` is no path for a guest"),
        ("grants.read = ['../home:/x']", "overlaps the node's own folder"),
        ("grants.read = ['../home/nodes:/x']", "overlaps the node's own folder"),
        ("grants.write = ['..:/x']", "overlaps the node's own folder"),
        ("grants.read = ['data:/x']\ngrants.write = ['data:/x']", "8:17 two folders would be `/x` in the guest"),
    ];
    for (keys, expected) in cases {
        let refusal = refusal(&child(keys));
        assert!(refusal.contains(expected), "{keys}\n is refused with {refusal}\n not with {expected}");
    }
}

#[test]
fn what_is_granted_of_the_outside_is_read() {
    use skep_runtime::spec::{Clocks, Outside, Randomness, Variable};
    let outside = |keys: &str| {
        let manifest = Site::new().parse(&child(keys)).expect("it makes sense");
        match &manifest.root.children[0].start {
            Blueprint::Process(spec) => spec.grants.outside.clone(),
            Blueprint::Supervisor(_) => panic!("a process was written"),
        }
    };
    assert_eq!(outside(""), Outside::default());
    let env = [("HOME".to_owned(), Variable::OfHost), ("LANG".to_owned(), Variable::Value("C".to_owned()))];
    let all = "grants = { env = { LANG = 'C', HOME = true }, argv = ['-v'], clocks = 'real', random = { seed = 7 } }";
    let expected =
        Outside { env: env.into(), argv: vec!["-v".to_owned()], clocks: Clocks::Real, random: Randomness::Seeded(7) };
    assert_eq!(outside(all), expected);
}

#[test]
fn what_is_granted_of_the_network_is_read() {
    let keys = "grants = { tcp = ['DB.example.org:5432'], udp = ['10.0.0.0/8:53'], http = ['*.example.org'] }";
    let manifest = Site::new().parse(&child(keys)).expect("it makes sense");
    let Blueprint::Process(spec) = &manifest.root.children[0].start else { panic!("a process was written") };
    let shown = crate::node::rights::rights(&spec.grants);
    for (key, what) in [("tcp", "db.example.org:5432"), ("udp", "10.0.0.0/8:53"), ("http", "https://*.example.org:443")]
    {
        assert!(shown.contains(&(key, vec![what.to_owned()])), "{key} of {shown:?}");
    }
}

#[test]
fn a_link_does_not_hide_the_nodes_folder_and_a_file_is_no_folder() {
    let site = Site::new();
    std::os::unix::fs::symlink(site.real("home"), site.real("app/innocent")).expect("it is ours");
    let refused = site.parse(&child("grants.read = ['innocent/nodes:/x']")).expect_err("it leads home");
    assert!(refused.to_string().contains("overlaps the node's own folder"), "{refused}");
    std::fs::write(site.real("app/file"), "").expect("it is ours");
    let refused = site.parse(&child("grants.read = ['file:/x']")).expect_err("it is a file");
    assert!(refused.to_string().ends_with("file is not a folder"), "{refused}");
}

#[test]
fn a_home_that_is_not_there_yet_is_kept_out_of_grants_too() {
    let site = Site::new();
    let text = child("grants.read = ['.:/x']");
    let source = Source { path: site.0.path().join("app/app.toml"), text: text.as_str().into() };
    let refused = Manifest::parse(source, &site.0.path().join("app/later/home")).expect_err("it would be inside");
    assert!(refused.to_string().contains("overlaps the node's own folder"), "{refused}");
}

#[test]
fn a_file_that_is_not_there_is_said_so() {
    let refused = Manifest::read(Path::new("no/such.toml"), Path::new("/nowhere")).expect_err("there is none");
    assert!(refused.to_string().starts_with("cannot read the manifest no/such.toml: No such file"), "{refused}");
    assert!(refused.remedy().is_some());
}
