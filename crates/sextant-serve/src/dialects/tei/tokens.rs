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
#[serde(untagged)]
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
    let each = move |tokenizer: &Tokenizer, text: &String| tokens(tokenizer, text, special);
    by_tokenizer(&service, model, inputs.into_vec(), each).await
}

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
    by_tokenizer(&service, model, lists, each).await
}

/// Does something with the tokenizer of a model for each of several items.
async fn by_tokenizer<T: Send + 'static, R: Send + 'static>(
    service: &Service,
    model: Option<String>,
    items: Vec<T>,
    each: impl Fn(&Tokenizer, &T) -> Result<R, TextError> + Send + 'static,
) -> Result<Json<Vec<R>>, ApiError> {
    let most = service.limits.pairs.get();
    if items.len() > most {
        let message =
            format!("the request has {} inputs, and the server takes {most}", items.len());
        return Err(ApiError::new(ErrorCode::TooLarge, message));
    }
    let model = service.model(model.as_deref(), UnknownModel::Default).await?;
    // Tokenizing takes processor time, which the threads of connections must not be kept from.
    let done = tokio::task::spawn_blocking(move || {
        let Some(tokenizer) = tokenizer(&model) else { return Ok(Vec::new()) };
        items.iter().map(|item| each(tokenizer, item)).collect::<Result<_, _>>()
    });
    // The message of a tokenizer may repeat the text.
    done.await.map_err(|_| ApiError::internal())?.map(Json).map_err(|_| ApiError::internal())
}

fn tokenizer(model: &OpenModel) -> Option<&Tokenizer> {
    model.scorer().models().next().map(|first| first.encoder.tokenizer())
}
