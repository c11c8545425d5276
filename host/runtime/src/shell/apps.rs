//! The apps by name, for whoever may go from one to another.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::RwLock;
use skep_kernel::Name;

use super::App;

/// The apps that run.
#[derive(Default)]
pub(crate) struct Apps(RwLock<HashMap<Name, Weak<App>>>);

impl Apps {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<App>> {
        self.0.read().get(name)?.upgrade()
    }

    pub(crate) fn put(&self, app: &Arc<App>) {
        self.0.write().insert(Arc::clone(&app.name), Arc::downgrade(app));
    }

    pub(crate) fn remove(&self, name: &str) {
        self.0.write().remove(name);
    }
}
