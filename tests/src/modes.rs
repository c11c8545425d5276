//! Both ways in which an instance may be treated: what a test shows must be true in either.

use skep_runtime::spec::Keep;

use crate::{Child, TestApp};

/// Instances kept while there is room, and given back after every message.
pub const MODES: [Keep; 2] = [Keep::WhileItFits, Keep::Never];

/// Runs a test once in each mode, on an app of its own with these children, which must stop in order afterwards.
pub async fn in_both_modes(children: impl IntoIterator<Item = Child> + Clone, test: impl AsyncFn(&TestApp)) {
    for keep in MODES {
        println!("{keep:?}:");
        let app = TestApp::start(keep, children.clone()).await;
        test(&app).await;
        app.stop().await;
    }
}
