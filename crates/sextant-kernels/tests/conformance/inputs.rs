//! The inputs of an operation, and the checks that are made of every operation.

use burn::tensor::{DType, Device, Distribution, Gradients, Tensor, TensorData};
use sextant_kernels::simd::{Level, with_level};
use sextant_kernels::{Dropout, Precision, composed};

pub(crate) fn tracked() -> Device {
    Device::flex().autodiff()
}

pub(crate) fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().unwrap()
}

/// How much results may differ: by `relative` times the largest entry, or times `least` if all entries are smaller.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) relative: f32,
    pub(crate) least: f32,
}

impl From<f32> for Bound {
    fn from(relative: f32) -> Self {
        Self { relative, least: 0.1 }
    }
}

/// Asserts that the largest difference is within the bound.
pub(crate) fn assert_close(what: &str, ours: &[f32], theirs: &[f32], bound: impl Into<Bound>) {
    let Bound { relative, least } = bound.into();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    assert!(ours.iter().all(|x| x.is_finite()), "{what} is not finite");
    let scale = theirs.iter().map(|x| x.abs()).fold(least, f32::max);
    let difference = largest_difference(ours, theirs);
    assert!(difference <= relative * scale, "{what}: {difference} of {scale}");
}

pub(crate) fn largest_difference(ours: &[f32], theirs: &[f32]) -> f32 {
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// An operation's inputs, all tracked, for computing its value and all gradients.
pub(crate) struct Inputs {
    pub(crate) matrices: Vec<Tensor<2>>,
    pub(crate) vectors: Vec<Tensor<1>>,
}

impl Inputs {
    pub(crate) fn new(matrices: &[[usize; 2]], vectors: &[usize]) -> Self {
        let device = tracked();
        Self {
            matrices: matrices.iter().map(|&s| random(s, &device).require_grad()).collect(),
            vectors: vectors.iter().map(|&n| random([n], &device).require_grad()).collect(),
        }
    }

    /// The output, then the gradient of each input under the loss `Σ loss_weight(i) · out(i)`.
    pub(crate) fn run(&self, operation: impl Fn(&Self) -> Tensor<2>) -> Vec<Vec<f32>> {
        let (out, gradients) = self.gradients(operation);
        std::iter::once(out).chain(gradients.into_iter().map(Option::unwrap)).collect()
    }

    /// Like [`Inputs::run`], but inputs that are not tracked have no gradient.
    pub(crate) fn gradients(
        &self,
        operation: impl Fn(&Self) -> Tensor<2>,
    ) -> (Vec<f32>, Vec<Option<Vec<f32>>>) {
        let out = operation(self);
        let [rows, columns] = out.dims();
        let weights: Vec<f32> = (0..rows * columns).map(loss_weight).collect();
        let weights = TensorData::new(weights, [rows, columns]);
        let weights = Tensor::<2>::from_data(weights, &tracked());
        let numbers = values(out.clone().inner());
        let gradients: Gradients = (out.cast(DType::F32) * weights).sum().backward();
        let matrices = self.matrices.iter().map(|x| x.grad(&gradients).map(values));
        let vectors = self.vectors.iter().map(|x| x.grad(&gradients).map(values));
        (numbers, matrices.chain(vectors).collect())
    }

    /// The number of inputs.
    pub(crate) fn count(&self) -> usize {
        self.matrices.len() + self.vectors.len()
    }

    /// These inputs, of which only those are tracked whose index `wanted` accepts. Matrices are counted
    /// first.
    pub(crate) fn of_which(&self, wanted: impl Fn(usize) -> bool) -> Self {
        let plain = self.plain();
        let (matrices, vectors) = (plain.matrices.into_iter(), plain.vectors.into_iter());
        let first = matrices.len();
        Self {
            matrices: matrices
                .map(Tensor::from_inner)
                .enumerate()
                .map(|(i, x)| if wanted(i) { x.require_grad() } else { x })
                .collect(),
            vectors: vectors
                .map(Tensor::from_inner)
                .enumerate()
                .map(|(i, x)| if wanted(first + i) { x.require_grad() } else { x })
                .collect(),
        }
    }

    /// These inputs on the device without autodiff.
    pub(crate) fn plain(&self) -> Self {
        Self {
            matrices: self.matrices.iter().map(|x| x.clone().inner()).collect(),
            vectors: self.vectors.iter().map(|x| x.clone().inner()).collect(),
        }
    }

    /// These inputs, each moved by `by` times a fixed direction.
    pub(crate) fn moved(&self, by: f32) -> Self {
        fn step<const D: usize>(x: &Tensor<D>, by: f32) -> Tensor<D> {
            let numbers = (0..x.shape().num_elements()).map(|i| by * direction(i));
            let step = TensorData::new(numbers.collect::<Vec<f32>>(), x.shape());
            x.clone().inner() + Tensor::from_data(step, &Device::flex())
        }
        Self {
            matrices: self.matrices.iter().map(|x| step(x, by)).collect(),
            vectors: self.vectors.iter().map(|x| step(x, by)).collect(),
        }
    }

    /// Compares gradients with the slope of the loss along a direction, by central differences.
    pub(crate) fn check_slope(&self, what: &str, operation: impl Fn(&Self) -> Tensor<2>) {
        let loss = |by: f32| -> f64 {
            let out = values(operation(&self.moved(by)));
            let terms = out.iter().enumerate();
            terms.map(|(i, x)| f64::from(loss_weight(i)) * f64::from(*x)).sum()
        };
        let h = 4e-3;
        let slope = (loss(h) - loss(-h)) / (2.0 * f64::from(h));
        let (mut ours, mut length) = (0.0, 0.0);
        for gradient in &self.run(&operation)[1..] {
            for (i, g) in gradient.iter().enumerate() {
                ours += f64::from(*g) * f64::from(direction(i));
                length += f64::from(*g).powi(2);
            }
        }
        let bound = 1e-2 * (slope.abs() + length.sqrt() + 0.1);
        assert!((ours - slope).abs() < bound, "{what}: gradient {ours}, slope {slope}");
    }

    /// Compares an operation with its composed body, at every level, on one thread and on two. `name` is the
    /// name of the operation, and `what` describes the case.
    pub(crate) fn check(
        &self,
        name: &str,
        what: &str,
        bound: impl Into<Bound>,
        operation: impl Fn(&Self) -> Tensor<2> + Sync,
    ) {
        let (expected, ran) = composed::instead_of_kernels(|| self.run(&operation));
        assert_eq!(ran, [name], "the operations that ran");
        self.compare(&format!("{name} {what}"), bound, operation, &expected);
    }

    /// Compares the results of [`Inputs::run`] with `expected`, at every level, on one thread and on two.
    pub(crate) fn compare(
        &self,
        what: &str,
        bound: impl Into<Bound>,
        operation: impl Fn(&Self) -> Tensor<2> + Sync,
        expected: &[Vec<f32>],
    ) {
        let bound = bound.into();
        for level in Level::supported() {
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| with_level(level, || self.run(&operation)))
            };
            let (one, two) = (on(1), on(2));
            assert!(one == two, "{what} at {level:?} depends on the number of threads");
            for (i, (ours, theirs)) in one.iter().zip(expected).enumerate() {
                assert_close(&format!("{what} at {level:?}, result {i}"), ours, theirs, bound);
            }
        }
    }
}

