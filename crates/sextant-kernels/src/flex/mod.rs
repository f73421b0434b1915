//! The kernels as operations of burn's `flex` backend: [`run`] runs any
//! [`Operation`](crate::operation::Operation), with its gradient on autodiff devices.

pub(crate) mod buffer;
mod run;

pub(crate) use run::run;
