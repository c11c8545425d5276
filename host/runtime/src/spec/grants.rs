//! What a process may do beyond computing and talking to those whose pid it has.
//!
//! Owns the list of rights, which imports they open, and what of them a parent passes on. Asked by the host functions at
//! each use; given by whoever writes a [`ProcessSpec`](super::ProcessSpec).

use std::path::PathBuf;
use std::sync::Arc;

use skep_kernel::Name;

use super::pattern::{has_name, has_process, meet_apps, meet_names, within};
use super::{Network, Outside};

/// What a process may do beyond computing and talking to those whose pid it has. Nothing, unless it says so here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Grants {
    /// Folders of the host, through WASI.
    pub folders: Vec<FolderGrant>,
    /// Modules whose processes it may spawn.
    pub spawn: Vec<SpawnGrant>,
    /// Names that it may register for processes of its app: a name, or how names begin, with a `*` behind. As all lists of
    /// names below that say so.
    pub register: Vec<Name>,
    /// Names of its app whose holders it may ask for; a name, or how names begin. Whoever knows a name may write to it.
    pub look_up: Vec<Name>,
    /// Supervisors, by name, whose children it may start, stop and list.
    pub supervise: Vec<Name>,
    /// Whether it may start supervisors of its own, of what it may spawn.
    pub supervisors: bool,
    /// Registries that it may use.
    pub registries: Vec<Name>,
    /// Scopes of process groups that it may use.
    pub groups: Vec<Name>,
    /// Topics that it may use: a name, or how names begin, with a `*` behind.
    pub topics: Vec<Name>,
    /// Processes that it may suspend, look into, and give another state: the names under which they were started, or how
    /// these begin, with a `*` behind.
    pub control: Vec<Name>,
    /// Processes of other apps that it may write to, call and monitor: `app` for all of it, or `app/name`, the name under which
    /// one was started, or how names begin.
    pub apps: Vec<Name>,
    /// Whom of the network it may talk to, through WASI.
    pub network: Arc<Network>,
    /// Environment, arguments, clocks and random numbers, through WASI.
    pub outside: Outside,
}

impl Grants {
    /// Whether what it does through an imported interface (such as `wasi:filesystem/types@0.2.12`) is refused, whatever it
    /// is. Most of an interface that needs no grant is always there.
    #[must_use]
    pub fn refuse(&self, import: &str) -> bool {
        let interface = import.split('@').next().unwrap_or(import);
        match interface {
            "skep:process/spawning" => self.spawn.is_empty(),
            "skep:process/names" => self.register.is_empty() && self.look_up.is_empty(),
            "skep:process/supervision" => !self.supervisors && self.supervise.is_empty() && self.look_up.is_empty(),
            "skep:process/system" => self.control.is_empty(),
            "skep:process/registry" => self.registries.is_empty(),
            "skep:process/groups" => self.groups.is_empty(),
            "skep:process/topics" => self.topics.is_empty(),
            "wasi:filesystem/types" => self.folders.is_empty(),
            "wasi:sockets/tcp" | "wasi:sockets/tcp-create-socket" => self.network.tcp.is_empty(),
            "wasi:sockets/udp" | "wasi:sockets/udp-create-socket" => self.network.udp.is_empty(),
            "wasi:http/outgoing-handler" => self.network.http.is_empty(),
            _ => interface.starts_with("wasi:sockets/") && self.network.tcp.is_empty() && self.network.udp.is_empty(),
        }
    }

    /// These rights as far as `parent` has them too: nobody passes on what they have not. Of a list of patterns what both let
    /// in is passed on: of `room:*` and `room:1` the latter, whoever has which.
    #[must_use]
    pub fn within(&self, parent: &Grants) -> Grants {
        Grants {
            folders: self.folders.iter().filter_map(|grant| grant.within(&parent.folders)).collect(),
            spawn: self.spawn.iter().filter_map(|grant| grant.within(&parent.spawn)).collect(),
            register: within(&self.register, &parent.register, meet_names),
            look_up: within(&self.look_up, &parent.look_up, meet_names),
            supervise: common(&self.supervise, &parent.supervise),
            supervisors: self.supervisors && parent.supervisors,
            registries: common(&self.registries, &parent.registries),
            groups: common(&self.groups, &parent.groups),
            topics: within(&self.topics, &parent.topics, meet_names),
            control: within(&self.control, &parent.control, meet_names),
            apps: within(&self.apps, &parent.apps, meet_apps),
            network: Arc::new(self.network.within(&parent.network)),
            outside: self.outside.within(&parent.outside),
        }
    }

