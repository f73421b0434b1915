//! AdamW with moments that are stored in fewer bits.

use crate::inputs::{random, values};
use crate::optimizer::step;
use burn::tensor::{Device, Tensor, TensorData};
use sextant_kernels::simd::{Level, with_level};
use sextant_kernels::{
    AdamWStep, Moment, MomentFormat, MomentLine, MomentNumbers, Moments, RowGradient, RowMoments,
    UntouchedRows, adamw, adamw_rows, adamw_stored,
};

/// The values of the 8-bit code of a moment, in the order of the codes: written from the description of dynamic
/// quantisation, apart from the kernels' tables.
fn code(moment: Moment) -> Vec<f64> {
    let mut values = Vec::new();
    for decade in 0..7 {
        let parts = if moment == Moment::First { 1 << decade } else { 2 << decade };
        for part in 0..parts {
            let mean = 0.1 + 0.9 * (f64::from(part) + 0.5) / f64::from(parts);
            let value = mean * 10f64.powi(decade - 6);
            values.push(value);
            if moment == Moment::First {
                values.push(-value);
            }
        }
    }
    values.push(1.0);
    values.push(if moment == Moment::First { 0.0 } else { 1e-7 });
    values.sort_by(f64::total_cmp);
    assert_eq!(values.len(), 256);
    values
}

/// What 8 bits keep of a block: the nearest values of the code, times the block's number of greatest magnitude.
fn kept(moment: Moment, block: &[f64]) -> Vec<f64> {
    let root = |x: f64| if moment == Moment::Second { x.sqrt() } else { x };
    let scale =
        block.iter().map(|&x| root(x)).fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
    let code = code(moment);
    let nearest = |x: f64| {
        let by_distance = |a: &&f64, b: &&f64| (**a - x).abs().total_cmp(&(**b - x).abs());
        *code.iter().min_by(by_distance).unwrap()
    };
    block
        .iter()
        .map(|&x| {
            let value = nearest(root(x) / scale) * scale;
            if moment == Moment::Second { value * value } else { value }
        })
        .collect()
}

/// The numbers of a line as they will be read by the next step.
fn decoded(line: MomentLine<'_>, moment: Moment, block: usize) -> Vec<f64> {
    match line {
        MomentLine::F32(numbers) => numbers.iter().map(|&x| f64::from(x)).collect(),
        MomentLine::Bf16(numbers) => numbers.iter().map(|x| x.to_f64()).collect(),
        MomentLine::Int8 { codes, scales } => {
            let values = code(moment);
            let value = |(i, &byte): (usize, &u8)| {
                let value = values[usize::from(byte)] * f64::from(scales[i / block]);
                if moment == Moment::Second { value * value } else { value }
            };
            codes.iter().enumerate().map(value).collect()
        }
    }
}

/// Gradients whose sizes differ by a few powers of ten, as those of a layer do.
fn gradient(count: usize) -> Tensor<1> {
    let device = Device::flex();
    random([count], &device) * (random([count], &device) * 3.0).exp()
}

#[test]
fn eight_bits_follow_the_definition() {
    const COUNT: usize = 5_003; // the last block is short
    for level in Level::supported() {
        let mut found = random([COUNT], &Device::flex());
        let mut moments = Moments::zeros(MomentFormat::Int8, 1, COUNT);
        let mut p: Vec<f64> = values(found.clone()).into_iter().map(f64::from).collect();
        let (mut m, mut v) = (vec![0.0; COUNT], vec![0.0; COUNT]);
        for number in 1..=4 {
            let step = step(number);
            let g = gradient(COUNT);
            found = with_level(level, || adamw_stored(found, g.clone(), &mut moments, &step));
            let g = values(g);
            for i in 0..COUNT {
                let g = f64::from(g[i]) * f64::from(step.grad_scale);
                m[i] = step.beta1 * m[i] + (1.0 - step.beta1) * g;
                v[i] = step.beta2 * v[i] + (1.0 - step.beta2) * g * g;
                let corrected = |x: f64, beta: f64| x / (1.0 - beta.powf(number as f64));
                let update =
                    corrected(m[i], step.beta1) / (corrected(v[i], step.beta2).sqrt() + step.eps);
                p[i] = (1.0 - step.lr * step.weight_decay) * p[i] - step.lr * update;
            }
            m = m.chunks(251).flat_map(|block| kept(Moment::First, block)).collect();
            v = v.chunks(251).flat_map(|block| kept(Moment::Second, block)).collect();
        }
        // A number that lies between two codes may be rounded to the other one, because f32 is less exact.
        let close = |a: f64, b: f64, unit: f64| (a - b).abs() <= 1e-4 * a.abs().max(unit);
        let mut differ = 0;
        let first = decoded(moments.line(Moment::First, 0), Moment::First, 251);
        let second = decoded(moments.line(Moment::Second, 0), Moment::Second, 251);
        for (i, found) in values(found).into_iter().enumerate() {
            let all = close(first[i], m[i], 0.0)
                && close(second[i], v[i], 0.0)
                && close(f64::from(found), p[i], 1.0);
            differ += usize::from(!all);
        }
        assert!(differ <= 10, "{level:?}: {differ} of {COUNT} numbers differ");
    }
}

