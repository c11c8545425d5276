//! Manifests: any text, and TOML that is made of a manifest's own words.
//!
//! A refusal says what is wrong, and where in terms of the text. What is accepted is accepted again as the same; times and
//! sizes are shown as they can be read. Reading one changes no file.

#![no_main]

use std::fmt::{Debug, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use skep::manifest::units::{HibernateAfter, ShutdownWord, Size, Time};
use skep::manifest::{Manifest, Source};
use skep_sdk::types::Pid;

/// Keys and words of manifests. A number stands for itself.
const WORDS: &[&str] = &include!("manifests/words.in");

fuzz_target!(|data: &[u8]| {
    let Some((&how, rest)) = data.split_first() else { return };
    match how {
        0 => drawn(&mut Unstructured::new(rest)).map(|text| manifest(&text)).unwrap_or_default(),
        1 => std::str::from_utf8(rest).map(units).unwrap_or_default(),
        _ => std::str::from_utf8(data).map(manifest).unwrap_or_default(),
    }
});

/// A folder with a manifest's surroundings.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        for path in ["data/inner", "home/nodes"] {
            std::fs::create_dir_all(folder.path().join(path)).expect("it is ours");
        }
        std::fs::write(folder.path().join("data/file"), b"some text\n").expect("it is ours");
        let _ = std::os::unix::fs::symlink("/", folder.path().join("data/root"));
        folder
    });
    folder.path()
}

/// All that is in a folder, and when it was changed.
fn contents(folder: &Path, all: &mut Vec<(PathBuf, Option<std::time::SystemTime>)>) {
    let entries = std::fs::read_dir(folder).expect("it can be read");
    for entry in entries.map(|entry| entry.expect("it can be read")) {
        let about = entry.metadata().expect("it is there");
        all.push((entry.path(), about.modified().ok()));
        if about.is_dir() {
            contents(&entry.path(), all);
        }
    }
}

fn manifest(text: &str) {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    contents(folder(), &mut before);
    let parse = || {
        let source = Source { path: folder().join("app.toml"), text: text.into() };
        Manifest::parse(source, &folder().join("home"))
    };
    match parse() {
        Ok(manifest) => {
            let again = parse().expect("it was accepted");
            let shown = |manifest: &Manifest| {
                let Manifest { name, modules, registries, budget, root, command_keys, source: _ } = manifest;
                format!("{name} {modules:?} {registries:?} {budget:?} {root:?} {command_keys:?}")
            };
            assert_eq!(shown(&manifest), shown(&again));
            assert!(!manifest.name.is_empty());
            let within = |place: &std::ops::Range<usize>| text.get(place.clone()).is_some();
            assert!(manifest.modules.iter().all(|module| within(&module.place)));
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(error.to_string().len() <= text.len() + (16 << 10), "{} bytes of words", error.to_string().len());
            if let Some(place) = error.place() {
                assert!(text.get(place.span.clone()).is_some(), "{:?} is no place in {text:?}", place.span);
                assert!(place.line() <= text.lines().count().max(1) + 1, "{place}");
                assert!(place.column() <= text.len() + 1, "{place}");
            }
            assert!(error.remedy().is_none_or(|remedy| !remedy.is_empty()));
        }
    }
    contents(folder(), &mut after);
    assert_eq!(before, after, "a file was touched");
}

/// What is shown can be read, and is the same.
fn units(text: &str) {
    fn shown<T: FromStr + Display + Debug + PartialEq>(text: &str) {
        if let Ok(value) = text.parse::<T>() {
            assert_eq!(value.to_string().parse().ok().as_ref(), Some(&value), "{text}");
        }
    }
    shown::<Size>(text);
    shown::<Time>(text);
    shown::<ShutdownWord>(text);
    shown::<HibernateAfter>(text);
    if let Ok(pid) = text.parse::<Pid>() {
        assert_eq!(pid.to_text().parse(), Ok(pid), "{text}");
    }
}

/// A manifest with sections where they belong, and anything in them.
fn drawn(input: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let mut text = String::new();
    if input.ratio(7, 8)? {
        text += "name = \"app\"\n";
    }
    lines(input, &mut text, 2)?;
    for section in ["modules.a", "modules.b", "registries"] {
        if input.ratio(3, 4)? {
            text += &format!("[{section}]\n");
            if section != "registries" && input.ratio(7, 8)? {
                text += "path = \"a.wasm\"\n";
            }
            lines(input, &mut text, 3)?;
        }
    }
    supervisor(input, &mut text, "supervisor", 0)?;
    Ok(text)
}

fn supervisor(input: &mut Unstructured<'_>, text: &mut String, path: &str, depth: u32) -> arbitrary::Result<()> {
    *text += &format!("[{path}]\n");
    lines(input, text, 3)?;
    for number in 0..input.int_in_range(0..=3_u8)? {
        *text += &format!("[[{path}.children]]\nid = \"c{number}\"\n");
        if depth < 3 && input.ratio(1, 4)? {
            lines(input, text, 2)?;
            supervisor(input, text, &format!("{path}.children.supervisor"), depth + 1)?;
        } else {
            *text += "module = \"a\"\n";
            lines(input, text, 3)?;
        }
    }
    Ok(())
}

fn lines(input: &mut Unstructured<'_>, text: &mut String, most: u32) -> arbitrary::Result<()> {
    for _ in 0..input.int_in_range(0..=most)? {
        let key = *input.choose(WORDS)?;
        let key =
            if key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) { key } else { "x" };
        *text += &format!("{key} = {}\n", value(input, 3)?);
    }
    Ok(())
}

fn value(input: &mut Unstructured<'_>, depth: u32) -> arbitrary::Result<String> {
    Ok(match input.int_in_range(0..=if depth == 0 { 4 } else { 6_u8 })? {
        0 => input.arbitrary::<i64>()?.to_string(),
        1 => input.int_in_range(0..=1000_u32)?.to_string(),
        2 => input.arbitrary::<bool>()?.to_string(),
        3 => format!("{:?}", *input.choose(WORDS)?),
        4 => toml::Value::String(input.arbitrary::<&str>()?.chars().take(20).collect()).to_string(),
        5 => {
            let values: arbitrary::Result<Vec<_>> =
                (0..input.int_in_range(0..=3_u8)?).map(|_| value(input, depth - 1)).collect();
            format!("[{}]", values?.join(", "))
        }
        _ => {
            let mut pairs = Vec::new();
            for _ in 0..input.int_in_range(0..=3_u8)? {
                pairs.push(format!("{:?} = {}", *input.choose(WORDS)?, value(input, depth - 1)?));
            }
            format!("{{ {} }}", pairs.join(", "))
        }
    })
}
