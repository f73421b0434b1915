//! Many tests at once: Holm's correction.

/// Holm's step-down correction of p-values (Holm 1979), in the order given: comparing these with
/// alpha keeps the chance of any false rejection below alpha, however the tests depend on each
/// other.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        largest = largest.max((p_values.len() - rank) as f64 * p_values[index]).min(1.0);
        corrected[index] = largest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    /// statsmodels: `multipletests([0.01, 0.04, 0.03, 0.005, 0.5], method="holm")`.
    #[test]
    fn agrees_with_statsmodels() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005, 0.5]);
        for (found, expected) in corrected.iter().zip([0.04, 0.09, 0.09, 0.025, 0.5]) {
            assert!((found - expected).abs() < 1e-12, "{corrected:?}");
        }
        assert_eq!(holm(&[]), Vec::<f64>::new());
        assert_eq!(holm(&[0.6, 0.7]), [1.0, 1.0]);
    }
}
