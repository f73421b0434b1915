//! Parameters by name: listing, initialising, loading, dumping and freezing them.
//!
//! A parameter's name is its path in the model. Branches have names instead of numbers in it:
//! `trunk.3.qkv.weight`, `branches.query-type.classifier.bias`.

use crate::branch::{Branch, THRESHOLDS_APART};
use crate::context::split_mix;
use crate::frozen;
use crate::paths::covers;
use crate::values::Values;
use crate::weights::{Archive, Writable};
use crate::{HeadKind, ModelError, ModelSpec, NormKind, RelevanceModel};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use std::collections::BTreeMap;

/// What is known about one parameter without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamInfo {
    /// The parameter's name.
    pub name: String,
    /// The parameter's shape, of one or two dimensions.
    pub shape: Vec<usize>,
    /// Whether training changes the parameter.
    pub trainable: bool,
}

impl ParamInfo {
    /// How many numbers the parameter holds.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the parameter holds no numbers, which does not happen in a valid model.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the parameter belongs to a norm or is a bias; weight decay is not applied to these.
    pub fn is_norm_or_bias(&self) -> bool {
        self.shape.len() == 1
    }
}

/// The path of the parameter that is being visited, with the names of branches in place of their numbers.
struct Path {
    parts: Vec<String>,
    branches: Vec<&'static str>,
}

impl Path {
    fn new(model: &RelevanceModel) -> Self {
        Self { parts: Vec::new(), branches: model.spec().branch_names() }
    }

    fn enter(&mut self, name: &str) {
        let branch = match self.parts.as_slice() {
            [only] if only == "branches" => {
                name.parse().ok().and_then(|i: usize| self.branches.get(i))
            }
            _ => None,
        };
        self.parts.push(branch.map_or_else(|| name.to_owned(), |&branch| branch.to_owned()));
    }

    fn exit(&mut self) {
        self.parts.pop();
    }

    fn name(&self) -> String {
        self.parts.join(".")
    }
}

/// All parameters, in the order of the model.
pub fn parameters(model: &RelevanceModel) -> Vec<ParamInfo> {
    let mut list = Vec::new();
    visit(model, |name, shape, param| {
        list.push(ParamInfo { name, shape, trainable: param.trainable() });
    });
    list
}

/// How many numbers a model holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterCounts {
    /// All numbers, including those of a frozen base.
    pub all: u64,
    /// The numbers that training changes.
    pub trainable: u64,
}

impl ParameterCounts {
    /// Counts the numbers of a model.
    pub fn of(model: &RelevanceModel) -> Self {
        let mut counts = Self { all: 0, trainable: 0 };
        for info in parameters(model) {
            counts.all += info.len() as u64;
            counts.trainable += if info.trainable { info.len() as u64 } else { 0 };
        }
        for weight in frozen::frozen_weights(model).values() {
            counts.all += weight.dims().iter().product::<usize>() as u64;
        }
        counts
    }
}

/// The values of all parameters, by name.
pub fn dump(model: &RelevanceModel) -> BTreeMap<String, Values> {
    let mut values = BTreeMap::new();
    visit(model, |name, shape, param| {
        values.insert(name, Values { shape, data: param.values() });
    });
    values
}

impl Archive {
    /// Writes every parameter of a model under its name. The file is the one that [`Archive::write`] makes of
    /// [`dump`]'s result, but the parameters are not copied.
    pub fn write_model(path: &std::path::Path, model: &RelevanceModel) -> Result<(), ModelError> {
        Self::write_tensors(path, writables(model), None)
    }
}

/// All parameters by name, as tensors that can be written one after the other.
fn writables(model: &RelevanceModel) -> Vec<(String, Box<dyn Writable>)> {
    let mut list = Vec::new();
    visit(model, |name, _, param| list.push((name, param.writable())));
    list
}

/// A parameter of any rank.
trait AnyParam {
    fn trainable(&self) -> bool;
    fn values(&self) -> Vec<f32>;
    /// A handle to the parameter's numbers, which are not copied.
    fn writable(&self) -> Box<dyn Writable>;
}

impl<const D: usize> AnyParam for Param<Tensor<D>> {
    fn trainable(&self) -> bool {
        self.is_require_grad()
    }

    fn values(&self) -> Vec<f32> {
        self.val().into_data().convert::<f32>().iter::<f32>().collect()
    }

    fn writable(&self) -> Box<dyn Writable> {
        Box::new(self.val())
    }
}

fn visit(model: &RelevanceModel, each: impl FnMut(String, Vec<usize>, &dyn AnyParam)) {
    struct Visitor<F> {
        path: Path,
        each: F,
    }
    impl<F: FnMut(String, Vec<usize>, &dyn AnyParam)> ModuleVisitor for Visitor<F> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            (self.each)(self.path.name(), param.shape().to_vec(), param);
        }
    }
    model.visit(&mut Visitor { path: Path::new(model), each });
}

/// Gives each parameter the values that `source` returns for its name and shape. A parameter for which
/// `source` returns `None` keeps its values. The first error ends the loading.
pub fn load<E>(
    model: RelevanceModel,
    source: impl FnMut(&str, &[usize]) -> Result<Option<Vec<f32>>, E>,
) -> Result<RelevanceModel, E> {
    struct Loader<F, E> {
        path: Path,
        source: F,
        error: Option<E>,
    }
    impl<E, F: FnMut(&str, &[usize]) -> Result<Option<Vec<f32>>, E>> ModuleMapper for Loader<F, E> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.error.is_some() {
                return param;
            }
            let shape = param.shape();
            match (self.source)(&self.path.name(), &shape.to_vec()) {
                Ok(Some(values)) => param.map(|old| {
                    let new = Tensor::from_data(TensorData::new(values, shape), &old.device());
                    new.set_require_grad(old.is_require_grad())
                }),
                Ok(None) => param,
                Err(error) => {
                    self.error = Some(error);
                    param
                }
            }
        }
    }
    let mut loader = Loader { path: Path::new(&model), source, error: None };
    let model = model.map(&mut loader);
    loader.error.map_or(Ok(model), Err)
}

