//! Properties of whole markets, and of the examples that are drawn from them.

use super::*;
use proptest::prelude::*;
use sextant_core::{Entity, EntityKind, Example, Grade, LabelOrigin, Split, Task};
use std::collections::{BTreeMap, BTreeSet};

/// A market with all six departments, small enough to be generated quickly.
fn whole_market(seed: u64) -> Market {
    let departments = Node::DEPARTMENTS;
    let config = MarketConfig { seed, departments, products: 1200, queries: 1800, noise: 0.4 };
    Market::generate(&config).unwrap()
}

fn few() -> ExampleConfig {
    ExampleConfig::with_rows([2000, 1000, 1400, 1200, 1000, 800])
}

fn of_task(examples: &[Example], task: Task) -> Vec<&Example> {
    examples.iter().filter(|example| example.pair.task == task).collect()
}

/// The items of both sides of an example, found by their texts.
fn items<'a>(market: &'a Market, example: &Example) -> (&'a Item, &'a Item) {
    let (left, right) = example.pair.task.kinds();
    let find = |kind, entity: &Entity| market.find(kind, entity.text()).unwrap();
    (find(left, &example.pair.left), find(right, &example.pair.right))
}

/// The documented truth, implemented a second time in another way: with paths and sorted sets.
fn expected_grade(task: Task, left: &Item, right: &Item) -> u8 {
    let (a, b) = (left.meaning.node.path(), right.meaning.node.path());
    let parent = |path: &[&str]| path[..path.len() - 1].join("/");
    if a != b {
        let near =
            parent(&a) == parent(&b) || parent(&a) == b.join("/") || parent(&b) == a.join("/");
        return near.into();
    }
    let details = |item: &Item| -> BTreeSet<String> {
        item.meaning.details.iter().map(|(name, value)| format!("{name}={value}")).collect()
    };
    let (wanted, held) = (details(left), details(right));
    let agree = match task {
        Task::QueryProduct => wanted.is_subset(&held),
        Task::QueryQuery => wanted == held,
        Task::ProductProduct => left.product == right.product,
        _ => true,
    };
    if agree { 2 } else { 1 }
}

#[test]
fn same_seed_same_rows_other_seed_other_rows() {
    let rows = |seed| whole_market(seed).examples(&few()).unwrap();
    assert_eq!(rows(7), rows(7));
    let texts = |examples: &[Example]| -> BTreeSet<_> {
        examples.iter().map(|example| example.pair.clone()).collect()
    };
    let (one, other) = (texts(&rows(7)), texts(&rows(8)));
    assert!(one.intersection(&other).count() * 10 < one.len(), "other seeds differ in most rows");
}

#[test]
fn every_grade_follows_from_the_structures() {
    let market = whole_market(3);
    for example in market.examples(&few()).unwrap() {
        let (left, right) = items(&market, &example);
        let expected = expected_grade(example.pair.task, left, right);
        assert_eq!(example.grade as u8, expected, "{:?}", example.pair);
        assert_eq!(market.truth(&example.pair), Some(example.grade));
        assert_eq!((example.split, example.origin), (Some(left.split), Some(LabelOrigin::Derived)));
    }
}

#[test]
fn grades_are_balanced_and_volumes_are_met() {
    let demo = Market::generate(&MarketConfig::default()).unwrap();
    for (market, config) in [
        (&whole_market(7), few()),
        (&whole_market(7), ExampleConfig::skewed(6000)),
        (&demo, ExampleConfig::default()),
    ] {
        let examples = market.examples(&config).unwrap();
        for (&task, &wanted) in &config.rows {
            let rows = of_task(&examples, task);
            assert!(rows.len().abs_diff(wanted) <= wanted / 50 + 6, "{task}: {}", rows.len());
            for (split, share) in [(Split::Train, 0.7), (Split::Dev, 0.1), (Split::Test, 0.2)] {
                let part: Vec<_> = rows.iter().filter(|row| row.split == Some(split)).collect();
                let found = part.len() as f64 / rows.len() as f64;
                assert!((found - share).abs() < 0.02, "{task} {split}: {found}");
                for grade in Grade::ALL {
                    let count = part.iter().filter(|row| row.grade == grade).count();
                    let found = count as f64 / part.len() as f64;
                    assert!((0.25..=0.40).contains(&found), "{task} {split} {grade}: {found}");
                }
            }
        }
    }
}

