//! Counters by name: each is a process of the module `counter`, started when it is first asked for.
//!
//! Worth copying: a supervisor of one's own that makes workers from a template, their pids in the state, and
//! a monitor on each, so that one that has ended is started anew when it is asked for again.

use std::collections::BTreeMap;

use skep_sdk::prelude::*;

/// So many counters at once.
const MOST: u32 = 100;

/// What the module `counter` understands, as far as it is needed here. A guest cannot depend on another one's crate.
#[derive(Debug)]
pub enum Counter {}

impl Protocol for Counter {
    type Args = i64;
    type Call = Count;
    type Reply = i64;
    type Cast = Never;
    type Info = Never;
}

/// A request of a counter.
#[derive(Debug, Serialize, Deserialize)]
pub enum Count {
    /// Adds, and brings the sum.
    Add(i64),
}

/// Whoever finds the counter of a name.
#[derive(Serialize, Deserialize)]
pub struct Counters {
    workers: SupervisorRef,
    by_name: BTreeMap<String, Pid>,
}

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Adds to the counter of a name, and brings its sum.
    Add {
        /// Which counter.
        name: String,
        /// How much.
        by: i64,
    },
    /// Stops the counter of a name, and brings the names of the others.
    Close(String),
}

/// What is answered.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reply {
    /// The sum.
    Sum(i64),
    /// The names of the counters that run.
    Names(Vec<String>),
    /// Why there is no sum.
    Refused(String),
}

#[server]
impl Server for Counters {
    type Call = Request;
    type Reply = Reply;

    fn init(_: (), context: &Context) -> Start<Self> {
        // Whoever ends is forgotten by the supervisor, and by this process when it hears of it.
        let worker = ChildSpec::new("counter", "counter", &())?.temporary();
        let workers = context.start_supervisor(Supervisor::template(worker).max_children(MOST))?;
        Ok(Counters { workers, by_name: BTreeMap::new() })
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, context: &Context) -> Outcome<Reply> {
        reply(match request {
            Request::Add { name, by } => self.add(name, by, context).unwrap_or_else(Reply::Refused),
            Request::Close(name) => {
                if let Some(pid) = self.by_name.remove(&name) {
                    // One that has ended meanwhile is closed as well.
                    let _ = self.workers.terminate_pid(context, pid);
                }
                Reply::Names(self.by_name.keys().cloned().collect())
            }
        })
    }

    fn handle_down(&mut self, down: Down, _: &Context) -> Outcome {
        self.by_name.retain(|_, pid| Address::Pid(*pid) != down.target);
        noreply()
    }
}

impl Counters {
    fn add(&mut self, name: String, by: i64, context: &Context) -> Result<Reply, String> {
        let pid = match self.by_name.get(&name) {
            Some(pid) => *pid,
            None => {
                let started = self.workers.start_from_template(context, &0_i64).map_err(|error| error.to_string())?;
                let pid = started.ok_or("the counter ignored its start")?;
                context.monitor(pid);
                self.by_name.insert(name, pid);
                pid
            }
        };
        Ref::<Counter>::pid(pid).call(context, Count::Add(by)).map(Reply::Sum).map_err(|error| error.to_string())
    }
}

skep_sdk::export!(Counters);

#[cfg(test)]
mod tests {
    use skep_sdk::Message;
    use skep_sdk::supervision::{Ask, Roster};
    use skep_sdk::testing::{Action, Harness, World};

    use super::*;

    /// Every counter replies with what it is told to add.
    fn counters() -> Harness<Counters> {
        let world = World::new().on_call(|_, body| {
            let Ok(Count::Add(by)) = Count::decode(body) else { panic!("no request of a counter") };
            Ok(by.encode(skep_sdk::Codec::default()).expect("a number can be written"))
        });
        Harness::<Counters>::start_in(world, ()).expect("init succeeds").always_hibernating()
    }

    fn add(counters: &mut Harness<Counters>, name: &str, by: i64) -> Reply {
        counters.call(Request::Add { name: name.to_owned(), by }).expect("it replies")
    }

    /// How many it had started since this was asked last.
    fn started(counters: &mut Harness<Counters>) -> usize {
        let starts = |action: &Action| matches!(action, Action::AskSupervisor { ask: Ask::StartFromTemplate(_), .. });
        counters.actions().iter().filter(|action| starts(action)).count()
    }

    #[test]
    fn its_supervisor_makes_counters_from_a_template() {
        let mut counters = counters();
        let actions = counters.actions();
        let Some(Action::StartSupervisor(supervisor)) = actions.first() else { panic!("{actions:?}") };
        assert_eq!((&supervisor.roster, supervisor.max_children), (&Roster::Template, Some(MOST)));
    }

    #[test]
    fn a_counter_is_started_when_it_is_first_asked_for() {
        let mut counters = counters();
        assert_eq!(add(&mut counters, "a", 2), Reply::Sum(2));
        assert_eq!(add(&mut counters, "a", 3), Reply::Sum(3));
        assert_eq!(add(&mut counters, "b", 4), Reply::Sum(4));
        assert_eq!(started(&mut counters), 2);
        assert_eq!(counters.call(Request::Close("a".to_owned())), Ok(Reply::Names(vec!["b".to_owned()])));
    }

    #[test]
    fn one_that_has_ended_is_started_anew() {
        let mut counters = counters();
        add(&mut counters, "a", 1);
        let actions = counters.actions();
        let mark = actions.iter().find_map(|action| match action {
            Action::Monitor { mark, .. } => Some(*mark),
            _ => None,
        });
        counters.down(mark.expect("it is monitored"), ExitReason::Killed);
        add(&mut counters, "a", 1);
        assert_eq!(started(&mut counters), 1);
    }
}
