//! The ratings of several people, gathered in a first reading and made into one grade for each pair.

use super::ImportError;
use super::digest::KeyHash;
use super::label::LabelRule;
use super::map::Aggregate;
use crate::raters::{
    Distance, Rating, counts, dawid_skene, fleiss_kappa, krippendorff_alpha, majority,
};
use serde::Serialize;
use sextant_core::Grade;
use std::collections::HashMap;
use std::fmt;

/// How far raters agree, and how their grades became one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RaterReport {
    /// Pairs that were rated.
    pub pairs: usize,
    /// Ratings.
    pub ratings: usize,
    /// Raters; absent where they have no names.
    pub raters: Option<usize>,
    /// Pairs with at least two ratings, on which agreement is measured.
    pub rated_twice: usize,
    /// Fleiss' kappa.
    pub fleiss_kappa: Option<f64>,
    /// Krippendorff's alpha for names without an order.
    pub alpha_nominal: Option<f64>,
    /// Krippendorff's alpha for ordered grades.
    pub alpha_ordinal: Option<f64>,
    /// Pairs with fewer ratings than the map asks for.
    pub too_few: usize,
    /// Ratings of a pair by a rater who had rated it before; the first one counts.
    pub repeated: usize,
    /// Pairs whose grade is not that of the majority, for the other ways of making one grade.
    pub changed: usize,
}

impl fmt::Display for RaterReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number =
            |value: Option<f64>| value.map_or("undefined".to_owned(), |v| format!("{v:.3}"));
        let raters = self.raters.map_or_else(String::new, |raters| format!(" by {raters} raters"));
        writeln!(f, "{} ratings{raters} of {} pairs", self.ratings, self.pairs)?;
        writeln!(
            f,
            "agreement on {} pairs with two or more: Fleiss' kappa {}, Krippendorff's alpha {} (ordinal), {} (nominal)",
            self.rated_twice,
            number(self.fleiss_kappa),
            number(self.alpha_ordinal),
            number(self.alpha_nominal)
        )?;
        for (count, what) in [
            (self.too_few, "pairs with too few ratings left out"),
            (self.repeated, "ratings by somebody who had rated the pair before not counted"),
            (self.changed, "pairs have another grade than the majority says"),
        ] {
            if count > 0 {
                writeln!(f, "{count} {what}")?;
            }
        }
        Ok(())
    }
}

/// The ratings of an input while it is read for the first time.
#[derive(Default)]
pub(super) struct Gathered {
    items: HashMap<KeyHash, u32>,
    names: HashMap<String, u32>,
    unnamed: u32,
    ratings: Vec<Rating>,
    numbers: Vec<f32>,
}

impl Gathered {
    /// Adds a rating of the pair with this key.
    pub(super) fn add(&mut self, key: KeyHash, rater: Option<&str>, label: (Grade, f64)) {
        let next = self.items.len() as u32;
        let item = *self.items.entry(key).or_insert(next);
        let next = self.names.len() as u32;
        let rater = if let Some(name) = rater {
            // Most ratings are by somebody who is known, whose name need not be copied.
            let known = self.names.get(name).copied();
            known.unwrap_or_else(|| *self.names.entry(name.to_owned()).or_insert(next))
        } else {
            // Ratings without a name are each of another rater.
            self.unnamed += 1;
            u32::MAX - self.unnamed
        };
        self.ratings.push(Rating { item, rater, grade: label.0 });
        self.numbers.push(label.1 as f32);
    }

