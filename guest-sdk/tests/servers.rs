//! The rules of a server, run natively: which handler gets what, what a missing one means, and what is in the order.

use std::time::Duration;

use skep_sdk::prelude::*;
use skep_sdk::testing::{Action, Harness, World, run_task_in};
use skep_sdk::{Caller, types};

/// A queue whose takers wait.
#[derive(Default, Serialize, Deserialize)]
struct Queue {
    items: Vec<u32>,
    takers: Vec<From<Queue>>,
    asked: Option<Pending<u32>>,
    answered: Vec<Result<u32, CallError>>,
    seen: Vec<String>,
}

#[derive(Serialize, Deserialize)]
enum Request {
    Take,
    Seen,
    AskOther,
    MustAskOther,
    Monitor(String),
}

#[derive(Serialize, Deserialize)]
enum Reply {
    Item(u32),
    Seen(Vec<String>),
    Done,
}

#[server]
impl Server for Queue {
    type Call = Request;
    type Reply = Reply;
    type Cast = u32;
    type Info = String;
    type Continue = String;
    type Timer = String;

    fn init(_: (), _: &Context) -> Start<Self> {
        Ok(Queue::default())
    }

    fn handle_started(&mut self, _: &Context) -> Outcome<Never, String> {
        noreply().then_continue("first".to_owned())
    }

    fn handle_call(&mut self, request: Request, from: From<Self>, context: &Context) -> Outcome<Reply, String> {
        let other = Ref::<Queue2>::named("other");
        match request {
            Request::Take if self.items.is_empty() => {
                self.takers.push(from);
                return noreply();
            }
            Request::Take => return reply(Reply::Item(self.items.remove(0))),
            Request::Seen => return reply(Reply::Seen(std::mem::take(&mut self.seen))),
            Request::AskOther => self.asked = Some(other.request(context, 1, None)),
            Request::MustAskOther => {
                other.call_or_exit(context, 1);
            }
            Request::Monitor(name) => {
                context.monitor(name);
            }
        }
        reply(Reply::Done)
    }

    fn handle_cast(&mut self, item: u32, context: &Context) -> Outcome<Never, String> {
        if self.takers.is_empty() {
            self.items.push(item);
        } else {
            self.takers.remove(0).reply(context, Reply::Item(item));
        }
        noreply()
    }

    fn handle_info(&mut self, message: String, context: &Context) -> Outcome<Never, String> {
        if message == "start" {
            context.start_timer(Duration::from_millis(10), &"ring".to_owned());
        }
        self.seen.push(message);
        noreply()
    }

    fn handle_timer(&mut self, timer: Timer<String>, _: &Context) -> Outcome<Never, String> {
        self.seen.push(timer.message);
        noreply()
    }

    fn handle_answer(&mut self, answer: Answer, _: &Context) -> Outcome<Never, String> {
        if let Some(outcome) = self.asked.and_then(|asked| answer.of(&asked)) {
            self.answered.push(outcome);
        }
        noreply()
    }

    fn handle_down(&mut self, down: Down, _: &Context) -> Outcome<Never, String> {
        self.seen.push(format!("{} {:?}", down.target, down.reason));
        noreply()
    }

    fn handle_continue(&mut self, step: String, _: &Context) -> Outcome<Never, String> {
        self.seen.push(step);
        noreply()
    }
}

skep_sdk::export!(Queue);

/// What another process understands.
struct Queue2;

impl Protocol for Queue2 {
    type Args = ();
    type Call = u32;
    type Reply = u32;
    type Cast = Never;
    type Info = Never;
}

fn queue() -> Harness<Queue> {
    Harness::start(()).expect("init succeeds")
}

fn seen(queue: &mut Harness<Queue>) -> Vec<String> {
    match queue.call(Request::Seen) {
        Ok(Reply::Seen(seen)) => seen,
        _ => panic!("it should say what it has seen"),
    }
}

/// A server that takes nothing.
#[derive(Serialize, Deserialize)]
struct Deaf;

#[server]
impl Server for Deaf {
    type Cast = u32;
    type Continue = u32;
    type Timer = u32;

    fn init(_: (), _: &Context) -> Start<Self> {
        Ok(Deaf)
    }
}

skep_sdk::export!(Deaf);

