//! Ratings, and the grades that most raters gave or that are their mean.

use sextant_core::Grade;

/// The grade that one rater gave to one item. Items and raters are numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rating {
    /// The pair that was rated.
    pub item: u32,
    /// Who rated it.
    pub rater: u32,
    /// What the rater said.
    pub grade: Grade,
}

/// How many raters gave each grade to each item.
pub fn counts(ratings: &[Rating], items: usize) -> Vec<[u32; Grade::COUNT]> {
    let mut counts = vec![[0; Grade::COUNT]; items];
    for rating in ratings {
        counts[rating.item as usize][rating.grade.index()] += 1;
    }
    counts
}

/// The grade that most raters gave. Of grades given equally often, the one nearest the mean of all grades, and
/// of two that are equally near, the lower. `None` without ratings.
///
/// ```
/// use sextant_core::Grade;
/// use sextant_data::raters::majority;
///
/// assert_eq!(majority([1, 0, 2]), Some(Grade::Relevant));
/// // One each: the mean is 1.
/// assert_eq!(majority([1, 1, 1]), Some(Grade::Partial));
/// ```
pub fn majority(counts: [u32; Grade::COUNT]) -> Option<Grade> {
    let most = counts.into_iter().max().filter(|&most| most > 0)?;
    let mean = mean(counts)?;
    let distance = |grade: &Grade| (grade.index() as f64 - mean).abs();
    let tied = Grade::ALL.into_iter().filter(|grade| counts[grade.index()] == most);
    // The first of equal minima is taken, and grades come from the lowest up.
    tied.min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// The mean grade, from 0 to 2. `None` without ratings.
pub fn mean(counts: [u32; Grade::COUNT]) -> Option<f64> {
    let (rated, sum) = Grade::ALL.into_iter().fold((0, 0), |(rated, sum), grade| {
        let count = counts[grade.index()];
        (rated + count, sum + count * grade.index() as u32)
    });
    (rated > 0).then(|| f64::from(sum) / f64::from(rated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_grade_nearest_the_mean() {
        assert_eq!(majority([0, 0, 0]), None);
        assert_eq!(majority([2, 0, 2]), Some(Grade::Irrelevant), "equally near: the lower");
        assert_eq!(majority([2, 2, 1]), Some(Grade::Partial), "mean 0.8");
        assert_eq!(majority([0, 3, 3]), Some(Grade::Partial), "mean 1.5: the lower");
        assert_eq!(mean([1, 1, 2]), Some(1.25));
    }
}
