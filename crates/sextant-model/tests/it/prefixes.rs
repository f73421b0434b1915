//! Leading tokens that rows share are computed once, and results do not change.

use crate::families::{DECODERS, folder, loaded, plain};
use crate::support::{assert_close, floats, matrix};
use burn::tensor::Device;
use proptest::prelude::*;
use sextant_core::Task;
use sextant_kernels::{Precision, ScorePrecision};
use sextant_model::backbone::Backbone;
use sextant_model::{
    ForwardContext, ModelSpec, PackInput, PackedWeights, Pooling, RelevanceModel, Routing,
    predict_rows,
};
use sextant_text::{Cut, EncodedRow, Pack, plan_shared};
use std::ops::ControlFlow::Continue;
use std::sync::Arc;

const PLAIN: Routing = Routing { prefix: false, ..Routing::TEXT_PREFIX };
const TASKS: [Task; 2] = [Task::QueryProduct, Task::QueryType];

fn model(family: &str, routing: Routing, pooling: Pooling) -> RelevanceModel {
    let backbone = Backbone::open(&folder(family)).unwrap();
    let spec = ModelSpec { routing, pooling, tasks: TASKS.to_vec(), ..plain(&backbone) };
    loaded(&folder(family), spec, &Device::flex())
}

/// Rows of two tasks over three ids, so that many begin alike and some are equal.
fn rows() -> impl Strategy<Value = Vec<EncodedRow>> {
    let row = (0..TASKS.len(), prop::collection::vec(3_u32..6, 1..14));
    let row = row.prop_map(|(task, ids)| EncodedRow {
        task: TASKS[task],
        segments: vec![0; ids.len()],
        ids,
        cut: Cut::default(),
    });
    prop::collection::vec(row, 1..20)
}

/// All rows as one pack, in the order in which they share the most tokens.
fn sorted(rows: &[EncodedRow]) -> Pack {
    let plan = plan_shared(rows, usize::MAX);
    assert_eq!(plan.len(), 1);
    Pack::new(&plan[0].iter().map(|&index| (index, &rows[index])).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6) })]

    #[test]
    fn shared_prefixes_change_no_logit(rows in rows()) {
        let context = || ForwardContext::inference(Precision::F32);
        let pack = sorted(&rows);
        for family in DECODERS {
            for (routing, pooling) in [
                (PLAIN, Pooling::Last),
                (Routing::MULTI_HEAD, Pooling::Mean),
                (Routing::mhp(1), Pooling::Last),
                (Routing::mhp(1), Pooling::Mean),
            ] {
                let model = model(family, routing, pooling);
                let what = format!("{family} {} {pooling:?}", routing.label());
                let whole = PackInput::new(&pack, &model.device()).unwrap();
                let shared = PackInput::sharing_prefixes(&pack, &model.device()).unwrap();
                let run = |input: &PackInput| floats(model.forward(input, &context()).unwrap());
                assert_close(&run(&shared), &run(&whole), 1e-5, &what);
                let states = |input: &PackInput| floats(model.hidden_states(input, &context()));
                assert_close(&states(&shared), &states(&whole), 1e-4, &what);
            }
        }
    }

    #[test]
    fn predictions_of_a_decoder_are_those_of_each_row_alone(
        rows in rows(), pack_tokens in 1_usize..60,
    ) {
        let model = model(DECODERS[0], Routing::mhp(1), Pooling::Last);
        let predict = |rows: &[EncodedRow], tokens| {
            let packed = Arc::new(PackedWeights::new(&model, ScorePrecision::F32));
            predict_rows(&model, rows, &packed, tokens, |_| Continue(())).unwrap()
        };
        for (row, found) in rows.iter().zip(predict(&rows, pack_tokens)) {
            let alone = predict(std::slice::from_ref(row), 4096);
            assert_close(&found.probs, &alone[0].probs, 1e-5, "probabilities");
        }
    }
}

/// A token of one row must not influence other rows that share the tokens before it.
#[test]
fn one_query_with_many_products_is_run_once() {
    let query: Vec<u32> = (1..31).collect();
    let row = |last: u32| EncodedRow {
        task: TASKS[0],
        ids: query.iter().copied().chain([last, last + 1]).collect(),
        segments: vec![0; 32],
        cut: Cut::default(),
    };
    let rows: Vec<_> = (10..20).map(row).collect();
    let model = model(DECODERS[0], PLAIN, Pooling::Last);
    let shared = PackInput::sharing_prefixes(&sorted(&rows), &model.device()).unwrap();
    assert_eq!(shared.ids.dims(), [30 + 10 * 2]);
    assert_eq!(shared.segments.tokens(), 320);
    let context = ForwardContext::inference(Precision::F32);
    let logits = matrix(model.forward(&shared, &context).unwrap());
    assert!(logits.windows(2).all(|pair| pair[0] != pair[1]), "rows differ in their last tokens");
}
