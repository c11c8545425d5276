//! Processes that are born, named, called, monitored and killed, all at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use shuttle::thread;
use skep_kernel::process::{Kind, Monitoring, Waiting};
use skep_kernel::{Address, Body, CallError, Event, Mark, Name, Pid, Signal};

use crate::Cell;
use crate::shell::{Guest, Shell};
use crate::sync::{Condvar, Mutex};

const MORTALS: usize = 2;
const OBSERVERS: usize = 2;
const WORKERS: usize = 2;
/// Each observer hears of each one's end, and what became of a call to it.
const TOLD_AT_LAST: usize = 2 * MORTALS * OBSERVERS;

/// Answers every call, as long as it lives.
struct Mortal;

impl Guest for Mortal {
    fn handle(&self, _: &Arc<Shell>, _: &Arc<Cell>, event: &Event) -> Option<Option<Body>> {
        Some(matches!(event, Event::Call { .. }).then(|| Body::Text("here".into())))
    }
}

/// How much the observers were told.
#[derive(Default)]
struct Told {
    count: Mutex<usize>,
    all: Condvar,
}

impl Told {
    fn one_more(&self) {
        let mut count = self.count.lock();
        *count += 1;
        if *count == TOLD_AT_LAST {
            drop(count);
            self.all.notify_one();
        }
    }

    fn wait(&self) {
        let mut count = self.count.lock();
        while *count < TOLD_AT_LAST {
            self.all.wait(&mut count);
        }
    }
}

/// Monitors and calls whomever it is told to, by name, and hears what becomes of them.
struct Observer {
    /// What it waits to hear, and of whom.
    awaited: Mutex<BTreeMap<Mark, Option<Pid>>>,
    told: Arc<Told>,
}

impl Observer {
    fn watch_and_call(&self, shell: &Shell, cell: &Cell, name: &Name) {
        let address = Address::Name(Arc::clone(name));
        let holder = shell.whereis(name);
        let wanted = Monitoring::of(address.clone());
        let mark = cell.transition(|process, _, actions| process.monitor(wanted, holder, actions));
        self.awaited.lock().insert(mark.expect("it may"), holder);
        let Some(way) = shell.way(&cell.app, &address) else { return self.told.one_more() };
        let mark =
            cell.transition(|process, _, actions| process.begin_call(way.callee(), None, Waiting::AsEvent, actions));
        let mark = mark.expect("it may");
        self.awaited.lock().insert(mark, Some(way.pid()));
        shell.send_call(cell, &way, mark, |caller| Event::Call { caller, body: Body::Raw(Vec::new()) });
    }

    fn hears(&self, shell: &Shell, mark: Mark, end: End) {
        let of = self.awaited.lock().remove(&mark).expect("told twice, or of what was not asked");
        if let (Some(pid), End::Told) = (of, end) {
            assert!(shell.table.get(pid).is_none(), "it can be found after its end");
            let is_named = (0..MORTALS).any(|number| shell.whereis(&name(number)) == Some(pid));
            assert!(!is_named, "it has a name after its end");
        }
        self.told.one_more();
    }
}

/// Whether somebody was told of an end.
enum End {
    Told,
    NotTold,
}

impl Guest for Observer {
    fn handle(&self, shell: &Arc<Shell>, cell: &Arc<Cell>, event: &Event) -> Option<Option<Body>> {
        match event {
            Event::Info(Body::Text(name)) => self.watch_and_call(shell, cell, &name.as_str().into()),
            Event::Down { mark, .. } => self.hears(shell, *mark, End::Told),
            Event::Answer { mark, outcome: Err(CallError::Ended(_)) } => self.hears(shell, *mark, End::Told),
            Event::Answer { mark, .. } => self.hears(shell, *mark, End::NotTold),
            event => unreachable!("nobody sends {event:?}"),
        }
        Some(None)
    }
}

fn name(number: usize) -> Name {
    format!("mortal.{number}").into()
}

/// One is born, and killed.
fn live_and_die(shell: &Arc<Shell>, number: usize) {
    let mortal = shell.bear(Kind::Server, Some(name(number)), Box::new(Mortal));
    let _ = shell.deliver(mortal.pid, Signal::Kill);
    // Without its lock: from here on nothing that its guest sends has an effect (PROC-10).
    assert!(mortal.is_doomed(), "it goes on after its end was sent");
}

/// Of every end every observer hears once, and only when it finds nobody any more.
pub(crate) fn end_at_any_time() {
    let (shell, told) = (Shell::new(WORKERS), Arc::<Told>::default());
    let observer = |_| Observer { awaited: Mutex::default(), told: Arc::clone(&told) };
    let observers: Vec<Pid> =
        (0..OBSERVERS).map(observer).map(|observer| shell.bear(Kind::Native, None, Box::new(observer)).pid).collect();
    let mut threads = shell.workers();
    for number in 0..MORTALS {
        let mortals = Arc::clone(&shell);
        threads.push(thread::spawn(move || live_and_die(&mortals, number)));
    }
    for number in 0..MORTALS {
        for observer in &observers {
            let watch = Event::Info(Body::Text(name(number).to_string()));
            assert_eq!(shell.deliver(*observer, Signal::Message(watch)), Ok(()));
        }
    }
    told.wait();
    shell.queue.close();
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    shell.take_down();
}
