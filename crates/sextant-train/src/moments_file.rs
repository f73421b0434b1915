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

pub(crate) const MOMENTS: [(&str, Moment); 2] =
    [("first", Moment::First), ("second", Moment::Second)];
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
        for (suffix, scales) in parts(layout.format) {
            let part = Part { moments, layout, moment, scales };
            file.push((format!("{kind}{suffix}.{name}"), Box::new(part)));
        }
    }
}

/// What there is of a moment in this format, by what is added to its name, and whether it is the scales.
pub(crate) fn parts(format: MomentFormat) -> impl Iterator<Item = (&'static str, bool)> {
    let scales = (format == MomentFormat::Int8).then_some(("_scale", true));
    std::iter::once(("", false)).chain(scales)
}

impl MomentLayout {
    /// How many numbers a line has, or how many scales.
    pub(crate) fn line_width(self, scales: bool) -> usize {
        if scales { Moments::blocks(self.width) } else { self.width }
    }

    /// The type in which the numbers are stored, or the scales.
    pub(crate) fn dtype(self, scales: bool) -> Dtype {
        match self.format {
            MomentFormat::Int8 if !scales => Dtype::U8,
            MomentFormat::Bf16 => Dtype::BF16,
            MomentFormat::F32 | MomentFormat::Int8 => Dtype::F32,
        }
    }

    /// How many bytes a line has.
    pub(crate) fn line_bytes(self, scales: bool) -> usize {
        self.line_width(scales) * self.dtype(scales).bitsize() / 8
    }
}

/// The lines that there are of one moment of a parameter, each with its bytes.
pub(crate) fn held_lines(
    moments: &ParameterMoments,
    layout: MomentLayout,
    moment: Moment,
    scales: bool,
) -> Vec<(usize, Vec<u8>)> {
    if let ParameterMoments::Tensors(tensors) = moments {
        let [first, second] = &**tensors;
        let tensor = if moment == Moment::First { first } else { second };
        let bytes = tensor.to_data().iter::<f32>().flat_map(f32::to_le_bytes).collect();
        return vec![(0, bytes)];
    }
    let part = Part { moments, layout, moment, scales };
    let held = |line| {
        let mut bytes = Vec::with_capacity(layout.line_bytes(scales));
        let mut keep = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        // Memory is written to, which does not fail.
        let _ = part.write_line(moments.line(moment, line)?, &mut keep);
        Some((line, bytes))
    };
    (0..layout.lines).filter_map(held).collect()
}

/// The numbers of one moment of a parameter, or their scales.
struct Part<'a> {
    moments: &'a ParameterMoments,
    layout: MomentLayout,
    moment: Moment,
    scales: bool,
}

impl Part<'_> {
    fn write_line(
        &self,
        line: MomentLine<'_>,
        write: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        match line {
            MomentLine::F32(numbers) => write_floats(numbers, write),
            MomentLine::Bf16(numbers) => numbers.chunks(PIECE).try_for_each(|piece| {
                write(&piece.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())
            }),
            MomentLine::Int8 { scales, .. } if self.scales => write_floats(scales, write),
            MomentLine::Int8 { codes, .. } => write(codes),
        }
    }
}

impl Writable for Part<'_> {
    fn dtype(&self) -> Dtype {
        self.layout.dtype(self.scales)
    }

    fn shape(&self) -> Vec<usize> {
        vec![self.layout.lines * self.layout.line_width(self.scales)]
    }

    fn pieces(&self, write: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let nothing = vec![0; self.layout.line_bytes(self.scales)];
        (0..self.layout.lines).try_for_each(|line| match self.moments.line(self.moment, line) {
            None => write(&nothing),
            Some(line) => self.write_line(line, write),
        })
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
