//! Single products of the shapes that models have, beside those of OpenBLAS and MKL: what the kernels lose, or win,
//! before anything else of a step is counted.

use super::Times;
use super::table::median;
use burn::tensor::{Device, Distribution, Tensor};
use sextant_kernels::{Activation, Precision, linear, profile};
use std::collections::BTreeMap;
use std::time::Instant;

/// The shapes `rows x depth x columns`, and what has them. `benches/peers/products.py` reads the numbers from the
/// names of cases.
pub(crate) const SHAPES: [(&str, &str); 10] = [
    ("2048x384x1152", "MiniLM: queries, keys and values"),
    ("2048x384x1536", "MiniLM: up"),
    ("2048x1536x384", "MiniLM: down"),
    ("384x2048x1536", "MiniLM: gradient of up's weight"),
    ("96x384x1536", "MiniLM: a branch's few rows"),
    ("2048x768x3072", "BERT-base, DeBERTa: up"),
    ("2048x3072x768", "BERT-base, DeBERTa: down"),
    ("2048x576x1536", "SmolLM2: gate"),
    ("1024x64x256", "a small encoder: up"),
    ("2048x2048x2048", "a large square"),
];

/// The contenders, as the last words of cases: ours, NumPy's OpenBLAS and PyTorch's MKL.
const CONTENDERS: [&str; 3] = ["ours", "openblas", "mkl"];

/// What a measurement computes altogether, so that short products are not lost in the clock's steps. The peers'
/// script has the same number.
const OPERATIONS: f64 = 2e10;

/// The name of a contender's case.
pub(crate) fn case(shape: &str, who: &str) -> String {
    format!("product {shape} f32 {who}")
}

/// The names of the peers' cases.
pub(crate) fn peer_cases() -> Vec<String> {
    let peers = |(shape, _)| CONTENDERS[1..].iter().map(move |who| case(shape, who));
    SHAPES.into_iter().flat_map(peers).collect()
}

/// The factors of products, and where the time of the last ones went.
#[derive(Default)]
pub(crate) struct Products {
    factors: BTreeMap<String, [Tensor<2>; 2]>,
    /// Of each shape, the share of the threads' time that packing takes, and the rate of the rest in operations a
    /// second.
    shares: BTreeMap<String, (f64, f64)>,
}

impl Products {
    /// Runs the products of a shape, and returns the milliseconds of one.
    pub(crate) fn run(&mut self, shape: &str) -> anyhow::Result<f64> {
        let [rows, depth, columns] = numbers(shape)?;
        let [x, w] = self.factors.entry(shape.to_owned()).or_insert_with(|| {
            let device = Device::flex();
            let random = |dims: [usize; 2]| {
                Tensor::<2>::random(dims, Distribution::Uniform(-1.0, 1.0), &device)
            };
            [random([rows, depth]), random([depth, columns])]
        });
        let once = 2.0 * (rows * depth * columns) as f64;
        let times = (OPERATIONS / once).ceil();
        profile::take();
        let start = Instant::now();
        for _ in 0..times as usize {
            let y = linear(x.clone(), w.clone(), None, Activation::None, Precision::F32);
            std::hint::black_box(y);
        }
        let seconds = start.elapsed().as_secs_f64();
        let found = profile::take();
        let threads = std::thread::available_parallelism()?.get() as f64;
        let rate = found.operations / (found.product_seconds / threads);
        self.shares.insert(shape.to_owned(), (found.packing_seconds / threads / seconds, rate));
        Ok(seconds * 1e3 / times)
    }

    /// Prints what was measured, in GFLOP/s.
    pub(crate) fn print(&self, times: &Times) {
        if self.shares.is_empty() {
            return;
        }
        println!("\nSingle products of f32, in GFLOP/s (medians):\n");
        println!(
            "| rows x depth x columns | | ours | without packing | packing's share | OpenBLAS | MKL | ours / the better peer |"
        );
        println!("|---|---|---:|---:|---:|---:|---:|---:|");
        for (shape, what) in SHAPES {
            let Some((packing, rate)) = self.shares.get(shape) else { continue };
            let Ok(dims) = numbers(shape) else { continue };
            let operations = 2.0 * dims.iter().map(|&n| n as f64).product::<f64>();
            let found = CONTENDERS.map(|who| times.get(&case(shape, who)));
            let text = |times: Option<&Vec<f64>>| {
                times.map_or(String::new(), |ms| format!("{:.0}", operations / median(ms) / 1e6))
            };
            let [ours, openblas, mkl] = found;
            let ratio = ours.filter(|_| openblas.is_some() || mkl.is_some()).map(|ours| {
                let of = |round: usize, time: f64| {
                    let peers = [openblas, mkl].into_iter().flatten();
                    peers.filter_map(|times| times.get(round)).fold(f64::MAX, |a, &b| a.min(b))
                        / time
                };
                median(&ours.iter().enumerate().map(|(i, &t)| of(i, t)).collect::<Vec<_>>())
            });
            println!(
                "| {shape} | {what} | {} | {:.0} | {:.0} % | {} | {} | {} |",
                text(ours),
                rate / 1e9,
                packing * 1e2,
                text(openblas),
                text(mkl),
                ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
            );
        }
    }
}

/// The rows, depth and columns that a shape's name says.
fn numbers(shape: &str) -> anyhow::Result<[usize; 3]> {
    let numbers = shape.split('x').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    numbers.try_into().map_err(|_| anyhow::anyhow!("`{shape}` is no shape of a product"))
}
