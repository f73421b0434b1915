//! Measures how fast the machine multiplies matrices at best, as a reference for benchmarks.

use crate::kernels::gemm::{Bf16, Epilogue, F32, Init, Matrix, Packed, Product, multiply};
use crate::profile::take;
use crate::{Precision, simd};

/// The rate of the fastest of several large products, in operations per second of all threads together. The
/// time for packing factors is left out, as in
/// [`Found::product_seconds`](crate::profile::Found::product_seconds). Resets the counts of
/// [`profile`](crate::profile).
pub fn peak(precision: Precision) -> f64 {
    fn best<P: Product>() -> f64 {
        const SIZE: usize = 1024;
        let numbers: Vec<f32> = (0..SIZE * SIZE).map(|i| (i % 1013) as f32 * 1e-3).collect();
        let matrix = Matrix::rows(&numbers, SIZE);
        let packed = Packed::<P>::new(simd::level(), matrix, SIZE, SIZE);
        let mut product = vec![0.0; SIZE * SIZE];
        let threads = rayon::current_num_threads() as f64;
        let once = || {
            take();
            multiply(SIZE, matrix, &packed, Init::Zero, &mut product, Epilogue::NONE);
            let found = take();
            found.operations / (found.product_seconds / threads)
        };
        std::iter::repeat_with(once).take(20).fold(0.0, f64::max)
    }
    match precision {
        Precision::F32 => best::<F32>(),
        Precision::Bf16 => best::<Bf16>(),
    }
}
