//! A table's life: operations one after the other, on the table and on the model, in good order, with
//! lost replies, with crashes, and with another writer in between.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use arrow::datatypes::DataType;
use iceberg::spec::SnapshotRef;
use northstar_catalog::faulty::{Fault, FaultyCatalog, Gate, PointerFault};
use northstar_iceberg::ids::SeededIds;
use northstar_iceberg::maintenance::DAY_MS;
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_iceberg::{Error, ErrorKind, Lake, LakeTable, Result};
use northstar_tests::changes::session_of;
use northstar_tests::lab::{Lab, START_MS, tester};

use super::batches::data_type;
use super::draw::{Draw, KEY, mode};
use super::model::{Column, Field, Kind, Model, Row, Transform};
use super::operation::{Branch, Op};
use super::play::{Planned, Play, Told};
use super::run::{Ran, TABLE, Writer, field_sql, run, table_name};
use super::seen::Seen;
use crate::merge_model::random::Random;

/// How an operation goes.
#[derive(Debug, Clone)]
enum Course {
    Plain,
    /// The reply of the catalog is lost, and the commit is found by reading.
    LostReply,
    /// Another commit came first, says the catalog, though none did.
    Stale,
    /// The writer is gone before it asks for the pointer for the so manieth time.
    CrashEarly(usize),
    CrashBefore,
    CrashAfter,
    /// Another writer's operation comes in between.
    Overtaken(Box<Op>),
}

/// What was done, printed if the life ends badly.
#[derive(Debug)]
struct Log {
    seed: u64,
    lines: Vec<String>,
}

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut text = format!("the life of seed {}:\n", self.seed);
            for (step, line) in self.lines.iter().enumerate() {
                writeln!(text, "{step:3} {line}").unwrap();
            }
            eprintln!("{text}(alone: NORTHSTAR_LIFE={})", self.seed);
        }
    }
}

pub(super) struct Life<'a> {
    pub(super) lab: Lab,
    catalog: Arc<FaultyCatalog>,
    /// The writer whose catalog fails at times, and another.
    pub(super) writer: Writer,
    other: Writer,
    pub(super) model: Model,
    pub(super) random: Random,
    batches: Vec<Vec<Row>>,
    /// What must follow: batches that were rolled back.
    queue: VecDeque<Op>,
    step: usize,
    is_sorted: bool,
    /// Whether writers crash in this life. In one without, nothing may be left on disk.
    crashes: bool,
    log: Log,
    pub(super) seen: &'a mut Seen,
}

impl<'a> Life<'a> {
    pub(super) async fn new(seed: u64, seen: &'a mut Seen) -> Self {
        let mut random = Random::new(seed);
        let lab = Lab::new().await;
        lab.lake.catalog.create_namespace("ns").await.unwrap();
        let crashes = random.chance(60);
        let (definition, model, is_sorted) = first(&mut random);
        lab.lake.create_table(&table_name(), &definition, &tester()).await.unwrap();
        let catalog = Arc::new(FaultyCatalog::new(Arc::clone(&lab.lake.catalog)));
        let lake = Lake { catalog: Arc::clone(&catalog) as _, ..lab.lake.clone() };
        let second = Lake { ids: Arc::new(SeededIds::new(seed + 1_000)), ..lab.second().await };
        let folder = lab.folder.path().to_path_buf();
        let writer = |lake: Lake, name: &str| Writer {
            session: session_of(&lake, &folder.join(name)),
            lake,
            folder: folder.join(name),
        };
        let (writer, other) = (writer(lake, "scratch"), writer(second, "other"));
        let log = Log { seed, lines: vec![format!("{definition:?}")] };
        Self {
            lab,
            catalog,
            writer,
            other,
            model,
            random,
            batches: Vec::new(),
            queue: VecDeque::new(),
            step: 0,
            is_sorted,
            crashes,
            log,
            seen,
        }
    }

    fn now_ms(&self) -> i64 {
        START_MS + i64::try_from(self.step).unwrap() * DAY_MS
    }

    fn draw(&mut self) -> Op {
        let mut draw = Draw {
            random: &mut self.random,
            model: &self.model,
            batches: &mut self.batches,
            step: self.step,
            is_sorted: self.is_sorted,
        };
        draw.op()
    }

