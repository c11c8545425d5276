//! Bytes that are no component, or are one no more.

use skep_tests::guests;

use crate::binary::{around, component, leb, module, section, sized};
use crate::guest::{ZEROS, task};
use crate::scene::Scene;
use crate::suite::{Seen, crimes};

crimes! {
    Bytes;

    nothing_at_all: "no bytes", Refused("not WebAssembly"), 64 MiB => |scene| scene.load(Vec::new());
    text: "text", Refused("not WebAssembly"), 64 MiB => |scene| scene.load(b"(component)".to_vec());
    an_executable: "a program of this machine", Refused("not WebAssembly"), 64 MiB =>
        |scene| scene.load(std::fs::read("/bin/sh").expect("it is there"));
    a_hundred_megabytes_of_zeros: "100 MB of zeros", Refused("not WebAssembly"), 256 MiB => |scene| scene.load(vec![0; 100 << 20]);
    zeros_behind_a_header: "100 MB of zeros behind the header of a component", Refused("damaged"), 512 MiB =>
        |scene| scene.load([component(&[]), vec![0; 100 << 20]].concat());
    a_core_module: "a core module that says nothing of its interfaces", Refused("component-type"), 64 MiB => |scene| scene.load(module(&[]));
    a_version_of_the_future: "a component of an unknown version", Refused("damaged"), 64 MiB => |scene| scene.load(b"\0asm\x0e\0\x01\0".to_vec());
    cut_off_everywhere: "a guest, cut off at each of 60 places", Refused("each of them"), 64 MiB => |scene| cut_off(scene);
    flipped_bits: "a guest with one bit changed, at each of 60 places", Nothing, 384 MiB => |scene| flipped(scene);
    nested_components: "components in components, 2,000 deep", Refused("exports nothing"), 256 MiB => |scene| scene.load(nested(2_000));
    deeper_components: "the same, 20,000 deep", Refused("more than 512 MiB of memory"), 64 MiB =>
        |scene| scene.compile(60, 512, nested(20_000));
    a_huge_count: "sections that say they have four billion entries", Refused("each of them"), 64 MiB => |scene| counts(scene);
    a_huge_length: "a section that says it has four billion bytes", Refused("too large"), 64 MiB =>
        |scene| scene.load([component(&[]), vec![1], leb(u64::from(u32::MAX)), vec![0; 100]].concat());
    a_number_without_end: "a length of a hundred bytes", Refused("representation too long"), 64 MiB =>
        |scene| scene.load([component(&[]), vec![1], vec![0xff; 100]].concat());
    packages_in_a_circle: "a core module whose interfaces are of two packages that need each other", Refused("the compiler's stack"), 64 MiB =>
        |scene| scene.compile(60, 512, of_contract(CIRCLE));
    a_name_that_comes_late: "a core module whose interface uses a type before it names it", Refused("the compiler panics"), 64 MiB =>
        |scene| scene.compile(60, 512, of_contract(NAMED_LATE));
    flipped_contracts: "a core module with one bit of its contract changed, at each of 60 places", Nothing, 64 MiB =>
        |scene| contracts(scene);
    a_name_of_megabytes: "an import with a name of 4 MB", Refused("string size out of bounds"), 128 MiB =>
        |scene| scene.load(around(&module(&[
            section(1, &[1, 0x60, 0, 0]),
            section(2, &[&[1][..], &sized(&[b'x'; 4 << 20]), &sized(b"f"), &[0, 0]].concat()),
        ])));
}

async fn cut_off(scene: &Scene) -> Seen {
    let whole = guests::bytes("trapper");
    let parts = (0..60).map(|part| whole[..whole.len() * part / 60].to_vec()).collect();
    let seen = scene.load_all(parts).await;
    assert!(seen.iter().all(|seen| matches!(seen, Seen::Refused(_))), "a part was taken for the whole: {seen:?}");
    Seen::Refused("each of them".to_owned())
}

