//! Training curves: those of all runs of a lab, and the page of one run.

use super::plot::{Plot, Series};
use super::{Document, Entry, FoldedPlots, Section, Table};
use crate::LabError;
use crate::findings::{Findings, POINTS, TrainingCurve};
use sextant_data::DataError;
use sextant_files::{Existing, OwnFiles};
use sextant_train::{History, RunFolder};
use std::io::Write;

/// A curve of at most this many points has a mark at each.
const MOST_MARKS: usize = 12;

/// One of the curves of a run.
type PointsOf = fn(&TrainingCurve) -> &[(f64, f64)];

fn line(name: &str, points: &[(f64, f64)]) -> Series {
    let series = Series::line(name);
    let mut series = if points.len() > MOST_MARKS { series.without_marks() } else { series };
    for &(x, y) in points.iter().filter(|(_, y)| y.is_finite()) {
        series.add(x, y, None);
    }
    series
}

/// The curves of every run; `None` where no run has kept its log.
pub(super) fn section(findings: &Findings) -> Result<Option<Section>, LabError> {
    let curves = &findings.training;
    if curves.is_empty() {
        return Ok(None);
    }
    let mut section = Section::new(
        "training",
        "Training curves",
        &[
            "Every finished run: the dev metric that chose its weights, and the training loss, as means of spans of steps. Runs of one system have one colour, so that the width of its band is the spread of its seeds. A dev curve that still rises at its end would go on with more steps.",
        ],
    );
    let named = |of: PointsOf, name: fn(&TrainingCurve) -> &str| {
        move |curve: &TrainingCurve| line(name(curve), of(curve))
    };
    let parts: [(&str, PointsOf); 2] =
        [("dev metric", |curve| &curve.dev), ("training loss", |curve| &curve.loss)];
    for (what, of) in parts {
        let series: Vec<_> = curves.iter().map(named(of, |curve| &curve.group)).collect();
        let title = format!("All runs: {what}");
        section.plots.push(Plot::new(&title, "step", what).draw(&series)?);
    }
    let mut groups: Vec<&str> = Vec::new();
    for curve in curves {
        if !groups.contains(&curve.group.as_str()) {
            groups.push(&curve.group);
        }
    }
    let mut plots = Vec::new();
    for group in groups {
        let mine = || curves.iter().filter(|curve| curve.group == group);
        for (what, of) in parts {
            let series: Vec<_> = mine().map(named(of, |curve| &curve.run)).collect();
            let title = format!("{group}: {what}");
            plots.push(Plot::new(&title, "step", what).compact().draw(&series)?);
        }
    }
    let caption = format!("System by system, a line for each of the {} runs", curves.len());
    section.more_plots = Some(FoldedPlots { caption, plots });
    Ok(Some(section))
}

impl Document {
    /// Lays out the curves of one run. `metric` is the dev metric that chose its weights.
    ///
    /// # Errors
    /// A plot that cannot be drawn.
    pub fn of_training(name: &str, metric: &str, history: &History) -> Result<Self, LabError> {
        let best = history.looks.iter().rfind(|look| look.best);
        let mut lead = vec![format!(
            "{} steps, {} looks at the dev set.{}",
            history.steps.len(),
            history.looks.len(),
            best.map_or_else(String::new, |look| format!(
                " The bundle has the weights of step {}: best dev {metric} {:.4}.",
                look.step, look.value
            ))
        )];
        let span = history.steps.len().div_ceil(POINTS);
        if span > 1 {
            lead.push(format!("Curves of steps are means of {span} steps."));
        }
        let mut section = Section::new("curves", "Curves", &[]);
        let dev_axis = format!("dev {metric}");
        let by_step = |of: fn(&sextant_train::LoggedStep) -> f64| history.means(POINTS, of);
        for (title, axis, points) in [
            ("Dev metric", dev_axis.as_str(), history.dev(POINTS)),
            ("Training loss", "loss", history.loss(POINTS)),
            ("Learning rate", "rate × 1000", by_step(|step| 1e3 * step.learning_rate)),
            ("Gradient before clipping", "norm", by_step(|step| step.gradient_norm)),
        ] {
            section.plots.push(Plot::new(title, "step", axis).draw(&[line(axis, &points)])?);
        }
        let rows = history.looks.iter().map(|look| {
            let value = Entry::number(format!("{:.4}", look.value));
            let entry = Entry { best: best == Some(look), ..value };
            vec![Entry::number(look.step.to_string()), entry]
        });
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            section.tables.push(Table {
                id: "looks".into(),
                caption: format!("{} looks at the dev set; bold: the best", rows.len()),
                header: vec!["step".into(), dev_axis],
                rows,
                folded: true,
            });
        }
        let title = format!("Training of {name}");
        Ok(Self { title, verdict: None, lead, sections: vec![section], recipe: None })
    }
}

/// Draws the curves of a run from its log, and leaves them as a page in its folder, in place of an earlier
/// one of this program. `existing` says whether a file that the user wrote under the page's name may be
/// replaced. Where the page cannot be drawn or written, there is a warning: the run is no worse for it.
pub fn leave_curves(folder: &RunFolder, name: &str, metric: &str, existing: Existing) {
    if let Err(error) = write(folder, name, metric, existing) {
        tracing::warn!("{}: no training curves: {error}", folder.curves().display());
    }
}

fn write(folder: &RunFolder, name: &str, metric: &str, existing: Existing) -> Result<(), LabError> {
    let history = History::read(&folder.log())?;
    let html = Document::of_training(name, metric, &history)?.to_html()?;
    let mut file = OwnFiles::of(&folder.0)?.create(RunFolder::CURVES, existing)?;
    file.write_all(html.as_bytes()).map_err(|error| DataError::write(file.path(), error))?;
    Ok(file.commit()?)
}
