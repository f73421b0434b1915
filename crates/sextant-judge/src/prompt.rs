//! What a judge is asked.

use crate::JudgeError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sextant_core::{Entity, Grade, Pair, Task};
use sextant_files::hexadecimal;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// The most characters of a product's description that a judge is shown.
const DESCRIPTION: usize = 600;

/// A prompt: a system message, a question with places for the pair, and the levels of the scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The name by which people know it.
    pub name: String,
    /// Counts the changes that its author made.
    pub version: u32,
    /// What the judge is told once.
    pub system: String,
    /// What it is asked of a pair. `{instructions}`, `{scale}`, `{task}`, `{left_kind}`, `{left}`,
    /// `{right_kind}` and `{right}` are replaced.
    pub question: String,
    /// What `{instructions}` is for each task.
    pub instructions: BTreeMap<Task, String>,
    /// The levels, the lowest first.
    pub levels: Vec<Level>,
}

/// A level of the judge's scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// What the judge answers: one token of digits.
    pub label: String,
    /// The grade on our scale. Several levels may have the same.
    pub grade: Grade,
    /// What the level means.
    pub meaning: String,
}

/// A worked example: a pair with the grade that people gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shot {
    /// The pair.
    pub pair: Pair,
    /// The people's grade.
    pub grade: Grade,
}

impl Prompt {
    /// The names of the prompts that come with the program.
    pub const NAMES: [&str; 2] = ["three-point", "umbrela"];

    /// The prompt of one of [`Prompt::NAMES`], or the one in a TOML file.
    ///
    /// # Errors
    /// The file cannot be read, or is no usable prompt.
    pub fn open(name: &str) -> Result<Self, JudgeError> {
        match name {
            "three-point" => Self::parse(include_str!("../prompts/three-point.toml"), name),
            "umbrela" => Self::parse(include_str!("../prompts/umbrela.toml"), name),
            _ => {
                let text = std::fs::read_to_string(Path::new(name)).map_err(|error| {
                    let names = Self::NAMES.join(", ");
                    let problem = format!(
                        "is neither one of {names} nor a TOML file that can be read ({error})"
                    );
                    JudgeError::Prompt { name: name.to_owned(), problem }
                })?;
                Self::parse(&text, name)
            }
        }
    }

    /// Reads and checks the text of a prompt; `origin` names it in errors.
    pub fn parse(text: &str, origin: &str) -> Result<Self, JudgeError> {
        let refused = |problem: String| JudgeError::Prompt { name: origin.to_owned(), problem };
        let prompt: Self = toml::from_str(text).map_err(|error| refused(error.to_string()))?;
        match prompt.problem() {
            Some(problem) => Err(refused(problem)),
            None => Ok(prompt),
        }
    }

    fn problem(&self) -> Option<String> {
        for place in ["{left}", "{right}"] {
            if !self.question.contains(place) {
                return Some(format!("`question` has no place {place}"));
            }
        }
        let labels: Vec<&str> = self.levels.iter().map(|level| level.label.as_str()).collect();
        let digits = |label: &&str| label.len() == 1 && label.bytes().all(|b| b.is_ascii_digit());
        if let Some(label) = labels.iter().find(|label| !digits(label)) {
            return Some(format!("the label `{label}` is not a single digit"));
        }
        if !labels.is_sorted_by(|a, b| a < b) {
            return Some(format!("the labels {labels:?} are not ascending"));
        }
        if !self.levels.is_sorted_by_key(|level| level.grade) {
            return Some("the grades of the levels are not ascending".to_owned());
        }
        let lacking =
            Grade::ALL.into_iter().find(|grade| !self.levels.iter().any(|l| l.grade == *grade));
        lacking.map(|grade| format!("no level means the grade `{grade}`"))
    }

    /// The SHA-256 of everything that the judge is told besides the pair, in hexadecimal.
    pub fn hash(&self, shots: &[Shot]) -> String {
        let told = serde_json::to_vec(&json!({ "prompt": self, "shots": shots }));
        hexadecimal(&Sha256::digest(told.unwrap_or_default()))
    }

    /// The messages of a chat that asks about a pair, after the worked examples of its task.
    pub fn messages(&self, pair: &Pair, shots: &[Shot]) -> Value {
        let mut messages = vec![json!({ "role": "system", "content": self.system.trim() })];
        for shot in shots.iter().filter(|shot| shot.pair.task == pair.task) {
            messages.push(json!({ "role": "user", "content": self.question_of(&shot.pair) }));
            messages.push(json!({ "role": "assistant", "content": self.label_of(shot.grade) }));
        }
        messages.push(json!({ "role": "user", "content": self.question_of(pair) }));
        messages.into()
    }

