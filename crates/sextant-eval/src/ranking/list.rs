//! One query's documents in their order, and what each measure makes of them.

use super::measure::{Gain, RankingMeasure};
use std::collections::BTreeMap;

/// The documents of one query, best first, as their grades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedList {
    /// The grade of each document; `None` where nobody judged it.
    grades: Vec<Option<i64>>,
    /// The grades of all judged documents, highest first.
    judged: Vec<i64>,
}

impl RankedList {
    /// Orders the documents of a run by their scores.
    pub fn new(judged: &BTreeMap<String, i64>, scores: &BTreeMap<String, f64>) -> Self {
        // trec_eval keeps scores in 32 bits.
        let mut order: Vec<(f32, &str)> =
            scores.iter().map(|(document, &score)| (score as f32, document.as_str())).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.cmp(a.1)));
        let grades = order.into_iter().map(|(_, document)| judged.get(document).copied());
        let mut all: Vec<i64> = judged.values().copied().collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        Self { grades: grades.collect(), judged: all }
    }

    /// The value of a measure. Grades above the highest one of ERR count as that one;
    /// [`evaluate_run`](crate::evaluate_run) refuses them.
    pub fn value(&self, measure: RankingMeasure) -> f64 {
        match measure {
            RankingMeasure::Ndcg { cutoff, gain } => self.ndcg(cutoff, gain),
            RankingMeasure::ReciprocalRank { cutoff, rel } => {
                let first = self.relevant(cutoff, rel).position(|relevant| relevant);
                first.map_or(0.0, |position| 1.0 / (position + 1) as f64)
            }
            RankingMeasure::AveragePrecision { cutoff, rel } => {
                let (mut found, mut sum) = (0.0, 0.0);
                for (position, relevant) in self.relevant(cutoff, rel).enumerate() {
                    if relevant {
                        found += 1.0;
                        sum += found / (position + 1) as f64;
                    }
                }
                ratio(sum, self.all_relevant(rel))
            }
            RankingMeasure::RankBiasedPrecision { cutoff, rel, persistence } => {
                let mut looks = 1.0 - persistence;
                let mut sum = 0.0;
                for relevant in self.relevant(cutoff, rel) {
                    sum += if relevant { looks } else { 0.0 };
                    looks *= persistence;
                }
                sum
            }
            RankingMeasure::ExpectedReciprocalRank { cutoff, max } => {
                let (mut left, mut sum) = (1.0, 0.0);
                for (position, grade) in self.top(cutoff).enumerate() {
                    let satisfied = exponential(grade.min(i64::from(max))) / f64::from(max).exp2();
                    sum += left * satisfied / (position + 1) as f64;
                    left *= 1.0 - satisfied;
                }
                sum
            }
            RankingMeasure::Precision { cutoff, rel } => {
                self.relevant(Some(cutoff), rel).filter(|&relevant| relevant).count() as f64
                    / cutoff as f64
            }
            RankingMeasure::Recall { cutoff, rel } => {
                let found = self.relevant(Some(cutoff), rel).filter(|&relevant| relevant).count();
                ratio(found as f64, self.all_relevant(rel))
            }
            RankingMeasure::Judged { cutoff } => {
                let top = &self.grades[..cutoff.min(self.grades.len())];
                ratio(top.iter().flatten().count() as f64, top.len() as f64)
            }
        }
    }

    /// The grades of the first documents; unjudged ones, and grades below 0 (spam), are 0.
    fn top(&self, cutoff: Option<usize>) -> impl Iterator<Item = i64> {
        let count = cutoff.unwrap_or(usize::MAX).min(self.grades.len());
        self.grades[..count].iter().map(|grade| grade.unwrap_or(0).max(0))
    }

    fn relevant(&self, cutoff: Option<usize>, rel: i64) -> impl Iterator<Item = bool> {
        let count = cutoff.unwrap_or(usize::MAX).min(self.grades.len());
        self.grades[..count].iter().map(move |grade| grade.is_some_and(|grade| grade >= rel))
    }

    fn all_relevant(&self, rel: i64) -> f64 {
        self.judged.iter().filter(|&&grade| grade >= rel).count() as f64
    }

    fn ndcg(&self, cutoff: Option<usize>, gain: Gain) -> f64 {
        let worth = |grade: i64| match gain {
            Gain::Linear => grade as f64,
            Gain::Exponential => exponential(grade),
        };
        let discounted =
            |(position, grade): (usize, i64)| worth(grade) / ((position + 2) as f64).log2();
        let ideal = self.judged.iter().map(|&grade| grade.max(0));
        let best: f64 = ideal.take(cutoff.unwrap_or(usize::MAX)).enumerate().map(discounted).sum();
        ratio(self.top(cutoff).enumerate().map(discounted).sum(), best)
    }
}

