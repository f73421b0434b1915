//! Plots as SVG that takes its colours from the page.

use crate::LabError;
use plotters::prelude::*;
use serde::Serialize;
use std::fmt::Write;

/// A plot: its options, and its SVG once it is drawn.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plot {
    pub(super) title: String,
    pub(super) x: String,
    y: String,
    svg: String,
    /// Names of the series with the numbers of their colour and their mark.
    legend: Vec<(String, usize, usize)>,
    #[serde(skip)]
    log_x: bool,
    #[serde(skip)]
    diagonal: bool,
    #[serde(skip)]
    zero: bool,
    #[serde(skip)]
    size: (u32, u32),
}

/// Points of one colour.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    name: String,
    line: bool,
    marks: bool,
    points: Vec<(f64, f64)>,
    intervals: Vec<(f64, [f64; 2])>,
}

impl Series {
    pub(crate) fn line(name: &str) -> Self {
        let (points, intervals) = (Vec::new(), Vec::new());
        Self { name: name.to_owned(), line: true, marks: true, points, intervals }
    }

    pub(crate) fn dots(name: &str) -> Self {
        Self { line: false, ..Self::line(name) }
    }

    pub(crate) fn without_marks(self) -> Self {
        Self { marks: false, ..self }
    }

    pub(crate) fn add(&mut self, x: f64, y: f64, interval: Option<[f64; 2]>) {
        self.points.push((x, y));
        self.intervals.extend(interval.map(|interval| (x, interval)));
    }
}

/// The height of a line of text; letters are about four fifths of it.
pub(super) const TEXT: u32 = 16;
/// The size of a plot in units of its text's height: on a phone, which shows the whole width of a plot, text
/// is still read.
const SIZE: (u32, u32) = (440, 300);
/// The size of plots of which many stand side by side.
const COMPACT: (u32, u32) = (340, 220);
/// Number of colours for series that the page defines.
pub(crate) const COLOURS: usize = 8;
/// Number of kinds of marks (dots, rings and triangles), which tell series of the same colour apart.
const MARKS: usize = 3;
/// Stand-in colours that the page's colours replace: these for text and grid, `stand_in` for series.
pub(super) const INK: RGBColor = RGBColor(1, 1, 1);
pub(super) const GRID: RGBColor = RGBColor(2, 2, 2);

fn mark(series: usize) -> usize {
    series / COLOURS % MARKS
}

pub(super) fn stand_in(series: usize) -> RGBColor {
    RGBColor(3, 3, (series % COLOURS) as u8)
}

impl Plot {
    pub(crate) fn new(title: &str, x: &str, y: &str) -> Self {
        Self {
            title: title.to_owned(),
            x: x.to_owned(),
            y: y.to_owned(),
            svg: String::new(),
            legend: Vec::new(),
            log_x: false,
            diagonal: false,
            zero: false,
            size: SIZE,
        }
    }

    /// A plot of which many stand side by side.
    pub(crate) fn compact(self) -> Self {
        Self { size: COMPACT, ..self }
    }

    /// A plot that somebody else has drawn in the stand-in colours, with the names of colours.
    pub(super) fn drawn(self, svg: &str, size: (u32, u32), legend: Vec<(String, usize)>) -> Self {
        let svg = themed(svg, &self.title, size);
        let legend = legend.into_iter().map(|(name, colour)| (name, colour, 0)).collect();
        Self { svg, legend, size, ..self }
    }

    /// A logarithmic x axis.
    pub(crate) fn log_x(self) -> Self {
        Self { log_x: true, ..self }
    }

    /// Both axes from 0 to 1, with the line of equality.
    pub(crate) fn diagonal(self) -> Self {
        Self { diagonal: true, ..self }
    }

    /// A line at y = 0.
    pub(crate) fn zero(self) -> Self {
        Self { zero: true, ..self }
    }

    /// Draws the series. Those of one name have one colour and one place in the legend.
    pub(crate) fn draw(mut self, series: &[Series]) -> Result<Self, LabError> {
        let mut names: Vec<&str> = Vec::new();
        for series in series {
            if !names.contains(&series.name.as_str()) {
                names.push(&series.name);
            }
        }
        let mut svg = String::new();
        self.paint(&mut svg, series, &names)
            .map_err(|reason| LabError::Plot { title: self.title.clone(), reason })?;
        self.svg = themed(&svg, &self.title, self.size);
        let named = names.iter().enumerate();
        self.legend = named.map(|(i, &name)| (name.to_owned(), i % COLOURS, mark(i))).collect();
        Ok(self)
    }

