//! Files in PyTorch's own format: those that PyTorch writes are read, and those that are made to fill the
//! memory are refused before any value is built.

use sextant_model::Archive;
use sextant_model::backbone::read_weights;
use std::collections::HashMap;
use std::io::{Cursor, Write};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// A ZIP archive as `torch.save` writes it, with this pickle.
fn archive(pickle: &[u8], method: CompressionMethod, tensors: usize) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut entry = |name: &str, method, content: &[u8]| {
        let options = SimpleFileOptions::default().compression_method(method);
        archive.start_file(name, options).unwrap();
        archive.write_all(content).unwrap();
    };
    entry("model/data.pkl", method, pickle);
    entry("model/byteorder", CompressionMethod::Stored, b"little");
    for number in 0..tensors {
        let numbers: Vec<u8> = [0.5_f32, number as f32].map(f32::to_le_bytes).concat();
        entry(&format!("model/data/{number}"), CompressionMethod::Stored, &numbers);
    }
    entry("model/version", CompressionMethod::Stored, b"3\n");
    archive.finish().unwrap().into_inner()
}

fn read(file: &[u8]) -> Result<Archive, String> {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("pytorch_model.bin"), file).unwrap();
    read_weights(place.path()).map_err(|error| error.to_string())
}

fn read_pickle(pickle: &[u8]) -> Result<Archive, String> {
    read(&archive(pickle, CompressionMethod::Stored, 1))
}

/// Writes pickles as Python does: each value is stored in the memo when it is first written, and taken from
/// there after that.
#[derive(Default)]
struct Pickler {
    bytes: Vec<u8>,
    kept: HashMap<Vec<u8>, u32>,
    values: u32,
}

impl Pickler {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    fn keep(&mut self) -> u32 {
        self.put(b"r");
        self.put(&self.values.to_le_bytes());
        self.values += 1;
        self.values - 1
    }

    fn get(&mut self, place: u32) {
        self.put(b"j");
        self.put(&place.to_le_bytes());
    }

    /// Writes a value, or takes it from the memo if an equal one was written before.
    fn shared(&mut self, written: Vec<u8>) {
        if let Some(&place) = self.kept.get(&written) {
            return self.get(place);
        }
        self.put(&written);
        let place = self.keep();
        self.kept.insert(written, place);
    }

    fn text(&mut self, text: &str) {
        let length = (text.len() as u32).to_le_bytes();
        self.shared([b"X", &length[..], text.as_bytes()].concat());
    }

    fn global(&mut self, module: &str, name: &str) {
        self.shared(format!("c{module}\n{name}\n").into_bytes());
    }

    fn ordered_dict(&mut self) -> u32 {
        self.global("collections", "OrderedDict");
        self.put(b")R");
        self.keep()
    }

    /// Writes a tensor of one dimension, in the storage of this name.
    fn tensor(&mut self, storage: &str, length: u8, stride: u8) {
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.put(b"((");
        self.text("storage");
        self.global("torch", "FloatStorage");
        self.text(storage);
        self.text("cpu");
        self.put(b"K\x02t");
        self.keep();
        self.put(b"QK\0");
        for number in [length, stride] {
            self.put(&[b'K', number, 0x85]);
            self.keep();
        }
        self.put(&[0x89]);
        self.ordered_dict();
        self.put(b"t");
        self.keep();
        self.put(b"R");
        self.keep();
    }

    /// The state of a module: a dictionary of tensors by name, with the attribute `_metadata` that PyTorch
    /// adds to it.
    fn state(tensors: impl Iterator<Item = (String, String)>) -> Vec<u8> {
        let mut pickler = Self::default();
        pickler.put(b"\x80\x02");
        pickler.ordered_dict();
        pickler.put(b"(");
        for (name, storage) in tensors {
            pickler.text(&name);
            pickler.tensor(&storage, 2, 1);
        }
        pickler.put(b"u}");
        pickler.keep();
        pickler.text("_metadata");
        pickler.ordered_dict();
        pickler.put(b"(");
        for layer in 0..300 {
            pickler.text(&format!("model.encoder.layer.{layer}"));
            pickler.put(b"}");
            pickler.keep();
            pickler.text("version");
            pickler.put(b"K\x01s");
        }
        pickler.put(b"usb.");
        pickler.bytes
    }
}