    fn course(&mut self, op: &Op) -> Course {
        match self.random.below(100) {
            _ if matches!(op, Op::Orphans { .. }) => Course::Plain,
            12..=26 if !self.crashes => Course::Plain,
            0..=6 => Course::LostReply,
            7..=11 => Course::Stale,
            12..=14 => Course::CrashEarly(self.random.below(2)),
            15..=20 => Course::CrashBefore,
            21..=26 => Course::CrashAfter,
            27..=44 => {
                let inner = self.draw();
                let partitions = |op: &Op| {
                    matches!(op, Op::AddField(_) | Op::DropField(_) | Op::ReplaceField(..))
                };
                let apart = matches!(inner, Op::Orphans { .. })
                    || (partitions(&inner) && matches!(op, Op::Overwrite { .. }));
                if apart { Course::Plain } else { Course::Overtaken(Box::new(inner)) }
            }
            _ => Course::Plain,
        }
    }

    /// The next operation, and all checks.
    pub(super) async fn step(&mut self) {
        self.step += 1;
        self.lab.clock.set(self.now_ms());
        let op = match self.queue.pop_front() {
            Some(op) => op,
            None => self.draw(),
        };
        let course = self.course(&op);
        self.log.lines.push(format!("{op:?}, {course:?}"));
        let before = self.watermark(&op);
        let changes = match course {
            Course::Overtaken(inner) => self.overtaken(&op, *inner).await,
            Course::CrashEarly(_) | Course::CrashBefore | Course::CrashAfter => {
                self.crash(&op, &course).await
            }
            Course::Plain | Course::LostReply | Course::Stale => {
                match course {
                    Course::LostReply => self.catalog.on_swap([Fault::LoseReply]),
                    Course::Stale => self.catalog.on_swap([Fault::Stale]),
                    _ => {}
                }
                if matches!(op, Op::Orphans { later: true }) {
                    // Files are written today, which is long after the table's time.
                    self.lab.clock.set(i64::from(u32::MAX) * 1_000);
                }
                let ran = run(self.writer.clone(), op.clone(), Arc::clone(&self.model.columns));
                let told = told(Box::pin(ran).await);
                if self.played() {
                    self.seen.add("course", course_name(&course));
                }
                self.check_orphans(&op, &told);
                self.settle(&[(&op, &told)]).await
            }
        };
        self.reingest(&op, before);
        self.check(changes).await;
    }

    /// Whether all faults were met; those that were not are dropped.
    fn played(&self) -> bool {
        self.catalog.clear() == 0
    }

    /// Plays what was done on the model, and takes up the new snapshots; whether anything changed.
    async fn settle(&mut self, done: &[(&Op, &Told)]) -> bool {
        let table = self.open().await;
        let mut new = self.new_snapshots(&table);
        let is_new = !new.is_empty();
        let (now_ms, columns) = (self.now_ms(), Arc::clone(&self.model.columns));
        let head = self.model.main;
        let parents = self.model.snapshots.iter().map(|(id, state)| (*id, state.parent));
        let planned =
            Planned { main: head, refs: self.model.refs.clone(), parents: parents.collect() };
        for (op, told) in done {
            let (model, planned) = (&mut self.model, &planned);
            let play = Play { model, new: &mut new, told, planned, now_ms };
            let outcome = play.op(op);
            self.seen.add(op.kind(), outcome);
        }
        let left: Vec<i64> = new.iter().map(|snapshot| snapshot.snapshot_id()).collect();
        assert!(left.is_empty(), "snapshots that nothing should have made: {left:?}");
        is_new || columns != self.model.columns || head != self.model.main
    }

    fn new_snapshots(&self, table: &LakeTable) -> VecDeque<SnapshotRef> {
        let all = table.metadata().snapshots();
        let mut new: Vec<SnapshotRef> = all
            .filter(|snapshot| !self.model.snapshots.contains_key(&snapshot.snapshot_id()))
            .cloned()
            .collect();
        new.sort_by_key(|snapshot| snapshot.sequence_number());
        new.into()
    }

    pub(super) async fn open(&self) -> LakeTable {
        self.lab.lake.open_table(&table_name(), &tester()).await.unwrap()
    }