#[test]
fn gs_17_a_missing_handler_is_what_it_is_in_otp() {
    let deaf = || Harness::<Deaf>::start(()).expect("init succeeds");
    let failed = |why: &str| Some(ExitReason::Failed(why.to_owned()));

    let mut cast = deaf();
    cast.cast(1);
    assert_eq!(cast.ended().cloned(), failed("undef: handle_cast"));

    let mut call = deaf();
    assert_eq!(
        call.call_json("1"),
        Err(CallError::Ended(ExitReason::Failed("cannot decode a call: this process takes none".to_owned())))
    );

    let mut next = deaf();
    next.deliver(Event::Continue(Body::Json("1".into())));
    assert_eq!(next.ended().cloned(), failed("undef: handle_continue"));

    // All that OTP hands to `handle_info`.
    let mut others = deaf();
    let (pid, reason) = (Pid { node: 0, id: 9, tag: 9 }, ExitReason::Killed);
    let others_hear = [
        Event::Info(Body::Text("x".into())),
        Event::Answer(types::Answer { mark: 1, outcome: Ok(Body::Json("1".into())) }),
        Event::Exit(types::Ended { pid, reason: reason.clone() }),
        Event::Down(types::Lost { mark: 2, target: Address::Pid(pid), reason, tag: None }),
        Event::Timer(types::Alarm { mark: 3, body: Body::Json("1".into()) }),
        Event::Change(types::Change { mark: 4, what: types::Changed::Missed }),
        Event::Idle,
    ];
    let count = others_hear.len();
    for event in others_hear {
        others.deliver(event);
    }
    assert_eq!(others.ended(), None);
    let actions = others.actions();
    let all_warn = actions.iter().all(|action| matches!(action, Action::Log(Level::Warn, _)));
    assert!(all_warn && actions.len() == count, "each is logged, and dropped: {actions:?}");
}

#[test]
fn an_info_of_another_shape_is_dropped_and_a_cast_ends_it() {
    let mut queue = queue();
    queue.deliver(Event::Info(Body::Json("[]".into())));
    assert_eq!(queue.ended(), None);
    queue.deliver(Event::Cast(Body::Json("[]".into())));
    assert!(matches!(queue.ended(), Some(ExitReason::Failed(why)) if why.starts_with("cannot decode a cast")));
}

#[test]
fn a_deferred_reply_survives_hibernation() {
    let mut queue = queue().always_hibernating();
    let open = queue.call_open(Request::Take);
    assert!(queue.reply_to(&open).is_none());
    queue.cast(5);
    assert!(matches!(queue.reply_to(&open), Some(Reply::Item(5))));
}

#[test]
fn events_taken_in_one_crossing_get_their_own_replies() {
    let mut queue = queue();
    let pid = Pid { node: 0, id: 9, tag: 9 };
    let call = |mark| {
        let caller = Caller { pid, mark };
        Event::Call(types::Request { caller, body: Body::Text("Take".into()) })
    };
    let cast = |item: u32| Event::Cast(Body::Json(item.to_string()));
    // Two calls left open, casts that serve them and one more, and a call that takes it at once.
    queue.deliver_all([call(71), call(72), cast(1), cast(2), cast(3), call(73)]);
    let items = [71, 72, 73].map(|mark| queue.reply_to(&Pending::of(mark)));
    assert!(matches!(items, [Some(Reply::Item(1)), Some(Reply::Item(2)), Some(Reply::Item(3))]));
}

#[test]
fn continue_timers_and_downs_reach_their_handlers() {
    let mut queue = queue();
    queue.info("start".to_owned());
    queue.advance(Duration::from_millis(9));
    assert_eq!(seen(&mut queue), ["first", "start"]);
    queue.advance(Duration::from_millis(1));
    assert!(queue.call(Request::Monitor("nobody".into())).is_ok());
    assert_eq!(seen(&mut queue), ["ring", "nobody Noproc"]);
}

#[test]
fn an_answer_has_the_type_of_its_request() {
    let mut queue = queue().always_hibernating();
    assert!(queue.call(Request::AskOther).is_ok());
    let [Action::Request { mark, .. }] = queue.actions()[..] else { panic!("it should have asked") };
    queue.answer(mark + 1, Ok(8u32));
    queue.answer(mark, Ok(7u32));
    // A second one goes nowhere.
    queue.answer(mark, Err::<u32, _>(CallError::Timeout));
    assert_eq!(queue.server().map(|queue| queue.answered.clone()), Some(vec![Ok(7)]));
}

#[test]
fn call_or_exit_ends_the_caller_with_the_reason() {
    let cases = [
        (CallError::Ended(ExitReason::Killed), ExitReason::Killed),
        (CallError::Ended(ExitReason::Normal), ExitReason::Failed("other ended before it replied".into())),
        (CallError::Timeout, ExitReason::Failed("call to other: timeout".into())),
    ];
    for (error, reason) in cases {
        let world = World::new().on_call(move |_, _| Err(error.clone()));
        let mut queue = Harness::<Queue>::start_in(world, ()).expect("init succeeds");
        assert!(queue.call(Request::MustAskOther).is_err());
        assert_eq!(queue.ended(), Some(&reason));
    }
}