#[test]
fn a_checkpoint_of_many_tensors_opens() {
    let count = 3000;
    let name =
        |number: usize| format!("model.encoder.layer.{number}.attention.output.dense.weight");
    let pickle = Pickler::state((0..count).map(|number| (name(number), number.to_string())));
    let file = archive(&pickle, CompressionMethod::Stored, count);
    let weights = read(&file).unwrap();
    assert_eq!(weights.names().count(), count);
    assert_eq!(weights.get(&name(2999), &[2]).unwrap()[..], [0.5, 2999.0]);
    // The same archive with a compressed pickle.
    let weights = read(&archive(&pickle, CompressionMethod::Deflated, count)).unwrap();
    assert_eq!(weights.get(&name(7), &[2]).unwrap()[..], [0.5, 7.0]);
}

#[test]
fn a_checkpoint_whose_tensors_share_a_storage_opens() {
    let names = (0..500).map(|number| (format!("tied.{number}.weight"), "0".to_owned()));
    let weights = read_pickle(&Pickler::state(names)).unwrap();
    assert_eq!(weights.names().count(), 500);
    assert_eq!(weights.get("tied.499.weight", &[2]).unwrap()[..], [0.5, 0.0]);
}

#[test]
fn many_plain_values_beside_the_tensors_are_no_harm() {
    // A list of booleans has the most values for its length in bytes.
    let mut pickler = Pickler::default();
    pickler.put(b"\x80\x02}(");
    pickler.text("mask");
    pickler.put(b"](");
    pickler.put(&vec![0x88; 2 << 20]);
    pickler.put(b"e");
    pickler.text("weight");
    pickler.tensor("0", 2, 1);
    pickler.put(b"u.");
    let weights = read_pickle(&pickler.bytes).unwrap();
    assert_eq!(weights.get("weight", &[2]).unwrap()[..], [0.5, 0.0]);
}

/// Short pickles that repeat their values many times.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let text =
        |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let repeated = |start: &[u8], step: &[u8], times| {
        [&b"\x80\x02"[..], start, &step.repeat(times), b"."].concat()
    };
    let nested = {
        let key = text(&"k".repeat(1000));
        let mut pickler = Pickler::default();
        pickler.put(b"\x80\x02}");
        for _ in 0..200 {
            pickler.put(&key);
            pickler.put(b"}");
        }
        pickler.tensor("0", 2, 1);
        let tensor = pickler.keep();
        // The tensor is added to the innermost dictionary under many names.
        pickler.put(b"0(");
        for number in 0..5000 {
            pickler.put(&text(&number.to_string()));
            pickler.get(tensor);
        }
        pickler.put(b"u");
        pickler.put(&b"s".repeat(200));
        pickler.put(b".");
        pickler.bytes
    };
    let long_class = format!("c{}\nname\nq\0(", "module".repeat(2000)).into_bytes();
    vec![
        ("doubled tuples", repeated(b"N", b"2\x86", 60)),
        ("tuples from the memo", repeated(b"Nq\0", b"h\0h\0\x86q\0", 30)),
        ("tuples by MEMOIZE", {
            let steps: Vec<u8> =
                (0..40).flat_map(|place| [b'h', place, b'h', place, 0x86, 0x94]).collect();
            [b"\x80\x04N\x94", &steps[..], b"."].concat()
        }),
        ("lists in lists", repeated(b"](NNNeq\0", b"0](h\0h\0h\0eq\0", 30)),
        ("dictionaries in dictionaries", {
            let (a, b) = (text("a"), text("b"));
            let step = [b"0}(", &a[..], b"h\0", &b[..], b"h\0uq\0"].concat();
            repeated(b"}q\0", &step, 40)
        }),
        ("the name of a class", repeated(&long_class, b"h\0", 20000)),
        ("texts", repeated(&[&text(&"x".repeat(20000))[..], b"q\0("].concat(), b"h\0", 20000)),
        ("names of tensors", nested),
    ]
}

