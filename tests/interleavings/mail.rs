//! Workers, processes and senders as threads: what the runtime's shell does with a run queue, and no more.

use std::sync::Arc;

use shuttle::thread;
use skep_kernel::process::{Birth, Kind, LinkRequest, SliceEnd, Step, Turn};
use skep_kernel::{Action, Body, Event, Limits, Next, Outcome, Pid, Process, Signal, Start, Time};

use crate::pairs::Pairs;
use crate::queue::RunQueue;
use crate::sync::{Condvar, Defect, Mutex, suffers};

const WORKERS: usize = 2;
const PROCESSES: usize = 2;
const SENDERS: usize = 2;
const MESSAGES: usize = 2;

/// One process, as `cell.rs` of the shell has it, and what is seen of it.
pub(crate) struct Cell {
    process: Mutex<Process>,
    /// Messages it has handled: sender and number.
    seen: Mutex<Vec<(usize, usize)>>,
    on_worker: std::sync::atomic::AtomicBool,
}

impl Cell {
    fn new(id: usize) -> Arc<Self> {
        let pid = pid(id);
        let birth = Birth {
            pid,
            kind: Kind::Server,
            name: None,
            claim: None,
            parent: None,
            starter: None,
            link: false,
            monitor: None,
            limits: Arc::new(Limits::default()),
            hibernate_after: None,
            secret: [pid.id, 1],
            held: None,
        };
        let process = Process::new(birth, Time::ZERO, &mut Vec::new());
        Arc::new(Cell { process: Mutex::new(process), seen: Mutex::new(Vec::new()), on_worker: false.into() })
    }
}

fn pid(id: usize) -> Pid {
    Pid { node: 0, id: id as u64 + 1, tag: 1 }
}

struct Node {
    queue: RunQueue,
    cells: Vec<Arc<Cell>>,
    handled: Mutex<usize>,
    all_handled: Condvar,
}

impl Node {
    fn new() -> Arc<Self> {
        let node = Node {
            queue: RunQueue::new(WORKERS),
            cells: (0..PROCESSES).map(Cell::new).collect(),
            handled: Mutex::new(0),
            all_handled: Condvar::new(),
        };
        node.cells.iter().for_each(|cell| node.schedule(cell));
        Arc::new(node)
    }

    fn schedule(&self, cell: &Arc<Cell>) {
        self.queue.push(Arc::clone(cell));
        if suffers(Defect::QueueTwice) {
            self.queue.push(Arc::clone(cell));
        }
    }

    fn workers(self: &Arc<Self>) -> Vec<thread::JoinHandle<()>> {
        let workers = 0..self.queue.workers();
        let serve = |_| {
            let node = Arc::clone(self);
            thread::spawn(move || node.queue.serve(|cell| node.turn(&cell)))
        };
        workers.map(serve).collect()
    }

    /// As the shell's `deliver`.
    fn deliver(&self, to: usize, sender: usize, number: usize) {
        let cell = &self.cells[to];
        let message = Signal::Message(Event::Info(Body::Text(format!("{sender} {number}"))));
        let delivery = cell.process.lock().deliver(message, Time::ZERO, &mut Vec::new());
        assert_eq!(delivery.outcome, Ok(()));
        if delivery.wake {
            self.schedule(cell);
        }
    }

    /// As `turn` of the shell's worker.
    fn turn(&self, cell: &Arc<Cell>) {
        use std::sync::atomic::Ordering::SeqCst;
        assert!(!cell.on_worker.swap(true, SeqCst), "a process is on two workers");
        let turn = cell.process.lock().begin_slice();
        assert!(!matches!(turn, Turn::Exit(_)));
        while self.goes_on(cell) {}
        cell.on_worker.store(false, SeqCst);
        let end = cell.process.lock().end_slice();
        if end == SliceEnd::Preempted && !suffers(Defect::ForgetStirred) {
            self.queue.push(Arc::clone(cell));
        }
    }

