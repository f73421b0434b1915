//! The rows that a judge is asked about, and the rows with its grades.

use crate::{Answer, JudgeError, Ledger, pair_key};
use serde_json::{Map, Value, json};
use sextant_core::{LabelOrigin, Pair, Split};
use sextant_data::{DataError, DataFiles, ReadOptions, Row, RowReader, json_number};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

/// Reads the rows of a data set or a file, labelled or not. With `split`, only rows of this part are taken; a row
/// of a folder is of the part that its file's name states.
///
/// # Errors
/// The input cannot be read, or has no such row.
pub fn load_rows(
    path: &Path,
    options: &ReadOptions,
    split: Option<Split>,
) -> Result<Vec<Row>, JudgeError> {
    let mut rows = Vec::new();
    let parts = if path == Path::new("-") {
        vec![(None, path.to_owned())]
    } else {
        DataFiles::find(path)?.parts
    };
    for (part, path) in parts {
        if part.is_some_and(|part| split.is_some_and(|split| split != part)) {
            continue;
        }
        for row in RowReader::open(path, options)? {
            let row = row?;
            let row = Row { split: row.split.or(part), ..row };
            if split.is_none_or(|split| row.split == Some(split)) {
                rows.push(row);
            }
        }
    }
    if rows.is_empty() {
        let of = split.map_or(String::new(), |split| format!(" of the part `{split}`"));
        return Err(DataError::unusable(path, format!("there are no rows{of} to judge")).into());
    }
    Ok(rows)
}

/// Writes the rows that the ledger has an answer to as JSONL with the judge's grade in place of the row's. `probs`
/// has the judge's probabilities, `label_mass` how much the server gave to all labels, and `people` the grade
/// that the row had. Returns the number of rows.
///
/// # Errors
/// Writing fails.
pub fn write_judged(
    out: &mut impl Write,
    rows: &[Row],
    ledger: &Ledger,
) -> Result<usize, std::io::Error> {
    let mut written = 0;
    for row in rows {
        let Some(answer) = ledger.get(&pair_key(&row.pair)) else { continue };
        serde_json::to_writer(&mut *out, &judged(row, answer))?;
        out.write_all(b"\n")?;
        written += 1;
    }
    Ok(written)
}

/// The lines of a file that [`write_judged`] has written which are not those of `rows`: rows of other data, which the
/// same judge was asked about before. A row is known by its pair; of a pair that the file has more often than `rows`,
/// as after a run over fewer of them, the surplus is kept, too. None if there is no file.
///
/// # Errors
/// The file cannot be read, or a line is no row of a judge.
pub fn rows_of_other_data(path: &Path, rows: &[Row]) -> Result<Vec<String>, JudgeError> {
    let unusable = |problem: String| JudgeError::Unusable { path: path.to_owned(), problem };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unusable(format!("cannot read it: {error}"))),
    };
    // How many lines of each pair are written anew.
    let mut mine: HashMap<String, usize> = HashMap::new();
    for row in rows {
        *mine.entry(pair_key(&row.pair)).or_default() += 1;
    }
    let mut kept = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let pair: Pair = serde_json::from_str::<Value>(line)
            .and_then(|row| {
                let part = |name: &str| row.get(name).cloned().unwrap_or_default();
                let (task, left, right) = (part("task"), part("left"), part("right"));
                serde_json::from_value(json!({ "task": task, "left": left, "right": right }))
            })
            .map_err(|error| {
                unusable(format!("line {}: is no row of a judge: {error}; remove it", index + 1))
            })?;
        match mine.get_mut(&pair_key(&pair)) {
            Some(left) if *left > 0 => *left -= 1,
            _ => kept.push(line.to_owned()),
        }
    }
    Ok(kept)
}

fn judged(row: &Row, answer: &Answer) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    put("id", row.id.clone().map(Value::from));
    put("task", Some(json!(row.pair.task)));
    put("left", Some(json!(row.pair.left)));
    put("right", Some(json!(row.pair.right)));
    put("grade", Some(json!(answer.prediction().grade())));
    put("probs", Some(answer.probs.iter().map(|&p| json_number(p)).collect()));
    put("label_mass", Some(answer.label_mass.into()));
    put("people", row.grade.map(|grade| json!(grade)));
    put("group", row.group.clone().map(Value::from));
    put("weight", (row.weight != 1.0).then(|| json_number(row.weight)));
    put("source", row.source.clone().map(Value::from));
    put("origin", Some(json!(LabelOrigin::Derived)));
    put("split", row.split.map(|split| json!(split)));
    Value::Object(fields)
}
