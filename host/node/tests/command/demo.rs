//! `skep demo` as it is typed, on texts that have it in them, against a counter written in Python.
//!
//! The texts are made here, from a seed where they are long. What is compared is the one line that `--json` prints.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use skep::demo::{self, Options};
use skep_runtime::spec::Keep;
use tempfile::TempDir;

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples-wasm/tally/texts/many-voices.txt");
const COUNTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/command/count.py");

/// One home for all of these tests, so that guests are compiled to machine code once.
const HOME: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/demo-home");

fn skep(arguments: &[&str]) -> Output {
    let skep = Command::new(env!("CARGO_BIN_EXE_skep")).args(["--home", HOME]).args(arguments).output();
    skep.expect("skep can be started")
}

/// Python, installed if this is a bare Debian.
fn python() -> Command {
    static THERE: std::sync::Once = std::sync::Once::new();
    THERE.call_once(|| {
        if Command::new("python3").arg("--version").output().is_ok() {
            return;
        }
        for arguments in [&["update"][..], &["install", "-y", "--no-install-recommends", "python3-minimal"]] {
            let done = Command::new("apt-get").args(arguments).stdout(std::process::Stdio::null()).status();
            let done = done.is_ok_and(|status| status.success());
            assert!(done, "these tests need python3; as root: apt-get install python3-minimal");
        }
    });
    Command::new("python3")
}

fn last_line(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().last().unwrap_or_else(|| panic!("no output, but: {errors}"));
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{errors}"))
}

/// What the demo counts in this text, which Python counts as well.
#[track_caller]
fn check(text: &[u8]) -> Value {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("a text, mit Bedacht benannt.txt");
    std::fs::write(&path, text).expect("it can be written");
    check_file(&path)
}

#[track_caller]
fn check_file(path: &Path) -> Value {
    let path = path.to_str().expect("a plain path");
    let output = skep(&["demo", "--json", "--input", path]);
    let ours = last_line(&output);
    assert!(output.status.success(), "{ours}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((&ours["lost"], &ours["doubled"]), (&Value::from(0), &Value::from(0)), "{ours}");
    assert_eq!(ours["upgraded"], true, "{ours}");
    assert!(ours["upgrade_pause_us"].as_u64() > Some(0), "{ours}");
    let output = python().args([COUNTER, path]).output().expect("python3 can be started");
    let python = last_line(&output);
    for field in ["lines", "rejected", "words", "distinct", "top"] {
        assert_eq!(ours[field], python[field], "{field}: ours {ours}, Python's {python}");
    }
    ours
}

fn shipped() -> Vec<u8> {
    std::fs::read(SHIPPED).expect("the project ships it")
}

/// The lines of the shipped text again and again, in an order that the seed decides, until there are so many bytes.
fn long_text(bytes: usize, keep: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let shipped = shipped();
    let lines: Vec<&[u8]> = shipped.split_inclusive(|byte| *byte == b'\n').filter(|line| keep(line)).collect();
    let mut text = Vec::new();
    let mut seed = 0x5eed_u64;
    while text.len() < bytes {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(seed >> 33).expect("31 bits") % lines.len();
        text.extend_from_slice(lines[at]);
    }
    text
}

#[test]
fn the_text_that_the_project_ships() {
    let ours = check_file(Path::new(SHIPPED));
    // Otherwise the demo would not show what it is for.
    assert!(ours["rejected"].as_u64() >= Some(5), "{ours}");
    assert!(ours["restarts"].as_u64() >= ours["rejected"].as_u64(), "{ours}");
    let output = skep(&["demo"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("\nupgraded tally-server 1 -> 2 after "), "{text}");
}

/// How many pieces each version of the server added.
async fn pieces(text: &[u8], parsers: usize, keep: Option<Keep>) -> (u64, u64) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("text");
    std::fs::write(&path, text).expect("it can be written");
    let options = Options { input: Some(path), parsers: Some(parsers), home: Some(HOME.into()), keep };
    let outcome = demo::run(options, Arc::new(())).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(outcome.agrees(), "{outcome:?}");
    assert!(outcome.upgrade.pause > Duration::ZERO && outcome.upgrade.processes == 1, "{outcome:?}");
    assert_eq!(outcome.upgrade.bytes, text.len() as u64);
    if outcome.pieces.0 > 1 {
        assert!(outcome.upgrade.done >= outcome.upgrade.bytes / 2 || outcome.pieces.1 == 1, "{outcome:?}");
    }
    outcome.pieces
}

/// Whatever the size of the file, the number of parsers, and what becomes of the instances of those that wait.
#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_the_server_have_their_share() {
    let line = long_text(100_000, |line| std::str::from_utf8(line).is_ok());
    let long_last = [&b"short\n".repeat(3_000)[..], &[b'x'; 200_000]].concat();
    for (parsers, keep) in [(2, None), (5, Some(Keep::Never))] {
        // One piece, or none, is all that is left for version 2.
        assert_eq!(pieces(b"", parsers, keep).await, (0, 0));
        assert_eq!(pieces(b"one line", parsers, keep).await, (0, 1));
        assert_eq!(pieces(b"\xff", parsers, keep).await, (0, 1));
        // Two at least: a bad line is a piece of its own.
        assert_eq!(pieces(b"One\n\xff", parsers, keep).await, (1, 1));
        assert_eq!(pieces(b"\xff\nTwo\n", parsers, keep).await, (1, 1));
        for text in [line.as_slice(), &long_last] {
            let (old, new) = pieces(text, parsers, keep).await;
            assert!(old >= 1 && new >= 1, "{old} and {new}");
        }
    }
}

