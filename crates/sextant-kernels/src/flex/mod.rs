//! The kernels as operations of burn's `flex` backend, with their own backward passes.
//!
//! [`FlexOperations`] is a burn backend extension: burn's dispatch picks the implementation for
//! `Flex`, or for `Autodiff<Flex>` when a tensor is tracked. The latter run the same kernels, keep
//! what the backward pass needs, and register a gradient only for parents that want one.

mod attention;
mod buffer;
mod cross_entropy;
mod dropout;
mod embedding;
mod frozen;
mod gated;
mod layer_norm;
mod linear;
mod optimizer;
mod packed;
mod rotary;

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, ExtensionType, Flex, backend_extension};

use crate::{Activation, ClassTargets, Dropout, Precision, ReusedWeight, RowGradientSink};

pub(crate) use attention::AttentionOptions;
pub(crate) use frozen::{FrozenLayer, MaybeFactors, frozen_rows};
pub(crate) use layer_norm::NormOptions;
pub(crate) use optimizer::{adamw, adamw_rows, dot};
pub(crate) use packed::linear_packed;
pub(crate) use rotary::Turn;

/// A tensor that an operation can do without.
#[derive(ExtensionType)]
pub(crate) enum Maybe<B: Backend> {
    Given(FloatTensor<B>),
    Absent,
}

/// The operations; see the functions of the same names at the crate's root.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait FlexOperations: Backend {
    fn packed_embedding(
        table: FloatTensor<Self>,
        ids: IntTensor<Self>,
        sink: Option<RowGradientSink>,
    ) -> FloatTensor<Self>;

    fn packed_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Maybe<Self>,
        activation: Activation,
        precision: Precision,
        packed: ReusedWeight,
    ) -> FloatTensor<Self>;

    fn packed_layer_norm(
        x: FloatTensor<Self>,
        #[extension_type] residual: Maybe<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        options: NormOptions,
    ) -> FloatTensor<Self>;

    fn packed_attention(
        qkv: FloatTensor<Self>,
        #[extension_type] table: Maybe<Self>,
        options: AttentionOptions,
    ) -> FloatTensor<Self>;

    fn packed_dropout(x: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self>;

    fn packed_sum(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        dropout: Option<Dropout>,
    ) -> FloatTensor<Self>;

    fn packed_rms_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        options: NormOptions,
    ) -> FloatTensor<Self>;

    fn packed_rotary(qkv: FloatTensor<Self>, turn: Turn) -> FloatTensor<Self>;

    fn packed_gated(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self>;

    fn packed_cross_entropy(
        logits: FloatTensor<Self>,
        targets: Arc<ClassTargets>,
    ) -> FloatTensor<Self>;

    fn packed_frozen(
        x: FloatTensor<Self>,
        #[extension_type] bias: Maybe<Self>,
        #[extension_type] factors: MaybeFactors<Self>,
        layer: FrozenLayer,
    ) -> FloatTensor<Self>;
}

impl FlexOperations for Flex {
    fn packed_embedding(
        table: FloatTensor<Self>,
        ids: IntTensor<Self>,
        _: Option<RowGradientSink>,
    ) -> FloatTensor<Self> {
        embedding::forward(&table, &ids)
    }

    fn packed_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Maybe<Self>,
        activation: Activation,
        precision: Precision,
        packed: ReusedWeight,
    ) -> FloatTensor<Self> {
        linear::forward(x, weight, bias, activation, precision, &packed)
    }

    fn packed_layer_norm(
        x: FloatTensor<Self>,
        residual: Maybe<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        options: NormOptions,
    ) -> FloatTensor<Self> {
        layer_norm::forward(x, residual, gamma, beta, options)
    }

    fn packed_attention(
        qkv: FloatTensor<Self>,
        table: Maybe<Self>,
        options: AttentionOptions,
    ) -> FloatTensor<Self> {
        attention::forward(qkv, table, options)
    }

    fn packed_dropout(x: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self> {
        dropout::apply(x, dropout)
    }

    fn packed_sum(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        dropout: Option<Dropout>,
    ) -> FloatTensor<Self> {
        dropout::add(x, residual, dropout)
    }

    fn packed_rms_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        options: NormOptions,
    ) -> FloatTensor<Self> {
        layer_norm::rms(x, gamma, options)
    }

    fn packed_rotary(qkv: FloatTensor<Self>, turn: Turn) -> FloatTensor<Self> {
        rotary::apply(qkv, &turn, false)
    }

    fn packed_gated(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        gated::forward(&x, activation)
    }

    fn packed_cross_entropy(
        logits: FloatTensor<Self>,
        targets: Arc<ClassTargets>,
    ) -> FloatTensor<Self> {
        cross_entropy::forward(logits, &targets)
    }

    fn packed_frozen(
        x: FloatTensor<Self>,
        bias: Maybe<Self>,
        factors: MaybeFactors<Self>,
        layer: FrozenLayer,
    ) -> FloatTensor<Self> {
        frozen::forward(x, bias, factors, layer)
    }
}

impl<C: CheckpointStrategy> FlexOperations for Autodiff<Flex, C> {
    fn packed_embedding(
        table: FloatTensor<Self>,
        ids: IntTensor<Self>,
        sink: Option<RowGradientSink>,
    ) -> FloatTensor<Self> {
        embedding::tracked::<C>(table, ids, sink)
    }

    fn packed_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Maybe<Self>,
        activation: Activation,
        precision: Precision,
        packed: ReusedWeight,
    ) -> FloatTensor<Self> {
        linear::tracked::<C>(x, weight, bias, activation, precision, packed)
    }

    fn packed_layer_norm(
        x: FloatTensor<Self>,
        residual: Maybe<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        options: NormOptions,
    ) -> FloatTensor<Self> {
        layer_norm::tracked::<C>(x, residual, gamma, beta, options)
    }

    fn packed_attention(
        qkv: FloatTensor<Self>,
        table: Maybe<Self>,
        options: AttentionOptions,
    ) -> FloatTensor<Self> {
        attention::tracked::<C>(qkv, table, options)
    }

    fn packed_dropout(x: FloatTensor<Self>, dropout: Dropout) -> FloatTensor<Self> {
        dropout::tracked::<C>(x, dropout)
    }

    fn packed_sum(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        dropout: Option<Dropout>,
    ) -> FloatTensor<Self> {
        dropout::tracked_sum::<C>(x, residual, dropout)
    }

    fn packed_rms_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        options: NormOptions,
    ) -> FloatTensor<Self> {
        layer_norm::tracked_rms::<C>(x, gamma, options)
    }

    fn packed_rotary(qkv: FloatTensor<Self>, turn: Turn) -> FloatTensor<Self> {
        rotary::tracked::<C>(qkv, turn)
    }

    fn packed_gated(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        gated::tracked::<C>(x, activation)
    }

    fn packed_cross_entropy(
        logits: FloatTensor<Self>,
        targets: Arc<ClassTargets>,
    ) -> FloatTensor<Self> {
        cross_entropy::tracked::<C>(logits, targets)
    }

    fn packed_frozen(
        x: FloatTensor<Self>,
        bias: Maybe<Self>,
        factors: MaybeFactors<Self>,
        layer: FrozenLayer,
    ) -> FloatTensor<Self> {
        frozen::tracked::<C>(x, bias, factors, layer)
    }
}
