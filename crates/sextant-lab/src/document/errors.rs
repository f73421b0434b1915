//! The page of an error analysis: what a model is most confidently wrong about, labels that are likely wrong, and
//! slices of the rows.

use super::{Document, Entry, Section, Table, p_value, percent, points};
use sextant_core::{Entity, Example, Grade, Pair, Prediction, Split};
use sextant_eval::{ErrorAnalysis, LabelNoise, Slice, WorstSlices};

/// The most labels that are listed.
const SUSPECTS: usize = 100;
/// The most characters of a text that are shown.
const SHOWN: usize = 160;

/// A row that was analysed.
#[derive(Debug, Clone, Copy)]
pub struct ErrorRow<'a> {
    /// The row.
    pub example: &'a Example,
    /// What was predicted for it.
    pub prediction: Prediction,
    /// Where the row comes from: its file and line.
    pub origin: &'a str,
}

impl Document {
    /// Lays out an error analysis. `title` names model and rows; `split` says which part of a data set the rows are,
    /// where it is known.
    pub fn of_errors(
        analysis: &ErrorAnalysis,
        rows: &[ErrorRow<'_>],
        title: &str,
        split: Option<Split>,
    ) -> Self {
        let accuracy = 100.0 * (1.0 - analysis.wrong as f64 / analysis.rows.max(1) as f64);
        let mut lead = vec![format!(
            "{} rows, of which {} are predicted wrongly: accuracy {accuracy:.1} %. Intervals: 95 %, over resampled groups of rows.",
            analysis.rows, analysis.wrong
        )];
        if split == Some(Split::Train) {
            lead.push("These rows are of the training part. If the model trained on them, it knows their labels by heart: mistakes and suspicious labels are far fewer than there are. Look at the test or the dev part.".to_owned());
        }
        let sections = vec![
            worst(&analysis.worst),
            suspects(&analysis.noise, rows),
            mistakes(analysis, rows),
            slices(&analysis.slices),
        ];
        Self { title: title.to_owned(), verdict: None, lead, sections, recipe: None }
    }
}

fn worst(worst: &WorstSlices) -> Section {
    let mut section = Section::new(
        "worst",
        "The worst slices",
        &[
            "Rows that share one or two properties and on which the model is right less often than on all other rows. A slice of two properties is listed only if it is worse, in standard errors, than either property alone.",
        ],
    );
    section.text.push(format!(
        "{} slices of at least {} rows and two groups were looked at. The p-value is one-sided, by Student's t with as many degrees of freedom as the slice has groups, less one, and corrected for all of them by Holm's method; † marks those below 0.05.",
        worst.tested, worst.min_rows
    ));
    if worst.slices.is_empty() {
        let none = if worst.tested == 0 {
            "There are too few rows or groups to look for slices."
        } else {
            "No slice is shown to be worse than the rest."
        };
        section.text.push(none.to_owned());
        return section;
    }
    let mut table = table(
        "worst-slices",
        "",
        &[
            "slice",
            "rows",
            "accuracy %",
            "difference to the rest",
            "mean absolute error",
            "p (Holm)",
        ],
    );
    table.rows = worst
        .slices
        .iter()
        .map(|slice| {
            let mut row = of_slice(slice);
            let mut p = p_value(slice.p_value);
            p.significant = slice.p_value.is_some_and(|p| p < 0.05);
            row.push(p);
            row
        })
        .collect();
    section.tables.push(table);
    section
}

fn of_slice(slice: &Slice) -> Vec<Entry> {
    let conditions = slice.conditions.iter().map(|(name, value)| format!("{name}: {value}"));
    let mut difference = Entry::number(points(slice.difference));
    difference.detail = match slice.reach(0.95) {
        Some(reach) => format!("± {}", percent(reach)),
        None => "one group".to_owned(),
    };
    vec![
        Entry::word(conditions.collect::<Vec<_>>().join(", and ")),
        Entry::number(slice.rows.to_string()),
        Entry::percent(slice.accuracy),
        difference,
        Entry::number(format!("{:.3}", slice.mae)),
    ]
}

fn suspects(noise: &LabelNoise, rows: &[ErrorRow<'_>]) -> Section {
    let mut section = Section::new(
        "labels",
        "Labels that are likely wrong",
        &[
            "By confident learning (Northcutt et al. 2021): rows of which the model is more certain than of the usual row of a grade, where that grade is not their label. It finds what a person should look at, and decides nothing: a model that is confidently wrong about a kind of row makes its correct labels look suspicious too.",
        ],
    );
    section.text.push(format!(
        "Estimated number of wrong labels: {:.1} of {} ({} %). Listed: {} of {} suspicious rows, the most suspicious first.",
        noise.estimated,
        rows.len(),
        percent(noise.estimated / rows.len().max(1) as f64),
        noise.suspects.len().min(SUSPECTS),
        noise.suspects.len()
    ));
    let mut joint = table("label-noise", "Estimated rows by label and true grade", &["label"]);
    joint.header.extend(Grade::ALL.map(|grade| format!("truly {grade}")));
    joint.rows = Grade::ALL
        .into_iter()
        .map(|grade| {
            let counts =
                noise.joint[grade.index()].map(|count| Entry::number(format!("{count:.0}")));
            [Entry::word(grade.as_str())].into_iter().chain(counts).collect()
        })
        .collect();
    section.tables.push(joint);
    if !noise.suspects.is_empty() {
        section.tables.push(row_table(
            "suspicious-labels",
            noise.suspects.iter().take(SUSPECTS),
            rows,
        ));
    }
    section
}

fn mistakes(analysis: &ErrorAnalysis, rows: &[ErrorRow<'_>]) -> Section {
    let mut section = Section::new("mistakes", "The most confident mistakes", &[]);
    section.text.push(match analysis.wrong {
        0 => "The model is right about every row.".to_owned(),
        wrong => format!(
            "{} of {wrong} wrong answers, by the probability of the grade that the model gave.",
            analysis.mistakes.len()
        ),
    });
    if analysis.wrong > 0 {
        section.tables.push(row_table("confident-mistakes", analysis.mistakes.iter(), rows));
    }
    section
}

fn row_table<'a>(
    id: &str,
    places: impl Iterator<Item = &'a usize>,
    rows: &[ErrorRow<'_>],
) -> Table {
    let mut table = table(id, "", &["label", "predicted", "probability %", "left", "right", "row"]);
    table.rows = places
        .filter_map(|&place| rows.get(place))
        .map(|row| {
            let ErrorRow { example, prediction, origin } = row;
            let Pair { task, left, right } = &example.pair;
            let mut probability = Entry::number(percent(f64::from(prediction.confidence())));
            probability.detail =
                format!("label {}", percent(f64::from(prediction.probs[example.grade.index()])));
            let mut place = Entry::word(*origin);
            place.detail = task.to_string();
            vec![
                Entry::word(example.grade.as_str()),
                Entry::word(prediction.grade().as_str()),
                probability,
                side(left),
                side(right),
                place,
            ]
        })
        .collect();
    table
}

/// A side as its text, and below it what else a product has.
fn side(entity: &Entity) -> Entry {
    let mut entry = Entry::word(beginning(entity.text()));
    if let Entity::Product(product) = entity {
        let attributes = product.attributes.iter().map(|(name, value)| format!("{name}: {value}"));
        let parts = product.brand.iter().cloned().chain([product.type_path.join(" › ")]);
        let parts = parts.chain(attributes).chain(product.description.iter().cloned());
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        entry.detail = beginning(&parts.join(" · "));
    }
    entry
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn slices(features: &[(String, Vec<Slice>)]) -> Section {
    let mut section = Section::new(
        "slices",
        "Slices",
        &[
            "Accuracy by properties of rows: lengths are in quarters of the rows; word overlap is that of the shorter text; columns that the data has beside those of Sextant are cut the same way, where they have few values or are numbers.",
        ],
    );
    for (name, slices) in features {
        let mut table = table(
            &format!("slices-{name}").replace(' ', "-"),
            name,
            &["value", "rows", "accuracy %", "difference to the rest", "mean absolute error"],
        );
        table.rows = slices
            .iter()
            .map(|slice| {
                let mut row = of_slice(slice);
                row[0] = Entry::word(slice.conditions.first().map_or("", |(_, value)| value));
                row
            })
            .collect();
        section.tables.push(table);
    }
    section
}

fn table(id: &str, caption: &str, header: &[&str]) -> Table {
    let header = header.iter().map(|&text| text.to_owned()).collect();
    Table { id: id.to_owned(), caption: caption.to_owned(), header, ..Table::default() }
}
