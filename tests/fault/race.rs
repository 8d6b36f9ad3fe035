//! Two processes that change one table at the same time, made to meet: both plan on the same
//! snapshot, and both wait with their files written until the other is as far (M5).

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use northstar_iceberg::observer::{Event, Observer};
use northstar_iceberg::{Lake, TableName};
use northstar_tests::changes::rows;
use northstar_tests::lab::tester;
use serde_json::{Value, json};

use super::files::orphans;
use super::kill::numbers;
use super::merging::{put_aside, session};
use super::place::Place;
use super::race_pairs::{PAIRS, Pair, Row, append, pair, seeded_table, shown};

/// Where a racer finds its folder and its number.
const FOLDER: &str = "NORTHSTAR_RACE_FOLDER";
const NUMBER: &str = "NORTHSTAR_RACE_NUMBER";

/// How many pairs of statements race.
const RUNS: usize = 100;

/// A process that runs one statement after the other, as it is told.
struct Racer {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Racer {
    fn start(folder: &Path, number: u32) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "race::m5_two_processes_change_one_table_as_if_one_after_the_other"])
            .args(["--nocapture", "--test-threads=1"])
            .envs([(FOLDER, folder.as_os_str()), (NUMBER, number.to_string().as_ref())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let orders = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, orders, answers }
    }

    fn tell(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("a racer that listens");
    }

    /// The next answer. What the test harness says in between has no `@`.
    fn answer(&mut self, what: &str) -> String {
        let line = self.answers.by_ref().map(|line| line.expect("text"));
        let answer = line.filter_map(|line| line.strip_prefix('@').map(str::to_string)).next();
        answer.unwrap_or_else(|| panic!("{what}: a racer ended; its error stands above"))
    }

    /// Lets it end; whether all went well.
    fn end(mut self) -> bool {
        drop(self.orders);
        self.child.wait().expect("an end").success()
    }
}

/// Says when the statement is about to move the pointer for the first time, and waits for the word.
#[derive(Debug, Default)]
struct Meets {
    staged: AtomicUsize,
    retried: AtomicUsize,
}

impl Observer for Meets {
    fn event(&self, event: &Event) {
        match event {
            Event::MetadataWritten if self.staged.fetch_add(1, Ordering::SeqCst) == 0 => {
                println!("\n@ready");
                assert_eq!(heard().as_deref(), Some("go"));
            }
            Event::Retried { .. } => drop(self.retried.fetch_add(1, Ordering::SeqCst)),
            _ => {}
        }
    }
}

/// The next line that a racer is told.
fn heard() -> Option<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("a pipe");
    (!line.is_empty()).then(|| line.trim_end().to_string())
}

/// The life of a racer.
async fn race(folder: &Path) {
    let number = std::env::var(NUMBER).expect("a number").parse().expect("a number");
    let lake = Place::new(folder).lake(number).await;
    while let Some(order) = heard() {
        let order: Value = serde_json::from_str(&order).expect("an order in JSON");
        let meets = Arc::new(Meets::default());
        let lake = Lake { observer: Arc::clone(&meets) as _, ..lake.clone() };
        let rounds = match (order["sql"].as_str(), order["rows"].as_array()) {
            (Some(sql), _) => {
                let session = session(&lake);
                let changed = session.change(sql, [].into(), Default::default()).await;
                changed.unwrap_or_else(|error| panic!("{sql}: {error}")).rounds
            }
            (None, rows) => {
                let rows: Vec<Row> = serde_json::from_value(json!(rows)).expect("rows");
                append(&lake, order["table"].as_str().expect("a table"), &rows).await;
                1
            }
        };
        println!("\n@{}", json!({"rounds": rounds, "retried": meets.retried}));
    }
}

/// Lets both statements of a pair meet; how many rounds they took together. One of them may go on
/// alone `first`, else both do at the same time.
fn meet(racers: &mut [Racer; 2], pair: &Pair, table: &TableName, first: Option<usize>) -> u64 {
    let what = format!("{table}: {}", pair.name);
    for (racer, change) in racers.iter_mut().zip(&pair.changes) {
        let order = match &change.sql {
            Some(sql) => json!({"sql": sql}),
            None => json!({"rows": change.rows, "table": table.to_string()}),
        };
        racer.tell(&order.to_string());
    }
    for racer in racers.iter_mut() {
        assert_eq!(racer.answer(&what), "ready", "{what}");
    }
    let first_answer = first.map(|first| {
        racers[first].tell("go");
        racers[first].answer(&what)
    });
    let others = (0..2).filter(|at| Some(*at) != first);
    others.clone().for_each(|at| racers[at].tell("go"));
    let answers = first_answer.into_iter().chain(others.map(|at| racers[at].answer(&what)));
    let answers: Vec<Value> =
        answers.map(|said| serde_json::from_str(&said).expect("an answer in JSON")).collect();
    let number = |key: &str| -> u64 { answers.iter().filter_map(|said| said[key].as_u64()).sum() };
    assert!(number("retried") > 0, "{what}: they never met: {answers:?}");
    number("rounds")
}

/// The rows after both changes, one after the other, in both orders.
fn serial(pair: &Pair, before: &[Row]) -> [Vec<String>; 2] {
    [[0, 1], [1, 0]].map(|order| {
        let mut now = before.to_vec();
        order.iter().for_each(|at| (pair.changes[*at].model)(&mut now));
        shown(&now)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_two_processes_change_one_table_as_if_one_after_the_other() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return race(&PathBuf::from(folder)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    let lake = place.lake(0).await;
    lake.catalog.create_namespace("bronze").await.unwrap();
    let mut racers = [1, 2].map(|number| Racer::start(folder.path(), number));
    let mut random = numbers(20_240_701);
    let (mut rebased, mut redone) = (0, 0);
    for run in 0..RUNS {
        let name: TableName = format!("bronze.t{run}").parse().unwrap();
        let before = seeded_table(&lake, &name, &mut random).await;
        let pair = pair(run, &name, &mut random);
        // Each pair in both orders, and then as it comes.
        let first = Some(run / PAIRS % 4).filter(|first| *first < 2);
        let rounds = meet(&mut racers, &pair, &name, first);
        if rounds == 2 {
            rebased += 1
        } else {
            redone += 1
        }
        let as_said = pair.depend.is_none_or(|depend| depend == (rounds > 2));
        assert!(as_said, "{name}: {}: {rounds} rounds", pair.name);
        let found = rows(&session(&lake), &format!("SELECT * FROM {name}")).await;
        let orders = serial(&pair, &before);
        assert!(
            orders.contains(&found),
            "{name}: {}: {found:#?}\nis of no order of\n{:#?}\non {before:#?}",
            pair.name,
            pair.changes.each_ref().map(|change| change.sql.as_ref())
        );
        let table = lake.open_table(&name, &tester()).await.unwrap();
        assert_eq!(table.ancestors().count(), table.metadata().snapshots().len(), "one line");
    }
    println!("{rebased} pairs were rebased, {redone} done again");
    assert!(racers.map(Racer::end).iter().all(|well| *well));
    assert_eq!(put_aside(&place), Vec::<PathBuf>::new());
    assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new());
}
