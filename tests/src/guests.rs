//! The example guests, built once for all tests by the same code as `skep build`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use skep::build::{self, Quiet, Request};

/// The repository.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The component of an example guest.
///
/// # Panics
///
/// If it cannot be built: no test can go on then, and the compiler has said why.
#[must_use]
pub fn path(name: &str) -> &'static Path {
    static BUILT: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let request = Request::new(root().join("examples-wasm"));
        let built =
            build::guests(&request, &mut Quiet).unwrap_or_else(|error| panic!("the guests do not build: {error}"));
        built.into_iter().map(|guest| (guest.package, guest.path)).collect()
    });
    built.get(name).unwrap_or_else(|| panic!("there is no example guest called {name}"))
}

/// The bytes of an example guest.
///
/// # Panics
///
/// If it cannot be built or read.
#[must_use]
pub fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The same guest under another digest, as after a build that changed nothing: with a custom section, which says nothing.
#[must_use]
pub fn rebuilt(name: &str, number: u8) -> Vec<u8> {
    let mut bytes = bytes(name);
    bytes.extend([0, 2, 1, b'a' + number % 26]);
    bytes
}

/// Where tests keep compiled code, so that the second run compiles nothing.
#[must_use]
pub fn cache() -> PathBuf {
    // The component lies in `<target>/skep/`.
    let folder = path("probe").parent().unwrap_or_else(|| Path::new(".")).join("test-cache");
    std::fs::create_dir_all(folder.parent().unwrap_or(&folder)).unwrap_or_else(|error| panic!("no cache: {error}"));
    folder
}
