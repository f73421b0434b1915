//! The table that the benchmark prints.

use super::Times;
use super::ours::Ours;
use sextant_kernels::{Precision, peak};

/// Our case, the case that it is compared with, and the ratio that we aim at.
const COMPARISONS: [(&str, &str, Option<f64>); 31] = [
    ("train mix bf16 ours", "train mix bf16 torch sorted", Some(2.5)),
    ("train mix f32 ours", "train mix f32 torch sorted", None),
    ("train mix bf16 ours", "train mix f32 torch sorted", None),
    ("train mix f32 ours", "train mix f32 torch default", None),
    ("train mix f32 ours text", "train mix f32 sentence-transformers", Some(5.0)),
    ("train mix bf16 ours text", "train mix f32 sentence-transformers", Some(5.0)),
    ("train equal bf16 ours", "train equal bf16 torch", Some(1.8)),
    ("train equal f32 ours", "train equal f32 torch", Some(1.5)),
    ("score mix int8 ours", "score mix int8 onnx sorted", Some(2.0)),
    ("score mix f32 ours", "score mix f32 onnx sorted", None),
    ("score mix bf16 ours", "score mix bf16 torch sorted", None),
    ("score mix f32 ours text", "score mix f32 sentence-transformers", None),
    ("score mix int8-weights ours", "score mix f32 ours", None),
    ("score queries int4-weights ours decoder", "score queries f32 ours decoder", None),
    ("score equal int8 ours", "score equal int8 onnx", None),
    ("score equal f32 ours", "score equal f32 onnx", Some(1.3)),
    ("score equal f32 ours", "score equal f32 torch", None),
    ("train mix f32 ours mhp", "train mix f32 ours", Some(0.95)),
    ("train mix bf16 ours mhp", "train mix bf16 ours", Some(0.95)),
    ("train few f32 ours lora", "train few f32 peft", None),
    ("train few f32 ours qlora", "train few f32 peft", None),
    ("train mix f32 ours deberta", "train mix f32 torch sorted deberta", None),
    ("train mix bf16 ours deberta", "train mix bf16 torch sorted deberta", Some(2.5)),
    ("score mix f32 ours deberta", "score mix f32 torch sorted deberta", None),
    ("score mix bf16 ours deberta", "score mix bf16 torch sorted deberta", None),
    ("train mix f32 ours modernbert", "train mix f32 torch sorted modernbert", Some(2.0)),
    ("train mix bf16 ours modernbert", "train mix bf16 torch sorted modernbert", Some(2.0)),
    ("score mix f32 ours modernbert", "score mix f32 torch sorted modernbert", None),
    ("score mix bf16 ours modernbert", "score mix bf16 torch sorted modernbert", None),
    ("score queries f32 ours decoder", "score queries f32 torch sorted decoder", Some(3.0)),
    ("score queries int8 ours decoder", "score queries f32 ours decoder", Some(2.0)),
];

/// Prints the machine, all times, and the comparisons, as Markdown.
pub(crate) fn print(times: &Times, ours: &Ours) {
    let level = sextant_kernels::simd::level().as_str();
    println!("\n{}, {} threads, kernels at {level}", cpu(), rayon_threads());
    for set in ["equal", "mix", "few", "queries", "request"] {
        println!("{set}: {} rows, {} tokens", ours.rows(set), ours.tokens(set));
    }
    println!("\n| case | median ms | least | most | rows/s |\n|---|---:|---:|---:|---:|");
    // Single products have a table of their own.
    for (case, times) in times.iter().filter(|(case, _)| !case.starts_with("product ")) {
        let set = case.split(' ').nth(1).unwrap_or_default();
        let middle = median(times);
        let (least, most) = times
            .iter()
            .fold((f64::MAX, 0.0_f64), |(least, most), &time| (least.min(time), most.max(time)));
        let rate = ours.rows(set) as f64 / middle * 1e3;
        println!("| {case} | {middle:.0} | {least:.0} | {most:.0} | {rate:.0} |");
    }
    println!("\n| ours | against | times as fast | best against best | target |");
    println!("|---|---|---:|---:|---:|");
    let least = |times: &[f64]| times.iter().copied().fold(f64::MAX, f64::min);
    for (mine, theirs, target) in COMPARISONS {
        let (Some(a), Some(b)) = (times.get(mine), times.get(theirs)) else { continue };
        let ratios: Vec<f64> = a.iter().zip(b).map(|(mine, theirs)| theirs / mine).collect();
        let target = target.map_or(String::new(), |target| format!("{target}"));
        // Other programs on the machine slow contenders unevenly; the best rounds suffer least.
        let best = least(b) / least(a);
        println!("| {mine} | {theirs} | {:.2} | {best:.2} | {target} |", median(&ratios));
    }
    if ours.shares.is_empty() {
        return;
    }
    let peaks = Precision::ALL.map(peak);
    println!(
        "\nShares of the threads' time, and the rate of products of linear layers in GFLOP/s, also in percent of one large product's:\n"
    );
    println!("| case | products | packing | attention's products | rate | of a large product's |");
    println!("|---|---:|---:|---:|---:|---:|");
    for (case, &(precision, shares)) in &ours.shares {
        let percent = |share: f64| format!("{:.0} %", share * 1e2);
        println!(
            "| {case} | {} | {} | {} | {:.0} | {} |",
            percent(shares.products),
            percent(shares.packing),
            percent(shares.attention),
            shares.rate / 1e9,
            // There is no one large product in 8 bits to compare with.
            peaks.get(precision as usize).map_or(String::new(), |peak| percent(shares.rate / peak)),
        );
    }
}

/// The middle value, or the mean of the two middle ones.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

fn rayon_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The processor's name.
pub(crate) fn cpu() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(':').nth(1)).unwrap_or("unknown").trim().to_owned()
    };
    format!("{} (family {}, model {})", field("model name"), field("cpu family"), field("model\t"))
}
