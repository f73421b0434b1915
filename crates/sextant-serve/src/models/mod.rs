//! The models of a server: bundles and ensembles with names, opened, replaced and refused.

mod folder;
mod open;
mod registry;
mod slot;
mod watch;

pub use open::ModelSettings;
pub(crate) use open::OpenModel;
pub(crate) use registry::Registry;
pub use registry::{ModelSource, SourceProblem};
pub(crate) use slot::Slot;
pub(crate) use watch::watch;