    fn place(&self, x: f64) -> f64 {
        if self.log_x { x.max(1e-300).log10() } else { x }
    }

    fn paint(&self, svg: &mut String, series: &[Series], names: &[&str]) -> Result<(), String> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let root = SVGBackend::with_string(svg, self.size).into_drawing_area();
        let xs = series.iter().flat_map(|s| s.points.iter().map(|point| self.place(point.0)));
        let ends = series.iter().flat_map(|s| s.intervals.iter().flat_map(|(_, ends)| *ends));
        let ys = series.iter().flat_map(|s| s.points.iter().map(|point| point.1)).chain(ends);
        let ys = ys.chain(self.zero.then_some(0.0));
        let (x, y) = if self.diagonal { (0.0..1.0, 0.0..1.0) } else { (range(xs), range(ys)) };
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .margin_right(20) // the last label of the x axis is centred on its end
            .x_label_area_size(46)
            .y_label_area_size(58)
            .build_cartesian_2d(x.clone(), y.clone())
            .map_err(|e| failed(&e))?;
        let text = ("sans-serif", TEXT).into_font().color(&INK);
        let log = self.log_x;
        chart
            .configure_mesh()
            .light_line_style(GRID.stroke_width(0))
            .bold_line_style(GRID.stroke_width(1))
            .axis_style(INK.stroke_width(1))
            .label_style(text.clone())
            .axis_desc_style(text)
            .x_labels(if log { 5 } else { 6 })
            .x_desc(&self.x)
            .y_desc(&self.y)
            .x_label_formatter(&move |&x| if log { short(10_f64.powf(x)) } else { short(x) })
            .y_label_formatter(&|&y| short(y))
            .draw()
            .map_err(|e| failed(&e))?;
        let guide = if self.diagonal {
            Some([(0.0, 0.0), (1.0, 1.0)])
        } else {
            self.zero.then_some([(x.start, 0.0), (x.end, 0.0)])
        };
        if let Some(guide) = guide {
            let line = LineSeries::new(guide, INK.stroke_width(1));
            chart.draw_series(line).map_err(|e| failed(&e))?;
        }
        for series in series {
            let index = names.iter().position(|&name| name == series.name).unwrap_or(0);
            let colour = stand_in(index);
            let points: Vec<(f64, f64)> =
                series.points.iter().map(|&(x, y)| (self.place(x), y)).collect();
            for &(x, [low, high]) in &series.intervals {
                let x = self.place(x);
                let line = LineSeries::new([(x, low), (x, high)], colour.stroke_width(1));
                chart.draw_series(line).map_err(|e| failed(&e))?;
            }
            if series.line {
                let style = colour.stroke_width(2);
                let points = points.iter().copied();
                let drawn = match mark(index) {
                    0 => chart.draw_series(LineSeries::new(points, style)),
                    dash => {
                        let (line, gap) = (12 / dash as u32, 4);
                        chart.draw_series(DashedLineSeries::new(points, line, gap, style))
                    }
                };
                drawn.map_err(|e| failed(&e))?;
            }
            if series.marks {
                let marks = points.iter().map(|&point| match mark(index) {
                    0 => Circle::new(point, 4, colour.filled()).into_dyn(),
                    1 => Circle::new(point, 4, colour.stroke_width(2)).into_dyn(),
                    _ => TriangleMarker::new(point, 5, colour.filled()).into_dyn(),
                });
                chart.draw_series(marks).map_err(|e| failed(&e))?;
            }
        }
        root.present().map_err(|e| failed(&e))
    }
}

/// The range of the finite values with a margin at both ends; 0 to 1 if there are none.
pub(super) fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return 0.0..1.0;
    }
    let air = if high > low { 0.06 * (high - low) } else { 0.05 * low.abs().max(1.0) };
    low - air..high + air
}

/// `0.25`, `12`, `3.4k`, `1.2e15`.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        s if s >= 1e6 => format!("{value:.1e}"),
        s if s >= 1e4 => format!("{:.0}k", value / 1e3),
        s if s >= 1e3 => format!("{:.1}k", value / 1e3),
        s if s >= 20.0 => format!("{value:.0}"),
        s if s >= 2.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    if text.trim_start_matches(['-', '0', '.']).is_empty() { "0".into() } else { text }
}

