//! Guests that try to get out of a folder, to block for ever in it, and to fill the disk.

use std::fs;
use std::future::{Future, poll_fn};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use rustix::fs::{CWD, FileType, Mode};
use skep_kernel::budget::{Budget, BudgetSpec, Resource, Turn};
use skep_kernel::{FileLimits, Limits, Time};
use tempfile::TempDir;

use super::recorder::Recorder;
use super::running::{Running, answers, module, writes};
use super::script::Do;
use super::script::errno::{DQUOT, EXIST, INVAL, ISDIR, LOOP, NAMETOOLONG, NOENT, NOSPC, NOTDIR, OK, PERM};
use super::{cast, ready};
use crate::engine::InstantiateError;

/// A folder that is granted, `in`, and a secret beside it.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = tempfile::tempdir().expect("a folder");
        fs::create_dir(site.path().join("in")).expect("it is ours");
        fs::write(site.path().join("secret"), "secret").expect("it is ours");
        Site(site)
    }

    fn granted(&self) -> std::path::PathBuf {
        self.0.path().join("in")
    }

    fn node(&self, name: &str, kind: FileType) {
        let path = self.granted().join(name);
        rustix::fs::mknodat(CWD, &path, kind, Mode::from_raw_mode(0o666), 0).expect("it can be made");
    }
}

fn tried(site: &Site, steps: &[Do]) -> Vec<u32> {
    answers(&site.granted(), &Limits::default(), steps)
}

#[test]
fn no_path_leads_out_of_a_folder() {
    let site = Site::new();
    symlink("../secret", site.granted().join("up")).expect("it is ours");
    symlink("/etc", site.granted().join("etc")).expect("it is ours");
    symlink("/proc/self/root", site.granted().join("root")).expect("it is ours");
    let long: &'static str = "x".repeat(5_000).leak();
    let deep: &'static str = "a/".repeat(3_000).leak();
    use Do::{Append, Create, Folder, HardLink, Link, Look, MakeFolder, Read, Remove, Rename, Touch};
    let steps = [
        (Read("../secret"), PERM),
        (Read("a/../../secret"), NOENT),
        (Read("./../secret"), PERM),
        (Read("/etc/passwd"), PERM),
        (Read("up"), PERM),
        (Read("etc/passwd"), PERM),
        (Read("root/etc/passwd"), PERM),
        (Folder(".."), PERM),
        (Folder("root"), PERM),
        (Create("../new"), PERM),
        (Append("up"), PERM),
        (Touch("up"), PERM),
        (Look("up"), PERM),
        (MakeFolder("../new"), PERM),
        (Remove("../secret"), PERM),
        (Rename("../secret", "mine"), PERM),
        (HardLink("../secret", "mine"), PERM),
        (Link("/etc/passwd", "own"), PERM),
        (Link("../secret", "own"), OK),
        (Read("own"), PERM),
        (Read("secret\0.txt"), INVAL),
        (Create("\0"), INVAL),
        (Read(""), NOENT),
        (Create(long), NAMETOOLONG),
        (Read(deep), NAMETOOLONG),
        (Do::ReadNoLink("own"), LOOP),
        (Folder("."), OK),
        (Create("."), ISDIR),
        (Create("kept"), OK),
        (Folder("kept"), NOTDIR),
        (MakeFolder("kept"), EXIST),
    ];
    let (steps, expected): (Vec<Do>, Vec<u32>) = steps.into_iter().unzip();
    assert_eq!(tried(&site, &steps), expected);
    assert_eq!(fs::read_to_string(site.0.path().join("secret")).expect("it is there"), "secret");
    assert!(!site.0.path().join("new").exists());
}

#[test]
fn what_could_block_for_ever_is_seen_and_not_opened() {
    let site = Site::new();
    site.node("fifo", FileType::Fifo);
    site.node("socket", FileType::Socket);
    symlink("fifo", site.granted().join("link")).expect("it is ours");
    use Do::{Append, Create, HardLink, Look, Read, Remove, Rename, Touch};
    let steps = [
        Read("fifo"),
        Create("fifo"),
        Append("fifo"),
        Read("link"),
        Touch("fifo"),
        Touch("link"),
        Read("socket"),
        Look("fifo"),
        HardLink("fifo", "other"),
        Read("other"),
        Rename("other", "third"),
        Create("third"),
        Do::List,
        Remove("fifo"),
        Read("fifo"),
    ];
    let expected = [PERM, PERM, PERM, PERM, PERM, PERM, PERM, OK, OK, PERM, OK, PERM, OK, OK, NOENT];
    assert_eq!(tried(&site, &steps), expected);
}

#[test]
fn a_device_is_not_opened() {
    let site = Site::new();
    let device = site.granted().join("null");
    let null = rustix::fs::stat("/dev/null").expect("it is there").st_rdev;
    let mode = Mode::from_raw_mode(0o666);
    if rustix::fs::mknodat(CWD, &device, FileType::CharacterDevice, mode, null).is_err() {
        eprintln!("skipped: only root can make a device");
        return;
    }
    assert_eq!(tried(&site, &[Do::Read("null"), Do::Create("null"), Do::Look("null")]), [PERM, PERM, OK]);
}

