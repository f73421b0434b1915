//! What an output column is called and holds.

use serde_json::Value;

/// A column of an output file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds. Parquet needs to know; text formats only check it.
    pub kind: ColumnKind,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text; any other value as its JSON.
    Text,
    /// Whole numbers of 64 bits.
    Integer,
    /// Numbers.
    Number,
    /// True or false.
    Boolean,
    /// Lists of numbers, such as probabilities. In CSV, their JSON.
    Numbers,
}

impl Column {
    /// A column of any name and kind.
    pub fn new(name: impl Into<String>, kind: ColumnKind) -> Self {
        Self { name: name.into(), kind }
    }

    /// One of [`Row::COLUMNS`](crate::Row::COLUMNS), of the kind that it has.
    pub fn known(name: &str) -> Self {
        Self::known_or(name, ColumnKind::Text)
    }

    /// A column of the kind that its name has, or else of `kind`.
    pub(crate) fn known_or(name: &str, kind: ColumnKind) -> Self {
        let kind = match name {
            "grade" => ColumnKind::Integer,
            "weight" => ColumnKind::Number,
            "id" | "task" | "left" | "right" | "group" | "source" | "origin" | "split" => {
                ColumnKind::Text
            }
            _ => kind,
        };
        Self::new(name, kind)
    }
}

impl ColumnKind {
    /// The name used in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Numbers => "a list of numbers",
        }
    }

    /// Whether a column of this kind can hold `value`.
    pub(crate) fn holds(self, value: &Value) -> bool {
        match self {
            Self::Text => true,
            Self::Integer => value.is_i64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Numbers => value.as_array().is_some_and(|list| list.iter().all(Value::is_number)),
        }
    }

    /// The narrowest kind that holds `value`; none for null, which every kind holds.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        let kinds = [Self::Integer, Self::Number, Self::Boolean, Self::Numbers];
        let narrowest = || kinds.into_iter().find(|kind| kind.holds(value));
        (!value.is_null()).then(|| narrowest().unwrap_or(Self::Text))
    }

    /// The narrowest kind that holds what either holds.
    pub(crate) fn widened_to(self, other: Self) -> Self {
        match (self, other) {
            (one, two) if one == two => one,
            (Self::Integer, Self::Number) | (Self::Number, Self::Integer) => Self::Number,
            _ => Self::Text,
        }
    }
}

/// A value as the text of a cell.
pub(super) fn cell(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
