//! A page of errors, of made-up rows with hard texts.

use sextant_core::{Example, Grade, Prediction, Product, Task};
use sextant_eval::{ErrorOptions, Scored, analyse_errors};
use sextant_lab::{Document, ErrorRow};

/// The page's HTML: 600 rows, of which those of one shop with long queries are mostly wrong.
pub(crate) fn page() -> String {
    let mut examples = Vec::new();
    let mut predictions = Vec::new();
    let mut shops = Vec::new();
    for n in 0..600_usize {
        let query = match n % 4 {
            0 => "drill".to_owned(),
            1 => format!("cordless drill {n}v with <b>two</b> & \"three\" batteries"),
            2 => "x".repeat(90),
            _ => "電動ドリル 18V".to_owned(),
        };
        let product = Product {
            title: format!("Acme Drill No {n} for wood, metal and masonry"),
            brand: (n % 3 == 0).then(|| "Acme".to_owned()),
            description: (n % 2 == 0).then(|| "Two-speed drill with battery. ".repeat(20)),
            attributes: vec![("volts".into(), n.to_string())],
            type_path: vec!["Tools".into(), "Power tools".into()],
        };
        let grade = Grade::ALL[n % 3];
        let bad = n % 5 == 1 && n % 4 == 1;
        let answer = if bad || n % 17 == 0 { (n + 1) % 3 } else { n % 3 };
        let mut probs = [0.1_f32 + (n % 7) as f32 / 100.0; 3];
        probs[answer] = 1.0 - 2.0 * probs[answer];
        let example = Example::new(Task::QueryProduct, query, product, grade);
        examples.push(Example {
            group: Some(format!("g{}", n % 60)),
            source: Some(["human", "logs"][n % 2].to_owned()),
            ..example
        });
        predictions.push(Prediction::new(probs));
        shops.push(Some(format!("shop {}", n % 5)));
    }
    let references: Vec<&Example> = examples.iter().collect();
    let pairs = examples.iter().zip(&predictions);
    let scored: Vec<Scored<'_>> =
        pairs.map(|(example, &prediction)| Scored::of(example, prediction)).collect();
    let columns = [("shop".to_owned(), shops)];
    let found = analyse_errors(&references, &scored, &columns, &ErrorOptions::default()).unwrap();
    let origins: Vec<String> =
        (0..600).map(|n| format!("data/test.jsonl line {}", n + 1)).collect();
    let rows = examples.iter().zip(&predictions).zip(&origins);
    let rows: Vec<ErrorRow<'_>> = rows
        .map(|((example, &prediction), origin)| ErrorRow { example, prediction, origin })
        .collect();
    Document::of_errors(&found, &rows, "Errors of runs/mine/bundle on data", None)
        .to_html()
        .unwrap()
}
