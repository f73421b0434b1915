use std::fmt;
use std::str::FromStr;

use half::bf16;

use crate::UnknownPrecision;

/// How the moments of [`adamw_stored`](crate::adamw_stored) and [`adamw_rows`](crate::adamw_rows) are stored
/// between steps. A step always computes in `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MomentFormat {
    /// Unchanged: 8 bytes for a parameter's two moments.
    #[default]
    F32,
    /// As bf16 numbers: 4 bytes. The first moment is rounded to the nearest one. The second moment is rounded at
    /// random, up or down, so that its expectation is right: with `beta2 = 0.999` it changes by a thousandth in a
    /// step, which is less than half the distance of two bf16 numbers, so that rounding to the nearest one would
    /// never let it fall. The random numbers are a function of the step and of the parameter's index.
    Bf16,
    /// In 8 bits by dynamic block-wise quantisation (Dettmers et al. 2022, "8-bit Optimizers via Block-wise
    /// Quantization"), 2 bytes and a 32nd: each block of at most 256 numbers has a scale, and each number is one
    /// of 256 multiples of it that lie closer to each other near 0. As in Li et al. 2023 ("Memory Efficient
    /// Optimizers with 4-bit States"), no code of the second moment is 0, because a step divides by it; and its
    /// root is what is coded, because that is what a step divides by.
    Int8,
}

impl MomentFormat {
    /// Every format, the most exact first.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::Int8];

    /// The name used in recipes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for MomentFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MomentFormat {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(|| {
            UnknownPrecision { name: name.to_owned(), expected: "\"f32\", \"bf16\" or \"int8\"" }
        })
    }
}

/// The most numbers that share a scale.
const BLOCK: usize = 256;

/// Which of AdamW's two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The running mean of the gradient.
    First,
    /// The running mean of the gradient's square.
    Second,
}

/// The numbers of one moment, as they are stored.
#[derive(Clone, Debug, PartialEq)]
pub enum MomentNumbers {
    /// See [`MomentFormat::F32`].
    F32(Vec<f32>),
    /// See [`MomentFormat::Bf16`].
    Bf16(Vec<bf16>),
    /// See [`MomentFormat::Int8`].
    Int8 {
        /// A code for each number.
        codes: Vec<u8>,
        /// A scale for each block: the number, or the root, of greatest magnitude in it.
        scales: Vec<f32>,
    },
}

/// The part of [`MomentNumbers`] that belongs to one line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MomentLine<'a> {
    /// See [`MomentFormat::F32`].
    F32(&'a [f32]),
    /// See [`MomentFormat::Bf16`].
    Bf16(&'a [bf16]),
    /// See [`MomentFormat::Int8`].
    Int8 {
        /// A code for each number.
        codes: &'a [u8],
        /// A scale for each block.
        scales: &'a [f32],
    },
}

impl MomentLine<'_> {
    /// Whether every number is zero.
    pub fn is_zero(&self) -> bool {
        match self {
            Self::F32(numbers) => numbers.iter().all(|&x| x == 0.0),
            Self::Bf16(numbers) => numbers.iter().all(|&x| x == bf16::ZERO),
            Self::Int8 { scales, .. } => scales.iter().all(|&x| x == 0.0),
        }
    }
}

/// AdamW's two moments of a parameter, in `lines` lines of `width` numbers. No block of numbers that share a scale
/// reaches from one line into the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    pub(crate) lines: usize,
    pub(crate) width: usize,
    pub(crate) first: MomentNumbers,
    pub(crate) second: MomentNumbers,
}

impl Moments {
    /// Moments of zero, as they are before the first step.
    pub fn zeros(format: MomentFormat, lines: usize, width: usize) -> Self {
        let count = lines * width;
        let numbers = || match format {
            MomentFormat::F32 => MomentNumbers::F32(vec![0.0; count]),
            MomentFormat::Bf16 => MomentNumbers::Bf16(vec![bf16::ZERO; count]),
            // With a scale of zero, every code means zero.
            MomentFormat::Int8 => MomentNumbers::Int8 {
                codes: vec![0; count],
                scales: vec![0.0; lines * Self::blocks(width)],
            },
        };
        Self { lines, width, first: numbers(), second: numbers() }
    }

