//! `sextant data new`: asks a few questions about a table and writes a map.

mod labels;

use crate::arguments::Overwrite;
use crate::say::{complain, say};
use anyhow::{Context, bail};
use clap::Args;
use sextant_core::{EntityKind, Task};
use sextant_data::import::{ColumnLook, Draft, DraftSide, TableLook};
use sextant_files::AtomicFile;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

/// `data new`
#[derive(Debug, Args)]
pub(crate) struct New {
    /// The table: CSV, TSV, JSONL or Parquet
    table: PathBuf,
    /// Where to put the map; beside the table as `NAME.map.toml`, if it is left out
    #[arg(long)]
    out: Option<PathBuf>,
    /// Ask nothing, and take what is likely
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    overwrite: Overwrite,
}

impl New {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let out = self.out.clone().unwrap_or_else(|| self.table.with_extension("map.toml"));
        let mut file = AtomicFile::create(&out, self.overwrite.existing())?;
        let look = TableLook::new(&self.table)?;
        describe(&look);
        let mut asker = Asker { look: &look, yes: self.yes };
        let draft = self.draft(&mut asker, &out)?;
        let names = look.columns.iter().map(|column| column.name.as_str());
        let left: Vec<&str> = names.filter(|name| !draft.takes(name)).collect();
        if !left.is_empty() {
            complain(&format!(
                "the rows will have nothing of the columns {}; `keep` under [row] of the map passes columns through",
                left.join(", ")
            ));
        }
        file.write_all(draft.to_toml().as_bytes())
            .with_context(|| format!("cannot write {}", out.display()))?;
        file.commit()?;
        say(&format!(
            "{}: `sextant data import {} --out rows.jsonl` makes rows of it",
            out.display(),
            out.display()
        ));
        Ok(())
    }

    fn draft(&self, asker: &mut Asker<'_>, out: &Path) -> anyhow::Result<Draft> {
        let look = asker.look;
        let task = asker.task()?;
        let (left_kind, right_kind) = task.kinds();
        let left = asker.side("left", left_kind, None)?;
        let right = asker.side("right", right_kind, Some(&left.text))?;
        let words = [
            "grade",
            "relevance",
            "label",
            "rating",
            "esci",
            "judgment",
            "judgement",
            "isduplicate",
            "stars",
            "score",
        ];
        let label = asker.column(
            "Which column has the label? (none: rows without grades)",
            look.likely(&words),
            true,
        )?;
        let label =
            label.map(|column| asker.labels(&column).map(|labels| (column, labels))).transpose()?;
        let column = label.as_ref().and_then(|(column, _)| look.column(column));
        let without_label = column.map_or(0, |column| column.empty);
        if without_label > 0 {
            complain(&format!(
                "{without_label} of the first {} rows have no label, and the map leaves such rows out: `skip` under [label]",
                look.rows
            ));
        }
        let raters = ["rater", "annotator", "worker", "assessor", "judge"];
        let rater = match label {
            Some(_) => asker.column(
                "Which column names the rater? (none: one rating for each pair)",
                look.likely(&raters),
                true,
            )?,
            None => None,
        };
        let group = asker.column("Which column tells the queries apart? Rows of one query stay in one split (none: no groups)", look.likely(&["queryid", "qid", "group"]).or(Some(&left.text)), true)?;
        let doc_id = asker.column(
            "Which column identifies the document, for qrels and runs? (none: there is none)",
            look.likely(&["docid", "productid", "productuid", "asin", "sku"]),
            true,
        )?;
        let id = asker.column(
            "Which column identifies the row? (none: there is none)",
            look.named(&["id", "rowid", "ratingid", "exampleid", "pairid"]),
            true,
        )?;
        let split = asker.split()?;
        let stem = self.table.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Draft {
            name: stem,
            task,
            path: relative(&self.table, out),
            encoding: look.encoding,
            separator: look.separator,
            left,
            right,
            label,
            without_label: without_label > 0,
            rater,
            group,
            doc_id,
            id,
            split,
        })
    }
}

/// The table's path from the folder of the map: its name where both are in one folder, else the whole path.
fn relative(table: &Path, map: &Path) -> String {
    let folder = |path: &Path| {
        let above = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        above.canonicalize().ok()
    };
    let same = folder(table).is_some() && folder(table) == folder(map);
    let path = match (same, table.file_name()) {
        (true, Some(name)) => PathBuf::from(name),
        _ => table.canonicalize().unwrap_or_else(|_| table.to_owned()),
    };
    path.to_string_lossy().into_owned()
}

fn describe(look: &TableLook) {
    complain(&format!(
        "{} columns, by the first {} rows ({}):",
        look.columns.len(),
        look.rows,
        look.encoding
    ));
    for column in &look.columns {
        let examples = column.examples.iter().map(|text| format!("`{text}`"));
        complain(&format!("  {}: {}", column.name, examples.collect::<Vec<_>>().join(", ")));
    }
}

