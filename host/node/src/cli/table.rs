//! Rows and columns: bold headings on a terminal, plain words in a pipe.
//!
//! Owns the layout. Makes every cell safe.

use std::io::IsTerminal;

use comfy_table::{Attribute, Cell, ContentArrangement, presets};

use super::safe;

/// The rows under their headings, ready to print.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| safe::line(cell)).collect()).collect();
    if std::io::stdout().is_terminal() { styled(headings, &rows) } else { plain(headings, &rows) }
}

fn styled(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = comfy_table::Table::new();
    // On a narrow terminal a wrapped row is easier to read than ten columns of two letters.
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.iter().map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    table.add_rows(rows);
    format!("{table}\n")
}

/// One line for each row, columns two blanks apart; an empty cell is a dash, so that every row has as many words.
fn plain(headings: &[&str], rows: &[Vec<String>]) -> String {
    let shown = |cell: &str| if cell.is_empty() { "-".to_owned() } else { cell.to_owned() };
    let mut lines = vec![headings.iter().map(|heading| heading.to_uppercase()).collect::<Vec<_>>()];
    lines.extend(rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()));
    let widths: Vec<usize> = (0..headings.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default())
        .collect();
    let mut text = String::new();
    for line in &lines {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_columns_line_up() {
        let rows = [vec!["<0.1>".to_owned(), String::new()], vec!["<0.12>".to_owned(), "näme".to_owned()]];
        assert_eq!(plain(&["pid", "name"], &rows), "PID     NAME\n<0.1>   -\n<0.12>  näme\n");
    }
}
