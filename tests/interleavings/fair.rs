//! Turns: of those who wake each other, of those who compute, and of whoever is there beside them. One worker, so that
//! turns can be counted.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use skep_kernel::process::Kind;
use skep_kernel::{Body, Event, Pid, Signal};

use crate::Cell;
use crate::shell::{Guest, Shell};
use crate::sync::{Condvar, Mutex};

/// Longer than any of the run queue's patience.
const ROUNDS: usize = 200;
/// A process that was woken by another waits for no more turns than this: those in a row, and some for the other queues.
const PATIENCE: usize = 40;
/// Of so many turns at least one is for those who compute.
const COMPUTE_EVERY: usize = 20;

/// What all have in common.
#[derive(Default)]
struct Game {
    pids: OnceLock<Vec<Pid>>,
    /// Turns that were counted.
    turns: AtomicUsize,
    over: AtomicBool,
    done: Mutex<usize>,
    all_done: Condvar,
}

impl Game {
    fn send(&self, shell: &Shell, to: usize) {
        let to = self.pids.get().expect("they are there")[to];
        assert_eq!(shell.deliver(to, Signal::Message(Event::Info(Body::Text(String::new())))), Ok(()));
    }

    fn is_done(&self) {
        *self.done.lock() += 1;
        self.all_done.notify_one();
    }

    fn wait_for(&self, done: usize) {
        let mut now = self.done.lock();
        while *now < done {
            self.all_done.wait(&mut now);
        }
    }
}

/// Plays with another one, and at first also writes to a bystander.
struct Player {
    game: Arc<Game>,
    other: usize,
    bystander: usize,
}

impl Guest for Player {
    fn handle(&self, shell: &Arc<Shell>, _: &Arc<Cell>, _: &Event) -> Option<Option<Body>> {
        let turn = self.game.turns.fetch_add(1, SeqCst);
        if turn == ROUNDS {
            self.game.is_done();
        } else {
            self.game.send(shell, self.other);
        }
        if turn == 0 {
            self.game.send(shell, self.bystander);
        }
        Some(None)
    }
}

/// Has a turn, some time.
struct Bystander {
    game: Arc<Game>,
}

impl Guest for Bystander {
    fn handle(&self, _: &Arc<Shell>, _: &Arc<Cell>, _: &Event) -> Option<Option<Body>> {
        let turns = self.game.turns.load(SeqCst);
        assert!(turns <= PATIENCE, "it has waited for {turns} turns");
        self.game.is_done();
        Some(None)
    }
}

/// Computes until the game is over.
struct Spinner {
    game: Arc<Game>,
    turns: AtomicUsize,
}

impl Guest for Spinner {
    fn handle(&self, _: &Arc<Shell>, cell: &Arc<Cell>, _: &Event) -> Option<Option<Body>> {
        self.turns.fetch_add(1, SeqCst);
        if self.game.over.load(SeqCst) {
            self.game.is_done();
            return Some(None);
        }
        std::task::Wake::wake_by_ref(cell);
        None
    }
}

/// Plays with another one beside those who compute, and looks how often these have their turn.
struct Watcher {
    game: Arc<Game>,
    other: usize,
    spinners: Vec<Arc<Spinner>>,
}

impl Guest for Watcher {
    fn handle(&self, shell: &Arc<Shell>, _: &Arc<Cell>, _: &Event) -> Option<Option<Body>> {
        let turn = self.game.turns.fetch_add(1, SeqCst);
        if turn < ROUNDS {
            self.game.send(shell, self.other);
            return Some(None);
        }
        let theirs: usize = self.spinners.iter().map(|spinner| spinner.turns.load(SeqCst)).sum();
        assert!(theirs >= ROUNDS / COMPUTE_EVERY, "those who compute had {theirs} turns beside {ROUNDS}");
        assert!(theirs <= ROUNDS / 2, "those who are soon done had {ROUNDS} turns beside {theirs}");
        self.game.over.store(true, SeqCst);
        self.game.is_done();
        Some(None)
    }
}

impl Guest for Arc<Spinner> {
    fn handle(&self, shell: &Arc<Shell>, cell: &Arc<Cell>, event: &Event) -> Option<Option<Body>> {
        (**self).handle(shell, cell, event)
    }
}

fn to_the_end(shell: &Arc<Shell>, game: &Game, first: &[usize], done: usize) {
    first.iter().for_each(|to| game.send(shell, *to));
    let workers = shell.workers();
    game.wait_for(done);
    shell.queue.close();
    workers.into_iter().for_each(|worker| worker.join().expect("no thread panics"));
    shell.take_down();
}

/// Two play; a third one has its turn meanwhile.
pub(crate) fn play_beside_others() {
    let (shell, game) = (Shell::new(1), Arc::new(Game::default()));
    let player = |other| Box::new(Player { game: Arc::clone(&game), other, bystander: 2 });
    let bystander = Box::new(Bystander { game: Arc::clone(&game) });
    let pids =
        [player(1) as Box<dyn Guest>, player(0), bystander].map(|guest| shell.bear(Kind::Server, None, guest).pid);
    game.pids.set(pids.into()).expect("it is new");
    to_the_end(&shell, &game, &[0], 2);
}

/// Two play beside some who compute.
pub(crate) fn compute_beside_others() {
    let (shell, game) = (Shell::new(1), Arc::new(Game::default()));
    let spinner = || Arc::new(Spinner { game: Arc::clone(&game), turns: AtomicUsize::new(0) });
    let spinners: Vec<Arc<Spinner>> = (0..3).map(|_| spinner()).collect();
    let watcher = |other| Box::new(Watcher { game: Arc::clone(&game), other, spinners: spinners.clone() });
    let mut guests: Vec<Box<dyn Guest>> = vec![watcher(1), watcher(0)];
    guests.extend(spinners.iter().map(|spinner| Box::new(Arc::clone(spinner)) as Box<dyn Guest>));
    let pids = guests.into_iter().map(|guest| shell.bear(Kind::Server, None, guest).pid).collect();
    game.pids.set(pids).expect("it is new");
    to_the_end(&shell, &game, &[2, 3, 4, 0], 4);
}
