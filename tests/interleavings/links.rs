//! Two processes that link and unlink each other.

use std::sync::Arc;

use shuttle::thread;
use skep_kernel::process::{Kind, LinkRequest};
use skep_kernel::{Body, Event, Signal};

use crate::Cell;
use crate::shell::{Guest, Shell};
use crate::sync::{Defect, suffers};

/// Handles nothing: it is not even given a turn.
struct Idle;

impl Guest for Idle {
    fn handle(&self, _: &Arc<Shell>, _: &Arc<Cell>, event: &Event) -> Option<Option<Body>> {
        unreachable!("{event:?} is for nobody");
    }
}

/// Each links itself with the other and takes that back, as `syscalls.rs` of the shell does it.
pub(crate) fn cross_links() {
    let shell = Shell::new(1);
    let cells: Arc<Vec<Arc<Cell>>> = Arc::new((0..2).map(|_| shell.bear(Kind::Server, None, Box::new(Idle))).collect());
    let cross = |own: usize| {
        let (shell, cells) = (Arc::clone(&shell), Arc::clone(&cells));
        thread::spawn(move || link_and_unlink(&shell, &cells[own], &cells[1 - own]))
    };
    let threads = [cross(0), cross(1)];
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    let linked = |own: usize| cells[own].process.lock().links().count();
    assert_eq!(linked(0), linked(1), "half a link");
}

fn link_and_unlink(shell: &Shell, own: &Cell, other: &Cell) {
    let lock = || (!suffers(Defect::NoPairs)).then(|| shell.pairs.lock(own.pid, other.pid));
    {
        let _pair = lock();
        let request = own.process.lock().link(other.pid);
        if let LinkRequest::Ask = request {
            assert_eq!(shell.deliver(other.pid, Signal::Link { from: own.pid }), Ok(()));
            own.process.lock().link_made();
        }
    }
    let _pair = lock();
    own.transition(|process, _, actions| process.unlink(other.pid, actions));
}
