//! Who is started again after which exit status, and what the new life begins with.

use skep_runtime::kernel::supervisor::{Restart, SupervisorSpec};
use skep_runtime::kernel::{ExitReason, Pid};
use skep_runtime::observe::Report;
use skep_runtime::spec::{Blueprint, Input};
use skep_tests::app::{PATIENCE, supervisor};
use skep_tests::{Child, MODES, TestApp, eventually};

use super::{app, command, ends_input, exits, says, types};

/// A supervisor that gives up at the third end, however long these take to come.
fn strict(child: Child) -> SupervisorSpec<Blueprint> {
    SupervisorSpec { max_restarts: 2, max_seconds: 3_600, ..supervisor([child]) }
}

/// Waits for the next life of a child.
async fn reborn(app: &TestApp, name: &str, before: Pid) -> Pid {
    eventually("its next life", || app.whereis(name).filter(|pid| *pid != before)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_command_reads_its_file_anew_in_each_life_until_its_supervisor_gives_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("input");
    for (restart, text, statuses) in [
        (Restart::Permanent, "one\ntwo\n", &[1, 1, 1][..]),
        (Restart::Transient, "one\ntwo\n", &[1, 1, 1]),
        // Its end with 0 is no crash, and counts all the same.
        (Restart::Permanent, "", &[]),
    ] {
        std::fs::write(&file, text).expect("it is ours");
        for keep in MODES {
            let child = command("cat", "cat", Input::File(file.clone())).restart(restart);
            let app = app(keep, strict(child)).await;
            let gave_up = tokio::time::timeout(PATIENCE, app.runtime.app_gave_up("test")).await;
            assert_eq!(gave_up.expect("it ends").expect("it ran"), Some(ExitReason::Shutdown(None)));
            exits(&app, "cat", statuses).await;
            says(&app, "cat", &text.lines().collect::<Vec<_>>().repeat(3)).await;
            let reports = app.reports();
            let count = |is_it: fn(&&Report) -> bool| reports.iter().filter(is_it).count();
            assert_eq!(count(|report| matches!(report, Report::Restart { child, .. } if &**child == "cat")), 2);
            assert_eq!(count(|report| matches!(report, Report::GaveUp { child, .. } if &**child == "cat")), 1);
            app.runtime.shutdown().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_life_is_typed_to_from_the_start() {
    for keep in MODES {
        let child = command("cat", "cat", Input::Messages).restart(Restart::Permanent);
        let app = app(keep, supervisor([child])).await;
        let first = app.pid("cat");
        types(&app, "cat", "one\n").await;
        says(&app, "cat", &["one"]).await;
        types(&app, "cat", "half a li").await;
        // Nothing of the end of the input, nor of a line that was not over, reaches the next life.
        ends_input(&app, "cat");
        let second = reborn(&app, "cat", first).await;
        types(&app, "cat", "two\n").await;
        says(&app, "cat", &["one", "half a li", "two"]).await;
        exits(&app, "cat", &[2]).await;
        assert_eq!(app.whereis("cat"), Some(second));
        assert!(app.stop().await.is_orderly());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transient_command_is_started_again_unless_its_exit_status_is_0() {
    for keep in MODES {
        let child = command("cat", "cat", Input::Messages).restart(Restart::Transient);
        let app = app(keep, supervisor([child])).await;
        let first = app.pid("cat");
        types(&app, "cat", "one\n").await;
        ends_input(&app, "cat");
        reborn(&app, "cat", first).await;
        exits(&app, "cat", &[1]).await;

        ends_input(&app, "cat");
        let child = || app.runtime.tree("test").expect("it runs").children.swap_remove(0);
        eventually("it to stay down", || (child().status == "stopped").then_some(())).await;
        assert_eq!((child().restarts, child().pid, app.whereis("cat")), (1, None, None));
        exits(&app, "cat", &[1]).await;
        assert!(app.stop().await.is_orderly());
    }
}
