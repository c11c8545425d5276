//! The curves of the benchmark as pictures, each in a file of its own, and as a table.
//!
//! Owns the words on them. Measures and lays out nothing.

use std::io;
use std::path::{Path, PathBuf};

use super::shown;
use crate::bench::{Curve, Curves, Kind, Line, Point, Unit};
use crate::cli::chart::{self, Axis, Chart, Spacing, Stroke};
use crate::cli::failure::Failure;
use crate::cli::table::table;

/// Makes the folder for the files.
pub(super) fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot write {}: {error}", path.display()))
}

/// Writes a file for each curve, and brings their paths.
pub(super) fn write(curves: &Curves, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut written = Vec::new();
    for curve in &curves.curves {
        let path = folder.join(name(curve.kind)).with_extension("svg");
        std::fs::write(&path, picture(curve, curves).svg()).map_err(|error| failed(&path, &error))?;
        written.push(path);
    }
    Ok(written)
}

/// Every point in a row.
pub(super) fn in_words(curves: &Curves) -> String {
    let mut rows = Vec::new();
    for curve in &curves.curves {
        for (line, point) in curve.lines.iter().flat_map(|line| line.points.iter().map(move |point| (line, point))) {
            let [at, measured, least, most] = told(curve.kind, point);
            rows.push(vec![name(curve.kind).to_owned(), label(line), at, measured, format!("{least}..{most}")]);
        }
    }
    table(&["curve", "line", "at", "measured", "range"], &rows)
}

/// As the file is called.
pub(super) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Memory => "memory",
        Kind::Latency => "latency",
        Kind::Pause => "pause",
    }
}

/// Where, and what was measured there: its median, the least, the most.
fn told(kind: Kind, point: &Point) -> [String; 4] {
    let [x, _] = axes(kind);
    let unit = if kind == Kind::Memory { Unit::Bytes } else { Unit::Nanoseconds };
    let series = &point.measured;
    [(x.shown)(point.at), shown(series.median, unit), shown(series.least, unit), shown(series.most, unit)]
}

fn axes(kind: Kind) -> [Axis; 2] {
    let logarithmic = |name, shown| Axis { name, spacing: Spacing::Logarithmic, shown };
    match kind {
        Kind::Memory => [logarithmic("processes that wait", count), logarithmic("resident, each", bytes)],
        Kind::Latency => {
            let load = Axis { name: "processes that loop for ever", spacing: Spacing::Linear, shown: count };
            [load, logarithmic("a call", time)]
        }
        Kind::Pause => [logarithmic("state of each process", bytes), logarithmic("standing still", time)],
    }
}

fn picture(curve: &Curve, curves: &Curves) -> Chart {
    let title = match curve.kind {
        Kind::Memory => "Memory of a waiting process",
        Kind::Latency => "Latency of a call beside processes that compute",
        Kind::Pause => "Pause of a process while its code is replaced",
    };
    let [x, y] = axes(curve.kind);
    let mut description = format!("{} against {}, on {}", y.name, x.name, curves.machine.processor);
    description.push_str(&format!(" with {} processors.", curves.machine.processors));
    for line in &curve.lines {
        let points = line.points.iter().map(|point| told(curve.kind, point));
        let points: Vec<String> = points.map(|[at, measured, ..]| format!("{measured} at {at}")).collect();
        description.push_str(&format!(" {}: {}.", label(line), points.join(", ")));
    }
    let mut who: Vec<&str> = curve.lines.iter().map(|line| line.who).collect();
    who.dedup();
    let drawn = |line: &Line| chart::Line {
        name: label(line),
        colour: who.iter().position(|other| *other == line.who).unwrap_or_default(),
        stroke: if line.what == Some("p99") { Stroke::Dashed } else { Stroke::Solid },
        points: line.points.iter().map(placed).collect(),
    };
    Chart { title: title.to_owned(), description, x, y, lines: curve.lines.iter().map(drawn).collect() }
}

fn placed(Point { at, measured }: &Point) -> chart::Point {
    chart::Point { x: *at, y: measured.median, least: measured.least, most: measured.most }
}

fn label(line: &Line) -> String {
    line.what.map_or_else(|| line.who.to_owned(), |what| format!("{} {what}", line.who))
}

fn time(value: f64) -> String {
    short(&shown(value, Unit::Nanoseconds))
}

fn bytes(value: f64) -> String {
    short(&shown(value, Unit::Bytes))
}

/// Without zeros behind the point.
fn short(shown: &str) -> String {
    match shown.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => shown.to_owned(),
    }
}

/// A number of processes.
fn count(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e3 => format!("{} k", value / 1e3),
        value => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_ticks_are_short() {
        let times = [(1e3, "1 us"), (2e4, "20 us"), (5e5, "500 us"), (1.5e9, "1.5 s"), (100.0, "100 ns")];
        for (value, text) in times {
            assert_eq!(time(value), text);
        }
        assert_eq!(bytes(10_000.0), "10 kB");
        let counts = [(0.0, "0"), (200.0, "200"), (1_000.0, "1 k"), (30_000.0, "30 k"), (1_000_000.0, "1 M")];
        for (value, text) in counts {
            assert_eq!(count(value), text);
        }
    }
}
