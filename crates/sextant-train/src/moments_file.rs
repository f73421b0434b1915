//! The optimizer's moments in a checkpoint: `first.NAME` and `second.NAME`, each a vector, and for 8 bits
//! `first_scale.NAME` and `second_scale.NAME`.
//!
//! Rows of a table that never had a gradient are written as zeros, so that a checkpoint looks the same however
//! moments are kept in memory.

use crate::moments::{MomentLayout, ParameterMoments};
use burn::tensor::{Device, Tensor, TensorData};
use half::bf16;
use safetensors::Dtype;
use sextant_kernels::{Moment, MomentFormat, MomentLine, MomentNumbers, Moments, RowMoments};
use sextant_model::{Archive, ModelError, Writable};
use std::io;

const MOMENTS: [(&str, Moment); 2] = [("first", Moment::First), ("second", Moment::Second)];
/// How many numbers are converted to bytes at a time.
const PIECE: usize = 1 << 14;

/// Adds the tensors of a parameter to those of a file.
pub(crate) fn add<'a>(
    file: &mut Vec<(String, Box<dyn Writable + 'a>)>,
    name: &str,
    layout: MomentLayout,
    moments: &'a ParameterMoments,
) {
    if let ParameterMoments::Tensors(tensors) = moments {
        for ((kind, _), tensor) in MOMENTS.into_iter().zip(tensors.iter()) {
            file.push((format!("{kind}.{name}"), Box::new(tensor.clone())));
        }
        return;
    }
    for (kind, moment) in MOMENTS {
        let part = |scales| Box::new(Part { moments, layout, moment, scales });
        file.push((format!("{kind}.{name}"), part(false)));
        if layout.format == MomentFormat::Int8 {
            file.push((format!("{kind}_scale.{name}"), part(true)));
        }
    }
}

/// The numbers of one moment of a parameter, or their scales.
struct Part<'a> {
    moments: &'a ParameterMoments,
    layout: MomentLayout,
    moment: Moment,
    scales: bool,
}

impl Part<'_> {
    /// How many numbers a line has.
    fn width(&self) -> usize {
        if self.scales { Moments::blocks(self.layout.width) } else { self.layout.width }
    }
}

impl Writable for Part<'_> {
    fn dtype(&self) -> Dtype {
        match self.layout.format {
            MomentFormat::Int8 if !self.scales => Dtype::U8,
            MomentFormat::Bf16 => Dtype::BF16,
            MomentFormat::F32 | MomentFormat::Int8 => Dtype::F32,
        }
    }

    fn shape(&self) -> Vec<usize> {
        vec![self.layout.lines * self.width()]
    }

    fn pieces(&self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let nothing = vec![0; self.width() * self.dtype().bitsize() / 8];
        for line in 0..self.layout.lines {
            match self.moments.line(self.moment, line) {
                None => write(&nothing)?,
                Some(MomentLine::F32(numbers)) => write_floats(numbers, write)?,
                Some(MomentLine::Bf16(numbers)) => {
                    for piece in numbers.chunks(PIECE) {
                        write(&piece.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())?;
                    }
                }
                Some(MomentLine::Int8 { scales, .. }) if self.scales => {
                    write_floats(scales, write)?;
                }
                Some(MomentLine::Int8 { codes, .. }) => write(codes)?,
            }
        }
        Ok(())
    }
}

fn write_floats(floats: &[f32], write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    floats.chunks(PIECE).try_for_each(|piece| {
        write(&piece.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())
    })
}

/// Reads the moments of a parameter.
///
/// # Errors
/// A tensor is missing, or has another shape or type.
pub(crate) fn read(
    archive: &Archive,
    name: &str,
    layout: MomentLayout,
    device: &Device,
) -> Result<ParameterMoments, ModelError> {
    let MomentLayout { format, lines, width, of_rows } = layout;
    let numbers = |kind: &str| {
        let (name, scales) = (format!("{kind}.{name}"), format!("{kind}_scale.{name}"));
        let shape = [lines * width];
        Ok::<_, ModelError>(match format {
            MomentFormat::F32 => MomentNumbers::F32(archive.get(&name, &shape)?.into_owned()),
            MomentFormat::Bf16 => {
                let values = archive.get(&name, &shape)?;
                MomentNumbers::Bf16(values.iter().map(|&x| bf16::from_f32(x)).collect())
            }
            MomentFormat::Int8 => MomentNumbers::Int8 {
                codes: archive.bytes(&name, &shape)?.into_owned(),
                scales: archive.get(&scales, &[lines * Moments::blocks(width)])?.into_owned(),
            },
        })
    };
    let (first, second) = match (numbers("first")?, numbers("second")?) {
        (MomentNumbers::F32(first), MomentNumbers::F32(second)) if !of_rows => {
            let tensor = |values: Vec<f32>| {
                Tensor::from_data(TensorData::new(values, [lines * width]), device)
            };
            return Ok(ParameterMoments::Tensors(Box::new([first, second].map(tensor))));
        }
        both => both,
    };
    let moments = Moments::from_parts(lines, width, first, second)
        .ok_or_else(|| archive.problem(format!("the moments of `{name}` do not fit together")))?;
    Ok(if of_rows {
        ParameterMoments::Rows(RowMoments::from_moments(&moments))
    } else {
        ParameterMoments::Stored(moments)
    })
}
