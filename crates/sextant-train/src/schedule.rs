//! How the learning rate rises and falls.

use serde::{Deserialize, Serialize};

/// How the learning rate falls after warm-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// The rate falls in a straight line to 0.
    #[default]
    Linear,
    /// The rate falls along half a cosine to 0.
    Cosine,
    /// The rate does not fall.
    Constant,
}

/// The factor of every learning rate at each step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    steps: u64,
    warmup: u64,
    decay: Decay,
}

impl Schedule {
    /// A schedule of `steps` steps. The factor rises during the share `warmup` of them.
    pub fn new(steps: u64, warmup: f64, decay: Decay) -> Self {
        Self { steps, warmup: (steps as f64 * warmup).ceil() as u64, decay }
    }

    /// How many steps there are.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The factor at a step, which is counted from 0. It reaches 1 with the last step of warm-up and, unless
    /// it is constant, would reach 0 one step after the end.
    pub fn factor(&self, step: u64) -> f64 {
        if step < self.warmup {
            return (step + 1) as f64 / self.warmup as f64;
        }
        let left = self.steps.saturating_sub(step) as f64;
        let rest = left / self.steps.saturating_sub(self.warmup).max(1) as f64;
        match self.decay {
            Decay::Linear => rest,
            Decay::Cosine => 0.5 * (1.0 - (std::f64::consts::PI * rest).cos()),
            Decay::Constant => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls() {
        for decay in [Decay::Linear, Decay::Cosine, Decay::Constant] {
            let schedule = Schedule::new(100, 0.1, decay);
            assert_eq!(schedule.factor(0), 0.1);
            assert_eq!(schedule.factor(9), 1.0);
            assert_eq!(schedule.factor(10), 1.0);
            let factors: Vec<_> = (10..100).map(|step| schedule.factor(step)).collect();
            assert!(factors.is_sorted_by(|a, b| a >= b));
            assert!((0.0..=1.0).contains(&schedule.factor(99)));
        }
        assert!((Schedule::new(100, 0.1, Decay::Linear).factor(55) - 0.5).abs() < 1e-12);
        assert!((Schedule::new(100, 0.1, Decay::Cosine).factor(55) - 0.5).abs() < 1e-12);
        assert_eq!(Schedule::new(3, 0.0, Decay::Linear).factor(0), 1.0);
        assert_eq!(Schedule::new(2, 1.0, Decay::Linear).factor(1), 1.0);
    }
}
