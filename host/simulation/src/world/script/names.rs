//! Names: taken, given to others, and given up.

use super::*;

impl World {
    pub(super) fn register(&mut self, pid: Pid) {
        let (name, whom) = (self.a_name(), if self.dice.one_in(3) { self.peer(pid) } else { pid });
        let Some(cell) = self.cells.get(&whom.id).filter(|cell| cell.listed && !cell.process.is_gone()) else { return };
        if matches!(cell.content, Content::Overseer(_)) || self.names.register(Arc::clone(&name), whom).is_err() {
            return;
        }
        if self.cell(whom).process.take_name(Arc::clone(&name)).is_err() {
            self.names.release(&name, whom);
        }
    }

    pub(super) fn unregister(&mut self, pid: Pid) {
        let name = self.a_name();
        if self.cell(pid).process.drop_name(&name) {
            self.names.release(&name, pid);
        }
    }
}
