//! Lists of TOML files that have more values than are wanted. The parser of TOML reads the first of them and passes over
//! the others in silence; that of JSON does not.

use serde::de::DeserializeOwned;

/// The key of a list that has more values than a `T` takes, and what is wrong with it. `text` is TOML that was read into
/// a `T` already.
pub fn surplus<T: DeserializeOwned>(text: &str) -> Option<(String, String)> {
    let table: toml::Table = text.parse().ok()?;
    let value = serde_json::to_value(table).ok()?;
    let error = serde_path_to_error::deserialize::<_, T>(value).err()?;
    let problem = error.inner().to_string();
    // Anything else, such as an infinity, which JSON does not have, TOML has read as it stands.
    problem.starts_with("invalid length").then(|| (error.path().to_string(), problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only read")]
    struct Lists {
        two: Option<[f64; 2]>,
        table: Option<[[u8; 2]; 2]>,
        any: Option<Vec<f64>>,
    }

    #[test]
    fn a_list_with_too_many_values_is_found_by_its_key() {
        let found = |text: &str| surplus::<Lists>(text).map(|(key, _)| key);
        assert_eq!(found("two = [1.0, inf]\nany = [1, 2, 3]\ntable = [[1, 2], [3, 4]]"), None);
        assert_eq!(found("two = [1.0, 2.0, 3.0]"), Some("two".into()));
        assert_eq!(found("table = [[1, 2], [3, 4, 5]]"), Some("table[1]".into()));
    }
}
