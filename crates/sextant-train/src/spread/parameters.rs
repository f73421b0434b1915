//! Brings the parameters that other ranks have updated, if each rank updates only a share of them.

use super::Kind;
use super::packets::{buckets, read_rows, write_rows};
use crate::Reducer;
use crate::moments::ParameterMoments;
use crate::{AdamW, TrainError};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use sextant_kernels::RowGradient;
use sextant_model::{ParamInfo, RelevanceModel, parameters};

/// What a rank has received of a parameter.
enum Update {
    /// All its numbers.
    Whole(Vec<f32>),
    /// Rows of a table, from each rank its own.
    Rows(Vec<RowGradient>),
}

/// Replaces the parameters that this rank does not update by what those ranks have that do. `kinds` are the kinds
/// of the gradients by which the step has updated parameters. A model whose optimizer is not sharded stays as it is.
///
/// Of a table, only rows travel that ever had a gradient: the others do nothing but decay, which every rank does by
/// itself.
pub(crate) fn bring_parameters(
    model: RelevanceModel,
    optimizer: &AdamW,
    kinds: &[Kind],
    reducer: &dyn Reducer,
) -> Result<RelevanceModel, TrainError> {
    let Some(shard) = optimizer.shard() else { return Ok(model) };
    let updated = |index: usize, kind| kinds.get(index) == Some(&kind);
    let lengths: Vec<usize> = parameters(&model).iter().map(ParamInfo::len).collect();
    let mut updates: Vec<Option<Update>> = lengths.iter().map(|_| None).collect();
    for bucket in buckets(&lengths) {
        let dense = || bucket.clone().filter(|&index| updated(index, Kind::Dense));
        if dense().next().is_none() {
            continue;
        }
        let mine = Reader::words(&model, |index| {
            bucket.contains(&index) && updated(index, Kind::Dense) && shard.keeps(index)
        });
        let received = reducer.gather(&mine)?;
        let mut places = vec![0; reducer.ranks()];
        for index in dense() {
            let Some(owner) = shard.owner(index) else { continue };
            let words = &received.of(owner)[places[owner]..][..lengths[index]];
            places[owner] += lengths[index];
            if owner != reducer.rank() {
                let numbers = words.iter().copied().map(f32::from_bits).collect();
                updates[index] = Some(Update::Whole(numbers));
            }
        }
    }
    for index in (0..lengths.len()).filter(|&index| updated(index, Kind::Rows)) {
        let mut mine = Vec::new();
        write_rows(&Reader::rows(&model, optimizer, index), &mut mine);
        let received = reducer.gather(&mine)?;
        let others = (0..reducer.ranks()).filter(|&rank| rank != reducer.rank());
        let rows = others.map(|rank| read_rows(&mut received.of(rank))).collect();
        updates[index] = Some(Update::Rows(rows));
    }
    Ok(model.map(&mut Replacer { updates: updates.into_iter() }))
}

/// Reads numbers of parameters.
struct Reader<'a, F> {
    index: usize,
    each: &'a mut F,
}

impl<F: FnMut(usize, &[f32])> ModuleVisitor for Reader<'_, F> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let index = self.index;
        self.index += 1;
        if param.is_require_grad() {
            let data = param.val().inner().into_data();
            (self.each)(index, &super::packets::numbers(&data));
        }
    }
}

impl Reader<'_, fn(usize, &[f32])> {
    /// The numbers of the parameters that are wanted, one parameter after another.
    fn words(model: &RelevanceModel, wanted: impl Fn(usize) -> bool) -> Vec<u32> {
        let mut words = Vec::new();
        let mut each = |index: usize, numbers: &[f32]| {
            if wanted(index) {
                words.extend(numbers.iter().map(|number| number.to_bits()));
            }
        };
        model.visit(&mut Reader { index: 0, each: &mut each });
        words
    }

    /// The rows of a table of which this rank keeps moments.
    fn rows(model: &RelevanceModel, optimizer: &AdamW, table: usize) -> RowGradient {
        let state = optimizer.states().nth(table).and_then(|(.., state)| state);
        let Some(ParameterMoments::Rows(moments)) = state.map(|state| &state.moments) else {
            return RowGradient::default();
        };
        let width = moments.width();
        let mut rows = RowGradient::default();
        let mut each = |index: usize, numbers: &[f32]| {
            if index == table {
                let ids: Vec<i32> = moments.touched().map(|row| row as i32).collect();
                let of_row = |&id: &i32| &numbers[id as usize * width..][..width];
                let values: Vec<f32> = ids.iter().flat_map(of_row).copied().collect();
                rows = RowGradient::from_tokens(&ids, &values, width);
            }
        };
        model.visit(&mut Reader { index: 0, each: &mut each });
        rows
    }
}

/// Writes what was received into a model.
struct Replacer {
    updates: std::vec::IntoIter<Option<Update>>,
}

impl ModuleMapper for Replacer {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(update) = self.updates.next().flatten() else { return param };
        param.map(|tensor| {
            let (shape, device) = (tensor.shape(), tensor.device().inner());
            let numbers = match update {
                Update::Whole(numbers) => numbers,
                Update::Rows(rows) => {
                    let data = tensor.inner().into_data();
                    let mut numbers = super::packets::numbers(&data).into_owned();
                    for rows in rows {
                        let width = rows.width();
                        for (&id, row) in rows.ids().iter().zip(rows.values().chunks(width.max(1)))
                        {
                            numbers[id as usize * width..][..width].copy_from_slice(row);
                        }
                    }
                    numbers
                }
            };
            let values = Tensor::from_data(TensorData::new(numbers, shape), &device);
            Tensor::from_inner(values).require_grad()
        })
    }
}
