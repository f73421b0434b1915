//! Markdown tables that also read well as plain text.

/// A Markdown table with padded columns: the first `texts` columns, which hold texts, are aligned to the
/// left, and the others, which hold numbers, to the right.
pub(crate) fn table(header: &[&str], texts: usize, rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|name| name.chars().count().max(3)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).enumerate();
        let cells = cells.map(|(i, (cell, &width))| {
            if i < texts { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let header: Vec<_> = header.iter().map(|&name| name.to_owned()).collect();
    let rules: Vec<_> = widths
        .iter()
        .enumerate()
        .map(|(i, &width)| {
            let dashes = "-".repeat(width - 1);
            if i < texts { format!("-{dashes}") } else { format!("{dashes}:") }
        })
        .collect();
    let rows = rows.iter().map(|row| line(row)).collect::<String>();
    format!("{}{}{rows}", line(&header), line(&rules))
}

/// A share as a percentage with one decimal.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