/// Until it is told to stop, puts one thing and another in the place of a name, by turns.
fn swapping<T>(site: &Site, name: &str, things: [&Path; 2], body: impl FnOnce() -> T) -> T {
    let (stop, place) = (AtomicBool::new(false), site.granted().join(name));
    let next = site.granted().join("next");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for thing in things.into_iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                fs::hard_link(thing, &next).expect("it can be linked");
                fs::rename(&next, &place).expect("it can be replaced");
                // Where both are the same file already, nothing was renamed.
                let _ = fs::remove_file(&next);
            }
        });
        let done = body();
        stop.store(true, Ordering::Relaxed);
        done
    })
}

#[test]
fn swapping_a_file_for_a_fifo_or_a_way_out_gains_nothing() {
    let site = Site::new();
    let within = |name: &str| site.granted().join(name);
    fs::write(within("file"), "fine").expect("it is ours");
    site.node("fifo", FileType::Fifo);
    symlink("../secret", within("out")).expect("it is ours");
    let steps = [Do::Read("moving"), Do::Close(4), Do::Create("moving"), Do::Close(4), Do::Touch("moving")];
    for trap in ["fifo", "out"] {
        swapping(&site, "moving", [&within("file"), &within(trap)], || {
            let module = module(&steps);
            let mut running = Running::new(&module, &writes(&site.granted()), &Limits::default());
            let mut seen = [0; 2];
            for _ in 0..2_000 {
                for answer in running.handle().expect("it goes on") {
                    match answer {
                        OK => seen[0] += 1,
                        PERM => seen[1] += 1,
                        // Nothing was opened that could be closed; or it was being replaced all the time.
                        8 | NOENT | 10 => {}
                        other => panic!("{other}"),
                    }
                }
            }
            assert!(seen[0] > 0 && seen[1] > 0, "it saw both: {seen:?}");
        });
    }
    assert_eq!(fs::read_to_string(site.0.path().join("secret")).expect("it is there"), "secret");
}

#[test]
fn a_granted_folder_that_is_gone_or_replaced_by_a_link_gives_nothing() {
    let site = Site::new();
    fs::create_dir(site.0.path().join("other")).expect("it is ours");
    fs::write(site.0.path().join("other/file"), "secret").expect("it is ours");
    fs::write(site.granted().join("file"), "fine").expect("it is ours");
    let module = module(&[Do::Read("file"), Do::Close(4)]);
    let grants = writes(&site.granted());
    let mut running = Running::new(&module, &grants, &Limits::default());
    assert_eq!(running.handle().expect("it goes on"), [OK, OK]);
    // Removed, and something else under its name: the instance still has what it was given.
    fs::remove_dir_all(site.granted()).expect("it is ours");
    symlink("other", site.granted()).expect("it is ours");
    assert_eq!(running.handle().expect("it goes on")[0], NOENT);
    // The next one gets nothing.
    let refused = |limits: &Limits| match ready(module.instantiate(Recorder::new(), limits, &grants)) {
        Err(InstantiateError::Failed(reason)) => reason.to_string(),
        Err(error) => panic!("no room: {error:?}"),
        Ok(_) => panic!("it started"),
    };
    drop(running);
    assert!(refused(&Limits::default()).contains("a link is on the way to it"));
    fs::remove_file(site.granted()).expect("it is ours");
    assert!(refused(&Limits::default()).contains("No such file"));
}

fn limited(written_bytes: u64, open: usize) -> Limits {
    Limits { files: FileLimits { written_bytes, open }, ..Limits::default() }
}

#[test]
fn what_a_process_writes_in_its_life_is_bounded() {
    let site = Site::new();
    // A new name counts 4096.
    let limits = limited(2 * 4096 + 100, 64);
    let steps = [
        (Do::Create("a"), OK),
        (Do::Create("b"), OK),
        (Do::Write(4, 60), OK),
        (Do::Write(4, 41), NOSPC),
        (Do::Size(4, 1 << 40), NOSPC),
        (Do::Size(4, 50), OK),
        (Do::Append("a"), OK),
        (Do::Write(6, 41), NOSPC),
        // As on a full disk, the stream is of no use any more, but the file is.
        (Do::Close(6), OK),
        (Do::Append("a"), OK),
        (Do::Write(6, 40), OK),
        (Do::Create("c"), NOSPC),
        (Do::MakeFolder("d"), NOSPC),
        (Do::Link("a", "e"), NOSPC),
        (Do::HardLink("a", "f"), NOSPC),
        (Do::Create("b"), OK),
        (Do::Close(4), OK),
        (Do::Close(5), OK),
        (Do::Close(6), OK),
        (Do::Close(7), OK),
    ];
    let (steps, expected): (Vec<Do>, Vec<u32>) = steps.into_iter().unzip();
    let module = module(&steps);
    let mut running = Running::new(&module, &writes(&site.granted()), &limits);
    assert_eq!(running.handle().expect("it goes on"), expected);
    assert_eq!(fs::metadata(site.granted().join("a")).expect("it is there").len(), 90);
    // Nor does the next instance of the process have more.
    let recorder = running.recorder.clone();
    drop(running);
    let mut again = Running::again(&module, &writes(&site.granted()), &limits, recorder);
    assert_eq!(again.handle().expect("it goes on")[2], NOSPC);
    assert_eq!(fs::read_dir(site.granted()).expect("it is there").count(), 2);
}

