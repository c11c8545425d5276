//! Compiles with Debian's newer Rust, which has no target for WebAssembly, and the source to make one.
//!
//! Owns the linker and the flags of this route. Never touches rustup's toolchains; [`packages`] installs what is
//! missing. Called when the first two routes are closed, or this one is forced.

mod packages;

use std::fs;
use std::path::{Path, PathBuf};

use super::compile::{self, Compiler};
use super::report::Report;
use super::toolchain::{self, Cargo, Debian};
use super::{BuildError, Route, Target};

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
/// Debian links it to the linker of the LLVM that its rustc was built with, which is a package of its own.
const LINKER: &str = "/usr/bin/rust-lld";
/// For rustc, which wants it where it searches, and for the linker, which is told each folder again.
const WASI_LIBC: [&str; 3] =
    ["-Clink-self-contained=no", "-Lnative=/usr/lib/wasm32-wasi", "-Clink-arg=-L/usr/lib/wasm32-wasi"];
/// What runs first in a library: it prepares libc once, where a command's would run `main`.
const WASI_START: &str = "-Clink-arg=/usr/lib/wasm32-wasi/crt1-reactor.o";

const RUST_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];
const WASI_PACKAGE: &str = "wasi-libc";

/// What is missing on this machine.
pub(super) fn probe(target: Target) -> Result<Debian, BuildError> {
    let mut wanted = RUST_PACKAGES.to_vec();
    if target == Target::Wasip1 {
        wanted.push(WASI_PACKAGE);
    }
    packages::missing(&wanted)
}

/// Debian's cargo, for a machine where none is in the PATH.
pub(super) fn cargo(forced: Option<Route>, report: &mut dyn Report) -> Result<Cargo, BuildError> {
    let no_cargo = |problem: &str| BuildError::NoRoute {
        target: Target::Unknown,
        tried: vec!["there is no cargo in the PATH".to_owned(), problem.to_owned()],
    };
    if let Some(route) = forced.filter(|route| *route != Route::Debian) {
        return Err(no_cargo(&format!("and only `{route}` was to be tried")));
    }
    match probe(Target::Unknown)? {
        Debian::Absent => Err(no_cargo(packages::NO_APT)),
        Debian::Missing(missing) => {
            packages::install(&missing, report)?;
            Ok(own_cargo())
        }
    }
}

fn own_cargo() -> Cargo {
    // Without a word, cargo takes the rustc in the PATH, which may be rustup's and has no source.
    Cargo { program: PathBuf::from(CARGO), rustc: Some(PathBuf::from(RUSTC)) }
}

/// Debian's compiler, once the packages are installed. `active` is the root of the active toolchain, whose linker will
/// do as well.
pub(super) fn compiler(
    target: Target,
    install: &[String],
    active: Option<&Path>,
    dir: &Path,
    report: &mut dyn Report,
) -> Result<Compiler, BuildError> {
    packages::install(install, report)?;
    check_source(dir)?;
    let linker = match linker(active) {
        Ok(linker) => linker,
        Err(package) => {
            packages::install(std::slice::from_ref(&package), report)?;
            linker(active).map_err(|package| BuildError::LinkerMissing { package })?
        }
    };
    let mut linking: Vec<String> = Vec::new();
    if target == Target::Wasip1 {
        linking.extend(WASI_LIBC.iter().chain([&WASI_START]).map(|&flag| flag.to_owned()));
    }
    Ok(Compiler {
        target,
        cargo: own_cargo(),
        variables: vec![
            ("RUSTC_BOOTSTRAP".to_owned(), "1".into()),
            (compile::for_target(target, "LINKER"), linker.into_os_string()),
        ],
        arguments: vec!["-Zbuild-std=std,panic_abort"],
        linking,
    })
}

/// cargo would only say that some file of the source is missing.
fn check_source(dir: &Path) -> Result<(), BuildError> {
    let rustc = Path::new(RUSTC);
    let root = toolchain::sysroot(rustc, dir).unwrap_or_else(|| PathBuf::from("/usr"));
    let path = root.join("lib/rustlib/src/rust/library");
    if path.join("std/Cargo.toml").is_file() {
        return Ok(());
    }
    Err(BuildError::SourceMissing { compiler: toolchain::version(rustc, dir), path })
}

/// A linker for WebAssembly, or the package that has one.
fn linker(active: Option<&Path>) -> Result<PathBuf, String> {
    active
        .into_iter()
        .flat_map(|root| fs::read_dir(root.join("lib/rustlib")).into_iter().flatten().flatten())
        .map(|host| host.path().join("bin/rust-lld"))
        .chain([PathBuf::from(LINKER)])
        .find(|linker| linker.is_file())
        .ok_or_else(|| package_behind(fs::read_link(LINKER).ok().as_deref()))
}

/// Debian names the package of a linker as the linker, such as `lld-22`.
fn package_behind(link: Option<&Path>) -> String {
    let name = link.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "lld".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dangling_linker_names_its_package() {
        assert_eq!(package_behind(Some(Path::new("lld-22"))), "lld-22");
        assert_eq!(package_behind(Some(Path::new("../lib/llvm-19/bin/lld-19"))), "lld-19");
        assert_eq!(package_behind(None), "lld");
    }
}
