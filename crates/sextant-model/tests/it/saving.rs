//! Saving a model makes no second copy of it in memory, and writes the same bytes as the safetensors crate.

use crate::support::spec;
use burn::tensor::Device;
use safetensors::tensor::{Dtype, TensorView};
use sextant_model::{Archive, BackboneConfig, Pooling, RelevanceModel, Routing, dump, initialize};

fn model(hidden_size: usize, vocabulary: usize, device: &Device) -> RelevanceModel {
    let backbone = BackboneConfig {
        hidden_size,
        layers: 2,
        attention_heads: 2,
        intermediate_size: 2 * hidden_size,
        ..BackboneConfig::small(vocabulary)
    };
    let spec = spec(backbone, Routing::MULTI_HEAD, Pooling::Cls);
    initialize(RelevanceModel::zeros(spec, device).unwrap(), 1)
}

#[test]
fn a_model_is_written_as_the_safetensors_crate_writes_its_values() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("model.safetensors");
    for device in [Device::flex(), Device::flex().autodiff()] {
        // The table is written in several pieces, of which the last one is shorter.
        let model = model(24, 31_000, &device);
        let values = dump(&model);
        let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = values
            .iter()
            .map(|(name, values)| {
                let data = values.data.iter().flat_map(|x| x.to_le_bytes()).collect();
                (name, &values.shape, data)
            })
            .collect();
        let views = bytes.iter().map(|(name, shape, data)| {
            (name.as_str(), TensorView::new(Dtype::F32, (*shape).clone(), data).unwrap())
        });
        let expected = safetensors::serialize(views, None).unwrap();
        Archive::write_model(&path, &model).unwrap();
        assert!(std::fs::read(&path).unwrap() == expected);
        Archive::write(&path, &values).unwrap();
        assert!(std::fs::read(&path).unwrap() == expected);
    }
}

/// The variable that is set in the process that measures. The test starts itself as that process, because
/// memory can only be measured for a whole process.
#[cfg(target_os = "linux")]
const MEASURING: &str = "SEXTANT_TEST_MEASURES_SAVING";

#[cfg(target_os = "linux")]
#[test]
fn saving_and_opening_take_the_models_memory_once() {
    use std::process::Command;
    if std::env::var_os(MEASURING).is_some() {
        let (saving, opening) = measure();
        eprintln!("of the model's memory, saving takes {saving:.3} more and opening {opening:.3}");
        assert!(saving <= 0.1, "saving took {saving} times the model's memory more");
        assert!(opening <= 1.1, "opening took {opening} times the model's memory");
        return;
    }
    let name = "saving::saving_and_opening_take_the_models_memory_once";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MEASURING, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    eprint!("{said}");
    assert!(output.status.success(), "{said}");
}

#[cfg(target_os = "linux")]
/// The memory that saving takes in addition to the model, and the memory that opening takes, both divided by
/// the model's memory.
fn measure() -> (f64, f64) {
    // A line of /proc/self/status, in bytes.
    let status = |key: &str| -> usize {
        let text = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    };
    let restart = || std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("model.safetensors");
    let device = Device::flex();
    let model = model(256, 60_000, &device);
    let size: usize = sextant_model::parameters(&model).iter().map(|info| 4 * info.len()).sum();
    restart();
    let before = status("VmRSS:");
    Archive::write_model(&path, &model).unwrap();
    let peak = status("VmHWM:");
    let saving = (peak - before) as f64 / size as f64;
    let spec = model.spec().clone();
    drop(model);
    restart();
    let before = status("VmRSS:");
    let empty = RelevanceModel::zeros(spec, &device).unwrap();
    let opened = sextant_model::bundle::load_weights(empty, &path).unwrap();
    let opening = (status("VmHWM:").saturating_sub(before)) as f64 / size as f64;
    drop(opened);
    (saving, opening)
}
