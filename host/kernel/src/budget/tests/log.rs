//! How fast logs are written below several budgets.

use super::*;
use crate::LogLimits;

/// What a line counts beside its bytes.
const LINE: usize = 64;

fn logs(burst: u64) -> BudgetSpec {
    BudgetSpec { log: Some(LogLimits { bytes_per_second: 100, burst }), ..BudgetSpec::default() }
}

#[test]
fn a_line_passes_all_budgets_or_counts_in_none() {
    let app = Budget::new("app a", None, &logs(300), Time::ZERO);
    let [one, two] = ["supervisor one", "supervisor two"]
        .map(|whose| Budget::new(whose, Some(Arc::clone(&app)), &logs(200), Time::ZERO));
    let line = 100 - LINE;
    let write = |budget: &Arc<Budget>, now| budget.write_log(line, ms(now)).map_err(|full| full.to_string());
    let full = |whose: &str| Err(format!("log_bytes of {whose}"));
    for (budget, now, expected) in [
        (&one, 0, Ok(())),
        (&one, 0, Ok(())),
        (&one, 0, full("supervisor one")),
        // What was refused there was not taken here.
        (&two, 0, Ok(())),
        // There is room for it in the second one, and it is given back.
        (&two, 0, full("app a")),
        // Once a line was dropped, half of the burst must be there again.
        (&two, 1_499, full("app a")),
        (&two, 1_500, Ok(())),
        (&two, 1_500, full("app a")),
        (&two, 3_000, Ok(())),
        (&one, 60_000, Ok(())),
    ] {
        assert_eq!(write(budget, now), expected, "{budget:?} at {now} ms");
    }
    let line = line as u64;
    assert_eq!([&app, &one, &two].map(|budget| budget.logged_bytes()), [6 * line, 3 * line, 3 * line]);
}

#[test]
fn another_bound_for_logs_counts_at_once() {
    let (app, below) = nested(&BudgetSpec::default(), &BudgetSpec::default());
    assert!((0..1_000).all(|_| below.write_log(1_000, Time::ZERO).is_ok()), "nobody bounds it");
    app.set(&logs(100), Time::ZERO);
    assert_eq!((app.bounds(), below.bounds()), (logs(100), BudgetSpec::default()));
    assert!(below.write_log(100 - LINE, Time::ZERO).is_ok());
    app.set(&logs(1_000), Time::ZERO);
    assert!(below.write_log(100 - LINE, Time::ZERO).is_err(), "what was written counts on");
    app.set(&BudgetSpec::default(), Time::ZERO);
    assert!(below.write_log(1_000, Time::ZERO).is_ok());
}
