//! The command: runs one episode after the other, and shows how to have again what went wrong.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use skep_simulation::{Bug, Feature, Figures, Plan, Violation, run, shrink, trace};

const EXAMPLES: &str = "Examples:
  cargo run --release -p skep-simulation -- --steps 100000000 --seed 1
  cargo run -p skep-simulation -- --seed 17 --trace                 one episode, and what happened in it
  cargo run -p skep-simulation -- --seed 1 --bug drop-down          with a defect planted";

/// Simulates trees of processes on Skep's kernel, and checks in each step what must hold.
#[derive(Parser)]
#[command(name = "skep-simulation", version, after_help = EXAMPLES)]
struct Arguments {
    /// The first seed; the others follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run episodes until there were so many steps; without it, one episode.
    #[arg(long)]
    steps: Option<u64>,
    /// Leave these out.
    #[arg(long, value_delimiter = ',', value_name = "FEATURE", value_parser = feature)]
    without: Vec<Feature>,
    /// Plant a defect, to see it found.
    #[arg(long, value_parser = bug)]
    bug: Option<Bug>,
    /// Say what happened last in the last episode.
    #[arg(long)]
    trace: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

fn feature(word: &str) -> Result<Feature, String> {
    let all: Vec<String> = Feature::ALL.iter().map(|feature| feature.word()).collect();
    Feature::from_word(word).ok_or_else(|| format!("known are {}", all.join(", ")))
}

fn bug(word: &str) -> Result<Bug, String> {
    let all: Vec<String> = Bug::ALL.iter().map(|(bug, _)| bug.word()).collect();
    Bug::from_word(word).ok_or_else(|| format!("known are {}", all.join(", ")))
}

/// What came of all episodes.
struct Total {
    episodes: u64,
    steps: u64,
    seconds: f64,
    figures: Figures,
    failed: Option<(Plan, Violation)>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A panic in an episode is a finding, and told as one.
    std::panic::set_hook(Box::new(|_| {}));
    let total = run_all(&arguments);
    if arguments.trace {
        let last = total
            .failed
            .as_ref()
            .map_or_else(|| plan(&arguments, arguments.seed + total.episodes - 1), |(plan, _)| plan.clone());
        trace(&last).1.iter().for_each(|line| println!("{line}"));
    }
    if arguments.json {
        println!("{}", json(&arguments, &total));
    } else {
        tell(&arguments, &total);
    }
    if total.failed.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn plan(arguments: &Arguments, seed: u64) -> Plan {
    Plan { seed, without: arguments.without.clone(), bug: arguments.bug }
}

fn run_all(arguments: &Arguments) -> Total {
    let begun = Instant::now();
    let bar = bar(arguments);
    let mut total = Total { episodes: 0, steps: 0, seconds: 0.0, figures: Figures::default(), failed: None };
    loop {
        let plan = plan(arguments, arguments.seed + total.episodes);
        let outcome = run(&plan);
        total.episodes += 1;
        total.steps += outcome.steps;
        total.figures.add(&outcome.figures);
        bar.set_position(total.steps);
        if let Some(violation) = outcome.violation {
            let smallest = shrink(&plan, violation.invariant);
            // The smallest has a violation of its own to tell.
            let violation = run(&smallest).violation.unwrap_or(violation);
            total.failed = Some((smallest, violation));
        }
        if total.failed.is_some() || total.steps >= arguments.steps.unwrap_or(0) {
            break;
        }
    }
    bar.finish_and_clear();
    total.seconds = begun.elapsed().as_secs_f64();
    total
}

fn bar(arguments: &Arguments) -> ProgressBar {
    match arguments.steps {
        Some(steps) if std::io::stderr().is_terminal() => ProgressBar::new(steps).with_style(
            ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} steps, {per_sec}, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        ),
        _ => ProgressBar::hidden(),
    }
}

/// The command that does again what failed.
fn again(plan: &Plan) -> String {
    format!("cargo run -p skep-simulation -- {} --trace", plan.options())
}

fn tell(arguments: &Arguments, total: &Total) {
    let last = arguments.seed + total.episodes - 1;
    let Total { episodes, steps, seconds, .. } = total;
    println!("seeds {} to {last}: {episodes} episodes, {steps} steps in {seconds:.1} s", arguments.seed);
    let figures: Vec<String> = total.figures.list().iter().map(|(what, count)| format!("{what} {count}")).collect();
    println!("{}", figures.join(", "));
    match &total.failed {
        None => println!("everything held"),
        Some((plan, violation)) => {
            let Violation { invariant, what, step } = violation;
            println!("{invariant:?} did not hold in step {step}: {what}");
            println!("again: {}", again(plan));
        }
    }
}

fn json(arguments: &Arguments, total: &Total) -> serde_json::Value {
    let figures: serde_json::Map<String, serde_json::Value> =
        total.figures.list().iter().map(|(what, count)| ((*what).to_owned(), (*count).into())).collect();
    let failed = total.failed.as_ref().map(|(plan, violation)| {
        serde_json::json!({
            "seed": plan.seed,
            "invariant": format!("{:?}", violation.invariant),
            "step": violation.step,
            "what": violation.what,
            "again": again(plan),
        })
    });
    serde_json::json!({
        "first_seed": arguments.seed,
        "episodes": total.episodes,
        "steps": total.steps,
        "seconds": total.seconds,
        "figures": figures,
        "failed": failed,
    })
}
