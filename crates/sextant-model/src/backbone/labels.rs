//! The names of a classification head's labels in `config.json`, and which grade each label is.

use crate::families::ConfigFile;
use serde_json::{Map, Value};
use sextant_core::Grade;
use std::collections::BTreeSet;

/// The labels of a head, in the order of the rows of its weight.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels {
    /// The names of the labels; empty if `config.json` names none.
    names: Vec<String>,
    /// Why the names cannot be read, if they cannot. This is reported only when a head is read, because a
    /// backbone without a head does not need the names.
    problem: Option<String>,
}

/// Which grade each row of the checkpoint's head is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// The indices of the rows, lowest grade first. There are one (relevance), two (a lower and a higher
    /// grade) or three rows.
    Relevance(Vec<usize>),
    /// The labels are not grades of relevance.
    Other,
}

/// The names by which a single label is recognised as relevance.
const RELEVANCE: [&str; 6] = ["match", "relevance", "relevant", "score", "similar", "similarity"];

impl Labels {
    /// Reads `id2label` and `label2id`.
    pub(super) fn read(file: &ConfigFile) -> Self {
        let map = |key: &str| file.get(key).filter(|value| !value.is_null());
        let by_id = map("id2label").map(of_id2label).transpose();
        let by_label = map("label2id").map(of_label2id).transpose();
        let names = by_id.and_then(|by_id| match (by_id, by_label?) {
            // If one of the two keys has real names and the other has those that `transformers` writes for
            // unnamed labels, there is no contradiction.
            (Some(names), Some(others)) if is_unnamed(&others) => Ok(Some(names)),
            (Some(names), Some(others)) if is_unnamed(&names) => Ok(Some(others)),
            (Some(names), Some(others)) if names != others => Err(format!(
                "`id2label` says {} and `label2id` {}",
                names.join(", "),
                others.join(", ")
            )),
            (names, others) => Ok(names.or(others)),
        });
        match names {
            Ok(names) => Self { names: names.unwrap_or_default(), problem: None },
            Err(problem) => Self { names: Vec::new(), problem: Some(problem) },
        }
    }

    /// The names, in the order of the head's rows.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The order of the rows of a head of `count` labels. The error is a message, if the names contradict
    /// each other or the head.
    pub(super) fn order(&self, count: usize) -> Result<Order, String> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        if self.names.is_empty() {
            let relevance = (1..=Grade::COUNT).contains(&count);
            return Ok(if relevance {
                Order::Relevance((0..count).collect())
            } else {
                Order::Other
            });
        }
        if self.names.len() != count {
            return Err(format!(
                "`id2label` or `label2id` names {} labels ({}) where the head has {count}",
                self.names.len(),
                self.names.join(", ")
            ));
        }
        if count == 1 && RELEVANCE.contains(&plain(&self.names[0]).as_str()) {
            return Ok(Order::Relevance(vec![0]));
        }
        let Some(grades) = self.names.iter().map(|name| grade(name)).collect::<Option<Vec<_>>>()
        else {
            return Ok(Order::Other);
        };
        // Two labels must be the ends of the scale: by name, or as `LABEL_0` and `LABEL_1`.
        let wanted: &[&[usize]] = match count {
            1 => &[&[0]],
            2 => &[&[0, 1], &[0, 2]],
            3 => &[&[0, 1, 2]],
            _ => &[],
        };
        let found: BTreeSet<usize> = grades.iter().copied().collect();
        if !wanted.iter().any(|wanted| found.iter().eq(wanted.iter())) {
            return Ok(Order::Other);
        }
        let mut rows: Vec<usize> = (0..count).collect();
        rows.sort_by_key(|&row| grades[row]);
        Ok(Order::Relevance(rows))
    }
}

/// Whether labels have the names that `transformers` gives to unnamed ones: `LABEL_0`, `LABEL_1`, ….
fn is_unnamed(names: &[String]) -> bool {
    names.iter().enumerate().all(|(row, name)| *name == format!("LABEL_{row}"))
}

/// A name in lower case with single spaces between its words.
fn plain(name: &str) -> String {
    let words = name.to_lowercase().replace(['_', '-'], " ");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The grade that a label names by a word, by a number, or by a name such as `LABEL_1`, which `transformers`
/// gives to unnamed labels.
fn grade(name: &str) -> Option<usize> {
    match plain(name).as_str() {
        "irrelevant" | "not relevant" | "non relevant" | "label 0" | "grade 0" | "0" => Some(0),
        "partial" | "partially relevant" | "partly relevant" | "label 1" | "grade 1" | "1" => {
            Some(1)
        }
        "relevant" | "fully relevant" | "highly relevant" | "label 2" | "grade 2" | "2" => Some(2),
        _ => None,
    }
}

fn as_map<'a>(key: &str, value: &'a Value) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("`{key}` is {value}; expected an object"))
}

/// Sorts names by their numbers, which must be 0, 1, 2 and so on.
fn in_order(key: &str, mut pairs: Vec<(u64, String)>) -> Result<Vec<String>, String> {
    pairs.sort();
    let whole = pairs.iter().enumerate().all(|(place, (id, _))| *id == place as u64);
    let names: Vec<String> = pairs.into_iter().map(|(_, name)| name).collect();
    let unique: BTreeSet<&String> = names.iter().collect();
    if whole && unique.len() == names.len() {
        return Ok(names);
    }
    Err(format!("`{key}` does not give each number from 0 on one label ({})", names.join(", ")))
}