    fn goes_on(&self, cell: &Cell) -> bool {
        let mut actions: Vec<Action> = Vec::new();
        let step = cell.process.lock().next_step(Time::ZERO, &mut actions);
        match step {
            Step::Init => {
                let end = cell.process.lock().started(Start::Ready(Next::Wait), Time::ZERO, &mut actions);
                assert_eq!(end, None);
            }
            Step::Handle { event: Event::Info(Body::Text(text)), .. } => {
                self.handle(cell, &text);
                let done = Outcome { reply: None, next: Next::Wait };
                cell.process.lock().handled(done, Time::ZERO, &mut actions);
            }
            _ => return false,
        }
        true
    }

    /// Notes a message, and passes the first one of each sender on: a worker queues, too.
    fn handle(&self, cell: &Cell, text: &str) {
        let (sender, number) = text.split_once(' ').expect("two numbers");
        let (sender, number): (usize, usize) = (sender.parse().expect("a sender"), number.parse().expect("a number"));
        {
            let mut seen = cell.seen.lock();
            let before = seen.iter().filter(|(from, _)| *from == sender).count();
            assert_eq!(before, number, "a message of {sender} is out of order, lost or doubled");
            seen.push((sender, number));
        }
        if sender < SENDERS && number == 0 {
            let place = self.cells.iter().position(|known| std::ptr::eq(&**known, cell)).unwrap_or_default();
            self.deliver((place + 1) % PROCESSES, SENDERS + place * SENDERS + sender, 0);
        }
        let mut handled = self.handled.lock();
        *handled += 1;
        if *handled == PROCESSES * SENDERS * (MESSAGES + 1) {
            drop(handled);
            self.all_handled.notify_one();
        }
    }

    fn senders(self: &Arc<Self>) -> Vec<thread::JoinHandle<()>> {
        let send = |sender: usize| {
            let node = Arc::clone(self);
            thread::spawn(move || {
                for number in 0..MESSAGES {
                    let number = if suffers(Defect::Overtake) { MESSAGES - 1 - number } else { number };
                    (0..PROCESSES).for_each(|to| node.deliver(to, sender, number));
                }
            })
        };
        (0..SENDERS).map(send).collect()
    }
}

/// Everything that is sent is handled; then the queue is closed.
pub(crate) fn run_to_the_end() {
    let node = Node::new();
    let mut threads = node.workers();
    threads.extend(node.senders());
    let mut handled = node.handled.lock();
    while *handled < PROCESSES * SENDERS * (MESSAGES + 1) {
        node.all_handled.wait(&mut handled);
    }
    drop(handled);
    node.queue.close();
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
}

/// The queue is closed while anything may be going on.
pub(crate) fn close_at_any_time() {
    let node = Node::new();
    let mut threads = node.workers();
    threads.extend(node.senders());
    node.queue.close();
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
}

/// Two processes link and unlink each other, as `syscalls.rs` of the shell does it.
pub(crate) fn cross_links() {
    let cells: Arc<Vec<Arc<Cell>>> = Arc::new((0..2).map(Cell::new).collect());
    let pairs = Arc::new(Pairs::default());
    let cross = |own: usize| {
        let (cells, pairs) = (Arc::clone(&cells), Arc::clone(&pairs));
        thread::spawn(move || {
            let (to, other) = (pid(1 - own), &cells[1 - own]);
            {
                let _pair = (!suffers(Defect::NoPairs)).then(|| pairs.lock(pid(own), to));
                let request = cells[own].process.lock().link(to);
                if let LinkRequest::Ask = request {
                    let link = Signal::Link { from: pid(own) };
                    assert_eq!(other.process.lock().deliver(link, Time::ZERO, &mut Vec::new()).outcome, Ok(()));
                    cells[own].process.lock().link_made();
                }
            }
            let _pair = (!suffers(Defect::NoPairs)).then(|| pairs.lock(pid(own), to));
            let mut actions = Vec::new();
            cells[own].process.lock().unlink(to, &mut actions);
            for action in actions {
                let Action::Deliver { signal, .. } = action else { continue };
                let _ = other.process.lock().deliver(signal, Time::ZERO, &mut Vec::new());
            }
        })
    };
    let threads = [cross(0), cross(1)];
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    let linked = |own: usize| cells[own].process.lock().links().count();
    assert_eq!(linked(0), linked(1), "half a link");
}
