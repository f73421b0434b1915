//! A row with a grade of people and a judge's answer.

use sextant_core::{Example, Prediction};

/// A row that people and the judge graded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreed<'a> {
    /// The row with the grade of people.
    pub example: &'a Example,
    /// The judge's answer.
    pub answer: Prediction,
    /// The probability that the judge gave to all labels together.
    pub label_mass: f64,
}
