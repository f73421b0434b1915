//! Finding a folder's tokenizer, and converting the files of older checkpoints to a `tokenizer.json`.
//!
//! What these files leave unsaid is filled in with the defaults of `transformers` for the family.

use super::checkpoint;
use crate::families::{Format, VocabularyFiles};
use crate::gguf::{self, Gguf};
use crate::{ModelError, json};
use serde_json::{Map, Value, json};
use sextant_text::Tokenizer;
use std::path::{Path, PathBuf};

/// The files that a tokenizer is read from.
#[derive(Debug)]
pub(super) enum TokenizerFiles {
    /// `tokenizer.json`.
    Json(PathBuf),
    /// The metadata of a GGUF file with the weights.
    Gguf(PathBuf),
    /// BERT's `vocab.txt`, with a token on each line.
    WordPiece(PathBuf),
    /// GPT-2's `vocab.json`, with `merges.txt` beside it, and the name of the rule by which texts are split
    /// before merges are applied.
    Bpe(PathBuf, &'static str),
}

/// The files of SentencePiece models, which cannot be read here.
const SENTENCE_PIECE: [&str; 3] = ["tokenizer.model", "spm.model", "sentencepiece.bpe.model"];

impl TokenizerFiles {
    /// Looks for the tokenizer of a folder.
    pub(super) fn find(folder: &Path, format: &Format) -> Result<Self, ModelError> {
        let place = |name: &str| folder.join(name);
        let there = |name: &str| place(name).exists();
        if there("tokenizer.json") {
            return Ok(Self::Json(place("tokenizer.json")));
        }
        let weights = checkpoint::locate(folder);
        if weights.extension().is_some_and(|extension| extension == "gguf") {
            return Ok(Self::Gguf(weights));
        }
        match format.vocabulary {
            Some(VocabularyFiles::WordPiece) if there("vocab.txt") => {
                return Ok(Self::WordPiece(place("vocab.txt")));
            }
            Some(VocabularyFiles::Bpe(cut)) if there("vocab.json") && there("merges.txt") => {
                return Ok(Self::Bpe(place("vocab.json"), cut));
            }
            _ => {}
        }
        let model = SENTENCE_PIECE.into_iter().find(|name| there(name));
        let from = model.map_or(String::new(), |name| format!(" (`{name}` alone is not read)"));
        let shown = folder.display();
        Err(ModelError::Weights {
            path: folder.to_owned(),
            problem: format!(
                "has no tokenizer.json{from}; {}. Make one where transformers is installed: `python -c \"from transformers import AutoTokenizer as T; T.from_pretrained('{shown}').save_pretrained('{shown}')\"`",
                checkpoint::found(folder)
            ),
        })
    }

    /// The main file of the tokenizer, which errors name.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Json(path) | Self::Gguf(path) | Self::WordPiece(path) | Self::Bpe(path, _) => {
                path
            }
        }
    }

    /// Reads the tokenizer, with the layout of rows of the family.
    pub(super) fn read(&self, format: &Format) -> Result<Tokenizer, ModelError> {
        let path = self.path();
        let bytes = match self {
            Self::Json(path) => {
                let bytes = std::fs::read(path).map_err(ModelError::io("read", path))?;
                json::without_mark(&bytes).to_vec()
            }
            Self::Gguf(path) => gguf::tokenizer(&Gguf::open(path)?)?,
            Self::WordPiece(path) => Older::beside(path)?.wordpiece(path)?,
            Self::Bpe(path, cut) => Older::beside(path)?.bpe(path, cut)?,
        };
        Ok(Tokenizer::from_bytes(&bytes, &path.display().to_string(), format.rows)?)
    }
}

/// The files beside the vocabulary of an older checkpoint; each may be missing.
struct Older {
    /// `tokenizer_config.json`.
    config: Value,
    /// `special_tokens_map.json`.
    special: Value,
    /// `added_tokens.json`.
    added: Map<String, Value>,
}

/// A token that was added to the vocabulary, or one of the vocabulary that has a role, such as `[CLS]`.
struct Added {
    id: u64,
    content: String,
    special: bool,
    /// Whether the token also matches the spaces before it.
    lstrip: bool,
}

