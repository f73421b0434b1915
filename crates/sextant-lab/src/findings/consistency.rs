//! Whether answers about related pairs contradict each other.
//!
//! Three entities of which every two were compared make a triangle: a query, a product and a type, two
//! queries and a product, three products. A triangle is violated where two of its pairs are relevant and
//! the third is irrelevant: two entities that are both relevant to the same third entity cannot be
//! irrelevant to each other.

use super::systems::{Judge, System};
use serde::Serialize;
use sextant_core::{EntityKind, Example, Grade};
use sextant_eval::contradiction;
use std::collections::{BTreeMap, HashMap};

/// How often a system contradicts itself.
#[derive(Debug, Clone, Serialize)]
pub struct Consistency {
    /// The system.
    pub system: String,
    /// Triangles among the test rows of which the system answers all three pairs.
    pub triangles: usize,
    /// The share that its answers violate: the mean over seeds.
    pub violated: f64,
    /// The share that the true grades violate.
    pub violated_by_truth: f64,
}

/// The consistency of every system that answers all three pairs of some triangle of test rows.
pub(crate) fn consistency(systems: &[System], judge: &Judge<'_>) -> Vec<Consistency> {
    let triangles = triangles(judge.test);
    let truth = |row: usize| Some(judge.test[row].grade);
    let of = |system: &System| {
        let mine = |triangle: &&[usize; 3]| {
            let answers = |row: &usize| system.members.iter().all(|m| m.test[*row].is_some());
            triangle.iter().all(answers)
        };
        let mine: Vec<[usize; 3]> = triangles.iter().filter(mine).copied().collect();
        if mine.is_empty() {
            return None;
        }
        let by_seed = system
            .members
            .iter()
            .map(|member| violated(&mine, |row| member.test[row].map(|answer| answer.grade())));
        Some(Consistency {
            system: system.label.clone(),
            triangles: mine.len(),
            violated: by_seed.sum::<f64>() / system.members.len() as f64,
            violated_by_truth: violated(&mine, truth),
        })
    };
    systems.iter().filter_map(of).collect()
}

/// The share of triangles that grades violate.
fn violated(triangles: &[[usize; 3]], grade: impl Fn(usize) -> Option<Grade>) -> f64 {
    let bad = |triangle: &&[usize; 3]| match triangle.map(&grade) {
        [Some(a), Some(b), Some(c)] => contradiction([a, b, c]).is_some(),
        _ => false,
    };
    triangles.iter().filter(bad).count() as f64 / triangles.len() as f64
}

/// The rows of all triangles. Of several rows about one pair, the first counts.
fn triangles(rows: &[Example]) -> Vec<[usize; 3]> {
    let mut known: HashMap<(EntityKind, &str), usize> = HashMap::new();
    let mut edges: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (row, example) in rows.iter().enumerate() {
        let (left, right) = example.pair.task.kinds();
        let mut node = |kind, text| {
            let next = known.len();
            *known.entry((kind, text)).or_insert(next)
        };
        let (a, b) = (node(left, example.pair.left.text()), node(right, example.pair.right.text()));
        if a != b {
            edges.entry((a.min(b), a.max(b))).or_insert(row);
        }
    }
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); known.len()];
    for &(a, b) in edges.keys() {
        above[a].push(b);
    }
    let mut found = Vec::new();
    for (&(a, b), &first) in &edges {
        for c in &above[b] {
            if let (Some(&second), Some(&third)) = (edges.get(&(a, *c)), edges.get(&(b, *c))) {
                found.push([first, second, third]);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_core::Task;

    #[test]
    fn finds_triangles_and_what_violates_them() {
        let row = |task, left: &str, right: &str, grade| Example::new(task, left, right, grade);
        let rows = [
            row(Task::QueryProduct, "sofa", "red sofa", Grade::Relevant),
            row(Task::QueryType, "sofa", "couch", Grade::Relevant),
            row(Task::ProductType, "red sofa", "couch", Grade::Irrelevant),
            row(Task::QueryQuery, "sofa", "settee", Grade::Relevant),
            row(Task::QueryProduct, "settee", "red sofa", Grade::Partial),
            // A type called like a query is another entity.
            row(Task::TypeType, "sofa", "couch", Grade::Relevant),
        ];
        let found = triangles(&rows);
        assert_eq!(found.len(), 2);
        assert_eq!(violated(&found, |row| Some(rows[row].grade)), 0.5);
    }
}
