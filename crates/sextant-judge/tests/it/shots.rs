//! Examples are chosen by agreement with people.

use crate::asking::{pairs, settings};
use crate::server::Server;
use serde_json::json;
use sextant_core::{Example, Grade, Pair, Task};
use sextant_judge::{
    Budget, Client, JudgeError, Judging, Method, Pace, Retries, Settings, ShotChoice, choose_shots,
};
use std::ops::ControlFlow;
use std::time::Duration;

/// A judge that answers right only after it was shown a relevant example.
#[test]
fn the_set_after_which_the_judge_agrees_best_is_chosen() {
    let server = Server::start(|request, _| {
        let messages = request.body["messages"].as_array().unwrap();
        let knows = messages.iter().any(|m| m["role"] == "assistant" && m["content"] == "2");
        let question = messages.last().unwrap()["content"].as_str().unwrap();
        let number: usize = question
            .split("sofa ")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let label = if knows { number % 3 } else { 1 };
        let body = json!({"choices": [{"message": {"content": label.to_string()}}]});
        (200, "", body.to_string())
    });
    let example = |pair: Pair, number: usize| Example {
        pair,
        ..Example::new(Task::QueryType, "", "", Grade::ALL[number % 3])
    };
    let all: Vec<Example> =
        pairs(60).into_iter().enumerate().map(|(i, pair)| example(pair, i)).collect();
    let (train, dev) = all.split_at(30);
    let place = tempfile::tempdir().unwrap();
    let client = Client::new(&server.base, None, Duration::from_secs(10), Retries::default());
    let pace = Pace::new(None, None);
    let settings = Settings { method: Some(Method::Votes), votes: 1, ..settings() };
    let choice = ShotChoice { shots: 2, sets: 2, seed: 5 };
    let choose = || {
        let judging = Judging { client: &client, pace: &pace };
        let go_on = |_| ControlFlow::Continue(());
        choose_shots(judging, &settings, choice, train, dev, place.path(), go_on)
    };
    let (trials, spent) = choose().unwrap();
    assert_eq!(trials.len(), 3);
    let best = &trials[0];
    assert_eq!((best.agreement, best.rows), (1.0, 30));
    // Of two examples, both ends of the scale are shown, and none is a dev row.
    let mut grades: Vec<Grade> = best.shots.iter().map(|shot| shot.grade).collect();
    grades.sort_unstable();
    assert_eq!(grades, [Grade::Irrelevant, Grade::Relevant]);
    assert!(best.shots.iter().all(|shot| !dev.iter().any(|row| row.pair == shot.pair)));
    assert!(trials[2].shots.is_empty() && trials[2].agreement == 0.0);
    // A second choice finds every answer in its ledgers.
    let asked = server.requests().len();
    assert_eq!((choose().unwrap(), server.requests().len()), ((trials, spent), asked));
    // A choice among some of the sets would be another one than among all.
    let budget = Budget { tokens: Some(spent.tokens() / 2), ..Budget::default() };
    let elsewhere = tempfile::tempdir().unwrap();
    let settings = Settings { budget, ..settings };
    let go_on = |_| ControlFlow::Continue(());
    let judging = Judging { client: &client, pace: &pace };
    let few = choose_shots(judging, &settings, choice, train, dev, elsewhere.path(), go_on);
    assert!(matches!(few, Err(JudgeError::Budget)), "{few:?}");
}
