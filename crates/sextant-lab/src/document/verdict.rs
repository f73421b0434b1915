//! The verdict in words. Every sentence is chosen and filled by the numbers of [`Verdict`].

use super::{Words, percent};
use crate::facts::count;
use crate::findings::{Behind, Contender, Findings, Verdict, VerdictOutcome};
use crate::render::{p_text, signed};
use sextant_eval::Estimate;

/// Fewer seeds than this hardly tell how far seeds spread.
const ENOUGH_SEEDS: usize = 3;
/// The most systems that are named one by one.
const MOST_NAMED: usize = 3;
/// A difference that is smaller than this is shown as 0.
const NOTHING: f64 = 0.0005;
/// More evidence than this many times what there is, nobody gathers.
const MOST_EVIDENCE: f64 = 100.0;

pub(super) fn words(findings: &Findings) -> Option<Words> {
    let verdict = findings.verdict.as_ref()?;
    let statements = [
        ("How sure", sure(verdict)),
        ("At what cost", cost(verdict)),
        ("What would change the answer", change(verdict, findings.runs)),
    ];
    let said = statements.into_iter().filter(|(_, sentences)| !sentences.is_empty());
    Some(Words { headline: headline(verdict), statements: said.collect() })
}

fn headline(verdict: &Verdict) -> String {
    let Verdict { ship, leader, margin, .. } = verdict;
    let others = verdict.contenders.len() - 1;
    let open = open(verdict).count();
    let one_seed = verdict.fewest_seeds() < 2;
    match verdict.outcome {
        VerdictOutcome::Alone => {
            format!("Nothing to choose from: `{ship}` is the only system that answers all test rows.")
        }
        VerdictOutcome::NothingLearned => {
            "Ship none of these: no system is shown to do better than always answering each task's most frequent grade.".into()
        }
        VerdictOutcome::Winner if one_seed => format!(
            "Ship `{ship}` as it was trained: it is shown to be better than {}. With one seed, this is not shown of its way of training.",
            the_others(others)
        ),
        VerdictOutcome::Winner => {
            format!("Ship `{ship}`: it is shown to be better than {}.", the_others(others))
        }
        VerdictOutcome::Cheaper => format!(
            "Ship `{ship}`: it costs less than `{leader}`, the most accurate, and is shown to be at most {} worse.",
            points(*margin)
        ),
        VerdictOutcome::Undecided => format!(
            "No difference shown between `{leader}`, the most accurate, and {}. Until more is known, ship `{ship}`.",
            match (open, others) {
                (_, 1) => "the other system".to_owned(),
                (open, others) if open == others => format!("any of the {others} other systems"),
                (open, others) => format!("{open} of the {others} other systems"),
            }
        ),
    }
}

fn the_others(others: usize) -> String {
    if others == 1 {
        "the other system".into()
    } else {
        format!("each of the {others} other systems")
    }
}

/// The systems that are not shown to be behind, the nearest first.
fn open(verdict: &Verdict) -> impl Iterator<Item = &Contender> {
    let others = verdict.contenders.iter().skip(1);
    others.filter(|contender| contender.behind.as_ref().is_none_or(|behind| !behind.shown))
}

fn sure(verdict: &Verdict) -> Vec<String> {
    let mut said = Vec::new();
    let chosen = verdict.contender(&verdict.leader);
    said.extend(chosen.map(|leader| {
        format!(
            "`{}` is right on {} % of {} test rows{}; always answering each task's most frequent grade would be right on {} %.",
            leader.system,
            percent(leader.accuracy.value),
            verdict.rows,
            range(leader.accuracy, percent),
            percent(verdict.majority)
        )
    }));
    if verdict.outcome == VerdictOutcome::NothingLearned || verdict.contenders.len() < 2 {
        return said;
    }
    let close: Vec<_> = open(verdict).collect();
    let named: Vec<String> = close.iter().take(MOST_NAMED).map(|c| distance(c)).collect();
    if named.is_empty() {
        said.extend(verdict.contenders.get(1).map(|next| format!("Next is {}.", distance(next))));
    } else {
        let more = close.len() - named.len();
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        said.push(format!("Not shown to be behind: {}{more}.", named.join("; ")));
    }
    let behind = verdict.contenders.len() - 1 - close.len();
    if behind > 0 && !close.is_empty() {
        said.push(format!("Shown to be behind: {behind} of {}.", verdict.contenders.len() - 1));
    }
    let tests = verdict.contenders.len() - 1;
    let together = if tests > 1 {
        format!("p-values are multiplied by the {tests} comparisons, and intervals hold together. ")
    } else {
        String::new()
    };
    said.push(format!("{together}{}", seeds(verdict)));
    said
}

