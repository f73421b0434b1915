//! Whether a metric can be computed on labelled rows at all. That depends on their grades and groups
//! alone, not on any answer.

use crate::sample::{POOLED, Sample};
use crate::{Metric, Scored};
use sextant_core::{Grade, Task};

/// Why a metric has no value, or says nothing, on rows of these grades and groups, whatever a model
/// answers; `None` where it can tell models apart. Predictions play no part.
///
/// NDCG needs a list to rank in some task. Kappa needs two grades in every task: on rows of one grade it
/// is undefined where every answer is right and 0 otherwise, so that a mean over tasks would be over
/// different tasks from one evaluation to the next.
pub fn undefined_on(metric: Metric, rows: &[Scored<'_>]) -> Option<String> {
    match metric {
        Metric::NdcgAt10 => no_list(rows),
        Metric::QuadraticKappa | Metric::CohenKappa => Task::ALL.into_iter().find_map(|task| {
            let mut grades = rows.iter().filter(|row| row.task == task).map(|row| row.grade);
            let first = grades.next()?;
            grades.all(|grade| grade == first).then(|| {
                format!(
                    "all rows of `{task}` are `{first}`, and kappa compares rows of at least two grades"
                )
            })
        }),
        Metric::Accuracy
        | Metric::MacroF1
        | Metric::Mae
        | Metric::Rmse
        | Metric::LogLoss
        | Metric::Brier
        | Metric::Ece => None,
    }
}

/// Why no group of rows can be ranked.
fn no_list(rows: &[Scored<'_>]) -> Option<String> {
    if Sample::new(rows, true).sizes()[POOLED].ranked_lists > 0 {
        return None;
    }
    let why = if rows.iter().all(|row| row.group.is_none()) {
        "no row says its `group`, and it ranks the rows of a group".to_owned()
    } else {
        format!(
            "no `group` has two rows of a task of which one is better than `{}`, and it ranks the rows of a group",
            Grade::Irrelevant
        )
    };
    Some(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_core::Prediction;

    fn row(task: Task, grade: Grade, group: Option<&str>) -> Scored<'_> {
        let prediction = Prediction::new([1.0, 0.0, 0.0]);
        Scored { group, ..Scored::new(task, grade, prediction) }
    }

    #[test]
    fn ranking_needs_groups_with_something_to_find() {
        let of = |groups: [Option<&'static str>; 2], grade| {
            let [first, second] = groups;
            let task = Task::QueryProduct;
            let rows = [row(task, Grade::Irrelevant, first), row(task, grade, second)];
            undefined_on(Metric::NdcgAt10, &rows)
        };
        assert_eq!(of([Some("a"), Some("a")], Grade::Partial), None);
        assert!(of([None, None], Grade::Relevant).unwrap().contains("no row says its `group`"));
        for (groups, grade) in [
            ([Some("a"), Some("b")], Grade::Relevant),
            ([Some("a"), None], Grade::Relevant),
            ([Some("a"), Some("a")], Grade::Irrelevant),
        ] {
            assert!(of(groups, grade).unwrap().contains("two rows"), "{groups:?}");
        }
    }

    #[test]
    fn kappa_needs_two_grades_in_every_task() {
        let mut rows = vec![
            row(Task::QueryType, Grade::Partial, None),
            row(Task::QueryType, Grade::Relevant, None),
            row(Task::TypeType, Grade::Relevant, None),
            row(Task::TypeType, Grade::Relevant, None),
        ];
        for metric in [Metric::QuadraticKappa, Metric::CohenKappa] {
            let why = undefined_on(metric, &rows).unwrap();
            assert!(why.contains("`type-type`") && why.contains("`relevant`"), "{why}");
        }
        assert_eq!(undefined_on(Metric::Accuracy, &rows), None);
        rows.push(row(Task::TypeType, Grade::Irrelevant, None));
        assert_eq!(undefined_on(Metric::QuadraticKappa, &rows), None);
        // Kappa then has a value whatever is answered, also where all answers are one grade.
        let report = crate::evaluate(&rows, &crate::EvalOptions::quick()).unwrap();
        assert!(report.macro_value(Metric::QuadraticKappa).is_some());
    }
}
