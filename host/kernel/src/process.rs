//! (being written)
#[derive(Debug)] pub struct Process;
