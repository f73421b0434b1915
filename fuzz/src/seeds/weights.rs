//! Seeds for the readers of weights.

use super::golden;

pub(crate) fn safetensors() -> Vec<Vec<u8>> {
    // Small files come first: a few hundred bytes reach most paths of the code that reads headers.
    let one = |kind: &str, shape: &str, bytes: usize| {
        let header = format!(
            r#"{{"__metadata__":{{"format":"pt"}},"a":{{"dtype":"{kind}","shape":{shape},"data_offsets":[0,{bytes}]}}}}"#
        );
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![1; bytes]].concat()
    };
    vec![
        one("F32", "[2,2]", 16),
        one("F16", "[4]", 8),
        one("BF16", "[2,1]", 4),
        one("U8", "[3]", 3),
        one("I64", "[]", 8),
        golden("peft/some/adapter_model.safetensors"),
    ]
}

pub(crate) fn onnx() -> Vec<Vec<u8>> {
    vec![golden("bert.onnx")]
}

pub(crate) fn torch() -> Vec<Vec<u8>> {
    vec![golden("families/roberta/pytorch_model.bin"), pickle().swap_remove(0)]
}

/// What `torch.save({"a": tensor, "b": tensor})` pickles, in protocol 2.
pub(crate) fn pickle() -> Vec<Vec<u8>> {
    let text =
        |text: &str| [&[b'X'][..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let tensor = |storage: &str, kind: &str, key: &str, rows: u8, columns: u8| {
        [
            b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
            text("storage"),
            format!("c{storage}\n{kind}\n").into_bytes(),
            text(key),
            text("cpu"),
            vec![b'K', rows * columns, b't', b'Q', b'K', 0],
            vec![b'K', rows, b'K', columns, 0x86, b'K', columns, b'K', 1, 0x86, 0x89],
            b"ccollections\nOrderedDict\n)RtR".to_vec(),
        ]
        .concat()
    };
    let dictionary = |kind: &str| {
        [
            b"\x80\x02}(".to_vec(),
            text("a"),
            tensor("torch", kind, "0", 8, 8),
            text("b"),
            tensor("torch", kind, "1", 4, 2),
            b"u.".to_vec(),
        ]
        .concat()
    };
    vec![
        dictionary("FloatStorage"),
        dictionary("HalfStorage"),
        dictionary("BFloat16Storage"),
        dictionary("LongStorage"),
        [
            b"\x80\x02}(".to_vec(),
            text("n"),
            b"K\x01".to_vec(),
            text("l"),
            b"](K\x01K\x02eu.".to_vec(),
        ]
        .concat(),
    ]
}

pub(crate) fn index() -> Vec<Vec<u8>> {
    [
        r#"{"metadata":{"total_size":16},"weight_map":{"a":"model-1.safetensors"}}"#,
        r#"{"metadata":{"total_size":4},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}"#,
        r#"{"weight_map":{"a":"../model.safetensors"}}"#,
        r#"{"weight_map":{}}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// A value of GGUF's metadata.
enum Meta<'a> {
    Integer(u32),
    Float(f32),
    Text(&'a str),
    Texts(Vec<String>),
    Floats(Vec<f32>),
    Integers(Vec<i32>),
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

fn list<T>(kind: u32, values: &[T], bytes: impl Fn(&T) -> Vec<u8>) -> Vec<u8> {
    let start = [&kind.to_le_bytes()[..], &(values.len() as u64).to_le_bytes()].concat();
    values.iter().fold(start, |all, value| [all, bytes(value)].concat())
}

fn container(
    metadata: &[(String, Meta<'_>)],
    tensors: &[(String, Vec<u64>, u32, usize)],
) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        let (kind, value) = match value {
            Meta::Integer(n) => (4_u32, n.to_le_bytes().to_vec()),
            Meta::Float(x) => (6, x.to_le_bytes().to_vec()),
            Meta::Text(value) => (8, text(value)),
            Meta::Texts(values) => (9, list(8, values, |value| text(value))),
            Meta::Floats(values) => (9, list(6, values, |x| x.to_le_bytes().to_vec())),
            Meta::Integers(values) => (9, list(5, values, |n| n.to_le_bytes().to_vec())),
        };
        bytes.extend([text(key), kind.to_le_bytes().to_vec(), value].concat());
    }
    let mut place = 0_u64;
    for (name, shape, kind, length) in tensors {
        bytes.extend(text(name));
        bytes.extend((shape.len() as u32).to_le_bytes());
        for n in shape {
            bytes.extend(n.to_le_bytes());
        }
        bytes.extend(kind.to_le_bytes());
        bytes.extend(place.to_le_bytes());
        place = (place + *length as u64).next_multiple_of(32);
    }
    bytes.resize(bytes.len().next_multiple_of(32) + place as usize, 1);
    bytes
}

/// Decoders of each architecture with a tokenizer of either kind, and tensors of each format.
pub(crate) fn gguf() -> Vec<Vec<u8>> {
    let architectures = ["llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3"];
    let models = architectures.iter().enumerate().map(|(number, architecture)| {
        let key = |name: &str| format!("{architecture}.{name}");
        let words = ["<unk>", "<s>", "</s>", "a", "b", "ab", "▁", "Ġ"].map(str::to_owned).to_vec();
        let gpt = number % 2 == 0;
        let mut metadata = vec![
            ("general.architecture".to_owned(), Meta::Text(architecture)),
            (key("attention.head_count"), Meta::Integer(2)),
            (key("attention.head_count_kv"), Meta::Integer(1)),
            (key("block_count"), Meta::Integer(1)),
            (key("embedding_length"), Meta::Integer(4)),
            (key("feed_forward_length"), Meta::Integer(8)),
            (key("context_length"), Meta::Integer(64)),
            (key("attention.key_length"), Meta::Integer(2)),
            (key("attention.sliding_window"), Meta::Integer(8)),
            (key("attention.layer_norm_rms_epsilon"), Meta::Float(1e-6)),
            (key("rope.freq_base"), Meta::Float(1e4)),
            (key("rope.scaling.type"), Meta::Text(if gpt { "none" } else { "linear" })),
            (key("rope.scaling.factor"), Meta::Float(2.0)),
            ("tokenizer.ggml.token_type".to_owned(), Meta::Integers(vec![2, 3, 3, 1, 1, 1, 1, 4])),
            ("tokenizer.ggml.model".to_owned(), Meta::Text(if gpt { "gpt2" } else { "llama" })),
            (
                "tokenizer.ggml.pre".to_owned(),
                Meta::Text(["default", "", "qwen2", "", "llama-bpe", ""][number]),
            ),
            ("tokenizer.ggml.scores".to_owned(), Meta::Floats((0..8_u8).map(f32::from).collect())),
            ("tokenizer.ggml.merges".to_owned(), Meta::Texts(vec!["a b".to_owned()])),
            ("tokenizer.ggml.tokens".to_owned(), Meta::Texts(words)),
        ];
        metadata.rotate_left(number);
        let tensor = |name: &str, shape: &[u64]| {
            let numbers: u64 = shape.iter().product();
            (name.to_owned(), shape.to_vec(), 0, 4 * numbers as usize)
        };
        let tensors = [
            tensor("token_embd.weight", &[4, 8]),
            tensor("output_norm.weight", &[4]),
            tensor("blk.0.attn_q.weight", &[4, 4]),
            tensor("blk.0.attn_k.weight", &[4, 2]),
            tensor("blk.0.ffn_up.weight", &[4, 8]),
            tensor("blk.0.attn_norm.weight", &[4]),
        ];
        container(&metadata, &tensors)
    });
    let kinds: [(u32, usize, usize); 11] = [
        (0, 1, 4),
        (1, 1, 2),
        (2, 32, 18),
        (3, 32, 20),
        (6, 32, 22),
        (7, 32, 24),
        (8, 32, 34),
        (12, 256, 144),
        (13, 256, 176),
        (14, 256, 210),
        (30, 1, 2),
    ];
    let tensors = kinds.map(|(kind, numbers, bytes)| {
        (format!("blk.{kind}.ffn_up.weight"), vec![numbers as u64, 2], kind, 2 * bytes)
    });
    let formats = container(&[("general.architecture".to_owned(), Meta::Text("llama"))], &tensors);
    models.chain([formats]).collect()
}