#[test]
fn nothing_crosses_splits_but_words_do() {
    let market = whole_market(7);
    let examples = market.examples(&few()).unwrap();
    let mut homes: BTreeMap<(EntityKind, String), Split> = BTreeMap::new();
    let mut groups: BTreeMap<&str, Split> = BTreeMap::new();
    let mut intents: BTreeMap<&Meaning, Split> = BTreeMap::new();
    let mut words: BTreeMap<Split, BTreeSet<String>> = BTreeMap::new();
    for example in &examples {
        let split = example.split.unwrap();
        assert_eq!(*groups.entry(example.group.as_ref().unwrap()).or_insert(split), split);
        let (left, right) = items(&market, example);
        for item in [left, right] {
            let text = item.entity.text().to_lowercase();
            if item.kind != EntityKind::Type {
                assert_eq!(*intents.entry(&item.meaning).or_insert(item.split), split);
            }
            words.entry(split).or_default().extend(text.split(' ').map(str::to_owned));
            assert_eq!(*homes.entry((item.kind, text)).or_insert(split), split);
        }
    }
    let (test, train) = (&words[&Split::Test], &words[&Split::Train]);
    let known = test.intersection(train).count() as f64 / test.len() as f64;
    assert!(known > 0.8, "only typing slips may be new, yet {known} of the words are known");
}

#[test]
fn symmetric_tasks_come_in_both_orders() {
    let examples = whole_market(7).examples(&few()).unwrap();
    for task in Task::ALL.into_iter().filter(|task| task.is_symmetric()) {
        let rows = of_task(&examples, task);
        for [one, other] in rows.as_chunks::<2>().0 {
            assert_eq!((&one.pair.left, &one.pair.right), (&other.pair.right, &other.pair.left));
            assert_eq!((one.grade, &one.group), (other.grade, &other.group));
        }
        assert!(rows.len() > 100 && rows.len().is_multiple_of(2));
    }
}

/// The best pair of thresholds on the share of common words must be far from solving any task.
#[test]
fn shared_words_do_not_solve_the_tasks() {
    let examples = whole_market(7).examples(&few()).unwrap();
    let words = |text: &str| -> BTreeSet<String> {
        let lower = text.to_lowercase();
        lower.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
    };
    for task in Task::ALL {
        let rows: Vec<(f64, usize)> = of_task(&examples, task)
            .iter()
            .map(|row| (words(row.pair.left.text()), words(row.pair.right.text()), row.grade))
            .map(|(a, b, grade)| {
                let shared = a.intersection(&b).count() as f64 / a.union(&b).count() as f64;
                (shared, grade.index())
            })
            .collect();
        let right = |low: f64, high: f64| {
            let guess = |shared| usize::from(shared >= low) + usize::from(shared >= high);
            rows.iter().filter(|(shared, grade)| guess(*shared) == *grade).count()
        };
        let steps = || (0..=20).map(|step| f64::from(step) / 20.0);
        let best = steps().flat_map(|low| steps().map(move |high| (low, high)));
        let best = best.map(|(low, high)| right(low, high.max(low))).max().unwrap();
        let accuracy = best as f64 / rows.len() as f64;
        assert!((0.40..0.75).contains(&accuracy), "{task}: {accuracy}");
    }
}

