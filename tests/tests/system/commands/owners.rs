//! A program whose output goes to a server: line after line as messages, and what becomes of it when nobody takes them.

use serde_json::{Value, json};
use skep_runtime::SYSTEM_TIMEOUT;
use skep_runtime::kernel::Limits;
use skep_runtime::kernel::supervisor::Restart;
use skep_runtime::spec::Input;
use skep_tests::app::supervisor;
use skep_tests::{Child, MODES, TestApp, eventually};

use super::program::{IO, WRITE_FAILS};
use super::{app, command, exits, owned_by, types};

/// An owner with these limits, and a program that writes to it.
fn pair(limits: impl FnOnce(&mut Limits)) -> [Child; 2] {
    let cat = owned_by(command("cat", "cat", Input::Messages), "owner");
    [Child::probe("owner").restart(Restart::Permanent).limits(limits), cat]
}

/// A message of raw bytes, as the journal has it.
fn raw(text: &str) -> Value {
    json!({ "info": { "$raw": text.as_bytes() } })
}

/// Waits until the owner has been sent exactly these.
async fn owner_hears(app: &TestApp, expected: &[&str]) {
    let expected: Vec<Value> = expected.iter().map(|text| raw(text)).collect();
    assert_eq!(app.journal("owner", |journal| journal.len() >= expected.len()).await, expected);
}

/// The program ends because it cannot write.
async fn cannot_write(app: &TestApp) {
    exits(app, "cat", &[WRITE_FAILS + IO]).await;
    assert_eq!(app.whereis("cat"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_writes_arrives_at_its_owner_in_order() {
    for keep in MODES {
        let app = app(keep, supervisor(pair(|_| {}))).await;
        for text in ["one\n", "two", "\nthree\n"] {
            types(&app, "cat", text).await;
            // As it is written, and not line by line.
            let heard = |journal: &[Value]| journal.last() == Some(&raw(text));
            app.journal("owner", heard).await;
        }
        owner_hears(&app, &["one\n", "two", "\nthree\n"]).await;
        assert_eq!(app.log_lines("cat"), [], "and nowhere else");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_name_of_the_owner_is_the_owner() {
    for keep in MODES {
        let app = app(keep, supervisor(pair(|_| {}))).await;
        types(&app, "cat", "to the first\n").await;
        owner_hears(&app, &["to the first\n"]).await;
        let (cat, first) = (app.pid("cat"), app.pid("owner"));
        app.runtime.kill(first);
        eventually("its next life", || app.whereis("owner").filter(|pid| *pid != first)).await;
        types(&app, "cat", "to the second\n").await;
        owner_hears(&app, &["to the second\n"]).await;
        assert_eq!(app.whereis("cat"), Some(cat), "it is not linked to its owner");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_owner_a_command_goes_on_until_it_writes() {
    for keep in MODES {
        let [owner, cat] = pair(|_| {});
        let app = app(keep, supervisor([owner.restart(Restart::Temporary), cat])).await;
        let owner = app.pid("owner");
        app.runtime.kill(owner);
        eventually("its end", || (!app.is_alive(owner)).then_some(())).await;
        assert!(app.whereis("cat").is_some());
        types(&app, "cat", "to nobody\n").await;
        cannot_write(&app).await;
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_without_room_makes_the_write_fail() {
    for keep in MODES {
        let app = app(keep, supervisor(pair(|limits| limits.mailbox_messages = 2))).await;
        let owner = app.pid("owner");
        app.runtime.suspend(owner, SYSTEM_TIMEOUT).await.expect("it is between two messages");
        let waiting = || app.runtime.inspect(owner).map_or(0, |owner| owner.process.mailbox_messages);
        for (before, text) in ["one\n", "two\n"].into_iter().enumerate() {
            types(&app, "cat", text).await;
            eventually("it to arrive", || (waiting() > before).then_some(())).await;
        }
        types(&app, "cat", "three\n").await;
        cannot_write(&app).await;
        app.runtime.resume(owner).await.expect("it lives");
        eventually("room for a question", || (waiting() == 0).then_some(())).await;
        owner_hears(&app, &["one\n", "two\n"]).await;
        app.stop().await;
    }
}