/// What the uncertainty covers.
fn seeds(verdict: &Verdict) -> String {
    let single: Vec<_> = verdict.contenders.iter().filter(|c| c.seeds < 2).collect();
    let all = verdict.contenders.len();
    if single.len() == all {
        return "Every system has one seed: all this is about these very models on other test rows. How far another seed would be from them, nobody knows.".into();
    }
    if !single.is_empty() {
        return format!(
            "{} of {all} systems have one seed: what is said of them is about these very models on other test rows. Elsewhere the spread of seeds counts, too.",
            single.len()
        );
    }
    let fewest = verdict.fewest_seeds();
    let hardly = if fewest < ENOUGH_SEEDS {
        ", though so few seeds hardly tell how far they spread"
    } else {
        ""
    };
    format!(
        "Both the choice of test rows and the spread of seeds ({fewest} or more) are counted{hardly}."
    )
}

/// `` `name`, 1.2 points behind (between 2.0 behind and 0.4 ahead, p = 0.120)``
fn distance(contender: &Contender) -> String {
    let name = &contender.system;
    let Some(behind) = &contender.behind else {
        return format!("`{name}`, which cannot be tested, since all test rows are of one group");
    };
    let Behind { difference, p_value, .. } = behind;
    let p = p_text(*p_value);
    let p = if p.starts_with('<') { format!("p {p}") } else { format!("p = {p}") };
    let between = difference.interval.map_or_else(String::new, |interval| {
        format!("between {} and {}, ", side(interval.low), side(interval.high))
    });
    format!("`{name}`, {} ({between}{p})", said_side(difference.value))
}

/// `2.0 behind`, `0.4 ahead`
fn side(difference: f64) -> String {
    let size = percent(difference.abs());
    if difference > 0.0 { format!("{size} ahead") } else { format!("{size} behind") }
}

/// `2.0 points behind`
fn said_side(difference: f64) -> String {
    if difference.abs() < NOTHING {
        return "less than 0.1 points behind".into();
    }
    let which = if difference > 0.0 { "ahead" } else { "behind" };
    format!("{} {which}", points(difference.abs()))
}

/// `1.0 points`
fn points(share: f64) -> String {
    format!("{} points", percent(share))
}

/// ` (61.9 to 63.3)`
fn range(estimate: Estimate, text: fn(f64) -> String) -> String {
    let range = estimate.interval.map(|i| format!(" ({} to {})", text(i.low), text(i.high)));
    range.unwrap_or_default()
}

fn cost(verdict: &Verdict) -> Vec<String> {
    if verdict.outcome == VerdictOutcome::NothingLearned {
        return Vec::new();
    }
    let Some(ship) = verdict.contender(&verdict.ship) else { return Vec::new() };
    let mut said = vec![format!(
        "`{}` has {} parameters and scored {:.0} test rows a second.",
        ship.system,
        count(ship.parameters),
        ship.rows_per_second
    )];
    if verdict.outcome == VerdictOutcome::Cheaper {
        said.extend(verdict.contender(&verdict.leader).map(|leader| {
            format!(
                "`{}`, the most accurate, has {} the parameters and {} the speed; what is given up is that `{}` is {}.",
                leader.system,
                times(leader.parameters as f64, ship.parameters as f64),
                times(leader.rows_per_second, ship.rows_per_second),
                ship.system,
                distance(ship).split_once(", ").map_or("", |(_, distance)| distance)
            )
        }));
    } else if let Some(cheapest) = cheapest(verdict, ship) {
        said.push(format!(
            "It is not the cheapest: {}; that one has {} the parameters and {} the speed.",
            distance(cheapest),
            times(cheapest.parameters as f64, ship.parameters as f64),
            times(cheapest.rows_per_second, ship.rows_per_second)
        ));
    } else if verdict.contenders.len() > 1 {
        said.push("No other system is cheaper.".into());
    }
    said.extend(verdict.ensemble.as_ref().map(|offer| {
        format!(
            "Its {} seeds as an ensemble (`{}`) gain {} points{} at {} times the cost of an answer.",
            offer.members,
            offer.name,
            signed(100.0 * offer.gain.value, 1),
            range(offer.gain, |value| signed(100.0 * value, 1)),
            offer.members
        )
    }));
    said
}

/// The cheapest system that is cheaper than this one.
fn cheapest<'a>(verdict: &'a Verdict, ship: &'a Contender) -> Option<&'a Contender> {
    let cheaper = verdict.contenders.iter().filter(|contender| contender.is_cheaper_than(ship));
    cheaper.reduce(|best, next| if next.is_cheaper_than(best) { next } else { best })
}