#[test]
fn a_conflict_changes_one_task_only() {
    let market = whole_market(7);
    let plain = market.examples(&few()).unwrap();
    for rule in [Rule::Inverted, Rule::DetailsOnly] {
        let conflict = Some(Conflict { task: Task::QueryQuery, rule });
        let config = ExampleConfig { conflict, ..few() };
        let changed = market.examples(&config).unwrap();
        for task in Task::ALL {
            assert_eq!(of_task(&plain, task) == of_task(&changed, task), task != Task::QueryQuery);
        }
        let rows = of_task(&changed, Task::QueryQuery);
        let at_odds = rows.iter().filter(|row| market.truth(&row.pair) != Some(row.grade)).count();
        assert!(at_odds * 3 > rows.len(), "{rule:?}: {at_odds} of {}", rows.len());
        for row in rows {
            let (left, right) = items(&market, row);
            let (a, b) = (&left.meaning.details, &right.meaning.details);
            let expected = match rule {
                Rule::Inverted => 2 - expected_grade(Task::QueryQuery, left, right),
                _ if a == b => 2,
                _ => a.iter().any(|(name, value)| b.get(name) == Some(value)).into(),
            };
            assert_eq!(row.grade as u8, expected, "{rule:?} {:?}", row.pair);
        }
    }
}

#[test]
fn product_type_rows_hide_the_answer() {
    let examples = whole_market(7).examples(&few()).unwrap();
    let path = |example: &Example| match &example.pair.left {
        Entity::Product(product) => product.type_path.clone(),
        Entity::Text(text) => panic!("{text} is no product"),
    };
    assert!(of_task(&examples, Task::ProductType).iter().all(|row| path(row).is_empty()));
    assert!(of_task(&examples, Task::ProductProduct).iter().all(|row| path(row).len() == 3));
}

#[test]
fn impossible_wishes_are_refused_by_name() {
    let refused = |config: MarketConfig| Market::generate(&config).unwrap_err().to_string();
    let base = MarketConfig::default();
    assert!(refused(MarketConfig { products: 0, ..base.clone() }).contains("`products` is 0"));
    assert!(refused(MarketConfig { queries: 0, ..base.clone() }).contains("`queries` is 0"));
    assert!(refused(MarketConfig { departments: 7, ..base.clone() }).contains("from 1 to 6"));
    assert!(refused(MarketConfig { noise: f64::NAN, ..base.clone() }).contains("`noise` is NaN"));
    let market = Market::generate(&base).unwrap();
    let refused = |config: ExampleConfig| market.examples(&config).unwrap_err().to_string();
    assert!(refused(ExampleConfig { slate: 0, ..Default::default() }).contains("`slate` is 0"));
    let conflict = Some(Conflict { task: Task::TypeType, rule: Rule::DetailsOnly });
    let message = refused(ExampleConfig { conflict, ..few() });
    assert!(message.contains("type-type") && message.contains("inverted"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A market of any size is consistent: its numbers of rows are bounded, rows are unique, and grades are
    /// true.
    #[test]
    fn any_size_holds_together(
        seed in any::<u64>(),
        departments in 1..=Node::DEPARTMENTS,
        products in 1usize..400,
        queries in 1usize..400,
        noise in 0.0..=1.0f64,
        rows in 0usize..300,
        slate in 1usize..8,
    ) {
        let config = MarketConfig { seed, departments, products, queries, noise };
        let market = Market::generate(&config).unwrap();
        let count = |kind| market.items().iter().filter(|item| item.kind == kind).count();
        prop_assert!(count(EntityKind::Query) <= queries);
        prop_assert!(count(EntityKind::Query) == queries || products < 20);
        prop_assert!(count(EntityKind::Product) >= products);
        let examples = market.examples(&ExampleConfig { slate, ..ExampleConfig::equal(rows) }).unwrap();
        let mut pairs = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for example in &examples {
            let (left, right) = items(&market, example);
            prop_assert_eq!(example.grade as u8, expected_grade(example.pair.task, left, right));
            prop_assert_eq!(left.split, right.split);
            prop_assert!(left.name != right.name);
            prop_assert!(pairs.insert((example.pair.task, &left.name, &right.name)));
            prop_assert!(ids.insert(&example.id));
        }
        for task in Task::ALL {
            prop_assert!(of_task(&examples, task).len() <= rows + 1, "{} {}", task, rows);
        }
    }
}
