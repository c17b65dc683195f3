//! Answers as people read them.

use std::io::{self, Write};

use tokio_postgres::SimpleQueryMessage;

use super::Layout;
use crate::units::display_bytes;

/// Writes what the console answered: a table for each result, nothing for a command that has none.
pub(super) fn write(messages: &[SimpleQueryMessage], layout: Layout, out: &mut impl Write) -> io::Result<()> {
    let mut table = None;
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                let names = columns.iter().map(|column| column.name().to_owned()).collect();
                table = Some(Table { rows: vec![names] });
            }
            SimpleQueryMessage::Row(row) => {
                let cells = (0..row.len()).map(|index| cell(row.try_get(index).ok().flatten())).collect();
                table.get_or_insert_with(Table::default).rows.push(cells);
            }
            // The other kinds end a result, today and in whatever the library adds.
            _ => {
                table.take().map_or(Ok(()), |table| table.laid_out(layout, out))?;
            }
        }
    }
    out.flush()
}

/// What stands in a cell came from clients, and must not steer a terminal.
fn cell(text: Option<&str>) -> String {
    display_bytes(text.unwrap_or_default().as_bytes())
}

/// Rows of cells, the first of them the heading.
#[derive(Debug, Default)]
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn laid_out(&self, layout: Layout, out: &mut impl Write) -> io::Result<()> {
        match layout {
            Layout::Table => self.write(out),
            Layout::Expanded => self.write_expanded(out),
        }
    }

    /// A block for each row, below its number.
    fn write_expanded(&self, out: &mut impl Write) -> io::Result<()> {
        let Some((names, rows)) = self.rows.split_first() else { return Ok(()) };
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for (index, row) in rows.iter().enumerate() {
            writeln!(out, "-[ {} ]-", index.saturating_add(1))?;
            for (name, cell) in names.iter().zip(row) {
                writeln!(out, "{}", format!("{name:<width$}  {cell}").trim_end())?;
            }
        }
        Ok(())
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let widths = self.widths();
        for (index, row) in self.rows.iter().enumerate() {
            let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            writeln!(out, "{}", padded.join("  ").trim_end())?;
            if index == 0 {
                let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                writeln!(out, "{}", rule.join("  "))?;
            }
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        (0..columns).map(|column| width(column).unwrap_or(0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(rows: &[&[&str]]) -> String {
        let rows = rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        let mut out = Vec::new();
        Table { rows }.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let table = printed(&[&["id", "client"], &["1", "web"], &["12", "bäckup"], &["3", ""]]);
        assert_eq!(table, "id  client\n--  ------\n1   web\n12  bäckup\n3\n");
    }

    /// SHOW CLIENTS has 28 columns, more than any terminal is wide.
    #[test]
    fn expanded_has_a_line_for_each_column() {
        let cells = |row: &[&str]| row.iter().map(|cell| (*cell).to_owned()).collect();
        let table = Table { rows: vec![cells(&["id", "client"]), cells(&["1", "web"]), cells(&["2", ""])] };
        let mut out = Vec::new();
        table.laid_out(Layout::Expanded, &mut out).unwrap();
        let expected = "-[ 1 ]-\nid      1\nclient  web\n-[ 2 ]-\nid      2\nclient\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_result_without_rows_shows_its_heading() {
        assert_eq!(printed(&[&["id"]]), "id\n--\n");
    }

    #[test]
    fn cells_cannot_steer_a_terminal() {
        assert_eq!(cell(Some("a\x1b[2J")), "a\\u{1b}[2J");
    }
}
