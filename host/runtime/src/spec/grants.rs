//! What a process may do beyond computing and talking to those whose pid it has.
//!
//! Owns the list of rights, which imports they open, and what of them a parent passes on. Asked by the host functions at
//! each use; given by whoever writes a [`ProcessSpec`](super::ProcessSpec).

use std::path::PathBuf;

use skep_kernel::Name;

/// What a process may do beyond computing and talking to those whose pid it has. Nothing, unless it says so here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Grants {
    /// Folders of the host, through WASI.
    pub folders: Vec<FolderGrant>,
    /// Modules whose processes it may spawn.
    pub spawn: Vec<Name>,
    /// Whether it may register and look up names.
    pub names: bool,
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
}

impl Grants {
    /// Whether what it does through an imported interface (such as `wasi:filesystem/types@0.2.12`) is refused, whatever it
    /// is. Most of an interface that needs no grant is always there.
    #[must_use]
    pub fn refuse(&self, import: &str) -> bool {
        let interface = import.split('@').next().unwrap_or(import);
        match interface {
            "skep:process/spawning" => self.spawn.is_empty(),
            "skep:process/names" => !self.names,
            "skep:process/supervision" => !self.supervisors && self.supervise.is_empty() && !self.names,
            "skep:process/system" => self.control.is_empty(),
            "skep:process/registry" => self.registries.is_empty(),
            "skep:process/groups" => self.groups.is_empty(),
            "skep:process/topics" => self.topics.is_empty(),
            "wasi:filesystem/types" => self.folders.is_empty(),
            _ => interface.starts_with("wasi:sockets/"),
        }
    }

    /// These rights as far as `parent` has them too: nobody passes on what they have not.
    #[must_use]
    pub fn within(&self, parent: &Grants) -> Grants {
        let covered = |grant: &&FolderGrant| {
            parent.folders.iter().any(|held| grant.host.starts_with(&held.host) && grant.access <= held.access)
        };
        Grants {
            folders: self.folders.iter().filter(covered).cloned().collect(),
            spawn: common(&self.spawn, &parent.spawn),
            names: self.names && parent.names,
            supervise: common(&self.supervise, &parent.supervise),
            supervisors: self.supervisors && parent.supervisors,
            registries: common(&self.registries, &parent.registries),
            groups: common(&self.groups, &parent.groups),
            topics: self.topics.iter().filter(|topic| parent.allows_topic(topic)).cloned().collect(),
            control: self.control.iter().filter(|name| parent.allows_control(name)).cloned().collect(),
        }
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
    granted.iter().any(|granted| match granted.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == &**granted,
    })
}

fn common(own: &[Name], parent: &[Name]) -> Vec<Name> {
    own.iter().filter(|name| parent.contains(name)).cloned().collect()
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
            spawn: vec!["worker".into()],
            names: true,
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
        assert!(all.refuse("wasi:sockets/tcp@0.2.0"), "there is no grant of it yet");
        assert!(!nothing.refuse("skep:process/messaging@0.1.0") && !nothing.refuse("wasi:clocks/wall-clock@0.2.0"));
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
        assert_eq!(child.within(&parent), grants(&["news", "room:1", "room:1*"]));
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
        assert_eq!(grants(&["bank", "*", "room:2*", "other"]).within(&parent), grants(&["bank", "room:2*"]));
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
