//! What a run was and what it cost.

use crate::LedgerEntry;
use serde::{Deserialize, Serialize};

/// Facts of one training run; facts that are not known are absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunFacts {
    /// The recipe: a file name or a short description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// The seed of all randomness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Parameters that the optimizer may change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trainable_parameters: Option<u64>,
    /// Distinct rows trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_rows: Option<u64>,
    /// Wall time of training, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_seconds: Option<f64>,
    /// Rows trained on per second of wall time, every epoch counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_per_second: Option<f64>,
    /// The most memory that the process held, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
}

impl From<&LedgerEntry> for RunFacts {
    fn from(entry: &LedgerEntry) -> Self {
        Self {
            recipe: None,
            seed: Some(entry.seed),
            trainable_parameters: Some(entry.trainable_parameters),
            train_rows: Some(entry.train_rows as u64),
            wall_seconds: Some(entry.seconds),
            rows_per_second: Some(entry.rows as f64 / entry.seconds.max(1e-9)),
            peak_memory_bytes: entry.peak_memory_bytes,
        }
    }
}

impl RunFacts {
    /// The names of the facts as CSV columns.
    pub(crate) const KEYS: [&'static str; 7] = [
        "recipe",
        "seed",
        "trainable_parameters",
        "train_rows",
        "wall_seconds",
        "rows_per_second",
        "peak_memory_bytes",
    ];

    /// The names of the facts as people read them.
    pub(crate) const LABELS: [&'static str; 7] =
        ["recipe", "seed", "trainable", "train rows", "wall time", "rows/s", "peak memory"];

    /// The facts as plain numbers, in the order of [`RunFacts::KEYS`].
    pub(crate) fn exact(&self) -> [String; 7] {
        fn text<T: ToString>(value: Option<&T>) -> String {
            value.map_or_else(String::new, ToString::to_string)
        }
        [
            text(self.recipe.as_ref()),
            text(self.seed.as_ref()),
            text(self.trainable_parameters.as_ref()),
            text(self.train_rows.as_ref()),
            text(self.wall_seconds.as_ref()),
            text(self.rows_per_second.as_ref()),
            text(self.peak_memory_bytes.as_ref()),
        ]
    }

    /// The facts in units that are easy to read, in the order of [`RunFacts::LABELS`].
    pub(crate) fn readable(&self) -> [String; 7] {
        let dash = || "–".to_owned();
        [
            self.recipe.clone().unwrap_or_else(dash),
            self.seed.map_or_else(dash, |seed| seed.to_string()),
            self.trainable_parameters.map_or_else(dash, count),
            self.train_rows.map_or_else(dash, |rows| rows.to_string()),
            self.wall_seconds.map_or_else(dash, spoken_duration),
            self.rows_per_second.map_or_else(dash, |rate| format!("{rate:.1}")),
            self.peak_memory_bytes.map_or_else(dash, mebibytes),
        ]
    }
}

/// `22.7 M`, `812 k`, `96`.
pub(crate) fn count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{:.0} k", n as f64 / 1e3),
        _ => format!("{:.1} M", n as f64 / 1e6),
    }
}

/// Seconds as people say them: `12.5 s`, `3 min 20 s`, `1 h 02 min`.
pub fn spoken_duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / (1024.0 * 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_units() {
        assert_eq!([count(9_999), count(812_300), count(22_713_216)], ["9999", "812 k", "22.7 M"]);
        assert_eq!(
            [spoken_duration(12.46), spoken_duration(200.4), spoken_duration(3725.0)],
            ["12.5 s", "3 min 20 s", "1 h 02 min"]
        );
        assert_eq!(mebibytes(1_572_864_000), "1500 MiB");
    }
}
