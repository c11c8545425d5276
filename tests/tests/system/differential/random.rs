//! Scenarios from a seed: small programs that nobody would think of.
//!
//! `SKEP_DIFFERENTIAL_SEEDS=500 cargo test differential_random` tries so many seeds in place of the usual ones, and
//! `SKEP_DIFFERENTIAL_FROM=42` begins with that one. Whatever differs says its seed.

use serde_json::{Value, json};

use super::machines::{NEVER_MS, after, named, scenario, send};
use super::supervisors::{end, ending, made_significant, supervised, teller};
use super::{Scenario, agree, at, bring, custom, shutdown, tell};

/// Seeds that `cargo test` tries.
const SEEDS: u64 = 40;

/// Numbers from a seed (splitmix64): the same on every machine, for good.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap_or(0)
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

fn reasons() -> [Value; 5] {
    [json!("normal"), shutdown(), json!({ "shutdown": { "text": "later" } }), custom("x"), json!("killed")]
}

/// Processes that link, watch, trap, name, start and end each other.
fn program(seed: u64) -> Scenario {
    const FIRST: [&str; 4] = ["a", "b", "c", "d"];
    let mut dice = Dice(seed);
    let mut people: Vec<String> = FIRST.map(str::to_owned).into();
    let (mut marks, mut named, mut steps) = (Vec::new(), FIRST.to_vec(), Vec::new());
    for number in 0..30 {
        let who = dice.one_of(&people).clone();
        let to = format!("${}", dice.one_of(&people));
        let reason = dice.one_of(&reasons()).clone();
        let name = *dice.one_of(&["a", "b", "c", "d", "n"]);
        let step = match dice.below(32) {
            0..7 => json!({ "Link": { "to": to } }),
            7..9 => json!({ "Unlink": { "to": to } }),
            9..13 => {
                let target = if dice.below(3) == 0 { json!({ "name": name }) } else { json!(to) };
                let mark = format!("m{number}");
                steps.push(bring(&mark, &who, json!({ "Monitor": { "target": target } })));
                marks.push((who, mark));
                continue;
            }
            13 if !marks.is_empty() => {
                let (whose, mark) = dice.one_of(&marks).clone();
                let demonitor = json!({ "Demonitor": { "mark": format!("${mark}"), "flush": dice.below(2) == 0 } });
                steps.push(at(&whose, demonitor));
                continue;
            }
            13..18 => json!({ "TrapExit": dice.below(4) > 0 }),
            18..21 => json!({ "Exit": { "to": to, "reason": reason } }),
            21 => json!({ "Kill": { "to": to } }),
            22 => {
                steps.push(tell(&who, json!([{ "StopWith": reason }])));
                continue;
            }
            23 => json!({ "Send": { "to": to, "body": number } }),
            24 => json!({ "SendNamed": { "name": name, "body": number } }),
            25 => json!({ "Cast": { "to": { "name": name }, "body": number } }),
            26 => json!({ "Call": { "to": to, "body": { "Echo": number } } }),
            27 => json!({ "Register": { "name": name, "pid": to } }),
            28 => json!({ "Whereis": { "name": name } }),
            // Its own name, once: OTP lets anybody take away anybody's, Skep does not.
            29 if named.contains(&&*who) => {
                named.retain(|name| *name != who);
                json!({ "Unregister": { "name": who } })
            }
            _ if people.len() < 8 => {
                let child = format!("s{number}");
                // Linked at first: in OTP only whoever starts with a link is a parent.
                let spawn = json!({ "Spawn": { "module": "probe", "link": true, "monitor": dice.below(2) == 0 } });
                steps.push(bring(&child, &who, spawn));
                people.push(child);
                continue;
            }
            _ => json!("Me"),
        };
        steps.push(at(&who, step));
    }
    Scenario::new(&format!("seed {seed}"), &FIRST, steps).in_any_order()
}

