//! The floor: the works on bare wasmtime, by the smallest host that can do them at all.
//!
//! Owns one worker, which is the thread that asks: it pops a process from the run queue, calls its component with the oldest
//! message, and pushes whoever was sent to. A process is a queue behind a lock, and an instance or a state. There is nothing
//! else that Skep has: no pids that cannot be guessed, no links, limits, names, supervisors, no second worker to steal from,
//! and a process whose slice is over goes on at once. No process can cost less than this on the same engine, unless it is
//! entered more rarely: several messages in one crossing can beat it.

mod engine;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use skep_bare::{Bare, Metering};
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower, TypedFunc,
};
use wasmtime::error::Context as _;
use wasmtime::{Engine, Result, Store, ensure};

use crate::work::{Rival, SENDERS, Sample, Sizes, Work, each, random, resident, resident_bytes};

/// Whom a process sends to when the work is done.
const OUTSIDE: u64 = u64::MAX;

/// A message for a component.
type Handle = TypedFunc<(Vec<u8>,), ()>;

/// The floor.
pub struct Floor {
    engine: Engine,
    component: Component,
    pre: InstancePre<Context>,
    /// The component of `examples-wasm/bench-cpu`, and servers of it.
    cpu: PathBuf,
    computing: Option<[Bare; 2]>,
}

/// What a process's functions of the host find.
struct Context {
    world: Arc<World>,
}

/// All processes of one work.
#[derive(Default)]
struct World {
    cells: Vec<Mutex<VecDeque<Vec<u8>>>>,
    ready: Mutex<VecDeque<usize>>,
    is_done: Mutex<bool>,
}

/// A process with an instance.
struct Live {
    store: Store<Context>,
    instance: Instance,
    handle: Handle,
}

impl Floor {
    /// Compiles the guests; `cpu` is the component that only computes, which is read when it is needed.
    ///
    /// # Errors
    ///
    /// There is no engine.
    pub fn new(cpu: &Path) -> Result<Self> {
        let engine = engine::pooled()?;
        let component = Component::new(&engine, wat::parse_str(include_str!("floor/guest.wat"))?)?;
        let pre = engine::linker(&engine, World::send)?.instantiate_pre(&component)?;
        Ok(Floor { engine, component, pre, cpu: cpu.to_owned(), computing: None })
    }

    fn export(&self, name: &str) -> Result<ComponentExportIndex> {
        self.component.get_export_index(None, name).with_context(|| format!("the guest has no `{name}`"))
    }

    /// An instance in a store of its own.
    fn live(&self, world: &Arc<World>, handle: ComponentExportIndex) -> Result<Live> {
        let mut store = engine::store(&self.engine, Context { world: world.clone() })?;
        let instance = now(self.pre.instantiate_async(&mut store))?;
        let handle = instance.get_typed_func(&mut store, handle)?;
        Ok(Live { store, instance, handle })
    }

    /// Tells a process a number.
    fn tell(&self, live: &mut Live, name: &str, number: u64) -> Result<()> {
        let told = live.instance.get_typed_func::<(u64,), ()>(&mut live.store, self.export(name)?)?;
        now(told.call_async(&mut live.store, (number,)))
    }

    /// So many processes with one behaviour each, which know the next one.
    fn players(&self, behaviours: &[&str], next: impl Fn(u64) -> u64) -> Result<(Arc<World>, Vec<Live>)> {
        let world =
            Arc::new(World { cells: behaviours.iter().map(|_| Mutex::default()).collect(), ..World::default() });
        let mut all = Vec::new();
        for (number, behaviour) in (0..).zip(behaviours) {
            let mut live = self.live(&world, self.export(behaviour)?)?;
            self.tell(&mut live, "meet", next(number))?;
            all.push(live);
        }
        Ok((world, all))
    }

    fn lives(&self, times: u64) -> Result<Sample> {
        let (world, once) = (Arc::new(World::default()), self.export("once")?);
        let begun = Instant::now();
        for _ in 0..times {
            let mut live = self.live(&world, once)?;
            now(live.handle.call_async(&mut live.store, (vec![0; 8],)))?;
        }
        Ok(each("a life", begun, times))
    }

    /// A ball that is passed on so many times in a ring.
    fn throw(&self, name: &'static str, number: u64, passes: u64, times: u64) -> Result<Sample> {
        let behaviours = vec!["catch"; usize::try_from(number)?];
        let (world, mut players) = self.players(&behaviours, |player| (player + 1) % number)?;
        let begun = Instant::now();
        world.send(0, passes.to_le_bytes().to_vec());
        world.run(&mut players)?;
        Ok(each(name, begun, times))
    }

    fn fan_in(&self, drops: u64) -> Result<Sample> {
        let (world, mut players) = self.players(&["take", "pour", "pour", "pour", "pour"], |_| 0)?;
        self.tell(&mut players[0], "expect", drops)?;
        let begun = Instant::now();
        for sender in 1..=SENDERS {
            world.send(sender, (drops / SENDERS).to_le_bytes().to_vec());
        }
        world.run(&mut players)?;
        Ok(each("message", begun, drops))
    }

