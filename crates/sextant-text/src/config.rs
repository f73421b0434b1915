//! How pairs become text. The configuration is part of every recipe and every bundle.

use crate::TextError;
use crate::template::{Template, placeholders};
use serde::{Deserialize, Serialize};
use sextant_core::{EntityKind, Task};

/// The `[text]` table of a recipe; it is also stored in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextConfig {
    /// The most tokens that a row may have, special tokens included.
    pub max_tokens: usize,
    /// Whether the text names the task.
    pub prefix: bool,
    /// The text that names the task, written before the left entity; `{task}` stands for the task's name.
    pub prefix_template: String,
    /// How entities are written as text.
    pub templates: Templates,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            max_tokens: 128,
            prefix: false,
            prefix_template: "task: {task} |".to_owned(),
            templates: Templates::default(),
        }
    }
}

/// One [`Template`] per kind of entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Templates {
    /// For queries: `{text}`.
    pub query: String,
    /// For products: `{title}`, `{brand}`, `{attributes}`, `{type_path}`, `{description}`.
    pub product: String,
    /// For product types: `{text}`.
    pub r#type: String,
}

impl Default for Templates {
    fn default() -> Self {
        Self {
            query: "{text}".to_owned(),
            product: "{title} | brand: {brand} | {attributes} | {type_path} | {description}"
                .to_owned(),
            r#type: "{text}".to_owned(),
        }
    }
}

/// The templates of a configuration, parsed and checked.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    by_kind: [Template; EntityKind::ALL.len()],
    prefix: Option<[String; Task::COUNT]>,
}

impl Compiled {
    pub(crate) fn template(&self, kind: EntityKind) -> &Template {
        &self.by_kind[kind as usize]
    }

    pub(crate) fn prefix(&self, task: Task) -> Option<&str> {
        self.prefix.as_ref().map(|prefix| prefix[task.index()].as_str())
    }
}

impl TextConfig {
    /// Checks the templates. [`Encoder::new`](crate::Encoder::new) also checks `max_tokens`, for
    /// which it needs the tokenizer.
    ///
    /// # Errors
    /// An unknown or repeated placeholder, an unmatched brace, or a missing required field. The error names
    /// the key and the template.
    pub fn validate(&self) -> Result<(), TextError> {
        self.compile().map(drop)
    }

    pub(crate) fn compile(&self) -> Result<Compiled, TextError> {
        let Templates { query, product, r#type } = &self.templates;
        let by_kind = [
            Template::parse(EntityKind::Query, "templates.query", query)?,
            Template::parse(EntityKind::Product, "templates.product", product)?,
            Template::parse(EntityKind::Type, "templates.type", r#type)?,
        ];
        let bad = |reason| TextError::Template {
            key: "prefix_template".to_owned(),
            template: self.prefix_template.clone(),
            reason,
        };
        let pieces = placeholders(&self.prefix_template, &["task"]).map_err(bad)?;
        if !pieces.contains(&Ok(0)) {
            return Err(bad("it must hold `{task}`, which names the task".to_owned()));
        }
        let prefix =
            self.prefix.then(|| Task::ALL.map(|task| self.prefix_of(task).unwrap_or_default()));
        Ok(Compiled { by_kind, prefix })
    }

    /// The text before the left entity of a task's pairs, if the configuration says that the text names the
    /// task.
    pub fn prefix_of(&self, task: Task) -> Option<String> {
        let written = || self.prefix_template.replace("{task}", task.as_str());
        self.prefix.then(|| written().trim().to_owned())
    }
}
