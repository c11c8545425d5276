//! Keys, signatures and the rule about them, on real files; and against the `minisign` of the system, where there is one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::admission::{Admission, BadKey, NotAdmitted, Signer};
use super::secret::{self, Locked, Pair, Secret, SigningError};
use super::{SIGNATURE_BYTES, beside, path};

const CODE: &[u8] = b"\0asm, and so on";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn key(folder: &Path, name: &str) -> (Secret, Signer) {
    let Pair { secret, public, key } = secret::create(&folder.join(name), None).expect("nothing is there");
    let signer = Signer::given(public.to_str().expect("plain")).expect("it is a key");
    assert_eq!(Admission::SignedBy(vec![signer.clone()]).keys(), [key]);
    (Locked::read(&secret).expect("it is there").without_password().expect("it has none"), signer)
}

#[test]
fn only_what_was_signed_with_a_trusted_key_and_is_unchanged_is_admitted() {
    let folder = folder();
    let (first, first_signer) = key(folder.path(), "first");
    let (second, second_signer) = key(folder.path(), "second");
    let (other, _) = key(folder.path(), "other");
    let sign = |key: &Secret| key.sign(CODE, "file:m.wasm").expect("it signs");
    let good = sign(&first);
    let admission = Admission::SignedBy(vec![first_signer, second_signer]);
    let other_key = NotAdmitted::OtherKey { trusted: admission.keys() };

    let mut changed_code = CODE.to_vec();
    changed_code[5] ^= 1;
    let of_other_code = first.sign(b"other code", "file:m.wasm").expect("it signs");
    type Row<'a> = (&'a str, &'a [u8], Option<String>, Result<(), NotAdmitted>);
    let table: [Row<'_>; 12] = [
        ("the first key", CODE, Some(good.clone()), Ok(())),
        ("the second key", CODE, Some(sign(&second)), Ok(())),
        ("no signature", CODE, None, Err(NotAdmitted::Unsigned)),
        ("a key that is not trusted", CODE, Some(sign(&other)), Err(other_key)),
        ("a flipped bit", &changed_code, Some(good.clone()), Err(NotAdmitted::Tampered)),
        ("a byte more", b"\0asm, and so on.", Some(good.clone()), Err(NotAdmitted::Tampered)),
        ("nothing at all", b"", Some(good.clone()), Err(NotAdmitted::Tampered)),
        ("the signature of other code", CODE, Some(of_other_code), Err(NotAdmitted::Tampered)),
        ("another comment", CODE, Some(good.replace("m.wasm", "n.wasm")), Err(NotAdmitted::Tampered)),
        ("text", CODE, Some("hello".to_owned()), Err(NotAdmitted::Malformed)),
        ("an empty file", CODE, Some(String::new()), Err(NotAdmitted::Malformed)),
        ("half a signature", CODE, Some(good[..good.len() / 2].to_owned()), Err(NotAdmitted::Malformed)),
    ];
    for (what, code, signature, expected) in table {
        assert_eq!(admission.check(code, signature.as_deref()), expected, "{what}");
        assert_eq!(Admission::Anyone.check(code, signature.as_deref()), Ok(()), "{what}, without a rule");
    }
}

#[test]
fn the_rule_outlives_the_node_and_a_damaged_one_is_not_taken_for_none() {
    let folder = folder();
    let (_, signer) = key(folder.path(), "k");
    let home = folder.path();
    assert!(matches!(Admission::remembered(home), Ok(Admission::Anyone)));
    let rule = Admission::SignedBy(vec![signer.clone(), signer]);
    rule.remember(home).expect("it can be written");
    assert_eq!(Admission::remembered(home).expect("it is there").keys(), rule.keys());
    for damaged in ["", "RW", "\n"] {
        fs::write(home.join("signers"), damaged).expect("it is ours");
        assert!(matches!(Admission::remembered(home), Err(BadKey::Damaged { line: 1, .. })), "{damaged:?}");
    }
    Admission::Anyone.remember(home).expect("it can be removed");
    Admission::Anyone.remember(home).expect("it need not be there");
    assert!(matches!(Admission::remembered(home), Ok(Admission::Anyone)));
    for (text, is_malformed) in [("k.key", true), ("none.pub", false)] {
        let given = Signer::given(home.join(text).to_str().expect("plain")).expect_err(text);
        assert_eq!(matches!(given, BadKey::Malformed(_)), is_malformed, "{given}");
    }
}

