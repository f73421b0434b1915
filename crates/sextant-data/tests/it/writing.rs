//! Written rows are read back unchanged.

use proptest::prelude::*;
use sextant_core::{Behaviour, Entity, Example, Grade, LabelOrigin, Product, Split, Task};
use sextant_data::{Format, ReadOptions, RowReader, read_examples, write_examples};
use sextant_files::Existing;

fn text() -> impl Strategy<Value = String> {
    // Texts with characters that formats quote and escape. Texts that begin with `{"` have their own test.
    "[a-z,;\"'\t\n\r{}é漢 ]{0,12}[a-z\"][,\"\n ]{0,3}"
        .prop_filter("opens like an object", |text| !text.trim_start().starts_with('{'))
}

fn product() -> impl Strategy<Value = Entity> {
    let lists =
        (prop::collection::vec((text(), text()), 0..3), prop::collection::vec(text(), 0..3));
    let fields = (text(), prop::option::of(text()), prop::option::of(text()), lists);
    fields.prop_map(|(title, brand, description, (attributes, type_path))| {
        Product { title, brand, description, attributes, type_path }.into()
    })
}

/// Counts, of which any but the impressions may be absent. They need not be whole numbers: some are estimates.
fn behaviour() -> impl Strategy<Value = Behaviour> {
    let share = || prop::option::of(0.0_f64..=1.0);
    let whole = prop_oneof![(0_u32..1_000_000).prop_map(f64::from), 0.0_f64..1e9];
    (whole, [share(), share(), share()], prop::option::of(1e-6_f64..=1.0)).prop_map(
        |(impressions, shares, propensity)| {
            let counts = shares.map(|share| share.map(|share| share * impressions));
            Behaviour::new(impressions, counts, propensity).unwrap()
        },
    )
}

fn example() -> impl Strategy<Value = Example> {
    // Identifiers are read without the white space around them.
    let group = text().prop_map(|text| text.trim().to_owned());
    let names = (prop::option::of("[a-z0-9]{1,4}"), prop::option::of(group));
    let behaviour = prop::option::of(behaviour().prop_map(Box::new));
    let rest = (0.001_f32..1e6, 0_usize..3, 0_usize..3, 0_usize..4, behaviour);
    (text(), prop_oneof![product(), text().prop_map(Entity::from)], names, rest).prop_map(
        |(left, right, (id, group), (weight, grade, origin, split, behaviour))| Example {
            id,
            group,
            weight,
            source: None,
            origin: LabelOrigin::ALL.get(origin).copied(),
            split: Split::ALL.get(split).copied(),
            behaviour,
            ..Example::new(Task::QueryProduct, left, right, Grade::from_index(grade).unwrap())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn examples_round_trip(examples in prop::collection::vec(example(), 0..8)) {
        let folder = tempfile::tempdir().unwrap();
        for format in Format::ALL {
            let path = folder.path().join(format!("rows.{}", format.extension()));
            write_examples(&path, &examples, Existing::Own).unwrap();
            let read = read_examples(&path, &ReadOptions::default()).unwrap();
            prop_assert_eq!(&read, &examples, "{:?}", format);
            let bytes = std::fs::read(&path).unwrap();
            write_examples(&path, &read, Existing::Own).unwrap();
            prop_assert_eq!(bytes, std::fs::read(&path).unwrap(), "the same bytes each time");
        }
    }
}

#[test]
fn large_files_stream_through_every_format() {
    let rows = 10_001; // These are several batches, of which the last one is shorter.
    let examples: Vec<_> = (0..rows)
        .map(|i| Example::new(Task::QueryQuery, format!("query {i}"), "b", Grade::Partial))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let path = folder.path().join(format!("rows.{}", format.extension()));
        write_examples(&path, &examples, Existing::Own).unwrap();
        let reader = RowReader::open(&path, &ReadOptions::default()).unwrap();
        let mut last = 0;
        for (i, row) in reader.enumerate() {
            let row = row.unwrap();
            assert_eq!(row.pair.left.text(), format!("query {i}"));
            last = row.line;
        }
        let header = u64::from(matches!(format, Format::Csv | Format::Tsv));
        assert_eq!(last, rows + header, "{format:?}");
    }
}

#[test]
fn refuses_what_it_could_not_write_faithfully() {
    let folder = tempfile::tempdir().unwrap();
    let row = |left: &str| Example::new(Task::QueryQuery, left, "b", Grade::Partial);
    for format in Format::ALL {
        let path = folder.path().join(format!("out.{}", format.extension()));
        // A text that would be read back as a product from a cell can be written only in JSONL.
        let result =
            write_examples(&path, &[row("a"), row("{\"title\": \"x\"}")], Existing::Refuse);
        if format == Format::Jsonl {
            result.unwrap();
            std::fs::remove_file(&path).unwrap();
        } else {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("row 2, column `left`: the text {\"title"), "{error}");
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is left behind");
    }
}
