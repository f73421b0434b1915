//! Features by which rows are divided into slices.

use sextant_core::{Entity, EntityKind, Example};
use std::collections::BTreeMap;
use std::collections::HashSet;

/// The most values that a column may have to divide rows.
const VALUES: usize = 40;

/// A feature: for each row one of a few values, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// The feature's name.
    pub name: String,
    /// The names of its values.
    pub values: Vec<String>,
    /// For each row, the index of its value.
    pub of_rows: Vec<Option<u32>>,
}

impl Feature {
    /// A feature whose values are texts. `None` if there are fewer than two values or more than forty.
    pub fn of_texts(name: &str, texts: &[Option<String>]) -> Option<Self> {
        let mut places: BTreeMap<&str, u32> =
            texts.iter().flatten().map(|text| (text.as_str(), 0)).collect();
        if !(2..=VALUES).contains(&places.len()) {
            return None;
        }
        places.values_mut().enumerate().for_each(|(index, place)| *place = index as u32);
        let of_rows = texts.iter().map(|text| Some(places[text.as_deref()?])).collect();
        let values = places.into_keys().map(str::to_owned).collect();
        Some(Self { name: name.to_owned(), values, of_rows })
    }

    /// A feature whose values are quarters of the rows by a number. `None` where all numbers are equal.
    pub fn of_numbers(name: &str, numbers: &[Option<f64>]) -> Option<Self> {
        let mut sorted: Vec<f64> = numbers.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let (first, last) = (*sorted.first()?, *sorted.last()?);
        let mut edges: Vec<f64> =
            [1, 2, 3].map(|quarter| sorted[quarter * sorted.len() / 4]).to_vec();
        edges.dedup();
        edges.retain(|&edge| edge > first);
        if edges.is_empty() {
            return None;
        }
        let bounds: Vec<f64> = [first].into_iter().chain(edges.iter().copied()).collect();
        let name_of = |index: usize| match bounds.get(index + 1) {
            None if bounds[index] == last => short(last),
            None => format!("{} to {}", short(bounds[index]), short(last)),
            Some(&end) => {
                let whole = numbers.iter().flatten().all(|number| number.fract() == 0.0);
                match whole {
                    true if end - bounds[index] == 1.0 => short(bounds[index]),
                    true => format!("{} to {}", short(bounds[index]), short(end - 1.0)),
                    false => format!("{} to below {}", short(bounds[index]), short(end)),
                }
            }
        };
        let place = |number: f64| edges.iter().filter(|&&edge| number >= edge).count() as u32;
        Some(Self {
            name: name.to_owned(),
            values: (0..bounds.len()).map(name_of).collect(),
            of_rows: numbers.iter().map(|number| number.map(place)).collect(),
        })
    }

    /// A column of texts: quarters if all are numbers of many values, else the texts themselves.
    pub fn of_column(name: &str, texts: &[Option<String>]) -> Option<Self> {
        Self::of_texts(name, texts).or_else(|| {
            let number = |text: &String| text.trim().parse().ok().filter(|n: &f64| n.is_finite());
            let numbers: Vec<Option<f64>> =
                texts.iter().map(|text| text.as_ref().and_then(number)).collect();
            let all =
                texts.iter().zip(&numbers).all(|(text, number)| text.is_none() || number.is_some());
            all.then(|| Self::of_numbers(name, &numbers)).flatten()
        })
    }

    /// The features that every data set has: task, source, true grade, lengths in words, whether a product has a
    /// brand and a description, and how many words of the shorter text are in the other.
    pub fn of_pairs(examples: &[&Example]) -> Vec<Self> {
        let texts = |value: &dyn Fn(&Example) -> Option<String>| -> Vec<Option<String>> {
            examples.iter().map(|example| value(example)).collect()
        };
        let numbers = |value: &dyn Fn(&Example) -> f64| -> Vec<Option<f64>> {
            examples.iter().map(|example| Some(value(example))).collect()
        };
        let product = |with: &dyn Fn(&sextant_core::Product) -> bool| {
            texts(&|example| {
                let (left, right) = example.pair.task.kinds();
                let sides = [(left, &example.pair.left), (right, &example.pair.right)];
                let products = sides.into_iter().filter(|(kind, _)| *kind == EntityKind::Product);
                let mut has =
                    products.map(|(_, side)| matches!(side, Entity::Product(p) if with(p)));
                let first = has.next()?;
                Some(if has.fold(first, |all, has| all && has) { "yes" } else { "no" }.to_owned())
            })
        };
        let words = |entity: &Entity| entity.text().split_whitespace().count() as f64;
        let features = [
            Self::of_texts("task", &texts(&|e| Some(e.pair.task.to_string()))),
            Self::of_texts("source", &texts(&|e| e.source.clone())),
            Self::of_texts("true grade", &texts(&|e| Some(e.grade.to_string()))),
            Self::of_numbers("words on the left", &numbers(&|e| words(&e.pair.left))),
            Self::of_numbers("words on the right", &numbers(&|e| words(&e.pair.right))),
            Self::of_texts("brand present", &product(&|p| p.brand.is_some())),
            Self::of_texts("description present", &product(&|p| p.description.is_some())),
            Self::of_texts("word overlap", &texts(&|e| Some(overlap(e).to_owned()))),
        ];
        features.into_iter().flatten().collect()
    }
}

/// How many words of the shorter text are in the other one.
fn overlap(example: &Example) -> &'static str {
    let words = |entity: &Entity| -> HashSet<String> {
        let text = entity.text().to_lowercase();
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    let (left, right) = (words(&example.pair.left), words(&example.pair.right));
    let shorter = left.len().min(right.len());
    match left.intersection(&right).count() {
        0 => "no word",
        shared if shared == shorter => "all words",
        shared if 2 * shared >= shorter => "half or more",
        _ => "less than half",
    }
}

fn short(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number}") } else { format!("{number:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_have_names_and_hold_every_row() {
        let numbers: Vec<Option<f64>> =
            (0..100).map(|n| Some(f64::from(n % 10))).chain([None]).collect();
        let feature = Feature::of_numbers("words", &numbers).unwrap();
        assert_eq!(feature.values, ["0 to 1", "2 to 4", "5 to 6", "7 to 9"]);
        assert_eq!(feature.of_rows[7], Some(3));
        assert_eq!(feature.of_rows[100], None);
        assert_eq!(Feature::of_numbers("same", &[Some(1.0), Some(1.0)]), None);
    }

    #[test]
    fn a_column_of_many_numbers_is_cut_and_of_many_texts_left_out() {
        let texts = |f: &dyn Fn(usize) -> String| (0..100).map(|n| Some(f(n))).collect::<Vec<_>>();
        assert_eq!(
            Feature::of_column("price", &texts(&|n| format!("{n}.5"))).unwrap().values.len(),
            4
        );
        assert_eq!(Feature::of_column("id", &texts(&|n| format!("id{n}"))), None);
        assert_eq!(
            Feature::of_column("shop", &texts(&|n| format!("s{}", n % 3))).unwrap().values.len(),
            3
        );
    }
}
