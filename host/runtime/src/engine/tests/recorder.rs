//! Stands for the shell: writes down what a guest asks, and answers with as little as it can.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use skep_kernel::budget::Budget;
use skep_kernel::directory::{HowMany, Place, Table, Watched};
use skep_kernel::mailbox::Number;
use skep_kernel::process::{AliasMode, Monitoring, More, Received, Wanted};
use skep_kernel::{Address, Alias, Body, CallError, Caller, Event, ExitReason, Mark, Name, Pid, Refusal, SpawnError};

use crate::api::directory::{Answered, DirectoryCalls, Found};
use crate::api::{Asked, Ended, PendingSpawn, SpawnOptions, Syscalls, When};
use crate::engine::Ledger;
use crate::observe::Level;
use crate::spec::Console;

#[derive(Default)]
pub struct Recorder {
    /// What was asked, a line each.
    pub asked: Mutex<Vec<String>>,
    /// What `more` and `receive` give.
    pub events: Mutex<VecDeque<Event>>,
    /// The streams of a command.
    pub console: Mutex<Console>,
    /// What outlives the instance.
    pub ledger: Arc<Ledger>,
    /// What it counts in.
    pub budget: Option<Arc<Budget>>,
}

impl Recorder {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Of a process below this budget.
    pub fn below(budget: &Arc<Budget>) -> Arc<Self> {
        let ledger = Arc::new(Ledger::new(Some(Arc::clone(budget))));
        Arc::new(Recorder { ledger, budget: Some(Arc::clone(budget)), ..Recorder::default() })
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock())
    }

    fn note(&self, line: impl Into<String>) {
        self.asked.lock().push(line.into());
    }
}

pub const PID: Pid = Pid { node: 0, id: 7, tag: 99 };

impl Syscalls for Recorder {
    fn pid(&self) -> Pid {
        PID
    }
    fn budget(&self) -> Option<Arc<Budget>> {
        self.budget.clone()
    }
    fn send(&self, to: Address, body: Body) -> Result<Result<usize, Refusal>, Ended> {
        self.note(format!("send {to:?} {body:?}"));
        Ok(Ok(1))
    }
    fn cast(&self, to: Address, body: Body) -> Result<usize, Ended> {
        self.note(format!("cast {to:?} {body:?}"));
        Ok(1)
    }
    fn begin_call(&self, to: Address, body: Body, timeout: Option<u64>) -> Result<Result<Mark, CallError>, Ended> {
        self.note(format!("call {to:?} {body:?} {timeout:?}"));
        Ok(Ok(Mark(1)))
    }
    fn poll_call(&self, _: Mark, _: &mut Context<'_>) -> Poll<Result<Result<Body, CallError>, Ended>> {
        Poll::Ready(Ok(Err(CallError::Timeout)))
    }
    fn request(&self, _: Address, _: Body, _: Option<u64>) -> Result<Mark, Ended> {
        Ok(Mark(2))
    }
    fn begin_stop(&self, _: Address, _: ExitReason, _: Option<u64>) -> Result<Result<Mark, CallError>, Ended> {
        Ok(Err(CallError::Timeout))
    }
    fn abandon(&self, _: Mark) -> Result<bool, Ended> {
        Ok(false)
    }
    fn reply(&self, to: Caller, body: Body) -> Result<(), Ended> {
        self.note(format!("reply {to:?} {body:?}"));
        Ok(())
    }
    fn more(&self, reply: Option<Body>) -> Result<More, Ended> {
        self.note(format!("more {reply:?}"));
        Ok(self.events.lock().pop_front().map_or(More::Return, More::Event))
    }
    fn poll_more(&self, _: &mut Context<'_>) -> Poll<Result<Option<Event>, Ended>> {
        unreachable!("it was told to return");
    }
    fn begin_receive(&self, wanted: Wanted, timeout: Option<u64>) -> Result<(), Ended> {
        self.note(format!("receive {wanted:?} {timeout:?}"));
        Ok(())
    }
    fn poll_receive(&self, _: &mut Context<'_>) -> Poll<Result<Received, Ended>> {
        Poll::Ready(Ok(self.events.lock().pop_front().map_or(Received::Nothing, Received::Event)))
    }
    fn take_seen(&self, _: Number) -> Result<bool, Ended> {
        Ok(false)
    }
    fn open_alias(&self, mode: AliasMode) -> Result<Alias, Ended> {
        self.note(format!("open-alias {mode:?}"));
        Ok(Alias { node: 0, id: 1, tag: 2 })
    }
    fn unalias(&self, _: Alias) -> Result<bool, Ended> {
        Ok(false)
    }
    fn begin_alive(&self, pid: Pid) -> Result<Asked, Ended> {
        self.note(format!("is-alive {pid}"));
        Ok(Asked::Known(false))
    }
    fn link(&self, to: Pid) -> Result<Result<(), Refusal>, Ended> {
        self.note(format!("link {to}"));
        Ok(Err(Refusal::Unknown("process".into())))
    }
    fn unlink(&self, _: Pid) -> Result<(), Ended> {
        Ok(())
    }
    fn monitor(&self, wanted: Monitoring) -> Result<(Mark, Option<Alias>), Ended> {
        self.note(format!("monitor {:?}", wanted.target));
        Ok((Mark(3), None))
    }
    fn demonitor(&self, _: Mark, _: bool) -> Result<bool, Ended> {
        Ok(false)
    }
    fn trap_exit(&self, on: bool) -> Result<bool, Ended> {
        self.note(format!("trap-exit {on}"));
        Ok(false)
    }
    fn exit(&self, to: Pid, reason: ExitReason) -> Result<(), Ended> {
        self.note(format!("exit {to} {reason}"));
        Ok(())
    }
    fn kill(&self, to: Pid) -> Result<(), Ended> {
        self.note(format!("kill {to}"));
        Err(Ended(ExitReason::Killed))
    }
    fn begin_spawn(&self, module: &str, _: Body, _: SpawnOptions) -> Result<Result<PendingSpawn, SpawnError>, Ended> {
        self.note(format!("spawn {module}"));
        Ok(Err(SpawnError::Ignored))
    }
    fn poll_spawn(&self, _: PendingSpawn, _: &mut Context<'_>) -> Poll<Result<Result<Pid, SpawnError>, Ended>> {
        Poll::Ready(Ok(Err(SpawnError::Ignored)))
    }
    fn register(&self, name: &str, pid: Pid) -> Result<Result<(), Refusal>, Ended> {
        self.note(format!("register {name} {pid}"));
        Ok(Ok(()))
    }
    fn unregister(&self, _: &str) -> Result<bool, Ended> {
        Ok(false)
    }
    fn whereis(&self, _: &str) -> Result<Option<Pid>, Ended> {
        Ok(None)
    }
    fn now(&self) -> Result<u64, Ended> {
        Ok(0)
    }
    fn start_timer(&self, when: When, to: Option<Address>, _: Body) -> Result<Mark, Ended> {
        self.note(format!("timer {when:?} {to:?}"));
        Ok(Mark(5))
    }
    fn cancel_timer(&self, _: Option<Pid>, _: Mark) -> Result<Option<u64>, Ended> {
        Ok(None)
    }
    fn timer_left(&self, _: Option<Pid>, _: Mark) -> Result<Option<u64>, Ended> {
        Ok(None)
    }
    fn console(&self) -> Console {
        self.console.lock().clone()
    }
    fn emit(&self, to: &Name, bytes: Vec<u8>) -> Result<Result<(), Refusal>, Ended> {
        self.note(format!("emit {to} {:?}", String::from_utf8_lossy(&bytes)));
        Ok(Ok(()))
    }
    fn ledger(&self) -> Arc<Ledger> {
        self.ledger.clone()
    }
    fn log(&self, level: Level, message: &str) {
        self.note(format!("log {level:?} {message}"));
    }
}

