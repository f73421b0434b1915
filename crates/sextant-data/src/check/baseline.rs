//! Baselines that understand no text: always answering one grade, and counting shared words.

use serde::Serialize;
use sextant_core::{Example, Grade};

/// The accuracy on the test rows of two rules fitted on the training rows of one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Baselines {
    /// The grade that most training rows have; of equally frequent ones, the lower.
    pub majority_grade: Grade,
    /// The accuracy of always answering the majority grade.
    pub majority_accuracy: f64,
    /// The overlap measure with the higher accuracy on the training rows.
    pub overlap_measure: OverlapMeasure,
    /// From the first threshold on, the overlap rule answers grade 1; from the second on, grade 2. A
    /// threshold above 1 is never reached.
    pub overlap_thresholds: [f64; 2],
    /// The accuracy of the overlap rule on the training rows. No other thresholds have a higher one.
    pub overlap_train_accuracy: f64,
    /// The accuracy of the overlap rule on the test rows.
    pub overlap_accuracy: f64,
}

/// How the overlap of the words of two texts is measured, as a number in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OverlapMeasure {
    /// The number of shared words, divided by the number of distinct words of both texts.
    Jaccard,
    /// The number of shared words, divided by the number of distinct words of the text that has fewer.
    Containment,
}

impl OverlapMeasure {
    /// Both measures; if they are equally good, the first is taken.
    pub const ALL: [Self; 2] = [Self::Jaccard, Self::Containment];

    /// The overlap of two sorted lists of distinct words.
    fn of(self, left: &[String], right: &[String]) -> f64 {
        let shared = left.iter().filter(|word| right.binary_search(word).is_ok()).count();
        let whole = match self {
            Self::Jaccard => left.len() + right.len() - shared,
            Self::Containment => left.len().min(right.len()),
        };
        if whole == 0 { 0.0 } else { shared as f64 / whole as f64 }
    }
}

impl Baselines {
    /// Fits both rules; `None` if there are no training rows or no test rows.
    pub(super) fn fit(train: &[&Example], test: &[&Example]) -> Option<Self> {
        if train.is_empty() || test.is_empty() {
            return None;
        }
        let mut counts = [0_usize; Grade::COUNT];
        for example in train {
            counts[example.grade.index()] += 1;
        }
        let most = counts.iter().max();
        let majority_grade =
            Grade::ALL.into_iter().find(|grade| Some(&counts[grade.index()]) == most)?;

        let (train_words, test_words) = (words_of(train), words_of(test));
        let fitted = OverlapMeasure::ALL.map(|measure| {
            let rule = OverlapRule::fit(measure, &train_words);
            (rule.accuracy(&train_words), rule)
        });
        let [jaccard, containment] = fitted;
        let (overlap_train_accuracy, rule) =
            if containment.0 > jaccard.0 { containment } else { jaccard };
        let hits = test.iter().filter(|example| example.grade == majority_grade).count();
        Some(Self {
            majority_grade,
            majority_accuracy: hits as f64 / test.len() as f64,
            overlap_measure: rule.measure,
            overlap_thresholds: rule.thresholds,
            overlap_train_accuracy,
            overlap_accuracy: rule.accuracy(&test_words),
        })
    }
}

/// The distinct words of the left and of the right side of a row, and its grade.
type Words = (Vec<String>, Vec<String>, Grade);

fn words_of(examples: &[&Example]) -> Vec<Words> {
    let words = |example: &&Example| {
        (words(example.pair.left.text()), words(example.pair.right.text()), example.grade)
    };
    examples.iter().map(words).collect()
}

/// The distinct words of a text, sorted. A word is a run of letters and digits, in lower case.
fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let runs = text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty());
    let mut words: Vec<_> = runs.map(str::to_owned).collect();
    words.sort_unstable();
    words.dedup();
    words
}

#[derive(Debug, Clone, Copy)]
struct OverlapRule {
    measure: OverlapMeasure,
    thresholds: [f64; 2],
}

impl OverlapRule {
    /// Finds in one pass the pair of thresholds that gives the most correct answers.
    ///
    /// The rows are sorted by overlap and cut before positions i ≤ j. Then
    /// `zeros[..i] + ones[i..j] + twos[j..]` answers are correct, where `zeros`, `ones` and `twos` are the
    /// numbers of rows of each grade in a range. For each j, the best i is the one up to j with the largest
    /// `zeros[..i] - ones[..i]`.
    fn fit(measure: OverlapMeasure, rows: &[Words]) -> Self {
        let mut scored: Vec<(f64, Grade)> =
            rows.iter().map(|(left, right, grade)| (measure.of(left, right), *grade)).collect();
        scored.sort_by(|a, b| a.0.total_cmp(&b.0));

        let mut before = [0_i64; Grade::COUNT];
        let (mut lead, mut low) = (0, 0);
        let (mut best, mut cuts) = (i64::MIN, [0, 0]);
        for position in 0..=scored.len() {
            // A threshold cannot separate equal overlaps, so cuts are only where the value changes.
            let cuttable = position == 0
                || position == scored.len()
                || scored[position - 1].0 < scored[position].0;
            if cuttable {
                let [zeros, ones, twos] = before;
                if zeros - ones > lead {
                    (lead, low) = (zeros - ones, position);
                }
                // The number of twos after the cut is the number of all twos, which is the same for all cuts
                // and is left out here, minus the twos before the cut.
                let right = lead + ones - twos;
                if right > best {
                    (best, cuts) = (right, [low, position]);
                }
            }
            if let Some((_, grade)) = scored.get(position) {
                before[grade.index()] += 1;
            }
        }
        let thresholds = cuts.map(|cut| match (cut, scored.get(cut)) {
            (0, _) => 0.0,
            (_, None) => 2.0,
            (cut, Some(next)) => f64::midpoint(scored[cut - 1].0, next.0),
        });
        Self { measure, thresholds }
    }