    /// The writer is gone in the middle; the table is as before or as after, and whoever does the same
    /// again completes it (W4).
    async fn crash(&mut self, op: &Op, course: &Course) -> bool {
        let gate = Gate::new();
        let at = Arc::clone(&gate);
        match course {
            Course::CrashEarly(after) => {
                let passes = (0..*after).map(|_| PointerFault::Pass);
                self.catalog.on_pointer(passes.chain([PointerFault::Slow(at)]));
            }
            Course::CrashBefore => self.catalog.on_swap([Fault::Slow(at)]),
            _ => self.catalog.on_swap([Fault::SlowReply(at)]),
        }
        let work = run(self.writer.clone(), op.clone(), Arc::clone(&self.model.columns));
        let mut work = Box::pin(work);
        let finished = tokio::select! {
            biased;
            finished = &mut work => Some(finished),
            () = gate.arrived() => None,
        };
        drop(work);
        self.catalog.clear();
        if let Some(finished) = finished {
            return self.settle(&[(op, &told(finished))]).await;
        }
        self.seen.add("course", course_name(course));
        let took_effect = matches!(course, Course::CrashAfter);
        let mut changed = match took_effect {
            true => self.settle(&[(op, &Told::Unheard)]).await,
            false => self.settle(&[]).await,
        };
        self.check(changed).await;
        let again = run(self.writer.clone(), op.clone(), Arc::clone(&self.model.columns));
        let again = told(Box::pin(again).await);
        changed |= self.settle(&[(op, &again)]).await;
        changed
    }

    /// Another writer's operation between plan and commit: both take effect, one after the other, or
    /// the later one is refused and changes nothing (M5).
    async fn overtaken(&mut self, op: &Op, inner: Op) -> bool {
        let said: Arc<Mutex<Option<Result<Ran>>>> = Arc::default();
        let work = run(self.other.clone(), inner.clone(), Arc::clone(&self.model.columns));
        let tell = Arc::clone(&said);
        let work = Fault::overtaken(move |_| async move {
            let result = Box::pin(work).await;
            *tell.lock().unwrap() = Some(result);
        });
        self.catalog.on_swap([work]);
        let ran = run(self.writer.clone(), op.clone(), Arc::clone(&self.model.columns));
        let outer = told(Box::pin(ran).await);
        self.catalog.clear();
        let Some(inner_said) = said.lock().unwrap().take() else {
            // There was nothing to commit, so nobody came in between.
            return self.settle(&[(op, &outer)]).await;
        };
        let inner_told = told(inner_said);
        let may_fail = |kind: ErrorKind| {
            let of_columns = [ErrorKind::InvalidInput, ErrorKind::NotFound, ErrorKind::Unsupported];
            kind == ErrorKind::Conflict || (inner.evolves() && of_columns.contains(&kind))
        };
        if let Told::Refused(kind, _) = &outer
            && may_fail(*kind)
        {
            self.seen.add("course", "overtaken, refused");
            return self.settle(&[(&inner, &inner_told)]).await;
        }
        self.seen.add("course", "overtaken, done");
        self.settle(&[(&inner, &inner_told), (op, &outer)]).await
    }

    fn watermark(&self, op: &Op) -> Option<i64> {
        match op {
            Op::RollBack { branch, .. } => self.model.seq(self.model.head(branch.as_deref())),
            _ => None,
        }
    }

    /// After a rollback, some of the batches that it undid are loaded again (W3).
    fn reingest(&mut self, op: &Op, before: Option<i64>) {
        let (Op::RollBack { branch, .. }, Some(before)) = (op, before) else { return };
        if branch.as_ref().is_some_and(|name| !self.model.refs.contains_key(name)) {
            return;
        }
        let now = self.model.seq(self.model.head(branch.as_deref())).unwrap_or(0);
        for seq in (now + 1..=before).take(4) {
            self.seen.add("ingest", "again after a rollback");
            let op = self.batch(branch.clone(), seq);
            self.queue.push_back(op);
        }
    }

    fn batch(&mut self, branch: Branch, seq: i64) -> Op {
        let mut draw = Draw {
            random: &mut self.random,
            model: &self.model,
            batches: &mut self.batches,
            step: self.step,
            is_sorted: self.is_sorted,
        };
        draw.batch(branch, seq)
    }