#[test]
fn a_pickle_that_repeats_its_values_is_refused() {
    for (name, pickle) in bombs() {
        let places = [
            ("archive", archive(&pickle, CompressionMethod::Stored, 1)),
            ("compressed", archive(&pickle, CompressionMethod::Deflated, 1)),
            // Files from before PyTorch 1.6 begin with the magic number, the protocol and the system.
            ("old", {
                let mut file =
                    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."
                        .to_vec();
                file.extend(b"\x80\x02}(X\x0d\0\0\0little_endian\x88u.");
                file.extend(&pickle);
                file
            }),
            ("plain", pickle),
        ];
        for (place, file) in places {
            let error = read(&file).map(|_| ()).unwrap_err();
            assert!(
                error.contains("pytorch_model.bin: its pickle would take more than"),
                "{name} in {place}: {error}"
            );
        }
    }
}

#[test]
fn a_compressed_pickle_of_many_values_is_refused() {
    let values = [&b"\x80\x02"[..], &vec![b'N'; 8 << 20], b"."].concat();
    let file = archive(&values, CompressionMethod::Deflated, 1);
    assert!(file.len() < 100_000);
    let error = read(&file).map(|_| ()).unwrap_err();
    assert!(error.contains("would take more than"), "{error}");
}

#[test]
fn a_length_that_is_not_there_and_a_deep_nest_are_errors() {
    let huge = [
        (&b"\x80\x02\x8b\xff\xff\xff\xff"[..], "announces 4294967295 bytes, and 0 are there"),
        (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fab.", "announces 9223372036854775807"),
        (b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\xffab.", "announces 18446744073709551615"),
        (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff}", "ends before it is whole"),
        (b"\x80\x02}(", "ends before it is whole"),
        (b"\x80\x02h\x07.", "takes a value that was not kept"),
        (b"\x80\x02.", "takes a value from an empty stack"),
        (b"\x80\x02u.", "ends a list that did not begin"),
        (b"\x80\x02\xff.", "no checkpoint has the instruction 0xff"),
    ];
    for (pickle, expected) in huge {
        let error = read_pickle(pickle).map(|_| ()).unwrap_err();
        assert!(
            error.contains("its pickle is damaged at byte")
                && error.contains(expected)
                && error.contains("save_pretrained"),
            "{expected}: {error}"
        );
    }
    let deep = [&b"\x80\x02N"[..], &vec![0x85; 100_000], b"."].concat();
    let error = read_pickle(&deep).map(|_| ()).unwrap_err();
    assert!(error.contains("nesting exceeds 1000 levels"), "{error}");
}

#[test]
fn a_tensor_of_more_numbers_than_the_file_has_is_refused() {
    // The pickle of `torch.zeros(1).expand(2_000_000_000)`, which claims eight gigabytes for one number.
    let mut pickler = Pickler::default();
    pickler.put(b"\x80\x02}");
    pickler.text("weight");
    pickler.tensor("0", 7, 0);
    pickler.put(b"s.");
    let written = [b'K', 7, 0x85];
    let place = pickler.bytes.windows(3).position(|bytes| bytes == written).unwrap();
    let length = 2_000_000_000_u32.to_le_bytes();
    pickler.bytes.splice(place..place + 2, [b"J", &length[..]].concat());
    let error = read_pickle(&pickler.bytes).map(|_| ()).unwrap_err();
    assert!(error.contains("tensor `weight` claims 8000000000 bytes"), "{error}");
}

#[test]
fn a_tar_archive_is_told_to_be_saved_again() {
    let mut file = vec![0; 512];
    file[..7].copy_from_slice(b"pickle\0");
    file[257..262].copy_from_slice(b"ustar");
    let error = read(&file).map(|_| ()).unwrap_err();
    assert!(error.contains("it is a TAR archive, as PyTorch wrote before 0.1.10"), "{error}");
}