#[test]
fn so_many_files_are_open_at_once_whatever_holds_them() {
    let site = Site::new();
    let open = || Do::Create("a");
    let steps = [open(), open(), Do::Folder("."), open(), Do::Close(4), open(), Do::Close(5), Do::Close(6), open()];
    let expected = [OK, OK, OK, DQUOT, OK, OK, OK, OK, OK];
    assert_eq!(answers(&site.granted(), &limited(1 << 20, 3), &steps), expected);
}

#[test]
fn a_folder_that_is_read_counts_as_open_until_its_end() {
    let site = Site::new();
    let steps = [Do::Create("a"), Do::List, Do::Close(4), Do::List, Do::Create("a"), Do::List];
    let expected = [OK, DQUOT, OK, OK, OK, DQUOT];
    assert_eq!(answers(&site.granted(), &limited(1 << 20, 1), &steps), expected);
}

#[test]
fn processes_of_an_app_share_the_files_that_may_be_open() {
    let site = Site::new();
    let most = BudgetSpec { open_files: Some(2), ..BudgetSpec::default() };
    let app = Budget::new("app a", None, &most, Time::ZERO);
    let grants = writes(&site.granted());
    let start = |steps: &[Do]| Running::again(&module(steps), &grants, &Limits::default(), Recorder::below(&app));
    let mut one = start(&[Do::Create("a"), Do::Create("b"), Do::Create("c")]);
    let mut other = start(&[Do::Create("d"), Do::Close(4)]);
    assert_eq!(one.handle().expect("it goes on"), [OK, OK, DQUOT]);
    assert_eq!(app.used(Resource::OpenFiles), 2);
    assert_eq!(other.handle().expect("it goes on")[0], DQUOT);
    drop(one);
    assert_eq!(app.used(Resource::OpenFiles), 0, "its files went with it");
    assert_eq!(other.handle().expect("it goes on"), [OK, OK]);
    assert_eq!((app.used(Resource::OpenFiles), app.used(Resource::Blocking)), (0, 0));
}

#[test]
fn an_operation_that_blocks_waits_its_turn_below_the_budgets() {
    let site = Site::new();
    let most = BudgetSpec { blocking_operations: Some(1), ..BudgetSpec::default() };
    let app = Budget::new("app a", None, &most, Time::ZERO);
    use Do::{Append, Close, Create, Look, Read, Remove, Take, Touch, Write};
    // Each of them would take the only turn that there is.
    for step in [Look("."), Read("."), Touch("."), Do::List, Remove("a"), Do::MakeFolder("m"), Create("a")] {
        let mut turn = Turn::new(Arc::clone(&app));
        assert!(ready(poll_once(&mut turn)), "it is the first");
        let mut running =
            Running::again(&module(&[step]), &writes(&site.granted()), &Limits::default(), Recorder::below(&app));
        let waits = ready(async {
            let mut handled = pin!(running.instance.handle(cast(), false));
            // As long as the turn is another's nothing happens, however often it is asked.
            for _ in 0..50 {
                if poll_once(&mut handled).await {
                    return false;
                }
                tokio::task::yield_now().await;
            }
            assert_eq!(app.used(Resource::Blocking), 1);
            drop(turn);
            handled.await.is_ok()
        });
        assert!(waits);
        assert_eq!(app.used(Resource::Blocking), 0);
    }
    let steps = [Create("f"), Write(4, 100), Append("f"), Write(5, 1), Read("f"), Take(6), Close(4), Close(5)];
    let mut running =
        Running::again(&module(&steps), &writes(&site.granted()), &Limits::default(), Recorder::below(&app));
    assert_eq!(running.handle().expect("it goes on"), [OK; 8], "one after the other they all have their turn");
}

/// Whether it is ready when it is polled.
async fn poll_once(future: &mut (impl Future + Unpin)) -> bool {
    poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context).is_ready())).await
}

#[test]
fn files_are_read_and_written_as_ever() {
    let site = Site::new();
    let steps = [
        Do::Create("a"),
        Do::Write(4, 100_000),
        Do::Append("a"),
        Do::Write(5, 7),
        Do::Read("a"),
        Do::Take(6),
        Do::Take(6),
        Do::Touch("a"),
        Do::Rename("a", "b"),
        Do::HardLink("b", "c"),
    ];
    assert_eq!(tried(&site, &steps), [OK; 10]);
    assert_eq!(fs::metadata(site.granted().join("c")).expect("it is there").len(), 100_007);
}
