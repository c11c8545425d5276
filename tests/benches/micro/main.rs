//! What the smallest steps cost, each by itself: a mailbox, a timer, a crossing, a life, a wake.
//!
//! `cargo bench -p skep-tests --bench micro [-- FILTER]`. criterion keeps the last figures and says what has changed since, so
//! that a change to one step is seen where `skep bench` only shows the sum.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use skep_runtime::kernel::mailbox::Mailbox;
use skep_runtime::kernel::timer_queue::TimerQueue;
use skep_runtime::kernel::{Address, Body, Event, Limits, Mark};
use skep_runtime::spec::{Keep, ProcessSpec};
use skep_runtime::{Client, EngineConfig};
use skep_tests::app::{PATIENCE, SLOTS, supervisor};
use skep_tests::{Child, TestApp};
use tokio::runtime::Runtime;

criterion_group!(benches, mailbox, timers, crossing, life, wake);
criterion_main!(benches);

fn event() -> Event {
    Event::Cast(Body::Raw(vec![0; 32]))
}

/// An event in and out again: of a mailbox that is empty but for it, and the one marked event behind a thousand others.
fn mailbox(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mailbox");
    let (limits, mut empty) = (Limits::default(), Mailbox::default());
    group.bench_function("push and pop", |bencher| {
        bencher.iter_batched(
            event,
            |event| {
                empty.push_bounded(event, &limits).expect("there is room");
                empty.pop()
            },
            BatchSize::SmallInput,
        );
    });
    let mut full = Mailbox::default();
    (0..1_000).for_each(|_| full.push(event()));
    let (mark, outcome) = (Mark(7), Ok(Body::Raw(vec![0; 32])));
    group.bench_function("answer behind a thousand", |bencher| {
        bencher.iter_batched(
            || Event::Answer { mark, outcome: outcome.clone() },
            |answer| {
                full.push(answer);
                full.take_marked(&[mark])
            },
            BatchSize::SmallInput,
        );
    });
}

/// A timer set and taken back, as for every call, while a million others wait.
fn timers(criterion: &mut Criterion) {
    let mut queue = TimerQueue::new();
    let minute = 60_000_000_000_u64;
    (0..1_000_000_u64).for_each(|number| {
        // Spread over an hour, in no order.
        queue.insert(Duration::from_nanos(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (60 * minute)), number);
    });
    let mut number = 0;
    criterion.bench_function("timer set and taken back among a million", |bencher| {
        bencher.iter(|| {
            number += 1;
            let key = queue.insert(Duration::from_millis(5_000 + number % 1_000), number);
            black_box(queue.remove(key))
        });
    });
}

/// A runtime, an app in it, and a client of that.
struct Stage {
    tokio: Runtime,
    app: Option<TestApp>,
    client: Client,
}

impl Stage {
    fn new(keep: Keep, child: Child) -> Self {
        let tokio = Runtime::new().expect("there are threads");
        let engine = EngineConfig { slots: Some(SLOTS), ..EngineConfig::default() };
        let started = tokio.block_on(TestApp::try_start_on(engine, keep, supervisor([child])));
        let app = started.unwrap_or_else(|error| panic!("{error}"));
        let client = app.runtime.client("test").expect("it runs");
        Stage { tokio, app: Some(app), client }
    }

    /// So many times.
    fn times(&mut self, times: u64, mut act: impl AsyncFnMut(&mut Client)) -> Duration {
        let client = &mut self.client;
        self.tokio.block_on(async {
            let started = Instant::now();
            for _ in 0..times {
                act(client).await;
            }
            started.elapsed()
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let app = self.app.take().expect("it is stopped once");
        self.tokio.block_on(app.stop());
    }
}

/// A host call of a guest in a loop: a cast of 32 bytes to a name that nobody has, so that nothing follows from it.
fn crossing(criterion: &mut Criterion) {
    let flooder = Child::new("source", "mailbox-flooder", &Value::Null);
    let flooder = flooder.limits(|limits| limits.fuel_per_message = 1 << 50);
    let mut stage = Stage::new(Keep::WhileItFits, flooder);
    criterion.bench_function("crossing: a cast to nobody", |bencher| {
        bencher.iter_custom(|times| {
            let flood = json!({ "Flood": { "to": { "name": "nobody" }, "times": times, "bytes": 32, "by": "Cast" } });
            stage.times(1, async |client| ask(client, "source", flood.clone()).await)
        });
    });
}

/// A task that does nothing, from its spawn until its end is heard of.
fn life(criterion: &mut Criterion) {
    let mut stage = Stage::new(Keep::WhileItFits, Child::new("other", "counter", &json!(0)));
    let task = Arc::new(ProcessSpec::new("probe-task").args(Body::Json("[]".to_owned())));
    criterion.bench_function("spawn: the life of a task", |bencher| {
        bencher.iter_custom(|times| {
            stage.times(times, async |client| {
                client.spawn_monitor((*task).clone()).await.expect("there is room");
                while !matches!(client.receive(PATIENCE).await, Some(Event::Down { .. })) {}
            })
        });
    });
}

/// A call to a server, by a program: of one that has its instance, and of one that has only its state, before and after.
fn wake(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call from outside");
    for (title, keep) in [("a server with its instance", Keep::WhileItFits), ("a server that is woken", Keep::Never)] {
        let mut stage = Stage::new(keep, Child::new("counter", "counter", &json!(0)));
        group.bench_function(title, |bencher| {
            bencher.iter_custom(|times| {
                stage.times(times, async |client| ask(client, "counter", json!({ "Add": 1 })).await)
            });
        });
    }
}

async fn ask(client: &mut Client, name: &str, request: Value) {
    let answer = client.call(Address::Name(name.into()), Body::Json(request.to_string()), Some(PATIENCE)).await;
    answer.expect("it answers");
}
