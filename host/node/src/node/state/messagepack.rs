//! Finds a value in a MessagePack map without taking it apart: where it begins and ends.
//!
//! Never recursive, since a guest chose how deep it nests, and never allocates.

use std::ops::Range;

/// Where the value under this key lies; none if this is no map, is cut off, or has no such key.
pub(super) fn value_of(bytes: &[u8], key: &str) -> Option<Range<usize>> {
    let (mut entries, mut at) = match *bytes.first()? {
        byte @ 0x80..=0x8f => (usize::from(byte & 0x0f), 1),
        0xde => (number(bytes, 1, 2)?, 3),
        0xdf => (number(bytes, 1, 4)?, 5),
        _ => return None,
    };
    while entries > 0 {
        let value = end_of(bytes, at)?;
        let end = end_of(bytes, value)?;
        if text(&bytes[at..value]) == Some(key.as_bytes()) {
            return Some(value..end);
        }
        at = end;
        entries -= 1;
    }
    None
}

/// The number in so many bytes from there.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

/// The bytes of a text that is all there is.
fn text(bytes: &[u8]) -> Option<&[u8]> {
    match *bytes.first()? {
        0xa0..=0xbf => bytes.get(1..),
        0xd9 => bytes.get(2..),
        0xda => bytes.get(3..),
        0xdb => bytes.get(5..),
        _ => None,
    }
}

/// Where the value that begins there ends.
fn end_of(bytes: &[u8], mut at: usize) -> Option<usize> {
    // Values still to be passed: those of a map or a list are added.
    let mut left = 1_usize;
    while left > 0 {
        let (head, body, within) = match *bytes.get(at)? {
            byte @ 0x80..=0x8f => (1, 0, 2 * usize::from(byte & 0x0f)),
            byte @ 0x90..=0x9f => (1, 0, usize::from(byte & 0x0f)),
            byte @ 0xa0..=0xbf => (1, usize::from(byte & 0x1f), 0),
            0xc4 | 0xd9 => (2, number(bytes, at + 1, 1)?, 0),
            0xc5 | 0xda => (3, number(bytes, at + 1, 2)?, 0),
            0xc6 | 0xdb => (5, number(bytes, at + 1, 4)?, 0),
            0xc7 => (3, number(bytes, at + 1, 1)?, 0),
            0xc8 => (4, number(bytes, at + 1, 2)?, 0),
            0xc9 => (6, number(bytes, at + 1, 4)?, 0),
            0xcc | 0xd0 => (2, 0, 0),
            0xcd | 0xd1 => (3, 0, 0),
            0xca | 0xce | 0xd2 => (5, 0, 0),
            0xcb | 0xcf | 0xd3 => (9, 0, 0),
            byte @ 0xd4..=0xd8 => (2, 1 << (byte - 0xd4), 0),
            0xdc => (3, 0, number(bytes, at + 1, 2)?),
            0xdd => (5, 0, number(bytes, at + 1, 4)?),
            0xde => (3, 0, number(bytes, at + 1, 2)?.checked_mul(2)?),
            0xdf => (5, 0, number(bytes, at + 1, 4)?.checked_mul(2)?),
            0x00..=0x7f | 0xc0..=0xc3 | 0xe0..=0xff => (1, 0, 0),
        };
        at = at.checked_add(head)?.checked_add(body)?;
        left = (left - 1).checked_add(within)?;
    }
    (at <= bytes.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_value_is_passed() {
        let text = |length: usize| "x".repeat(length);
        let value = json!({
            "small": [null, true, -1, 1, 200, -100, 70_000, -70_000, 1.5, u64::MAX, i64::MIN],
            "texts": [text(3), text(40), text(300), text(70_000)],
            "lists": [vec![1; 20], vec![1; 70_000]],
            "wanted": { "deep": [[[]]] },
            "last": 1,
        });
        let bytes = rmp_serde::to_vec_named(&value).expect("it is plain data");
        for key in ["small", "texts", "lists", "wanted", "last"] {
            let place = value_of(&bytes, key).unwrap_or_else(|| panic!("{key}"));
            let found: serde_json::Value = rmp_serde::from_slice(&bytes[place]).expect("a whole value");
            assert_eq!(found, value[key]);
        }
        assert_eq!(value_of(&bytes, "none"), None);
        for length in 0..60 {
            assert_eq!(value_of(&bytes[..length], "wanted"), None, "{length}");
        }
    }

    #[test]
    fn bytes_extensions_and_large_maps_are_passed_too() {
        let mut map = vec![0xde, 0, 3];
        map.extend([0xa1, b'a', 0xc4, 2, 9, 9]);
        map.extend([0xa1, b'b', 0xd5, 1, 0, 0]);
        map.extend([0xa1, b'c', 0xc7, 1, 5, 0]);
        assert_eq!(value_of(&map, "c"), Some(17..21));
        assert_eq!(value_of(&[0xdf, 0xff, 0xff, 0xff, 0xff], "c"), None);
        assert_eq!(value_of(&[0x93, 1, 2, 3], "c"), None);
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let mut deep = vec![0x81, 0xa1, b'a'];
        deep.extend(vec![0x91; 1_000_000]);
        deep.push(1);
        assert_eq!(value_of(&deep, "a"), Some(3..deep.len()));
    }
}