/// Lower case can be longer, can depend on what a letter stands beside, and makes words the same that version 1 kept apart.
/// In each half of the file each form occurs, so that both versions meet them and what they count is merged.
#[test]
fn what_lower_case_makes_the_same_is_merged() {
    let forms =
        "The the THE tHe İ I i ΣΑΣ σας Σας ΣΑΣΣ Σ σ ς ὈΔΥΣΣΕΎΣ ὀδυσσεύς Straße STRASSE ẞ ß ǅ Ǆ ǆ Ⅷ ⅷ \u{212a} k Ⓐ ⓐ";
    let text = format!("{forms}\n{}\n", forms.replace(' ', ", ")).repeat(300);
    let ours = check(text.as_bytes());
    let distinct: HashSet<String> = forms.split(' ').map(str::to_lowercase).collect();
    assert_eq!(ours["distinct"], distinct.len(), "{ours}");
}

/// Nearly as many words as a text can have, so that the state is large: version 1 knows each in two forms.
#[test]
fn many_different_words() {
    let mut text = String::new();
    for n in 0..400_000_u32 {
        let separator = if n % 10 == 9 { '\n' } else { ' ' };
        text.push_str(&format!("{}{n:x}{separator}", if n % 2 == 0 { "Wort" } else { "wort" }));
        // The other form comes after the upgrade, or just before it.
        if n >= 200_000 {
            text.push_str(&format!("WORT{:x}{separator}", n - 200_000));
        }
    }
    assert_eq!(check(text.as_bytes())["distinct"], 400_000);
}

#[test]
fn long_texts_in_many_languages() {
    let ours = check(&long_text(6 << 20, |line| std::str::from_utf8(line).is_ok()));
    assert_eq!(ours["restarts"], 0, "{ours}");
    let ours = check(&long_text(1 << 20, |_| true));
    assert!(ours["rejected"].as_u64() >= Some(100), "{ours}");
}

/// Also where no process keeps its instance from one message to the next: nothing that matters is outside the states.
#[test]
fn states_are_whole() {
    let ours = last_line(&skep(&["demo", "--json", "--hibernate-after", "always"]));
    let kept = last_line(&skep(&["demo", "--json"]));
    for field in ["lines", "rejected", "words", "distinct", "top", "lost", "doubled", "upgraded"] {
        assert_eq!(ours[field], kept[field], "{field}");
    }
}