    /// What a judge is asked of a pair.
    pub fn question_of(&self, pair: &Pair) -> String {
        let (left_kind, right_kind) = pair.task.kinds();
        let instructions = self.instructions.get(&pair.task).map_or("", String::as_str);
        let scale: Vec<String> =
            self.levels.iter().map(|level| format!("{}: {}", level.label, level.meaning)).collect();
        // The pair comes last, so that no text of the user's is taken for a place.
        let fixed = self
            .question
            .replace("{instructions}", instructions)
            .replace("{scale}", &scale.join("\n"))
            .replace("{task}", pair.task.as_str())
            .replace("{left_kind}", &capitalized(left_kind.as_str()))
            .replace("{right_kind}", &capitalized(right_kind.as_str()));
        let (before, after) = fixed.split_once("{left}").unwrap_or((&fixed, ""));
        let right = shown(&pair.right);
        let rest = |text: &str| text.replace("{right}", &right);
        format!("{}{}{}", rest(before), shown(&pair.left), rest(after)).trim().to_owned()
    }

    /// The label of a grade: the middle one of its levels.
    fn label_of(&self, grade: Grade) -> &str {
        let of_grade: Vec<&Level> = self.levels.iter().filter(|l| l.grade == grade).collect();
        of_grade.get(of_grade.len() / 2).map_or("", |level| level.label.as_str())
    }

    /// The probabilities of our grades from those of the levels, which need not sum to 1.
    pub(crate) fn to_grades(&self, levels: &[f64]) -> Option<[f32; Grade::COUNT]> {
        let sum: f64 = levels.iter().sum();
        if !(sum.is_finite() && sum > 0.0) {
            return None;
        }
        let mut probs = [0.0; Grade::COUNT];
        for (level, probability) in self.levels.iter().zip(levels) {
            probs[level.grade.index()] += probability / sum;
        }
        Some(probs.map(|p| p as f32))
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// An entity as a judge is shown it: a text as it is, a product by its fields, one a line.
fn shown(entity: &Entity) -> String {
    let Entity::Product(product) = entity else { return entity.text().trim().to_owned() };
    let mut lines = vec![product.title.trim().to_owned()];
    lines.extend(product.brand.iter().map(|brand| format!("Brand: {brand}")));
    if !product.type_path.is_empty() {
        lines.push(format!("Type: {}", product.type_path.join(" > ")));
    }
    let attributes = product.attributes.iter().map(|(name, value)| format!("{name}: {value}"));
    lines.extend(attributes);
    lines.extend(product.description.iter().map(|text| {
        let cut: String = text.chars().take(DESCRIPTION).collect();
        let more = if cut.len() < text.len() { "…" } else { "" };
        format!("Description: {cut}{more}")
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_core::Product;

    fn pair() -> Pair {
        let right = Product {
            title: "Red {left} sofa".into(),
            brand: Some("Acme".into()),
            description: Some("é".repeat(700)),
            ..Product::default()
        };
        Pair { task: Task::QueryProduct, left: "a {right} one".into(), right: right.into() }
    }

    #[test]
    fn places_are_filled_once_and_texts_are_not_read_as_places() {
        let prompt = Prompt::open("three-point").unwrap();
        let question = prompt.question_of(&pair());
        assert!(question.contains("Query: a {right} one\nProduct: Red {left} sofa\nBrand: Acme"));
        assert!(question.contains(&format!("{}…", "é".repeat(600))), "{question}");
        assert!(question.ends_with("Grade:") && question.contains("2: it is what was meant"));
    }

    #[test]
    fn shots_of_the_task_come_before_the_question() {
        let prompt = Prompt::open("umbrela").unwrap();
        let other = Pair { task: Task::QueryQuery, left: "a".into(), right: "b".into() };
        let shots = [
            Shot { pair: other, grade: Grade::Irrelevant },
            Shot { pair: pair(), grade: Grade::Partial },
        ];
        let messages = prompt.messages(&pair(), &shots);
        let roles: Vec<_> =
            messages.as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["system", "user", "assistant", "user"]);
        assert_eq!(messages[2]["content"], "2");
        assert_ne!(prompt.hash(&shots), prompt.hash(&shots[..1]));
    }

    #[test]
    fn four_levels_become_three_grades() {
        let prompt = Prompt::open("umbrela").unwrap();
        assert_eq!(prompt.to_grades(&[1.0, 1.0, 2.0, 4.0]), Some([0.125, 0.375, 0.5]));
        assert_eq!(prompt.to_grades(&[0.0; 4]), None);
        assert_eq!(prompt.to_grades(&[f64::NAN, 1.0, 0.0, 0.0]), None);
    }

    #[test]
    fn mistakes_in_a_prompt_are_named() {
        let text = include_str!("../prompts/three-point.toml");
        for (from, to, expected) in [
            ("{left}", "{lef}", "no place {left}"),
            ("label = \"1\"", "label = \"one\"", "single digit"),
            ("label = \"1\"", "label = \"3\"", "not ascending"),
            ("grade = \"partial\"", "grade = \"relevant\"", "`partial`"),
            ("version = 1", "versions = 1", "versions"),
        ] {
            let error = Prompt::parse(&text.replace(from, to), "mine.toml").unwrap_err();
            let error = error.to_string();
            assert!(error.contains("mine.toml") && error.contains(expected), "{to}: {error}");
        }
        let error = Prompt::open("no/such.toml").unwrap_err().to_string();
        assert!(error.contains("three-point, umbrela"), "{error}");
    }
}
