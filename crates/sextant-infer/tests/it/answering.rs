//! Checks that each row has a result of its own, in encoding and in answering, and that answering can be
//! stopped.

use crate::support::{ensemble, pairs, saved};
use sextant_core::{Example, Grade, Pair, PairRef, Prediction, Product, Task};
use sextant_eval::Vote;
use sextant_infer::{Scorer, ScorerRow};
use sextant_kernels::ScorePrecision;
use sextant_model::{Device, ModelError, Predictor, bundle};
use std::ops::ControlFlow;
use std::path::PathBuf;

const BOTH: [Task; 2] = [Task::QueryType, Task::TypeType];

fn encoded(scorer: &Scorer, pairs: &[Pair]) -> Vec<ScorerRow> {
    pairs.iter().map(|pair| scorer.encode(pair).unwrap()).collect()
}

fn bits(prediction: &Prediction) -> [u32; 3] {
    prediction.probs.map(f32::to_bits)
}

#[test]
fn a_pair_that_cannot_be_encoded_is_an_error_of_its_own_row_alone() {
    let place = tempfile::tempdir().unwrap();
    saved(place.path(), &BOTH, 1, false, None);
    let scorer = Scorer::open(place.path(), &Device::cpu(), ScorePrecision::F32).unwrap();
    let sofa = Product { title: "red sofa".into(), ..Product::default() };
    let rows = scorer.encode_each(&[
        PairRef::new(Task::QueryType, "red sofa", "sofas and lamps"),
        PairRef::new(Task::QueryType, "red sofa", " "),
        PairRef::new(Task::QueryProduct, "red sofa", &sofa),
        PairRef::new(Task::TypeType, "blue lamp", "sofas and lamps"),
    ]);
    let said = |row: usize| rows[row].as_ref().unwrap_err().to_string();
    assert!(said(1).contains("right text of the query-type pair is empty"), "{}", said(1));
    assert!(said(2).contains("was not trained for `query-product`"), "{}", said(2));
    let good: Vec<ScorerRow> = rows.into_iter().flatten().collect();
    assert_eq!(good.iter().map(ScorerRow::task).collect::<Vec<_>>(), BOTH);
    assert_eq!(scorer.answer(&good, |_| ControlFlow::Continue(())).unwrap().len(), 2);
}

/// Checks that the number of tokens of a row is the sum of the tokens that the models read.
#[test]
fn a_row_says_how_many_tokens_answering_it_takes() {
    let place = tempfile::tempdir().unwrap();
    let bundles: Vec<PathBuf> = ["a", "b"].iter().map(|name| place.path().join(name)).collect();
    saved(&bundles[0], &BOTH, 1, false, None);
    saved(&bundles[1], &BOTH[..1], 2, false, None);
    let device = Device::cpu();
    let opened = bundle::open(&bundles[0], &device).unwrap();
    let pairs = pairs();
    let tokens = |pair: &Pair| opened.encoder.encode(pair).unwrap().len();
    let one = Scorer::open(&bundles[0], &device, ScorePrecision::F32).unwrap();
    let two = ensemble(&place, &bundles, Vote::Soft);
    let two = Scorer::open(&two, &device, ScorePrecision::F32).unwrap();
    for pair in &pairs {
        assert_eq!(one.encode(pair).unwrap().tokens(), tokens(pair));
        let asked = if pair.task == Task::QueryType { 2 } else { 1 };
        assert_eq!(two.encode(pair).unwrap().tokens(), asked * tokens(pair));
    }
}

/// With mean pooling, one row whose answer is NaN makes all answers of its pack NaN.
#[test]
fn a_row_without_a_number_does_not_take_its_pack_with_it() {
    let place = tempfile::tempdir().unwrap();
    let bundles: Vec<PathBuf> =
        ["sound", "damaged"].iter().map(|name| place.path().join(name)).collect();
    saved(&bundles[0], &BOTH, 1, false, None);
    saved(&bundles[1], &BOTH, 3, false, Some("zinnia"));
    let vote = ensemble(&place, &bundles, Vote::Majority);
    let mut spoiled = pairs();
    for (row, task) in [(4, Task::QueryType), (9, Task::TypeType), (15, Task::TypeType)] {
        spoiled[row] = Example::new(task, "zinnia seed", "red sofa", Grade::Partial).pair;
    }
    for folder in [&bundles[1], &vote] {
        for precision in ScorePrecision::ALL {
            let scorer = Scorer::open(folder, &Device::cpu(), precision).unwrap();
            let rows = encoded(&scorer, &spoiled);
            let answers = scorer.answer(&rows, |_| ControlFlow::Continue(())).unwrap();
            assert_eq!(answers.len(), spoiled.len());
            for (row, (answer, encoded)) in answers.iter().zip(&rows).enumerate() {
                let faulty = [4, 9, 15].contains(&row);
                assert_eq!(answer.is_err(), faulty, "{precision}, row {row}: {answer:?}");
                let Ok(answer) = answer else { continue };
                let alone = scorer.predict_rows(std::slice::from_ref(encoded)).unwrap();
                assert_eq!(bits(answer), bits(&alone[0]), "{precision}, row {row}");
            }
            let fault = answers[9].as_ref().unwrap_err();
            assert_eq!(fault.task, Task::TypeType);
            assert_eq!(fault.member.is_some(), folder == &vote, "{fault}");
            let first = scorer.predict_rows(&rows);
            assert!(matches!(first, Err(ModelError::NonFinite { row: 4, .. })), "{first:?}");
        }
    }
}

#[test]
fn answering_can_be_stopped_between_packs() {
    let place = tempfile::tempdir().unwrap();
    saved(place.path(), &BOTH, 1, false, None);
    let scorer = Scorer::open(place.path(), &Device::cpu(), ScorePrecision::F32).unwrap();
    let few = pairs();
    let row = scorer.encode(&few[0]).unwrap();
    // More than two packs.
    let rows = vec![row.clone(); 3 * Predictor::PACK_TOKENS / row.tokens()];
    let mut heard = Vec::new();
    let stopped = scorer.answer(&rows, |rows| {
        heard.push(rows);
        if heard.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(ModelError::Stopped)), "{stopped:?}");
    assert!(heard.len() == 2 && heard.iter().sum::<usize>() < rows.len(), "{heard:?}");
    let mut all = 0;
    let whole = scorer.answer(&rows, |rows| {
        all += rows;
        ControlFlow::Continue(())
    });
    assert_eq!((whole.unwrap().len(), all), (rows.len(), rows.len()));
}
