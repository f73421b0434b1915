//! Tails of the binomial distribution, computed in logarithms, so that no term underflows to 0 for many
//! trials.

/// `ln P(X ≤ k)` for a binomial X with `n` trials whose log odds of success are `log_odds`.
pub(crate) fn log_cdf(k: u64, n: u64, log_odds: f64) -> f64 {
    // The logarithm of the probability of failure, `1 / (1 + e^log_odds)`, without an overflow on either
    // side.
    let log_failure = -(log_odds.max(0.0) + (-log_odds.abs()).exp().ln_1p());
    let mut log_term = n as f64 * log_failure;
    let mut log_sum = log_term;
    for i in 0..k {
        log_term += ((n - i) as f64 / (i + 1) as f64).ln() + log_odds;
        let (high, low) =
            if log_term > log_sum { (log_term, log_sum) } else { (log_sum, log_term) };
        log_sum = high + (low - high).exp().ln_1p();
    }
    log_sum
}

/// The search runs from minus this to this. No limit lies outside: with `n` trials it is within about
/// `ln n + 4` of 0 at a tail of 0.025.
const LARGEST_LOG_ODDS: f64 = 100.0;
/// Number of bisections; the last interval is below the spacing of f64.
const ROUNDS: usize = 64;

/// The log odds at which `P(X ≤ k)` is `tail`, for `k < n`: the upper limit of Clopper and Pearson
/// (1934). Their lower limit is the upper limit of the failures, `n - k`, with its sign changed.
pub(crate) fn upper_limit(k: u64, n: u64, tail: f64) -> f64 {
    let wanted = tail.ln();
    let (mut low, mut high) = (-LARGEST_LOG_ODDS, LARGEST_LOG_ODDS);
    for _ in 0..ROUNDS {
        let middle = f64::midpoint(low, high);
        if log_cdf(k, n, middle) > wanted { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_worked_tails() {
        // Three trials at odds 1 to 3: P(X ≤ 1) = (3/4)³ + 3 · 1/4 · (3/4)².
        let found = log_cdf(1, 3, (1.0_f64 / 3.0).ln()).exp();
        assert!((found - 54.0 / 64.0).abs() < 1e-12);
        assert!(log_cdf(5, 5, 1.3).abs() < 1e-12);
        // A probability so small that it is 0 in f64: 2⁻⁵⁰⁰⁰.
        assert!((log_cdf(0, 5000, 0.0) + 5000.0 * std::f64::consts::LN_2).abs() < 1e-9);
    }

    #[test]
    fn the_limit_has_the_tail_below_it() {
        for (k, n) in [(0, 1), (0, 40), (7, 19), (18, 19), (900, 1900)] {
            let limit = upper_limit(k, n, 0.025);
            assert!((log_cdf(k, n, limit).exp() - 0.025).abs() < 1e-9, "{k} of {n}: {limit}");
        }
    }
}
