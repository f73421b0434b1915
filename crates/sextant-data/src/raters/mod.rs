//! Several people's grades for the same pairs: how far they agree, and which grade they make together.

mod agreement;
mod dawid_skene;
mod rating;

pub use agreement::{Distance, fleiss_kappa, krippendorff_alpha};
pub use dawid_skene::{DawidSkene, dawid_skene};
pub use rating::{Rating, counts, majority, mean};