    /// Young files are never orphans, and only crashes leave any.
    fn check_orphans(&mut self, op: &Op, told: &Told) {
        let (Op::Orphans { later }, Told::Ran(ran)) = (op, told) else { return };
        self.lab.clock.set(self.now_ms() + DAY_MS / 4);
        match later {
            false => assert_eq!(ran.orphans.0, 0, "files of today are taken for orphans"),
            true => {
                assert_eq!(ran.left, 0);
                assert!(self.crashes || ran.orphans.0 == 0, "files are left: {ran:?}");
            }
        }
    }

    /// All snapshots answer; nothing is left on disk but what crashes left; and all answer still.
    pub(super) async fn end(&mut self) {
        self.check_all().await;
        self.log.lines.push("the end".to_string());
        // Metadata files of before know what has expired, so they go first.
        for value in ["1", "2"] {
            let sql = format!(
                "ALTER TABLE {TABLE} SET TBLPROPERTIES ('write.metadata.previous-versions-max' = '1', \
                 'end' = '{value}')"
            );
            self.writer.session.execute(&sql).await.unwrap();
        }
        self.lab.clock.set(i64::from(u32::MAX) * 1_000);
        let op = Op::Orphans { later: true };
        let ran = run(self.writer.clone(), op.clone(), Arc::clone(&self.model.columns));
        let told = told(Box::pin(ran).await);
        assert!(matches!(told, Told::Ran(_)), "{told:?}");
        self.check_orphans(&op, &told);
        self.check_all().await;
    }
}

fn told(result: Result<Ran, Error>) -> Told {
    match result {
        Ok(ran) => Told::Ran(ran),
        Err(error) => Told::Refused(error.kind(), format!("{error:?}")),
    }
}

fn course_name(course: &Course) -> &'static str {
    match course {
        Course::Plain => "plain",
        Course::LostReply => "lost reply",
        Course::Stale => "stale",
        Course::CrashEarly(_) => "crash early",
        Course::CrashBefore => "crash before the swap",
        Course::CrashAfter => "crash after the swap",
        Course::Overtaken(_) => "overtaken",
    }
}

/// A new table: its definition, and the model of it.
fn first(random: &mut Random) -> (TableDefinition, Model, bool) {
    let required = random.chance(50);
    let kinds = [
        ("k", if random.chance(60) { Kind::Int } else { Kind::Long }),
        ("site", Kind::Text),
        ("d", if random.chance(60) { Kind::Float } else { Kind::Double }),
        ("n", if random.chance(50) { Kind::Int } else { Kind::Long }),
        ("note", Kind::Text),
    ];
    let columns: Vec<Column> = (1..)
        .zip(kinds)
        .map(|(id, (name, kind))| Column {
            id,
            name: name.to_string(),
            kind,
            required: id == KEY && required,
        })
        .collect();
    let by = |column, transform| vec![Field { column, transform }];
    let fields = match random.below(7) {
        0 | 1 => Vec::new(),
        2 | 3 => by(2, Transform::Identity),
        4 => by(1, Transform::Bucket(3)),
        5 => by(2, Transform::Truncate(2)),
        _ => by(1, Transform::Truncate(4)),
    };
    let is_sorted = random.chance(40);
    let mode = mode(random.below(100));
    let mut properties: Vec<(String, String)> = ["merge", "update", "delete"]
        .map(|verb| (format!("write.{verb}.mode"), mode.to_string()))
        .into();
    properties.push(("commit.retry.min-wait-ms".to_string(), "1".to_string()));
    let define = |column: &Column| {
        let kind: DataType = data_type(column.kind);
        let definition = ColumnDefinition::new(&column.name, kind);
        if column.required { definition.required() } else { definition }
    };
    let definition = TableDefinition {
        columns: columns.iter().map(define).collect(),
        partition: fields.iter().map(|f| field_sql(*f, &columns).parse().unwrap()).collect(),
        sort: if is_sorted { vec!["k".to_string()] } else { Vec::new() },
        properties: properties.into_iter().collect(),
    };
    let model = Model {
        last_id: i32::try_from(columns.len()).unwrap(),
        columns: Arc::new(columns),
        fields,
        was_repartitioned: false,
        has_expired: false,
        snapshots: Default::default(),
        order: Vec::new(),
        main: None,
        refs: Default::default(),
    };
    (definition, model, is_sorted)
}