#[test]
fn a_secret_key_is_its_owners_and_is_never_written_over() {
    let folder = folder();
    let name = folder.path().join("k");
    let Pair { secret, public, .. } = secret::create(&name, Some("open sesame".to_owned())).expect("nothing is there");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&secret), 0o600);
    let before = fs::read(&secret).expect("it is there");
    assert!(matches!(secret::create(&name, None), Err(SigningError::File { action: "create", .. })));
    fs::remove_file(&public).expect("it is ours");
    assert!(secret::create(&name, None).is_err(), "one of the two is enough");
    assert_eq!(fs::read(&secret).expect("it is there"), before);

    let locked = || Locked::read(&secret).expect("it is there");
    assert!(locked().without_password().is_none());
    assert!(matches!(locked().open("Open sesame".to_owned()), Err(SigningError::WrongPassword(_))));
    assert!(locked().open("open sesame".to_owned()).is_ok());
    fs::write(&secret, "hello\nworld\n").expect("it is ours");
    assert!(matches!(locked().open(String::new()), Err(SigningError::NotAKey(_))));
}

#[test]
fn a_signature_is_the_small_file_beside() {
    let folder = folder();
    let module = folder.path().join("m.wasm");
    assert_eq!(beside(&module).expect("there is none"), None);
    fs::write(path(&module), "text").expect("it is ours");
    assert_eq!(beside(&module).expect("it is there").as_deref(), Some("text"));
    fs::write(path(&module), "x".repeat(SIGNATURE_BYTES + 1)).expect("it is ours");
    assert!(beside(&module).is_err());
}

/// Debian's `minisign` in this folder; none where it is not installed.
#[allow(clippy::print_stderr, reason = "a test that checks nothing says so")]
fn minisign(folder: &Path, arguments: &[&str], password: &str) -> Option<bool> {
    let mut command = Command::new("minisign");
    let started = command.args(arguments).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let Ok(mut child) = started else {
        eprintln!("there is no `minisign`: nothing is compared with it");
        return None;
    };
    use std::io::Write as _;
    // It may want none, and then does not read.
    let _ = child.stdin.take().expect("it is piped").write_all(password.as_bytes());
    Some(child.wait().expect("it ran").success())
}

#[test]
fn ours_and_debians_minisign_verify_each_other() {
    let folder = folder();
    let home = folder.path();
    fs::write(home.join("m.wasm"), CODE).expect("it is ours");
    for (name, password) in [("plain", None), ("locked", Some("open sesame"))] {
        // Theirs is given our key files, then ours theirs.
        let twice = password.map(|password| format!("{password}\n{password}\n")).unwrap_or_default();
        let once = password.map(|password| format!("{password}\n")).unwrap_or_default();
        let ours = secret::create(&home.join(name), password.map(str::to_owned)).expect("nothing is there");
        let flag: &[&str] = if password.is_none() { &["-W"] } else { &[] };
        let (their_key, their_public) = (format!("{name}-theirs.key"), format!("{name}-theirs.pub"));
        let made = minisign(home, &[&["-G", "-p", &their_public, "-s", &their_key], flag].concat(), &twice);
        let Some(made) = made else { return };
        assert!(made, "{name}: minisign makes a key");

        for (key, public) in [(format!("{name}.key"), format!("{name}.pub")), (their_key, their_public)] {
            let signer = Signer::given(home.join(&public).to_str().expect("plain")).expect("it is a key");
            let admission = Admission::SignedBy(vec![signer]);
            let locked = Locked::read(&home.join(&key)).expect("it is there");
            let secret = match password {
                None => locked.without_password().expect("it has no password"),
                Some(password) => locked.open(password.to_owned()).expect("it is the password"),
            };
            // We sign, they verify.
            let signature = secret.sign(CODE, "file:m.wasm").expect("it signs");
            assert_eq!(admission.check(CODE, Some(&signature)), Ok(()), "{key}");
            fs::write(path(&home.join("m.wasm")), signature).expect("it is ours");
            assert_eq!(minisign(home, &["-V", "-q", "-p", &public, "-m", "m.wasm"], ""), Some(true), "{key}");
            // They sign, we verify.
            let signed = minisign(home, &[&["-S", "-s", &key, "-m", "m.wasm"], flag].concat(), &once);
            assert_eq!(signed, Some(true), "{key}");
            let signature = beside(&home.join("m.wasm")).expect("it is there");
            assert_eq!(admission.check(CODE, signature.as_deref()), Ok(()), "{key}");
            let changed = admission.check(b"other code", signature.as_deref());
            assert_eq!(changed, Err(NotAdmitted::Tampered), "{key}");
            // The old kind, which passes the whole code through the signing function.
            let legacy = minisign(home, &[&["-S", "-l", "-s", &key, "-m", "m.wasm"], flag].concat(), &once);
            assert_eq!(legacy, Some(true), "{key}");
            let signature = beside(&home.join("m.wasm")).expect("it is there");
            assert_eq!(admission.check(CODE, signature.as_deref()), Err(NotAdmitted::Legacy), "{key}");
        }
        drop(ours);
    }
}