    fn answer(&self, overlap: f64) -> Grade {
        let [partial, relevant] = self.thresholds;
        if overlap >= relevant {
            Grade::Relevant
        } else if overlap >= partial {
            Grade::Partial
        } else {
            Grade::Irrelevant
        }
    }

    fn accuracy(&self, rows: &[Words]) -> f64 {
        let right =
            |(left, right, grade): &&Words| self.answer(self.measure.of(left, right)) == *grade;
        rows.iter().filter(right).count() as f64 / rows.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sextant_core::Task;

    fn example(left: &str, right: &str, grade: Grade) -> Example {
        Example::new(Task::QueryProduct, left, right, grade)
    }

    #[test]
    fn overlap_measures_by_hand() {
        let (left, right) = (words("Red red DRILL"), words("drill, 18-V (blue)"));
        assert_eq!(left, ["drill", "red"]);
        assert_eq!(OverlapMeasure::Jaccard.of(&left, &right), 1.0 / 5.0);
        assert_eq!(OverlapMeasure::Containment.of(&left, &right), 1.0 / 2.0);
        assert_eq!(OverlapMeasure::Jaccard.of(&words("--"), &words("?")), 0.0);
    }

    #[test]
    fn baselines_by_hand() {
        use Grade::{Irrelevant, Partial, Relevant};
        let train = [
            example("a b", "a b", Relevant),
            example("c d", "c d", Relevant),
            example("a b", "a x", Partial),
            example("a b", "x y", Irrelevant),
        ];
        let test = [
            example("m n", "m n", Relevant),
            example("m n", "m o", Partial),
            example("m n", "o p", Irrelevant),
            example("m n", "o p", Relevant), // No rule that counts words can answer this row correctly.
        ];
        let baselines =
            Baselines::fit(&train.iter().collect::<Vec<_>>(), &test.iter().collect::<Vec<_>>())
                .unwrap();
        assert_eq!(baselines.majority_grade, Relevant);
        assert_eq!(baselines.majority_accuracy, 0.5);
        assert_eq!(baselines.overlap_train_accuracy, 1.0);
        assert_eq!(baselines.overlap_accuracy, 0.75);
        // The Jaccard overlaps are 0, 1/3 and 1, and each threshold is halfway between two of them.
        assert_eq!(baselines.overlap_measure, OverlapMeasure::Jaccard);
        assert_eq!(baselines.overlap_thresholds, [1.0 / 6.0, 2.0 / 3.0]);
        assert!(Baselines::fit(&[], &[&test[0]]).is_none());
        assert!(Baselines::fit(&[&train[0]], &[]).is_none());
    }

    #[test]
    fn ties_of_the_majority_take_the_lower_grade() {
        let rows = [example("a", "a", Grade::Relevant), example("a", "b", Grade::Partial)];
        let rows: Vec<_> = rows.iter().collect();
        assert_eq!(Baselines::fit(&rows, &rows).unwrap().majority_grade, Grade::Partial);
    }

    proptest! {
        /// The one-pass fit is as good as trying every pair of cuts.
        #[test]
        fn thresholds_are_the_best_possible(
            rows in prop::collection::vec((0_usize..5, 0_usize..5, 0_usize..3), 1..40)
        ) {
            let text = |count: usize| ["a", "b", "c", "d"][..count].join(" ");
            let rows: Vec<Words> = rows
                .into_iter()
                .map(|(left, right, grade)| {
                    (words(&text(left)), words(&text(right)), Grade::from_index(grade).unwrap())
                })
                .collect();
            for measure in OverlapMeasure::ALL {
                let fitted = OverlapRule::fit(measure, &rows).accuracy(&rows);
                let mut cuts: Vec<f64> = rows.iter().map(|row| measure.of(&row.0, &row.1)).collect();
                cuts.extend([0.0, 2.0]);
                let mut best = 0.0_f64;
                for &low in &cuts {
                    for &high in cuts.iter().filter(|high| **high >= low) {
                        let rule = OverlapRule { measure, thresholds: [low, high] };
                        best = best.max(rule.accuracy(&rows));
                    }
                }
                prop_assert_eq!(fitted, best);
            }
        }
    }
}
