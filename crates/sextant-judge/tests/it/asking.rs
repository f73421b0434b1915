//! Which way is taken, what is asked, and what happens when a server fails, refuses or is stopped.

use crate::server::{Answer, Request, Server};
use serde_json::{Value, json};
use sextant_core::{Pair, Task};
use sextant_judge::{
    Budget, Client, JudgeError, Judged, Judging, Ledger, Method, Pace, Prices, Prompt, Retries,
    Settings, gradeless_path, pair_key, run,
};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) fn settings() -> Settings {
    Settings {
        model: "m".into(),
        prompt: Prompt::open("three-point").unwrap(),
        shots: Vec::new(),
        method: None,
        votes: 4,
        seed: 1,
        concurrency: 3,
        budget: Budget::default(),
    }
}

pub(crate) fn pairs(count: usize) -> Vec<Pair> {
    let pair =
        |i| Pair { task: Task::QueryType, left: format!("sofa {i}").into(), right: "Sofas".into() };
    (0..count).map(pair).collect()
}

fn client(server: &Server) -> Client {
    let retries = Retries { attempts: 3, wait: Duration::from_millis(1) };
    Client::new(&server.base, Some("secret".into()), Duration::from_secs(10), retries)
}

/// Runs a judge with the ledger at a path.
fn judge(
    server: &Server,
    settings: &Settings,
    pairs: &[Pair],
    path: &Path,
) -> (Result<Judged, JudgeError>, Ledger) {
    let (client, pace) = (client(server), Pace::new(None, None));
    let hash = settings.prompt.hash(&settings.shots);
    let mut ledger = Ledger::open(path, settings.judge(&hash)).unwrap();
    let judging = Judging { client: &client, pace: &pace };
    let found = run(judging, settings, pairs, &mut ledger, |_| ControlFlow::Continue(()));
    (found, ledger)
}

fn good(body: Value) -> Answer {
    (200, "", body.to_string())
}

