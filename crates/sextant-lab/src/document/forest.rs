//! Forest plots: values with their intervals, one below the other, each below its name.

use super::plot::{GRID, INK, Plot, TEXT, range, short, stand_in};
use crate::LabError;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use sextant_eval::Estimate;

/// A line of a forest plot.
#[derive(Debug, Clone)]
pub(super) struct ForestRow<'a> {
    pub(super) name: &'a str,
    pub(super) value: Estimate,
    /// The number of its colour, and of its place in the legend.
    pub(super) colour: usize,
}

const WIDTH: u32 = 440;
/// The height of a line, which holds the name and, below it, the interval.
const LINE: u32 = 40;
/// The height of the axis with its title and of the margins.
const AXIS: u32 = 62;
/// The most characters of a name that fit the plot's width.
const LONGEST: usize = 46;

impl Plot {
    /// Draws a forest plot in place of series. `legend` names the colours that rows have, and `at` is where
    /// a line from top to bottom stands.
    pub(super) fn forest(
        self,
        rows: &[ForestRow<'_>],
        legend: &[&str],
        at: f64,
    ) -> Result<Self, LabError> {
        let size = (WIDTH, LINE * rows.len().max(1) as u32 + AXIS);
        let mut svg = String::new();
        paint(&mut svg, size, &self.x, rows, at)
            .map_err(|reason| LabError::Plot { title: self.title.clone(), reason })?;
        let used = |&(_, colour): &(String, usize)| rows.iter().any(|row| row.colour == colour);
        let legend = legend.iter().enumerate().map(|(colour, name)| ((*name).to_owned(), colour));
        let legend = legend.filter(used).collect();
        Ok(self.drawn(&svg, size, legend))
    }
}

fn paint(
    svg: &mut String,
    size: (u32, u32),
    title: &str,
    rows: &[ForestRow<'_>],
    at: f64,
) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let root = SVGBackend::with_string(svg, size).into_drawing_area();
    let ends = |row: &ForestRow<'_>| {
        let interval = row.value.interval;
        let [low, high] = interval.map_or([row.value.value; 2], |found| [found.low, found.high]);
        [low, row.value.value, high]
    };
    let x = range(rows.iter().flat_map(ends).chain([at]));
    let lines = rows.len().max(1) as f64;
    let mut chart = ChartBuilder::on(&root)
        .margin(8)
        .margin_right(20)
        .x_label_area_size(46)
        .build_cartesian_2d(x.clone(), 0.0..lines)
        .map_err(|e| failed(&e))?;
    let text = ("sans-serif", TEXT).into_font().color(&INK);
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(GRID.stroke_width(0))
        .bold_line_style(GRID.stroke_width(1))
        .axis_style(INK.stroke_width(1))
        .label_style(text.clone())
        .axis_desc_style(text.clone())
        .x_labels(6)
        .x_desc(title)
        .x_label_formatter(&|&x| short(x))
        .draw()
        .map_err(|e| failed(&e))?;
    let line = LineSeries::new([(at, 0.0), (at, lines)], INK.stroke_width(1));
    chart.draw_series(line).map_err(|e| failed(&e))?;
    for (index, row) in rows.iter().enumerate() {
        let top = lines - index as f64;
        let (name, mark) = (top - 0.3, top - 0.7);
        let colour = stand_in(row.colour);
        let style = text.clone().pos(Pos::new(HPos::Left, VPos::Center));
        let label = Text::new(shortened(row.name), (x.start, name), style);
        chart.draw_series([label]).map_err(|e| failed(&e))?;
        let [low, value, high] = ends(row);
        let interval = LineSeries::new([(low, mark), (high, mark)], colour.stroke_width(2));
        chart.draw_series(interval).map_err(|e| failed(&e))?;
        let dot = Circle::new((value, mark), 5, colour.filled());
        chart.draw_series([dot]).map_err(|e| failed(&e))?;
    }
    root.present().map_err(|e| failed(&e))
}

/// A name that fits; of a longer one the beginning and the end, which tell names apart.
fn shortened(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    if characters.len() <= LONGEST {
        return name.to_owned();
    }
    let half = LONGEST / 2;
    let end = &characters[characters.len() - half + 1..];
    characters[..half].iter().chain(&['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_eval::Interval;

    #[test]
    fn every_row_has_its_name_its_interval_and_its_colour() {
        let row = |name, value: f64, colour| {
            let interval = Some(Interval { low: value - 1.0, high: value + 1.0 });
            ForestRow { name, value: Estimate { value, interval }, colour }
        };
        let long = "a-very-long-name-of-a-backbone-with-many-words-mhp-2+prefix-and-more-s1";
        let rows = [row("first <&>", 60.0, 0), row(long, 50.0, 2)];
        let plot = Plot::new("t", "accuracy, %", "").forest(&rows, &["a", "b", "c"], 60.0).unwrap();
        let page = serde_json::to_value(&plot).unwrap();
        let svg = page["svg"].as_str().unwrap();
        assert_eq!((svg.matches("<circle").count(), svg.matches("fill:var(--c2)").count()), (2, 1));
        assert!(svg.contains("first &lt;&amp;&gt;") && svg.contains("…"), "{svg}");
        assert!(svg.contains("viewBox=\"0 0 440 142\""), "{svg}");
        assert_eq!(page["legend"], serde_json::json!([["a", 0, 0], ["c", 2, 0]]));
    }

    #[test]
    fn names_that_are_too_long_keep_both_ends() {
        assert_eq!(shortened("short"), "short");
        let found = shortened(&("a".repeat(60) + "b"));
        assert!(found.chars().count() == LONGEST && found.ends_with("ab"), "{found}");
    }
}
