//! The rows of a run that learn from a teacher, and what it says of them.

use crate::choose::Choice;
use crate::rows::RowsBuilder;
use crate::source::SourceRow;
use crate::teacher::Teacher;
use crate::{ExampleSource, Plan, TargetOfTeacher, TeacherRecipe, TrainError};
use sextant_core::{Grade, Pair, Split};
use sextant_data::{DataFiles, Labels, ReadOptions, RowOrigin, RowReader};
use std::borrow::Cow;

/// The number of pairs about which a teacher is asked at a time. Only the texts of so many are held.
const BATCH: usize = 4096;

/// Adds the pairs of `teacher.unlabelled` of the plan's tasks to the training rows, and returns them; their grades
/// do not count.
pub(crate) fn unlabelled(
    plan: &Plan,
    train: &mut RowsBuilder<'_>,
) -> Result<Vec<Pair>, TrainError> {
    let wanted = plan.recipe.teacher.as_ref().and_then(|teacher| teacher.unlabelled.as_ref());
    let Some(path) = wanted else { return Ok(Vec::new()) };
    let options = ReadOptions { labels: Labels::Optional, ..plan.recipe.data.read_options() };
    let mut pairs = Vec::new();
    for (_, path) in DataFiles::find(path)?.parts {
        let reader = RowReader::open(&path, &options)?;
        let file = train.add_file(format!("{} {}", path.display(), reader.unit()));
        for row in reader {
            let row = row?;
            if !plan.spec.tasks.contains(&row.pair.task) {
                continue;
            }
            pairs.push(row.pair.clone());
            let origin = RowOrigin::new(file, row.line);
            let example = Cow::Owned(row.with_grade(Grade::Irrelevant));
            train.push(SourceRow { split: Split::Train, origin, example })?;
        }
    }
    Ok(pairs)
}

/// What the teacher says of each training row, followed by what it says of the `unlabelled` pairs.
///
/// # Errors
/// The teacher does not answer an unlabelled pair, so that nothing can be learned from it, or no row at all.
pub(crate) fn taught(
    recipe: &TeacherRecipe,
    source: &dyn ExampleSource,
    choice: &Choice,
    unlabelled: Vec<Pair>,
) -> Result<Vec<Option<TargetOfTeacher>>, TrainError> {
    let mut asking =
        Asking { recipe, teacher: Teacher::open(recipe)?, waiting: Vec::new(), said: Vec::new() };
    choice.visit(source, &[Split::Train], &mut |row| asking.push(row.example.pair.clone()))?;
    asking.flush()?;
    let graded = asking.said.len();
    unlabelled.into_iter().try_for_each(|pair| asking.push(pair))?;
    asking.flush()?;
    asking.teacher.save()?;
    let mut said = asking.said;
    for (row, target) in said.iter_mut().enumerate().skip(graded) {
        match target {
            Some(target) => target.share = 1.0,
            None => {
                return Err(TrainError::Plan(vec![format!(
                    "teacher.unlabelled: no teacher answers pair {}, so that nothing can be learned from it; leave it out, or name a teacher of its task",
                    row - graded + 1
                )]));
            }
        }
    }
    if said.iter().all(Option::is_none) {
        return Err(TrainError::Plan(vec![
            "teacher.sources: no teacher answers any training row; are its rows those of this data set, letter by letter?".into(),
        ]));
    }
    Ok(said)
}

/// Pairs on their way to the teacher.
struct Asking<'a> {
    recipe: &'a TeacherRecipe,
    teacher: Teacher,
    waiting: Vec<Pair>,
    said: Vec<Option<TargetOfTeacher>>,
}

impl Asking<'_> {
    fn push(&mut self, pair: Pair) -> Result<(), TrainError> {
        self.waiting.push(pair);
        if self.waiting.len() == BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), TrainError> {
        let answers = self.teacher.answers(&self.waiting)?;
        for (pair, answer) in self.waiting.drain(..).zip(answers) {
            let share = self.recipe.share(pair.task);
            self.said.push(answer.map(|probs| TargetOfTeacher { probs, share }));
        }
        Ok(())
    }
}
