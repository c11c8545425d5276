//! What is sent of what a process may do.

use serde::{Deserialize, Serialize};
use skep_runtime::inspect::Rights;

use crate::node::log::named;
use crate::node::rights::rights;

/// `GET /v1/grants`
#[derive(Debug, Serialize, Deserialize)]
pub struct Granted {
    /// Its pid.
    pub pid: String,
    /// The child ids that lead to it: `tally/parsers/parser.3`.
    pub path: String,
    /// Its module.
    pub module: String,
    /// The guest that has started it; none if its app declares it.
    pub started_by: Option<String>,
    /// What it may do.
    pub rights: Vec<Right>,
    /// What its module may do, and it may not, or in part only: then that part is among the rights.
    pub withheld: Vec<Right>,
    /// Interfaces that its code imports and that refuse whatever it does through them.
    pub refused: Vec<String>,
}

/// A right.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Right {
    /// The key under which a manifest grants it.
    pub key: String,
    /// What is granted.
    pub what: String,
    /// Where it comes from, or why it is withheld.
    pub why: String,
}

impl Granted {
    /// The rights of a process of this pid and path.
    pub(in crate::control) fn new(pid: String, path: String, seen: &Rights) -> Self {
        let starter = seen.from.as_ref().map(named);
        let section = format!("[modules.{}]", seen.module);
        let why = match &starter {
            Some(starter) => format!("{section}, and {starter} has it"),
            // A child without grants of its own has those of its module.
            None if seen.grants == seen.of_module => section.clone(),
            None => format!("its child, {path}"),
        };
        let (mut granted, mut withheld) = (Vec::new(), Vec::new());
        for ((key, own), (_, of_module)) in rights(&seen.grants).into_iter().zip(rights(&seen.of_module)) {
            let right = |what: &String, why: &str| Right { key: key.into(), what: what.clone(), why: why.into() };
            granted.extend(own.iter().map(|what| right(what, &why)));
            let missing = of_module.iter().filter(|what| !own.contains(what));
            withheld.extend(missing.map(|what| match &starter {
                Some(starter) => right(what, &format!("{section}, but beyond what {starter} has")),
                None => right(what, &format!("{section}, but the child has grants of its own")),
            }));
        }
        Granted {
            pid,
            path,
            module: seen.module.to_string(),
            started_by: starter,
            rights: granted,
            withheld,
            refused: seen.refused.clone(),
        }
    }
}
