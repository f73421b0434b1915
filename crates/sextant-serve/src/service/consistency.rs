//! Triples of related entities, and whether the answers about them contradict each other.

use super::{Service, UnknownModel, pair, present, within};
use crate::engine::RowOutcome;
use crate::error::ApiError;
use crate::models::OpenModel;
use crate::native::{
    ConsistencyRequest, ConsistencyResponse, EntityInput, Readable, TaskName, Triple, TripleAnswer,
    TripleOutcome,
};
use sextant_core::{Entity, Pair};
use sextant_eval::{TripleKind, contradiction};
use std::sync::Arc;
use std::time::Instant;

impl Service {
    /// Answers the three pairs of each triple, and says which triples are contradictory.
    ///
    /// # Errors
    /// The request cannot be answered as a whole.
    pub(crate) async fn consistency(
        &self,
        request: ConsistencyRequest,
    ) -> Result<ConsistencyResponse, ApiError> {
        let arrived = Instant::now();
        let ConsistencyRequest { model, triples, timeout_ms } = request;
        self.check_count(3 * triples.len(), "pairs in its triples")?;
        let mut pairs = Vec::with_capacity(3 * triples.len());
        let mut named = Vec::with_capacity(triples.len());
        for (index, Readable(triple)) in triples.into_iter().enumerate() {
            named.push(match triple {
                Ok(Triple { query, product, product_type, other_query, id }) => {
                    let kind = sides(query, product, product_type, other_query);
                    let at = |problem| ApiError::invalid(format!("`triples[{index}]`: {problem}"));
                    let kind = kind.map_err(at).map(|(kind, three)| {
                        pairs.extend(three);
                        kind
                    });
                    (id, kind)
                }
                Err(unreadable) => {
                    let error = ApiError::of_part("triples", index, &unreadable);
                    (unreadable.id, Err(error))
                }
            });
        }
        let model = self.model(model.as_deref(), UnknownModel::Refuse).await?;
        self.charge(pairs.len())?;
        self.take(&pairs);
        let deadline = self.deadline(timeout_ms);
        let answers = self.engine.submit(Arc::clone(&model), pairs, deadline)?;
        let outcomes = within(deadline, answers).await?;
        present::note(&outcomes, arrived);
        let mut threes = outcomes.chunks_exact(3);
        let mut usage = present::usage(&outcomes);
        let results = named.into_iter().enumerate().map(|(index, (id, kind))| match kind {
            // There are three outcomes for each triple that was asked.
            Ok(kind) => outcome(&model, index, id, kind, threes.next().unwrap_or_default()),
            Err(error) => {
                usage.pairs += 3;
                usage.errors += 3;
                TripleOutcome { index, id, answer: None, error: Some(error.detail()) }
            }
        });
        let results: Vec<TripleOutcome> = results.collect();
        let contradicts = |outcome: &&TripleOutcome| {
            outcome.answer.as_ref().is_some_and(|answer| answer.contradictory)
        };
        Ok(ConsistencyResponse {
            model: model.name().to_owned(),
            sha256: model.scorer().manifest_sha256().to_owned(),
            contradictory: results.iter().filter(contradicts).count(),
            results,
            usage,
            timing: present::timing(&outcomes, arrived),
        })
    }
}

/// The three pairs of a triple, in the order of its kind's tasks.
fn sides(
    EntityInput(query): EntityInput,
    EntityInput(product): EntityInput,
    product_type: Option<EntityInput>,
    other_query: Option<EntityInput>,
) -> Result<(TripleKind, Vec<Pair>), String> {
    let (kind, third) = match (product_type, other_query) {
        (Some(EntityInput(third)), None) => (TripleKind::QueryProductType, third),
        (None, Some(EntityInput(third))) => (TripleKind::QueryQueryProduct, third),
        _ => return Err("give either `type` or `other_query`".to_owned()),
    };
    let sides: [(&Entity, &Entity); 3] = match kind {
        TripleKind::QueryProductType => [(&query, &product), (&query, &third), (&product, &third)],
        TripleKind::QueryQueryProduct => [(&query, &third), (&query, &product), (&third, &product)],
    };
    let pairs = kind.tasks().into_iter().zip(sides);
    let pairs = pairs.map(|(task, (left, right))| pair(task, left.clone(), right.clone()));
    Ok((kind, pairs.collect::<Result<_, _>>()?))
}

fn outcome(
    model: &OpenModel,
    index: usize,
    id: Option<String>,
    kind: TripleKind,
    outcomes: &[RowOutcome],
) -> TripleOutcome {
    let mut pairs = Vec::with_capacity(3);
    for (task, outcome) in kind.tasks().into_iter().zip(outcomes) {
        match outcome {
            Ok(row) => pairs.push(present::answer(model, task, row, false)),
            Err(fault) => {
                let error = Some(ApiError::of_pair(fault, task).detail());
                return TripleOutcome { index, id, answer: None, error };
            }
        }
    }
    let grades: Vec<_> = pairs.iter().map(|pair| pair.grade).collect();
    let odd = <[_; 3]>::try_from(grades).ok().and_then(contradiction);
    let answer = TripleAnswer {
        kind,
        contradictory: odd.is_some(),
        odd,
        odd_task: odd.and_then(|odd| kind.tasks().get(odd).copied()).map(TaskName),
        pairs,
    };
    TripleOutcome { index, id, answer: Some(answer), error: None }
}
