//! A map, resolved: every column has its place, and what cannot work is reported before anything is read.

use super::ImportError;
use super::columns::{Place, Wanted};
use super::condition::Test;
use super::label::LabelRule;
use super::language::LanguageFilter;
use super::map::{Aggregate, ImportMap};
use super::side::SidePlan;

/// What an import does with each row.
pub(super) struct Plan {
    pub(super) wanted: Wanted,
    pub(super) left: SidePlan,
    pub(super) right: SidePlan,
    /// The columns of the label and how they are read.
    pub(super) label: Option<(Vec<usize>, LabelRule)>,
    pub(super) rater: Option<usize>,
    pub(super) tests: Vec<Test>,
    pub(super) language: Option<LanguageFilter>,
    pub(super) row: RowPlan,
    /// The key columns of each joined table, among those of the ratings.
    pub(super) on: Vec<Vec<usize>>,
}

/// Where the columns come from that rows get beside pair and grade.
pub(super) struct RowPlan {
    pub(super) id: Option<Place>,
    pub(super) group: Option<Place>,
    pub(super) weight: Option<Place>,
    pub(super) split: Option<Place>,
    /// The columns of behaviour in the order of [`sextant_core::Behaviour::COLUMNS`], if there are any.
    pub(super) behaviour: Option<[Option<Place>; 5]>,
    /// Further columns by their names in the output.
    pub(super) further: Vec<(String, Place)>,
}

/// Column names that a column which is passed through must not have.
const TAKEN: [&str; 15] = crate::Row::COLUMNS;

impl Plan {
    pub(super) fn new(map: &ImportMap) -> Result<Self, ImportError> {
        let mut wanted = Wanted::new(map);
        let (left_kind, right_kind) = map.task.kinds();
        let left = SidePlan::new("left", &map.left, left_kind, &mut wanted)?;
        let right = SidePlan::new("right", &map.right, right_kind, &mut wanted)?;
        let mut on = Vec::new();
        for (name, table) in &map.tables {
            let names = table.on.as_ref().unwrap_or(&table.key);
            let key = |part: &str| format!("tables.{name}.{part}");
            if table.key.is_empty() {
                return Err(ImportError::key(key("key"), "name at least one column"));
            }
            if names.len() != table.key.len() {
                let problem = format!("{} columns for a key of {}", names.len(), table.key.len());
                return Err(ImportError::key(key("on"), problem));
            }
            if table.names.is_some() != table.values.is_some() {
                return Err(ImportError::key(
                    key("names"),
                    "`names` and `values` belong together; say both",
                ));
            }
            on.push(names.iter().map(|name| wanted.rating(name)).collect());
        }
        let label = match &map.label {
            Some(spec) => {
                let columns = spec.column.names().iter().map(|name| wanted.rating(name)).collect();
                Some((columns, LabelRule::new(spec)?))
            }
            None => None,
        };
        check_raters(
            map,
            label.as_ref().map_or(0, |(columns, _): &(Vec<usize>, _)| columns.len()),
        )?;
        let rater = map.raters.as_ref().and_then(|raters| raters.column.as_deref());
        let rater = rater.map(|name| wanted.rating(name));
        let tests = map.conditions.iter().map(|spec| Test::new(spec, &mut wanted));
        let tests = tests.collect::<Result<_, _>>()?;
        let language = map.language.as_ref().map(LanguageFilter::new).transpose()?;
        let row = RowPlan::new(map, &mut wanted)?;
        Ok(Self { wanted, left, right, label, rater, tests, language, row, on })
    }
}

fn check_raters(map: &ImportMap, label_columns: usize) -> Result<(), ImportError> {
    let Some(raters) = &map.raters else {
        return match label_columns {
            0 | 1 => Ok(()),
            _ => Err(ImportError::key(
                "label.column",
                "several columns are several raters; add [raters], which says how their grades become one",
            )),
        };
    };
    match label_columns {
        0 => return Err(ImportError::key("raters", "there are no grades without [label]")),
        1 => {}
        _ if raters.column.is_some() => {
            return Err(ImportError::key(
                "raters.column",
                "each column of the label is a rater; remove the key",
            ));
        }
        _ => {}
    }
    if raters.aggregate == Aggregate::DawidSkene && label_columns == 1 && raters.column.is_none() {
        return Err(ImportError::key(
            "raters.column",
            "the model of Dawid and Skene needs to know who rated what; name the column",
        ));
    }
    Ok(())
}

impl RowPlan {
    fn new(map: &ImportMap, wanted: &mut Wanted) -> Result<Self, ImportError> {
        let spec = &map.row;
        let mut place = |name: &Option<String>| name.as_ref().map(|name| wanted.column(name));
        let [id, group] = [&spec.id, &spec.group].map(&mut place);
        let [weight, split] = [&spec.weight, &spec.split].map(&mut place);
        let behaviour = spec
            .behaviour
            .as_ref()
            .map(|spec| spec.columns().map(|name| name.map(|name| wanted.column(name))));
        let mut place = |name: &Option<String>| name.as_ref().map(|name| wanted.column(name));
        let mut further = Vec::new();
        for (name, column) in [("query_id", &spec.query_id), ("doc_id", &spec.doc_id)] {
            further.extend(place(column).map(|place| (name.to_owned(), place)));
        }
        for column in &spec.keep {
            // A column of a joined table goes by its own name, without that of the table.
            let at = wanted.column(column);
            let name = match (at, column.split_once('.')) {
                (Place::Joined(..), Some((_, name))) => name,
                _ => column,
            };
            if TAKEN.contains(&name) || further.iter().any(|(taken, _)| taken == name) {
                let problem = format!("`{name}` is already a column of the rows; leave it out");
                return Err(ImportError::key("row.keep", problem));
            }
            further.push((name.to_owned(), at));
        }
        Ok(Self { id, group, weight, split, behaviour, further })
    }
}
