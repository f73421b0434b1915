//! Contradictions between answers about related pairs, on triples small enough to list by hand.

use sextant_core::{Example, Grade, Task};
use sextant_eval::{Bootstrap, PairSource, TripleKind, Triples};

fn row(task: Task, left: &str, right: &str) -> Example {
    Example::new(task, left, right, Grade::Relevant)
}

fn rows() -> Vec<Example> {
    vec![
        row(Task::QueryProduct, "sofa", "red sofa"),
        row(Task::QueryType, "sofa", "couch"),
        // Closes the first triple; another pair with the same entities by text changes nothing.
        row(Task::ProductType, "red sofa", "couch"),
        row(Task::QueryProduct, "sofa", "red sofa"),
        // Two rows of a triple whose third pair, "settee" and "red sofa", is no row.
        row(Task::QueryQuery, "settee", "sofa"),
        // A type that is called like a query is another entity.
        row(Task::TypeType, "sofa", "couch"),
    ]
}

#[test]
fn triples_take_pairs_that_are_no_rows_too() {
    let triples = Triples::of(&rows(), 100, 0);
    let found: Vec<_> =
        triples.pairs.iter().map(|p| (p.task, p.left.text(), p.right.text())).collect();
    assert_eq!(
        found,
        [
            (Task::QueryProduct, "sofa", "red sofa"),
            (Task::QueryType, "sofa", "couch"),
            (Task::ProductType, "red sofa", "couch"),
            (Task::QueryQuery, "settee", "sofa"),
            (Task::QueryProduct, "settee", "red sofa"),
        ]
    );
    // Where they come from: the first row that has the pair, or those that have its entities.
    let no_row = PairSource::Entities { left: 4, right: 0 };
    let rows = [0, 1, 2, 4].map(PairSource::Row);
    assert_eq!(triples.sources, [&rows[..], &[no_row]].concat());
}

#[test]
fn exactly_two_relevant_and_one_irrelevant_contradict_in_every_direction() {
    use Grade::{Irrelevant as No, Partial, Relevant as Yes};
    let triples = Triples::of(&rows(), 100, 0);
    let cases = [
        ([Yes, Yes, No], 1.0, Some([0, 0, 1])),
        ([Yes, No, Yes], 1.0, Some([0, 1, 0])),
        ([No, Yes, Yes], 1.0, Some([1, 0, 0])),
        ([Yes, Yes, Yes], 0.0, Some([0; 3])),
        ([Yes, Yes, Partial], 0.0, Some([0; 3])),
        ([Yes, No, No], 0.0, None),
        ([Partial, Yes, No], 0.0, None),
    ];
    for (grades, share, eligible) in cases {
        let all: Vec<Grade> = grades.into_iter().chain([No, No]).collect();
        let found = triples.consistency(&all, &Bootstrap::default()).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].kind, TripleKind::QueryProductType);
        assert_eq!(found[0].contradictory.mean.value, share, "{grades:?}");
        assert_eq!(found[0].contradictory.rows, 1);
        assert_eq!(found[0].of_relevant.is_some(), eligible.is_some(), "{grades:?}");
        assert_eq!(found[0].odd, eligible.unwrap_or([0; 3]), "{grades:?}");
        assert_eq!(found[1].contradictory.mean.value, 0.0);
    }
    // The unlabelled pair counts as any: settee ~ sofa ~ red sofa, yet settee is not red sofa.
    let found = triples.consistency(&[Yes, Yes, Yes, Yes, No], &Bootstrap::default()).unwrap();
    assert_eq!(found[1].contradictory.mean.value, 1.0);
    assert!(triples.consistency(&[Yes], &Bootstrap::default()).is_err());
}

#[test]
fn a_limit_draws_by_seed() {
    let rows: Vec<Example> = (0..30)
        .flat_map(|i| {
            let query = format!("query {i}");
            [row(Task::QueryType, &query, "hub"), row(Task::ProductType, &format!("p{i}"), "hub")]
        })
        .collect();
    let count = |triples: &Triples| {
        let grades = vec![Grade::Relevant; triples.pairs.len()];
        triples.consistency(&grades, &Bootstrap::default()).unwrap()[0].contradictory.rows
    };
    assert_eq!(count(&Triples::of(&rows, 10_000, 0)), 900);
    let (first, again, other) =
        (Triples::of(&rows, 50, 1), Triples::of(&rows, 50, 1), Triples::of(&rows, 50, 2));
    assert_eq!(count(&first), 50);
    assert_eq!(first.pairs, again.pairs);
    assert_ne!(first.pairs, other.pairs);
    assert!(Triples::of(&rows, 0, 0).pairs.is_empty());
}