impl Older {
    fn beside(vocabulary: &Path) -> Result<Self, ModelError> {
        let read = |name: &str| {
            let path = vocabulary.with_file_name(name);
            if path.exists() { json::read(&path) } else { Ok(json!({})) }
        };
        let added = match read("added_tokens.json")? {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        Ok(Self {
            config: read("tokenizer_config.json")?,
            special: read("special_tokens_map.json")?,
            added,
        })
    }

    fn flag(&self, key: &str, usual: bool) -> bool {
        self.config.get(key).and_then(Value::as_bool).unwrap_or(usual)
    }

    /// The token that has a role, such as `cls_token`.
    fn role(&self, key: &str, usual: &str) -> String {
        let text = |from: &Value| {
            let value = from.get(key)?;
            value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
        };
        text(&self.config).or_else(|| text(&self.special)).unwrap_or_else(|| usual.to_owned())
    }

    /// Converts `vocab.txt` to a `tokenizer.json`.
    fn wordpiece(&self, path: &Path) -> Result<Vec<u8>, ModelError> {
        let bytes = std::fs::read(path).map_err(ModelError::io("read", path))?;
        let text = std::str::from_utf8(json::without_mark(&bytes)).map_err(|error| {
            let line = bytes[..error.valid_up_to()].split(|&byte| byte == b'\n').count();
            problem(path, format!("line {line} is not UTF-8; save the file as UTF-8"))
        })?;
        let vocabulary: Map<String, Value> =
            text.lines().enumerate().map(|(id, token)| (token.to_owned(), id.into())).collect();
        let [unknown, separator, class] =
            [("unk_token", "[UNK]"), ("sep_token", "[SEP]"), ("cls_token", "[CLS]")]
                .map(|(key, usual)| self.role(key, usual));
        let roles = [
            unknown.clone(),
            separator.clone(),
            class.clone(),
            self.role("pad_token", "[PAD]"),
            self.role("mask_token", "[MASK]"),
        ];
        let added = self.added(path, &vocabulary, &roles, None)?;
        let id = |token: &str| vocabulary.get(token).cloned().unwrap_or(Value::Null);
        let special = |token: &str| json!({ "id": token, "ids": [id(token)], "tokens": [token] });
        let piece =
            |token: &str, side: u8| json!({ "SpecialToken": { "id": token, "type_id": side } });
        let side = |name: &str, side: u8| json!({ "Sequence": { "id": name, "type_id": side } });
        for (token, key) in
            [(&unknown, "unk_token"), (&separator, "sep_token"), (&class, "cls_token")]
        {
            if !vocabulary.contains_key(token) {
                return Err(problem(path, format!("has no token `{token}`, which is the `{key}`")));
            }
        }
        let first = [piece(&class, 0), side("A", 0), piece(&separator, 0)];
        let both: Vec<Value> =
            first.iter().cloned().chain([side("B", 1), piece(&separator, 1)]).collect();
        let json = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
            "normalizer": {
                "type": "BertNormalizer", "clean_text": true,
                "handle_chinese_chars": self.flag("tokenize_chinese_chars", true),
                "strip_accents": self.config.get("strip_accents").cloned().unwrap_or(Value::Null),
                "lowercase": self.flag("do_lower_case", true),
            },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "post_processor": {
                "type": "TemplateProcessing", "single": first, "pair": both,
                "special_tokens": { (&*class): special(&class), (&*separator): special(&separator) },
            },
            "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": true },
            "model": {
                "type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": vocabulary,
            },
        });
        serde_json::to_vec(&json).map_err(|error| problem(path, error.to_string()))
    }

    /// Converts `vocab.json` and `merges.txt` to a `tokenizer.json`.
    fn bpe(&self, path: &Path, cut: &str) -> Result<Vec<u8>, ModelError> {
        let vocabulary: Map<String, Value> = json::read(path)?;
        let place = path.with_file_name("merges.txt");
        let bytes = std::fs::read(&place).map_err(ModelError::io("read", &place))?;
        let text = std::str::from_utf8(json::without_mark(&bytes))
            .map_err(|error| problem(&place, format!("is not UTF-8: {error}")))?;
        let lines = text.lines().enumerate();
        let merges: Vec<[&str; 2]> = lines
            .filter(|(i, line)| !(line.is_empty() || *i == 0 && line.starts_with("#version")))
            .map(|(i, line)| match line.split_once(' ') {
                Some((left, right)) if !right.contains(' ') => Ok([left, right]),
                _ => Err(problem(&place, format!("line {} is not two tokens", i + 1))),
            })
            .collect::<Result<_, _>>()?;
        let masked = self.role("mask_token", "<mask>");
        let roles = if cut == "gpt-2" {
            let role = |key: &str, usual: &str| self.role(key, usual);
            vec![
                role("bos_token", "<s>"),
                role("eos_token", "</s>"),
                role("unk_token", "<unk>"),
                role("pad_token", "<pad>"),
                masked.clone(),
            ]
        } else {
            vec![self.role("eos_token", "<|endoftext|>"), self.role("pad_token", "<|endoftext|>")]
        };
        let added = self.added(path, &vocabulary, &roles, Some(&masked))?;
        let pre = if cut == "gpt-2" {
            let space = self.flag("add_prefix_space", false);
            json!({ "type": "ByteLevel", "add_prefix_space": space, "trim_offsets": true, "use_regex": true })
        } else {
            gguf::pre_tokenizer(cut).unwrap_or(Value::Null)
        };
        let json = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
            "normalizer": if cut == "qwen2" { json!({ "type": "NFC" }) } else { Value::Null },
            "pre_tokenizer": pre,
            "post_processor": null,
            "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
            "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": false,
                "byte_fallback": false, "ignore_merges": false, "vocab": vocabulary, "merges": merges,
            },
        });
        serde_json::to_vec(&json).map_err(|error| problem(path, error.to_string()))
    }

    /// The entries of `added_tokens`, which are found before a text is split into words: the tokens that have
    /// a role and those that were added, in the order of their ids. Tokens that are not in the vocabulary
    /// must have the ids that follow its last one.
    fn added(
        &self,
        path: &Path,
        vocabulary: &Map<String, Value>,
        roles: &[String],
        masked: Option<&str>,
    ) -> Result<Vec<Value>, ModelError> {
        let mut tokens: Vec<Added> = Vec::new();
        let mut add = |token: Added| {
            if !tokens.iter().any(|known| known.content == token.content) {
                tokens.push(token);
            }
        };
        for content in roles {
            let Some(id) = vocabulary.get(content).and_then(Value::as_u64) else { continue };
            let lstrip = masked == Some(content);
            add(Added { id, content: content.clone(), special: true, lstrip });
        }
        let listed = self.config.get("added_tokens_decoder").and_then(Value::as_object);
        for (id, token) in listed.into_iter().flatten() {
            let content = token.get("content").and_then(Value::as_str);
            let (Ok(id), Some(content)) = (id.parse(), content) else {
                return Err(problem(
                    &path.with_file_name("tokenizer_config.json"),
                    format!(
                        "`added_tokens_decoder` has `{id}`: {token}; expected an id and a `content`"
                    ),
                ));
            };
            let flag = |key: &str| token.get(key).and_then(Value::as_bool).unwrap_or(false);
            let (special, lstrip) = (flag("special"), flag("lstrip"));
            add(Added { id, content: content.to_owned(), special, lstrip });
        }
        for (content, id) in &self.added {
            let Some(id) = id.as_u64() else {
                return Err(problem(
                    &path.with_file_name("added_tokens.json"),
                    format!("`{content}` has {id}; expected its number"),
                ));
            };
            add(Added { id, content: content.clone(), special: false, lstrip: false });
        }
        tokens.sort_by_key(|token| token.id);
        let mut next = vocabulary.len() as u64;
        for Added { id, content, .. } in &tokens {
            let expected = vocabulary.get(content).and_then(Value::as_u64).unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            if *id != expected {
                return Err(problem(
                    path,
                    format!(
                        "token `{content}` has the id {id} in the files beside it, but {expected} by this one"
                    ),
                ));
            }
        }
        let entry = |token: Added| {
            json!({
                "id": token.id, "content": token.content, "single_word": false, "lstrip": token.lstrip,
                "rstrip": false, "normalized": !token.special, "special": token.special,
            })
        };
        Ok(tokens.into_iter().map(entry).collect())
    }
}

fn problem(path: &Path, problem: String) -> ModelError {
    ModelError::Weights { path: path.to_owned(), problem }
}
