//! Two thousand training steps with changing shapes do not let the memory of the caching allocator grow.

#![expect(clippy::unwrap_used, reason = "a test")]

use burn::tensor::{Device, Distribution, Tensor};
use sextant_kernels::{
    Activation, AttentionSpec, CachingAllocator, Precision, Segments, attention, linear,
};

#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new(64 << 20);

/// Forward and backward over a pack whose size depends on the step.
fn step(number: usize, weights: &[Tensor<2>; 2]) {
    let device = Device::flex().autodiff();
    let lengths: Vec<usize> = (0..4 + number % 5).map(|row| 3 + (row * 7 + number) % 29).collect();
    let segments = Segments::from_lengths(&lengths).unwrap();
    let x = Tensor::random([segments.tokens(), 128], Distribution::Default, &device);
    let [first, second] = weights.clone();
    let qkv = linear(x, first, None, Activation::None, Precision::Bf16);
    let y = attention(qkv, &segments, &AttentionSpec::new(4, 32));
    let y = linear(y, second, None, Activation::Gelu, Precision::F32);
    let gradients = y.sum().backward();
    assert!(weights.iter().all(|w| w.grad(&gradients).is_some()));
}

#[test]
fn two_thousand_steps_do_not_grow() {
    let device = Device::flex().autodiff();
    let weights = [[128, 384], [128, 256]]
        .map(|s| Tensor::random(s, Distribution::Default, &device).require_grad());
    let mut most = 0;
    for number in 0..2_000 {
        step(number, &weights);
        if number == 200 {
            most = ALLOCATOR.mapped();
        }
    }
    assert!(most > 0, "the steps use no large blocks");
    let now = ALLOCATOR.mapped();
    assert!(now <= most * 5 / 4, "grew from {most} to {now} bytes");
    assert!(ALLOCATOR.cached() <= 64 << 20);
    ALLOCATOR.release();
    assert_eq!(ALLOCATOR.cached(), 0);
}
