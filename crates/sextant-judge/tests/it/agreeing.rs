//! Agreement with people.

use sextant_core::{Example, Grade, Prediction, Task};
use sextant_eval::Bootstrap;
use sextant_judge::{AgreeOptions, Agreed, agree};

fn example(task: Task, grade: usize, source: &str, length: usize) -> Example {
    let source = Some(source.to_owned());
    Example { source, ..Example::new(task, "x".repeat(length), "y", Grade::ALL[grade]) }
}

fn sure(grade: usize) -> Prediction {
    let mut probs = [0.1; 3];
    probs[grade] = 0.8;
    Prediction::new(probs)
}

#[test]
fn a_judge_is_trusted_where_it_agrees_and_not_elsewhere() {
    // Right everywhere on one task; too kind on long rows of the other.
    let examples: Vec<Example> = (0..300)
        .map(|i| {
            let task = if i % 2 == 0 { Task::QueryProduct } else { Task::TypeType };
            let source = if i % 5 == 0 { "rare" } else { "usual" };
            example(task, i / 2 % 3, source, if i % 6 == 1 { 90 } else { 5 + i % 3 })
        })
        .collect();
    let judge = |example: &Example| {
        let wrong = example.pair.task == Task::TypeType && example.pair.left.text().len() > 50;
        let grade = example.grade.index();
        sure(if wrong { (grade + 1).min(2) } else { grade })
    };
    let rows: Vec<Agreed<'_>> = examples
        .iter()
        .map(|example| Agreed { example, answer: judge(example), label_mass: 0.5 })
        .collect();
    let bootstrap = Bootstrap { replicates: 200, ..Bootstrap::default() };
    let options = AgreeOptions { least_kappa: 0.9, bootstrap, ..AgreeOptions::default() };
    let found = agree(&rows, &options).unwrap();
    let [product, types] = [Task::QueryProduct, Task::TypeType].map(|task| found.tasks[&task]);
    assert!(product.trusted && product.quadratic_kappa.unwrap().value == 1.0);
    assert!(!types.trusted && types.quadratic_kappa.unwrap().interval.is_some());
    assert_eq!((found.label_mass, found.pooled.rows), (0.5, 300));
    // The slices say where it fails: on the longest rows, by too high a grade.
    let of_length: Vec<_> = found.slices.iter().filter(|slice| slice.by == "length").collect();
    let worst = of_length[0];
    assert!(worst.agreement < 0.9 && worst.bias > 0.0, "{worst:?}");
    assert!(worst.interval[0] < worst.agreement && worst.agreement < worst.interval[1]);
    for by in ["grade", "length", "source"] {
        let of: Vec<_> = found.slices.iter().filter(|slice| slice.by == by).collect();
        assert_eq!(of.iter().map(|slice| slice.rows).sum::<usize>(), 300, "{by}");
        assert!(of.is_sorted_by(|a, b| a.agreement <= b.agreement), "{by}");
    }
    assert!(agree(&[], &options).is_err());
    // Of few rows, or of many rows of few groups, an interval is a point, and says nothing.
    let few = agree(&rows[..40], &options).unwrap().tasks[&Task::QueryProduct];
    assert!(!few.trusted && few.groups == 20 && few.quadratic_kappa.unwrap().value == 1.0);
    let alike: Vec<Example> = (0..300)
        .map(|i| Example {
            group: Some((i % 2).to_string()),
            ..example(Task::QueryProduct, i % 3, "x", 5)
        })
        .collect();
    let rows: Vec<Agreed<'_>> = alike
        .iter()
        .map(|example| Agreed { example, answer: judge(example), label_mass: 0.5 })
        .collect();
    let found = agree(&rows, &options).unwrap().pooled;
    assert!(!found.trusted && found.groups == 2 && found.rows == 300, "{found:?}");
}
