//! A model or an ensemble, whichever a folder holds, behind one interface.

use crate::members::{Members, OpenMember};
use crate::threads::Crew;
use crate::{Cascade, ScorerRow, Threads, Voted};
use sextant_core::{Pair, PairRef, Prediction, Task};
use sextant_kernels::ScorePrecision;
use sextant_model::{Device, ModelError, NonFinite, SharedBases};
use sextant_text::{EncodedRow, TextError};
use std::ops::{ControlFlow, Range};
use std::path::Path;

/// An opened bundle or ensemble, which answers pairs.
///
/// ```no_run
/// use sextant_core::{PairRef, Task};
/// use sextant_infer::{Scorer, Threads};
/// use sextant_kernels::ScorePrecision;
/// use sextant_model::Device;
/// use std::ops::ControlFlow;
/// use std::path::Path;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let scorer = Scorer::open(Path::new("runs/mine/bundle"), &Device::cpu(), ScorePrecision::Int8)?
///     .with_threads(Threads::Caller)?;
/// scorer.warm_up()?;
///
/// let pairs = [
///     PairRef::new(Task::QueryType, "red sofa", "Sofas & Couches"),
///     PairRef::new(Task::QueryType, "red sofa", ""), // has no text: an error for this row alone
/// ];
/// let rows: Vec<_> = scorer.encode_each(&pairs).into_iter().flatten().collect();
/// let tokens: usize = rows.iter().map(|row| row.tokens()).sum();
/// println!("{} rows of {tokens} tokens", rows.len());
/// for answer in scorer.answer(&rows, |_| ControlFlow::Continue(()))? {
///     match answer {
///         Ok(prediction) => println!("{} {:.3}", prediction.grade(), prediction.score()),
///         Err(fault) => println!("{fault}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Scorer {
    members: Members,
    crew: Crew,
}

/// The answers of one model to its rows.
type Answers = Vec<Result<Prediction, NonFinite>>;

/// The answers of models to a row, each beside the model's index.
type Votes = Vec<(usize, Prediction)>;

impl Scorer {
    /// Opens the bundle or the ensemble in a folder. The scorer computes on the threads of the process.
    ///
    /// # Errors
    /// The folder is neither, or its files have been changed since it was written.
    pub fn open(
        folder: &Path,
        device: &Device,
        precision: ScorePrecision,
    ) -> Result<Self, ModelError> {
        Self::open_sharing(folder, device, precision, &mut SharedBases::default())
    }

    /// Like [`Scorer::open`], but shares frozen bases with other scorers that were opened with the same
    /// `bases`. A model over a base that such a scorer still holds uses that base, and needs memory only for
    /// its adapters. `bases` itself does not keep a base in memory. (The members of one ensemble share their
    /// bases in any case.)
    pub fn open_sharing(
        folder: &Path,
        device: &Device,
        precision: ScorePrecision,
        bases: &mut SharedBases,
    ) -> Result<Self, ModelError> {
        let members = Members::open(folder, device, precision, bases)?;
        Ok(Self { members, crew: Crew::Process })
    }

    /// The same scorer, which from now on computes on other threads.
    ///
    /// # Errors
    /// The threads of a pool cannot be started.
    pub fn with_threads(self, threads: Threads) -> Result<Self, ModelError> {
        Ok(Self { crew: Crew::new(threads)?, ..self })
    }

    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    pub(crate) fn crew(&self) -> &Crew {
        &self.crew
    }

    /// The tasks that the scorer answers, in the order of [`Task::ALL`].
    pub fn tasks(&self) -> Vec<Task> {
        let answered = |&task: &Task| self.members.asked(task).next().is_some();
        Task::ALL.into_iter().filter(answered).collect()
    }

