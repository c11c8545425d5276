//! Guests that try to get out of the one folder they were granted, or to be kept waiting in it.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, FileType, Mode};
use skep_runtime::kernel::{FileLimits, Limits};
use skep_runtime::spec::{Access, FolderGrant, Grants};

use crate::scene::Scene;
use crate::script::{Do, answered, errno, guest};
use crate::suite::{Seen, crimes};

crimes! {
    Paths;

    a_way_up: "opens `../secret`", Refused("EPERM"), 32 MiB => |scene| tried(scene, &[Do::Read("../secret")]);
    a_way_up_and_down: "opens `./../in/../secret`", Refused("EPERM"), 32 MiB => |scene| tried(scene, &[Do::Read("./../in/../secret")]);
    an_absolute_path: "opens `/etc/passwd`", Refused("EPERM"), 32 MiB => |scene| tried(scene, &[Do::Read("/etc/passwd")]);
    a_link_that_was_there: "opens a link that leads out", Refused("EPERM"), 32 MiB =>
        |scene| tried(scene, &[Do::Read("up")]);
    a_link_of_its_own: "makes a link that leads out, and opens it", Refused("EPERM"), 32 MiB =>
        |scene| tried(scene, &[Do::Link("../secret", "own"), Do::Read("own")]);
    an_absolute_link: "makes a link to `/etc/passwd`", Refused("EPERM"), 32 MiB =>
        |scene| tried(scene, &[Do::Link("/etc/passwd", "own")]);
    a_hard_link: "makes a hard link to what is outside", Refused("EPERM"), 32 MiB =>
        |scene| tried(scene, &[Do::HardLink("../secret", "mine")]);
    a_renaming: "moves what is outside into its folder", Refused("EPERM"), 32 MiB =>
        |scene| tried(scene, &[Do::Rename("../secret", "mine")]);
    a_removal: "removes what is outside", Refused("EPERM"), 32 MiB => |scene| tried(scene, &[Do::Remove("../secret")]);
    a_file_outside: "creates a file outside", Refused("EPERM"), 32 MiB => |scene| tried(scene, &[Do::Create("../new")]);
    the_root_of_a_process: "goes through `/proc/self/root`", Refused("EPERM"), 32 MiB =>
        |scene| tried(scene, &[Do::Read("root/etc/passwd")]);
    a_name_too_long: "creates a file with a name of 5,000 bytes", Refused("ENAMETOOLONG"), 32 MiB =>
        |scene| tried(scene, &[Do::Create("x".repeat(5_000).leak())]);
    a_path_too_deep: "opens a path of 3,000 folders", Refused("ENAMETOOLONG"), 32 MiB =>
        |scene| tried(scene, &[Do::Read("a/".repeat(3_000).leak())]);
    a_nul_in_a_name: "opens a name with a NUL in it", Refused("EINVAL"), 32 MiB => |scene| tried(scene, &[Do::Read("secret\0.txt")]);
    a_fifo: "opens a FIFO, which would wait for its other end", Refused("EPERM"), 32 MiB => |scene| tried(scene, &[Do::Read("fifo")]);
    a_fifo_to_write: "opens a FIFO to write", Refused("EPERM"), 32 MiB => |scene| tried(scene, &[Do::Create("fifo")]);
    a_socket: "opens a socket", Refused("EPERM"), 32 MiB => |scene| tried(scene, &[Do::Read("socket")]);
    a_device: "opens a device", Refused("EPERM"), 32 MiB => |scene| tried(scene, &[Do::Read("device")]);
    a_full_disk: "writes more than it may", Refused("ENOSPC"), 32 MiB =>
        |scene| tried(scene, &[Do::Create("a"), Do::Write(4, 60_000), Do::Write(4, 60_000)]);
    a_file_that_is_mostly_a_hole: "makes a file 1 TiB long", Refused("ENOSPC"), 32 MiB =>
        |scene| tried(scene, &[Do::Create("a"), Do::Size(4, 1 << 40)]);
    too_many_open_files: "opens more files than it may", Refused("EDQUOT"), 32 MiB =>
        |scene| tried(scene, &[Do::Create("a"), Do::Create("a"), Do::Create("a"), Do::Create("a"), Do::Create("a")]);
    a_race_for_a_link: "opens a name that is a file at one moment and a way out at the next", Refused("EPERM"), 48 MiB =>
        |scene| race(scene);
    without_a_grant: "opens a file, and was granted no folder", Refused("EBADF"), 32 MiB =>
        |scene| answers(scene, &[Do::Read("file")], Grants::default());
}

