//! The kernels as operations of burn's `flex` backend.
//!
//! [`run`] runs any [`Operation`](crate::operation::Operation), with its gradient on autodiff devices.
//! [`FlexOperations`] is a burn backend extension for attention alone.

mod attention;
pub(crate) mod buffer;
mod run;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, ExtensionType, Flex, backend_extension};

pub(crate) use attention::AttentionOptions;
pub(crate) use run::run;

/// The table of relative positions, which attention can do without.
#[derive(ExtensionType)]
pub(crate) enum Maybe<B: Backend> {
    Given(FloatTensor<B>),
    Absent,
}

/// Attention; see [`crate::attention`].
#[backend_extension(Flex, Autodiff)]
pub(crate) trait FlexOperations: Backend {
    fn packed_attention(
        qkv: FloatTensor<Self>,
        #[extension_type] table: Maybe<Self>,
        options: AttentionOptions,
    ) -> FloatTensor<Self>;
}

impl FlexOperations for Flex {
    fn packed_attention(
        qkv: FloatTensor<Self>,
        table: Maybe<Self>,
        options: AttentionOptions,
    ) -> FloatTensor<Self> {
        attention::forward(qkv, table, options)
    }
}

impl<C: CheckpointStrategy> FlexOperations for Autodiff<Flex, C> {
    fn packed_attention(
        qkv: FloatTensor<Self>,
        table: Maybe<Self>,
        options: AttentionOptions,
    ) -> FloatTensor<Self> {
        attention::tracked::<C>(qkv, table, options)
    }
}
