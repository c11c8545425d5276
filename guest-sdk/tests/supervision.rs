//! Supervisors of a guest under the harness: what is started and asked is seen as data, and the test says what comes of it.

#![allow(missing_docs, reason = "a test")]

use std::time::Duration;

use skep_sdk::prelude::*;
use skep_sdk::supervision::{
    Ask, AutoShutdown, Backoff, ChildInfo, Counts, Reply, Restart, Roster, Shutdown, Status, Strategy,
    SupervisionError, What,
};
use skep_sdk::testing::{Action, Harness, World};
use skep_sdk::{Codec, Message};

/// Starts jobs under a supervisor of its own.
#[derive(Serialize, Deserialize)]
struct Foreman {
    jobs: SupervisorRef,
}

/// What the foreman is told to do, with its own supervisor or with another.
#[derive(Serialize, Deserialize)]
enum Order {
    Own(Wish),
    Others(String, Wish),
    Dismiss,
}

#[derive(Clone, Serialize, Deserialize)]
enum Wish {
    Start(String),
    StartListed(String),
    Stop(Pid),
    StopListed(String),
    Restart(String),
    Forget(String),
    List,
    Count,
    Resize(u32),
    Partitions,
    Route(String),
}

#[server]
impl Server for Foreman {
    type Args = Supervisor;
    type Call = Order;
    type Reply = Result<String, SupervisionError>;

    fn init(supervisor: Supervisor, context: &Context) -> Start<Self> {
        Ok(Foreman { jobs: context.start_supervisor(supervisor)? })
    }

    fn handle_call(&mut self, order: Order, _: From<Self>, context: &Context) -> Outcome<Self::Reply> {
        reply(match order {
            Order::Own(wish) => fulfil(&self.jobs, wish, context),
            Order::Others(name, wish) => fulfil(&SupervisorRef::at(name), wish, context),
            Order::Dismiss => {
                self.jobs.stop(context);
                Ok(String::new())
            }
        })
    }
}

fn fulfil(jobs: &SupervisorRef, wish: Wish, context: &Context) -> Result<String, SupervisionError> {
    let shown = |pid: Option<Pid>| format!("{pid:?}");
    match wish {
        Wish::Start(args) => jobs.start_from_template(context, &args).map(shown),
        Wish::StartListed(id) => jobs.start_child(context, ChildSpec::new(id, "job", &())?).map(shown),
        Wish::Stop(pid) => jobs.terminate_pid(context, pid).map(|()| String::new()),
        Wish::StopListed(id) => jobs.terminate_child(context, &id).map(|()| String::new()),
        Wish::Restart(id) => jobs.restart_child(context, &id).map(shown),
        Wish::Forget(id) => jobs.delete_child(context, &id).map(|()| String::new()),
        Wish::List => jobs.which_children(context).map(|children| format!("{}", children.len())),
        Wish::Count => jobs.count_children(context).map(|counts| format!("{counts:?}")),
        Wish::Resize(number) => jobs.resize(context, number).map(|()| String::new()),
        Wish::Partitions => jobs.partitions(context).map(|number| number.to_string()),
        Wish::Route(key) => jobs.route::<Foreman>(context, key).map(|to| to.address().to_string()),
    }
}

skep_sdk::export!(Foreman);

fn job() -> ChildSpec {
    ChildSpec::new("job", "job", &7).expect("a number can be written")
}

fn foreman(world: World, supervisor: Supervisor) -> Harness<Foreman> {
    Harness::start_in(world, supervisor).expect("it starts").always_hibernating()
}

/// What it has asked for since it was looked at last.
fn asked(foreman: &mut Harness<Foreman>) -> Vec<(Address, Ask)> {
    let asked = foreman.actions().into_iter().filter_map(|action| match action {
        Action::AskSupervisor { supervisor, ask } => Some((supervisor, ask)),
        _ => None,
    });
    asked.collect()
}