/// `2^grade - 1`.
fn exponential(grade: i64) -> f64 {
    (grade as f64).exp2() - 1.0
}

/// A ratio that is 0 where there is nothing to find.
fn ratio(found: f64, all: f64) -> f64 {
    if all > 0.0 { found / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(scores: &[(&str, f64)], judged: &[(&str, i64)]) -> RankedList {
        let of = |(name, value): &(&str, f64)| ((*name).to_owned(), *value);
        let judged = judged.iter().map(|(name, grade)| ((*name).to_owned(), *grade)).collect();
        RankedList::new(&judged, &scores.iter().map(of).collect())
    }

    fn value(list: &RankedList, measure: &str) -> f64 {
        list.value(measure.parse().unwrap())
    }

    #[test]
    fn a_hand_worked_list() {
        let list = list(
            &[("a", 3.0), ("b", 2.0), ("c", 1.0), ("d", 0.5)],
            &[("a", 0), ("b", 2), ("d", 1), ("e", 1)],
        );
        let second = 1.0 / 3_f64.log2();
        let ideal = 2.0 + second + 0.5;
        assert!((value(&list, "nDCG") - (2.0 * second + 1.0 / 5_f64.log2()) / ideal).abs() < 1e-12);
        assert_eq!(value(&list, "RR"), 0.5);
        assert_eq!(value(&list, "RR(rel=3)"), 0.0);
        assert!((value(&list, "AP") - (1.0 / 2.0 + 2.0 / 4.0) / 3.0).abs() < 1e-12);
        assert!((value(&list, "RBP(p=0.5)") - (0.25 + 0.0625)).abs() < 1e-12);
        let (b, d) = (3.0 / 4.0, 1.0 / 4.0);
        assert!((value(&list, "ERR(max=2)") - (b / 2.0 + (1.0 - b) * d / 4.0)).abs() < 1e-12);
        assert_eq!((value(&list, "P@2"), value(&list, "P@8")), (0.5, 0.25));
        assert!((value(&list, "R@2") - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(value(&list, "Judged@4"), 0.75);
    }

    #[test]
    fn equal_scores_are_ordered_by_the_document_the_greater_first() {
        let judged = [("a", 1)];
        assert_eq!(value(&list(&[("a", 0.5), ("b", 0.5)], &judged), "RR"), 0.5);
        // These differ in 64 bits only.
        assert_eq!(value(&list(&[("a", 0.5 + 1e-12), ("b", 0.5)], &judged), "RR"), 0.5);
    }

    #[test]
    fn nothing_to_find_is_zero_and_spam_gains_nothing() {
        let empty = list(&[], &[("a", 1)]);
        let spam = list(&[("a", 1.0)], &[("a", -2)]);
        for measure in RankingMeasure::usual() {
            assert_eq!(empty.value(measure), 0.0, "{measure}");
            let expected = if matches!(measure, RankingMeasure::Judged { .. }) { 1.0 } else { 0.0 };
            assert_eq!(spam.value(measure), expected, "{measure}");
        }
    }
}
