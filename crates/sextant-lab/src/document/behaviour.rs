//! The sections on how systems behave: contradictions, confusions, calibration, abstention and cost.

use super::plot::{Plot, Series};
use super::{Entry, Section, Table, percent};
use crate::LabError;
use crate::facts::{count, mebibytes, spoken_duration};
use crate::findings::{Calibration, Findings};
use sextant_core::Grade;
use sextant_eval::ReliabilityBin;

pub(super) fn sections(findings: &Findings) -> Result<Vec<Section>, LabError> {
    let mut sections = Vec::new();
    sections.extend(consistency(findings));
    sections.extend(confusions(findings));
    sections.extend(calibration(findings)?);
    sections.extend(abstention(findings)?);
    sections.extend(costs(findings)?);
    Ok(sections)
}

fn consistency(findings: &Findings) -> Option<Section> {
    if findings.consistency.is_empty() {
        return None;
    }
    let mut section = Section::new(
        "consistency",
        "Consistency across tasks",
        &[
            "Three entities whose three pairs are all among the test rows make a triangle: a query, a product and a type, or two queries and a product, and so on. It is violated where two of its pairs are relevant and the third is irrelevant. Means over seeds.",
        ],
    );
    let rows = findings.consistency.iter().map(|found| {
        vec![
            Entry::word(&found.system),
            Entry::number(found.triangles.to_string()),
            Entry::number(percent(found.violated)),
            Entry::number(percent(found.violated_by_truth)),
        ]
    });
    section.tables.push(Table {
        id: "consistency".into(),
        header: ["system", "triangles", "violated, %", "violated by the true grades, %"]
            .map(str::to_owned)
            .into(),
        rows: rows.collect(),
        ..Table::default()
    });
    Some(section)
}

fn confusions(findings: &Findings) -> Option<Section> {
    if findings.calibration.is_empty() {
        return None;
    }
    let mut section = Section::new(
        "confusions",
        "Confusions",
        &[
            "Of the rows of each true grade, the percentage predicted to be of each grade, over all seeds.",
        ],
    );
    for found in &findings.calibration {
        let mut rows = Vec::new();
        for (task, matrix) in &found.confusion {
            for grade in Grade::ALL {
                let counts = matrix[grade.index()];
                let all: f64 = counts.iter().sum();
                let mut entries = vec![Entry::word(task.as_str()), Entry::word(grade.as_str())];
                entries.extend(counts.iter().map(|&rows| {
                    let share = if all > 0.0 { rows / all } else { 0.0 };
                    Entry { shade: Some(share), ..Entry::number(percent(share)) }
                }));
                entries.push(Entry::number(format!("{all:.0}")));
                rows.push(entries);
            }
        }
        let header = ["task", "true grade", "irrelevant", "partial", "relevant", "answers"];
        section.tables.push(Table {
            id: format!("confusion-{}", found.system),
            caption: found.system.clone(),
            header: header.map(str::to_owned).into(),
            rows,
            folded: true,
        });
    }
    Some(section)
}

/// A plot of reliability leaves out bins that hold a smaller share of the rows than this.
const LEAST_SHARE: f64 = 0.002;

fn reliability(name: &str, bins: &[ReliabilityBin]) -> Series {
    let all: f64 = bins.iter().map(|bin| bin.count).sum();
    let mut series = Series::line(name);
    for bin in bins.iter().filter(|bin| bin.count >= LEAST_SHARE * all) {
        if let (Some(confidence), Some(accuracy)) = (bin.mean_confidence, bin.accuracy) {
            series.add(confidence, accuracy, None);
        }
    }
    series
}

fn calibration(findings: &Findings) -> Result<Option<Section>, LabError> {
    if findings.calibration.is_empty() {
        return Ok(None);
    }
    let mut section = Section::new(
        "calibration",
        "Calibration",
        &[
            "Expected calibration error (15 bins) in percentage points, and log loss, as trained and with a temperature fitted on dev rows: means over seeds. The plots show accuracy against confidence; on the diagonal a system is as sure as it is right.",
        ],
    );
    for found in &findings.calibration {
        let plot = Plot::new(&found.system, "confidence", "accuracy").diagonal();
        let series = [
            reliability("as trained", &found.reliability),
            reliability("with temperature", &found.reliability_scaled),
        ];
        section.plots.push(plot.draw(&series)?);
    }
    let rows = findings.calibration.iter().map(|found: &Calibration| {
        let mean = found.temperatures.iter().sum::<f64>() / found.temperatures.len().max(1) as f64;
        vec![
            Entry::word(&found.system),
            Entry::number(percent(found.ece)),
            Entry::number(percent(found.ece_scaled)),
            Entry::number(format!("{:.3}", found.log_loss[0])),
            Entry::number(format!("{:.3}", found.log_loss[1])),
            Entry::number(format!("{mean:.2}")),
        ]
    });
    let header = ["system", "ECE", "ECE, scaled", "log loss", "log loss, scaled", "temperature"];
    section.tables.push(Table {
        id: "calibration".into(),
        header: header.map(str::to_owned).into(),
        rows: rows.collect(),
        ..Table::default()
    });
    Ok(Some(section))
}