    /// Whether it may give this name to a process of its app.
    #[must_use]
    pub fn allows_register(&self, name: &str) -> bool {
        is_among(&self.register, name)
    }

    /// Whether it may ask who holds this name.
    #[must_use]
    pub fn allows_look_up(&self, name: &str) -> bool {
        is_among(&self.look_up, name)
    }

    /// How many processes of a module it may have spawned that are there at once; none if it may not spawn them.
    #[must_use]
    pub fn allows_spawn(&self, module: &str) -> Option<usize> {
        self.spawn.iter().find(|grant| &*grant.module == module).map(|grant| grant.most)
    }

    /// Whether it may write to a process of another app that was started under this name, if under any.
    #[must_use]
    pub fn allows_app(&self, app: &str, name: &str) -> bool {
        self.apps.iter().any(|granted| has_process(granted, app, name))
    }

    /// Whether a topic, or all topics that begin as this pattern does, may be used.
    #[must_use]
    pub fn allows_topic(&self, topic: &str) -> bool {
        is_among(&self.topics, topic)
    }

    /// Whether a process that was started under this name, or all whose names begin as this pattern does, may be controlled.
    #[must_use]
    pub fn allows_control(&self, name: &str) -> bool {
        is_among(&self.control, name)
    }
}

/// Whether a name is in a list of names, and of beginnings with a star behind.
fn is_among(granted: &[Name], name: &str) -> bool {
    granted.iter().any(|granted| has_name(granted, name))
}

fn common(own: &[Name], parent: &[Name]) -> Vec<Name> {
    own.iter().filter(|name| parent.contains(name)).cloned().collect()
}

/// A module whose processes may be spawned.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SpawnGrant {
    /// Its name within the app.
    pub module: Name,
    /// How many of them that this process has spawned may be there at once.
    pub most: usize,
}

impl SpawnGrant {
    /// As many as one likes.
    #[must_use]
    pub fn any(module: &str) -> Self {
        SpawnGrant { module: module.into(), most: usize::MAX }
    }

    fn within(&self, parent: &[SpawnGrant]) -> Option<SpawnGrant> {
        let held = parent.iter().find(|held| held.module == self.module)?;
        Some(SpawnGrant { most: self.most.min(held.most), ..self.clone() })
    }
}

/// One folder of the host that a guest sees.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FolderGrant {
    /// Where it is on the host.
    pub host: PathBuf,
    /// What the guest calls it, such as `/input`.
    pub guest: String,
    /// What it may do there.
    pub access: Access,
}

impl FolderGrant {
    /// A folder of which the parent has a part only is not passed on: what the guest calls it would be another folder.
    fn within(&self, parent: &[FolderGrant]) -> Option<FolderGrant> {
        let held = parent.iter().filter(|held| self.host.starts_with(&held.host)).map(|held| held.access).max()?;
        Some(FolderGrant { access: self.access.min(held), ..self.clone() })
    }
}

/// What may be done in a granted folder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Access {
    /// List and read.
    Read,
    /// Also create, change and remove.
    Write,
}

#[cfg(test)]
mod tests {
    use super::super::{Endpoint, Origin};
    use super::*;