#[test]
fn broken_utf8_of_every_kind() {
    let broken: [&[u8]; 14] = [
        b"\xff",
        b"\x80 a continuation with nothing before it",
        b"cut short \xe2\x82",
        b"cut short at the end of the file \xf0\x9f\x90",
        b"\xc0\xaf the long way round",
        b"\xe0\x80\xaf the longer way round",
        b"\xed\xa0\x80 half of a pair",
        b"\xf4\x90\x80\x80 beyond the last character",
        b"\xf8\x88\x80\x80\x80 five bytes",
        b"\xfe\xff\x00U\x00T\x00F\x00-\x001\x006",
        b"Gr\xfc\xdfe in Latin-1",
        b"good words and \xc3\x28 then a bad pair",
        b"\x00 zeros are fine, \xc3 this is not",
        b"\xe2\x28\xa1",
    ];
    let good = "guter Text, ΤΕΛΟΣ, ½ Ⓐ न\u{93f}\u{94d} \0 \u{10ffff} e\u{301} ﬁ İ ǅ";
    let mut text = Vec::new();
    for line in broken {
        text.extend_from_slice(good.as_bytes());
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.extend_from_slice(broken[3]);
    assert_eq!(check(&text)["rejected"], 15);
}

#[test]
fn small_files_and_their_ends() {
    let table: [(&[u8], u64, u64); 9] = [
        (b"", 0, 0),
        (b"\n", 1, 0),
        (b"\n\n\n", 3, 0),
        (b"word", 1, 1),
        (b"word\n", 1, 1),
        (b"one\ntwo", 2, 2),
        (b"\xff", 1, 0),
        (b"\xff\n", 1, 0),
        (b"one\n\xff", 2, 1),
    ];
    for (text, lines, words) in table {
        let ours = check(text);
        assert_eq!((ours["lines"].as_u64(), ours["words"].as_u64()), (Some(lines), Some(words)), "{text:?}: {ours}");
    }
}

#[test]
fn one_line_of_10_megabytes() {
    let mut line = long_text(10_000_000, |line| std::str::from_utf8(line).is_ok());
    line.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
    assert_eq!(check(&line)["lines"], 1);
    // With neighbours, the second time broken at its very end.
    let text = [b"before\n", line.as_slice(), b"\nbetween\n", line.as_slice(), b"\xff\nafter"].concat();
    let ours = check(&text);
    assert_eq!((&ours["lines"], &ours["rejected"]), (&Value::from(5), &Value::from(1)));
    assert_eq!(check(&vec![b'x'; 10_000_000])["distinct"], 1);
}

#[test]
fn a_file_with_nothing_but_broken_lines() {
    let ours = check(&b"not \xff UTF-8\n".repeat(3_000));
    assert_eq!((&ours["rejected"], &ours["words"]), (&Value::from(3_000), &Value::from(0)));
    assert!(ours["restarts"].as_u64() >= Some(3_000), "{ours}");
    assert!(ours["seconds"].as_f64() > Some(0.0), "{ours}");
}

#[test]
fn what_cannot_be_counted_is_refused_with_a_remedy() {
    let folder = TempDir::new().expect("a folder");
    let too_long = folder.path().join("long");
    std::fs::write(&too_long, [b"one\n".as_slice(), &vec![b'x'; (32 << 20) + 1]].concat()).expect("it can be written");
    let table = [
        (folder.path().join("nothing"), 1, "give the path of a file that is there"),
        (folder.path().to_owned(), 1, "is a folder"),
        ("/dev/zero".into(), 1, "is no regular file"),
        (too_long, 1, "line 2 is longer than 32 MiB"),
    ];
    for (path, code, words) in table {
        let output = skep(&["demo", "--input", path.to_str().expect("a plain path")]);
        let error = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains(words), "{words:?} is missing in: {error}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(skep(&["demo", "--nonsense"]).status.code(), Some(2));
}
