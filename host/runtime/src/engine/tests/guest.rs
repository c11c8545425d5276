//! Guests as text: a core module whose exports answer with zeros, which stand for "nothing to report" in every type of
//! the contract but one, except where a test puts something else. Wrapped by the engine, like what a compiler leaves.

use std::path::Path;

use wit_component::StringEncoding;
use wit_parser::{PackageId, Resolve, WorldId};

/// An area of zeros: `ok`, no reply, `wait`; an empty state of version 0.
pub const ZEROS: &str = "(i32.const 1024)";
/// A shape: it saves version 0, raw, and reads that one and that form (the zeros), and steps down to none.
pub const SHAPE: &str = "(i32.const 960)";

/// A server in parts. Each part is the body of a function in WebAssembly text.
#[derive(Clone)]
pub struct Server {
    /// Imports and other definitions.
    pub more: String,
    pub pages: u32,
    pub describe: String,
    pub init: String,
    pub handle: String,
    pub save: String,
    pub restore: String,
    pub terminate: String,
}

impl Default for Server {
    fn default() -> Self {
        let zeros = || ZEROS.to_owned();
        Server {
            more: String::new(),
            pages: 1,
            describe: SHAPE.to_owned(),
            init: zeros(),
            handle: zeros(),
            save: zeros(),
            restore: zeros(),
            terminate: zeros(),
        }
    }
}

impl Server {
    pub fn build(&self) -> Vec<u8> {
        wrap("process", &self.text())
    }

    /// The module's text.
    pub fn text(&self) -> String {
        let Server { more, pages, describe, init, handle, save, restore, terminate } = self;
        // More than sixteen values, so that they lie in memory.
        let event = "(param i32)";
        format!(
            r#"(module {more}
                    (memory (export "memory") {pages})
                    (data (i32.const 964) "\00\04\00\00\01")
                    (data (i32.const 984) "\00\04\00\00\01")
                    {REALLOC}
                    (func $describe (export "skep:process/behaviour@0.1.0#describe") (result i32) {describe})
                    (func $init (export "skep:process/behaviour@0.1.0#init") (param i32 i32 i32) (result i32) {init})
                    (func $handle (export "skep:process/behaviour@0.1.0#handle") {event} (result i32) {handle})
                    (func $save (export "skep:process/behaviour@0.1.0#save") (param i32 i32) (result i32) {save})
                    (func $restore (export "skep:process/behaviour@0.1.0#restore")
                        (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) {restore})
                    (func $terminate (export "skep:process/behaviour@0.1.0#terminate")
                        (param i32 i32 i32 i32 i32 i32 i32) (result i32) {terminate})
                )"#
        )
    }
}

/// A task whose `run` is this.
pub fn task(more: &str, run: &str) -> Vec<u8> {
    wrap(
        "task",
        &format!(
            r#"(module {more} (memory (export "memory") 1) {REALLOC}
                (func (export "skep:process/entry@0.1.0#run") (param i32 i32 i32) (result i32) {run}))"#
        ),
    )
}

/// What the host hands over goes to one small place, always the same; what WASI's adapter wants for itself, large, lies
/// behind the first page.
const REALLOC: &str = r#"(global $large (mut i32) (i32.const 65536))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (if (i32.le_u (local.get 3) (i32.const 1024)) (then (return (i32.const 32768))))
        (global.get $large)
        (global.set $large (i32.add (global.get $large) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16)))))"#;

/// A core module with the contract in it.
fn wrap(world: &str, text: &str) -> Vec<u8> {
    let (resolve, package) = contract();
    embed(&resolve, resolve.select_world(&[package], Some(world)).expect("the world is there"), text)
}

/// The contract, for worlds that have more in them.
pub fn contract() -> (Resolve, PackageId) {
    // These texts are read from crates at several depths.
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("wit"));
    let wit = folders.into_iter().find(|wit| wit.is_dir()).expect("the contract is in the repository");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&wit).expect("the contract can be read");
    (resolve, package)
}

/// A core module that says of itself which world it fits.
pub fn embed(resolve: &Resolve, world: WorldId, text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    wit_component::embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).expect("it fits");
    module
}
