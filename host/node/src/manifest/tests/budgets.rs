//! Budgets: what makes sense is taken over, and what does not is refused with place, reason and remedy.

use skep_runtime::kernel::LogLimits;
use skep_runtime::kernel::budget::{BudgetSpec, FuelRate, WhenOut};

use super::{Site, refusal};

/// An app with these budgets: its own, and that of its root supervisor.
fn app(own: &str, supervisor: &str) -> String {
    format!(
        "name = 'a'\n{own}\n[modules]\nm = {{ path = 'm.wasm' }}\n[supervisor]\n{supervisor}\n\
         children = [{{ id = 'c', module = 'm' }}]\n"
    )
}

#[test]
fn an_app_and_a_supervisor_have_budgets() {
    let own = "budget = { memory = '64MiB', instances = 9, processes = 1000, mailbox_bytes = 5, timers = 0, \
               open_files = 7, blocking_operations = 3, log_bytes = '1MiB', log_burst = '10KiB', \
               fuel_per_second = 2_000_000, burst = 3_000_000, when_out_of_fuel = 'end' }";
    let manifest = Site::new().parse(&app(own, "budget = { fuel_per_second = 1_000_000 }")).expect("it makes sense");
    let expected = BudgetSpec {
        memory_bytes: Some(64 << 20),
        instances: Some(9),
        processes: Some(1000),
        mailbox_bytes: Some(5),
        timers: Some(0),
        open_files: Some(7),
        blocking_operations: Some(3),
        log: Some(LogLimits { bytes_per_second: 1 << 20, burst: 10 << 10 }),
        fuel: Some(FuelRate { per_second: 2_000_000, burst: 3_000_000, when_out: WhenOut::End }),
    };
    assert_eq!(manifest.budget, expected);
    let fuel = FuelRate { per_second: 1_000_000, burst: 1_000_000, when_out: WhenOut::Throttle };
    assert_eq!(*manifest.root.budget, BudgetSpec { fuel: Some(fuel), ..BudgetSpec::default() });
    let without = Site::new().parse(&app("", "")).expect("it makes sense");
    // Or a guest that spawns itself would fill the host.
    assert_eq!(
        without.budget,
        BudgetSpec { processes: Some(100_000), blocking_operations: Some(64), ..BudgetSpec::default() }
    );
    assert!(without.root.budget.is_unbounded());
    // What is not said of logs is what one process has, and at least what may come in a second.
    for (said, bytes_per_second, burst) in [
        ("log_bytes = 5", 5, 1 << 20),
        ("log_bytes = '8MiB'", 8 << 20, 8 << 20),
        ("log_burst = '2MiB'", 64 << 10, 2 << 20),
    ] {
        let manifest = Site::new().parse(&app("", &format!("budget = {{ {said} }}"))).expect("it makes sense");
        assert_eq!(manifest.root.budget.log, Some(LogLimits { bytes_per_second, burst }), "{said}");
    }
}

#[test]
fn a_budget_that_makes_no_sense_is_refused() {
    let least = "or more, or leave the key out: without it nothing is bounded";
    for (budget, expected) in [
        ("memory = '1kB'", format!("2:21 `memory` of a budget cannot be 1000; give 65536 {least}")),
        ("instances = 0", format!("2:24 `instances` of a budget cannot be 0; give 1 {least}")),
        ("processes = 0", format!("2:24 `processes` of a budget cannot be 0; give 1 {least}")),
        ("mailbox_bytes = 0", format!("2:28 `mailbox_bytes` of a budget cannot be 0; give 1 {least}")),
        ("blocking_operations = 0", format!("2:34 `blocking_operations` of a budget cannot be 0; give 1 {least}")),
        ("log_burst = '1kB'", format!("2:24 `log_burst` of a budget cannot be 1000; give 10240 {least}")),
        ("fuel_per_second = 5", format!("2:30 `fuel_per_second` of a budget cannot be 5; give 1000000 {least}")),
        (
            "fuel_per_second = 1_000_000, burst = 5",
            format!("2:49 `burst` of a budget cannot be 5; give 1000000 {least}"),
        ),
        (
            "burst = 1_000_000",
            "2:20 `burst` goes with `fuel_per_second`, which this budget does not have; add `fuel_per_second`, such as \
             fuel_per_second = 1_000_000_000, or remove it"
                .to_owned(),
        ),
        (
            "timers = 1, when_out_of_fuel = 'end'",
            "2:43 `when_out_of_fuel` goes with `fuel_per_second`, which this budget does not have; add \
             `fuel_per_second`, such as fuel_per_second = 1_000_000_000, or remove it"
                .to_owned(),
        ),
        (
            "",
            "2:10 this budget bounds nothing; say what there may be, as in budget = { memory = \"64MiB\", processes = \
             1000 }, or leave it out"
                .to_owned(),
        ),
    ] {
        assert_eq!(refusal(&app(&format!("budget = {{ {budget} }}"), "")), expected);
    }
    assert!(refusal(&app("budget = { files = 1 }", "")).contains("unknown key `files`"));
    assert!(refusal(&app("", "budget = { processes = 0 }")).contains("`processes` of a budget cannot be 0"));
    assert!(refusal(&app("budget = { when_out_of_fuel = 'wait' }", "")).contains("unknown value `wait`"));
}
