use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::buffer::{dense, numbers, tensor};
use crate::kernels::cross_entropy;
use crate::{ClassTargets, simd};

/// Losses and logarithms of softmax sums, of dense logits.
fn run(logits: &FlexTensor, targets: &ClassTargets) -> (FlexTensor, Vec<f32>) {
    let [rows, columns] = [logits.shape()[0], logits.shape()[1]];
    let (losses, log_sums) =
        cross_entropy::forward(simd::level(), numbers(logits), columns, targets);
    (tensor(losses, [rows]), log_sums)
}

pub(super) fn forward(logits: FlexTensor, targets: &ClassTargets) -> FlexTensor {
    run(&dense(logits), targets).0
}

#[derive(Debug)]
struct Step;

#[derive(Clone, Debug)]
struct State {
    logits: FlexTensor,
    log_sums: Arc<Vec<f32>>,
    targets: Arc<ClassTargets>,
}

impl Backward<Flex, 1> for Step {
    type State = State;

    fn backward(self, ops: Ops<State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dlosses = dense(gradients.consume::<Flex>(&ops.node));
        let State { logits, log_sums, targets } = ops.state;
        if let [Some(node)] = ops.parents {
            let found = cross_entropy::backward(
                simd::level(),
                numbers(&logits),
                &log_sums,
                logits.shape()[1],
                &targets,
                numbers(&dlosses),
            );
            gradients.register::<Flex>(node.id, tensor(found, logits.shape()));
        }
    }
}

pub(super) fn tracked<C: CheckpointStrategy>(
    logits: FloatTensor<Autodiff<Flex, C>>,
    targets: Arc<ClassTargets>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let (logits, node) = logits.into_parts();
    let logits = dense(logits);
    let (losses, log_sums) = run(&logits, &targets);
    match Step.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            prepared.finish(State { logits, log_sums: Arc::new(log_sums), targets }, losses)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(losses),
    }
}