/// `1.8 times`
fn times(this: f64, that: f64) -> String {
    let ratio = this / that.max(1e-9);
    if ratio < 0.1 { format!("{ratio:.2} times") } else { format!("{ratio:.1} times") }
}

fn change(verdict: &Verdict, (runs, finished): (usize, usize)) -> Vec<String> {
    let mut said = Vec::new();
    match verdict.outcome {
        VerdictOutcome::Alone => said.push(
            "Another routing or backbone in the grid (`grid.routings`, `grid.backbones`), or the single-task models (`grid.single_task`): with one system there is no choice to justify.".into(),
        ),
        VerdictOutcome::NothingLearned => said.push(
            "More training rows or steps, another learning rate, a pretrained backbone. Look at the training curves first: a loss that does not fall means that nothing was learned.".into(),
        ),
        VerdictOutcome::Undecided | VerdictOutcome::Cheaper => said.extend(evidence(verdict)),
        VerdictOutcome::Winner => {}
    }
    let fewest = verdict.fewest_seeds();
    if fewest < ENOUGH_SEEDS && verdict.contenders.len() > 1 {
        said.push(format!(
            "More seeds (`grid.seeds`): {ENOUGH_SEEDS} or more for every system, of which some have {fewest}."
        ));
    }
    if finished < runs {
        let left = runs - finished;
        said.push(format!("The {left} of {runs} runs that are not finished."));
    }
    let leads = verdict.tasks.iter().map(|lead| {
        format!(
            "on {} `{}` is {} better{}",
            lead.task,
            lead.system,
            points(lead.difference.value),
            range(lead.difference, percent)
        )
    });
    let leads: Vec<String> = leads.collect();
    if !leads.is_empty() {
        said.push(format!("Your mix of tasks: {} than `{}`.", leads.join("; "), verdict.ship));
    }
    said.extend(margin(verdict));
    said
}

/// What would show the difference from the nearest system that is not shown to be behind.
fn evidence(verdict: &Verdict) -> Option<String> {
    let nearest = open(verdict).next()?;
    let behind = nearest.behind.as_ref()?;
    let name = &nearest.system;
    if behind.difference.value.abs() < NOTHING {
        return Some(format!(
            "Hardly more of the same: `{name}` and `{}` are less than 0.1 points apart here.",
            verdict.leader
        ));
    }
    let within = |factor: Option<f64>| factor.filter(|&factor| factor < MOST_EVIDENCE);
    let rows = within(behind.needed.rows).map(|f| format!("about {f:.1} times as many test rows"));
    let leader = verdict.contender(&verdict.leader)?;
    let have = nearest.seeds.min(leader.seeds);
    let seeds = within(behind.needed.seeds)
        .map(|f| format!("about {:.0} seeds of each", (f * have as f64).ceil()));
    let needed: Vec<String> = [seeds, rows].into_iter().flatten().collect();
    let size = points(behind.difference.value.abs());
    Some(if needed.is_empty() {
        format!(
            "More of both seeds and test rows: a difference as small as the {size} between `{}` and `{name}` would not be shown by more of one alone.",
            verdict.leader
        )
    } else {
        format!(
            "To show, four times in five, a true difference as large as the {size} between `{}` and `{name}`: {}.",
            verdict.leader,
            needed.join(", or ")
        )
    })
}

/// How the margin decides.
fn margin(verdict: &Verdict) -> Option<String> {
    let ship = verdict.contender(&verdict.ship)?;
    let now = points(verdict.margin);
    let lost = |behind: &Behind| behind.difference.interval.map(|interval| -interval.low);
    if verdict.outcome == VerdictOutcome::Cheaper {
        let lost = lost(ship.behind.as_ref()?)?;
        return (lost > 0.0).then(|| {
            format!(
                "What you would give up for a lower cost (`report.margin`, now {now}): below {} it would be another system.",
                points(lost)
            )
        });
    }
    if !matches!(verdict.outcome, VerdictOutcome::Winner | VerdictOutcome::Undecided) {
        return None;
    }
    let cheapest = cheapest(verdict, ship)?;
    let lost = lost(cheapest.behind.as_ref()?)?;
    Some(format!(
        "What you would give up for a lower cost (`report.margin`, now {now}): from {} on, `{}` would be shipped.",
        // Rounded up, so that the margin as it is said is enough.
        points((1000.0 * lost).ceil() / 1000.0),
        cheapest.system
    ))
}