/// Counts, fails at 3, and has last words.
#[derive(Serialize, Deserialize)]
struct Failing(u32);

#[server]
impl Server for Failing {
    type Cast = u32;

    fn init(_: (), _: &Context) -> Start<Self> {
        Ok(Failing(0))
    }

    fn handle_cast(&mut self, to: u32, _: &Context) -> Outcome {
        self.0 = to;
        if to == 3 { fail("three") } else { noreply() }
    }

    fn terminate(&mut self, reason: &ExitReason, context: &Context) {
        context.log(Level::Info, &format!("{} {reason:?}", self.0));
    }
}

skep_sdk::export!(Failing);

#[test]
fn gs_10_terminate_sees_what_the_failed_handler_left() {
    let mut failing = Harness::<Failing>::start(()).expect("init succeeds");
    failing.cast(2);
    failing.cast(3);
    assert_eq!(failing.actions(), [Action::Log(Level::Info, "3 Failed(\"three\")".to_owned())]);
    assert_eq!(failing.ended(), Some(&ExitReason::Failed("three".into())));
}

/// Asks another and waits for the answer, whatever else comes.
struct Asker;

impl Task for Asker {
    type Args = ();
    type Output = u32;

    fn run((): (), context: &TaskContext) -> Result<u32, Failure> {
        let pending = Ref::<Queue2>::named("other").request(context, 1, None);
        let early = context.wait(&pending, Duration::ZERO);
        assert!(early.is_none_or(|outcome| outcome.is_ok()));
        Ok(context.wait(&pending, Duration::from_secs(1)).ok_or("no answer")??)
    }
}

#[test]
fn gs_19_a_task_that_goes_on_waiting_fails_after_its_time() {
    let mut world = World::new();
    assert_eq!(run_task_in::<Asker>(&mut world, (), []), Err(ExitReason::Failed("no answer".into())));
    assert_eq!(world.now(), Duration::from_secs(1));
}

/// Looks after workers, and learns by the tag which of them it has lost.
#[derive(Default, Serialize, Deserialize)]
struct Foreman {
    lost: Vec<(u32, String)>,
    timer: Option<TimerRef>,
}

#[server]
impl Server for Foreman {
    /// A worker, and the number of its bench.
    type Call = (Pid, u32);
    type Reply = Watched;
    type Info = String;

    fn init(_: (), _: &Context) -> Start<Self> {
        Ok(Foreman::default())
    }

    fn handle_call(&mut self, (worker, bench): (Pid, u32), _: From<Self>, context: &Context) -> Outcome<Watched> {
        let at = context.now() + Duration::from_secs(1);
        self.timer = Some(context.timer_ref(context.send_at(at, "nobody", &"late".to_owned())));
        reply(context.monitor_with(Watch::of(worker).tag(&bench).reply_alias()))
    }

    fn handle_info(&mut self, _: String, context: &Context) -> Outcome {
        let stopped = self.timer.take().and_then(|timer| context.cancel_of(timer));
        assert_eq!(stopped, Some(Duration::from_secs(1)));
        noreply()
    }

    fn handle_down(&mut self, down: Down, _: &Context) -> Outcome {
        match down.tag::<u32>() {
            Ok(Some(bench)) => self.lost.push((bench, format!("{:?}", down.reason))),
            other => return fail(format!("no bench: {other:?}")),
        }
        noreply()
    }
}

skep_sdk::export!(Foreman);

#[test]
fn mon_07_a_tag_has_the_type_it_was_given() {
    let mut foreman = Harness::<Foreman>::start(()).expect("init succeeds").always_hibernating();
    let workers = [0, 1].map(|_| foreman.world().pid());
    let first = foreman.call((workers[0], 7)).expect("a monitor");
    let second = foreman.call((workers[1], 8)).expect("a monitor");
    // A reply in time: no loss any more, and no second reply.
    for _ in 0..2 {
        foreman.info_through(first.alias.expect("an alias"), "done".to_owned());
    }
    foreman.down(first.mark, ExitReason::Killed);
    foreman.down(second.mark, ExitReason::Killed);
    assert_eq!(foreman.server().map(|foreman| foreman.lost.clone()), Some(vec![(8, "Killed".to_owned())]));
    assert_eq!(foreman.ended(), None);
}
