//! Moments that several ranks keep, on their way into a checkpoint, which rank 0 writes: it asks for one moment of
//! one parameter after another, so that it never holds more than that of the others'.

use crate::agree::gather_json;
use crate::moments::{MomentLayout, ParameterMoments};
use crate::moments_file::{MOMENTS, held_lines, parts};
use crate::{AdamW, Reducer, TrainError};
use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use sextant_kernels::Moment;
use sextant_model::Writable;
use std::collections::BTreeMap;
use std::io;

/// What rank 0 asks the others for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Question {
    parameter: usize,
    second: bool,
    scales: bool,
}

/// Answers rank 0 until it has written its file.
pub(crate) fn serve(optimizer: &AdamW, reducer: &dyn Reducer) -> Result<(), TrainError> {
    let states: Vec<_> = optimizer.states().collect();
    while let Some(question) = gather_json(reducer, None::<Question>)?[0] {
        let (_, layout, state) = states[question.parameter];
        let mine = state.map(|state| &state.moments);
        answer(question, layout, mine, reducer)?;
    }
    Ok(())
}

/// Tells the other ranks that there are no more questions.
pub(crate) fn finish(reducer: &dyn Reducer) -> Result<(), TrainError> {
    gather_json(reducer, None::<Question>).map(drop)
}

/// Adds the tensors of a parameter, of which other ranks have moments, to those of a file. They must be written
/// while the other ranks [`serve`].
pub(crate) fn add<'a>(
    file: &mut Vec<(String, Box<dyn Writable + 'a>)>,
    (parameter, name, layout): (usize, &str, MomentLayout),
    mine: &'a ParameterMoments,
    reducer: &'a dyn Reducer,
) {
    for (kind, moment) in MOMENTS {
        for (suffix, scales) in parts(layout.format) {
            let second = moment == Moment::Second;
            let question = Question { parameter, second, scales };
            let remote = Remote { question, layout, mine, reducer };
            file.push((format!("{kind}{suffix}.{name}"), Box::new(remote)));
        }
    }
}

/// A tensor whose lines are with several ranks.
struct Remote<'a> {
    question: Question,
    layout: MomentLayout,
    mine: &'a ParameterMoments,
    reducer: &'a dyn Reducer,
}

impl Writable for Remote<'_> {
    fn dtype(&self) -> Dtype {
        self.layout.dtype(self.question.scales)
    }

    fn shape(&self) -> Vec<usize> {
        vec![self.layout.lines * self.layout.line_width(self.question.scales)]
    }

    fn pieces(&self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let failed = |error: TrainError| io::Error::other(error.to_string());
        gather_json(self.reducer, Some(self.question)).map_err(failed)?;
        let received =
            answer(self.question, self.layout, Some(self.mine), self.reducer).map_err(failed)?;
        let nothing = vec![0; self.layout.line_bytes(self.question.scales)];
        (0..self.layout.lines).try_for_each(|line| write(received.get(&line).unwrap_or(&nothing)))
    }
}

/// Sends rank 0 what this rank has of a tensor. Returns, on rank 0, the lines of all ranks.
fn answer(
    question: Question,
    layout: MomentLayout,
    mine: Option<&ParameterMoments>,
    reducer: &dyn Reducer,
) -> Result<BTreeMap<usize, Vec<u8>>, TrainError> {
    let moment = if question.second { Moment::Second } else { Moment::First };
    let mut words = Vec::new();
    for (line, bytes) in
        mine.map(|mine| held_lines(mine, layout, moment, question.scales)).into_iter().flatten()
    {
        words.push(line as u32);
        words.extend(bytes.chunks(4).map(|four| {
            let mut word = [0; 4];
            word[..four.len()].copy_from_slice(four);
            u32::from_le_bytes(word)
        }));
    }
    let mut outgoing = vec![Vec::new(); reducer.ranks()];
    outgoing[0] = words;
    let received = reducer.exchange(outgoing)?;
    let length = layout.line_bytes(question.scales);
    let mut lines = BTreeMap::new();
    for rank in 0..reducer.ranks() {
        for line in received.of(rank).chunks_exact(1 + length.div_ceil(4)) {
            let mut bytes: Vec<u8> = line[1..].iter().flat_map(|word| word.to_le_bytes()).collect();
            bytes.truncate(length);
            lines.insert(line[0] as usize, bytes);
        }
    }
    Ok(lines)
}