/// Either it is refused, or it is a guest like any other: what counts is that nothing else happens.
async fn flipped(scene: &Scene) -> Seen {
    let whole = guests::bytes("spinner");
    let seen = scene.load_all((0..60).map(|number| flip(&whole, 0, number)).collect()).await;
    some_refused(&seen)
}

/// As `flipped`, of what is made a component here, where the compiler's process bears what comes of it.
async fn contracts(scene: &Scene) -> Seen {
    let whole = task("", ZEROS);
    let name = b"component-type";
    let contract = whole.windows(name.len()).position(|bytes| bytes == name).expect("it has a contract") + name.len();
    let changed = (0..60).map(|number| flip(&whole, contract, number));
    let seen = scene.compile_all(60, 512, std::iter::once(whole.clone()).chain(changed).collect()).await;
    assert!(matches!(seen[0], Seen::Nothing), "the module itself is sound: {:?}", seen[0]);
    // What it does not understand, or ends at, does not make a compiler one that does not work.
    let unable = seen.iter().find(|seen| matches!(seen, Seen::Refused(words) if words.contains("does not work")));
    assert!(unable.is_none(), "{unable:?}");
    some_refused(&seen)
}

/// Bytes with one bit changed, at one of 60 places behind the first.
fn flip(whole: &[u8], first: usize, number: usize) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let length = bytes.len() - first;
    bytes[first + (number * (length / 60) + number * number % 97).min(length - 1)] ^= 1 << (number % 8);
    bytes
}

fn some_refused(seen: &[Seen]) -> Seen {
    let refused = seen.iter().filter(|seen| matches!(seen, Seen::Refused(_))).count();
    println!("{refused} of {} were refused", seen.len());
    assert!(refused > 0);
    Seen::Nothing
}

/// A world that no tool writes: `a:a/z` is made of `b:b/y`, which is made of `a:a/x`. Who sorts the packages by what they need
/// comes to no end.
const CIRCLE: &str = r#"
    (import "a:a/x" (instance $x (type $t' (record (field "f" u32))) (export "t" (type (eq $t')))))
    (alias export $x "t" (type $t))
    (import "b:b/y" (instance $y (alias outer 1 $t (type $t')) (export "t" (type (eq $t')))))
    (alias export $y "t" (type $u))
    (import "a:a/z" (instance $z (alias outer 1 $u (type $u')) (export "t" (type (eq $u')))))"#;
/// Another one: who looks for the interface that an alias is of finds none, and takes that to be impossible.
const NAMED_LATE: &str = r#"
    (import "a:a/x" (instance
        (type $o (option u32))
        (type $r (record (field "f" $o)))
        (export "r" (type (eq $r)))
        (export "o" (type (eq $o)))))"#;

/// A core module that says of itself that it fits this world, and nothing else.
fn of_contract(world: &str) -> Vec<u8> {
    let contract = wat::parse_str(format!(
        r#"(component
            (@custom "wit-component-encoding" "\04\00")
            (type (component (type (component {world})) (export "c:c/w" (component (type 0)))))
            (export "w" (type 0)))"#
    ));
    let contract = contract.expect("it is a component");
    module(&[section(0, &[&sized(b"component-type:w")[..], &contract].concat())])
}

fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(component(&[]), |inner, _| component(&[section(4, &inner)]))
}

async fn counts(scene: &Scene) -> Seen {
    let count = leb(u64::from(u32::MAX));
    let in_module = (1..=11).filter(|id| *id != 8).map(|id| around(&module(&[section(id, &count)])));
    let in_component = (2..=11).filter(|id| *id != 4 && *id != 9).map(|id| component(&[section(id, &count)]));
    let seen = scene.load_all(in_module.chain(in_component).collect()).await;
    assert!(seen.iter().all(|seen| matches!(seen, Seen::Refused(_))), "{seen:?}");
    Seen::Refused("each of them".to_owned())
}
