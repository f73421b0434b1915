//! The native API: the types of its requests and answers, as they stand in JSON.
//!
//! `docs/serving.md` shows each of them once. Every dialect is translated into these types and back.

mod answer;
mod consistency;
mod entity;
mod error;
mod model;
mod readable;
mod request;

pub use answer::{
    CutTokens, MemberVote, PairAnswer, PairOutcome, Probabilities, RelevanceResponse, Timing, Usage,
};
pub use consistency::{
    ConsistencyRequest, ConsistencyResponse, Triple, TripleAnswer, TripleOutcome,
};
pub use entity::{EntityInput, TaskName};
pub use error::{ErrorBody, ErrorCode, ErrorDetail};
pub use model::{MemberInfo, ModelInfo, ModelList, ModelState, ServerInfo};
pub use readable::{Readable, Unreadable};
pub use request::{PairInput, RelevanceRequest};
