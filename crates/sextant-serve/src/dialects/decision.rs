//! Decision APIs: questions about an input, answered with probabilities. What the two of them have in common.
//!
//! An encoder reads no instructions. It answers two questions only: how relevant two entities are to each other, on
//! a scale of three levels from the lowest to the highest, and whether they are relevant at all. Any other
//! question is refused with the reason, rather than answered by something that was not asked ([`super::question`]).

use super::document::Document;
use super::pairs::classify;
use super::question::{Levels, asks_how_relevant, level_names, levels, says_relevant};
use crate::error::ApiError;
use crate::native::{PairAnswer, RelevanceResponse, TaskName};
use crate::service::Service;
use serde_json::{Map, Value};
use sextant_core::{EntityKind, Task};

/// Answers the one pair of a request.
///
/// # Errors
/// The input is no pair, or has no answer.
pub(super) async fn decide(
    service: &Service,
    model: Option<String>,
    task: Option<TaskName>,
    input: Value,
) -> Result<(PairAnswer, RelevanceResponse), ApiError> {
    let of = task.map_or(service.default_task, |TaskName(task)| task);
    let pair = pair(input, of)?;
    let (mut answers, response) = classify(service, model, task, vec![pair]).await?;
    let answer = answers.pop().ok_or_else(ApiError::internal)?;
    Ok((answer, response))
}

/// The two entities of an input: a list of two, an object with `left` and `right`, with the kinds of the task's
/// entities as keys (`query` and `product`), or with `query` and `document`. A text may be the JSON of these.
fn pair(input: Value, task: Task) -> Result<(Document, Document), ApiError> {
    let pair = match input {
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => return pair(inner, task),
            _ => None,
        },
        Value::Array(items) => {
            <[Value; 2]>::try_from(items).ok().map(|[left, right]| (left, right))
        }
        Value::Object(mut fields) => named(&mut fields, task),
        _ => None,
    };
    let document =
        |value| serde_json::from_value::<Document>(value).map_err(|_| ApiError::internal());
    let (left, right) = pair.ok_or_else(|| no_pair(task))?;
    Ok((document(left)?, document(right)?))
}

fn named(fields: &mut Map<String, Value>, task: Task) -> Option<(Value, Value)> {
    let (left, right) = task.kinds();
    let keys: [(&str, &str); 3] =
        [("left", "right"), (name(left), name(right)), ("query", "document")];
    let has = |(left, right): &(&str, &str)| {
        left != right && fields.contains_key(*left) && fields.contains_key(*right)
    };
    let (left, right) = keys.into_iter().find(has)?;
    Some((fields.remove(left)?, fields.remove(right)?))
}

const fn name(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Query => "query",
        EntityKind::Product => "product",
        EntityKind::Type => "type",
    }
}

fn no_pair(task: Task) -> ApiError {
    ApiError::invalid(format!(
        "the input is no pair of {task}, and the models of this server compare two entities; give {{\"left\": …, \"right\": …}} as an object, or as the JSON of one"
    ))
}

/// Checks that a question about levels asks how relevant the two are, with the three levels in rising order.
///
/// # Errors
/// The levels are others or in another order, or the question is another one.
pub(super) fn check_levels(
    question: &str,
    name: &str,
    instructions: &Value,
    names: &[&str],
) -> Result<(), ApiError> {
    let Ok(three) = <&[&str; 3]>::try_from(names) else {
        return Err(ApiError::invalid(format!(
            "{question} has {} levels, and the models of this server know three: irrelevant, partial, relevant; give three levels from the lowest to the highest",
            names.len()
        )));
    };
    match levels(three) {
        Levels::Rising if asks_how_relevant(name, instructions, three) => Ok(()),
        Levels::Rising => Err(other_question(
            question,
            "ask how relevant the two are to each other, in plain words, or leave the instructions out",
        )),
        Levels::Disordered => Err(ApiError::invalid(format!(
            "the levels of {question} do not rise; give them from the lowest to the highest: irrelevant, partial, relevant"
        ))),
        Levels::Foreign => Err(ApiError::invalid(format!(
            "the levels of {question} are others than those that the models of this server know; call them irrelevant, partial and relevant, or by one of these names ({})",
            level_names()
        ))),
    }
}

/// Checks that a question about a statement is whether the two are relevant to each other.
///
/// # Errors
/// The question is another one, or its opposite.
pub(super) fn check_predicate(
    question: &str,
    name: &str,
    instructions: &Value,
) -> Result<(), ApiError> {
    if says_relevant(name, instructions) {
        return Ok(());
    }
    Err(other_question(
        question,
        "state that the two are relevant to each other and nothing else, such as \"The product is relevant to the query.\"",
    ))
}

fn other_question(question: &str, instead: &str) -> ApiError {
    ApiError::invalid(format!(
        "{question} does not plainly ask for relevance, or asks for its opposite, and the models of this server read no instructions; {instead}"
    ))
}

/// Refuses a kind of question.
pub(super) fn refuse_kind(question: &str) -> ApiError {
    ApiError::invalid(format!(
        "{question} is of a kind that the models of this server cannot answer; ask for a score of three levels, or whether the two are relevant to each other"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pairs_are_found_in_every_form() {
        for input in [
            json!({"left": "a", "right": "b"}),
            json!({"query": "a", "product": "b", "locale": "de"}),
            json!({"query": "a", "document": "b"}),
            json!(["a", "b"]),
            json!(r#"{"query": "a", "product": "b"}"#),
        ] {
            let (left, right) = pair(input.clone(), Task::QueryProduct).unwrap();
            assert_eq!((left.text(), right.text()), ("a".into(), "b".into()), "{input}");
        }
        for input in [json!("a"), json!({"query": "a"}), json!(["a"]), json!(7), json!("7")] {
            assert!(pair(input.clone(), Task::QueryProduct).is_err(), "{input}");
        }
        // Both sides of this task are queries, so that their kind tells nothing.
        assert!(pair(json!({"query": "a"}), Task::QueryQuery).is_err());
    }
}