/// A supervisor of anything, and whatever happens to its children.
fn tree(seed: u64) -> Scenario {
    let mut dice = Dice(seed);
    let auto_shutdown = *dice.one_of(&["any_significant", "all_significant", "never", "never"]);
    let any = |dice: &mut Dice, id: &str| {
        let restart = *dice.one_of(&["permanent", "permanent", "transient", "transient", "temporary"]);
        let shutdown = dice.one_of(&[json!(5000), json!("brutal_kill"), json!("infinity")]).clone();
        let child = teller(id, restart, shutdown, dice.below(3) > 0);
        // Seldom where it makes no sense, which is refused.
        let makes_sense = restart != "permanent" && auto_shutdown != "never";
        if dice.below(if makes_sense { 2 } else { 30 }) == 0 { made_significant(child) } else { child }
    };
    let ids = ["a", "b", "c", "d", "e"];
    let strategy = *dice.one_of(&["one_for_one", "one_for_all", "rest_for_one"]);
    let (many, restarts) = (1 + dice.below(4), *dice.one_of(&[0, 1, 2, 3, 5, 9]));
    let children: Vec<Value> = ids[..many].iter().map(|id| any(&mut dice, id)).collect();
    let mut steps = Vec::new();
    for _ in 0..12 {
        let id = *dice.one_of(&ids);
        steps.push(match dice.below(16) {
            0..7 => end(id, dice.one_of(&reasons())),
            7 => json!({ "tell": id, "do": [{ "Fail": "no" }] }),
            8 => json!({ "kill": id }),
            9 | 10 => json!({ "terminate": id }),
            11 | 12 => json!({ "restart": id }),
            13 => json!({ "delete": id }),
            _ => json!({ "start": any(&mut dice, id) }),
        });
    }
    ending(supervised(&format!("tree of seed {seed}"), strategy, restarts, &children, steps), auto_shutdown)
}

/// A state machine of anything: each of its actions, in any combination. Replies are left out, for OTP lets a second one
/// to a request through.
fn automaton(seed: u64) -> Scenario {
    let mut dice = Dice(seed);
    let (states, words) = (["x", "y", "z"], ["1", "2", "3", "4", "5", "6"]);
    let mut table = json!({ "first": "x", "most": 40, "enter": {}, "rules": {} });
    let timeout = |dice: &mut Dice| {
        let kind = dice.one_of(&[json!("event"), json!("state"), named("n"), named("m")]).clone();
        let word = *dice.one_of(&words);
        match dice.below(5) {
            0..2 => after(kind, 0, word),
            2 => after(kind, NEVER_MS, word),
            3 => json!({ "Update": [kind, word] }),
            _ => json!({ "Cancel": kind }),
        }
    };
    for state in states {
        if dice.below(2) == 0 {
            table["enter"][state] = (0..=dice.below(2)).map(|_| timeout(&mut dice)).collect();
        }
        for word in words {
            let goes = match dice.below(12) {
                0..5 => json!("Keep"),
                5 => json!("Repeat"),
                6 if dice.below(4) == 0 => json!({ "Stop": dice.one_of(&reasons()) }),
                _ => json!({ "To": dice.one_of(&states) }),
            };
            let does = (0..dice.below(4)).map(|_| match dice.below(10) {
                0..2 => json!("Postpone"),
                2 => json!({ "Internal": dice.one_of(&words) }),
                3 => json!({ "Cast": dice.one_of(&words) }),
                4 => json!({ "Info": dice.one_of(&words) }),
                5 => json!("Hibernate"),
                _ => timeout(&mut dice),
            });
            table["rules"][format!("{state} {word}")] = json!({ "goes": goes, "does": does.collect::<Vec<_>>() });
        }
    }
    let steps = (0..12).map(|_| {
        let said: Vec<&str> = (0..=dice.below(3)).map(|_| *dice.one_of(&words)).collect();
        send(&said)
    });
    let steps: Vec<Value> = steps.collect();
    scenario(&format!("machine of seed {seed}"), table, steps)
}

fn number(variable: &str, usual: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

async fn agree_on(scenario: impl Fn(u64) -> Scenario) {
    let from = number("SKEP_DIFFERENTIAL_FROM", 0);
    let many = number("SKEP_DIFFERENTIAL_SEEDS", SEEDS);
    let scenarios: Vec<Scenario> = (from..from + many).map(scenario).collect();
    agree(&scenarios).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn differential_random_programs_bring_the_same_in_erlang() {
    agree_on(program).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn differential_random_trees_bring_the_same_in_erlang() {
    agree_on(tree).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn differential_random_machines_bring_the_same_in_erlang() {
    agree_on(automaton).await;
}