impl DirectoryCalls for Recorder {
    fn enroll(&self, place: Place, whom: Option<Pid>, value: Body) -> Answered<()> {
        self.note(format!("enroll {place:?} {whom:?} {value:?}"));
        Ok(Ok(()))
    }
    fn withdraw(&self, place: Place, whom: Option<Pid>, how_many: HowMany) -> Answered<usize> {
        self.note(format!("withdraw {place:?} {whom:?} {how_many:?}"));
        Ok(Ok(0))
    }
    fn find(&self, _: Place, _: usize) -> Answered<Vec<Found>> {
        Ok(Ok(Vec::new()))
    }
    fn list(&self, _: Table, _: usize) -> Answered<Vec<Found>> {
        Ok(Ok(Vec::new()))
    }
    fn count(&self, _: Table) -> Answered<usize> {
        Ok(Ok(0))
    }
    fn keys_of(&self, _: Table, _: Pid) -> Answered<Vec<Name>> {
        Ok(Ok(Vec::new()))
    }
    fn replace_value(&self, _: Place, _: Body) -> Answered<()> {
        Ok(Ok(()))
    }
    fn watch(&self, _: Watched, _: Option<usize>) -> Answered<(Mark, Vec<Found>)> {
        Ok(Ok((Mark(6), Vec::new())))
    }
    fn unwatch(&self, _: Mark) -> Result<bool, Ended> {
        Ok(false)
    }
    fn begin_lock(&self, _: Place, _: Option<u64>) -> Answered<Mark> {
        Ok(Ok(Mark(7)))
    }
    fn poll_lock(&self, _: &Place, _: Mark, _: &mut Context<'_>) -> Poll<Result<bool, Ended>> {
        Poll::Ready(Ok(true))
    }
    fn unlock(&self, _: &Place) -> Result<bool, Ended> {
        Ok(true)
    }
}