#[test]
fn a_supervisor_is_seen_as_it_was_described_and_is_linked() {
    let tree = Supervisor::new()
        .rest_for_one()
        .restarts(3, 60)
        .auto_shutdown(AutoShutdown::AnySignificant)
        .backoff(Backoff::new(Duration::from_millis(10), Duration::from_secs(2)))
        .max_children(9)
        .named("jobs")
        .child(job().named("first").transient().significant().shutdown(Shutdown::Infinity))
        .child(ChildSpec::supervisor("below", Supervisor::template(job().temporary())));
    let mut foreman = foreman(World::new(), tree.clone());
    let actions = foreman.actions();
    let [Action::StartSupervisor(started), Action::Link(pid)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(**started, tree);
    assert_eq!(foreman.server().expect("it lives").jobs.pid(), Some(*pid));
    // As the host will read it.
    assert_eq!((started.strategy, started.max_restarts, started.max_seconds), (Strategy::RestForOne, 3, 60));
    assert_eq!(started.backoff, Some(Backoff { first_ms: 10, most_ms: 2_000 }));
    assert_eq!((started.children[0].restart, started.children[0].significant), (Restart::Transient, true));
    let What::Supervisor(below) = &started.children[1].start else { panic!("{:?}", started.children[1]) };
    assert_eq!((&below.roster, below.children[0].restart), (&Roster::Template, Restart::Temporary));
}

#[test]
fn a_name_that_somebody_holds_is_no_name_for_a_supervisor() {
    let mut world = World::new();
    let holder = world.pid();
    let named = Supervisor::new().named("jobs");
    let refused = Harness::<Foreman>::start_in(world.named("jobs", holder), named);
    let Err(NotStarted::Failed(why)) = refused else { panic!("it started") };
    assert!(why.contains(&holder.to_string()), "{why}");
}

#[test]
fn partitions_are_numbered_with_their_names() {
    let tree = Supervisor::partitions(&job().named("desk"), 3);
    let named = |spec: &ChildSpec| match &spec.start {
        What::Process { name, .. } => (spec.id.clone(), name.clone().unwrap_or_default()),
        What::Supervisor(_) => panic!("a process was given"),
    };
    let expected = [1, 2, 3].map(|number| (format!("job.{number}"), format!("desk.{number}")));
    assert_eq!(tree.children.iter().map(named).collect::<Vec<_>>(), expected);
    assert_eq!(tree.roster, Roster::Partitions);
}

#[test]
fn unless_told_otherwise_supervisors_do_what_they_are_asked() {
    let mut foreman = foreman(World::new(), Supervisor::template(job()));
    foreman.actions();
    let own = Address::Pid(foreman.server().and_then(|foreman| foreman.jobs.pid()).expect("it has one"));
    let table = [
        (Wish::Start("x".into()), Some("Some(")),
        (Wish::StartListed("y".into()), Some("Some(")),
        (Wish::Restart("y".into()), Some("Some(")),
        (Wish::StopListed("y".into()), None),
        (Wish::Forget("y".into()), None),
        (Wish::Resize(2), None),
        (Wish::List, Some("0")),
        (Wish::Partitions, Some("0")),
        (Wish::Count, Some("Counts")),
        (Wish::Route("key".into()), Some("<0.")),
    ];
    for (wish, brings) in table {
        let brought = foreman.call(Order::Own(wish)).expect("it answers").expect("it is done");
        assert!(brought.starts_with(brings.unwrap_or_default()), "{brought}");
        let asked = asked(&mut foreman);
        assert!(matches!(&asked[..], [(to, _)] if *to == own), "one thing, of its own: {asked:?}");
    }
    assert_eq!(foreman.call(Order::Others("workers".into(), Wish::List)), Ok(Ok("0".into())));
    assert_eq!(asked(&mut foreman), [(Address::Name("workers".into()), Ask::WhichChildren)]);
}

#[test]
fn the_test_says_what_supervisors_answer() {
    let (child, gone) = (Pid { node: 0, id: 70, tag: 7 }, Pid { node: 0, id: 71, tag: 7 });
    let info = ChildInfo {
        id: "job".into(),
        pid: Some(child),
        status: Status::Running,
        supervisor: false,
        restart: Restart::Temporary,
        restarts: 0,
        restart_in_ms: None,
    };
    let counts = Counts { specs: 1, active: 1, supervisors: 0, workers: 1 };
    let world = World::new().on_ask(move |_, ask| match ask {
        Ask::StartFromTemplate(args) => {
            // Arguments travel as the host gets them.
            let args = args.clone().map(|body| String::decode(body).expect("a text"));
            if args.as_deref() == Some("one more") {
                Err(SupervisionError::MaxChildren)
            } else {
                Ok(Reply::Started(None))
            }
        }
        Ask::TerminatePid(pid) if *pid == child => Ok(Reply::Done),
        Ask::TerminatePid(_) => Err(SupervisionError::NotFound),
        Ask::WhichChildren => Ok(Reply::Children(vec![info.clone(), info.clone()])),
        Ask::CountChildren => Ok(Reply::Counts(counts)),
        Ask::Partitions => Ok(Reply::Number(4)),
        Ask::Route(key) if key == b"ada" => Ok(Reply::Started(Some(child))),
        Ask::Route(_) => Ok(Reply::Started(None)),
        _ => Err(SupervisionError::OnlyByPid),
    });
    let mut foreman = foreman(world, Supervisor::template(job()));
    let table = [
        (Wish::Start("one".into()), Ok("None".to_owned())),
        (Wish::Start("one more".into()), Err(SupervisionError::MaxChildren)),
        (Wish::Stop(child), Ok(String::new())),
        (Wish::Stop(gone), Err(SupervisionError::NotFound)),
        (Wish::StopListed("job".into()), Err(SupervisionError::OnlyByPid)),
        (Wish::List, Ok("2".to_owned())),
        (Wish::Count, Ok(format!("{counts:?}"))),
        (Wish::Partitions, Ok("4".to_owned())),
        (Wish::Route("ada".into()), Ok(child.to_string())),
        (Wish::Route("bob".into()), Err(SupervisionError::Ended)),
    ];
    for (wish, expected) in table {
        assert_eq!(foreman.call(Order::Own(wish)), Ok(expected));
    }
}

#[test]
fn stopping_a_supervisor_is_an_exit_signal_to_ones_own() {
    let mut foreman = foreman(World::new(), Supervisor::new());
    foreman.actions();
    let own = foreman.server().and_then(|foreman| foreman.jobs.pid()).expect("it has one");
    assert_eq!(foreman.call(Order::Dismiss), Ok(Ok(String::new())));
    assert_eq!(foreman.actions(), [Action::Exit { to: own, reason: ExitReason::Shutdown(None) }]);
}

#[test]
fn a_reference_travels_as_the_address_that_it_is() {
    let by_pid = SupervisorRef::at(Pid { node: 0, id: 70, tag: 7 });
    let by_name = SupervisorRef::at("jobs");
    assert_eq!((by_pid.pid().is_some(), by_name.pid()), (true, None));
    for reference in [by_pid, by_name] {
        let there = reference.encode(Codec::Json).expect("it can be written");
        assert_eq!(SupervisorRef::decode(there), Ok(reference));
    }
}
