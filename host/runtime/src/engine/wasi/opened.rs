//! What an instance has open beyond what it was granted: files, folders, sockets.
//!
//! Owns the count, which the budgets above the process share. A [`Place`] belongs to one of them and is given back when it is
//! dropped.

use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use skep_kernel::budget::{Budget, Charge, Resource};
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// All that is open. Clones count together.
#[derive(Clone, Default)]
pub(super) struct OpenFiles(Arc<Shared>);

#[derive(Default)]
struct Shared {
    count: AtomicUsize,
    limit: usize,
    budget: Option<Arc<Budget>>,
    /// Files whose handles wasmtime shares out as it likes.
    files: Mutex<Vec<(Weak<File>, Place)>>,
}

/// A place for one that is open.
pub(super) struct Place {
    of: Weak<Shared>,
    _charge: Option<Charge>,
}

impl OpenFiles {
    /// At most so many, and as many as the budgets allow.
    pub(super) fn new(limit: usize, budget: Option<Arc<Budget>>) -> Self {
        OpenFiles(Arc::new(Shared { limit, budget, ..Shared::default() }))
    }

    /// Room for one more.
    pub(super) fn place(&self) -> Result<Place, ErrorCode> {
        let shared = &self.0;
        let charge = shared.budget.as_ref().map(|budget| Charge::take(Arc::clone(budget), Resource::OpenFiles, 1));
        let charge = charge.transpose().map_err(|_| ErrorCode::Quota)?;
        let more = |count| (count < shared.limit).then_some(count + 1);
        let counted = shared.count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        counted.map_err(|_| ErrorCode::Quota)?;
        Ok(Place { of: Arc::downgrade(shared), _charge: charge })
    }

    /// The place is this file's, until nobody holds it any more.
    pub(super) fn keep(&self, file: &Arc<File>, place: Place) {
        self.0.files.lock().push((Arc::downgrade(file), place));
    }

    /// A stream over a file, which is closed with the last that holds it.
    pub(super) fn hold(&self, file: Arc<File>) -> Held {
        Held { file: Some(file), of: self.clone() }
    }

    /// Gives back the places of files that nobody holds any more.
    pub(super) fn tidy(&self) {
        self.0.files.lock().retain(|(file, _)| file.strong_count() > 0);
    }

    /// Whether anything is open.
    pub(super) fn any(&self) -> bool {
        self.tidy();
        self.0.count.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(of) = self.of.upgrade() {
            of.count.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// A file that is held open.
pub(super) struct Held {
    /// None only while it is dropped.
    file: Option<Arc<File>>,
    of: OpenFiles,
}

impl Held {
    /// The file, for work on another thread.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(self.file.as_ref().expect("it is held"))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.file = None;
        self.of.tidy();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skep_kernel::Time;
    use skep_kernel::budget::BudgetSpec;

    fn file() -> Arc<File> {
        Arc::new(tempfile::tempfile().expect("there is room for a file"))
    }

    fn of_app(most: u64) -> Arc<Budget> {
        Budget::new("app a", None, &BudgetSpec { open_files: Some(most), ..BudgetSpec::default() }, Time::ZERO)
    }

    #[test]
    fn what_is_closed_gives_its_place_back_whoever_held_it_last() {
        let budget = of_app(9);
        let files = OpenFiles::new(2, Some(Arc::clone(&budget)));
        let (one, other) = (file(), file());
        for file in [&one, &other] {
            files.keep(file, files.place().expect("there is room"));
        }
        assert!(files.place().is_err());
        assert_eq!(budget.used(Resource::OpenFiles), 2, "what was refused is not counted");
        let stream = files.hold(Arc::clone(&one));
        drop(one);
        files.tidy();
        assert!(files.place().is_err(), "the stream holds it");
        drop(stream);
        let socket = files.place().expect("there is room");
        drop(other);
        assert!(files.any() && budget.used(Resource::OpenFiles) == 1, "the socket");
        drop(socket);
        assert!(!files.any() && budget.used(Resource::OpenFiles) == 0);
    }

    #[test]
    fn processes_of_an_app_share_what_may_be_open() {
        let budget = of_app(2);
        let [one, other] = [(); 2].map(|()| OpenFiles::new(9, Some(Arc::clone(&budget))));
        let held = (one.place().expect("there is room"), one.place().expect("there is room"));
        assert!(matches!(other.place(), Err(ErrorCode::Quota)) && !other.any());
        drop(held.0);
        let last = other.place().expect("there is room");
        // The instance is gone, and somebody still has what it had.
        drop(other);
        assert_eq!(budget.used(Resource::OpenFiles), 2);
        drop(last);
        assert_eq!(budget.used(Resource::OpenFiles), 1);
    }
}
