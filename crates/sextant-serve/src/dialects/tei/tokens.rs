//! TEI's `/tokenize` and `/decode`.

use crate::error::ApiError;
use crate::http::Parsed;
use crate::models::OpenModel;
use crate::native::ErrorCode;
use crate::service::{Service, UnknownModel};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use sextant_text::{TextError, Tokenizer};
use std::sync::Arc;

#[derive(Debug, Deserialize)]
pub(super) struct TokenizeRequest {
    model: Option<String>,
    inputs: OneOrMany<String>,
    add_special_tokens: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected one input, or a list of inputs, of the right type")]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Token {
    id: u32,
    text: String,
    special: bool,
    /// The characters of the text that the token stands for; special tokens stand for none.
    start: Option<usize>,
    stop: Option<usize>,
}

/// The tokens of texts, each as a row of its own. Of an ensemble, they are those of the first member.
pub(super) async fn tokenize(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<TokenizeRequest>,
) -> Result<Json<Vec<Vec<Token>>>, ApiError> {
    let TokenizeRequest { model, inputs, add_special_tokens } = request;
    let special = add_special_tokens.unwrap_or(true);
    let inputs = inputs.into_vec();
    // Before they are tokenized, there is no telling how many tokens there are: words are shorter than this.
    let least = inputs.iter().map(String::len).sum::<usize>() / MOST_BYTES;
    let each = move |tokenizer: &Tokenizer, text: &String| tokens(tokenizer, text, special);
    by_tokenizer(&service, model, (inputs, least), each, Vec::len).await
}

/// A text has at least one token for so many bytes, or is longer than the server takes.
const MOST_BYTES: usize = 8;

fn tokens(tokenizer: &Tokenizer, text: &str, special: bool) -> Result<Vec<Token>, TextError> {
    let name = |&id: &u32| Token {
        id,
        text: tokenizer.token(id).unwrap_or_default(),
        special: true,
        start: None,
        stop: None,
    };
    let found = tokenizer.encode_with_characters(text)?;
    // The beginning of each character in bytes, and the end of the last one.
    let starts: Vec<_> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let piece = |range: &std::ops::Range<usize>| {
        let (start, end) = (starts.get(range.start)?, starts.get(range.end)?);
        Some(text.get(*start..*end)?.to_owned())
    };
    let found = found.into_iter().map(|(id, range)| Token {
        id,
        text: piece(&range).unwrap_or_default(),
        special: false,
        start: Some(range.start),
        stop: Some(range.end),
    });
    let around = |ids: &[u32]| ids.iter().filter(|_| special).map(name).collect::<Vec<_>>();
    let layout = tokenizer.layout();
    Ok(around(&layout.open).into_iter().chain(found).chain(around(&layout.close)).collect())
}

#[derive(Debug, Deserialize)]
pub(super) struct DecodeRequest {
    model: Option<String>,
    ids: OneOrMany<OneOrMany<u32>>,
    skip_special_tokens: Option<bool>,
}

/// The texts of lists of tokens.
pub(super) async fn decode(
    State(service): State<Arc<Service>>,
    Parsed(request): Parsed<DecodeRequest>,
) -> Result<Json<Vec<String>>, ApiError> {
    let DecodeRequest { model, ids, skip_special_tokens } = request;
    let skip = skip_special_tokens.unwrap_or(true);
    // A list of numbers is one list of tokens; a list of lists is several.
    let lists: Vec<Vec<u32>> = ids.into_vec().into_iter().map(OneOrMany::into_vec).collect();
    let each = move |tokenizer: &Tokenizer, ids: &Vec<u32>| tokenizer.decode(ids, skip);
    let found = lists.iter().map(Vec::len).sum();
    by_tokenizer(&service, model, (lists, found), each, |_| 0).await
}

/// Does something with the tokenizer of a model for each of several items, which have at least so many tokens. `count`
/// counts the tokens of what came of an item, as far as they were not known before.
async fn by_tokenizer<T: Send + 'static, R: Send + 'static>(
    service: &Service,
    model: Option<String>,
    (items, tokens): (Vec<T>, usize),
    each: impl Fn(&Tokenizer, &T) -> Result<R, TextError> + Send + 'static,
    count: impl Fn(&R) -> usize + Send + 'static,
) -> Result<Json<Vec<R>>, ApiError> {
    service.check_count(items.len(), "inputs")?;
    let most = service.engine.config().request_tokens.get();
    let too_many = move || {
        let message =
            format!("the request has more tokens than the server takes ({most}); send it in parts");
        ApiError::new(ErrorCode::TooLarge, message)
    };
    if tokens > most {
        return Err(too_many());
    }
    service.charge(items.len())?;
    let model = service.model(model.as_deref(), UnknownModel::Default).await?;
    let alive = Arc::new(());
    let watched = Arc::downgrade(&alive);
    let work = async {
        // As many at a time as texts of pairs are tokenized by: more would take the time of answers.
        let place = Arc::clone(&service.tokenizing).acquire_owned().await;
        // Tokenizing takes processor time, which the threads of connections must not be kept from.
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            let Some(tokenizer) = tokenizer(&model) else { return Ok(Vec::new()) };
            let (mut answers, mut found) = (Vec::with_capacity(items.len()), 0);
            for item in &items {
                // Nobody waits for the rest: the client went away, or time is up.
                if watched.strong_count() == 0 {
                    break;
                }
                // The message of a tokenizer may repeat the text.
                let answer = each(tokenizer, item).map_err(|_| ApiError::internal())?;
                found += count(&answer);
                if found > most {
                    return Err(too_many());
                }
                answers.push(answer);
            }
            Ok(answers)
        });
        done.await.map_err(|_| ApiError::internal())?
    };
    let answers = tokio::time::timeout(service.limits.time, work).await;
    drop(alive);
    answers.map_err(|_| ApiError::timeout(service.limits.time))?.map(Json)
}

fn tokenizer(model: &OpenModel) -> Option<&Tokenizer> {
    model.scorer().models().next().map(|first| first.encoder.tokenizer())
}
