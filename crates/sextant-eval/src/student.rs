//! Student's t distribution with any positive number of degrees of freedom.

/// The most terms of the continued fraction. It needs about the square root of the larger parameter, and
/// degrees of freedom are capped before.
const TERMS: usize = 10_000;
/// Beyond this many degrees of freedom the distribution is the normal one to eight digits.
const MOST_DEGREES: f64 = 1e7;

/// `P(|T| ≥ |t|)`.
pub(crate) fn two_sided_tail(t: f64, degrees: f64) -> f64 {
    let degrees = degrees.min(MOST_DEGREES);
    if t.is_infinite() {
        return 0.0;
    }
    // The tail is an incomplete beta function of ν / (ν + t²) (Abramowitz and Stegun 1964, 26.7.1).
    let squared = t * t;
    let (x, rest) = (degrees / (degrees + squared), squared / (degrees + squared));
    incomplete_beta(degrees / 2.0, 0.5, x, rest)
}

/// The value that |T| exceeds with the probability `tail`, which is above 0 and at most 1.
pub(crate) fn two_sided_quantile(tail: f64, degrees: f64) -> f64 {
    let mut high = 1.0;
    while two_sided_tail(high, degrees) > tail && high < 1e150 {
        high *= 2.0;
    }
    let mut low = 0.0;
    // Each round halves the interval, whose ends are numbers of one power of 2 at last.
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if two_sided_tail(middle, degrees) > tail { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function `I_x(a, b)`; `rest` is `1 - x`, which the caller knows more
/// exactly where `x` is near 1.
fn incomplete_beta(a: f64, b: f64, x: f64, rest: f64) -> f64 {
    if x <= 0.0 || rest <= 0.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    let logarithm = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b);
    let front = (logarithm + a * x.ln() + b * rest.ln()).exp();
    // The fraction converges fast on the smaller side of the mean.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, rest) / b
    }
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun 1964, 26.5.8), by the
/// method of Lentz (1976): numerators and denominators are never near 0.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut product = d;
    for m in 1..TERMS {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = product;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            product *= c * d;
        }
        if (product / before - 1.0).abs() < 1e-15 {
            break;
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_tails() {
        // One degree is Cauchy's distribution: P(|T| ≥ 1) = 1/2. Two: 1 - t / √(2 + t²).
        assert!((two_sided_tail(1.0, 1.0) - 0.5).abs() < 1e-14);
        assert!((two_sided_tail(3.0, 2.0) - (1.0 - 3.0 / 11.0_f64.sqrt())).abs() < 1e-14);
        assert_eq!((two_sided_tail(0.0, 5.0), two_sided_tail(f64::INFINITY, 5.0)), (1.0, 0.0));
        // Very many degrees: the normal distribution.
        let normal = libm::erfc(1.96 / std::f64::consts::SQRT_2);
        assert!((two_sided_tail(1.96, 1e12) - normal).abs() < 1e-7);
    }

    #[test]
    fn quantiles_have_their_tail_outside() {
        for (tail, degrees) in [(0.05, 1.0), (0.05, 2.7), (0.01, 30.0), (0.0002, 4.0), (1.0, 3.0)] {
            let found = two_sided_quantile(tail, degrees);
            assert!((two_sided_tail(found, degrees) / tail - 1.0).abs() < 1e-9, "{tail} {degrees}");
        }
    }
}
