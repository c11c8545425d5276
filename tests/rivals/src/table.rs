//! The figures as a table: for a terminal, and for a page.
//!
//! Owns the words and the layout, and the place on a page where the table goes.

use anyhow::{Context as _, Result};

use crate::figures::{Figure, Machine, Outcome, Series};
use crate::work::Unit;

/// Between these two lines of a page is what was measured.
const BEGIN: &str = "<!-- what was measured: written by tests/rivals/run -->";
const END: &str = "<!-- so far -->";

/// Rows under their headings, a line each.
#[must_use]
pub fn plain(outcome: &Outcome) -> String {
    let lines = lines(outcome);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut text = format!("{}\n\n", heading(outcome));
    for line in &lines {
        let padded: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The same for a page.
#[must_use]
pub fn markdown(outcome: &Outcome) -> String {
    let mut lines = lines(outcome).into_iter();
    let headings = lines.next().unwrap_or_default();
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    // Names to the left, numbers to the right.
    let rule: Vec<String> =
        (0..headings.len()).map(|column| if column < 2 { "---" } else { "--:" }.to_owned()).collect();
    format!(
        "{}.\n\n{}{}{}",
        heading(outcome),
        row(&headings),
        row(&rule),
        lines.map(|line| row(&line)).collect::<String>()
    )
}

/// The page with this in the place of what was measured before.
///
/// # Errors
///
/// The page has no place for it.
pub fn put(page: &str, measured: &str) -> Result<String> {
    let missing = || format!("the page has no place for it, between the lines `{BEGIN}` and `{END}`");
    let (before, rest) = page.split_once(BEGIN).with_context(missing)?;
    let (_, after) = rest.split_once(END).with_context(missing)?;
    Ok(format!("{before}{BEGIN}\n\n{measured}\n{END}{after}"))
}

fn heading(Outcome { machine, erlang, .. }: &Outcome) -> String {
    let Machine { processor, processors, system } = machine;
    let erlang = erlang.as_ref().map(|erlang| format!(", {erlang}")).unwrap_or_default();
    format!("{processor}, {processors} processors, {system}{erlang}")
}

/// The headings, and a line for each figure.
fn lines(outcome: &Outcome) -> Vec<Vec<String>> {
    let has_skep = outcome.figures.iter().any(|figure| figure.skep.is_some());
    let headings: &[&str] = if has_skep {
        &["work", "figure", "Skep", "Erlang", "RUSM", "floor", "to Erlang", "to RUSM", "to the floor", "to its own"]
    } else {
        &["work", "figure", "RUSM", "range", "floor", "range"]
    };
    let headings = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let line = |figure: &Figure| if has_skep { compared(figure) } else { alone(figure) };
    std::iter::once(headings).chain(outcome.figures.iter().map(line)).collect()
}

fn compared(figure: &Figure) -> Vec<String> {
    let Figure { work, name, unit, skep, erlang, rusm, floor, ratios } = figure;
    let series = [skep, erlang, rusm, floor].map(|series| or_dash(series.as_ref().map(|one| shown(one.median, *unit))));
    let ratio =
        |ratio: Option<f64>| or_dash(ratio.filter(|ratio| ratio.is_finite()).map(|ratio| format!("{ratio:.2}")));
    let own = ratios.beside.as_ref().map(|beside| format!("{:.2} x {}", beside.ratio, beside.figure));
    let ratios = [ratio(ratios.erlang), ratio(ratios.rusm), ratio(ratios.floor), or_dash(own)];
    [work.clone(), name.clone()].into_iter().chain(series).chain(ratios).collect()
}

fn alone(figure: &Figure) -> Vec<String> {
    let Figure { work, name, unit, rusm, floor, .. } = figure;
    let range = |one: &Series| format!("{}..{}", shown(one.least, *unit), shown(one.most, *unit));
    let cells = [rusm, floor].into_iter().flat_map(|series| {
        let series = series.as_ref();
        [or_dash(series.map(|one| shown(one.median, *unit))), or_dash(series.map(range))]
    });
    [work.clone(), name.clone()].into_iter().chain(cells).collect()
}

fn or_dash(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".to_owned())
}

/// Three digits, in the unit that they fit in.
fn shown(value: f64, unit: Unit) -> String {
    let steps: &[(&str, f64)] = match unit {
        Unit::Nanoseconds => &[("s", 1e9), ("ms", 1e6), ("us", 1e3), ("ns", 1.0)],
        Unit::Bytes => &[("MB", 1e6), ("kB", 1e3), ("B", 1.0)],
    };
    let (name, size) = steps.iter().find(|(_, size)| value >= *size).unwrap_or(&steps[steps.len() - 1]);
    let value = value / size;
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Ratios, Who};
    use crate::work::{Sample, Work};

    fn outcome() -> Outcome {
        let machine = Machine { processors: 2, processor: "one".to_owned(), system: "linux".to_owned() };
        let mut outcome = Outcome { figures: Vec::new(), machine, erlang: None };
        outcome.note(Work::Ping, Who::Floor, Sample { name: "round trip", unit: Unit::Nanoseconds, value: 800.0 });
        outcome
    }

    #[test]
    fn who_does_not_do_a_work_has_a_dash() {
        let text = plain(&outcome());
        assert_eq!(
            text,
            "one, 2 processors, linux\n\n\
             work  figure      RUSM  range  floor   range\n\
             ping  round trip  -     -      800 ns  800 ns..800 ns\n"
        );
    }

    #[test]
    fn a_page_gets_the_new_figures_in_the_place_of_the_old_ones() {
        let mut outcome = outcome();
        let skep = Series { median: 1_600.0, least: 1.0, most: 2.0, rounds: Vec::new() };
        outcome.figures[0].skep = Some(skep);
        outcome.figures[0].ratios = Ratios { floor: Some(2.0), ..Ratios::default() };
        let measured = markdown(&outcome);
        assert!(measured.contains("| ping | round trip | 1.60 us | - | - | 800 ns | - | - | 2.00 | - |"), "{measured}");
        let page = put(&format!("above\n{BEGIN}\nold\n{END}\nbelow\n"), &measured).expect("it has a place");
        assert_eq!(page, format!("above\n{BEGIN}\n\n{measured}\n{END}\nbelow\n"));
        assert_eq!(put(&page, &measured).expect("it still has"), page);
        assert!(put("nothing of it", &measured).is_err());
    }
}