/// What a folder may have in it that leads out, or blocks.
fn traps(folder: &Path) {
    symlink("../secret", folder.join("up")).expect("it is ours");
    symlink("/proc/self/root", folder.join("root")).expect("it is ours");
    let node = |name: &str, kind, device| {
        rustix::fs::mknodat(CWD, folder.join(name), kind, Mode::from_raw_mode(0o666), device)
    };
    node("fifo", FileType::Fifo, 0).expect("it can be made");
    node("socket", FileType::Socket, 0).expect("it can be made");
    let null = rustix::fs::stat("/dev/null").expect("it is there").st_rdev;
    if node("device", FileType::CharacterDevice, null).is_err() {
        // Only root can make one. A socket is refused for the same reason.
        node("device", FileType::Socket, 0).expect("it can be made");
    }
}

fn granted(scene: &Scene) -> Grants {
    let folder = FolderGrant { host: scene.folder.path().join("in"), guest: "/data".into(), access: Access::Write };
    Grants { folders: vec![folder], ..Grants::default() }
}

async fn tried(scene: &Scene, steps: &[Do]) -> Seen {
    traps(&scene.folder.path().join("in"));
    answers(scene, steps, granted(scene)).await
}

/// What the last step answers; those before it must succeed.
async fn answers(scene: &Scene, steps: &[Do], grants: Grants) -> Seen {
    let files = FileLimits { written_bytes: 100_000, open: 4 };
    let seen = scene.run_with(guest(steps), Limits { files, ..Limits::default() }, grants).await;
    assert!(matches!(seen, Seen::Nothing), "it goes on: {seen:?}");
    let answers = answered(&scene.logged().concat());
    untouched(scene);
    let (last, others) = answers.split_last().expect("an answer for each");
    assert!(others.iter().all(|answer| *answer == errno::OK), "{answers:?}");
    told(*last)
}

fn told(number: u32) -> Seen {
    let name = match number {
        errno::OK => return Seen::Nothing,
        8 => "EBADF",
        errno::DQUOT => "EDQUOT",
        errno::INVAL => "EINVAL",
        errno::NAMETOOLONG => "ENAMETOOLONG",
        errno::NOENT => "ENOENT",
        errno::NOSPC => "ENOSPC",
        errno::PERM => "EPERM",
        _ => return Seen::Refused(format!("error {number}")),
    };
    Seen::Refused(name.to_owned())
}

/// What is outside is as it was.
fn untouched(scene: &Scene) {
    let outside = scene.folder.path();
    assert_eq!(std::fs::read_to_string(outside.join("secret")).expect("it is there"), "secret");
    assert_eq!(std::fs::read_dir(outside).expect("it is ours").count(), 2, "`in` and `secret`");
}

/// Somebody swaps a file for a link all the while; each time it is opened it is either the file, or refused.
async fn race(scene: &Scene) -> Seen {
    let within = scene.folder.path().join("in");
    std::fs::write(within.join("file"), "fine").expect("it is ours");
    symlink("../secret", within.join("out")).expect("it is ours");
    let over = Arc::new(AtomicBool::new(false));
    let swapper = {
        let over = over.clone();
        std::thread::Builder::new().name("paths::swapper".into()).spawn(move || {
            for thing in ["file", "out"].into_iter().cycle() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let next = within.join("next");
                std::fs::hard_link(within.join(thing), &next).expect("it can be linked");
                std::fs::rename(&next, within.join("moving")).expect("it can be replaced");
                let _ = std::fs::remove_file(&next);
            }
        })
    };
    let steps: Vec<Do> = (0..50).flat_map(|_| [Do::Read("moving"), Do::Close(4)]).collect();
    let limits = Limits::default();
    let seen = scene.run_with(guest(&steps), limits, granted(scene)).await;
    assert!(matches!(seen, Seen::Nothing), "{seen:?}");
    let (mut opened, mut refused) = (0, 0);
    while opened == 0 || refused == 0 {
        let lines = scene.logged();
        let answers: Vec<u32> = lines.iter().flat_map(|line| answered(line)).collect();
        opened = answers.iter().filter(|answer| **answer == errno::OK).count();
        refused = answers.iter().filter(|answer| **answer == errno::PERM).count();
        assert!(lines.len() < 400, "it never saw both");
        scene.again().await;
    }
    over.store(true, Ordering::Relaxed);
    swapper.expect("a thread").join().expect("it only swaps");
    untouched(scene);
    Seen::Refused("EPERM".to_owned())
}