/// How far parameters move away from those of 32 bits in 300 steps, as a share of the way that they went. The
/// gradients of a block differ in size by up to `exp(2 * spread)`.
fn deviation(format: MomentFormat, spread: f64) -> f64 {
    const COUNT: usize = 8192;
    let device = Device::flex();
    let sizes = (random([COUNT], &device) * spread).exp();
    let zeros = || Tensor::<1>::zeros([COUNT], &device);
    let (mut exact, mut m, mut v, mut found) = (zeros(), zeros(), zeros(), zeros());
    let mut moments = Moments::zeros(format, 1, COUNT);
    for number in 1..=300 {
        let step = AdamWStep { beta2: 0.999, weight_decay: 0.0, ..step(number) };
        let g = (random([COUNT], &device) + 0.2) * sizes.clone();
        found = adamw_stored(found, g.clone(), &mut moments, &step);
        (exact, m, v) = adamw(exact, g, m, v, &step);
    }
    let norm = |x: Tensor<1>| x.square().sum().into_scalar::<f32>().sqrt();
    f64::from(norm(found - exact.clone()) / norm(exact))
}

/// The bounds are stated in docs/performance.md.
#[test]
fn fewer_bits_stay_near_thirty_two() {
    for (format, spread, bound) in [
        (MomentFormat::F32, 3.0, f64::MIN_POSITIVE),
        (MomentFormat::Bf16, 1.0, 0.02),
        (MomentFormat::Bf16, 3.0, 0.02),
        (MomentFormat::Int8, 1.0, 0.2),
        (MomentFormat::Int8, 3.0, 0.35),
    ] {
        let found = deviation(format, spread);
        println!("{format}, spread {spread}: {found}");
        assert!(found < bound, "{format}, spread {spread}: {found}");
    }
}

/// With `beta2 = 0.999` the second moment falls by less in a step than rounding to the nearest number of 16 bits
/// would undo.
#[test]
fn the_second_moment_falls_where_gradients_end() {
    for format in MomentFormat::ALL {
        let mut moments = Moments::zeros(format, 1, 4096);
        let mut p = Tensor::<1>::zeros([4096], &Device::flex());
        let ones = Tensor::ones([4096], &Device::flex());
        let first = AdamWStep { beta2: 0.999, grad_scale: 1.0, ..step(1) };
        p = adamw_stored(p, ones.clone(), &mut moments, &first);
        for number in 2..=694 {
            let step = AdamWStep { step: number, ..first };
            p = adamw_stored(p, ones.zeros_like(), &mut moments, &step);
        }
        let found = decoded(moments.line(Moment::Second, 0), Moment::Second, 256);
        let mean = found.iter().sum::<f64>() / 4096.0;
        // A thousandth, halved: 0.999^693 = 0.4999.
        assert!((mean / 0.0005 - 1.0).abs() < 0.01, "{format}: {mean}");
    }
}

#[test]
fn stored_moments_do_not_depend_on_threads() {
    for format in MomentFormat::ALL {
        for level in Level::supported() {
            let [p, first, second] = [0, 1, 2].map(|_| gradient(100_003));
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let mut moments = Moments::zeros(format, 1, 100_003);
                    let p = p.clone();
                    let p = with_level(level, || {
                        let p = adamw_stored(p, first.clone(), &mut moments, &step(1));
                        adamw_stored(p, second.clone(), &mut moments, &step(2))
                    });
                    (values(p), moments)
                })
            };
            assert!(run(1) == run(3), "{format} {level:?}");
        }
    }
}

/// Three steps over a table of 70 rows of 600 numbers, each with a gradient for some of its rows.
fn table_steps(format: MomentFormat, again: bool, threads: usize) -> (Vec<f32>, RowMoments) {
    let table = (0..70 * 600).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<_>>();
    let mut table = Tensor::<2>::from_data(TensorData::new(table, [70, 600]), &Device::flex());
    let mut moments = RowMoments::new(format, 70, 600);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    for (number, ids) in [[60, 3], [3, 7], [69, 60]].iter().enumerate() {
        if again {
            moments = stored_and_read(&moments);
        }
        let gradient: Vec<f32> = (0..1200).map(|i| (i as f32 * 0.11).cos()).collect();
        let gradient = RowGradient::from_tokens(ids, &gradient, 600);
        let step = step(number as u64 + 1);
        table = pool
            .install(|| adamw_rows(table, &gradient, &mut moments, &step, UntouchedRows::Decay));
    }
    (values(table), moments)
}

