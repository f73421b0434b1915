//! What Python raises.

use pyo3::exceptions::PyException;
use pyo3::{PyErr, create_exception};
use sextant_lab::LabError;
use sextant_score::{BatchError, ScoreError};
use sextant_train::TrainError;
use std::error::Error;

create_exception!(
    sextant,
    SextantError,
    PyException,
    "Something that Sextant cannot do. The message says what is wrong, where, and how to mend it."
);
create_exception!(sextant, DataError, SextantError, "Data that cannot be read or written.");
create_exception!(
    sextant,
    RowError,
    DataError,
    "A row that cannot be read or scored. The message names the row."
);
create_exception!(
    sextant,
    ModelError,
    SextantError,
    "A model that cannot be opened, run or written."
);
create_exception!(
    sextant,
    RecipeError,
    SextantError,
    "A recipe with mistakes. The message lists all of them, each with its key."
);
create_exception!(
    sextant,
    Stopped,
    SextantError,
    "Work that a callback asked to stop. What was done is kept, and the same call goes on from there."
);

/// The exception for an error of the crates below.
pub(crate) fn raised(error: &(dyn Error + 'static)) -> PyErr {
    let text = in_python(text(error));
    match kind(error) {
        Kind::Row => RowError::new_err(text),
        Kind::Data => DataError::new_err(text),
        Kind::Model => ModelError::new_err(text),
        Kind::Recipe => RecipeError::new_err(text),
        Kind::Other => SextantError::new_err(text),
    }
}

/// Whether an error only says that the work was asked to stop.
pub(crate) fn is_stop(error: &(dyn Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(TrainError::Interrupted { .. } | TrainError::Stopped))
        || matches!(error.downcast_ref(), Some(sextant_model::ModelError::Stopped))
        || matches!(error.downcast_ref(), Some(ScoreError::Interrupted))
        || matches!(error.downcast_ref(), Some(LabError::Train(inner)) if is_stop(inner))
}

/// Which exception an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Row,
    Data,
    Model,
    Recipe,
    Other,
}

fn kind(error: &(dyn Error + 'static)) -> Kind {
    if let Some(error) = error.downcast_ref::<BatchError>() {
        return match error {
            BatchError::Row { .. } => Kind::Row,
            BatchError::Model(_) => Kind::Model,
            _ => Kind::Data,
        };
    }
    if let Some(error) = error.downcast_ref::<ScoreError>() {
        return match error {
            ScoreError::Row { .. } => Kind::Row,
            ScoreError::Data(error) => kind(error),
            ScoreError::Model(_) => Kind::Model,
            _ => Kind::Other,
        };
    }
    if let Some(error) = error.downcast_ref::<TrainError>() {
        return match error {
            TrainError::Recipe { .. } | TrainError::Plan(_) => Kind::Recipe,
            TrainError::Row { .. } => Kind::Row,
            TrainError::Data(error) => kind(error),
            _ => Kind::Other,
        };
    }
    if let Some(error) = error.downcast_ref::<LabError>() {
        return match error {
            LabError::Recipe(_) => Kind::Recipe,
            LabError::Train(error) => kind(error),
            LabError::Row { .. } => Kind::Row,
            LabError::File(error) => kind(error),
            LabError::Model(_) => Kind::Model,
            _ => Kind::Other,
        };
    }
    match error.downcast_ref() {
        Some(sextant_data::DataError::Row(_)) => Kind::Row,
        Some(_) => Kind::Data,
        None if error.is::<sextant_model::ModelError>() => Kind::Model,
        None => Kind::Other,
    }
}

/// An error with its causes, without those that its text contains already.
fn text(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !message.contains(&said) {
            message = format!("{message}: {said}");
        }
        cause = error.source();
    }
    message
}

/// Options of the command line that messages advise, beside the arguments that functions here have for them.
const ARGUMENTS: [(&str, &str); 6] = [
    ("`--split`, in Python `split=`", "`split=`"),
    ("`--split`", "`split=`"),
    ("`--out`", "`out=`"),
    ("`--overwrite`", "`overwrite=True`"),
    ("`--resume`", "`resume=True`"),
    ("`--precision f32`", "`precision=\"f32\"`"),
];

/// A message whose advice names arguments in place of options.
fn in_python(mut text: String) -> String {
    for (option, argument) in ARGUMENTS {
        if text.contains(option) {
            text = text.replace(option, argument);
        }
    }
    text
}