fn missing() -> Answer {
    (404, "", r#"{"error":{"message":"File Not Found"}}"#.into())
}

fn chat(text: &str, logprobs: Option<Value>) -> Answer {
    let logprobs = logprobs.map(|token| json!({ "content": [token] }));
    good(json!({
        "choices": [{"message": {"role": "assistant", "content": text}, "logprobs": logprobs}],
        "usage": {"prompt_tokens": 50, "completion_tokens": 1},
    }))
}

fn after_sampling() -> Value {
    json!({"token": "2", "prob": 0.5, "top_probs": [
        {"token": "2", "prob": 0.5}, {"token": "0", "prob": 0.3}, {"token": "1", "prob": 0.2}]})
}

fn of_vocabulary() -> Value {
    json!({"token": "The", "logprob": -0.7, "top_logprobs": [
        {"token": "The", "logprob": -0.7}, {"token": "1", "logprob": 0.1_f64.ln()},
        {"token": " 2", "logprob": 0.3_f64.ln()}]})
}

/// What a server of a test does.
type Serve = Box<dyn Fn(&Request, usize) -> Answer + Send + Sync>;

/// Servers that offer less and less, and what is then asked of them.
#[test]
fn the_best_way_that_a_server_offers_is_taken() {
    let typed = |request: &Request| match request.path.as_str() {
        "/v1/decisions" => {
            assert_eq!(request.body["questions"][0]["levels"][2]["label"], "2");
            assert!(request.body["input"]["query"].as_str().unwrap().starts_with("sofa"));
            let level = |label: &str, p: f64| json!({"label": label, "probability": p});
            Some(good(json!({
                "answers": [{"type": "score", "probabilities": [level("0", 0.1), level("2", 0.7), level("1", 0.2)]}],
                "usage": {"input_tokens": 40, "output_tokens": 0},
            })))
        }
        _ => None,
    };
    let system_one = |request: &Request| {
        (request.path == "/v1/systemone").then(|| {
            let criteria = request.body["questions"]["relevance"]["criteria"].as_array().unwrap();
            assert_eq!(criteria.len(), 3);
            good(json!({"answers": {"relevance": {"probabilities": {"0": 0.25, "1": 0.25, "2": 0.5}}}}))
        })
    };
    let chats = |request: &Request, logprobs: fn(&Value) -> Option<Value>| {
        assert_eq!(request.authorization.as_deref(), Some("Bearer secret"));
        match request.path.as_str() {
            "/v1/chat/completions" => chat("2", logprobs(&request.body)),
            _ => missing(),
        }
    };
    let constrained = |body: &Value| {
        let whole =
            body["post_sampling_probs"] == true && body["top_k"] == 0 && body["min_p"] == 0.0;
        assert_eq!(body["grammar"].is_string(), whole);
        whole.then(after_sampling)
    };
    let vocabulary = |body: &Value| {
        // This server passes over what it does not know.
        body["logprobs"].as_bool().unwrap_or(false).then(of_vocabulary)
    };
    let cases: [(Method, [f32; 3], f64, Serve); 5] = [
        (
            Method::Decisions,
            [0.1, 0.2, 0.7],
            1.0,
            Box::new(move |r, _| typed(r).unwrap_or_else(missing)),
        ),
        (
            Method::SystemOne,
            [0.25, 0.25, 0.5],
            1.0,
            Box::new(move |r, _| system_one(r).unwrap_or_else(missing)),
        ),
        (Method::Constrained, [0.3, 0.2, 0.5], 1.0, Box::new(move |r, _| chats(r, constrained))),
        (Method::Logprobs, [0.0, 0.25, 0.75], 0.4, Box::new(move |r, _| chats(r, vocabulary))),
        (Method::Votes, [0.0, 0.0, 1.0], 1.0, Box::new(move |r, _| chats(r, |_| None))),
    ];
    for (method, probs, mass, serve) in cases {
        let place = tempfile::tempdir().unwrap();
        let server = Server::start(serve);
        let (found, ledger) = judge(&server, &settings(), &pairs(3), &place.path().join("a"));
        let found = found.unwrap();
        assert_eq!((found.method, found.asked, found.failed.len()), (Some(method), 3, 0));
        for pair in pairs(3) {
            let answer = ledger.get(&pair_key(&pair)).unwrap();
            for (found, expected) in answer.probs.into_iter().zip(probs) {
                assert!((found - expected).abs() < 1e-6, "{method}: {answer:?}");
            }
            assert!((answer.label_mass - mass).abs() < 1e-6, "{method}: {answer:?}");
            assert_eq!(answer.raw.len(), if method == Method::Votes { 4 } else { 1 });
        }
    }
}

#[test]
fn what_was_answered_is_not_asked_again() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("answers.jsonl");
    let server = Server::start(|_, _| chat("1", Some(after_sampling())));
    let settings = Settings { method: Some(Method::Constrained), ..settings() };
    let mut asked = pairs(5);
    asked.extend(pairs(2)); // the same pairs again
    assert_eq!(judge(&server, &settings, &asked[..3], &path).0.unwrap().asked, 3);
    let found = judge(&server, &settings, &asked, &path).0.unwrap();
    assert_eq!((found.asked, found.known, found.left), (2, 5, 0));
    assert_eq!(server.requests().len(), 5);
    assert_eq!(found.spent.tokens(), 5 * 51);
}

#[test]
fn a_busy_server_is_asked_again_and_a_refusal_is_final() {
    let place = tempfile::tempdir().unwrap();
    let settings = Settings { method: Some(Method::Constrained), concurrency: 1, ..settings() };
    let server = Server::start(|_, number| match number {
        0 => (429, "Retry-After: 0.05\r\n", "slow down".into()),
        1 => (503, "", "later".into()),
        _ => chat("1", Some(after_sampling())),
    });
    let start = Instant::now();
    assert_eq!(judge(&server, &settings, &pairs(1), &place.path().join("a")).0.unwrap().asked, 1);
    assert!(start.elapsed() >= Duration::from_millis(50), "the server's wish is heeded");

    let server = Server::start(|_, _| (500, "", "broken".into()));
    let error = judge(&server, &settings, &pairs(1), &place.path().join("b")).0.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("3 attempts") && error.contains("500: broken"), "{error}");
    assert_eq!(server.requests().len(), 3);

    for (status, hint) in [(401, "--key-env"), (404, "/v1")] {
        let server = Server::start(move |_, _| (status, "", "no".into()));
        let error = judge(&server, &settings, &pairs(1), &place.path().join("c")).0.unwrap_err();
        assert!(error.to_string().contains(hint), "{error}");
        assert!(!error.to_string().contains("secret"));
        assert_eq!(server.requests().len(), 1);
    }
    // A server that repeats the key does not bring it into a log.
    let server = Server::start(|_, _| (401, "", "bad key Bearer secret".into()));
    let error = judge(&server, &settings, &pairs(1), &place.path().join("e")).0.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("Bearer [the key]") && !error.contains("secret"), "{error}");
    // Without a stated way, all are tried, and what came of each is told.
    let server = Server::start(|_, _| missing());
    let any = Settings { method: None, ..settings.clone() };
    let error = judge(&server, &any, &pairs(1), &place.path().join("d")).0.unwrap_err().to_string();
    for method in Method::ALL {
        assert!(error.contains(&format!("{method}: ")), "{error}");
    }
}

