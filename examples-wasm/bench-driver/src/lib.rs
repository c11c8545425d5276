//! Drives the works of the benchmark: each is one request, replied to when it is done.
//!
//! Owns the processes that it has started, and what is left of the work that goes on. The clock that counts is the host's,
//! around a request; only single latencies are measured here. Part of `skep bench`, whose Erlang half does the same.

mod parts;

use skep_sdk::prelude::*;
use wasip2::clocks::monotonic_clock;

use parts::{Add, Counter, Hoard, Once, Order, Player, Toss};

/// The module of each part.
const PLAYER: &str = "player";
const ONCE: &str = "once";
const HOARD: &str = "hoard";

/// The server, which is its own state.
#[derive(Default, Serialize, Deserialize)]
pub struct Driver {
    players: Vec<Pid>,
    counters: Vec<Pid>,
    chain: Option<Chain>,
}

/// Lives that are led one after the other.
#[derive(Serialize, Deserialize)]
struct Chain {
    left: u64,
    waiting: From<Driver>,
}

/// A work.
#[derive(Debug, Serialize, Deserialize)]
pub enum Work {
    /// So many players in a ring, in the place of those that there are.
    Players(u64),
    /// So many processes more of a module of counters.
    Start {
        /// Which module.
        module: String,
        /// How many.
        number: u64,
    },
    /// So many processes more, which count among the counters, with so many numbers each.
    Hoards {
        /// How many processes.
        number: u64,
        /// How many numbers.
        size: u64,
    },
    /// Ends all players and counters.
    Clear,
    /// A process that takes one message and ends, so many times, one after the other.
    Lives(u64),
    /// A ball that is passed on so many times among the players, one round or many.
    Throw(u64),
    /// A call of a counter, so many times. It is the same one, or each time another, by a number that begins the choice.
    Calls {
        /// How many.
        times: u64,
        /// Where the choice begins; none for always the first.
        choice: Option<u64>,
    },
    /// A call of the first player, so many times.
    Asks(u64),
    /// The players but the first send so many messages each to the first.
    FanIn(u64),
    /// So many players loop for ever, besides those in the ring.
    Spin(u64),
    /// Calls of the first player; how long each took.
    Latencies(u64),
    /// Has the process of this name crash, and calls until its successor answers, so many times; how long each took.
    Crashes {
        /// Whose.
        name: String,
        /// How many.
        times: u64,
    },
}

/// What came of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is done.
    Done,
    /// Nanoseconds each.
    Took(Vec<u64>),
    /// Something else happened than should have.
    Failed(String),
}

#[server]
impl Server for Driver {
    type Call = Work;
    type Reply = Reply;

    fn init((): (), _: &Context) -> Start<Self> {
        Ok(Driver::default())
    }

    fn handle_call(&mut self, work: Work, from: From<Self>, context: &Context) -> Outcome<Reply> {
        if let Work::Lives(times) = work {
            self.chain = Some(Chain { left: times, waiting: from });
            return match self.next_life(context) {
                Ok(()) => noreply(),
                Err(why) => reply(Reply::Failed(why)),
            };
        }
        reply(self.perform(work, context).unwrap_or_else(|Failure(why)| Reply::Failed(why)))
    }

    fn handle_down(&mut self, down: Down, context: &Context) -> Outcome {
        let ended = match down.reason {
            ExitReason::Normal => self.next_life(context),
            reason => Err(format!("a life ended for another reason: {reason:?}")),
        };
        if let Err(why) = ended
            && let Some(chain) = self.chain.take()
        {
            chain.waiting.reply(context, Reply::Failed(why));
        }
        noreply()
    }
}

impl Driver {
    /// Starts the next of a chain of lives, or replies that there is none.
    fn next_life(&mut self, context: &Context) -> Result<(), String> {
        let Some(chain) = &mut self.chain else { return Ok(()) };
        if chain.left == 0 {
            self.chain.take().into_iter().for_each(|chain| chain.waiting.reply(context, Reply::Done));
            return Ok(());
        }
        chain.left -= 1;
        let once = context.spawn::<Once>(ONCE, &(), Options::new()).map_err(|error| error.to_string())?;
        // Not by the options: then the task's result would come, and its end would not be waited for.
        context.monitor(once.pid);
        context.send(once.pid, &()).map_err(|refusal| refusal.to_string())
    }

