//! Which endings of a child that was told to end are reported: OTP's table (`supervisor:shutdown`).

use super::super::Strategy;
use super::scenario::{Scenario, spec};

#[test]
fn sup_15_what_is_reported_when_a_child_was_stopped() {
    let reasons = ["shutdown", "shutdown+", "normal", "killed", "crash"];
    let table = [
        ("a:infinity", "shutdown+ normal killed crash"),
        ("a:infinity:transient", "killed crash"),
        ("a:infinity:temporary", "killed crash"),
        ("a:kill", "shutdown shutdown+ normal crash"),
        ("a:kill:transient", "crash"),
        ("a:kill:temporary", "crash"),
    ];
    for (child, expected) in table {
        let is_reported = |reason: &&&str| {
            let mut scenario = Scenario::new(spec(Strategy::OneForOne, child));
            let mut trace = Vec::new();
            for what in ["begin", "ok a", "stop shutdown", &format!("down a1 {reason}")] {
                trace = scenario.happens(what);
            }
            assert_eq!(trace.last().map(String::as_str), Some("finish (shutdown)"));
            trace[0].starts_with("a1 stopped wrongly (")
        };
        let reported: Vec<&str> = reasons.iter().filter(is_reported).copied().collect();
        assert_eq!(reported.join(" "), expected, "{child}");
    }
}