/// The tensor in the format that a precision keeps between operations, rounded by burn.
pub(crate) fn kept(x: Tensor<2>, precision: Precision) -> Tensor<2> {
    match precision {
        Precision::F32 => x,
        Precision::Bf16 => x.cast(DType::BF16),
    }
}

/// The largest permitted difference, relative to the largest entry: `bound` for `f32` results; for bf16
/// results, two units in the last place, each of which is up to `2^-7` of the number, and the rounding
/// errors of the `f32` computation. A result can be a sum of terms near 1, each of which was rounded to bf16, that
/// cancel each other, so that entries below 1 get the bound of 1.
pub(crate) fn bound_of(precision: Precision, bound: f32) -> Bound {
    match precision {
        Precision::F32 => bound.into(),
        Precision::Bf16 => Bound { relative: 2e-2, least: 1.0 },
    }
}

/// The weight of output `i` in the loss.
pub(crate) fn loss_weight(i: usize) -> f32 {
    ((i * 7919 + 11) % 10_007) as f32 / 5003.5 - 1.0
}

/// The component at index `i` of the direction in which inputs are moved.
pub(crate) fn direction(i: usize) -> f32 {
    ((i * 4801 + 5) % 997) as f32 / 498.5 - 1.0
}

pub(crate) fn some_dropout(wanted: bool) -> Option<Dropout> {
    wanted.then_some(Dropout { probability: 0.25, seed: 99 })
}
