//! Version 2 on its own, and in the place of version 1.

use std::collections::BTreeMap;

use skep_sdk::Codec;
use skep_sdk::testing::Harness;

use super::*;

/// Words whose lower case is longer, depends on where a letter stands, or is that of another.
const WORDS: &[&str] = &[
    "The", "the", "THE", "tHe", "x86", "42", "İ", "i", "I", "ΣΑΣ", "σας", "ΣΑΣΣ", "Σ", "σ", "ς", "Straße", "STRASSE",
    "ǅ", "Ǆ", "ǆ", "Ⅷ", "ⅷ", "\u{212a}", "k", "猫が", "ẞ", "ß",
];

fn add(start: u64, words: &[&str]) -> Request {
    let counts = words.iter().map(|word| ((*word).to_owned(), 1)).collect();
    let counted = Counted { lines: 1, words: words.len() as u64, counts };
    let body = counted.encode(Codec::default()).expect("it can be written");
    Request::Add { piece: Piece { start, end: start + 10 }, result: tally::Outcome::Counted(body) }
}

fn page(server: &mut Harness<Server>, after: Option<&str>) -> Vec<(String, u64)> {
    match server.call(Request::Page { after: after.map(str::to_owned) }) {
        Ok(Reply::Page(page)) => page,
        other => panic!("no page but {other:?}"),
    }
}

fn totals(server: &mut Harness<Server>) -> Totals {
    match server.call(Request::Totals) {
        Ok(Reply::Totals(totals)) => totals,
        other => panic!("no sums but {other:?}"),
    }
}

/// What it must come to.
fn lower_case(words: &[&str], times: u64) -> Vec<(String, u64)> {
    let mut counts = BTreeMap::new();
    words.iter().for_each(|word| *counts.entry(word.to_lowercase()).or_default() += times);
    counts.into_iter().collect()
}

#[test]
fn a_piece_counts_once_and_words_in_lower_case() {
    let mut server = Harness::<Server>::start(()).expect("init succeeds").always_hibernating();
    let rejected = Request::Add { piece: Piece { start: 10, end: 12 }, result: tally::Outcome::Rejected };
    for _ in 0..2 {
        assert_eq!(server.call(add(0, WORDS)), Ok(Reply::Done));
        assert_eq!(server.call(rejected.clone()), Ok(Reply::Done));
    }
    let expected = lower_case(WORDS, 1);
    let (words, distinct) = (WORDS.len() as u64, expected.len() as u64);
    let sums = Totals { version: 2, lines: 2, rejected: 1, words, distinct, pieces: 2, pieces_before: 0 };
    assert_eq!(totals(&mut server), sums);
    assert_eq!(page(&mut server, None), expected);
    assert_eq!(page(&mut server, Some("the")), expected[expected.partition_point(|(word, _)| &**word <= "the")..]);
    let Err(CallError::Ended(ExitReason::Failed(why))) = server.call(add(5, &["a"])) else {
        panic!("it should have failed");
    };
    assert_eq!(why, "bytes 5 to 15 are in part counted already");
}

#[test]
fn what_version_1_counted_is_as_if_counted_in_lower_case() {
    // Upgraded after each number of pieces, none and all included.
    for by_old in 0..=4 {
        let mut old = Harness::<tally_server::Server>::start(()).expect("init succeeds");
        for n in 0..by_old {
            assert_eq!(old.call(add(n * 10, WORDS)), Ok(Reply::Done));
        }
        let mut new = old.upgrade::<Server>().expect("it goes up");
        for n in 0..4 {
            // A piece that version 1 had is not counted again.
            assert_eq!(new.call(add(n * 10, WORDS)), Ok(Reply::Done));
        }
        let expected = lower_case(WORDS, 4);
        assert_eq!(page(&mut new, None), expected, "{by_old} by version 1");
        let sums = totals(&mut new);
        assert_eq!((sums.version, sums.pieces, sums.pieces_before), (2, 4, by_old));
        assert_eq!((sums.lines, sums.words), (4, 4 * WORDS.len() as u64));
        assert_eq!(sums.distinct, expected.len() as u64);
        assert_eq!(new.call(Request::Added), Ok(Reply::Added(vec![Piece { start: 0, end: 40 }])));
    }
}

#[test]
fn there_is_no_way_back() {
    let new = Harness::<Server>::start(()).expect("init succeeds");
    let refused = new.upgrade::<tally_server::Server>().expect_err("it should be refused");
    assert!(refused.why.starts_with("no way"), "{}", refused.why);
}

#[test]
fn lower_case_is_that_of_the_standard_library() {
    for word in WORDS {
        assert_eq!(lower_cased(word).unwrap_or_else(|| (*word).to_owned()), word.to_lowercase(), "{word}");
    }
    assert_eq!(lower_cased("already"), None);
    assert_eq!(lower_cased("déjà"), None);
}
