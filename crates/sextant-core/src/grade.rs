//! The three-point scale of relevance that all tasks share.

use crate::UnknownName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How relevant the two entities of a pair are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grade {
    /// 0: the entities have nothing to do with each other.
    Irrelevant = 0,
    /// 1: the entities are related, but not what was meant.
    Partial = 1,
    /// 2: one entity is what was meant by the other.
    Relevant = 2,
}

impl Grade {
    /// The number of grades, which is the width of every head.
    pub const COUNT: usize = 3;
    /// Every grade, lowest first.
    pub const ALL: [Self; Self::COUNT] = [Self::Irrelevant, Self::Partial, Self::Relevant];

    /// The grade as a class index, 0 to 2.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The grade with this class index.
    pub const fn from_index(index: usize) -> Option<Self> {
        match index {
            0 => Some(Self::Irrelevant),
            1 => Some(Self::Partial),
            2 => Some(Self::Relevant),
            _ => None,
        }
    }

    /// The grade's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Irrelevant => "irrelevant",
            Self::Partial => "partial",
            Self::Relevant => "relevant",
        }
    }
}

impl std::fmt::Display for Grade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Grade {
    type Err = UnknownName;

    /// Reads a grade's name, or its number in any notation, like `2`, `2.0` or `2.00`, which spreadsheets and
    /// decimals of databases contain.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = || text.parse::<f64>().ok();
        let of_number = || {
            number().and_then(|number| {
                Self::ALL.into_iter().find(|&grade| grade as u8 as f64 == number)
            })
        };
        Self::ALL.into_iter().find(|grade| grade.as_str() == text).or_else(of_number).ok_or_else(
            || UnknownName {
                what: "grade",
                found: text.to_owned(),
                expected: "0 (irrelevant), 1 (partial), 2 (relevant)".to_owned(),
            },
        )
    }
}

impl Serialize for Grade {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

impl<'de> Deserialize<'de> for Grade {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a grade: 0, 1, 2 or irrelevant, partial, relevant")]
        enum Raw {
            Number(f64),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Number(number) => number.to_string().parse(),
            Raw::Text(text) => text.parse(),
        }
        .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_and_names() {
        for grade in Grade::ALL {
            let i = grade.index();
            assert_eq!(Grade::from_index(i), Some(grade));
            for json in
                [format!("{i}"), format!("{i}.0"), format!("\"{i}.00\""), format!("\"{grade}\"")]
            {
                assert_eq!(serde_json::from_str::<Grade>(&json).unwrap(), grade, "{json}");
            }
            assert_eq!(serde_json::to_string(&grade).unwrap(), i.to_string());
        }
        assert_eq!(Grade::from_index(3), None);
    }

    #[test]
    fn refuses_what_is_not_on_the_scale() {
        for json in ["3", "-1", "1.5", "\"exact\"", "\"nan\"", "null", "true"] {
            assert!(serde_json::from_str::<Grade>(json).is_err(), "{json}");
        }
        let error = "4".parse::<Grade>().unwrap_err().to_string();
        assert!(error.contains("`4`") && error.contains("2 (relevant)"), "{error}");
    }
}
