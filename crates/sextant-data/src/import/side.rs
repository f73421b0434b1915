//! One side of a pair, made of the columns that the map names.

use super::ImportError;
use super::columns::{Place, Wanted};
use super::join::Record;
use super::map::TextSpec;
use super::side_spec::{AttributesSpec, Columns, SideSpec, TypePathSpec};
use super::table::TextBatch;
use super::text::clean;
use crate::clean::beginning;
use sextant_core::{Entity, EntityKind, Product};
use std::borrow::Cow;

/// What a row consists of while it is imported.
pub(super) struct Source<'a> {
    pub(super) batch: &'a TextBatch,
    pub(super) row: usize,
    pub(super) records: &'a [Record],
    pub(super) text: &'a TextSpec,
}

impl Source<'_> {
    /// The text at a place as it is, for identifiers and labels.
    pub(super) fn raw(&self, place: Place) -> Option<&str> {
        match place {
            Place::Ratings(column) => self.batch.get(column, self.row),
            Place::Joined(table, column) => self.records.get(table)?.values.get(column)?.as_deref(),
        }
    }

    /// The text at a place, cleaned. Those of joined tables were cleaned when they were read.
    fn cleaned(&self, place: Place) -> Option<Cow<'_, str>> {
        let text = self.raw(place)?;
        let text = match place {
            Place::Ratings(_) => Cow::Owned(clean(text, self.text)),
            Place::Joined(..) => Cow::Borrowed(text),
        };
        Some(text).filter(|text| !text.is_empty())
    }

    fn joined(&self, places: &[Place]) -> Option<String> {
        let texts: Vec<_> = places.iter().filter_map(|&place| self.cleaned(place)).collect();
        (!texts.is_empty()).then(|| texts.join(" "))
    }
}

/// A side, resolved.
pub(super) enum SidePlan {
    Text(Vec<Place>),
    Product(Box<ProductPlan>),
}

#[derive(Default)]
pub(super) struct ProductPlan {
    title: Vec<Place>,
    brand: Vec<Place>,
    description: Vec<Place>,
    attributes: Option<AttributesPlan>,
    type_path: Option<(Place, Option<String>)>,
}

enum AttributesPlan {
    Listed(Vec<(String, Place)>),
    Packed { column: Place, pairs: String, name_value: String },
    Table { table: usize, except: Vec<String> },
}

impl SidePlan {
    /// Resolves a side, whose name in the map is `key`.
    pub(super) fn new(
        key: &str,
        spec: &SideSpec,
        kind: EntityKind,
        wanted: &mut Wanted,
    ) -> Result<Self, ImportError> {
        let product = [
            ("title", spec.title.is_some()),
            ("brand", spec.brand.is_some()),
            ("description", spec.description.is_some()),
            ("attributes", spec.attributes.is_some()),
            ("type_path", spec.type_path.is_some()),
        ];
        let field = product.into_iter().find(|(_, given)| *given).map(|(name, _)| name);
        match (&spec.text, field) {
            (Some(_), Some(field)) => {
                let problem = format!(
                    "`text` is a plain text and `{field}` belongs to a product; say one of both"
                );
                return Err(ImportError::key(key, problem));
            }
            (None, Some(field)) if kind != EntityKind::Product => {
                let problem = format!(
                    "this side of the task is a {kind}, which has no `{field}`; say `text`"
                );
                return Err(ImportError::key(key, problem));
            }
            (None, _) if spec.title.is_none() => {
                let fields =
                    if kind == EntityKind::Product { "`title` (or `text`)" } else { "`text`" };
                return Err(ImportError::key(key, format!("say which column is its {fields}")));
            }
            _ => {}
        }
        let mut places = |columns: &Option<Columns>| -> Vec<Place> {
            let names = columns.iter().flat_map(Columns::names);
            names.map(|name| wanted.column(name)).collect()
        };
        if spec.text.is_some() {
            return Ok(Self::Text(places(&spec.text)));
        }
        let mut plan = ProductPlan {
            title: places(&spec.title),
            brand: places(&spec.brand),
            description: places(&spec.description),
            ..ProductPlan::default()
        };
        plan.type_path = spec.type_path.as_ref().map(|path| match path {
            TypePathSpec::Column(column) => (wanted.column(column), None),
            TypePathSpec::Split(split) => {
                (wanted.column(&split.column), Some(split.separator.clone()))
            }
        });
        plan.attributes = spec
            .attributes
            .as_ref()
            .map(|attributes| AttributesPlan::new(&format!("{key}.attributes"), attributes, wanted))
            .transpose()?;
        Ok(Self::Product(Box::new(plan)))
    }