/// The answers before an error stay, and the next run goes on after them.
#[test]
fn an_error_keeps_what_came_before_it() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("answers.jsonl");
    let settings = Settings { method: Some(Method::Constrained), concurrency: 1, ..settings() };
    let server = Server::start(|_, number| match number {
        2 => (400, "", "context too long".into()),
        _ => chat("1", Some(after_sampling())),
    });
    let (found, ledger) = judge(&server, &settings, &pairs(5), &path);
    assert!(matches!(found, Err(JudgeError::Refused { status: 400, .. })), "{found:?}");
    assert_eq!(ledger.len(), 2);
    let found = judge(&server, &settings, &pairs(5), &path).0.unwrap();
    assert_eq!((found.asked, found.known), (3, 2));
}

#[test]
fn a_row_without_a_grade_is_counted_and_asked_again_next_time() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("answers.jsonl");
    let settings = Settings { method: Some(Method::Votes), votes: 1, ..settings() };
    let server = Server::start(|request, number| {
        let question = request.body["messages"][1]["content"].as_str().unwrap();
        chat(
            if question.contains("sofa 1") && number < 3 { "I cannot say" } else { "Grade: 1" },
            None,
        )
    });
    let found = judge(&server, &settings, &pairs(3), &path).0.unwrap();
    assert_eq!((found.asked, found.left), (2, 0));
    let [(index, why)] = &found.failed[..] else { panic!("{found:?}") };
    assert!(*index == 1 && why.contains("I cannot say"), "{why}");
    assert_eq!(judge(&server, &settings, &pairs(3), &path).0.unwrap().asked, 1);
}

#[test]
fn a_budget_ends_a_run_and_a_larger_one_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("answers.jsonl");
    let server = Server::start(|_, _| chat("1", Some(after_sampling())));
    let with = |budget| Settings {
        method: Some(Method::Constrained),
        concurrency: 1,
        budget,
        ..settings()
    };
    let tokens = with(Budget { tokens: Some(120), ..Budget::default() });
    let found = judge(&server, &tokens, &pairs(9), &path).0.unwrap();
    // 51 tokens each: a third one would go beyond the budget.
    assert_eq!((found.asked, found.left), (2, 7));
    assert_eq!(judge(&server, &tokens, &pairs(9), &path).0.unwrap().asked, 0);
    let prices = Prices { input: 2.0, output: 10.0 }; // 110 millionths each
    let cost = with(Budget { cost: Some(0.0007), prices, ..Budget::default() });
    let found = judge(&server, &cost, &pairs(9), &path).0.unwrap();
    assert_eq!((found.asked, found.left), (4, 3));
    assert!(prices.cost(found.spent) <= 0.0007);
}

/// However many requests are under way, whatever was asked in vain, and whether or not the server says what it took.
#[test]
fn no_more_is_spent_than_the_budget() {
    let usage = json!({"prompt_tokens": 90, "completion_tokens": 10});
    let answers: [(&str, Value); 4] = [
        ("2", usage.clone()),
        ("I cannot say", usage),
        ("2", json!(null)),
        ("2", json!({"prompt_tokens": -5, "completion_tokens": u64::MAX})),
    ];
    for (text, usage) in answers {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("answers.jsonl");
        let body = json!({"choices": [{"message": {"content": text}}], "usage": usage});
        let server = Server::start(move |_, _| good(body.clone()));
        let budget = Budget { tokens: Some(2000), ..Budget::default() };
        let method = Some(Method::Votes);
        let settings = Settings { method, votes: 2, concurrency: 8, budget, ..settings() };
        let (found, ledger) = judge(&server, &settings, &pairs(200), &path);
        let (found, asked) = (found.unwrap(), server.requests().len());
        assert!(found.left > 0 && found.spent.tokens() <= 2000, "{text}: {found:?}");
        assert!(asked >= 2, "{text}");
        if found.failed.is_empty() {
            assert_eq!(ledger.len() * 2, asked);
        } else {
            let kept = std::fs::read_to_string(gradeless_path(&path)).unwrap();
            assert!(kept.lines().count() * 2 == asked && kept.contains("I cannot say"), "{kept}");
            assert_eq!((asked, found.spent.tokens()), (20, 2000));
        }
        // What is spent stays spent.
        judge(&server, &settings, &pairs(200), &path).0.unwrap();
        assert_eq!(server.requests().len(), asked, "{text}");
    }
}

