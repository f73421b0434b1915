//! Do answers about related pairs contradict each other?
//!
//! A triple is three entities of which any two are the pair of some task: a query, a product and a type,
//! or two queries and a product. It is built where at least two of its pairs are rows of the data, so
//! that its entities are known to be related; the third pair is scored too, whether or not it has a
//! label. The answers of a triple contradict each other where exactly two of its pairs are answered
//! relevant and the third irrelevant, whichever pair that is. A triple with a partial answer is never
//! contradictory.

use crate::{Bootstrap, EvalError, RowMean, row_mean};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sextant_core::{Entity, EntityKind, Example, Grade, Pair, Task};
use std::collections::{BTreeMap, HashMap};

/// The position of the irrelevant grade where the other two are relevant, so that the three contradict
/// each other; `None` where they do not.
pub fn contradiction(grades: [Grade; 3]) -> Option<usize> {
    let relevant = grades.iter().filter(|&&grade| grade == Grade::Relevant).count();
    grades.iter().position(|&grade| grade == Grade::Irrelevant).filter(|_| relevant == 2)
}

/// The kinds of entity that a triple has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TripleKind {
    /// A query, a product and a type.
    QueryProductType,
    /// Two queries and a product.
    QueryQueryProduct,
}

impl TripleKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::QueryProductType, Self::QueryQueryProduct];

    /// The tasks of a triple's pairs, in the order of [`Consistency::odd`].
    pub const fn tasks(self) -> [Task; 3] {
        match self {
            Self::QueryProductType => [Task::QueryProduct, Task::QueryType, Task::ProductType],
            Self::QueryQueryProduct => [Task::QueryQuery, Task::QueryProduct, Task::QueryProduct],
        }
    }

    fn of(mut kinds: [EntityKind; 3]) -> Option<Self> {
        kinds.sort_unstable();
        match kinds {
            [EntityKind::Query, EntityKind::Product, EntityKind::Type] => {
                Some(Self::QueryProductType)
            }
            [EntityKind::Query, EntityKind::Query, EntityKind::Product] => {
                Some(Self::QueryQueryProduct)
            }
            _ => None,
        }
    }
}

/// Triples, and the pairs to score for them.
#[derive(Debug, Clone, Default)]
pub struct Triples {
    /// The distinct pairs of all triples. Give [`Triples::consistency`] a grade for each.
    pub pairs: Vec<Pair>,
    /// Where each pair comes from, in the order of the pairs.
    pub sources: Vec<PairSource>,
    /// The kind of each triple, and the positions of its three pairs.
    sides: Vec<(TripleKind, [usize; 3])>,
}

/// Where a pair of a triple comes from: positions among the rows that triples were made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairSource {
    /// This row has the pair.
    Row(usize),
    /// No row has the pair; its two entities occur in these rows, on either side.
    Entities {
        /// The first row that has the pair's left entity.
        left: usize,
        /// The first row that has the pair's right entity.
        right: usize,
    },
}

/// How often the answers about triples of a kind contradict each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Consistency {
    /// The kind of the triples.
    pub kind: TripleKind,
    /// The share of triples that are contradictory. Units of resampling are the triples' first queries:
    /// triples that share only a product or a type are taken to be independent.
    pub contradictory: RowMean,
    /// The share among triples of which at least two pairs are answered relevant, the only ones that can
    /// be contradictory: a model that finds nothing relevant gains nothing here. `None` where there are
    /// no such triples.
    pub of_relevant: Option<RowMean>,
    /// Contradictory triples by the pair that is irrelevant, in the order of [`TripleKind::tasks`].
    pub odd: [usize; 3],
}

/// The rows as a graph: entities are numbered nodes, pairs are edges between them.
struct Graph<'a> {
    /// Each entity with its kind and the first row that has it.
    nodes: Vec<(EntityKind, &'a Entity, usize)>,
    /// Each pair with its first row, by the numbers of its two entities, the lower number first.
    edges: BTreeMap<(usize, usize), (&'a Pair, usize)>,
    neighbours: Vec<Vec<usize>>,
}

impl<'a> Graph<'a> {
    fn new(rows: &'a [Example]) -> Self {
        let mut known: HashMap<(EntityKind, &str), usize> = HashMap::new();
        let mut graph = Self { nodes: Vec::new(), edges: BTreeMap::new(), neighbours: Vec::new() };
        for (row, example) in rows.iter().enumerate() {
            let (left, right) = example.pair.task.kinds();
            let mut node = |kind, entity: &'a Entity| {
                *known.entry((kind, entity.text())).or_insert_with(|| {
                    graph.nodes.push((kind, entity, row));
                    graph.neighbours.push(Vec::new());
                    graph.nodes.len() - 1
                })
            };
            let (a, b) = (node(left, &example.pair.left), node(right, &example.pair.right));
            if a != b && !graph.edges.contains_key(&(a.min(b), a.max(b))) {
                graph.edges.insert((a.min(b), a.max(b)), (&example.pair, row));
                graph.neighbours[a].push(b);
                graph.neighbours[b].push(a);
            }
        }
        graph
    }

    fn edge(&self, a: usize, b: usize) -> Option<(&'a Pair, usize)> {
        self.edges.get(&(a.min(b), a.max(b))).copied()
    }

    /// The pair of two entities: as its first row has it, or, where no row has it, with `a` on the left.
    fn pair(&self, task: Task, a: usize, b: usize) -> (Pair, PairSource) {
        if let Some((pair, row)) = self.edge(a, b) {
            return (pair.clone(), PairSource::Row(row));
        }
        let (left, right) = (&self.nodes[a], &self.nodes[b]);
        let pair = Pair { task, left: left.1.clone(), right: right.1.clone() };
        (pair, PairSource::Entities { left: left.2, right: right.2 })
    }
}