/// Gives every parameter an initial value: norms scale by 1 and shift by 0, biases are 0, and weights are
/// drawn from a normal distribution whose standard deviation is the backbone's `initializer_range`, 0.02
/// unless stated (Devlin et al. 2019). The thresholds of a cumulative head begin four apart. An adapter's first
/// factor is random and its second one zero. Frozen weights are not parameters; they come from a backbone or from
/// [`initialize_frozen`].
///
/// The values of a parameter depend on `seed` and the parameter's name only, so that models of different
/// routings start with equal values in the parameters that they have in common.
pub fn initialize(model: RelevanceModel, seed: u64) -> RelevanceModel {
    let initial = InitialValues::of(&model, seed);
    let values = |name: &str, shape: &[usize]| Ok(Some(initial.values(name, shape)));
    match load::<std::convert::Infallible>(model, values) {
        Ok(model) => model,
        Err(never) => match never {},
    }
}

/// The values that [`initialize`] gives to each parameter.
pub(crate) struct InitialValues {
    deviation: f32,
    scale: f32,
    head: HeadKind,
    seed: u64,
}

impl InitialValues {
    pub(crate) fn of(model: &RelevanceModel, seed: u64) -> Self {
        // A norm of this kind stores its scale minus one.
        let less_one = model.spec().backbone.block.norm == NormKind::RmsOnePlus;
        let scale = if less_one { 0.0 } else { 1.0 };
        Self { deviation: deviation(model), scale, head: model.spec().head, seed }
    }

    pub(crate) fn values(&self, name: &str, shape: &[usize]) -> Vec<f32> {
        let length = shape.iter().product();
        if name.ends_with("gamma") {
            return vec![self.scale; length];
        }
        if self.head == HeadKind::Cumulative {
            if name.rsplit('.').next() == Some("step") {
                return vec![Branch::initial_step(); length];
            }
            if name.ends_with(".classifier.bias") {
                return vec![THRESHOLDS_APART / 2.0; length];
            }
        }
        if shape.len() == 1 {
            return vec![0.0; length];
        }
        if name.contains(".lora.") && name.rsplit('.').next() == Some("b") {
            return vec![0.0; length]; // an adapter changes nothing at first
        }
        let mut rng = generator(self.seed, name);
        if name.contains(".lora.") {
            // Kaiming's uniform distribution with a = √5, as in PEFT.
            let bound = 1.0 / (shape[0] as f32).sqrt();
            return (0..length).map(|_| rng.random_range(-bound..bound)).collect();
        }
        normal(self.deviation, length, &mut rng)
    }
}

/// Gives the frozen weights of a model random values, from the normal distribution that [`initialize`] uses.
/// This is for models without a pretrained backbone.
pub fn initialize_frozen(mut model: RelevanceModel, seed: u64) -> RelevanceModel {
    let deviation = deviation(&model);
    frozen::fill(&mut model, |name, [inputs, outputs]| {
        normal(deviation, inputs * outputs, &mut generator(seed, name))
    });
    model
}

/// The standard deviation of initial weights.
pub(crate) fn deviation(model: &RelevanceModel) -> f32 {
    model.spec().backbone.initializer_range.unwrap_or(0.02)
}

/// A random number generator whose seed depends on `seed` and a parameter's name.
pub(crate) fn generator(seed: u64, name: &str) -> ChaCha8Rng {
    let key = name.bytes().fold(split_mix(seed), |key, byte| split_mix(key ^ u64::from(byte)));
    ChaCha8Rng::seed_from_u64(key)
}

pub(crate) fn normal(deviation: f32, length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    match Normal::new(0.0, deviation) {
        Ok(normal) => normal.sample_iter(rng).take(length).collect(),
        Err(_) => vec![0.0; length], // not reached: validation accepts only a finite deviation
    }
}

/// Freezes the parameters whose paths start with one of `prefixes`, and makes all others trainable that the
/// model's specification trains ([`ModelSpec::trains`]). Prefixes are compared by whole parts of paths; one
/// that matches no parameter is an error.
pub fn freeze(model: RelevanceModel, prefixes: &[String]) -> Result<RelevanceModel, ModelError> {
    struct Freezer<'a> {
        path: Path,
        prefixes: &'a [String],
        spec: ModelSpec,
    }
    impl ModuleMapper for Freezer<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.set_require_grad(is_trained(&self.spec, self.prefixes, &self.path.name()))
        }
    }
    let names: Vec<String> = parameters(&model).into_iter().map(|info| info.name).collect();
    for prefix in prefixes {
        if !names.iter().any(|name| covers(prefix, name)) {
            return Err(ModelError::Config(format!(
                "`freeze` names `{prefix}`, but no parameter is called so; the model has `{}`, …",
                names.iter().take(3).cloned().collect::<Vec<_>>().join("`, `")
            )));
        }
    }
    let spec = model.spec().clone();
    let mut freezer = Freezer { path: Path::new(&model), prefixes, spec };
    Ok(model.map(&mut freezer))
}

/// Whether training changes a parameter if those under `prefixes` are frozen. [`freeze`] marks parameters
/// accordingly, but on a device without autodiff the mark is lost.
pub fn is_trained(spec: &ModelSpec, prefixes: &[String], name: &str) -> bool {
    spec.trains(name) && !prefixes.iter().any(|prefix| covers(prefix, name))
}
