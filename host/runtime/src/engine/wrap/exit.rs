//! The exit status of a wasip1 command. WASI's adapter knows success and failure only, so the import of `proc_exit` is
//! led past it, to a function of the host that takes the number.

use std::ops::Range;

use wit_component::StringEncoding;
use wit_parser::Resolve;

use super::{WrapError, misfit};

/// The interface that has the function.
pub const INTERFACE: &str = "skep:command/exit@0.1.0";
/// The function.
pub const FUNCTION: &str = "exit-with-status";
const WIT: &str = "package skep:command@0.1.0;
    interface exit { exit-with-status: func(status: u32); }
    world command { import exit; }";

const IMPORT_SECTION: u8 = 2;

/// The same module with `proc_exit` from elsewhere, if it imports that. `header` is where the section of imports begins,
/// `imports` what is in it.
pub(super) fn with_status(module: &[u8], header: usize, imports: Range<usize>) -> Result<Vec<u8>, WrapError> {
    let named = |module: &str, name: &str| [&sized(module)[..], &sized(name), &[0]].concat();
    let wanted = named(super::PREVIEW1, "proc_exit");
    let section = &module[imports.clone()];
    let Some(at) = section.windows(wanted.len()).position(|window| window == wanted) else {
        return Ok(module.to_vec());
    };
    let changed = [&section[..at], &named(INTERFACE, FUNCTION), &section[at + wanted.len()..]].concat();
    let mut whole = module[..header].to_vec();
    whole.push(IMPORT_SECTION);
    whole.extend(leb128(changed.len()));
    whole.extend(changed);
    whole.extend(&module[imports.end..]);
    let mut resolve = Resolve::default();
    let package = resolve.push_str("skep-command.wit", WIT).map_err(misfit)?;
    let world = resolve.select_world(&[package], Some("command")).map_err(misfit)?;
    wit_component::embed_component_metadata(&mut whole, &resolve, world, StringEncoding::UTF8).map_err(misfit)?;
    Ok(whole)
}

fn sized(text: &str) -> Vec<u8> {
    [&leb128(text.len())[..], text.as_bytes()].concat()
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
