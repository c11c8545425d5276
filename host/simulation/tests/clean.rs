//! A million steps in which everything holds.

use skep_simulation::{Figures, Plan, run};

#[test]
fn a_million_steps_keep_every_promise() {
    let (mut seed, mut steps, mut figures) = (1, 0, Figures::default());
    while steps < 1_000_000 {
        let plan = Plan::new(seed);
        let outcome = run(&plan);
        if let Some(violation) = outcome.violation {
            let replay = format!("cargo run -p skep-simulation -- {} --trace", plan.options());
            panic!("{:?} in step {}: {}\nagain: {replay}", violation.invariant, violation.step, violation.what);
        }
        steps += outcome.steps;
        figures.add(&outcome.figures);
        seed += 1;
    }
    for (what, count) in figures.list() {
        assert!(count > 0, "there were no {what}");
    }
}