fn of_id2label(value: &Value) -> Result<Vec<String>, String> {
    let pairs = as_map("id2label", value)?.iter().map(|(id, name)| {
        let number = id.trim().parse().ok();
        let name = name.as_str().map(str::to_owned);
        number.zip(name).ok_or_else(|| {
            format!("`id2label` has `{id}`: {}; expected numbers and names", value[id])
        })
    });
    in_order("id2label", pairs.collect::<Result<_, _>>()?)
}

fn of_label2id(value: &Value) -> Result<Vec<String>, String> {
    let pairs = as_map("label2id", value)?.iter().map(|(name, id)| {
        let text = id.as_str().and_then(|id| id.trim().parse().ok());
        let number = id.as_u64().or(text);
        number
            .map(|number| (number, name.clone()))
            .ok_or_else(|| format!("`label2id` has `{name}`: {id}; expected a number"))
    });
    in_order("label2id", pairs.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    fn labels(json: Value) -> Labels {
        Labels::read(&ConfigFile::made(Path::new("config.json"), json))
    }

    fn rows(json: Value, count: usize) -> Vec<usize> {
        match labels(json).order(count).unwrap() {
            Order::Relevance(rows) => rows,
            Order::Other => panic!("not relevance"),
        }
    }

    #[test]
    fn grades_are_found_in_any_order_and_spelling() {
        let ids = |names: &[&str]| {
            let map: Map<String, Value> =
                names.iter().enumerate().map(|(i, name)| (i.to_string(), json!(name))).collect();
            json!({ "id2label": map })
        };
        assert_eq!(rows(json!({}), 3), [0, 1, 2]);
        assert_eq!(rows(json!({ "id2label": null, "label2id": null }), 2), [0, 1]);
        assert_eq!(rows(ids(&["relevant", "partial", "irrelevant"]), 3), [2, 1, 0]);
        assert_eq!(rows(ids(&["Partially_Relevant", "RELEVANT", "not-relevant"]), 3), [2, 0, 1]);
        assert_eq!(rows(ids(&["LABEL_2", "LABEL_0", "LABEL_1"]), 3), [1, 2, 0]);
        assert_eq!(rows(ids(&["1", "2", "0"]), 3), [2, 0, 1]);
        assert_eq!(rows(ids(&["relevant", "irrelevant"]), 2), [1, 0]);
        assert_eq!(rows(ids(&["LABEL_0", "LABEL_1"]), 2), [0, 1]);
        assert_eq!(rows(ids(&["LABEL_0"]), 1), [0]);
        assert_eq!(rows(ids(&["relevance"]), 1), [0]);
        let half_named = json!({
            "id2label": { "0": "relevant", "1": "partial", "2": "irrelevant" },
            "label2id": { "LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2 },
        });
        assert_eq!(rows(half_named, 3), [2, 1, 0]);
        let turned = json!({ "label2id": { "relevant": 0, "irrelevant": 2, "partial": "1" } });
        assert_eq!(rows(turned, 3), [2, 1, 0]);
    }

    #[test]
    fn other_labels_are_no_grades() {
        for (names, count) in [
            (json!({ "0": "contradiction", "1": "entailment", "2": "neutral" }), 3),
            (json!({ "0": "NEGATIVE", "1": "POSITIVE" }), 2),
            (json!({ "0": "toxic" }), 1),
            (json!({ "0": "partial", "1": "relevant" }), 2),
            (json!({ "0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2", "3": "LABEL_3" }), 4),
        ] {
            let found = labels(json!({ "id2label": names })).order(count).unwrap();
            assert_eq!(found, Order::Other, "{names}");
        }
        assert_eq!(labels(json!({})).order(4).unwrap(), Order::Other);
        let nli = json!({ "label2id": { "contradiction": 0, "entailment": 1, "neutral": 2 } });
        assert_eq!(labels(nli).order(3).unwrap(), Order::Other);
    }

    #[test]
    fn contradictions_are_told() {
        let problem = |json: Value, count| labels(json).order(count).unwrap_err();
        let two = json!({
            "id2label": { "0": "relevant", "1": "irrelevant" },
            "label2id": { "relevant": 1, "irrelevant": 0 },
        });
        let found = problem(two, 2);
        assert!(found.contains("relevant, irrelevant") && found.contains("label2id"), "{found}");
        let found = problem(json!({ "id2label": { "0": "relevant" } }), 3);
        assert!(found.contains("1 labels") && found.contains("has 3"), "{found}");
        for map in
            [json!({ "1": "a", "2": "b" }), json!({ "0": "a", "1": "a" }), json!({ "x": "a" })]
        {
            assert!(problem(json!({ "id2label": map }), 2).contains("id2label"));
        }
        assert!(problem(json!({ "label2id": { "a": 0, "b": 0 } }), 2).contains("label2id"));
        assert!(problem(json!({ "id2label": ["a", "b"] }), 2).contains("expected an object"));
    }
}
