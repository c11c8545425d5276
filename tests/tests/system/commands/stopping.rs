//! What ends a program from outside, what does not stop it for a while, and what it gives back.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use skep_runtime::inspect::{AppUsage, BudgetUsage, Inspection, Waits};
use skep_runtime::kernel::supervisor::{Answer, ChildSpec};
use skep_runtime::kernel::{Address, Body, CallError, ExitReason};
use skep_runtime::spec::{Access, Blueprint, FolderGrant, Input, Keep};
use skep_runtime::system::SystemError;
use skep_runtime::{Request, SYSTEM_TIMEOUT};
use skep_tests::app::supervisor;
use skep_tests::{Child, MODES, TestApp, eventually};

use super::{app, command, says, types};

/// A file to read from, and a folder with a file to hold, which is granted.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["input", "held"] {
            std::fs::write(folder.path().join(name), "one\n").expect("it is ours");
        }
        Site(folder)
    }

    /// A program that opens a file of the folder.
    fn command(&self, module: &str, input: Input) -> Child {
        let folder = FolderGrant { host: self.0.path().into(), guest: "/data".into(), access: Access::Read };
        command("holder", module, input).process(|process| Arc::make_mut(&mut process.grants).folders = vec![folder])
    }

    /// What is open in this program and lies here.
    fn open(&self) -> Vec<PathBuf> {
        let here = self.0.path().canonicalize().expect("it is there");
        let open = std::fs::read_dir("/proc/self/fd").expect("Linux has it");
        let leads = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        leads.filter(|path| path.starts_with(&here)).collect()
    }

    /// Whether the file that programs hold is open. It counts as open from when it is asked for.
    fn is_held(&self) -> bool {
        self.open().iter().any(|path| path.ends_with("held"))
    }
}

async fn add(app: &TestApp, spec: ChildSpec<Blueprint>) {
    let root = app.runtime.root("test").expect("it runs");
    let answer = app.runtime.supervise(root, Request::StartChild(spec)).await;
    assert!(matches!(answer, Ok(Answer::Started(Some(_)))), "{answer:?}");
}

fn usage(app: &TestApp) -> AppUsage {
    app.runtime.usage().into_iter().find(|usage| &*usage.app == "test").expect("it runs")
}

/// What is held, of what a budget counts.
fn held(total: &BudgetUsage) -> [u64; 6] {
    let BudgetUsage { processes, instances, memory_bytes, timers, open_files, blocking_operations, .. } = *total;
    [processes, instances, memory_bytes, timers, open_files, blocking_operations]
}

fn look(app: &TestApp) -> Inspection {
    app.runtime.inspect(app.pid("holder")).expect("it lives")
}

/// Waits until the program stands where it will be ended: it has its file, and waits for input or computes.
async fn gets_there(site: &Site, app: &TestApp, waits: bool) {
    eventually("it to open its file", || site.is_held().then_some(())).await;
    assert_eq!(usage(app).total.open_files, 1);
    if waits {
        // It waits for a message before its worker has left it.
        let waits = |look: Inspection| look.waits_for == Some(Waits::Message) && look.process.status == "blocked";
        eventually("it to wait", || waits(look(app)).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_ended_gives_everything_back_wherever_it_stands() {
    let site = Site::new();
    let input = || Input::File(site.0.path().join("input"));
    let cases = [
        ("holding-cat", Input::Messages, true),
        ("holding-spinner", input(), false),
        ("holding-spinner", Input::Messages, false),
    ];
    for keep in MODES {
        let app = app(keep, supervisor([])).await;
        let before = held(&usage(&app).total);
        assert!(site.open().is_empty());
        for (module, input, waits) in cases.clone() {
            for killed in [true, false] {
                add(&app, site.command(module, input.clone()).spec).await;
                gets_there(&site, &app, waits).await;
                let held_meanwhile = held(&usage(&app).total);
                assert_eq!(held_meanwhile[..2], [before[0] + 1, before[1] + 1], "a process with an instance");
                assert!(held_meanwhile[2] >= before[2] + 65_536, "of a page at least");
                // Whoever calls one that does not read hears of its end.
                let pid = app.pid("holder");
                let (runtime, body) = (app.runtime.clone(), Body::Json(json!("never read\n").to_string()));
                let call = tokio::spawn(async move { runtime.call("test", Address::Pid(pid), body, None).await });
                if !waits {
                    eventually("the call to wait", || (look(&app).process.mailbox_messages == 1).then_some(())).await;
                }
                if killed {
                    app.runtime.kill(pid);
                } else {
                    let root = app.runtime.root("test").expect("it runs");
                    let stop = Request::TerminateChild("holder".into());
                    app.runtime.supervise(root, stop).await.expect("it stops within its time");
                }
                let outcome = call.await.expect("no panic");
                if !waits {
                    let reason = if killed { ExitReason::Killed } else { ExitReason::Shutdown(None) };
                    assert_eq!(outcome, Err(CallError::Ended(reason)));
                }
                let given_back = || (held(&usage(&app).total) == before && site.open().is_empty()).then_some(());
                eventually("everything to be given back", given_back).await;
                assert!(!app.is_alive(pid) && app.crashes("holder").is_empty(), "and it is no crash");
            }
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sys_01_a_command_is_not_suspended_and_goes_on() {
    let site = Site::new();
    for module in ["holding-cat", "holding-spinner"] {
        let app = app(Keep::WhileItFits, supervisor([site.command(module, Input::Messages)])).await;
        let reads = module == "holding-cat";
        gets_there(&site, &app, reads).await;
        let (pid, runtime) = (app.pid("holder"), &app.runtime);
        let refused = Err(SystemError::NotAServer(pid));
        assert_eq!(runtime.suspend(pid, SYSTEM_TIMEOUT).await, refused);
        assert_eq!(runtime.resume(pid).await, refused);
        assert_eq!(runtime.state(pid, SYSTEM_TIMEOUT).await.map(drop), refused);
        assert_eq!(runtime.replace_state(pid, SYSTEM_TIMEOUT, Ok).await.map(drop), refused);
        assert_eq!(look(&app).suspended, None);
        if reads {
            types(&app, "holder", "one\n").await;
            says(&app, "holder", &["one"]).await;
        }
        app.stop().await;
    }
}
