//! Compiled code on disk: who may look at it, when it is used, and what becomes of it when it is damaged.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use skep_runtime::{Engine, EngineConfig, Module};
use skep_tests::guests;

/// A few places only: the pool's reservation is made again for each engine.
fn engine(cache: &Path, slots: u32) -> Engine {
    let config = EngineConfig { slots: Some(slots), cache: Some(cache.to_owned()), ..EngineConfig::default() };
    Engine::new(config).unwrap_or_else(|error| panic!("no engine: {error}"))
}

fn load(engine: &Engine) -> Module {
    let bytes = fs::read(guests::path("counter")).expect("it was built");
    engine.load("counter", &bytes).unwrap_or_else(|error| panic!("it does not load: {error}"))
}

/// What would change if a file were written again.
type File = (PathBuf, u64, SystemTime, Vec<u8>);

fn files(folder: &Path) -> Vec<File> {
    let mut files: Vec<File> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let meta = fs::metadata(&path).expect("a file");
            (path.clone(), meta.ino(), meta.modified().expect("a time"), fs::read(&path).expect("readable"))
        })
        .collect();
    files.sort();
    files
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_second_start_compiles_nothing() {
    let _turn = crate::TURN.blocking_lock();
    let home = tempfile::tempdir().expect("a folder");
    let cache = home.path().join("cache");
    load(&engine(&cache, 2));
    let first = files(&cache);
    assert_eq!(first.len(), 2, "the code and its checksum: {first:?}");
    assert_eq!(mode(&cache), 0o700);
    for (path, ..) in &first {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    load(&engine(&cache, 2));
    assert_eq!(files(&cache), first, "nothing was written");

    load(&engine(&cache, 3));
    assert_eq!(files(&cache).len(), 4, "other settings, other code");
}

#[test]
fn damaged_code_is_never_run_but_compiled_again() {
    let _turn = crate::TURN.blocking_lock();
    let home = tempfile::tempdir().expect("a folder");
    let cache = home.path().join("cache");
    load(&engine(&cache, 2));
    let whole = files(&cache);
    let code = whole.iter().find(|file| file.0.extension().is_some_and(|end| end == "cwasm")).expect("the code");
    let (path, bytes) = (&code.0, &code.3);
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    for damage in [&bytes[..bytes.len() / 2], &[], &flipped] {
        fs::write(path, damage).expect("writable");
        load(&engine(&cache, 2));
        assert_eq!(fs::read(path).expect("readable").len(), bytes.len(), "it is whole again");
        assert_eq!(mode(path), 0o600);
    }
    fs::remove_file(path.with_extension("sum")).expect("there is a checksum");
    load(&engine(&cache, 2));
    assert!(path.with_extension("sum").exists(), "code without a checksum counts for nothing");
}

#[test]
fn a_folder_that_others_can_enter_is_refused() {
    let _turn = crate::TURN.blocking_lock();
    let home = tempfile::tempdir().expect("a folder");
    for open in [0o701, 0o710, 0o755, 0o777] {
        let cache = home.path().join(format!("{open:o}"));
        fs::create_dir(&cache).expect("writable");
        fs::set_permissions(&cache, fs::Permissions::from_mode(open)).expect("own folder");
        let config = EngineConfig { slots: Some(2), cache: Some(cache.clone()), ..EngineConfig::default() };
        let refused = Engine::new(config).expect_err("refused").to_string();
        assert!(refused.contains("chmod 700"), "{refused}");
        assert_eq!(files(&cache), []);
    }
}
