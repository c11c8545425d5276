//! Messages that a guest sends in a row, of which all but the first two are collected: they keep their order, also with what goes
//! round another process in between, and none stays behind.

use std::sync::{Arc, OnceLock};

use shuttle::thread;
use skep_kernel::process::Kind;
use skep_kernel::{Body, Event, Pid, Signal};

use crate::shell::{Guest, Shell};
use crate::sync::{Condvar, Defect, Mutex, suffers};
use crate::{Cell, Way, outbox};

const WORKERS: usize = 2;
/// Messages before and after the one that goes round.
const ROW: usize = 4;

/// Who takes part.
struct Parts {
    reader: Pid,
    between: Pid,
}

#[derive(Default)]
struct Scene {
    parts: OnceLock<Parts>,
    read: Mutex<Vec<usize>>,
    all_read: Condvar,
}

impl Scene {
    fn parts(&self) -> &Parts {
        self.parts.get().expect("they are there")
    }
}

fn message(number: usize) -> Event {
    Event::Info(Body::Text(number.to_string()))
}

fn number(event: &Event) -> usize {
    let Event::Info(Body::Text(text)) = event else { unreachable!("nothing else is sent") };
    text.parse().expect("a number")
}

/// As a guest does.
fn send(shell: &Arc<Shell>, to: Pid, event: Event) {
    if let Err(event) = outbox::collect(to, event) {
        let way = Way::direct(shell.table.get(to).expect("it lives"));
        shell.send_on(&way, event).expect("there is room");
    }
}

/// Sends a row, one message that is passed on, and another row.
struct Writer(Arc<Scene>);

impl Guest for Writer {
    fn handle(&self, shell: &Arc<Shell>, _: &Arc<Cell>, _: &Event) -> Option<Option<Body>> {
        let Parts { reader, between } = *self.0.parts();
        (0..ROW).for_each(|number| send(shell, reader, message(number)));
        if suffers(Defect::PastTheOutbox) {
            let cell = shell.table.get(between).expect("it lives");
            let delivery = cell.process.lock().deliver(Signal::Message(message(ROW)), shell.now(), &mut Vec::new());
            if delivery.wake {
                shell.schedule(cell);
            }
        } else {
            send(shell, between, message(ROW));
        }
        (0..ROW).for_each(|number| send(shell, reader, message(ROW + 1 + number)));
        Some(None)
    }
}

/// Passes on what it gets.
struct Between(Arc<Scene>);

impl Guest for Between {
    fn handle(&self, shell: &Arc<Shell>, _: &Arc<Cell>, event: &Event) -> Option<Option<Body>> {
        send(shell, self.0.parts().reader, event.clone());
        Some(None)
    }
}

/// Notes what it gets.
struct Reader(Arc<Scene>);

impl Guest for Reader {
    fn handle(&self, _: &Arc<Shell>, _: &Arc<Cell>, event: &Event) -> Option<Option<Body>> {
        let mut read = self.0.read.lock();
        read.push(number(event));
        if read.len() == 2 * ROW + 1 {
            self.0.all_read.notify_one();
        }
        Some(None)
    }
}

/// One process writes to another, straight and by way of a third.
pub(crate) fn write_in_a_row() {
    let shell = Shell::new(WORKERS);
    let scene = Arc::new(Scene::default());
    let bear = |guest: Box<dyn Guest>| shell.bear(Kind::Server, None, guest).pid;
    let reader = bear(Box::new(Reader(Arc::clone(&scene))));
    let between = bear(Box::new(Between(Arc::clone(&scene))));
    let writer = bear(Box::new(Writer(Arc::clone(&scene))));
    assert!(scene.parts.set(Parts { reader, between }).is_ok(), "it is new");
    let workers: Vec<thread::JoinHandle<()>> = shell.workers();
    assert_eq!(shell.deliver(writer, Signal::Message(message(0))), Ok(()));
    let mut read = scene.read.lock();
    while read.len() < 2 * ROW + 1 {
        scene.all_read.wait(&mut read);
    }
    let straight: Vec<usize> = read.iter().copied().filter(|number| *number != ROW).collect();
    assert!(straight.is_sorted(), "a message of a row is out of order: {:?}", *read);
    let round = read.iter().position(|number| *number == ROW);
    assert!(round.is_some_and(|round| round >= ROW), "what went round overtook what was sent before: {:?}", *read);
    drop(read);
    shell.queue.close();
    workers.into_iter().for_each(|worker| worker.join().expect("no thread panics"));
    shell.take_down();
}