    #[test]
    fn what_an_interface_needs_is_granted_or_it_refuses() {
        let needy = [
            "skep:process/spawning@0.1.0",
            "skep:process/names@0.1.3",
            "skep:process/registry@0.1.0",
            "skep:process/groups@0.1.0",
            "skep:process/topics@0.1.0",
            "skep:process/system@0.1.0",
            "wasi:filesystem/types@0.2.12",
        ]
        .map(str::to_owned);
        let nothing = Grants::default();
        let folder = FolderGrant { host: "/".into(), guest: "/in".into(), access: Access::Read };
        let all = Grants {
            folders: vec![folder],
            spawn: vec![SpawnGrant::any("worker")],
            look_up: vec!["*".into()],
            registries: vec!["users".into()],
            groups: vec!["pg".into()],
            topics: vec!["news".into()],
            control: vec!["counter".into()],
            ..Grants::default()
        };
        let supervision = "skep:process/supervision@0.1.0";
        assert!(nothing.refuse(supervision));
        for some in [
            Grants { supervisors: true, ..Grants::default() },
            Grants { supervise: vec!["workers".into()], ..Grants::default() },
        ] {
            assert!(!some.refuse(supervision));
        }
        assert!(needy.iter().all(|import| nothing.refuse(import) && !all.refuse(import)));
        assert!(!nothing.refuse("skep:process/messaging@0.1.0") && !nothing.refuse("wasi:clocks/wall-clock@0.2.0"));
    }

    #[test]
    fn what_of_the_network_is_not_granted_refuses() {
        let endpoint = || vec![Endpoint::parse("a:1").expect("it is one")];
        let tcp = Arc::new(Network { tcp: endpoint(), ..Network::default() });
        let udp = Arc::new(Network { udp: endpoint(), ..Network::default() });
        let http = Arc::new(Network { http: vec![Origin::parse("a").expect("it is one")], ..Network::default() });
        for (interface, [by_none, by_tcp, by_udp, by_http]) in [
            ("wasi:sockets/tcp@0.2.0", [true, false, true, true]),
            ("wasi:sockets/udp-create-socket@0.2.0", [true, true, false, true]),
            ("wasi:sockets/ip-name-lookup@0.2.0", [true, false, false, true]),
            ("wasi:http/outgoing-handler@0.2.0", [true, true, true, false]),
            ("wasi:http/types@0.2.0", [false; 4]),
        ] {
            let refuse =
                |network: &Arc<Network>| Grants { network: network.clone(), ..Grants::default() }.refuse(interface);
            let refused = [&Arc::default(), &tcp, &udp, &http].map(refuse);
            assert_eq!(refused, [by_none, by_tcp, by_udp, by_http], "{interface}");
        }
        let child = Grants { network: tcp.clone(), ..Grants::default() };
        assert_eq!(child.within(&child).network, tcp);
        assert!(child.within(&Grants { network: http, ..Grants::default() }).network.is_empty());
    }

    #[test]
    fn a_topic_is_granted_by_its_name_or_its_beginning_and_passed_on_no_wider() {
        let grants = |topics: &[&str]| Grants {
            topics: topics.iter().map(|topic| Name::from(*topic)).collect(),
            ..Grants::default()
        };
        let parent = grants(&["news", "room:*"]);
        for (topic, allowed) in
            [("news", true), ("news!", false), ("room:1", true), ("room:", true), ("room", false), ("", false)]
        {
            assert_eq!(parent.allows_topic(topic), allowed, "{topic}");
        }
        assert!(grants(&["*"]).allows_topic("anything"));
        let child = grants(&["news", "news*", "room:1", "room:1*", "room*", "*", "other"]);
        assert_eq!(child.within(&parent), grants(&["news", "room:1", "room:1*", "room:*"]));
    }

    #[test]
    fn control_is_granted_by_the_name_of_a_start_or_its_beginning_and_passed_on_no_wider() {
        let grants = |names: &[&str]| Grants {
            control: names.iter().map(|name| Name::from(*name)).collect(),
            ..Grants::default()
        };
        let parent = grants(&["bank", "room:*"]);
        for (name, allowed) in [("bank", true), ("banks", false), ("room:1", true), ("", false)] {
            assert_eq!(parent.allows_control(name), allowed, "{name}");
        }
        assert!(grants(&["*"]).allows_control(""), "one without a name");
        assert_eq!(
            grants(&["bank", "room*", "room:2*", "other"]).within(&parent),
            grants(&["bank", "room:*", "room:2*"])
        );
    }

