//! Grades from language models, and whether to trust them.
//!
//! [`run`] asks an OpenAI-compatible endpoint about pairs: a [`Prompt`] says what is asked, a [`Method`] how
//! probabilities of the grades are had from the server, and [`Settings`] how fast and for how much. Every answer
//! goes into a ledger as soon as it is there, with the raw text of the server, so that a run that was killed or
//! that met its budget goes on where it was. [`choose_shots`] chooses worked examples for the prompt by how
//! well the judge then agrees with people on dev rows.
//!
//! [`agree`] measures how far a judge agrees with people, per task and where it fails, before anybody trains
//! on its grades or measures a model by them.
//!
//! This crate prints nothing; who wants to know of progress passes an observer.

mod agree;
mod agreed;
mod ask;
mod budget;
mod client;
mod error;
mod grades;
mod ledger;
mod method;
mod pace;
mod prompt;
mod rows;
mod run;
mod shots;
mod slices;

pub use agree::{AgreeOptions, JudgeAgreement, TaskAgreement, agree};
pub use agreed::Agreed;
pub use budget::{Budget, Prices, Spent};
pub use client::{Client, Retries, Wait};
pub use error::JudgeError;
pub use ledger::{Answer, Gradeless, Judge, Ledger, gradeless_path, pair_key};
pub use method::Method;
pub use pace::Pace;
pub use prompt::{Level, Prompt, Shot};
pub use rows::{load_rows, rows_of_other_data, write_judged};
pub use run::{Judged, Judging, Settings, run};
pub use shots::{ShotChoice, Trial, choose_shots};
pub use slices::Slice;
