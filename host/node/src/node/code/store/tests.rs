//! The store on a disk: what it hands out is what it was given, or an error.

use super::*;
use crate::node::code::CodeId;

fn store(folder: &Path) -> Store {
    let (store, damage) = Store::open(folder.join("modules")).expect("it can be opened");
    assert_eq!(damage, None);
    store
}

fn code(text: &str, version: u32) -> CodeId {
    CodeId { digest: digest(text.as_bytes()), version: Some(version) }
}

fn arrival<'a>(code: &'a CodeId, text: &'a str) -> Arrival<'a> {
    Arrival { app: "a", module: "m", code, bytes: text.as_bytes(), origin: "m.wasm", signature: None }
}

fn wasm_files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder.join("modules")).expect("it is there");
    entries
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|e| e == "wasm")))
        .count()
}

#[test]
fn what_is_kept_outlives_the_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (code("one", 1), code("two", 2));
    {
        let store = store(folder.path());
        store.started(arrival(&one, "one"), &[]).expect("kept");
        store.upgraded(arrival(&two, "two"), &one.digest, &[]).expect("kept");
    }
    let store = store(folder.path());
    let ran = store.ran("a", "m");
    assert_eq!(ran.before(&two.digest), Some(one.digest.as_str()));
    let kept = ran.get(&one.digest).expect("it is kept");
    assert_eq!((kept.origin.as_str(), kept.bytes, kept.code.version), ("m.wasm", 3, Some(1)));
    assert_eq!(store.bytes(kept).expect("it is sound"), b"one");
    assert_eq!(store.ran("a", "other"), Ran::default());
    let mode = fs::metadata(store.path(&one.digest)).expect("it is there");
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&mode) & 0o777, 0o600);
}

#[test]
fn damaged_and_missing_code_is_refused_and_mended_when_it_comes_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let one = code("one", 1);
    store.started(arrival(&one, "one"), &[]).expect("kept");
    let ran = store.ran("a", "m");
    let kept = ran.get(&one.digest).expect("it is kept");

    fs::write(store.path(&one.digest), "0ne").expect("it is ours");
    let damaged = store.bytes(kept).expect_err("it has another digest");
    assert!(matches!(damaged, StoreError::Damaged { .. }), "{damaged}");
    assert!(damaged.remedy().contains("m.wasm"), "{}", damaged.remedy());
    fs::remove_file(store.path(&one.digest)).expect("it is ours");
    let missing = store.bytes(kept).expect_err("it is gone");
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");

    store.started(arrival(&one, "one"), &[]).expect("kept");
    assert_eq!(store.bytes(kept).expect("it is sound again"), b"one");
}

#[test]
fn what_is_forgotten_is_deleted_unless_another_module_has_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let texts: Vec<String> = (0..15).map(|number| format!("code {number}")).collect();
    let first = code(&texts[0], 1);
    let elsewhere = Arrival { module: "other", ..arrival(&first, &texts[0]) };
    store.started(elsewhere, &[]).expect("kept");
    store.started(arrival(&first, &texts[0]), &[]).expect("kept");
    for pair in texts.windows(2) {
        let (left, next) = (code(&pair[0], 1), code(&pair[1], 1));
        store.upgraded(arrival(&next, &pair[1]), &left.digest, &[]).expect("kept");
    }
    assert_eq!(store.ran("a", "m").get(&first.digest), None);
    assert_eq!(wasm_files(folder.path()), 10 + 1);
    // As a crash leaves it: the file is there, and no index speaks of it.
    fs::write(store.path(&digest(b"orphan")), "orphan").expect("it is ours");
    let half = store.path(&digest(b"half")).with_extension("half");
    fs::write(&half, "ha").expect("it is ours");
    store.rolled_back("a", "m", &code(&texts[13], 1).digest, &[]).expect("noted");
    assert_eq!(wasm_files(folder.path()), 10 + 1);
    assert!(!half.exists());
}

#[test]
fn an_index_that_makes_no_sense_is_put_aside_and_the_node_can_run() {
    let bad_digest = r#"{"format":1,"apps":{"a":{"m":{"line":[],"kept":[{"code":{"digest":"../../x","version":1},"bytes":1,"came_ms":0,"origin":""}]}}}}"#;
    for bad in ["{", r#"{"format":2,"apps":{}}"#, bad_digest] {
        let folder = tempfile::tempdir().expect("a folder");
        let one = code("one", 1);
        store(folder.path()).started(arrival(&one, "one"), &[]).expect("kept");
        for _ in 0..2 {
            fs::write(folder.path().join("modules/index.json"), bad).expect("it is ours");
            let (store, damage) = Store::open(folder.path().join("modules")).expect("it can be opened");
            assert!(damage.is_some_and(|damage| damage.contains("modules.damaged")), "{bad}");
            assert_eq!(store.ran("a", "m"), Ran::default());
        }
        assert!(folder.path().join("modules.damaged/index.json").is_file());
    }
}
