//! The API that all servers are asked by: that of Jina, which Cohere, infinity and llama.cpp understand, too.

use super::traffic::{Request, Traffic};
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::json;

/// The bodies of all requests of a mix, and how many rows each of them has.
#[derive(Debug, Clone)]
pub(super) struct Bodies(pub(super) Vec<(Bytes, usize)>);

impl Bodies {
    pub(super) fn new(traffic: &Traffic, model: &str) -> Self {
        let body = |Request { query, titles }: &Request| {
            let body = json!({
                "model": model, "query": query, "documents": titles, "return_documents": false,
            });
            (body.to_string().into(), titles.len())
        };
        Self(traffic.requests.iter().map(body).collect())
    }
}

/// A document's place in an answer.
#[derive(Deserialize)]
struct Place {
    index: usize,
    relevance_score: f64,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Place>,
}

/// The scores of an answer in the order of the documents; `None` if one is missing, or the answer is none.
pub(super) fn scores(body: &[u8], rows: usize) -> Option<Vec<f64>> {
    let Answer { results } = serde_json::from_slice(body).ok()?;
    let mut scores = vec![None; rows];
    for Place { index, relevance_score: score } in results {
        let place = scores.get_mut(index)?;
        if place.replace(score).is_some() {
            return None;
        }
    }
    scores.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_come_in_the_order_of_the_documents_and_none_may_be_missing() {
        let of = |places: [(usize, f64); 2], rows| {
            let places =
                places.map(|(index, score)| json!({"index": index, "relevance_score": score}));
            scores(json!({"model": "m", "results": places}).to_string().as_bytes(), rows)
        };
        let good = [(1, 0.9), (0, 0.1)];
        assert_eq!(of(good, 2), Some(vec![0.1, 0.9]));
        assert_eq!(of(good, 3), None);
        assert_eq!(of(good, 1), None);
        assert_eq!(of([(0, 1.0), (0, 1.0)], 2), None);
        assert_eq!(scores(b"{\"error\":1}", 0), None);
    }
}
