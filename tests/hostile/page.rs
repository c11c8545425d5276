//! `docs/hostile.md` against the table: whoever reads the one knows the other.
//!
//! Owns how the page is written. `SKEP_WRITE_PAGES=1 cargo test --test hostile page` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use skep_tests::guests;

use crate::crimes::table;
use crate::suite::{Crime, Group};
use crate::watch::{LONGEST, MEDIAN, STAYS_MIB};

/// What stands above the table.
const BEGINNING: &str = "# The hostile suite

What guests and bytes that mean ill are tried with, and what comes of each. `cargo test --test hostile` commits them one
after the other, each by its name, beside a neighbour; and fails when one ends otherwise, or when this page says anything
else than the tests do.

";

/// The page as it must be.
fn page(table: &[Crime]) -> String {
    let mut page = BEGINNING.to_owned();
    let _ = writeln!(
        page,
        "During each crime a neighbour in the same app is called without a pause. All its answers arrive and are right, half \
         of them\nwithin {} ms and each within {} s, on a machine however busy: bounds that tell waiting from hanging, not \
         promises of speed; the\nfigures are printed. Nobody else ends. The host's memory grows no further than the row \
         says; afterwards it is back to within\n{STAYS_MIB} MiB of what it was, with no more threads and no more open files \
         than before.\n",
        MEDIAN.as_millis(),
        LONGEST.as_secs()
    );
    for group in Group::ALL {
        let _ =
            writeln!(page, "## {group:?}\n\n| crime | what it does | end | memory, MiB |\n| --- | --- | --- | --- |");
        for Crime { id, what, end, memory_mib, .. } in table.iter().filter(|crime| crime.group == group) {
            let _ = writeln!(page, "| `{id}` | {what} | {end} | {memory_mib} |");
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page + "\n"
}

#[test]
fn page_shows_the_table() {
    let path = guests::root().join("docs/hostile.md");
    let page = page(&table());
    if std::env::var_os("SKEP_WRITE_PAGES").is_some() {
        std::fs::write(&path, &page).expect("it can be written");
    }
    let there = std::fs::read_to_string(&path).expect("it is there");
    for (line, expected) in there.lines().zip(page.lines()) {
        assert_eq!(line, expected, "docs/hostile.md");
    }
    assert_eq!(there.lines().count(), page.lines().count(), "docs/hostile.md");
}

#[test]
fn the_table_has_enough_crimes_of_each_kind_and_none_twice() {
    let table = table();
    let ids: BTreeSet<&str> = table.iter().map(|crime| crime.id).collect();
    assert_eq!(ids.len(), table.len(), "an id is there twice");
    assert!(table.len() >= 60, "there are {} crimes", table.len());
    for group in Group::ALL {
        let count = table.iter().filter(|crime| crime.group == group).count();
        println!("{group:?}: {count}");
        assert!(count >= 3, "there are {count} crimes in {group:?}");
    }
    println!("{} crimes", table.len());
}

/// That each row has a test follows from how they are made; that each file's rows are in the table does not.
#[test]
fn each_file_of_crimes_is_in_the_table() {
    let folder = guests::root().join("tests/hostile/crimes");
    let ids: BTreeSet<&str> = table().iter().map(|crime| crime.id).collect();
    let mut rows = 0;
    for file in std::fs::read_dir(folder).expect("the crimes") {
        let source = std::fs::read_to_string(file.expect("a file").path()).expect("a source");
        for id in source.lines().filter_map(skep_tests::crimes::row) {
            assert!(ids.contains(id), "{id} is not in the table");
            rows += 1;
        }
    }
    assert_eq!(rows, ids.len(), "rows are read off the sources as the compiler reads them");
}
