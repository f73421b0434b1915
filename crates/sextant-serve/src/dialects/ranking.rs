//! One query and many documents: what all rerank APIs have in common.

use super::document::Document;
use crate::error::ApiError;
use crate::native::{
    EntityInput, ErrorCode, PairInput, RelevanceRequest, RelevanceResponse, TaskName, Timing, Usage,
};
use crate::service::Service;
use serde::Serialize;
use serde_json::Value;
use sextant_core::{Entity, Task};
use sextant_text::Side;

/// A rerank request of any dialect.
pub(super) struct Ranking {
    pub(super) model: Option<String>,
    pub(super) task: Option<TaskName>,
    pub(super) query: Document,
    pub(super) documents: Vec<Document>,
    /// The fields of documents that are read, if not all.
    pub(super) fields: Option<Vec<String>>,
    /// The most documents of the answer.
    pub(super) top: Option<usize>,
    /// Whether texts that are too long may be cut; if not, the request is refused.
    pub(super) cutting: bool,
}

/// Documents from the most to the least relevant.
pub(super) struct Ranked {
    pub(super) model: String,
    pub(super) order: Vec<Place>,
    pub(super) usage: Usage,
    pub(super) timing: Timing,
    /// The positions of documents without text, which are ranked last.
    pub(super) blank: Vec<usize>,
}

/// A document's place in an answer, as Cohere and those who follow it write it.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    pub(super) index: usize,
    pub(super) relevance_score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) document: Option<Value>,
}

impl Ranked {
    /// The places, with documents in the given form if they are to be repeated.
    pub(super) fn items(
        &self,
        documents: Vec<Document>,
        repeated: bool,
        form: impl Fn(Document) -> Value,
    ) -> Vec<Item> {
        // No document has two places, so that each is handed on at most once.
        let mut documents: Vec<_> = documents.into_iter().map(Some).collect();
        let places = self.order.iter().map(|place| Item {
            index: place.index,
            relevance_score: place.score,
            document: documents
                .get_mut(place.index)
                .filter(|_| repeated)
                .and_then(Option::take)
                .map(&form),
        });
        places.collect()
    }
}

/// A document's place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// The document's position in the request.
    pub(super) index: usize,
    /// The expected grade divided by 2.
    pub(super) score: f32,
}

/// Ranks documents, and hands them back for answers that repeat them. Of equally relevant documents, the first one
/// comes first. A document without text is irrelevant, with score 0: catalogues have such documents, and the
/// APIs of rerankers know no error of a single document.
///
/// # Errors
/// The query has no text, a text is too long and must not be cut, or the model answers a document with something
/// that is no number.
pub(super) async fn rank(
    service: &Service,
    ranking: Ranking,
) -> Result<(Ranked, Vec<Document>), ApiError> {
    let Ranking { model, task, query, documents, fields, top, cutting } = ranking;
    let task = task.map_or(service.default_task, |TaskName(task)| task);
    let (left, right) = sides(task, &query, &documents, fields.as_deref())?;
    let pairs = right.into_iter().map(|right| pair(left.clone(), right).into());
    let request = RelevanceRequest {
        model,
        task: Some(TaskName(task)),
        pairs: pairs.collect(),
        votes: None,
        timeout_ms: None,
    };
    let RelevanceResponse { model, results, usage, timing, .. } =
        service.relevance(request, service.unknown).await?;
    let mut order = Vec::with_capacity(results.len());
    let mut blank = Vec::new();
    for outcome in results {
        let index = outcome.index;
        let score = match (outcome.answer, outcome.error) {
            (Some(answer), _) if answer.cut.is_some() && !cutting => {
                let message = format!(
                    "the query and document {index} (counted from 0) are longer together than the model reads; shorten them, or allow that they are cut"
                );
                return Err(ApiError::new(ErrorCode::TooLarge, message));
            }
            (Some(answer), _) => answer.score,
            (None, Some(error)) if error.blank == Some(Side::Left) => {
                let message = "the query has no word that can be read; give a text";
                return Err(ApiError::new(ErrorCode::EmptyText, message));
            }
            (None, Some(error)) if error.code == ErrorCode::EmptyText => {
                blank.push(index);
                0.0
            }
            (None, Some(error)) => return Err(ApiError::new(error.code, error.message)),
            (None, None) => return Err(ApiError::internal()),
        };
        order.push(Place { index, score });
    }
    order.sort_by(|a, b| b.score.total_cmp(&a.score));
    order.truncate(top.unwrap_or(usize::MAX));
    Ok((Ranked { model, order, usage, timing, blank }, documents))
}

fn pair(left: Entity, right: Entity) -> PairInput {
    PairInput { task: None, left: EntityInput(left), right: EntityInput(right), id: None }
}

/// The entities of the query and of the documents.
fn sides(
    task: Task,
    query: &Document,
    documents: &[Document],
    fields: Option<&[String]>,
) -> Result<(Entity, Vec<Entity>), ApiError> {
    let (left, right) = task.kinds();
    let query = query.entity(left, None);
    let query = query.map_err(|problem| ApiError::invalid(format!("the query: {problem}")))?;
    if query.is_blank() {
        return Err(ApiError::new(ErrorCode::EmptyText, "the query is blank; give a text"));
    }
    let documents = documents.iter().enumerate().map(|(index, document)| {
        let entity = document.entity(right, fields);
        entity.map_err(|problem| {
            ApiError::invalid(format!("document {index} (counted from 0): {problem}"))
        })
    });
    Ok((query, documents.collect::<Result<_, _>>()?))
}
