//! What must come of a case, after OTP's manual: no states, no processes, just lists.

use skep_kernel::ExitReason;
use skep_kernel::supervisor::{AutoShutdown, Restart, Strategy};

use super::{Case, Cause};

/// What is seen of a case.
#[derive(PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Who was stopped (`-`) and started (`+`), in order.
    pub trace: String,
    /// Who is listed afterwards, in order, with a question mark if it does not run; or how the supervisor ended.
    pub left: String,
}

struct Member {
    id: &'static str,
    restart: Restart,
    significant: bool,
}

/// None if the supervisor must not start at all.
pub fn expected(case: &Case) -> Option<Outcome> {
    let mut family: Vec<Member> =
        [("a", Restart::Permanent), ("p", Restart::Transient), ("t", Restart::Temporary), ("z", Restart::Permanent)]
            .map(|(id, restart)| Member { id, restart, significant: case.company && restart != Restart::Permanent })
            .into();
    family.insert(case.place, Member { id: "x", restart: case.restart, significant: case.significant });
    // SUP-26
    let senseless = |member: &Member| member.significant && member.restart == Restart::Permanent;
    let for_nothing = |member: &Member| member.significant && case.auto_shutdown == AutoShutdown::Never;
    if family.iter().any(senseless) || family.iter().any(for_nothing) {
        return None;
    }
    let all = || family.iter().map(|member| member.id);
    let Some(reason) = reason_of_the_end(case) else {
        return outcome([], [], all().map(String::from));
    };
    let siblings_reversed: Vec<&str> = all().rev().filter(|id| *id != "x").collect();
    let ended = || Some(Outcome { trace: signed('-', siblings_reversed.clone()), left: "ended: shutdown".into() });
    let orderly = matches!(reason, ExitReason::Normal | ExitReason::Shutdown(_));
    let again = case.restart == Restart::Permanent || case.restart == Restart::Transient && !orderly;
    if !again {
        // SUP-24
        let others = family.iter().any(|member| member.id != "x" && member.significant);
        let takes_all_along = match case.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => case.significant,
            AutoShutdown::AllSignificant => case.significant && !others,
        };
        if takes_all_along {
            return ended();
        }
        let listed = family.iter().filter(|member| member.id != "x" || case.restart == Restart::Transient);
        return outcome([], [], listed.map(|member| if member.id == "x" { "x?".into() } else { member.id.into() }));
    }
    if case.max_restarts == 0 {
        return ended();
    }
    let tied: Vec<&Member> = match case.strategy {
        Strategy::OneForOne => family.iter().filter(|member| member.id == "x").collect(),
        Strategy::OneForAll => family.iter().collect(),
        Strategy::RestForOne => family.iter().skip(case.place).collect(),
    };
    let comes_back = |member: &&&Member| member.restart != Restart::Temporary;
    let stopped = tied.iter().rev().map(|member| member.id).filter(|id| *id != "x");
    let started = tied.iter().filter(comes_back).map(|member| member.id);
    let forgotten = |id: &str| tied.iter().any(|member| member.id == id && member.restart == Restart::Temporary);
    let left: Vec<String> = all().filter(|id| !forgotten(id)).map(String::from).collect();
    outcome(stopped.collect::<Vec<_>>(), started.collect::<Vec<_>>(), left)
}

/// EXIT-01, EXIT-04: what a signal does to whom.
fn reason_of_the_end(case: &Case) -> Option<ExitReason> {
    match &case.cause {
        Cause::Itself(reason) => Some(reason.clone()),
        Cause::Kill => Some(ExitReason::Killed),
        Cause::Signal(_) if case.traps => None,
        Cause::Signal(ExitReason::Normal) => None,
        Cause::Signal(reason) => Some(reason.clone()),
    }
}

fn signed<'a>(sign: char, ids: impl IntoIterator<Item = &'a str>) -> String {
    ids.into_iter().map(|id| format!("{sign}{id} ")).collect()
}

fn outcome<'a>(
    stopped: impl IntoIterator<Item = &'a str>,
    started: impl IntoIterator<Item = &'a str>,
    left: impl IntoIterator<Item = String>,
) -> Option<Outcome> {
    let left: Vec<String> = left.into_iter().collect();
    Some(Outcome { trace: signed('-', stopped) + &signed('+', started), left: left.join(" ") })
}