fn abstention(findings: &Findings) -> Result<Option<Section>, LabError> {
    if findings.calibration.iter().all(|found| found.abstention.is_empty()) {
        return Ok(None);
    }
    let mut section = Section::new(
        "abstention",
        "Abstention",
        &[
            "Accuracy on the rows that are answered when the least sure are left to people. Confidence is that after temperature scaling. AURC: the area under the share of wrong answers against the share of rows answered; excess AURC: what is left of it when the area of the best confidence, which puts every right answer above every wrong one, is taken off (Geifman, Uziel and El-Yaniv 2019); both are 0 at best, and means over seeds.",
        ],
    );
    let series: Vec<Series> = findings
        .calibration
        .iter()
        .map(|found| {
            let mut series = Series::line(&found.system).without_marks();
            for point in &found.abstention {
                series.add(100.0 * point.coverage, 100.0 * point.accuracy, None);
            }
            series
        })
        .collect();
    section.plots.push(
        Plot::new("Accuracy against coverage", "rows answered, %", "accuracy, %").draw(&series)?,
    );
    let shares = [0.5, 0.8, 0.9, 1.0];
    let rows = findings.calibration.iter().map(|found| {
        let mut entries = vec![Entry::word(&found.system)];
        entries.extend(shares.iter().map(|&share| {
            // The point of the highest coverage that does not exceed the share.
            let within = found.abstention.iter().filter(|point| point.coverage <= share + 1e-9);
            let point = within.max_by(|a, b| a.coverage.total_cmp(&b.coverage));
            point.map_or_else(Entry::missing, |point| Entry::number(percent(point.accuracy)))
        }));
        let areas = found.risk_coverage;
        let area = |area: f64| Entry::number(format!("{area:.4}"));
        entries.extend([areas.aurc, areas.excess_aurc].map(area));
        entries
    });
    let mut header = vec!["system".to_owned()];
    header.extend(shares.iter().map(|share| format!("{:.0} % answered", 100.0 * share)));
    header.extend(["AURC", "excess AURC"].map(str::to_owned));
    let rows = rows.collect();
    section.tables.push(Table { id: "abstention".into(), header, rows, ..Table::default() });
    Ok(Some(section))
}

fn costs(findings: &Findings) -> Result<Option<Section>, LabError> {
    if findings.costs.is_empty() {
        return Ok(None);
    }
    let mut section = Section::new(
        "cost",
        "Cost against accuracy",
        &[
            "Training cost of one seed: floating-point operations by formula (2 for each weight that a token meets, forward; as many again for gradients that pass it, and for its own gradient), and seconds as measured on the machine of the runs. Models of single tasks count together. Bold: no system of lower cost is as accurate.",
        ],
    );
    let series: Vec<Series> = findings
        .costs
        .iter()
        .map(|cost| {
            let mut series = Series::dots(&cost.system);
            series.add(cost.flops.max(1.0), 100.0 * cost.accuracy, None);
            series
        })
        .collect();
    section.plots.push(
        Plot::new("Accuracy against training cost", "floating-point operations", "accuracy, %")
            .log_x()
            .draw(&series)?,
    );
    let rows = findings.costs.iter().map(|cost| {
        let accuracy = Entry::number(percent(cost.accuracy));
        vec![
            Entry::word(&cost.system),
            Entry { best: cost.efficient, ..accuracy },
            Entry::number(format!("{:.2e}", cost.flops)),
            Entry::number(spoken_duration(cost.train_seconds)),
            Entry::number(format!("{:.0}", cost.rows_per_second)),
            Entry::number(count(cost.parameters)),
            cost.peak_memory_bytes
                .map_or_else(Entry::missing, |bytes| Entry::number(mebibytes(bytes))),
        ]
    });
    section.tables.push(Table {
        id: "cost".into(),
        header: [
            "system",
            "accuracy",
            "FLOPs",
            "training",
            "scored rows/s",
            "parameters",
            "peak memory",
        ]
        .map(str::to_owned)
        .into(),
        rows: rows.collect(),
        ..Table::default()
    });
    Ok(Some(section))
}
