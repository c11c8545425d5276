//! Grants in words: a line for each right, under the key that grants it in a manifest.
//!
//! Owns how a right is written, for plans of deployments and for `skep grants`.

use skep_runtime::spec::{Access, Clocks, Grants, Outside, Randomness, SpawnGrant, Variable};

/// All rights there are, in the order of the manifest's documentation: the key, and what is granted, one by one; nothing
/// where nothing is.
pub fn rights(grants: &Grants) -> [(&'static str, Vec<String>); 19] {
    let folders = |access: Access| {
        let granted = grants.folders.iter().filter(move |folder| folder.access == access);
        granted.map(|folder| format!("{}:{}", folder.host.display(), folder.guest)).collect()
    };
    [
        ("read", folders(Access::Read)),
        ("write", folders(Access::Write)),
        ("spawn", grants.spawn.iter().map(spawn).collect()),
        ("names.register", listed(&grants.register)),
        ("names.look_up", listed(&grants.look_up)),
        ("supervise", listed(&grants.supervise)),
        ("supervisors", grants.supervisors.then(|| "true".to_owned()).into_iter().collect()),
        ("registries", listed(&grants.registries)),
        ("groups", listed(&grants.groups)),
        ("topics", listed(&grants.topics)),
        ("control", listed(&grants.control)),
        ("apps", listed(&grants.apps)),
        ("tcp", listed(&grants.network.tcp)),
        ("udp", listed(&grants.network.udp)),
        ("http", listed(&grants.network.http)),
        ("env", env(&grants.outside)),
        ("argv", grants.outside.argv.iter().map(|argument| format!("{argument:?}")).collect()),
        ("clocks", vec![clocks(grants.outside.clocks).to_owned()]),
        ("random", vec![random(grants.outside.random)]),
    ]
}

fn listed(items: &[impl ToString]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn spawn(grant: &SpawnGrant) -> String {
    match grant.most {
        usize::MAX => grant.module.to_string(),
        most => format!("{} (at most {most})", grant.module),
    }
}

fn env(outside: &Outside) -> Vec<String> {
    let variable = |(name, variable): (&String, &Variable)| match variable {
        Variable::Value(value) => format!("{name}={value}"),
        Variable::OfHost => format!("{name} of the host"),
    };
    outside.env.iter().map(variable).collect()
}

fn clocks(clocks: Clocks) -> &'static str {
    match clocks {
        Clocks::Frozen => "frozen",
        Clocks::Coarse => "coarse",
        Clocks::Real => "real",
    }
}

fn random(random: Randomness) -> String {
    match random {
        Randomness::Real => "real".to_owned(),
        Randomness::Seeded(seed) => format!("seed {seed}"),
    }
}
