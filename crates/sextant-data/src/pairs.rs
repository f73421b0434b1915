//! The pairs in a record batch, decoded from its columns `task`, `left` and `right`.

use crate::arrow_values::values;
use crate::read::parse;
use crate::{RowProblem, json_text};
use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use serde_json::Value;
use sextant_core::{Pair, Task, Unrepeated};

/// Why a row of a batch is not a pair.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("column `{column}`: {problem}")]
pub struct PairError {
    /// The column at fault: `task`, `left` or `right`.
    pub column: &'static str,
    /// What is wrong with its value.
    pub problem: RowProblem,
}

/// The pair of each row.
///
/// Texts may have any Arrow type for text; a structured product is a struct or a map, JSON text, or
/// a value of the extension type `arrow.json`. If the batch lacks a column, all its values count as
/// absent; `default_task` is the task of rows that do not name a task.
///
/// # Errors
/// An array cannot be decoded at all.
pub fn pairs(
    batch: &RecordBatch,
    default_task: Option<Task>,
) -> Result<Vec<Result<Pair, PairError>>, ArrowError> {
    let [tasks, lefts, rights] = ["task", "left", "right"].map(|name| Cells::of(batch, name));
    let (mut tasks, mut lefts, mut rights) = (tasks?, lefts?, rights?);
    let pair = |_| {
        let error = |column| move |problem| PairError { column, problem };
        let task = tasks.next().map_err(error("task"))?;
        let left = lefts.next().map_err(error("left"))?;
        let right = rights.next().map_err(error("right"))?;
        let task = parse::task(task, default_task).map_err(error("task"))?;
        let (left_kind, right_kind) = task.kinds();
        let left = parse::side(left, task, left_kind, lefts.are_text).map_err(error("left"))?;
        let right =
            parse::side(right, task, right_kind, rights.are_text).map_err(error("right"))?;
        Ok(Pair { task, left, right })
    };
    Ok((0..batch.num_rows()).map(pair).collect())
}

/// The values of a column, in order; each value is taken once.
struct Cells {
    values: std::vec::IntoIter<Value>,
    /// Whether the values are texts of raw JSON, each of which is parsed when it is taken.
    raw: bool,
    /// Whether a text may be a product object written as text.
    are_text: bool,
}

impl Cells {
    fn of(batch: &RecordBatch, name: &str) -> Result<Self, ArrowError> {
        let Some((index, field)) = batch.schema_ref().column_with_name(name) else {
            return Ok(Self { values: Vec::new().into_iter(), raw: false, are_text: true });
        };
        let raw = json_text::is_json(field);
        Ok(Self { values: values(batch.column(index))?.into_iter(), raw, are_text: !raw })
    }

    /// The next value; `None` if it is absent, as nulls and empty cells are.
    fn next(&mut self) -> Result<Option<Value>, RowProblem> {
        let value = match self.values.next() {
            Some(Value::String(raw)) if self.raw => serde_json::from_str(&raw)
                .map(|Unrepeated(value)| value)
                .map_err(|error| RowProblem::BadJson(parse::without_line(&error)))?,
            value => value.unwrap_or_default(),
        };
        let absent = value.is_null() || (self.are_text && value.as_str() == Some(""));
        Ok((!absent).then_some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::Int8Type;
    use arrow_array::{
        ArrayRef, BinaryArray, DictionaryArray, LargeStringArray, StringArray, StringViewArray,
        StructArray,
    };
    use arrow_schema::{DataType, Field, Schema};
    use sextant_core::{Entity, Product};
    use std::sync::Arc;

    fn batch(columns: Vec<(Field, ArrayRef)>) -> RecordBatch {
        let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
    }

    fn column(name: &str, array: ArrayRef) -> (Field, ArrayRef) {
        (Field::new(name, array.data_type().clone(), true), array)
    }

    fn texts(pairs: &[Result<Pair, PairError>]) -> Vec<String> {
        let text = |pair: &Result<Pair, PairError>| match pair {
            Ok(pair) => format!("{} {} {}", pair.task, pair.left.text(), pair.right.text()),
            Err(error) => error.to_string(),
        };
        pairs.iter().map(text).collect()
    }

    #[test]
    fn texts_of_every_type_are_read() {
        let dictionary: DictionaryArray<Int8Type> =
            vec![Some("query-query"), None, Some("type-type")].into_iter().collect();
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["a", "b", "c"])),
            Arc::new(LargeStringArray::from(vec!["a", "b", "c"])),
            Arc::new(StringViewArray::from(vec!["a", "b", "c"])),
            Arc::new(BinaryArray::from(vec![b"a".as_slice(), b"b", b"c"])),
        ];
        for array in arrays {
            let batch = batch(vec![
                column("task", Arc::new(dictionary.clone())),
                column("left", array.clone()),
                column("right", array),
            ]);
            let pairs = pairs(&batch, Some(Task::QueryQuery)).unwrap();
            assert_eq!(texts(&pairs), ["query-query a a", "query-query b b", "type-type c c"]);
        }
    }

    #[test]
    fn products_are_structs_or_json_and_bad_rows_say_their_column() {
        let title: ArrayRef = Arc::new(StringArray::from(vec![Some("Drill"), Some(" "), None]));
        let brand: ArrayRef = Arc::new(StringArray::from(vec![None, Some("Acme"), None]));
        let fields = ["title", "brand"].map(|name| Field::new(name, DataType::Utf8, true));
        let valid = vec![true, true, false].into();
        let products = StructArray::new(fields.to_vec().into(), vec![title, brand], Some(valid));
        let left = StringArray::from(vec!["drill", "saw", "lamp"]);
        let batch =
            batch(vec![column("left", Arc::new(left)), column("right", Arc::new(products))]);
        let found = pairs(&batch, Some(Task::QueryProduct)).unwrap();
        let drill = Product { title: "Drill".into(), ..Product::default() };
        assert_eq!(found[0].as_ref().unwrap().right, Entity::from(drill.clone()));
        assert!(texts(&found)[1].starts_with("column `right`: the text is empty"));
        assert_eq!(texts(&found)[2], texts(&found)[1]);
        let found = pairs(&batch, None).unwrap();
        assert!(texts(&found)[0].starts_with("column `task`: no value; name the task"));
    }

    #[test]
    fn raw_json_is_parsed_and_its_strings_are_never_objects() {
        let raw = |name, values: Vec<Option<&'static str>>| -> (Field, ArrayRef) {
            (json_text::field(name), Arc::new(StringArray::from(values)))
        };
        let object = r#"{"title": "Drill", "attributes": {"volts": 18}}"#;
        let batch = batch(vec![
            raw(
                "left",
                vec![Some(r#""dr\u0069ll""#), Some(r#""{\"q\": 1}""#), Some("null"), Some("7")],
            ),
            raw("right", vec![Some(object); 4]),
        ]);
        let found = texts(&pairs(&batch, Some(Task::QueryProduct)).unwrap());
        assert!(found[0].starts_with("query-product drill Drill"), "{found:?}");
        assert!(found[1].starts_with("query-product {\"q\": 1} Drill"), "{found:?}");
        assert!(found[2].starts_with("column `left`: no value"), "{found:?}");
        assert!(found[3].starts_with("column `left`: found 7"), "{found:?}");
    }
}
