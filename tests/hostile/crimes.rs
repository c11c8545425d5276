//! The crimes, one file for each kind or two.

mod boundary;
mod bytes;
mod callbacks;
mod compiling;
mod compute;
mod features;
mod hibernation;
mod logs;
mod memory;
mod messages;
mod names;
mod network;
mod paths;
mod processes;
mod restarts;
mod servers;
mod starts;
mod timers;

use crate::suite::Crime;

/// The whole table, by group.
pub fn table() -> Vec<Crime> {
    let mut table: Vec<Crime> = [
        boundary::rows(),
        bytes::rows(),
        callbacks::rows(),
        compiling::rows(),
        compute::rows(),
        features::rows(),
        hibernation::rows(),
        logs::rows(),
        memory::rows(),
        messages::rows(),
        names::rows(),
        network::rows(),
        paths::rows(),
        processes::rows(),
        restarts::rows(),
        servers::rows(),
        starts::rows(),
        timers::rows(),
    ]
    .into_iter()
    .flatten()
    .collect();
    table.sort_by_key(|crime| crime.group);
    table
}
