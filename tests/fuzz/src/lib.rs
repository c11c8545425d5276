//! What the fuzz targets share: a guest that does raw what its input says, and a host to run it on, which is looked over
//! after each input.

pub mod host;
pub mod raw;