    /// Makes one grade for each pair.
    pub(super) fn into_grades(
        mut self,
        aggregate: Aggregate,
        min: u32,
        rule: &LabelRule,
    ) -> Result<(Grades, RaterReport), ImportError> {
        let repeated = self.drop_repeated();
        let items = self.items.len();
        let counts = counts(&self.ratings, items);
        let by_majority: Vec<Option<Grade>> =
            counts.iter().map(|&counts| majority(counts)).collect();
        let mut grades = match aggregate {
            Aggregate::Majority => by_majority.clone(),
            Aggregate::Mean => {
                let mut sums = vec![(0.0, 0_u32); items];
                for (rating, &number) in self.ratings.iter().zip(&self.numbers) {
                    let (sum, count) = &mut sums[rating.item as usize];
                    (*sum, *count) = (*sum + f64::from(number), *count + 1);
                }
                let mean = |(sum, count): (f64, u32)| {
                    (count > 0).then(|| rule.cut(sum / f64::from(count)))
                };
                sums.into_iter().map(mean).collect()
            }
            Aggregate::DawidSkene => {
                if self.unnamed > 0 {
                    let problem = "the model needs to know who rated what; name the column under [raters], and leave no cell of it empty";
                    return Err(ImportError::key("raters.column", problem));
                }
                let found = dawid_skene(&self.ratings, items, self.names.len());
                (0..items).map(|item| Some(found.grade(item))).collect()
            }
        };
        let rated = |counts: &[u32; Grade::COUNT]| counts.iter().sum::<u32>();
        let mut too_few = 0;
        for (grade, counts) in grades.iter_mut().zip(&counts) {
            if rated(counts) < min && grade.take().is_some() {
                too_few += 1;
            }
        }
        let differ = grades.iter().zip(&by_majority).filter(|(a, b)| a.is_some() && a != b);
        let report = RaterReport {
            pairs: items,
            ratings: self.ratings.len(),
            raters: (self.unnamed == 0).then_some(self.names.len()),
            rated_twice: counts.iter().filter(|counts| rated(counts) >= 2).count(),
            fleiss_kappa: fleiss_kappa(&self.ratings),
            alpha_nominal: krippendorff_alpha(&self.ratings, Distance::Nominal),
            alpha_ordinal: krippendorff_alpha(&self.ratings, Distance::Ordinal),
            too_few,
            repeated,
            changed: differ.count(),
        };
        let grades = grades.into_iter().map(|grade| grade.map_or(Taken::Unrated, Taken::Grade));
        Ok((Grades { items: self.items, grades: grades.collect() }, report))
    }

    /// Drops the ratings of a pair by a rater who had rated it before, and returns their number.
    fn drop_repeated(&mut self) -> usize {
        let mut order: Vec<u32> = (0..self.ratings.len() as u32).collect();
        order.sort_by_key(|&at| {
            let rating = &self.ratings[at as usize];
            (rating.item, rating.rater, at)
        });
        let same = |a: u32, b: u32| {
            let (a, b) = (&self.ratings[a as usize], &self.ratings[b as usize]);
            (a.item, a.rater) == (b.item, b.rater)
        };
        let mut drop = vec![false; order.len()];
        for pair in order.windows(2).filter(|pair| same(pair[0], pair[1])) {
            drop[pair[1] as usize] = true;
        }
        let mut keep = drop.iter().map(|drop| !drop);
        self.ratings.retain(|_| keep.next().unwrap_or(true));
        let mut keep = drop.iter().map(|drop| !drop);
        self.numbers.retain(|_| keep.next().unwrap_or(true));
        drop.into_iter().filter(|drop| *drop).count()
    }
}

/// The one grade of each pair.
pub(super) struct Grades {
    items: HashMap<KeyHash, u32>,
    grades: Vec<Taken>,
}

impl Grades {
    /// Takes the grade of a pair, once.
    pub(super) fn take(&mut self, key: &KeyHash) -> Taken {
        let Some(&item) = self.items.get(key) else { return Taken::Unrated };
        let grade = &mut self.grades[item as usize];
        let taken = *grade;
        if let Taken::Grade(_) = taken {
            *grade = Taken::Again;
        }
        taken
    }
}

/// What became of a pair's grade.
#[derive(Debug, Clone, Copy)]
pub(super) enum Taken {
    Grade(Grade),
    /// An earlier row of the pair has it.
    Again,
    /// The pair has too few ratings.
    Unrated,
}
