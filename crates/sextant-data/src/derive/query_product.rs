//! query-product: the judgements of people about search results. This is the only task with human labels.

use super::words::bag_key;
use super::{Context, Provenance, Recipe, query_name};
use crate::normalize;
use crate::sources::{RatedResult, Sources};
use crate::split::Grouping;
use sextant_core::{Entity, Example, Grade, LabelOrigin, Product, Task};
use std::collections::BTreeMap;

/// The grade of a rating of Home Depot.
pub(super) fn home_depot_grade(rating: f64, recipe: &Recipe) -> Grade {
    if rating >= recipe.query_product.relevant_from {
        Grade::Relevant
    } else if rating >= recipe.query_product.partial_from {
        Grade::Partial
    } else {
        Grade::Irrelevant
    }
}

/// The grade of a median of CrowdFlower (1 to 4): 4 is relevant, 3 and 2 are partial. A mean of several
/// medians that is halfway between two grades has the higher one.
fn crowdflower_grade(median: f64) -> Grade {
    if median >= 3.5 {
        Grade::Relevant
    } else if median >= 1.5 {
        Grade::Partial
    } else {
        Grade::Irrelevant
    }
}

/// Binds queries with the same words. Prefers queries for which the same product was shown to be in one
/// split, more strongly the more products they share, so that most query pairs and most products stay inside
/// one split.
pub(super) fn tie(grouping: &mut Grouping, sources: &Sources, _recipe: &Recipe) {
    let mut queries_of: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for result in &sources.home_depot {
        let name = query_name(&result.query);
        grouping.add(&name, "home-depot");
        let words = bag_key(&result.query);
        if !words.is_empty() {
            grouping.bind(&name, &format!("words:{words}"));
        }
        queries_of.entry(&result.product).or_default().push(name);
    }
    let mut shared: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for queries in queries_of.values_mut() {
        queries.sort();
        queries.dedup();
        for (i, a) in queries.iter().enumerate() {
            for b in &queries[i + 1..] {
                *shared.entry((a, b)).or_default() += 1;
            }
        }
    }
    for ((a, b), products) in shared {
        grouping.prefer(a, b, products);
    }
    for result in &sources.crowdflower {
        grouping.add(&query_name(&result.query), "crowdflower");
    }
}

/// One row for each query and title. Several ratings of the same query and title are averaged first.
pub(super) fn candidates(context: Context<'_>) -> Vec<Example> {
    let Context { sources, recipe, splits } = context;
    let mut rows = Vec::new();
    let human =
        |source| Provenance { task: Task::QueryProduct, source, origin: LabelOrigin::Human };

    let mut home_depot: BTreeMap<(String, String), Vec<&RatedResult>> = BTreeMap::new();
    for result in &sources.home_depot {
        let key = (normalize(&result.query), normalize(&result.title));
        home_depot.entry(key).or_default().push(result);
    }
    for results in home_depot.values() {
        let name = query_name(&results[0].query);
        let Some(split) = splits.split(&name) else { continue };
        let mean = mean(results.iter().map(|result| result.rating));
        let grade = home_depot_grade(mean, recipe);
        let (query, title) = (results[0].query.as_str(), results[0].title.as_str());
        rows.push(human("home-depot").row(query, title, grade, &name, split));
    }

    let mut crowdflower: BTreeMap<(String, String), Vec<_>> = BTreeMap::new();
    for result in &sources.crowdflower {
        let key = (normalize(&result.query), normalize(&result.title));
        crowdflower.entry(key).or_default().push(result);
    }
    for results in crowdflower.values() {
        let name = query_name(&results[0].query);
        let Some(split) = splits.split(&name) else { continue };
        let grade = crowdflower_grade(mean(results.iter().map(|r| f64::from(r.median))));
        let limit = recipe.query_product.description_characters;
        let description = results.iter().find_map(|result| result.description.as_deref());
        let product: Entity = match description {
            Some(text) if limit > 0 => Product {
                title: results[0].title.clone(),
                description: Some(crate::clean::beginning(text, limit).to_owned()),
                ..Product::default()
            }
            .into(),
            _ => results[0].title.as_str().into(),
        };
        rows.push(human("crowdflower").row(
            results[0].query.as_str(),
            product,
            grade,
            &name,
            split,
        ));
    }
    rows
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_between_two_grades_round_to_the_upper() {
        let grades = [1.0, 1.5, 2.0, 3.0, 3.5, 4.0].map(|m| crowdflower_grade(m).index());
        assert_eq!(grades, [0, 1, 1, 1, 2, 2]);
    }
}
