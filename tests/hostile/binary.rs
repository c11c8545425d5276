//! WebAssembly binaries put together by hand: what no tool would write.
//!
//! Owns sections and numbers as bytes. Nothing here checks anything.

/// An unsigned number, as short as it can be.
pub fn leb(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Bytes behind their length.
pub fn sized(content: &[u8]) -> Vec<u8> {
    [&leb(content.len() as u64), content].concat()
}

/// A section.
pub fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], &sized(content)[..]].concat()
}

/// Several things behind their number.
pub fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [leb(items.len() as u64), items.concat()].concat()
}

/// A core module of these sections.
pub fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

/// A component of these sections.
pub fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0".to_vec(), sections.concat()].concat()
}

/// A component around a core module, which it neither starts nor exports.
pub fn around(module: &[u8]) -> Vec<u8> {
    component(&[section(1, module)])
}

/// The body of a function: so many locals of type `i32`, and its instructions without the end.
pub fn body(locals: u64, instructions: &[u8]) -> Vec<u8> {
    let locals = if locals == 0 { vec![0] } else { [&[1], &leb(locals)[..], &[0x7f]].concat() };
    sized(&[&locals[..], instructions, &[0x0b]].concat())
}

/// A module of functions, all of one type (see [`TYPES`]), with a memory and a table.
pub fn functions(ty: u64, bodies: &[Vec<u8>]) -> Vec<u8> {
    module(&[
        section(1, TYPES),
        section(3, &list(&vec![leb(ty); bodies.len()])),
        section(4, &[1, 0x70, 0, 1]),
        section(5, &[1, 0, 1]),
        section(10, &list(bodies)),
    ])
}

/// Type 0 is `() -> ()`, type 1 `(i32) -> i32`.
const TYPES: &[u8] = &[2, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f];

/// What kinds of sections a component or module has, one after the other.
pub fn sections(mut bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes = &bytes[8..];
    std::iter::from_fn(move || {
        let (id, mut rest) = bytes.split_first()?;
        let (mut length, mut shift) = (0, 0);
        loop {
            let (low, more) = rest.split_first()?;
            rest = more;
            length |= usize::from(low & 0x7f) << shift;
            shift += 7;
            if low & 0x80 == 0 {
                break;
            }
        }
        bytes = &rest[length..];
        Some(*id)
    })
}
