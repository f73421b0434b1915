//! Consistency training: besides its rows, a step learns from triangles of entities whose three answers
//! should not contradict each other (see [`contradiction_losses`](sextant_model::contradiction_losses)).
//! Triangles need no grades.

mod gradients;
mod triangles;

pub(crate) use gradients::{Penalty, gradients};
pub use triangles::Triangles;
