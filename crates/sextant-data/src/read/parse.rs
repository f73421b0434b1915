//! Interprets the values of a record, by one set of rules for all formats.

use super::{Map, Record, RowFile, Value};
use crate::read_options::{Labels, ReadOptions};
use crate::{DataError, Format, Row, RowProblem, entity};
use sextant_core::{Behaviour, Entity, EntityKind, Event, Grade, Pair, Split, Task, UnknownName};
use std::str::FromStr;

type Field<T> = Result<T, RowProblem>;

pub(super) fn row(
    record: Record,
    row_file: &RowFile,
    options: &ReadOptions,
) -> Result<Row, DataError> {
    let Record { line, mut fields } = record;
    let cells_are_text = row_file.format != Format::Jsonl;
    let take = |fields: &mut Map<String, Value>, name: &str| {
        fields.shift_remove(name).filter(|value| {
            // An empty text and a null both count as an absent value. Only in JSONL is an empty side told
            // from an absent one.
            let is_side = !cells_are_text && (name == "left" || name == "right");
            !value.is_null() && (is_side || value.as_str() != Some(""))
        })
    };
    let at = |column: &'static str| {
        move |problem: RowProblem| row_file.error(line, Some(column), problem)
    };

    let task = task(take(&mut fields, "task"), options.default_task).map_err(at("task"))?;
    let (left_kind, right_kind) = task.kinds();
    let left =
        side(take(&mut fields, "left"), task, left_kind, cells_are_text).map_err(at("left"))?;
    let right =
        side(take(&mut fields, "right"), task, right_kind, cells_are_text).map_err(at("right"))?;
    let pair = Pair { task, left, right };
    // Columns of behaviour stay among those without a meaning, too: tables had columns of these names before they
    // meant something.
    let number = |name: &'static str| fields.get(name).map_or(Ok(None), count).map_err(at(name));
    let behaviour = match number("impressions")? {
        Some(impressions) => {
            let [clicks, carts, purchases] = Event::ALL.map(|event| number(event.as_str()));
            let counts = [clicks?, carts?, purchases?];
            let made = Behaviour::new(impressions, counts, number("propensity")?);
            Some(Box::new(made.map_err(|problem| at(problem.column())(problem.into()))?))
        }
        None => None,
    };
    let mut take = |name: &str| take(&mut fields, name);
    let grade = take("grade").map(grade).transpose().map_err(at("grade"))?;
    if grade.is_none() && options.labels == Labels::Required {
        return Err(at("grade")(RowProblem::Missing { task: false }));
    }
    let mut row = Row {
        line,
        pair,
        grade,
        id: take("id").map(label).transpose().map_err(at("id"))?.flatten(),
        group: take("group").map(label).transpose().map_err(at("group"))?.flatten(),
        weight: take("weight").map_or(Ok(1.0), weight).map_err(at("weight"))?,
        source: take("source").map(label).transpose().map_err(at("source"))?.flatten(),
        origin: take("origin").map(named).transpose().map_err(at("origin"))?,
        split: take("split").map(split).transpose().map_err(at("split"))?,
        behaviour,
        further: Vec::new(),
    };
    if options.further {
        row.further = fields.into_iter().filter_map(further).collect();
    }
    Ok(row)
}

/// A column without a meaning, as text; `None` if it is empty.
fn further((name, value): (String, Value)) -> Option<(String, String)> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text,
        other => other.to_string(),
    };
    (!text.trim().is_empty()).then_some((name, text))
}

/// The task that a row names, or else the default task.
pub(crate) fn task(value: Option<Value>, default: Option<Task>) -> Field<Task> {
    value.map_or_else(|| default.ok_or(RowProblem::Missing { task: true }), named::<Task>)
}

/// One side of a pair.
pub(crate) fn side(
    value: Option<Value>,
    task: Task,
    kind: EntityKind,
    cells_are_text: bool,
) -> Field<Entity> {
    let Some(value) = value else {
        // In a table, an absent value is an empty cell, and so an empty text; in JSONL the key is missing.
        return Err(if cells_are_text {
            RowProblem::EmptyText
        } else {
            RowProblem::Missing { task: false }
        });
    };
    let entity = entity::from_json(value, cells_are_text)?;
    match entity {
        Entity::Product(_) if kind != EntityKind::Product => {
            Err(RowProblem::NotAProductSide { task, kind })
        }
        entity => Ok(entity),
    }
}

fn named<T: FromStr<Err = UnknownName>>(value: Value) -> Field<T> {
    match value {
        Value::String(name) => Ok(name.trim().parse()?),
        other => Err(wrong_type(&other, "a name in quotes")),
    }
}

fn grade(value: Value) -> Field<Grade> {
    match value {
        Value::String(text) => Ok(text.trim().parse()?),
        Value::Number(number) => Ok(number.to_string().parse()?),
        other => Err(wrong_type(&other, "0, 1, 2 or irrelevant, partial, relevant")),
    }
}

/// A split, by any of its usual names, in upper or lower case.
fn split(value: Value) -> Field<Split> {
    match value {
        Value::String(name) => Ok(name.trim().to_ascii_lowercase().parse()?),
        other => Err(wrong_type(&other, "a name in quotes")),
    }
}

/// An identifier: a text without the white space around it; `None` if that is empty. A whole number gives the
/// same identifier whether it is written `17` or `17.0`, since some tools write the second if a value of the
/// column is missing.
fn label(value: Value) -> Field<Option<String>> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        other => return Err(wrong_type(&other, "a text or a number")),
    };
    let text = text.trim();
    let whole = text.split_once('.').map(|(whole, zeros)| (whole, zeros.trim_end_matches('0')));
    let digits = |whole: &str| {
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let text = match whole {
        Some((whole, "")) if digits(whole) && !text.ends_with('.') => whole,
        _ => text,
    };
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn weight(value: Value) -> Field<f32> {
    let number = match &value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let number = number.map(|number| number as f32);
    number.filter(|number| number.is_finite() && *number > 0.0).ok_or_else(|| {
        let found = value.as_str().map_or_else(|| entity::shorten(&value), |s| format!("`{s}`"));
        RowProblem::BadWeight { found }
    })
}

/// A number of behaviour; `None` if the value is absent.
fn count(value: &Value) -> Field<Option<f64>> {
    let number = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.map(Some).ok_or_else(|| wrong_type(value, "a number"))
}

fn wrong_type(value: &Value, expected: &'static str) -> RowProblem {
    RowProblem::WrongType { found: entity::shorten(value), expected }
}

/// The message of an error of `serde_json`, without its line: that is counted within the parsed text, which
/// is only one line, so that only the column is of use.
pub(crate) fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at character ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn identifiers_are_one_however_they_are_written() {
        for value in [json!(17), json!(17.0), json!("17"), json!(" 17.00\u{a0}")] {
            assert_eq!(label(value).unwrap().unwrap(), "17");
        }
        for value in [json!(""), json!(" \t")] {
            assert_eq!(label(value), Ok(None));
        }
        for text in ["17.5", "q17.0", "1.2.0", "17.", ".0", "-", "1e3"] {
            assert_eq!(label(json!(text)).unwrap().unwrap(), text);
        }
        assert_eq!(label(json!(-3.0)).unwrap().unwrap(), "-3");
        assert!(label(json!([1])).is_err());
        assert_eq!(split(json!(" Validation")), Ok(Split::Dev));
    }
}
