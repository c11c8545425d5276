//! Senders and readers: mail, and turns that are interrupted in the middle.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use shuttle::thread;
use skep_kernel::process::Kind;
use skep_kernel::{Body, Event, Pid, Signal};

use crate::Cell;
use crate::shell::{Guest, Shell};
use crate::sync::{Condvar, Defect, Mutex, suffers};

const WORKERS: usize = 2;
const PROCESSES: usize = 2;
const SENDERS: usize = 2;
const MESSAGES: usize = 2;
const HANDLED_AT_LAST: usize = PROCESSES * SENDERS * (MESSAGES + 1);

/// What all readers of a scenario share.
#[derive(Default)]
struct Ring {
    pids: OnceLock<Vec<Pid>>,
    handled: Mutex<usize>,
    all_handled: Condvar,
}

/// Notes each message, and passes the first one of each sender on to the next reader: a worker queues, too. Before it
/// handles the very first one it waits for a file.
struct Reader {
    place: usize,
    ring: Arc<Ring>,
    /// Sender and number.
    seen: Mutex<Vec<(usize, usize)>>,
    asked: AtomicBool,
    file: Arc<AtomicBool>,
}

impl Reader {
    /// Whether its file has been read; has it read by another thread, which wakes the process.
    fn has_file(&self, cell: &Arc<Cell>) -> bool {
        if !self.asked.swap(true, SeqCst) {
            let (file, waker) = (Arc::clone(&self.file), Waker::from(Arc::clone(cell)));
            thread::spawn(move || {
                file.store(true, SeqCst);
                waker.wake();
            });
            return false;
        }
        self.file.load(SeqCst)
    }

    fn note(&self, sender: usize, number: usize) {
        let mut seen = self.seen.lock();
        let before = seen.iter().filter(|(from, _)| *from == sender).count();
        assert_eq!(before, number, "a message of {sender} is out of order, lost or doubled");
        seen.push((sender, number));
    }
}

impl Guest for Reader {
    fn handle(&self, shell: &Arc<Shell>, cell: &Arc<Cell>, event: &Event) -> Option<Option<Body>> {
        if !self.has_file(cell) {
            return None;
        }
        let Event::Info(Body::Text(text)) = event else { unreachable!("nothing else is sent") };
        let (sender, number) = text.split_once(' ').expect("two numbers");
        let (sender, number): (usize, usize) = (sender.parse().expect("a sender"), number.parse().expect("a number"));
        self.note(sender, number);
        if sender < SENDERS && number == 0 {
            let next = (self.place + 1) % PROCESSES;
            self.ring.send(shell, next, SENDERS + self.place * SENDERS + sender, 0);
        }
        self.ring.has_handled();
        Some(None)
    }
}

impl Ring {
    fn new(shell: &Arc<Shell>) -> Arc<Self> {
        let ring = Arc::new(Ring::default());
        let reader = |place| Reader {
            place,
            ring: Arc::clone(&ring),
            seen: Mutex::default(),
            asked: false.into(),
            file: Arc::default(),
        };
        let pids = (0..PROCESSES).map(|place| shell.bear(Kind::Server, None, Box::new(reader(place))).pid).collect();
        ring.pids.set(pids).expect("it is new");
        ring
    }

    fn send(&self, shell: &Shell, to: usize, sender: usize, number: usize) {
        let message = Event::Info(Body::Text(format!("{sender} {number}")));
        let to = self.pids.get().expect("they are there")[to];
        assert_eq!(shell.deliver(to, Signal::Message(message)), Ok(()));
    }

    fn has_handled(&self) {
        let mut handled = self.handled.lock();
        *handled += 1;
        if *handled == HANDLED_AT_LAST {
            drop(handled);
            self.all_handled.notify_one();
        }
    }

    fn senders(self: &Arc<Self>, shell: &Arc<Shell>) -> Vec<thread::JoinHandle<()>> {
        let send = |sender: usize| {
            let (ring, shell) = (Arc::clone(self), Arc::clone(shell));
            thread::spawn(move || {
                for number in 0..MESSAGES {
                    let number = if suffers(Defect::Overtake) { MESSAGES - 1 - number } else { number };
                    (0..PROCESSES).for_each(|to| ring.send(&shell, to, sender, number));
                }
            })
        };
        (0..SENDERS).map(send).collect()
    }
}

/// Everything that is sent is handled; then the queue is closed.
pub(crate) fn run_to_the_end() {
    let shell = Shell::new(WORKERS);
    let ring = Ring::new(&shell);
    let mut threads = shell.workers();
    threads.extend(ring.senders(&shell));
    let mut handled = ring.handled.lock();
    while *handled < HANDLED_AT_LAST {
        ring.all_handled.wait(&mut handled);
    }
    drop(handled);
    shell.queue.close();
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    shell.take_down();
}

/// The queue is closed while anything may be going on.
pub(crate) fn close_at_any_time() {
    let shell = Shell::new(WORKERS);
    let ring = Ring::new(&shell);
    let mut threads = shell.workers();
    threads.extend(ring.senders(&shell));
    shell.queue.close();
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    shell.take_down();
}
