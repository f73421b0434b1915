/// The function that [`linear`](crate::linear) applies to each of its outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activation {
    /// No function: the output is left as it is.
    #[default]
    None,
    /// `x · Φ(x)`, where Φ is the standard normal distribution function, computed by `erf` (Hendrycks and
    /// Gimpel 2016).
    Gelu,
    /// GELU by its tanh approximation, as Gemma uses it.
    GeluTanh,
    /// `x · sigmoid(x)`, also called swish.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// Every activation.
    pub const ALL: [Self; 5] = [Self::None, Self::Gelu, Self::GeluTanh, Self::Silu, Self::Tanh];
}
