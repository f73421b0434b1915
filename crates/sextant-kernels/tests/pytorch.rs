//! Compares a block of a transformer over a pack, and AdamW, with results of PyTorch
//! (`scripts/goldens/kernels_torch.py` writes the golden file).

#![expect(clippy::unwrap_used, reason = "a test")]

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;
use sextant_kernels::{
    Activation, AdamWStep, AttentionSpec, Precision, Segments, adamw, add_layer_norm, attention,
    linear,
};

fn golden() -> Value {
    serde_json::from_str(include_str!("golden_torch.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    let list = value.as_array().unwrap();
    list.iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn assert_close(what: &str, ours: &[f32], theirs: &[f32], bound: f32) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let difference = (ours - theirs).abs();
        assert!(difference <= bound * (1.0 + theirs.abs()), "{what}[{i}]: {ours}, {theirs}");
    }
}

#[test]
fn block_agrees_with_pytorch() {
    let golden = golden();
    let block = &golden["block"];
    let size = |name: &str| block[name].as_u64().unwrap() as usize;
    let (heads, dim, wide) = (size("heads"), size("dim"), size("wide"));
    let lengths: Vec<usize> = numbers(&block["lengths"]).iter().map(|&n| n as usize).collect();
    let segments = Segments::from_lengths(&lengths).unwrap();
    let (tokens, hidden) = (segments.tokens(), heads * dim);
    let device = Device::flex().autodiff();
    let matrix = |name: &str, shape: [usize; 2]| {
        let data = TensorData::new(numbers(&block["inputs"][name]), shape);
        Tensor::<2>::from_data(data, &device).require_grad()
    };
    let vector = |name: &str| {
        let data = TensorData::from(&numbers(&block["inputs"][name])[..]);
        Tensor::<1>::from_data(data, &device).require_grad()
    };
    let (x, qkv_w) = (matrix("x", [tokens, hidden]), matrix("qkv_w", [hidden, 3 * hidden]));
    let (up_w, up_b) = (matrix("up_w", [hidden, wide]), vector("up_b"));
    let (qkv_b, gamma, beta) = (vector("qkv_b"), vector("gamma"), vector("beta"));

    let (plain, f32) = (Activation::None, Precision::F32);
    let qkv = linear(x.clone(), qkv_w.clone(), Some(qkv_b.clone()), plain, f32);
    let mixed = attention(qkv, &segments, &AttentionSpec::new(heads, dim));
    let normed =
        add_layer_norm(mixed, Some(x.clone()), gamma.clone(), beta.clone(), 1e-5, None, f32);
    let out = linear(normed, up_w.clone(), Some(up_b.clone()), Activation::Gelu, f32);
    assert_close("out", &values(out.clone().inner()), &numbers(&block["out"]), 1e-5);

    let weights = TensorData::new(numbers(&block["loss_weights"]), [tokens, wide]);
    let gradients = (out * Tensor::<2>::from_data(weights, &device)).sum().backward();
    let check = |name: &str, ours: Vec<f32>| {
        assert_close(name, &ours, &numbers(&block["gradients"][name]), 1e-4);
    };
    check("x", values(x.grad(&gradients).unwrap()));
    check("qkv_w", values(qkv_w.grad(&gradients).unwrap()));
    check("qkv_b", values(qkv_b.grad(&gradients).unwrap()));
    check("gamma", values(gamma.grad(&gradients).unwrap()));
    check("beta", values(beta.grad(&gradients).unwrap()));
    check("up_w", values(up_w.grad(&gradients).unwrap()));
    check("up_b", values(up_b.grad(&gradients).unwrap()));
}

#[test]
fn adamw_agrees_with_pytorch() {
    let golden = golden();
    let run = &golden["adamw"];
    let tensor = |value: &Value| {
        Tensor::<1>::from_data(TensorData::from(&numbers(value)[..]), &Device::flex())
    };
    let start = tensor(&run["start"]);
    let mut state = (start.clone(), start.zeros_like(), start.zeros_like());
    let steps = run["gradients"].as_array().unwrap();
    for (number, gradient) in steps.iter().enumerate() {
        let step = AdamWStep {
            lr: 0.01,
            beta1: 0.9,
            beta2: 0.98,
            eps: 1e-6,
            weight_decay: 0.1,
            step: number as u64 + 1,
            grad_scale: 0.25,
        };
        // The gradient scale 0.25 and the factor 4 are powers of two, so they cancel exactly.
        state = adamw(state.0, tensor(gradient) * 4.0, state.1, state.2, &step);
        let theirs = numbers(&run["params"][number]);
        assert_close("parameter", &values(state.0.clone()), &theirs, 1e-6);
    }
}
