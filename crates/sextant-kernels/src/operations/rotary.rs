use burn::backend::TensorMetadata;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::run::run;
use crate::flex::buffer::{dense_floats, float_tensor, floats};
use crate::kernels::rotary;
use crate::operation::{AnyTensor, Gradients, Inputs, Operation, Wanted};
use crate::{AttentionSpec, Rotary, Segments, composed, simd};

/// Rotates the queries and keys of a fused projection by angles that depend on the position of each token in
/// its row.
///
/// `qkv` and the result have the layout that [`attention`](crate::attention) takes. Values (the third part)
/// are not changed.
///
/// # Panics
/// When the shape of `qkv` does not fit the segments and the spec, or there are frequencies for more numbers
/// than a head has.
pub fn rotary(
    qkv: Tensor<2>,
    segments: &Segments,
    spec: &AttentionSpec,
    rotary: &Rotary,
) -> Tensor<2> {
    assert!(
        qkv.dims() == [segments.tokens(), spec.qkv_width()],
        "rotary: input of {:?} where segments and heads ask for [{}, {}]",
        qkv.dims(),
        segments.tokens(),
        spec.qkv_width()
    );
    rotary.check(spec);
    let turn = Turn { segments: segments.clone(), spec: *spec, rotary: rotary.clone() };
    run(turn, ([qkv.into()], []))
}

#[derive(Clone, Debug)]
struct Turn {
    segments: Segments,
    spec: AttentionSpec,
    rotary: Rotary,
}

impl Turn {
    fn apply(&self, qkv: FlexTensor, back: bool) -> FlexTensor {
        let qkv = dense_floats(qkv);
        let Self { segments, spec, rotary } = self;
        let turned = rotary::turn(simd::level(), floats(&qkv), segments, spec, rotary, back);
        float_tensor(turned, qkv.shape())
    }
}

impl Operation<1> for Turn {
    const NAME: &'static str = "rotary";
    type Saved = ();

    fn composed(&self, ([qkv], []): Inputs<AnyTensor, 1>) -> AnyTensor {
        composed::rotary(qkv.into(), &self.segments, &self.spec, &self.rotary).into()
    }

    fn forward(&self, ([qkv], []): Inputs<FlexTensor, 1>, _: bool) -> (FlexTensor, ()) {
        (self.apply(qkv, false), ())
    }

    fn backward(&self, (): (), dy: FlexTensor, _: Wanted<1>) -> Gradients<1> {
        ([Some(self.apply(dy, true))], [])
    }
}
