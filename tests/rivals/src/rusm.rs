//! RUSM: the works by its components, as its documentation says that they are to be spawned.
//!
//! Owns a runtime of its own, made by `WasmRuntime::new` with nothing changed, and a native process of RUSM that drives the
//! components and waits for them: nothing of this program is between two of RUSM's processes. RUSM has no typed call and no
//! state that outlives an instance, so a waiting process keeps its instance, and there can be no more than the pool holds.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use rusm_otp::{Context, Pid, ProcessHandle, Received, Runtime};
use rusm_wasm::{PreparedComponent, WasmRuntime};
use tokio::sync::oneshot;

use crate::work::{Rival, SENDERS, Sample, Sizes, Work, each, random, resident, resident_bytes};

/// Components that live at once, in the pool that wasmtime has unless somebody says otherwise, which RUSM does not: it holds 1,000
/// core instances, and each of these components is two.
const POOL: u64 = 500;
/// A life takes some ten times as long as the floor's.
const SLOWER: u64 = 4;

/// RUSM.
pub struct Rusm {
    tokio: tokio::runtime::Runtime,
    host: Host,
}

/// What the driver has.
#[derive(Clone)]
struct Host {
    runtime: Runtime,
    wasm: Arc<WasmRuntime>,
    guests: Arc<Guests>,
}

/// One behaviour each.
struct Guests {
    once: PreparedComponent,
    catch: PreparedComponent,
    pour: PreparedComponent,
    take: PreparedComponent,
    wait: PreparedComponent,
    fib: PreparedComponent,
}

/// The native process that drives, and the components that it has started.
struct Driver {
    host: Host,
    context: Context,
    started: Vec<ProcessHandle>,
}

impl Rusm {
    /// Compiles the guests.
    ///
    /// # Errors
    ///
    /// There is no runtime.
    pub fn new() -> Result<Self> {
        let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let host = tokio.block_on(async {
            let runtime = Runtime::new();
            let wasm = WasmRuntime::new(runtime.clone())?;
            let component = wasm.compile_component(wat::parse_str(include_str!("rusm/guest.wat"))?)?;
            let prepare = |entry| wasm.prepare_component(&component, entry);
            let guests = Guests {
                once: prepare("once")?,
                catch: prepare("catch")?,
                pour: prepare("pour")?,
                take: prepare("take")?,
                wait: prepare("wait")?,
                fib: prepare("fib")?,
            };
            anyhow::Ok(Host { runtime, wasm: Arc::new(wasm), guests: Arc::new(guests) })
        })?;
        Ok(Rusm { tokio, host })
    }
}

impl Rival for Rusm {
    fn perform(&mut self, work: Work, sizes: &Sizes) -> Result<Vec<Sample>> {
        let (host, sizes) = (self.host.clone(), *sizes);
        self.tokio.block_on(async {
            let (done, samples) = oneshot::channel();
            self.host.runtime.spawn(move |context| async move {
                let mut driver = Driver { host, context, started: Vec::new() };
                let samples = driver.perform(work, &sizes).await;
                driver.clear().await;
                // Whoever has gone does not want to know.
                let _ = done.send(samples);
            });
            samples.await.context("the driver has ended")?
        })
    }
}

impl Driver {
    async fn perform(&mut self, work: Work, sizes: &Sizes) -> Result<Vec<Sample>> {
        match work {
            Work::Spawn => Ok(vec![self.lives((sizes.lives / SLOWER).max(1)).await]),
            Work::Ping => Ok(vec![self.throw("round trip", 2, 2 * sizes.passes, sizes.passes).await?]),
            Work::Ring => Ok(vec![self.throw("hop", sizes.ring.min(POOL), sizes.hops, sizes.hops).await?]),
            Work::FanIn => Ok(vec![self.fan_in(sizes.drops).await?]),
            Work::Idle => self.idle(sizes.waiting.min(POOL), sizes.calls).await,
            Work::Cpu => Ok(vec![self.fib(sizes.fib).await?]),
        }
    }

    /// Starts a process and tells it two numbers.
    fn start(&mut self, guest: impl FnOnce(&Guests) -> &PreparedComponent, numbers: [u64; 2]) -> Pid {
        let process = self.host.wasm.spawn_component(guest(&self.host.guests));
        let pid = process.pid();
        self.started.push(process);
        self.host.runtime.send(pid, numbers.map(u64::to_le_bytes).concat());
        pid
    }

    fn send(&self, to: Pid, number: u64) {
        self.host.runtime.send(to, number.to_le_bytes().to_vec());
    }

    /// What a process sends home.
    async fn receive(&mut self) -> Result<u64> {
        loop {
            if let Received::Message(message) = self.context.recv().await {
                let number = message.first_chunk().context("it is too short")?;
                return Ok(u64::from_le_bytes(*number));
            }
        }
    }

    fn home(&self) -> u64 {
        self.context.pid().raw()
    }

    /// Ends all that it has started.
    async fn clear(&mut self) {
        for process in self.started.drain(..) {
            process.kill();
            process.join().await;
        }
    }

    async fn lives(&mut self, times: u64) -> Sample {
        let begun = Instant::now();
        for _ in 0..times {
            let process = self.host.wasm.spawn_component(&self.host.guests.once);
            self.send(process.pid(), 0);
            process.join().await;
        }
        each("a life", begun, times)
    }

    /// A ball that is passed on so many times in a ring, which is closed last.
    async fn throw(&mut self, name: &'static str, number: u64, passes: u64, times: u64) -> Result<Sample> {
        let home = self.home();
        let closing = self.host.wasm.spawn_component(&self.host.guests.catch);
        let last = closing.pid();
        self.started.push(closing);
        let mut next = last;
        for _ in 1..number {
            next = self.start(|guests| &guests.catch, [next.raw(), home]);
        }
        self.host.runtime.send(last, [next.raw(), home].map(u64::to_le_bytes).concat());
        // A ball without passes comes home at once: by then a process is there.
        for process in 0..self.started.len() {
            self.send(self.started[process].pid(), 0);
            self.receive().await?;
        }
        let begun = Instant::now();
        self.send(last, passes);
        ensure!(self.receive().await? == 0, "the ball has come home");
        Ok(each(name, begun, times))
    }

    async fn fan_in(&mut self, drops: u64) -> Result<Sample> {
        let home = self.home();
        let taker = self.start(|guests| &guests.take, [home, drops]);
        let begun = Instant::now();
        for _ in 0..SENDERS {
            self.start(|guests| &guests.pour, [taker.raw(), drops / SENDERS]);
        }
        self.receive().await?;
        Ok(each("message", begun, drops))
    }

    async fn idle(&mut self, number: u64, calls: u64) -> Result<Vec<Sample>> {
        let home = self.home();
        let before = resident_bytes();
        let begun = Instant::now();
        for count in 0..number {
            self.start(|guests| &guests.wait, [home, count]);
            self.receive().await?;
        }
        let mut samples = vec![each("created", begun, number), resident(before, number)];
        let mut seed = 0x9e37_79b9_7f4a_7c15;
        let begun = Instant::now();
        for _ in 0..calls {
            let at = random(&mut seed) % number;
            self.send(self.started[usize::try_from(at)?].pid(), 1);
            ensure!(self.receive().await? > at, "it has counted");
        }
        samples.push(each("call of one", begun, calls));
        Ok(samples)
    }

    async fn fib(&mut self, n: u32) -> Result<Sample> {
        let home = self.home();
        let begun = Instant::now();
        self.start(|guests| &guests.fib, [home, u64::from(n)]);
        self.receive().await?;
        Ok(each("fib(35)", begun, 1))
    }
}