    /// A process without an instance is a mailbox and a state.
    fn idle(&self, number: u64, calls: u64) -> Result<Vec<Sample>> {
        type Cell = Mutex<(VecDeque<Vec<u8>>, Box<[u8]>)>;
        let (world, start, add) = (Arc::new(World::default()), self.export("start")?, self.export("add")?);
        let before = resident_bytes();
        let begun = Instant::now();
        let mut cells: Vec<Cell> = Vec::with_capacity(usize::try_from(number)?);
        for count in 0..number {
            let state = self.once(&world, start, (count,))?;
            cells.push(Mutex::new((VecDeque::new(), state.into())));
        }
        let mut samples = vec![each("created", begun, number), resident(before, number)];
        let (mut seed, mut last) = (0x9e37_79b9_7f4a_7c15, 0);
        let begun = Instant::now();
        for _ in 0..calls {
            last = usize::try_from(random(&mut seed) % number)?;
            let mut cell = locked(&cells[last]);
            let state = std::mem::take(&mut cell.1).into_vec();
            cell.1 = self.once(&world, add, (state, 1_u64))?.into();
        }
        samples.push(each("call of one", begun, calls));
        let state = &locked(&cells[last]).1;
        let count = state.first_chunk().map(|count| u64::from_le_bytes(*count));
        let has_counted = calls == 0 || state.len() == 64 && count > u64::try_from(last).ok();
        ensure!(has_counted, "it has not counted: {state:?}");
        Ok(samples)
    }

    /// One call of an instance that is gone afterwards.
    fn once<P>(&self, world: &Arc<World>, export: ComponentExportIndex, parameters: P) -> Result<Vec<u8>>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        (Vec<u8>,): Lift,
    {
        let mut store = engine::store(&self.engine, Context { world: world.clone() })?;
        let instance = now(self.pre.instantiate_async(&mut store))?;
        let export = instance.get_typed_func::<P, (Vec<u8>,)>(&mut store, export)?;
        let (state,) = now(export.call_async(&mut store, parameters))?;
        Ok(state)
    }

    /// The code that only computes, metered and not.
    fn compute(&mut self, fib: u32, sha_bytes: usize) -> Result<Vec<Sample>> {
        let computing = match &mut self.computing {
            Some(computing) => computing,
            none => {
                let path = self.cpu.display();
                let code = std::fs::read(&self.cpu).with_context(|| format!("{path}: is it built? See README.md"))?;
                let start = |metering| Bare::start(&code, metering).with_context(|| format!("{path} does not start"));
                none.insert([start(Metering::Metered)?, start(Metering::Unmetered)?])
            }
        };
        let requests = [format!(r#"{{"Fib":{fib}}}"#), format!(r#"{{"Sha":{sha_bytes}}}"#)];
        let names = [["fib(35)", "fib(35) unmetered"], ["SHA-256 of 16 MiB", "SHA-256 of 16 MiB unmetered"]];
        let mut samples = Vec::new();
        for (request, names) in requests.iter().zip(names) {
            let mut replies = Vec::new();
            for (bare, name) in computing.iter_mut().zip(names) {
                let begun = Instant::now();
                replies.push(bare.call(request)?);
                samples.push(each(name, begun, 1));
            }
            ensure!(replies[0] == replies[1], "metered it computes {}, and else {}", replies[0], replies[1]);
        }
        Ok(samples)
    }
}

impl Rival for Floor {
    fn perform(&mut self, work: Work, sizes: &Sizes) -> anyhow::Result<Vec<Sample>> {
        // What wasmtime calls an error is not one of the standard library's.
        self.measure(work, sizes).map_err(|error| anyhow::anyhow!("{error:?}"))
    }
}

impl Floor {
    fn measure(&mut self, work: Work, sizes: &Sizes) -> Result<Vec<Sample>> {
        match work {
            Work::Spawn => Ok(vec![self.lives(sizes.lives)?]),
            Work::Ping => Ok(vec![self.throw("round trip", 2, 2 * sizes.passes, sizes.passes)?]),
            Work::Ring => Ok(vec![self.throw("hop", sizes.ring, sizes.hops, sizes.hops)?]),
            Work::FanIn => Ok(vec![self.fan_in(sizes.drops)?]),
            Work::Idle => self.idle(sizes.waiting, sizes.calls),
            Work::Cpu => self.compute(sizes.fib, sizes.sha_bytes),
        }
    }
}

impl World {
    fn send(&self, to: u64, message: Vec<u8>) {
        if to == OUTSIDE {
            *locked(&self.is_done) = true;
            return;
        }
        let Some((at, cell)) = usize::try_from(to).ok().and_then(|at| Some((at, self.cells.get(at)?))) else { return };
        let mut mailbox = locked(cell);
        mailbox.push_back(message);
        if mailbox.len() == 1 {
            locked(&self.ready).push_back(at);
        }
    }

    /// Lets processes handle messages, one a turn, until somebody outside is sent to.
    fn run(&self, processes: &mut [Live]) -> Result<()> {
        while !*locked(&self.is_done) {
            let at = locked(&self.ready).pop_front().context("nobody has anything to do, and it is not done")?;
            // It stays in the mailbox, so that nobody makes the process ready a second time.
            let message = locked(&self.cells[at]).front_mut().map(std::mem::take).context("it has a message")?;
            let Live { store, handle, .. } = &mut processes[at];
            now(handle.call_async(store, (message,)))?;
            let mut mailbox = locked(&self.cells[at]);
            mailbox.pop_front();
            if !mailbox.is_empty() {
                locked(&self.ready).push_back(at);
            }
        }
        Ok(())
    }
}

/// Polls until it is there. What is pending has met the end of a slice, and goes on.
fn now<T>(future: impl Future<Output = T>) -> T {
    let (mut future, mut context) = (pin!(future), std::task::Context::from_waker(Waker::noop()));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

/// One thread has all of them.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