/// Asks on standard error and reads answers from standard input. An empty answer takes what is likely.
struct Asker<'a> {
    look: &'a TableLook,
    yes: bool,
}

impl Asker<'_> {
    fn ask(&mut self, question: &str, likely: &str) -> anyhow::Result<String> {
        if self.yes {
            return Ok(likely.to_owned());
        }
        complain(&format!("{question} [{likely}]"));
        let mut line = String::new();
        let read =
            std::io::stdin().lock().read_line(&mut line).context("cannot read the answer")?;
        if read == 0 {
            bail!("the answers have ended, and nothing was written; `--yes` takes what is likely");
        }
        let answer = line.trim();
        Ok(if answer.is_empty() { likely.to_owned() } else { answer.to_owned() })
    }

    /// Asks until an answer can be used. Without questions, what is likely counts.
    fn until<T>(
        &mut self,
        question: &str,
        likely: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        for _ in 0..20 {
            match read(&self.ask(question, likely)?) {
                Ok(value) => return Ok(value),
                Err(problem) if self.yes => {
                    bail!("nothing tells: {question} ({problem}) Leave out --yes to answer")
                }
                Err(problem) => complain(&problem),
            }
        }
        bail!("no answer that can be used to: {question}")
    }

    fn task(&mut self) -> anyhow::Result<Task> {
        let tasks = Task::ALL.map(Task::as_str).join(", ");
        let likely = if self.look.likely(&["question2", "query2"]).is_some() {
            Task::QueryQuery
        } else {
            Task::QueryProduct
        };
        self.until(&format!("Which task? ({tasks})"), likely.as_str(), |answer| {
            answer.parse().map_err(|error: sextant_core::UnknownName| error.to_string())
        })
    }

    /// A column, or none where that is allowed.
    fn column(
        &mut self,
        question: &str,
        likely: Option<&str>,
        optional: bool,
    ) -> anyhow::Result<Option<String>> {
        let names: Vec<String> =
            self.look.columns.iter().map(|column| column.name.clone()).collect();
        let likely =
            likely.map_or_else(|| if optional { "none" } else { "" }.to_owned(), str::to_owned);
        self.until(question, &likely, |answer| {
            if optional && answer == "none" {
                return Ok(None);
            }
            match names.iter().find(|name| *name == answer) {
                Some(name) => Ok(Some(name.clone())),
                None if answer.is_empty() => {
                    Err(format!("No name tells; there are the columns {}", names.join(", ")))
                }
                None => Err(format!("no column `{answer}`; there are {}", names.join(", "))),
            }
        })
    }

    /// The column with the split, where its values are names of splits.
    fn split(&mut self) -> anyhow::Result<Option<String>> {
        let look = self.look;
        let named = look.named(&["split", "fold", "subset", "partition"]);
        let has_splits = |name: &&str| look.column(name).is_some_and(ColumnLook::has_splits);
        let likely = named.filter(has_splits);
        if let (Some(name), None) = (named, likely) {
            complain(&format!(
                "`{name}` has other values than train, dev and test: `split` and `splits` under [row] of the map say which is which"
            ));
        }
        self.column("Which column has the split? (none: there is none)", likely, true)
    }

    fn side(
        &mut self,
        side: &str,
        kind: EntityKind,
        other: Option<&str>,
    ) -> anyhow::Result<DraftSide> {
        let look = self.look;
        let words: &[&str] = match (kind, other) {
            (EntityKind::Query, None) => {
                &["query", "searchterm", "question1", "query1", "question", "keyword"]
            }
            (EntityKind::Query, Some(_)) => &["query2", "question2", "query", "searchterm"],
            (EntityKind::Product, None) => {
                &["producttitle", "title1", "lefttitle", "productname", "title", "name"]
            }
            (EntityKind::Product, Some(_)) => {
                &["producttitle", "title2", "righttitle", "productname", "title", "name", "product"]
            }
            (EntityKind::Type, _) => &["producttype", "category", "type", "class"],
        };
        let likely = look.likely(words).filter(|name| Some(*name) != other);
        let what = if kind == EntityKind::Product { "title" } else { "text" };
        let text = self.column(
            &format!("Which column has the {what} of the {kind} on the {side}?"),
            likely,
            false,
        )?;
        let mut found = DraftSide { text: text.unwrap_or_default(), ..DraftSide::default() };
        if kind == EntityKind::Product {
            found.brand = self.column(
                "Which column has its brand? (none: there is none)",
                look.likely(&["brand", "manufacturer"]),
                true,
            )?;
            found.description = self.column(
                "Which column has its description? (none: there is none)",
                look.likely(&["description"]),
                true,
            )?;
        }
        Ok(found)
    }
}
