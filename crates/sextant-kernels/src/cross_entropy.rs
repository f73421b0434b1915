/// The targets that [`cross_entropy`](crate::cross_entropy) compares logits with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassTargets {
    /// The true class of each row.
    pub classes: Vec<u32>,
    /// The factor that the loss of each row is multiplied by; 1 for all rows if this is empty.
    pub row_weights: Vec<f32>,
    /// The weight of each class; 1 for all classes if this is empty.
    pub class_weights: Vec<f32>,
    /// The share of each target that is spread evenly over all classes (Szegedy et al. 2016), in
    /// `[0, 1)`.
    pub label_smoothing: f32,
}

impl ClassTargets {
    /// Equal weights and no smoothing.
    pub fn new(classes: Vec<u32>) -> Self {
        Self { classes, ..Self::default() }
    }

    /// Panics when the targets do not fit logits of `rows` by `columns`.
    pub(crate) fn check(&self, rows: usize, columns: usize) {
        assert!(
            self.classes.len() == rows,
            "cross_entropy: {} classes for logits of [{rows}, {columns}]",
            self.classes.len()
        );
        assert!(
            self.row_weights.is_empty() || self.row_weights.len() == rows,
            "cross_entropy: {} row weights for logits of [{rows}, {columns}]",
            self.row_weights.len()
        );
        assert!(
            self.class_weights.is_empty() || self.class_weights.len() == columns,
            "cross_entropy: {} class weights for logits of [{rows}, {columns}]",
            self.class_weights.len()
        );
        assert!(
            (0.0..1.0).contains(&self.label_smoothing),
            "cross_entropy: label smoothing {} is not in [0, 1)",
            self.label_smoothing
        );
        if let Some(class) = self.classes.iter().find(|&&class| class as usize >= columns) {
            panic!("cross_entropy: class {class} is outside logits of [{rows}, {columns}]");
        }
    }

    pub(crate) fn row_weight(&self, row: usize) -> f32 {
        self.row_weights.get(row).copied().unwrap_or(1.0)
    }

    pub(crate) fn class_weight(&self, class: usize) -> f32 {
        self.class_weights.get(class).copied().unwrap_or(1.0)
    }

    /// The weight of the true class's `-log p` in a row's loss, without the share that label smoothing spreads
    /// over all classes.
    pub(crate) fn hard(&self, row: usize) -> f32 {
        (1.0 - self.label_smoothing) * self.class_weight(self.classes[row] as usize)
    }
}
