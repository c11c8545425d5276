//! What Skep is built from: under which licences, from where, and what is not to be among it.
//!
//! Asks cargo for what the lock file means on this machine, and needs neither a network nor another tool. Advisories are
//! not looked up here: they change without a change of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Licences that ask for no more than their own text.
const LICENCES: [&str; 7] =
    ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "ISC", "BSD-3-Clause", "Zlib", "Unicode-3.0"];

/// Never to be among them, and why.
const BANNED: [(&str, &str); 8] = [
    ("openssl-sys", "TLS is rustls with ring"),
    ("native-tls", "TLS is rustls with ring"),
    ("aws-lc-sys", "ring is the one library under rustls, and this one needs a C compiler for minutes"),
    ("bincode", "it is no longer looked after (RUSTSEC-2025-0141)"),
    ("sled", "it is no longer looked after"),
    ("async-std", "it is no longer looked after, and tokio is the one runtime"),
    ("dashmap", "a guard held across an await deadlocks; the table lets none out"),
    ("serde_yaml", "it is no longer looked after; manifests are TOML"),
];

/// Where there are several incompatible versions of one library, and why. Whoever adds to it adds to the binary.
const SEVERAL: [(&str, &str); 17] = [
    ("cpufeatures", "digests: wasmtime's are older than blake3's"),
    ("embedded-io", "postcard in wasmtime asks for both"),
    ("getrandom", "ring, and two generations of rand"),
    ("hashbrown", "gimli's and everybody else's"),
    ("io-lifetimes", "two of cap-std's own"),
    ("itertools", "criterion's and cranelift's; the former is not in the binary"),
    ("rand", "shuttle's and everybody else's"),
    ("rand_core", "as rand"),
    ("syn", "macros of two generations; none of it is in the binary"),
    ("synstructure", "as syn"),
    ("unicode-width", "miette's and everybody else's"),
    ("wasm-encoder", "guests' tools: wit-bindgen's, wasmtime's and wat's"),
    ("wasm-metadata", "as wasm-encoder"),
    ("wasmparser", "as wasm-encoder"),
    ("wit-bindgen", "the SDK's, and that of the bindings of WASI; neither is in the binary"),
    ("wit-component", "as wasm-encoder"),
    ("wit-parser", "as wasm-encoder"),
];

/// A library, as cargo has it.
struct Package {
    name: String,
    version: String,
    licence: String,
    source: Option<String>,
}

fn cargo(arguments: &[&str]) -> Vec<u8> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.expect("cargo can be started");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// All that is built on this machine, tests and guests included.
fn packages() -> Vec<Package> {
    let version = String::from_utf8(cargo(&["-vV"])).expect("it is text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo says where it runs");
    let metadata = ["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", host];
    let metadata: Value = serde_json::from_slice(&cargo(&metadata)).expect("it is JSON");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let package = |package: &Value| Package {
        name: text(&package["name"]).expect("it has a name"),
        version: text(&package["version"]).expect("it has a version"),
        licence: text(&package["license"]).unwrap_or_default(),
        source: text(&package["source"]),
    };
    let packages: Vec<Package> = metadata["packages"].as_array().expect("a list").iter().map(package).collect();
    assert!(packages.iter().any(|package| package.name == "wasmtime"), "this is not all of it");
    packages
}

/// Whether one may use it by licences of the list. Of what is nested deeper than one `AND`, too little is believed.
fn is_free(expression: &str) -> bool {
    let alternatives = expression.replace('/', " OR ");
    alternatives
        .split(" AND ")
        .all(|part| part.split(" OR ").any(|licence| LICENCES.contains(&licence.trim_matches(['(', ')', ' ']))))
}

/// What may not stand beside another of it: `1` of 1.2.3, `0.2` of 0.2.3.
fn major(version: &str) -> &str {
    let dots = if version.starts_with("0.") { 2 } else { 1 };
    version.match_indices('.').nth(dots - 1).map_or(version, |(end, _)| &version[..end])
}

#[test]
fn every_licence_is_one_that_skep_can_be_given_away_with() {
    for (expression, expected) in [
        ("MIT OR Apache-2.0", true),
        ("Apache-2.0 / MIT", true),
        ("GPL-3.0 OR MIT", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("GPL-3.0", false),
        ("", false),
    ] {
        assert_eq!(is_free(expression), expected, "{expression:?}");
    }
    let all = packages();
    let bad: Vec<String> = all
        .iter()
        .filter(|package| !is_free(&package.licence))
        .map(|package| format!("{} {}: {:?}", package.name, package.version, package.licence))
        .collect();
    assert!(bad.is_empty(), "of these the licence is not in the list: {bad:#?}");
}

#[test]
fn nothing_is_banned_and_all_is_from_the_registry() {
    let all = packages();
    for (banned, why) in BANNED {
        assert!(all.iter().all(|package| package.name != banned), "{banned} is among the dependencies: {why}");
    }
    for Package { name, version, source, .. } in &all {
        let is_ours = source.is_none() && version == env!("CARGO_PKG_VERSION");
        let is_registered = source.as_deref() == Some("registry+https://github.com/rust-lang/crates.io-index");
        assert!(is_ours || is_registered, "{name} {version} comes from {source:?}");
    }
}

#[test]
fn there_are_several_versions_only_of_what_is_listed() {
    assert_eq!(["1.2.3", "0.2.17", "0.0.6"].map(major), ["1", "0.2", "0.0"]);
    let all = packages();
    let mut majors: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &all {
        majors.entry(&package.name).or_default().insert(major(&package.version));
    }
    let found: BTreeSet<&str> = majors.iter().filter(|(_, majors)| majors.len() > 1).map(|(name, _)| *name).collect();
    let listed: BTreeSet<&str> = SEVERAL.iter().map(|(name, _)| *name).collect();
    let new: Vec<_> = found.difference(&listed).map(|name| (name, &majors[name])).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(new.is_empty(), "there are several versions of these (`cargo tree --duplicates`): {new:?}");
    assert!(gone.is_empty(), "there is one version of these by now; take them from the list: {gone:?}");
}
