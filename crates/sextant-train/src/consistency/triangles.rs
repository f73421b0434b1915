//! The triangles that a run learns from.

use crate::choose::Choice;
use crate::ungraded::visit_ungraded;
use crate::{ConsistencyRecipe, ExampleSource, Plan, TrainError};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sextant_core::{Grade, Pair, Split};
use sextant_data::PairKey;
use sextant_eval::Triples;
use sextant_text::{Encoder, RowArena, RowView, TextError};
use std::collections::{HashMap, HashSet};

/// Triangles with their encoded pairs.
#[derive(Debug, Clone, Default)]
pub struct Triangles {
    pairs: RowArena,
    /// The positions of each triangle's three pairs.
    sides: Vec<[u32; 3]>,
}

impl Triangles {
    /// The triangles that a plan asks for; none without `[consistency]`. The texts of all rows that they are
    /// made of are held meanwhile.
    ///
    /// # Errors
    /// A file that cannot be read, or rows that make no triangle.
    pub(crate) fn new(
        plan: &Plan,
        source: &dyn ExampleSource,
        choice: &Choice,
        held_out: &HashSet<PairKey>,
        encoder: &Encoder,
    ) -> Result<Self, TrainError> {
        let Some(recipe) = &plan.recipe.consistency else { return Ok(Self::default()) };
        let rows = if let Some(path) = &recipe.unlabelled {
            let mut rows = Vec::new();
            visit_ungraded(plan, path, held_out, |_, row| {
                rows.push(row.with_grade(Grade::Irrelevant));
                Ok(())
            })?;
            rows
        } else {
            let mut rows = Vec::new();
            choice.visit(source, &[Split::Train], &mut |row| {
                rows.push(row.example.into_owned());
                Ok(())
            })?;
            rows
        };
        let found = Triples::of(&rows, recipe.limit, plan.recipe.seed);
        let triangles = Self::encoded(&found, recipe, plan, encoder)?;
        if triangles.is_empty() {
            let of = match &recipe.unlabelled {
                Some(path) => format!("consistency.unlabelled = {}", path.display()),
                None => "consistency: the training rows".to_owned(),
            };
            return Err(TrainError::Plan(vec![format!(
                "{of}: {} rows make no triangle, such as a query, a product and a type of which two pairs are rows; name a file of such pairs in `consistency.unlabelled`, or leave [consistency] out",
                rows.len()
            )]));
        }
        Ok(triangles)
    }

    /// The triangles of the wanted kinds, and those pairs that they have.
    fn encoded(
        found: &Triples,
        recipe: &ConsistencyRecipe,
        plan: &Plan,
        encoder: &Encoder,
    ) -> Result<Self, TrainError> {
        let kinds = recipe.kinds(&plan.spec.tasks);
        let mut pairs: Vec<Pair> = Vec::new();
        let mut positions: HashMap<usize, u32> = HashMap::new();
        let mut sides = Vec::new();
        for (_, of) in found.triples().filter(|(kind, _)| kinds.contains(kind)) {
            sides.push(of.map(|pair| {
                *positions.entry(pair).or_insert_with(|| {
                    pairs.push(found.pairs[pair].clone());
                    pairs.len() as u32 - 1
                })
            }));
        }
        let encoded = encoder.encode_all(&pairs).map_err(|error| match error {
            TextError::Row { row, source } => {
                let place = format!("consistency, the pair {}", pairs[row]);
                TrainError::Row { place, source }
            }
            other => other.into(),
        })?;
        let mut arena = RowArena::with_capacity(encoded.len());
        for row in &encoded {
            arena.push(row);
        }
        arena.shrink_to_fit();
        Ok(Self { pairs: arena, sides })
    }

    /// How many triangles there are.
    pub fn len(&self) -> usize {
        self.sides.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sides.is_empty()
    }

    /// The encoded pairs of a triangle.
    pub fn triangle(&self, triangle: usize) -> [RowView<'_>; 3] {
        self.sides[triangle].map(|pair| self.pairs.row(pair as usize))
    }

    /// The triangles of a step: so many of them, drawn at random with replacement. They depend on nothing but
    /// the seed and the step, so that a run that was stopped goes on with the same ones.
    pub(crate) fn draw(&self, count: usize, [seed, step]: [u64; 2]) -> Vec<usize> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(step);
        (0..count).map(|_| rng.random_range(0..self.len() as u64) as usize).collect()
    }
}