    fn perform(&mut self, work: Work, context: &Context) -> Result<Reply, Failure> {
        match work {
            Work::Players(number) => self.ring(number, context)?,
            Work::Start { module, number } => {
                // What it knows of them counts with them, so it is to be no more than it must.
                self.counters.reserve_exact(usize::try_from(number).unwrap_or_default());
                for start in 0..number {
                    self.counters.push(context.spawn::<Counter>(&module, &start, Options::new())?.pid);
                }
            }
            Work::Hoards { number, size } => {
                for _ in 0..number {
                    self.counters.push(context.spawn::<Hoard>(HOARD, &size, Options::new())?.pid);
                }
            }
            Work::Clear => self.players.drain(..).chain(self.counters.drain(..)).for_each(|pid| context.kill(pid)),
            Work::Throw(passes) => self.first()?.call_within(context, Toss::Throw(passes), None)?,
            Work::Calls { times, choice } => self.calls(times, choice, context)?,
            Work::Asks(times) => {
                let first = self.first()?;
                for _ in 0..times {
                    first.call_within(context, Toss::Ping, None)?;
                }
            }
            Work::FanIn(drops) => self.fan_in(drops, context)?,
            Work::Spin(number) => {
                for _ in 0..number {
                    let spinner = player(context)?;
                    Ref::<Player>::pid(spinner).cast(context, Order::Spin);
                    self.players.push(spinner);
                }
            }
            Work::Latencies(times) => {
                let first = self.first()?;
                return each(times, || Ok(first.call_within(context, Toss::Ping, None)?)).map(Reply::Took);
            }
            Work::Crashes { name, times } => {
                let child = Ref::<Player>::named(name);
                let crash = || {
                    crash(&child, context);
                    Ok(())
                };
                return each(times, crash).map(Reply::Took);
            }
            Work::Lives(_) => {}
        }
        Ok(Reply::Done)
    }

    fn ring(&mut self, number: u64, context: &Context) -> Result<(), Failure> {
        self.players.drain(..).for_each(|pid| context.kill(pid));
        for _ in 0..number {
            self.players.push(player(context)?);
        }
        let next = self.players.iter().cycle().skip(1);
        for (player, next) in self.players.iter().zip(next) {
            Ref::<Player>::pid(*player).call(context, Toss::Meet(*next))?;
        }
        Ok(())
    }

    fn first(&self) -> Result<Ref<Player>, Failure> {
        Ok(Ref::pid(*self.players.first().ok_or("there are no players")?))
    }

    fn calls(&self, times: u64, choice: Option<u64>, context: &Context) -> Result<(), Failure> {
        let mut seed = choice.unwrap_or_default();
        let many = u64::try_from(self.counters.len())?;
        for _ in 0..times {
            let at = if choice.is_some() { random(&mut seed).checked_rem(many) } else { Some(0) };
            let counter =
                at.and_then(|at| self.counters.get(usize::try_from(at).ok()?)).ok_or("there are no counters")?;
            Ref::<Counter>::pid(*counter).call_within(context, Add::Add(1), None)?;
        }
        Ok(())
    }

    fn fan_in(&self, drops: u64, context: &Context) -> Result<(), Failure> {
        let (first, others) = self.players.split_first().ok_or("there are no players")?;
        for sender in others {
            let sender = Ref::<Player>::pid(*sender);
            sender.call(context, Toss::Meet(*first))?;
        }
        for sender in others {
            Ref::<Player>::pid(*sender).cast(context, Order::Pour(drops));
        }
        let all = i64::try_from(drops)?.saturating_mul(i64::try_from(others.len())?);
        Ok(Ref::<Player>::pid(*first).call_within(context, Toss::Expect(all), None)?)
    }
}

fn player(context: &Context) -> Result<Pid, Failure> {
    Ok(context.spawn::<Player>(PLAYER, &(), Options::new())?.pid)
}

/// Ends the life of a process, and asks for the next one until it answers.
fn crash(child: &Ref<Player>, context: &Context) {
    child.cast(context, Order::Crash);
    // What one process sends to another arrives in order: whoever answers has not been told to crash.
    while child.call(context, Toss::Ping).is_err() {}
}

fn each(times: u64, mut work: impl FnMut() -> Result<(), Failure>) -> Result<Vec<u64>, Failure> {
    let measured = |()| {
        let begun = monotonic_clock::now();
        work()?;
        Ok(monotonic_clock::now() - begun)
    };
    (0..times).map(|_| ()).map(measured).collect()
}

/// The next of some numbers that look like random ones (xorshift).
fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

skep_sdk::export!(Driver);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::{Action, Harness};

    use super::*;

    #[test]
    fn says_what_is_missing() {
        let mut driver = Harness::<Driver>::start(()).expect("init succeeds").always_hibernating();
        let nobody = |reply: Reply| matches!(reply, Reply::Failed(why) if why.starts_with("there are no "));
        assert!(nobody(driver.call(Work::Throw(1)).expect("it answers")));
        assert!(nobody(driver.call(Work::FanIn(1)).expect("it answers")));
        assert!(nobody(driver.call(Work::Calls { times: 1, choice: None }).expect("it answers")));
        assert!(nobody(driver.call(Work::Calls { times: 1, choice: Some(7) }).expect("it answers")));
        assert_eq!(driver.call(Work::Clear), Ok(Reply::Done));
    }

    #[test]
    fn leads_one_life_after_the_other() {
        let mut driver = Harness::<Driver>::start(()).expect("init succeeds").always_hibernating();
        let pending = driver.call_open(Work::Lives(2));
        for _ in 0..2 {
            let mark = driver.actions().into_iter().find_map(|action| match action {
                Action::Monitor { mark, .. } => Some(mark),
                _ => None,
            });
            driver.down(mark.expect("it watches"), ExitReason::Normal);
        }
        assert_eq!(driver.reply_to(&pending), Some(Reply::Done));
    }

    #[test]
    fn chooses_among_all() {
        let mut seed = 1;
        let chosen: std::collections::BTreeSet<u64> = (0..1_000).map(|_| random(&mut seed) % 10).collect();
        assert_eq!(chosen.len(), 10);
    }
}
