//! The rows of a run that learn from a teacher, and what it says of them.

use crate::choose::Choice;
use crate::teacher::Teacher;
use crate::{ExampleSource, TargetOfTeacher, TeacherRecipe, TrainError};
use sextant_core::{Pair, Split};

/// The number of pairs about which a teacher is asked at a time. Only the texts of so many are held.
const BATCH: usize = 4096;

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
