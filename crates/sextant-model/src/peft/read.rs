//! Building a model from a PEFT folder and the base that it adapts.

use super::{AdapterConfig, CONFIG, ORIGIN, Origin, WEIGHTS, factor, key, targets};
use crate::backbone::{Backbone, PEFT, of_adapter};
use crate::families::Format;
use crate::paths::is_end;
use crate::{
    Archive, HeadKind, LoraConfig, ModelError, ModelSpec, RelevanceModel, Routing, Values,
    frozen_weights, initialize, load, parameters,
};
use burn::tensor::Device;
use sextant_core::Task;
use sextant_kernels::FrozenFormat;
use sextant_text::TextConfig;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A LoRA adapter with a classification head, as PEFT stores it.
#[derive(Debug)]
pub struct Adapter {
    folder: PathBuf,
    config: AdapterConfig,
    origin: Option<Origin>,
    archive: Archive,
}

/// What an adapter's tensors are.
struct Contents {
    lora: LoraConfig,
    /// The model's parameters whose whole values the adapter holds.
    saved: BTreeSet<String>,
}

impl Adapter {
    /// Whether a folder holds an adapter rather than a model.
    pub fn is_at(folder: &Path) -> bool {
        folder.join(CONFIG).exists()
    }

    /// Opens a folder that holds an adapter.
    ///
    /// # Errors
    /// A file that is missing or damaged, or an option of PEFT that is more than plain LoRA.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let config = AdapterConfig::read(&folder.join(CONFIG))?;
        let path = folder.join(WEIGHTS);
        if !path.exists() && folder.join("adapter_model.bin").exists() {
            return Err(ModelError::Weights {
                path,
                problem: "is not there, `adapter_model.bin` is; save the adapter again with a PEFT that writes safetensors".into(),
            });
        }
        let archive = Archive::read(&path, |_| false)?.rename(of_adapter)?;
        let origin = Origin::read(&folder.join(ORIGIN))?;
        Ok(Self { folder: folder.to_owned(), config, origin, archive })
    }

    /// What the adapter calls its base: a name on the Hugging Face hub, or a folder.
    pub fn base(&self) -> Option<&str> {
        self.config.base_model_name_or_path.as_deref()
    }

    /// The task that the adapter was trained for, if Sextant wrote it.
    pub fn task(&self) -> Option<Task> {
        self.origin.as_ref().map(|origin| origin.task)
    }

    /// How pairs become text, if Sextant wrote the adapter.
    pub fn text(&self) -> Option<&TextConfig> {
        self.origin.as_ref().map(|origin| &origin.text)
    }

    /// Builds the model: the backbone, frozen in the format `base`, with this adapter's factors and head.
    ///
    /// # Errors
    /// A tensor that is missing, unexpected or of another shape, which the error names; or a base of another
    /// shape.
    pub fn model(
        &self,
        backbone: &Backbone,
        base: FrozenFormat,
        device: &Device,
    ) -> Result<RelevanceModel, ModelError> {
        let config = backbone.config();
        if self.origin.as_ref().is_some_and(|origin| !origin.fits(config)) {
            return Err(ModelError::Json {
                path: self.folder.join(ORIGIN),
                reason: format!(
                    "the adapter is for a base of another shape than {}; give the one that it was trained on",
                    backbone.folder().display()
                ),
            });
        }
        backbone.check_sizes()?;
        self.check_rank()?;
        let format = Format::of(config.family);
        let prefix = self.text().is_some_and(|text| text.prefix);
        let spec = ModelSpec {
            backbone: config.clone(),
            tasks: self.task().map_or_else(|| Task::ALL.to_vec(), |task| vec![task]),
            routing: Routing { prefix, ..Routing::TEXT_PREFIX },
            pooling: backbone.pooling(),
            // Decoders have no layer before the head.
            dense: !config.block.causal,
            head: HeadKind::Softmax,
            head_dropout: 0.1,
            lora: None,
        };
        let Contents { lora, saved } = self.contents(&spec, format, base)?;
        let spec = ModelSpec { lora: Some(lora), ..spec };
        let model = initialize(RelevanceModel::zeros(spec.clone(), device)?, 0);
        let model = backbone.load_into(model)?;
        let mut used = BTreeSet::new();
        let model = load(model, |name, shape| {
            if let Some((layer, kind)) = factor(name, &spec, format) {
                let tensor = key(&format!("{layer}.{kind}"));
                let values = self.transposed(&tensor, shape)?;
                used.insert(tensor);
                return Ok(Some(values));
            }
            let source = canonical(name, &spec).and_then(|name| (format.source)(&name));
            let Some(source) = source.filter(|_| saved.contains(name)) else {
                return if name.starts_with("branches.") {
                    self.of_base(name, &spec, format, backbone).map(|()| None)
                } else {
                    Ok(None)
                };
            };
            let place = |name: &str| key(&format.with_head(name));
            used.extend(source.names().iter().map(|name| place(name)));
            source.read(&self.archive, config, shape, place).map(Some)
        })?;
        if let Some(name) = self.archive.names().find(|name| !used.contains(*name)) {
            return Err(self.unexpected(name));
        }
        self.archive.check_unchanged()?;
        Ok(model)
    }

    /// Checks that the rank in `adapter_config.json` is that of the tensors, before memory is allocated.
    fn check_rank(&self) -> Result<(), ModelError> {
        for name in self.archive.names().filter(|name| name.ends_with(".lora_A.weight")) {
            if let Some(&[rank, inputs]) = self.archive.shape(name)
                && rank != self.config.r
            {
                return Err(self.archive.problem(format!(
                    "tensor `{}` has shape [{rank}, {inputs}], but `{CONFIG}` states rank {}",
                    self.archive.original(name),
                    self.config.r
                )));
            }
        }
        Ok(())
    }

    /// Finds out what the adapter's tensors are, and checks that against `adapter_config.json`.
    fn contents(
        &self,
        spec: &ModelSpec,
        format: &Format,
        base: FrozenFormat,
    ) -> Result<Contents, ModelError> {
        let mut lora = LoraConfig {
            rank: self.config.r,
            alpha: self.config.lora_alpha,
            dropout: self.config.lora_dropout,
            rslora: self.config.use_rslora,
            base,
            ..LoraConfig::default()
        };
        let (mut adapted, mut whole) = (BTreeSet::new(), BTreeSet::new());
        for name in self.archive.names() {
            let rest = name.strip_prefix(PEFT).ok_or_else(|| self.unexpected(name))?;
            match rest.split_once(".lora_") {
                Some((layer, "A.weight" | "B.weight")) => adapted.insert(layer.to_owned()),
                Some(_) => return Err(self.unexpected(name)),
                None => whole.insert(rest.to_owned()),
            };
        }
        // A model of zeros, from which the names of all possible parameters are taken. Its zeros take no
        // memory until they are written.
        let probe =
            ModelSpec { lora: Some(LoraConfig { rank: 1, ..lora.clone() }), ..spec.clone() };
        let probe = RelevanceModel::zeros(probe, &Device::flex())?;
        let mut layers = BTreeSet::new();
        let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let own = parameters(&probe).into_iter().map(|info| info.name);
        let frozen = frozen_weights(&probe).into_keys().map(|name| our_name(&name));
        for name in own.chain(frozen) {
            if let Some((layer, _)) = factor(&name, spec, format) {
                layers.insert(layer);
            } else if let Some(source) =
                canonical(&name, spec).and_then(|name| (format.source)(&name))
            {
                let names = source.names().iter().map(|name| format.with_head(name));
                places.insert(name, names.collect());
            }
        }
        drop(probe);
        let mut saved = BTreeSet::new();
        for (name, tensors) in places {
            let there = tensors.iter().filter(|tensor| whole.contains(*tensor)).count();
            if there == tensors.len() {
                whole.retain(|tensor| !tensors.contains(tensor));
                saved.insert(name);
            } else if let (1.., Some(missing)) =
                (there, tensors.iter().find(|tensor| !whole.contains(*tensor)))
            {
                return Err(self.archive.problem(format!(
                    "tensor `{}` is missing: Sextant keeps {} as one weight, to be trained whole together",
                    key(missing),
                    tensors.join(", ")
                )));
            }
        }
        if let Some(name) = whole.first() {
            return Err(self.unexpected(&key(name)));
        }
        lora.modules_to_save =
            saved.iter().filter(|name| !name.starts_with("branches.")).cloned().collect();
        self.check_listed(&adapted, &layers)?;
        if let Some(layer) = adapted.iter().find(|layer| !layers.contains(*layer)) {
            return Err(self.unexpected(&key(&format!("{layer}.lora_A.weight"))));
        }
        let is_whole =
            |layer: &String| self.archive.shape(&key(&format!("{layer}.weight"))).is_some();
        layers.retain(|layer| !is_whole(layer));
        if adapted != layers {
            lora.target_modules = targets(&adapted, &layers);
        }
        Ok(Contents { lora, saved })
    }

    /// Checks that the tensors are those that `adapter_config.json` lists: each listed one is there, and no
    /// layer is adapted that is not listed.
    fn check_listed(
        &self,
        adapted: &BTreeSet<String>,
        layers: &BTreeSet<String>,
    ) -> Result<(), ModelError> {
        let missing = |key: String| {
            Err(self.archive.problem(format!(
                "tensor `{key}` is missing, though `{CONFIG}` lists it; was the adapter saved whole, and for this base?"
            )))
        };
        let tensors: Vec<&str> =
            self.archive.names().filter_map(|name| name.strip_prefix(PEFT)).collect();
        let saved = self.config.modules_to_save.as_deref().unwrap_or_default();
        for module in saved {
            // PEFT always lists both of these names; which of them is the head depends on the family.
            let either = ["classifier", "score"].contains(&module.as_str());
            let of_module = |tensor: &&str| {
                let mut parents = tensor.match_indices('.').map(|(end, _)| &tensor[..end]);
                parents.any(|parent| parent.ends_with(module.as_str()))
            };
            if !either && !tensors.iter().any(of_module) {
                return missing(key(&format!("{module}.weight")));
            }
        }
        let Some(listed) = self.config.target_list() else { return Ok(()) };
        for layer in layers {
            let whole = tensors.iter().any(|tensor| tensor.strip_suffix(".weight") == Some(layer));
            let wanted = listed.iter().any(|target| is_end(target, layer));
            if wanted && !whole && !adapted.contains(layer) {
                return missing(key(&format!("{layer}.lora_A.weight")));
            }
            if !wanted && adapted.contains(layer) {
                return Err(self.unexpected(&key(&format!("{layer}.lora_A.weight"))));
            }
        }
        Ok(())
    }

    /// Checks a branch's parameter that the adapter does not hold: the base must have it, and it must not be
    /// the last layer of the head.
    fn of_base(
        &self,
        name: &str,
        spec: &ModelSpec,
        format: &Format,
        backbone: &Backbone,
    ) -> Result<(), ModelError> {
        let source = canonical(name, spec).and_then(|name| (format.source)(&name));
        let Some(source) = source else { return Ok(()) };
        let names = source.names();
        let head = name.ends_with("classifier.weight") || name.ends_with("classifier.bias");
        if !head && backbone.has(&names[0])? {
            return Ok(());
        }
        Err(self.archive.problem(format!(
            "tensor `{}` is missing: the adapter has no classification head, or lost it; train it with `task_type=\"SEQ_CLS\"`, which saves the head",
            key(&format.with_head(&names[0]))
        )))
    }

    /// Reads a matrix of `shape`, of which PEFT stores the transpose.
    fn transposed(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let &[rows, columns] = shape else {
            return Err(self.archive.problem(format!("no rule reads `{name}` as {shape:?}")));
        };
        if let Some(found) = self.archive.shape(name)
            && found != [columns, rows]
        {
            return Err(self.archive.problem(format!(
                "tensor `{name}` has shape {found:?}, but this base and rank {} need [{columns}, {rows}]; is the adapter for another base?",
                self.config.r
            )));
        }
        let data = self.archive.get(name, &[columns, rows])?.into_owned();
        Ok(Values { shape: vec![columns, rows], data }.transposed().data)
    }

    fn unexpected(&self, name: &str) -> ModelError {
        self.archive.problem(format!(
            "tensor `{}` is unexpected: it is no part of this base with the adapters that `{CONFIG}` states; is the adapter for another base?",
            self.archive.original(name)
        ))
    }
}

/// The parameter path of a frozen weight in a model without private blocks.
fn our_name(name: &str) -> String {
    name.strip_prefix("layers.").map_or_else(|| name.to_owned(), |rest| format!("trunk.{rest}"))
}

/// A parameter's name in the plain backbone.
fn canonical(name: &str, spec: &ModelSpec) -> Option<String> {
    crate::stack::stacked(name, spec)
}
