//! A guest that does one thing with files after the other and logs what each answered: WASI's error numbers, 00 for
//! success.

use super::guest::{Server, ZEROS};

/// Numbers of WASI's errors, preview 1.
pub mod errno {
    pub const OK: u32 = 0;
    pub const DQUOT: u32 = 19;
    pub const EXIST: u32 = 20;
    pub const INVAL: u32 = 28;
    pub const ISDIR: u32 = 31;
    pub const LOOP: u32 = 32;
    pub const NAMETOOLONG: u32 = 37;
    pub const NOENT: u32 = 44;
    pub const NOSPC: u32 = 51;
    pub const NOTDIR: u32 = 54;
    pub const PERM: u32 = 63;
}

/// One thing to do. Paths begin at the first granted folder, descriptor 3; others are counted from 4 as they are opened.
pub enum Do {
    /// Opens to read.
    Read(&'static str),
    /// Opens to read, but no link at the end.
    ReadNoLink(&'static str),
    /// Opens to write, creating it.
    Create(&'static str),
    /// Opens to append.
    Append(&'static str),
    /// Opens a folder.
    Folder(&'static str),
    /// Writes so many bytes through a descriptor.
    Write(u32, u32),
    /// Reads up to ten bytes through a descriptor.
    Take(u32),
    /// Makes a file this long.
    Size(u32, u64),
    /// Closes.
    Close(u32),
    MakeFolder(&'static str),
    /// Makes a link, the second, that leads to the first.
    Link(&'static str, &'static str),
    HardLink(&'static str, &'static str),
    Rename(&'static str, &'static str),
    Touch(&'static str),
    Remove(&'static str),
    Look(&'static str),
    /// Lists the first folder.
    List,
}

const IMPORTS: &str = r#"
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $size (param i32 i64) (result i32)))
    (import "wasi_snapshot_preview1" "fd_readdir" (func $list (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_symlink" (func $symlink (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_link" (func $link (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_rename" (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_filestat_get" (func $look (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_filestat_set_times"
        (func $touch (param i32 i32 i32 i32 i64 i64 i32) (result i32)))
    (global $end (mut i32) (i32.const 4096))
    ;; Two digits and a blank.
    (func $note (param $error i32)
        (i32.store8 (global.get $end) (i32.add (i32.const 48) (i32.div_u (local.get $error) (i32.const 10))))
        (i32.store8 offset=1 (global.get $end) (i32.add (i32.const 48) (i32.rem_u (local.get $error) (i32.const 10))))
        (i32.store8 offset=2 (global.get $end) (i32.const 32))
        (global.set $end (i32.add (global.get $end) (i32.const 3))))
    (func $vector (param $from i32) (param $length i32)
        (i32.store (i32.const 640) (local.get $from))
        (i32.store (i32.const 644) (local.get $length)))
    (func $tell
        (i32.store8 (i32.sub (global.get $end) (i32.const 1)) (i32.const 10))
        (call $vector (i32.const 4096) (i32.sub (global.get $end) (i32.const 4096)))
        (drop (call $write (i32.const 1) (i32.const 640) (i32.const 1) (i32.const 660)))
        (global.set $end (i32.const 4096)))"#;

/// Texts of a guest, one after the other in its memory.
#[derive(Default)]
struct Texts(String);

impl Texts {
    /// Where a text lies and how long it is, as two operands.
    fn put(&mut self, text: &str) -> String {
        const START: usize = 70_000;
        let at = START + self.0.len();
        self.0.push_str(text);
        format!("(i32.const {at}) (i32.const {})", text.len())
    }

    fn data(&self) -> String {
        let bytes: String = self.0.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        format!("(data (i32.const 70000) \"{bytes}\")")
    }
}

fn call(step: &Do, texts: &mut Texts) -> String {
    let mut open = |path: &str, follow: u32, flags: u32, rights: u64, fd_flags: u32| {
        let path = texts.put(path);
        format!(
            "(call $open (i32.const 3) (i32.const {follow}) {path} (i32.const {flags})
                (i64.const {rights}) (i64.const 0) (i32.const {fd_flags}) (i32.const 704))"
        )
    };
    match step {
        Do::Read(path) => open(path, 1, 0, 2, 0),
        Do::ReadNoLink(path) => open(path, 0, 0, 2, 0),
        Do::Create(path) => open(path, 1, 1, 66, 0),
        Do::Append(path) => open(path, 1, 1, 66, 1),
        Do::Folder(path) => open(path, 1, 2, 2, 0),
        Do::Write(descriptor, length) => format!(
            "(call $vector (i32.const 8192) (i32.const {length}))
             (call $write (i32.const {descriptor}) (i32.const 640) (i32.const 1) (i32.const 660))"
        ),
        Do::Take(descriptor) => format!(
            "(call $vector (i32.const 8192) (i32.const 10))
             (call $read (i32.const {descriptor}) (i32.const 640) (i32.const 1) (i32.const 660))"
        ),
        Do::Size(descriptor, size) => format!("(call $size (i32.const {descriptor}) (i64.const {size}))"),
        Do::Close(descriptor) => format!("(call $close (i32.const {descriptor}))"),
        Do::MakeFolder(path) => format!("(call $mkdir (i32.const 3) {})", texts.put(path)),
        Do::Link(to, path) => format!("(call $symlink {} (i32.const 3) {})", texts.put(to), texts.put(path)),
        Do::HardLink(from, to) => {
            format!("(call $link (i32.const 3) (i32.const 0) {} (i32.const 3) {})", texts.put(from), texts.put(to))
        }
        Do::Rename(from, to) => {
            format!("(call $rename (i32.const 3) {} (i32.const 3) {})", texts.put(from), texts.put(to))
        }
        Do::Touch(path) => format!(
            "(call $touch (i32.const 3) (i32.const 1) {} (i64.const 0) (i64.const 0) (i32.const 10))",
            texts.put(path)
        ),
        Do::Remove(path) => format!("(call $unlink (i32.const 3) {})", texts.put(path)),
        Do::Look(path) => {
            format!("(call $look (i32.const 3) (i32.const 1) {} (i32.const 720))", texts.put(path))
        }
        Do::List => {
            "(call $list (i32.const 3) (i32.const 16384) (i32.const 4096) (i64.const 0) (i32.const 704))".to_owned()
        }
    }
}

/// A guest that does these with each message.
pub fn guest(steps: &[Do]) -> Vec<u8> {
    let mut texts = Texts::default();
    let calls: String = steps.iter().map(|step| format!("(call $note {})\n", call(step, &mut texts))).collect();
    let guest = Server {
        more: format!("{IMPORTS} {}", texts.data()),
        pages: 16,
        handle: format!("{calls} (call $tell) {ZEROS}"),
        ..Server::default()
    };
    guest.build()
}

/// What the guest said: what each step answered.
pub fn answered(line: &str) -> Vec<u32> {
    line.split(' ').map(|number| number.parse().expect("a number")).collect()
}
