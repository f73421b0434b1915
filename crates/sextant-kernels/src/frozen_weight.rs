use std::sync::{Arc, Weak};

use burn::tensor::{Device, Tensor, TensorData};

use crate::device::has_kernels;
use crate::frozen_format::FrozenFormat;
use crate::kernels::frozen::Numbers;

/// A weight that training does not change, stored once and, if wanted, in few bits: the base of a LoRA layer
/// (QLoRA if it is quantised, Dettmers et al. 2023) or a frozen embedding table.
///
/// [`frozen_linear`](crate::frozen_linear) decodes one panel of the weight, or of its transpose, at a time, and
/// never the whole weight. A clone is cheap and shares the numbers.
#[derive(Clone, Debug)]
pub struct FrozenWeight {
    form: Form,
    dims: [usize; 2],
}

#[derive(Clone, Debug)]
pub(crate) enum Form {
    Stored(Arc<Numbers>),
    /// The format and the decoded numbers, `[inputs, outputs]`, on a device without kernels.
    Plain(FrozenFormat, Arc<Tensor<2>>),
}

/// The error that stored bytes do not have the length of the weight that is to be read from them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a weight of {outputs} by {inputs} numbers as {format} takes {expected} bytes, not {found}"
)]
pub struct FrozenWeightError {
    format: FrozenFormat,
    outputs: usize,
    inputs: usize,
    expected: usize,
    found: usize,
}

impl FrozenWeight {
    /// Stores a weight of `[inputs, outputs]`. `values` is `[outputs, inputs]` row-major, which is how PyTorch
    /// stores a linear layer, or the rows of an embedding table.
    ///
    /// # Panics
    /// When there are not `inputs * outputs` values.
    pub fn new(
        values: &[f32],
        [inputs, outputs]: [usize; 2],
        format: FrozenFormat,
        device: &Device,
    ) -> Self {
        assert!(
            values.len() == inputs * outputs,
            "FrozenWeight: {} values for {outputs} outputs of {inputs} inputs",
            values.len()
        );
        Self::on(Numbers::store(values, inputs, format), [inputs, outputs], device)
    }

    /// A weight of zeros of `[inputs, outputs]`, a placeholder that another weight will replace.
    pub fn zeros(dims: [usize; 2], format: FrozenFormat, device: &Device) -> Self {
        Self::on(Numbers::zeros(dims[0], dims[1], format), dims, device)
    }

    fn on(numbers: Numbers, dims: [usize; 2], device: &Device) -> Self {
        let form = if has_kernels(device) {
            Form::Stored(Arc::new(numbers))
        } else {
            Form::Plain(numbers.format(), Arc::new(decoded(&numbers, dims, device)))
        };
        Self { form, dims }
    }

    /// The number of inputs and of outputs.
    pub fn dims(&self) -> [usize; 2] {
        self.dims
    }

    /// The format in which the numbers are stored.
    pub fn format(&self) -> FrozenFormat {
        match &self.form {
            Form::Stored(numbers) => numbers.format(),
            Form::Plain(format, _) => *format,
        }
    }

    /// The decoded numbers as a tensor of `[inputs, outputs]` without a gradient.
    pub(crate) fn decoded(&self, device: &Device) -> Tensor<2> {
        match &self.form {
            Form::Stored(numbers) => decoded(numbers, self.dims, device),
            Form::Plain(_, tensor) => tensor.as_ref().clone(),
        }
    }

    /// The decoded numbers, `[outputs, inputs]` row-major, for merging and export.
    pub fn values(&self) -> Vec<f32> {
        match &self.form {
            Form::Stored(numbers) => numbers.decoded(self.dims[0]),
            #[expect(clippy::expect_used, reason = "converted to f32 just before")]
            Form::Plain(_, tensor) => {
                let data = tensor.as_ref().clone().transpose().into_data().convert::<f32>();
                data.try_into_vec().expect("numbers of f32")
            }
        }
    }