/// Puts the page's colours in place of the stand-ins, and lets the plot fit its column.
fn themed(svg: &str, title: &str, (width, height): (u32, u32)) -> String {
    let mut themed = svg.to_owned();
    let mut replace = |colour: RGBColor, with: &str| {
        let hexadecimal = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
        for attribute in ["fill", "stroke"] {
            let from = format!("{attribute}=\"{hexadecimal}\"");
            themed = themed.replace(&from, &format!("style=\"{attribute}:{with}\""));
        }
    };
    replace(INK, "currentColor");
    replace(GRID, "var(--line)");
    for series in 0..COLOURS {
        replace(stand_in(series), &format!("var(--c{series})"));
    }
    // Lines without width are most of what a mesh writes, and nobody sees them; all else is opaque anyway.
    let seen = themed.lines().filter(|line| !line.contains("stroke-width=\"0\""));
    let themed = seen.collect::<Vec<_>>().join("\n").replace(" opacity=\"1\"", "");
    let open = themed.find("<svg").unwrap_or(0);
    let end = themed[open..].find('>').map_or(open, |end| open + end + 1);
    let mut svg = String::new();
    let title = title.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let _ = write!(
        svg,
        "<svg class=\"plot\" role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 {width} {height}\">"
    );
    svg.push_str(&themed[end..]);
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_have_every_point_and_no_colour_of_their_own() {
        let mut series = Series::line("a & b");
        series.add(10.0, 50.0, Some([40.0, 60.0]));
        series.add(1000.0, 70.0, None);
        let plot = Plot::new("a < b", "rows", "accuracy").log_x().draw(&[series]).unwrap();
        assert_eq!(plot.svg.matches("<circle").count(), 2);
        assert!(plot.svg.contains("aria-label=\"a &lt; b\""));
        assert!(!plot.svg.contains("=\"#"), "{}", plot.svg);
        // What is not seen is not written.
        assert!(!plot.svg.contains("stroke-width=\"0\"") && plot.svg.len() < 7000, "{}", plot.svg);
        assert!(!plot.svg.contains("width=\"440\" height=\"300\" viewBox"), "{}", plot.svg);
    }

    #[test]
    fn more_series_than_colours_differ_by_their_marks() {
        let series: Vec<Series> = (0..=2 * COLOURS)
            .map(|i| {
                let mut series = Series::line(&i.to_string());
                series.add(1.0, i as f64, None);
                series.add(2.0, i as f64, None);
                series
            })
            .collect();
        let plot = Plot::new("many", "x", "y").draw(&series).unwrap();
        let first: Vec<_> = plot.legend.iter().filter(|(_, colour, _)| *colour == 0).collect();
        assert_eq!(first.iter().map(|(_, _, mark)| *mark).collect::<Vec<_>>(), [0, 1, 2]);
        // Two dots, two rings, two triangles of the first colour.
        let count = |tag: &str, style: &str| {
            let tags = plot.svg.split('<').filter(|found| found.starts_with(tag));
            tags.filter(|found| found.contains(style)).count()
        };
        assert_eq!(count("circle", "fill:var(--c0)"), 2);
        assert_eq!(count("circle", "stroke:var(--c0)"), 2);
        assert_eq!(count("polygon", "fill:var(--c0)"), 2);
    }

    #[test]
    fn series_of_one_name_have_one_colour() {
        let series: Vec<Series> = ["a", "b", "a"]
            .iter()
            .enumerate()
            .map(|(i, name)| {
                let mut series = Series::dots(name);
                series.add(1.0, i as f64, None);
                series
            })
            .collect();
        let plot = Plot::new("shared", "x", "y").compact().draw(&series).unwrap();
        assert_eq!(plot.legend, [("a".to_owned(), 0, 0), ("b".to_owned(), 1, 0)]);
        assert_eq!(plot.svg.matches("fill:var(--c0)").count(), 2);
    }

    #[test]
    fn nothing_to_draw_is_no_error() {
        for series in [vec![], vec![Series::dots("empty")]] {
            assert!(Plot::new("t", "x", "y").zero().draw(&series).is_ok());
        }
        assert_eq!(range([3.0].into_iter()), 2.85..3.15);
    }

    #[test]
    fn numbers_are_short() {
        let shorts = [0.0, -0.001, 0.25, 12.0, 51.3, 1234.0, 58380.0, 2e15].map(short);
        assert_eq!(shorts, ["0", "0", "0.25", "12.0", "51", "1.2k", "58k", "2.0e15"]);
    }
}