    /// Encodes a pair, on the calling thread.
    ///
    /// # Errors
    /// The scorer does not answer the task, or a text has no token.
    pub fn encode<'a>(&self, pair: impl Into<PairRef<'a>>) -> Result<ScorerRow, ModelError> {
        let pair = pair.into();
        Ok(ScorerRow { task: pair.task, rows: self.members.encode(pair)? })
    }

    /// Encodes pairs in parallel and returns the results in the order of the pairs. A pair that cannot be
    /// encoded gives the error of [`Scorer::encode`], and does not affect the other pairs.
    pub fn encode_each(&self, pairs: &[PairRef<'_>]) -> Vec<Result<ScorerRow, ModelError>> {
        self.crew.map(pairs, |&pair| self.encode(pair))
    }

    /// Computes the answers of rows that this scorer encoded, in the order of the rows. Each row gets a
    /// prediction, or the reason why there is none: one of the models that answer it gave NaN or infinity. No
    /// voting rule hides that.
    ///
    /// Rows are packed by length, about 4096 tokens each time. After each pack, `observer` is called with
    /// the number of rows in it (in an ensemble, the number of rows that one member has answered), and may
    /// break. It is also called with 0 from time to time.
    ///
    /// # Errors
    /// [`ModelError::Stopped`] if `observer` breaks.
    pub fn answer(
        &self,
        rows: &[ScorerRow],
        observer: impl FnMut(usize) -> ControlFlow<()> + Send,
    ) -> Result<Vec<Result<Prediction, NonFinite>>, ModelError> {
        let answers = self.answer_with_votes(rows, observer)?;
        Ok(answers.into_iter().map(|answer| Ok(answer?.prediction)).collect())
    }

    /// Like [`Scorer::answer`], but tells what each model answered, too.
    pub fn answer_with_votes(
        &self,
        rows: &[ScorerRow],
        mut observer: impl FnMut(usize) -> ControlFlow<()> + Send,
    ) -> Result<Vec<Result<Voted, NonFinite>>, ModelError> {
        self.crew.run(|| {
            self.gather(rows, |member, rows| member.predictor.answer_rows(rows, &mut observer))
        })
    }

    /// Computes the predictions of encoded rows, in their order.
    ///
    /// # Errors
    /// [`ModelError::NonFinite`] with the index of a row whose answer is NaN or infinite.
    pub fn predict_rows(&self, rows: &[ScorerRow]) -> Result<Vec<Prediction>, ModelError> {
        let answers = self.crew.run(|| {
            self.gather(rows, |member, rows| {
                Ok(member.predictor.predict_rows(rows)?.into_iter().map(Ok).collect())
            })
        })?;
        let named = answers.into_iter().enumerate();
        named
            .map(|(row, answer)| match answer {
                Ok(voted) => Ok(voted.prediction),
                Err(fault) => Err(ModelError::NonFinite { row, fault }),
            })
            .collect()
    }

    /// Encodes pairs and computes their predictions, in their order.
    ///
    /// # Errors
    /// The error of the first pair that cannot be encoded, or [`ModelError::NonFinite`] as for
    /// [`Scorer::predict_rows`].
    pub fn predict(&self, pairs: &[Pair]) -> Result<Vec<Prediction>, ModelError> {
        self.predict_rows(&self.encode_all(pairs)?)
    }

    /// Like [`Scorer::predict`], but can be stopped: `observer` is called as by [`Scorer::answer`].
    ///
    /// # Errors
    /// Those of [`Scorer::predict`], and [`ModelError::Stopped`] if `observer` breaks.
    pub fn predict_while(
        &self,
        pairs: &[Pair],
        observer: impl FnMut(usize) -> ControlFlow<()> + Send,
    ) -> Result<Vec<Prediction>, ModelError> {
        let answers = self.answer(&self.encode_all(pairs)?, observer)?.into_iter().enumerate();
        let named = |fault, row| ModelError::NonFinite { row, fault };
        answers.map(|(row, answer)| answer.map_err(|fault| named(fault, row))).collect()
    }

    /// Encodes pairs, or gives the error of the first that cannot be encoded.
    fn encode_all(&self, pairs: &[Pair]) -> Result<Vec<ScorerRow>, ModelError> {
        let encoded = self.crew.map(pairs, |pair| self.encode(pair)).into_iter().enumerate();
        let named = encoded.map(|(row, encoded)| {
            encoded.map_err(|error| match error {
                ModelError::Text(source) => TextError::Row { row, source: Box::new(source) }.into(),
                other => other,
            })
        });
        named.collect()
    }

    /// Combines the answers of the members to rows. `ask` is called with a member and the rows that it answers,
    /// and returns the member's answers in the order of these rows.
    fn gather(
        &self,
        rows: &[ScorerRow],
        mut ask: impl FnMut(&OpenMember, &[&EncodedRow]) -> Result<Answers, ModelError>,
    ) -> Result<Vec<Result<Voted, NonFinite>>, ModelError> {
        let mut voted = vec![Ok(Voted::default()); rows.len()];
        let everyone = 0..self.members.list.len();
        let first_stage = self.members.cascade.as_ref().map(|cascade| cascade.first_stage);
        let (first, second) = match first_stage {
            Some(first) => (0..first, first..everyone.end),
            None => (everyone.clone(), everyone.end..everyone.end),
        };
        for stage in [first, second] {
            let asked = |(row, so_far): (&ScorerRow, &Result<Voted, NonFinite>)| {
                so_far.as_ref().is_ok_and(|so_far| self.passes_on(row.task, so_far))
            };
            let asked: Vec<bool> = rows.iter().zip(&voted).map(asked).collect();
            let answers = self.stage(rows, &asked, stage, &mut ask)?;
            for ((row, so_far), answers) in rows.iter().zip(&mut voted).zip(answers) {
                match (answers, so_far) {
                    (Ok(votes), Ok(so_far)) if !votes.is_empty() => {
                        so_far.prediction = self.members.combine(row.task, &votes);
                        so_far.votes.extend(votes);
                    }
                    // No rule may hide the fault: otherwise a majority would outvote a member that answers NaN.
                    (Err(fault), so_far) => *so_far = Err(fault),
                    _ => {}
                }
            }
        }
        Ok(voted)
    }

    /// Whether a row is asked about in the next stage: nobody has answered it, or the first stage of a cascade
    /// was not sure.
    fn passes_on(&self, task: Task, so_far: &Voted) -> bool {
        let unsure = |cascade: &Cascade| cascade.passes_on(task, &so_far.prediction);
        so_far.votes.is_empty() || self.members.cascade.as_ref().is_some_and(unsure)
    }

    /// For each row that is `asked`, the answers of those members of a stage that answer its task, in the order
    /// of the members; none for the other rows.
    fn stage(
        &self,
        rows: &[ScorerRow],
        asked: &[bool],
        stage: Range<usize>,
        ask: &mut impl FnMut(&OpenMember, &[&EncodedRow]) -> Result<Answers, ModelError>,
    ) -> Result<Vec<Result<Votes, NonFinite>>, ModelError> {
        let mut answers = vec![Ok(Votes::new()); rows.len()];
        for number in stage {
            let member = &self.members.list[number];
            let (mut indices, mut of_member) = (Vec::new(), Vec::new());
            for (index, row) in rows.iter().enumerate().filter(|&(index, _)| asked[index]) {
                let mine = row.rows.iter().find(|(asked, _)| *asked == number);
                if let Some((_, encoded)) = mine {
                    indices.push(index);
                    of_member.push(encoded);
                }
            }
            let found = ask(member, &of_member).map_err(|error| {
                match error.with_row(|row| indices[row]) {
                    ModelError::NonFinite { row, fault } => {
                        ModelError::NonFinite { row, fault: member.sign(fault) }
                    }
                    other => other,
                }
            })?;
            for (&index, answer) in indices.iter().zip(found) {
                match (answer, &mut answers[index]) {
                    (Ok(prediction), Ok(known)) => known.push((number, prediction)),
                    (Err(fault), known @ Ok(_)) => *known = Err(member.sign(fault)),
                    (_, Err(_)) => {}
                }
            }
        }
        Ok(answers)
    }
}
