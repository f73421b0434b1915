//! Measures whole steps of an encoder of MiniLM's size (6 layers, hidden 384, 12 heads, vocabulary 30522) in
//! milliseconds of wall clock time, on all threads: `cargo bench -p sextant-kernels --bench encoder`. The packs
//! have 32 rows, either of 64 tokens each or with the lengths of product search.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::hint::black_box;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use sextant_kernels::{
    Activation, AdamWStep, AttentionSpec, CachingAllocator, MomentFormat, PackedWeight, Precision,
    RowGradientSink, RowMoments, Segments, UntouchedRows, adamw, adamw_rows, add_layer_norm,
    attention, embedding_rows, linear, linear_packed,
};

#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new(1 << 30);

const LAYERS: usize = 6;
const HIDDEN: usize = 384;
const WIDE: usize = 1536;
const VOCABULARY: usize = 30_522;
const RUNS: usize = 5;
/// The lengths of 32 rows in tokens; their mean is 28.
const MIX: [usize; 32] = [
    8, 9, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 33, 35,
    37, 39, 41, 44, 48, 54, 63, 88,
];

/// A block of a transformer: the weights and biases of its linear layers, and the gammas and betas of its
/// norms.
#[derive(Clone)]
struct Block {
    weights: [(Tensor<2>, Tensor<1>); 4],
    norms: [(Tensor<1>, Tensor<1>); 2],
}

const SIZES: [(usize, usize); 4] =
    [(HIDDEN, 3 * HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, WIDE), (WIDE, HIDDEN)];

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let tensor = Tensor::random(shape, Distribution::Normal(0.0, 0.05), device);
    if device.is_autodiff() { tensor.require_grad() } else { tensor }
}

impl Block {
    fn new(device: &Device) -> Self {
        let vector = |n: usize| random([n], device);
        Self {
            weights: SIZES.map(|(i, o)| (random([i, o], device), vector(o))),
            norms: [(); 2].map(|()| (vector(HIDDEN), vector(HIDDEN))),
        }
    }

    /// Runs the block on `x`. `project` runs the linear layer with the given index.
    fn run(
        &self,
        x: Tensor<2>,
        segments: &Segments,
        project: impl Fn(usize, Tensor<2>, Activation) -> Tensor<2>,
    ) -> Tensor<2> {
        let norm = |i: usize, x: Tensor<2>, residual: Tensor<2>| {
            let (gamma, beta) = self.norms[i].clone();
            add_layer_norm(x, Some(residual), gamma, beta, 1e-12, None, Precision::F32)
        };
        let qkv = project(0, x.clone(), Activation::None);
        let mixed = attention(qkv, segments, &AttentionSpec::new(12, 32));
        let x = norm(0, project(1, mixed, Activation::None), x);
        let wide = project(2, x.clone(), Activation::Gelu);
        norm(1, project(3, wide, Activation::None), x)
    }
}

/// The median time of a computation, in milliseconds.
fn median(mut body: impl FnMut()) -> f64 {
    body();
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            body();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}

fn train(segments: &Segments, precision: Precision) -> f64 {
    let device = Device::flex().autodiff();
    let table = random([VOCABULARY, HIDDEN], &device);
    let blocks: Vec<Block> = (0..LAYERS).map(|_| Block::new(&device)).collect();
    let ids: Vec<i32> = (0..segments.tokens()).map(|i| (i * 7919 % VOCABULARY) as i32).collect();
    let ids = Tensor::<1, Int>::from_data(TensorData::from(&ids[..]), &device);
    let sink = RowGradientSink::new();
    let step = AdamWStep {
        lr: 1e-5,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.01,
        step: 1,
        grad_scale: 1.0,
    };
    let inner = table.clone().inner();
    let [rows, width] = inner.dims();
    let mut moments_of_rows = RowMoments::new(MomentFormat::F32, rows, width);
    let mut state = Some(inner);
    let mut moments: Vec<[Option<(Tensor<2>, Tensor<2>, Tensor<2>)>; 4]> = blocks
        .iter()
        .map(|block| {
            block.weights.clone().map(|(w, _)| {
                let w = w.inner();
                Some((w.clone(), w.zeros_like(), w.zeros_like()))
            })
        })
        .collect();
    median(|| {
        let mut x = embedding_rows(table.clone(), ids.clone(), &sink);
        for block in &blocks {
            x = block.run(x, segments, |i, x, activation| {
                let (weight, bias) = block.weights[i].clone();
                linear(x, weight, Some(bias), activation, precision)
            });
        }
        let gradients = x.sum().backward();
        for (block, moments) in blocks.iter().zip(&mut moments) {
            for ((w, _), moments) in block.weights.iter().zip(moments) {
                if let (Some(g), Some((p, m, v))) = (w.grad(&gradients), moments.take()) {
                    *moments = Some(adamw(p, g, m, v, &step));
                }
            }
        }
        if let (Some(rows), Some(p)) = (sink.take(), state.take()) {
            let moments = &mut moments_of_rows;
            state = Some(adamw_rows(p, &rows, moments, &step, UntouchedRows::Decay));
        }
    })
}

/// The time of the forward pass with packed weights, which have 8 bits if no precision is given.
fn score(segments: &Segments, precision: Option<Precision>) -> f64 {
    let device = Device::flex();
    let blocks: Vec<(Block, [PackedWeight; 4])> = (0..LAYERS)
        .map(|_| {
            let block = Block::new(&device);
            let packed = block.weights.clone().map(|(w, _)| match precision {
                Some(precision) => PackedWeight::new(w, precision),
                None => PackedWeight::int8(w),
            });
            (block, packed)
        })
        .collect();
    let x = random([segments.tokens(), HIDDEN], &device);
    median(|| {
        let mut x = x.clone();
        for (block, packed) in &blocks {
            x = block.run(x, segments, |i, x, activation| {
                let bias = block.weights[i].1.clone();
                linear_packed(x, &packed[i], Some(bias), activation)
            });
        }
        black_box(x);
    })
}

fn main() {
    println!("{:28} {:>8} {:>8} {:>8}", "milliseconds a pack", "f32", "bf16", "int8");
    for (name, lengths) in [("32 rows of 64", [64; 32]), ("32 rows, mean 28", MIX)] {
        let segments = Segments::from_lengths(&lengths).unwrap_or_else(|e| unreachable!("{e}"));
        let [f32, bf16] = Precision::ALL.map(|precision| train(&segments, precision));
        println!("{:28} {f32:8.1} {bf16:8.1}", format!("train {name}"));
        let [f32, bf16] = Precision::ALL.map(|precision| score(&segments, Some(precision)));
        let int8 = score(&segments, None);
        println!("{:28} {f32:8.1} {bf16:8.1} {int8:8.1}", format!("score {name}"));
    }
}