    #[test]
    fn spawning_is_passed_on_as_far_as_it_goes() {
        let grants = |spawn: &[(&str, usize)]| {
            let spawn =
                spawn.iter().map(|(module, most)| SpawnGrant { module: (*module).into(), most: *most }).collect();
            Grants { spawn, ..Grants::default() }
        };
        let parent = grants(&[("a", 3), ("b", usize::MAX)]);
        assert_eq!([parent.allows_spawn("a"), parent.allows_spawn("c")], [Some(3), None]);
        let child = grants(&[("a", usize::MAX), ("b", 7), ("c", 1)]);
        assert_eq!(child.within(&parent), grants(&[("a", 3), ("b", 7)]));
        assert_eq!(grants(&[("a", 2)]).within(&parent), grants(&[("a", 2)]));
    }

    #[test]
    fn names_are_registered_and_looked_up_by_what_each_list_says() {
        let grants = |register: &[&str], look_up: &[&str]| {
            let names = |list: &[&str]| list.iter().map(|name| Name::from(*name)).collect();
            Grants { register: names(register), look_up: names(look_up), ..Grants::default() }
        };
        let parent = grants(&["room:*"], &["*"]);
        assert!(parent.allows_register("room:1") && !parent.allows_register("bank"));
        assert!(parent.allows_look_up("bank") && !grants(&["*"], &[]).allows_look_up("bank"));
        let names = "skep:process/names@0.1.0";
        assert!(!grants(&["a"], &[]).refuse(names) && !grants(&[], &["a"]).refuse(names));
        assert_eq!(grants(&["room:1", "*"], &["a"]).within(&parent), grants(&["room:1", "room:*"], &["a"]));
        assert_eq!(grants(&["*"], &[]).within(&grants(&["w:1", "*"], &[])), grants(&["*"], &[]), "the whole of it");
    }

    #[test]
    fn other_apps_are_granted_whole_or_by_the_names_of_starts() {
        let grants =
            |apps: &[&str]| Grants { apps: apps.iter().map(|entry| Name::from(*entry)).collect(), ..Grants::default() };
        let parent = grants(&["shop", "bank/till", "bank/desk:*"]);
        for (app, name, allowed) in [
            ("shop", "", true),
            ("shop", "stock", true),
            ("shops", "stock", false),
            ("bank", "till", true),
            ("bank", "vault", false),
            ("bank", "desk:1", true),
            ("bank", "", false),
            ("", "", false),
        ] {
            assert_eq!(parent.allows_app(app, name), allowed, "{app}/{name}");
        }
        let child = grants(&["shop", "shop/*", "shop/stock", "bank/till", "bank/desk:2*", "other", "bank/v*"]);
        assert_eq!(child.within(&parent), grants(&["shop", "shop/*", "shop/stock", "bank/till", "bank/desk:2*"]));
        for whole in ["bank", "bank/*"] {
            assert_eq!(grants(&[whole]).within(&parent), grants(&["bank/till", "bank/desk:*"]), "{whole}");
        }
    }

    #[test]
    fn a_folder_is_passed_on_as_far_as_the_parent_sees_it_and_may_write() {
        use Access::{Read, Write};
        let grants = |folders: &[(&str, Access)]| {
            let folder = |(host, access): &(&str, Access)| FolderGrant {
                host: host.into(),
                guest: "/in".into(),
                access: *access,
            };
            Grants { folders: folders.iter().map(folder).collect(), ..Grants::default() }
        };
        let parent = grants(&[("/data", Read), ("/data/out", Write)]);
        for (own, passed_on) in [
            (("/data", Read), Some(("/data", Read))),
            (("/data", Write), Some(("/data", Read))),
            (("/data/in", Write), Some(("/data/in", Read))),
            (("/data/out/1", Write), Some(("/data/out/1", Write))),
            (("/data/out", Read), Some(("/data/out", Read))),
            (("/", Read), None),
            (("/database", Read), None),
        ] {
            assert_eq!(grants(&[own]).within(&parent), grants(passed_on.as_slice()), "{own:?}");
        }
    }

    #[test]
    fn registries_and_scopes_are_passed_on_by_name() {
        let grants = |names: &[&str]| {
            let names: Vec<Name> = names.iter().map(|name| Name::from(*name)).collect();
            Grants { registries: names.clone(), groups: names, ..Grants::default() }
        };
        assert_eq!(grants(&["a", "b"]).within(&grants(&["b", "c"])), grants(&["b"]));
    }
}