    /// The stored form as bytes, from which [`FrozenWeight::from_bytes`] makes the same weight, bit for bit.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.form {
            Form::Stored(numbers) => numbers.to_bytes(),
            Form::Plain(format, _) => {
                Numbers::store(&self.values(), self.dims[0], *format).to_bytes()
            }
        }
    }

    /// Calls `each` with the bytes of [`FrozenWeight::to_bytes`] in order, one piece after the other, so that a
    /// file can be written without a copy of the weight. Stops at the first error of `each` and returns it.
    pub fn pieces<E>(&self, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match &self.form {
            Form::Stored(numbers) => numbers.pieces(each),
            Form::Plain(..) => each(&self.to_bytes()),
        }
    }

    /// The number of bytes that [`FrozenWeight::to_bytes`] gives for a weight of `[inputs, outputs]`.
    pub fn byte_count([inputs, outputs]: [usize; 2], format: FrozenFormat) -> usize {
        Numbers::byte_count(inputs, outputs, format)
    }

    /// Makes a weight of `[inputs, outputs]` from the bytes of [`FrozenWeight::to_bytes`].
    pub fn from_bytes(
        bytes: &[u8],
        dims: [usize; 2],
        format: FrozenFormat,
        device: &Device,
    ) -> Result<Self, FrozenWeightError> {
        let [inputs, outputs] = dims;
        let expected = Self::byte_count(dims, format);
        if bytes.len() != expected {
            let found = bytes.len();
            return Err(FrozenWeightError { format, outputs, inputs, expected, found });
        }
        Ok(Self::on(Numbers::from_bytes(bytes, inputs, outputs, format), dims, device))
    }

    /// A stand-in for this weight, which has its dims and format but holds a single NaN in place of its numbers. It
    /// takes the place of a weight that is no longer needed in a model that still names it.
    #[must_use]
    pub fn freed(&self) -> Self {
        let device = match &self.form {
            Form::Stored(_) => Device::flex(),
            Form::Plain(_, tensor) => tensor.device(),
        };
        let nothing = Tensor::<2>::full([1, 1], f32::NAN, &device).expand(self.dims);
        Self { form: Form::Plain(self.format(), Arc::new(nothing)), dims: self.dims }
    }

    /// Whether two weights share one copy of the numbers.
    pub fn shares_memory_with(&self, other: &Self) -> bool {
        match (&self.form, &other.form) {
            (Form::Stored(a), Form::Stored(b)) => Arc::ptr_eq(a, b),
            (Form::Plain(_, a), Form::Plain(_, b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// A handle that does not keep the numbers in memory.
    pub fn downgrade(&self) -> WeakFrozenWeight {
        let form = match &self.form {
            Form::Stored(numbers) => WeakForm::Stored(Arc::downgrade(numbers)),
            Form::Plain(format, tensor) => WeakForm::Plain(*format, Arc::downgrade(tensor)),
        };
        WeakFrozenWeight { form, dims: self.dims }
    }

    pub(crate) fn form(&self) -> &Form {
        &self.form
    }

    /// The stored numbers, for a kernel of the operation of this name.
    ///
    /// # Panics
    /// When the weight was freed, or is on a device without kernels.
    pub(crate) fn numbers(&self, operation: &str) -> &Numbers {
        match &self.form {
            Form::Stored(numbers) => numbers,
            Form::Plain(..) => panic!(
                "{operation}: the weight was freed, or is on a device without kernels, and the input is on a flex device"
            ),
        }
    }
}

/// Decodes stored numbers into a tensor of `[inputs, outputs]`, on the device without autodiff.
fn decoded(numbers: &Numbers, [inputs, outputs]: [usize; 2], device: &Device) -> Tensor<2> {
    let values = TensorData::new(numbers.decoded(inputs), [outputs, inputs]);
    Tensor::<2>::from_data(values, &device.clone().inner()).transpose()
}

/// A weak handle of a [`FrozenWeight`], which does not keep the numbers in memory. A register of the weights in
/// memory holds such handles.
#[derive(Clone, Debug)]
pub struct WeakFrozenWeight {
    form: WeakForm,
    dims: [usize; 2],
}

#[derive(Clone, Debug)]
enum WeakForm {
    Stored(Weak<Numbers>),
    Plain(FrozenFormat, Weak<Tensor<2>>),
}

impl WeakFrozenWeight {
    /// The weight, if a [`FrozenWeight`] with these numbers still exists.
    pub fn upgrade(&self) -> Option<FrozenWeight> {
        let form = match &self.form {
            WeakForm::Stored(numbers) => Form::Stored(numbers.upgrade()?),
            WeakForm::Plain(format, tensor) => Form::Plain(*format, tensor.upgrade()?),
        };
        Some(FrozenWeight { form, dims: self.dims })
    }
}
