//! The table of what moved between two runs.

use super::Times;
use super::interval::Interval;
use super::table::median;

/// Prints each case of both runs, with the interval of the ratio of their times; what moved comes first.
pub(crate) fn print(
    ours: &Times,
    theirs: &Times,
    against: &str,
    interval: fn(&[f64], &[f64]) -> Option<Interval>,
) {
    println!("\n| case | {against}, ms | now, ms | times as fast | interval | |");
    println!("|---|---:|---:|---:|---:|---|");
    let mut lines: Vec<(bool, String, f64)> = ours
        .iter()
        .filter_map(|(case, ours)| {
            let theirs = theirs.get(case)?;
            let found = interval(ours, theirs)?;
            let Interval { ratio, low, high, coverage } = found;
            let word = match found.moved() {
                true if low > 1.0 => "**faster**",
                true => "**slower**",
                false => "",
            };
            let line = format!(
                "| {case} | {:.0} | {:.0} | {ratio:.3} | {low:.3} to {high:.3} | {word} |",
                median(theirs),
                median(ours)
            );
            Some((found.moved(), line, coverage))
        })
        .collect();
    lines.sort_by_key(|(moved, ..)| !moved);
    for (_, line, _) in &lines {
        println!("{line}");
    }
    for (name, one, other) in [("now", ours, theirs), (against, theirs, ours)] {
        let alone: Vec<&str> =
            one.keys().filter(|case| !other.contains_key(*case)).map(String::as_str).collect();
        if !alone.is_empty() {
            println!("\nonly {name}: {}", alone.join(", "));
        }
    }
    let moved = lines.iter().filter(|(moved, ..)| *moved).count();
    let coverage = lines.iter().map(|(.., coverage)| *coverage).fold(1.0, f64::min);
    println!(
        "\n{moved} of {} cases moved beyond noise. The intervals come from ranks alone and hold the true ratio in {:.1} % of runs, so that about {:.1} of these cases would seem to move if none did.",
        lines.len(),
        coverage * 1e2,
        (1.0 - coverage) * lines.len() as f64
    );
    if coverage < 0.95 {
        println!("More rounds (`--rounds 6` or more) give intervals of 95 %.");
    }
}