/// The numbers of several lines, as a checkpoint holds them.
fn joined(format: MomentFormat, lines: &[MomentLine<'_>]) -> MomentNumbers {
    let mut all = match format {
        MomentFormat::F32 => MomentNumbers::F32(Vec::new()),
        MomentFormat::Bf16 => MomentNumbers::Bf16(Vec::new()),
        MomentFormat::Int8 => MomentNumbers::Int8 { codes: Vec::new(), scales: Vec::new() },
    };
    for &line in lines {
        match (&mut all, line) {
            (MomentNumbers::F32(all), MomentLine::F32(line)) => all.extend(line),
            (MomentNumbers::Bf16(all), MomentLine::Bf16(line)) => all.extend(line),
            (MomentNumbers::Int8 { codes, scales }, MomentLine::Int8 { codes: c, scales: s }) => {
                codes.extend(c);
                scales.extend(s);
            }
            other => panic!("{other:?}"),
        }
    }
    all
}

fn stored_and_read(moments: &RowMoments) -> RowMoments {
    let (format, width) = (moments.format(), moments.width());
    let zeros = Moments::zeros(format, 1, width);
    let part = |moment| {
        let line = |row| moments.line(moment, row).unwrap_or_else(|| zeros.line(moment, 0));
        joined(format, &(0..moments.rows()).map(line).collect::<Vec<_>>())
    };
    let (first, second) = (part(Moment::First), part(Moment::Second));
    RowMoments::from_moments(&Moments::from_parts(moments.rows(), width, first, second).unwrap())
}

#[test]
fn rows_without_a_gradient_have_no_moments_and_decay() {
    for format in MomentFormat::ALL {
        let (found, moments) = table_steps(format, false, 1);
        assert_eq!(moments.stored(), 4);
        let stored: Vec<usize> =
            (0..70).filter(|&row| moments.line(Moment::First, row).is_some()).collect();
        assert_eq!(stored, [3, 7, 60, 69]);
        let keep = (1.0 - step(1).lr * step(1).weight_decay) as f32;
        for (i, &found) in found.iter().enumerate().take(7 * 600).skip(4 * 600) {
            let decayed = (i as f32 * 0.37).sin() * keep * keep * keep;
            assert_eq!(found, decayed, "{format}");
        }
        // Neither threads nor the place at which a row's moments are stored change anything.
        for (again, threads) in [(true, 1), (false, 3), (true, 3)] {
            let (other, others) = table_steps(format, again, threads);
            assert_eq!(found, other, "{format}");
            for moment in [Moment::First, Moment::Second] {
                let equal = |row| moments.line(moment, row) == others.line(moment, row);
                assert!((0..70).all(equal), "{format} {moment:?}");
            }
        }
    }
}

#[test]
fn rows_step_as_the_whole_table_does() {
    let (found, _) = table_steps(MomentFormat::F32, false, 1);
    let table = (0..70 * 600).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<_>>();
    let mut p = Tensor::<1>::from_floats(&table[..], &Device::flex());
    let (mut m, mut v) = (p.zeros_like(), p.zeros_like());
    for (number, ids) in [[60usize, 3], [3, 7], [69, 60]].iter().enumerate() {
        let mut gradient = vec![0.0; 70 * 600];
        for (place, row) in ids.iter().enumerate() {
            for i in 0..600 {
                gradient[row * 600 + i] = ((place * 600 + i) as f32 * 0.11).cos();
            }
        }
        let gradient = Tensor::from_floats(&gradient[..], &Device::flex());
        (p, m, v) = adamw(p, gradient, m, v, &step(number as u64 + 1));
    }
    assert_eq!(found, values(p));
}

#[test]
fn a_gradient_that_is_no_number_stays_visible() {
    for format in MomentFormat::ALL {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut numbers = vec![1.0f32; 600];
            numbers[300] = bad;
            let bad = Tensor::<1>::from_floats(&numbers[..], &Device::flex());
            let mut moments = Moments::zeros(format, 1, 600);
            let p = adamw_stored(bad.ones_like(), bad.clone(), &mut moments, &step(1));
            assert!(values(p.clone())[300].is_nan(), "{format}");
            let p = adamw_stored(p, bad.ones_like(), &mut moments, &step(2));
            let p = values(p);
            assert!(p[300].is_nan() && !p[0].is_nan(), "{format}");
        }
    }
}

#[test]
fn moments_that_do_not_fit_are_refused() {
    for format in MomentFormat::ALL {
        let zeros = Moments::zeros(format, 3, 300);
        let numbers = |lines: std::ops::Range<usize>| {
            joined(format, &lines.map(|i| zeros.line(Moment::First, i)).collect::<Vec<_>>())
        };
        let parts = |width, other| Moments::from_parts(3, width, numbers(0..3), other);
        assert_eq!(parts(300, numbers(0..3)), Some(zeros.clone()));
        assert_eq!(parts(299, numbers(0..3)), None);
        assert_eq!(parts(300, numbers(0..2)), None);
        let other =
            if format == MomentFormat::F32 { MomentFormat::Bf16 } else { MomentFormat::F32 };
        let other = Moments::zeros(other, 3, 300);
        let other = joined(other.format(), &[0, 1, 2].map(|i| other.line(Moment::First, i)));
        assert_eq!(parts(300, other), None);
    }
}