    /// The entity of a row; `None` if it has no text.
    pub(super) fn entity(&self, source: &Source<'_>) -> Option<Entity> {
        match self {
            Self::Text(places) => source.joined(places).map(Entity::Text),
            Self::Product(plan) => Some(plan.product(source)?.into()),
        }
    }
}

impl ProductPlan {
    fn product(&self, source: &Source<'_>) -> Option<Product> {
        let description = source.joined(&self.description);
        Some(Product {
            title: source.joined(&self.title)?,
            brand: source.joined(&self.brand),
            description: description.map(|text| match source.text.max_description {
                Some(limit) => beginning(&text, limit).to_owned(),
                None => text,
            }),
            attributes: self.attributes.as_ref().map_or_else(Vec::new, |plan| plan.read(source)),
            type_path: self.type_path.as_ref().map_or_else(Vec::new, |(place, separator)| {
                let text = source.cleaned(*place).unwrap_or_default();
                types(&text, separator.as_deref())
            }),
        })
    }
}

/// The types in a text: a JSON list, or names with a separator between them.
fn types(text: &str, separator: Option<&str>) -> Vec<String> {
    if text.starts_with('[')
        && let Ok(list) = serde_json::from_str::<Vec<Option<String>>>(text)
    {
        return list.into_iter().flatten().collect();
    }
    let parts: Vec<&str> = match separator {
        Some(separator) => text.split(separator).collect(),
        None => vec![text],
    };
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

impl AttributesPlan {
    fn new(key: &str, spec: &AttributesSpec, wanted: &mut Wanted) -> Result<Self, ImportError> {
        Ok(match spec {
            AttributesSpec::Listed(listed) => {
                let listed = listed.iter();
                Self::Listed(listed.map(|[name, at]| (name.clone(), wanted.column(at))).collect())
            }
            AttributesSpec::Packed(packed) => {
                if packed.pairs.is_empty() || packed.name_value.is_empty() {
                    return Err(ImportError::key(key, "a separator is empty; say the characters"));
                }
                Self::Packed {
                    column: wanted.column(&packed.column),
                    pairs: packed.pairs.clone(),
                    name_value: packed.name_value.clone(),
                }
            }
            AttributesSpec::Table(table) => Self::Table {
                table: wanted.table(key, &table.table)?,
                except: table.except.clone(),
            },
        })
    }

    fn read(&self, source: &Source<'_>) -> Vec<(String, String)> {
        match self {
            Self::Listed(listed) => {
                let value = |place| source.cleaned(place).map(Cow::into_owned);
                let pairs = listed.iter().map(|(name, place)| Some((name.clone(), value(*place)?)));
                pairs.flatten().collect()
            }
            Self::Packed { column, pairs, name_value } => {
                let text = source.cleaned(*column).unwrap_or_default();
                let parts = text
                    .split(pairs.as_str())
                    .filter_map(|part| part.split_once(name_value.as_str()));
                let parts = parts.map(|(name, value)| (name.trim(), value.trim()));
                let whole = parts.filter(|(name, value)| !name.is_empty() && !value.is_empty());
                whole.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
            }
            Self::Table { table, except } => {
                let pairs = source.records.get(*table).map(|record| &record.attributes[..]);
                let pairs = pairs.unwrap_or_default().iter();
                pairs.filter(|(name, _)| !except.contains(name)).cloned().collect()
            }
        }
    }
}
