//! The optimizer's state of each parameter.

use crate::gradients::Gradient;
use burn::tensor::{Device, Tensor};
use sextant_kernels::{
    AdamWStep, Moment, MomentFormat, MomentLine, Moments, RowMoments, UntouchedRows, adamw,
    adamw_rows, adamw_stored, has_kernels,
};
use sextant_model::ParamInfo;

/// Parameters of fewer numbers keep their moments in 32 bits, as in bitsandbytes: they take no memory to speak
/// of, and norms, biases and heads are among them.
const SMALL: usize = 4096;

/// The moments of a parameter, and the number of steps that updated it.
#[derive(Debug, Clone)]
pub(crate) struct ParameterState {
    /// Steps that updated the parameter. Bias correction counts these steps, as in PyTorch.
    pub(crate) steps: u64,
    pub(crate) moments: ParameterMoments,
}

/// The moments of a parameter: running means of the gradient and of its square.
#[derive(Debug, Clone)]
pub(crate) enum ParameterMoments {
    /// Both as vectors on the parameter's device.
    Tensors(Box<[Tensor<1>; 2]>),
    /// Both as one line, in memory of the host.
    Stored(Moments),
    /// Those of the rows of a table that ever had a gradient.
    Rows(RowMoments),
    /// Another rank keeps them, and updates the parameter.
    Elsewhere,
}

/// How the moments of a parameter are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MomentLayout {
    pub(crate) format: MomentFormat,
    /// How many lines the moments have, and how many numbers a line has: those of a table's rows, or one line
    /// with all numbers of another parameter.
    pub(crate) lines: usize,
    pub(crate) width: usize,
    /// Whether the parameter's gradient comes as rows of a table.
    pub(crate) of_rows: bool,
}

impl MomentLayout {
    /// The layout for a parameter on this device, of which the recipe wants the moments in `format`.
    pub(crate) fn new(info: &ParamInfo, format: MomentFormat, device: &Device) -> Self {
        let of_rows = info.name == "embeddings.word" && has_kernels(device);
        let format = if info.len() < SMALL { MomentFormat::F32 } else { format };
        let (lines, width) = match info.shape.as_slice() {
            &[rows, width] if of_rows => (rows, width),
            _ => (1, info.len()),
        };
        Self { format, lines, width, of_rows }
    }

    /// The state before the first step.
    pub(crate) fn zeros(self, device: &Device) -> ParameterState {
        let moments = if self.of_rows {
            ParameterMoments::Rows(RowMoments::new(self.format, self.lines, self.width))
        } else if self.format == MomentFormat::F32 {
            let zeros = Tensor::zeros([self.lines * self.width], device);
            ParameterMoments::Tensors(Box::new([zeros.clone(), zeros]))
        } else {
            ParameterMoments::Stored(Moments::zeros(self.format, self.lines, self.width))
        };
        ParameterState { steps: 0, moments }
    }
}

impl ParameterState {
    /// The state, before the first step, of a parameter that another rank updates.
    pub(crate) const ELSEWHERE: Self = Self { steps: 0, moments: ParameterMoments::Elsewhere };
}

impl ParameterMoments {
    /// Lets go of what other ranks keep: everything, or the rows of a table that are not wanted.
    pub(crate) fn keep(&mut self, keeps: bool, row: impl Fn(usize) -> bool) {
        match self {
            _ if !keeps => *self = Self::Elsewhere,
            Self::Rows(moments) => *moments = moments.filter(row),
            _ => {}
        }
    }

    /// One line of one moment: `None` for a row of a table that never had a gradient, and for tensors.
    pub(crate) fn line(&self, moment: Moment, line: usize) -> Option<MomentLine<'_>> {
        match self {
            Self::Tensors(_) | Self::Elsewhere => None,
            Self::Stored(moments) => Some(moments.line(moment, line)),
            Self::Rows(moments) => moments.line(moment, line),
        }
    }

    /// Updates a parameter and its moments by one step. Returns the parameter as a vector.
    pub(crate) fn advance<const D: usize>(
        &mut self,
        values: Tensor<D>,
        gradient: Gradient,
        step: &AdamWStep,
    ) -> Tensor<1> {
        let length = values.shape().num_elements();
        match (self, gradient) {
            (Self::Elsewhere, _) => values.reshape([length]),
            (Self::Tensors(moments), Gradient::Dense(gradient)) => {
                // Moments that nothing else holds are updated in place.
                let none = || Tensor::empty([0], &gradient.device());
                let [m, v] = std::mem::replace(&mut **moments, [none(), none()]);
                let (values, m, v) = adamw(values.reshape([length]), gradient, m, v, step);
                **moments = [m, v];
                values
            }
            (Self::Stored(moments), Gradient::Dense(gradient)) => {
                adamw_stored(values.reshape([length]), gradient, moments, step)
            }
            (Self::Rows(moments), Gradient::Rows(rows)) => {
                let table = values.reshape([length / rows.width(), rows.width()]);
                adamw_rows(table, &rows, moments, step, UntouchedRows::Decay).reshape([length])
            }
            // Steps run through `run_pack`, where the table of words on a device with kernels is the one
            // parameter with a gradient of rows.
            (_, _) => unreachable!("the gradient is of another kind than the moments"),
        }
    }
}
