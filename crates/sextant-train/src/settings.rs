//! Reads a [`Recipe`], or another type that a TOML file describes, from TOML text and `--set key=value`.

use crate::{Recipe, TrainError};
use serde::de::DeserializeOwned;
use toml_edit::{DocumentMut, Item, Key, Table, Value};

/// Reads a recipe's text, and replaces or adds the key of each `key=value` in `settings`.
///
/// A key is dotted (`model.routing.private_layers`). A value is TOML, or, if it is not valid TOML, a string:
/// `--set seed=2`, `--set data.path=data/mine`, `--set 'tasks=["query-type"]'`.
pub fn parse_recipe(text: &str, origin: &str, settings: &[String]) -> Result<Recipe, TrainError> {
    parse_toml(text, origin, settings)
}

/// Does the same as [`parse_recipe`] for any type that a TOML file describes.
pub fn parse_toml<T: DeserializeOwned>(
    text: &str,
    origin: &str,
    settings: &[String],
) -> Result<T, TrainError> {
    let failed =
        |origin: &str, reason: String| TrainError::Recipe { origin: origin.into(), reason };
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| failed(origin, error.to_string()))?;
    for setting in settings {
        let flag = format!("--set {setting}");
        let (key, value) =
            setting.split_once('=').ok_or_else(|| failed(&flag, "expected key=value".into()))?;
        set(&mut document, key.trim(), value.trim()).map_err(|reason| failed(&flag, reason))?;
    }
    // The changed document is parsed again from text, so that errors show the line that they are about.
    let text = document.to_string();
    let failed = |reason: String| {
        let flags = settings.iter().map(|setting| format!("--set {setting}"));
        let origin = std::iter::once(origin.to_owned()).chain(flags).collect::<Vec<_>>().join(" ");
        failed(&origin, reason)
    };
    let read = toml::from_str(&text).map_err(|error| failed(error.to_string()))?;
    match sextant_data::surplus::<T>(&text) {
        Some((key, problem)) => Err(failed(format!("{key}: {problem}"))),
        None => Ok(read),
    }
}

/// The most parts that a dotted key may have, which is more than any key of a recipe has.
const DEEPEST: usize = 32;

fn set(document: &mut DocumentMut, key: &str, value: &str) -> Result<(), String> {
    let value: Value = value.parse().unwrap_or_else(|_| Value::from(value));
    // A part in quotes may hold dots, as the keys of a search do: `search.keys."optimizer.learning_rate"`.
    let parts = Key::parse(key).map_err(|_| format!("`{key}` is not a key"))?;
    let mut parts: Vec<&str> = parts.iter().map(Key::get).collect();
    // Each level is written as a table with its whole path, so the text grows with the square of the number
    // of levels.
    if parts.len() > DEEPEST {
        return Err(format!("a key of {} parts; recipes have at most {DEEPEST}", parts.len()));
    }
    let last = parts.pop().unwrap_or_default();
    let mut place = document.as_item_mut();
    for part in parts {
        let table = place
            .as_table_like_mut()
            .ok_or_else(|| format!("`{key}`: `{part}` is inside a value that is not a table"))?;
        place = table.entry(part).or_insert_with(|| Item::Table(Table::new()));
    }
    let table = place
        .as_table_like_mut()
        .ok_or_else(|| format!("`{key}`: what stands before `{last}` is not a table"))?;
    table.insert(last, Item::Value(value));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: &str = r#"
        name = "r"
        data = { path = "d" }
        [model]
        backbone = "minilm"
        routing = { prefix = false, heads = "per_task", private_layers = 2 }
    "#;

    fn parse(settings: &[&str]) -> Result<Recipe, String> {
        let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
        parse_recipe(RECIPE, "r.toml", &settings).map_err(|error| error.to_string())
    }

    #[test]
    fn published_recipes_are_recipes() {
        for (name, text) in [
            ("distillation", include_str!("../../../recipes/distillation.toml")),
            ("first-run", include_str!("../../../recipes/first-run.toml")),
        ] {
            let recipe = parse_recipe(text, name, &[]).unwrap();
            assert_eq!(recipe.teacher.is_some(), name == "distillation");
        }
    }

    #[test]
    fn a_key_may_not_be_endless() {
        let deep = vec!["a"; DEEPEST + 1].join(".");
        let error = parse(&[&format!("{deep}=1")]).unwrap_err();
        assert!(error.contains("a key of 33 parts"), "{error}");
    }

    #[test]
    fn settings_replace_and_add_keys() {
        let recipe = parse(&[
            "seed=7",
            "data.path=other/place",
            "model.routing.private_layers=1",
            "tasks=[\"query-type\"]",
            "batch.sampling={temperature=2.0}",
        ])
        .unwrap();
        assert_eq!((recipe.seed, recipe.model.routing.private_layers), (7, 1));
        assert_eq!(recipe.data.path.to_str(), Some("other/place"));
        assert_eq!(recipe.tasks, [sextant_core::Task::QueryType]);
        assert_eq!(recipe.batch.sampling, crate::Sampling::Temperature(2.0));
    }

    #[test]
    fn a_quoted_part_may_hold_dots() {
        let settings = ["keys.\"a.b\"=2", "keys.\"c.d\"={ choice = [1] }"].map(str::to_owned);
        let found: toml::Table = parse_toml("[keys]\n\"a.b\" = 1", "r.toml", &settings).unwrap();
        let expected = "keys = { \"a.b\" = 2, \"c.d\" = { choice = [1] } }".parse().unwrap();
        assert_eq!(found, expected);
        let error = parse(&["data..path=1"]).unwrap_err();
        assert!(error.contains("`data..path` is not a key"), "{error}");
    }

    #[test]
    fn mistakes_name_their_place() {
        for (setting, expected) in [
            ("batch.size=3", "unknown field `size`"),
            ("tasks=[\"query-brand\"]", "unknown task `query-brand`"),
            ("seed", "expected key=value"),
            ("name.x=1", "not a table"),
            ("model.pooling=max", "unknown variant `max`"),
            ("precision=f64", "f64"),
            ("loss.class_weights=[1.0,2.0,1.0,9.0]", "loss.class_weights: invalid length 4"),
            (
                "dev.decide={cost=[[0,2,5,9],[1,0,1],[1,1,0]]}",
                "dev.decide.cost[0]: invalid length 4",
            ),
            (
                "behaviour.rates={clicks=[0.02,0.08,0.2,0.9]}",
                "behaviour.rates.clicks: invalid length 4",
            ),
        ] {
            let error = parse(&[setting]).unwrap_err();
            assert!(error.contains(expected), "{setting}: {error}");
        }
        let error = parse_recipe("name = 'x'\nnmae = 3", "r.toml", &[]).unwrap_err().to_string();
        assert!(error.contains("r.toml") && error.contains("nmae"), "{error}");
    }
}