#[test]
fn a_stop_is_heeded_while_the_server_is_silent() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| (429, "Retry-After: 60\r\n", String::new()));
    let settings = Settings { method: Some(Method::Constrained), ..settings() };
    let (client, pace) = (client(&server), Pace::new(None, None));
    let hash = settings.prompt.hash(&[]);
    let mut ledger = Ledger::open(&place.path().join("a"), settings.judge(&hash)).unwrap();
    let start = Instant::now();
    let judging = Judging { client: &client, pace: &pace };
    let found = run(judging, &settings, &pairs(3), &mut ledger, |_| ControlFlow::Break(()));
    assert!(matches!(found, Err(JudgeError::Stopped)), "{found:?}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_pause_that_the_server_asks_for_is_told_before_it_begins() {
    type Told = (String, Option<Duration>, Duration);
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| (429, "Retry-After: 3600\r\n", "too many".into()));
    let settings = Settings { method: Some(Method::Constrained), concurrency: 1, ..settings() };
    let told: Arc<Mutex<Vec<Told>>> = Arc::default();
    let kept = Arc::clone(&told);
    let client = client(&server).on_wait(move |wait| {
        kept.lock().unwrap().push((wait.problem.to_owned(), wait.stated, wait.pause));
    });
    let pace = Pace::new(None, None);
    let hash = settings.prompt.hash(&[]);
    let mut ledger = Ledger::open(&place.path().join("a"), settings.judge(&hash)).unwrap();
    let judging = Judging { client: &client, pace: &pace };
    // The pause is two minutes long, so that the run ends only because the pause was told.
    let found = run(judging, &settings, &pairs(1), &mut ledger, |_| {
        let heard = !told.lock().unwrap().is_empty();
        if heard { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(found, Err(JudgeError::Stopped)), "{found:?}");
    let told = told.lock().unwrap();
    let [(problem, stated, pause)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*stated, *pause), (Some(Duration::from_hours(1)), Duration::from_mins(2)));
    assert!(problem.contains("429: too many"), "{problem}");
}

/// Answers of a real llama.cpp server with SmolLM2-135M-Instruct: what it said is read as it was.
#[test]
fn recorded_answers_of_llama_cpp_are_read() {
    let recorded: Vec<Value> =
        serde_json::from_str(include_str!("../recorded/llama-cpp-smollm2.json")).unwrap();
    assert!(recorded.iter().any(|r| r["method"] == "constrained"));
    assert!(recorded.iter().any(|r| r["method"] == "logprobs"));
    for case in recorded {
        let place = tempfile::tempdir().unwrap();
        let raw = case["raw"].to_string();
        let server = Server::start(move |_, _| (200, "", raw.clone()));
        let method: Method = case["method"].as_str().unwrap().parse().unwrap();
        let settings = Settings { method: Some(method), votes: 1, ..settings() };
        let (found, ledger) = judge(&server, &settings, &pairs(1), &place.path().join("a"));
        let (found, answer) = (found.unwrap(), ledger.get(&pair_key(&pairs(1)[0])).unwrap());
        let expected = case["probs"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap());
        for (found, expected) in answer.probs.into_iter().zip(expected) {
            assert!((f64::from(found) - expected).abs() < 1e-6, "{answer:?}");
        }
        assert!((answer.label_mass - case["label_mass"].as_f64().unwrap()).abs() < 1e-9);
        assert!(found.spent.input_tokens > 50 && found.spent.output_tokens > 0, "{found:?}");
    }
}