    /// Moments that were stored before; `None` if the two are not of one format, or are not as many as `lines`
    /// lines of `width` numbers have.
    pub fn from_parts(
        lines: usize,
        width: usize,
        first: MomentNumbers,
        second: MomentNumbers,
    ) -> Option<Self> {
        let moments = Self { lines, width, first, second };
        let count = lines.checked_mul(width)?;
        let fits = |numbers: &MomentNumbers| match numbers {
            MomentNumbers::F32(numbers) => numbers.len() == count,
            MomentNumbers::Bf16(numbers) => numbers.len() == count,
            MomentNumbers::Int8 { codes, scales } => {
                codes.len() == count && scales.len() == lines * Self::blocks(width)
            }
        };
        let same = moments.first.format() == moments.second.format();
        (same && fits(&moments.first) && fits(&moments.second)).then_some(moments)
    }

    /// How many blocks a line of `width` numbers has.
    pub fn blocks(width: usize) -> usize {
        width.div_ceil(BLOCK)
    }

    /// How many numbers a block of a line of `width` numbers has; the last block of a line may have fewer.
    pub(crate) fn block(width: usize) -> usize {
        width.div_ceil(Self::blocks(width).max(1)).max(1)
    }

    /// The format.
    pub fn format(&self) -> MomentFormat {
        self.first.format()
    }

    /// The number of lines.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// The number of numbers of a line.
    pub fn width(&self) -> usize {
        self.width
    }

    /// One line of one moment.
    ///
    /// # Panics
    /// When there is no such line.
    pub fn line(&self, moment: Moment, line: usize) -> MomentLine<'_> {
        let numbers = line * self.width..(line + 1) * self.width;
        let blocks = Self::blocks(self.width);
        match self.numbers(moment) {
            MomentNumbers::F32(all) => MomentLine::F32(&all[numbers]),
            MomentNumbers::Bf16(all) => MomentLine::Bf16(&all[numbers]),
            MomentNumbers::Int8 { codes, scales } => MomentLine::Int8 {
                codes: &codes[numbers],
                scales: &scales[line * blocks..(line + 1) * blocks],
            },
        }
    }

    fn numbers(&self, moment: Moment) -> &MomentNumbers {
        match moment {
            Moment::First => &self.first,
            Moment::Second => &self.second,
        }
    }
}

impl MomentNumbers {
    /// The format.
    pub fn format(&self) -> MomentFormat {
        match self {
            Self::F32(_) => MomentFormat::F32,
            Self::Bf16(_) => MomentFormat::Bf16,
            Self::Int8 { .. } => MomentFormat::Int8,
        }
    }
}

impl Moments {
    /// Copies a line of other moments of the same format and width.
    pub(crate) fn copy_line(&mut self, line: usize, other: &Self, from: usize) {
        for moment in [Moment::First, Moment::Second] {
            let source = other.line(moment, from);
            let numbers = line * self.width..(line + 1) * self.width;
            let blocks = line * Self::blocks(self.width)..(line + 1) * Self::blocks(self.width);
            let to = match moment {
                Moment::First => &mut self.first,
                Moment::Second => &mut self.second,
            };
            match (to, source) {
                (MomentNumbers::F32(to), MomentLine::F32(from)) => {
                    to[numbers].copy_from_slice(from);
                }
                (MomentNumbers::Bf16(to), MomentLine::Bf16(from)) => {
                    to[numbers].copy_from_slice(from);
                }
                (
                    MomentNumbers::Int8 { codes, scales },
                    MomentLine::Int8 { codes: c, scales: s },
                ) => {
                    codes[numbers].copy_from_slice(c);
                    scales[blocks].copy_from_slice(s);
                }
                _ => unreachable!("both are of one format"),
            }
        }
    }
}
