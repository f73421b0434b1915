//! Measures the operations at the sizes of a small encoder (hidden 384, 12 heads), forward and backward: `cargo
//! bench -p sextant-kernels`. The pack has 32 rows with the lengths of product search. Times are medians of a
//! few runs, in processor time summed over threads, so that other work on the machine disturbs them little.
//! With `RAYON_NUM_THREADS=1` they include no time of waiting threads.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(unsafe_code, reason = "the clock of the processor")]

use std::hint::black_box;

use burn::tensor::{Device, Distribution, Int, Tensor};
use sextant_kernels::{
    Activation, AdamWStep, AttentionSpec, CachingAllocator, Dropout, PackedWeight, Precision,
    Segments, adamw, add_layer_norm, attention, embedding, linear, linear_packed,
};

#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new(1 << 30);

const RUNS: usize = 9;
/// The lengths of 32 rows in tokens; their mean is 28.
const LENGTHS: [usize; 32] = [
    8, 9, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 33, 35,
    37, 39, 41, 44, 48, 54, 63, 88,
];

/// The processor time of this process, summed over threads, in seconds.
fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer leads to a variable of the type that the call writes, and nothing else accesses it
    // meanwhile.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// The median processor time of a computation, in milliseconds.
fn median(mut body: impl FnMut()) -> f64 {
    body();
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = processor_time();
            body();
            (processor_time() - start) * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 0.5), device)
}

/// Prints the times of an operation without and with its backward pass, and the rate of its
/// `multiplications` where it is a matrix product.
fn report(name: &str, multiplications: usize, operation: impl Fn(&Device) -> Tensor<2>) {
    let rate = |milliseconds: f64, products: usize| {
        (2 * multiplications * products) as f64 / milliseconds / 1e6
    };
    let forward = median(|| {
        black_box(operation(&Device::flex()));
    });
    let both = median(|| {
        black_box(operation(&Device::flex().autodiff()).sum().backward());
    });
    print!("{name:34} {forward:8.3} ms {both:8.3} ms with backward");
    if multiplications > 0 {
        print!("   {:4.0} and {:4.0} GFLOP/s", rate(forward, 1), rate(both, 3));
    }
    println!();
}

fn main() {
    let segments = Segments::from_lengths(&LENGTHS).unwrap_or_else(|e| unreachable!("{e}"));
    let tokens = segments.tokens();
    println!("{tokens} tokens in {} rows", segments.rows());
    for precision in Precision::ALL {
        for (inputs, outputs, activation) in [
            (384, 1536, Activation::Gelu),
            (1536, 384, Activation::None),
            (384, 1152, Activation::None),
            (384, 384, Activation::None),
        ] {
            let make = |device: &Device| {
                [random([tokens, inputs], device), random([inputs, outputs], device)]
            };
            let bias = |device: &Device| random::<1>([outputs], device);
            let plain = (make(&Device::flex()), bias(&Device::flex()));
            let device = Device::flex().autodiff();
            let tracked = (make(&device).map(Tensor::require_grad), bias(&device).require_grad());
            let name = format!("linear {precision} {inputs}x{outputs} {activation:?}");
            report(&name, tokens * inputs * outputs, |device| {
                let ([x, w], b) = if device.is_autodiff() { &tracked } else { &plain };
                linear(x.clone(), w.clone(), Some(b.clone()), activation, precision)
            });
        }
    }
    for (inputs, outputs) in [(384, 1536), (1536, 384), (384, 384)] {
        let device = Device::flex();
        let weight = PackedWeight::int8(random([inputs, outputs], &device));
        let x = random([tokens, inputs], &device);
        let time = median(|| {
            black_box(linear_packed(x.clone(), &weight, None, Activation::None));
        });
        let rate = (2 * tokens * inputs * outputs) as f64 / time / 1e6;
        println!("linear int8 {inputs}x{outputs}   {time:8.3} ms  {rate:4.0} GOP/s");
    }
    let drop = Dropout { probability: 0.1, seed: 1 };
    let pair = |plain: Tensor<2>| (Tensor::from_inner(plain.clone()).require_grad(), plain);
    let qkv = pair(random([tokens, 1152], &Device::flex()));
    let x = pair(random([tokens, 384], &Device::flex()));
    let on = |(tracked, plain): &(Tensor<2>, Tensor<2>), device: &Device| {
        if device.is_autodiff() { tracked.clone() } else { plain.clone() }
    };
    for dropout in [None, Some(drop)] {
        let spec = AttentionSpec { dropout, ..AttentionSpec::new(12, 32) };
        let name = if dropout.is_some() { "with dropout" } else { "" };
        report(&format!("attention {name}"), 0, |device| {
            attention(on(&qkv, device), &segments, &spec)
        });
        report(&format!("add_layer_norm {name}"), 0, |device| {
            let (gamma, beta) = (random([384], device), random([384], device));
            let x = on(&x, device);
            add_layer_norm(x.clone(), Some(x), gamma, beta, 1e-12, dropout, Precision::F32)
        });
    }
    let ids = |device: &Device| Tensor::<1, Int>::from_data(vec![7; tokens].as_slice(), device);
    let table = random([30_522, 384], &Device::flex());
    let tracked = Tensor::from_inner(table.clone()).require_grad();
    report("embedding", 0, |device| {
        let table = if device.is_autodiff() { &tracked } else { &table };
        embedding(table.clone(), ids(device))
    });
    let device = Device::flex();
    let mut state = Some([random([30_522, 384], &device), table.zeros_like(), table.zeros_like()]);
    let step = AdamWStep {
        lr: 1e-4,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.01,
        step: 5,
        grad_scale: 1.0,
    };
    let time = median(|| {
        if let Some([p, m, v]) = state.take() {
            let (p, m, v) = adamw(p, table.clone(), m, v, &step);
            state = Some([p, m, v]);
        }
    });
    println!("adamw 30522x384                    {time:8.3} ms");
}
