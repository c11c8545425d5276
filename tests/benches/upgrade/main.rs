//! How long processes stand still while their code is replaced, beside Erlang on the same machine in the same run.
//!
//! `cargo bench -p skep-tests --bench upgrade [-- COUNT…]`. Counters with 1 kB of state go up to version 2 and back, five
//! times; Erlang's do the same by `sys:suspend`, `sys:change_code`, `sys:resume`, if `escript` is installed. Measures and
//! prints; asserts nothing about time.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use skep_runtime::kernel::{Address, Body};
use skep_runtime::spec::Keep;
use skep_runtime::upgrade::{Summary, Upgrade};
use skep_runtime::{EngineConfig, Module};
use skep_tests::app::supervisor;
use skep_tests::{Child, TestApp};

/// Notes of so many clients are about 1 kB of state.
const CLIENTS: u64 = 110;
/// Up and down, so often.
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    let counts: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![1, 1_000, 50_000] } else { counts };
    println!(
        "{:>10} {:>8} {:>12} {:>12} {:>12} {:>12} {:>14}",
        "processes", "on", "total ms", "each us", "p50 us", "max us", "state B each"
    );
    for count in counts {
        let skep = skep(count).await;
        skep.print(count, "skep");
        match erlang(count) {
            Some(erlang) => {
                erlang.print(count, "erlang");
                println!("{count:>10}    ratio {:>12.2}", skep.total_us / erlang.total_us);
            }
            None => println!("{count:>10}   erlang: escript is not installed"),
        }
    }
}

/// One upgrade of all: the median of the rounds by its total.
#[derive(Clone, Copy)]
struct Figures {
    total_us: f64,
    p50_us: f64,
    max_us: f64,
    state_bytes: f64,
}

impl Figures {
    fn print(self, count: usize, on: &str) {
        let each = self.total_us / as_float(count);
        let Figures { total_us, p50_us, max_us, state_bytes } = self;
        println!(
            "{count:>10} {on:>8} {:>12.2} {each:>12.2} {p50_us:>12.0} {max_us:>12.0} {state_bytes:>14.0}",
            total_us / 1e3
        );
    }

    fn median(mut rounds: Vec<Figures>) -> Figures {
        rounds.sort_by(|one, other| one.total_us.total_cmp(&other.total_us));
        rounds[rounds.len() / 2]
    }
}

async fn skep(count: usize) -> Figures {
    let children = (0..count).map(|number| Child::new(&format!("counter-{number}"), "counter", &json!(0)));
    let app = TestApp::try_start_on(EngineConfig::default(), Keep::WhileItFits, supervisor(children)).await;
    let app = app.unwrap_or_else(|error| panic!("{error}"));
    for number in 0..count {
        let name: Address = Address::Name(format!("counter-{number}").into());
        for client in 0..CLIENTS {
            let note = json!({ "Note": { "client": client << 32, "number": 1 } }).to_string();
            app.runtime.cast("test", &name, Body::Json(note)).unwrap_or_else(|error| panic!("{error:?}"));
        }
        // Behind them all.
        app.ask(&format!("counter-{number}"), json!("Get")).await;
    }
    let codes = [app.load("counter-v2"), app.load("counter")];
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(figures(&upgrade(&app, &codes[0]).await, count));
        upgrade(&app, &codes[1]).await;
    }
    app.stop().await;
    Figures::median(rounds)
}

async fn upgrade(app: &TestApp, code: &Module) -> Summary {
    let within = Duration::from_secs(600);
    let upgrade =
        Upgrade { migrate_within: within, wait: within, ..Upgrade::one("test".into(), "counter".into(), code.clone()) };
    app.runtime.upgrade(upgrade, |_| {}).await.unwrap_or_else(|error| panic!("{error}"))
}

fn figures(summary: &Summary, count: usize) -> Figures {
    assert_eq!(summary.migrated, count);
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    Figures {
        total_us: micros(summary.took),
        p50_us: micros(summary.pause.p50),
        max_us: micros(summary.pause.max),
        state_bytes: as_float(usize::try_from(summary.state_bytes).unwrap_or(usize::MAX)) / as_float(count),
    }
}

#[allow(clippy::cast_precision_loss, reason = "figures to look at")]
fn as_float(count: usize) -> f64 {
    count as f64
}

fn erlang(count: usize) -> Option<Figures> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/upgrade/upgrade.escript");
    let output = Command::new("escript")
        .arg(script)
        .args([count.to_string(), CLIENTS.to_string(), ROUNDS.to_string()])
        .output()
        .ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rounds: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}"));
    let figure = |round: &Value, key: &str| round[key].as_f64().unwrap_or_default();
    let rounds = rounds.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|round| Figures {
        total_us: figure(round, "total_us"),
        p50_us: figure(round, "p50_us"),
        max_us: figure(round, "max_us"),
        state_bytes: figure(round, "state_bytes"),
    });
    Some(Figures::median(rounds.collect()))
}