impl Triples {
    /// The triples that rows form. Entities of one kind with the same text are the same entity. At most
    /// `limit` triples of each kind are kept, drawn uniformly by `seed` where there are more, since a
    /// popular type is part of very many.
    pub fn of(rows: &[Example], limit: usize, seed: u64) -> Self {
        let graph = Graph::new(rows);
        let mut found: [Vec<[usize; 3]>; 2] = Default::default();
        let mut seen = [0_usize; 2];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (pivot, neighbours) in graph.neighbours.iter().enumerate() {
            for (i, &a) in neighbours.iter().enumerate() {
                for &b in &neighbours[..i] {
                    let Some(kind) = TripleKind::of([pivot, a, b].map(|n| graph.nodes[n].0)) else {
                        continue;
                    };
                    // A triple all of whose pairs are rows is met at each of its entities; only the
                    // first of them counts.
                    if graph.edge(a, b).is_some() && pivot > a.min(b) {
                        continue;
                    }
                    let (kept, seen) = (&mut found[kind as usize], &mut seen[kind as usize]);
                    *seen += 1;
                    // Reservoir sampling (Vitter 1985, algorithm R).
                    if kept.len() < limit {
                        kept.push([pivot, a, b]);
                    } else {
                        let at = rng.random_range(0..*seen as u64) as usize;
                        if at < limit {
                            kept[at] = [pivot, a, b];
                        }
                    }
                }
            }
        }
        let mut triples = Self::default();
        let mut index: HashMap<(usize, usize), usize> = HashMap::new();
        for (kind, found) in TripleKind::ALL.into_iter().zip(found) {
            for mut nodes in found {
                nodes.sort_unstable_by_key(|&n| (graph.nodes[n].0, n));
                let [a, b, c] = nodes;
                let mut k = 0;
                let pairs = [(a, b), (a, c), (b, c)].map(|(a, b)| {
                    let task = kind.tasks()[k];
                    k += 1;
                    *index.entry((a, b)).or_insert_with(|| {
                        let (pair, source) = graph.pair(task, a, b);
                        triples.pairs.push(pair);
                        triples.sources.push(source);
                        triples.pairs.len() - 1
                    })
                });
                triples.sides.push((kind, pairs));
            }
        }
        triples
    }

    /// The kind of each triple, and the positions of its three pairs among [`Triples::pairs`], in the order of
    /// [`TripleKind::tasks`].
    pub fn triples(&self) -> impl ExactSizeIterator<Item = (TripleKind, [usize; 3])> + '_ {
        self.sides.iter().copied()
    }

    /// How consistent the grades of [`Triples::pairs`] are, for each kind that has triples.
    ///
    /// # Errors
    /// There are not as many grades as pairs, or the bootstrap settings give no interval.
    pub fn consistency(
        &self,
        grades: &[Grade],
        bootstrap: &Bootstrap,
    ) -> Result<Vec<Consistency>, EvalError> {
        if grades.len() != self.pairs.len() {
            return Err(EvalError::RowCount { first: self.pairs.len(), second: grades.len() });
        }
        let mut result = Vec::new();
        for kind in TripleKind::ALL {
            let (mut values, mut groups) = (Vec::new(), Vec::new());
            let (mut eligible, mut eligible_groups) = (Vec::new(), Vec::new());
            let mut odd = [0; 3];
            for (_, pairs) in self.sides.iter().filter(|(found, _)| *found == kind) {
                let answers = pairs.map(|pair| grades[pair]);
                let relevant = answers.iter().filter(|&&g| g == Grade::Relevant).count();
                let contradicted = contradiction(answers);
                if let Some(third) = contradicted {
                    odd[third] += 1;
                }
                let value = f64::from(u8::from(contradicted.is_some()));
                // The second pair of both kinds of triple has the first query on its left, and its task
                // is not symmetric.
                let group = Some(self.pairs[pairs[1]].left.text());
                values.push(value);
                groups.push(group);
                if relevant >= 2 {
                    eligible.push(value);
                    eligible_groups.push(group);
                }
            }
            if values.is_empty() {
                continue;
            }
            let of_relevant = (!eligible.is_empty())
                .then(|| row_mean(&eligible, &eligible_groups, bootstrap))
                .transpose()?;
            let contradictory = row_mean(&values, &groups, bootstrap)?;
            result.push(Consistency { kind, contradictory, of_relevant, odd });
        }
        Ok(result)
    }
}
