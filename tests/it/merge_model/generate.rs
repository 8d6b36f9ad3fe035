//! Random tables and statements. The values are few, so that keys meet, NULLs are many, and what is
//! set is often what was there.

use super::condition::{Condition, Expr, Side};
use super::random::Random;
use super::statement::{Action, Clause, Form, Limit, Source, Statement};
use super::value::{Cell, Kind, Row};

/// The columns of a table, and how it is laid out.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) columns: Vec<(String, Kind)>,
    pub(super) partition: Vec<String>,
    pub(super) sort: Vec<String>,
    /// `auto`, `copy-on-write` or `merge-on-read`, for all statements.
    pub(super) mode: &'static str,
}

const TEXTS: [&str; 9] = ["", "a", "b", "ä", "o'neil", "日本", "\"q\"", "a b/c=%", "NULL"];
const DOUBLES: [f64; 8] =
    [0.0, -0.0, f64::NAN, 1.5, -2.25, f64::INFINITY, f64::NEG_INFINITY, 1e300];
/// Columns of every table: a key, a text, a double and a number.
pub(super) const KEY: usize = 0;
pub(super) const NUMBER: usize = 3;

pub(super) fn shape(random: &mut Random, wide: bool) -> Shape {
    let number = *random.pick(&["n", "Größe", "a\"b", "select", "N"]);
    let mut columns = vec![
        ("k".to_string(), Kind::Int),
        ("s".to_string(), Kind::Text),
        ("d".to_string(), Kind::Double),
        (number.to_string(), Kind::Int),
    ];
    let kinds = [Kind::Text, Kind::Double, Kind::Int];
    let more = if wide { 16 } else { 0 };
    columns.extend((0..more).map(|at| (format!("w{at}"), kinds[at % 3])));
    let partition = *random.pick(&["", "s", "bucket(3, k)", "truncate(1, s)", "truncate(2, k)"]);
    Shape {
        columns,
        partition: [partition].iter().filter(|p| !p.is_empty()).map(ToString::to_string).collect(),
        sort: if random.chance(30) { vec!["k".to_string()] } else { Vec::new() },
        mode: ["auto", "copy-on-write", "merge-on-read"][random.below(3)],
    }
}

pub(super) fn rows(random: &mut Random, shape: &Shape, most: usize) -> Vec<Row> {
    let count = random.below(most + 1);
    (0..count)
        .map(|_| shape.columns.iter().map(|(_, kind)| cell(random, *kind)).collect())
        .collect()
}

fn cell(random: &mut Random, kind: Kind) -> Cell {
    if random.chance(15) {
        return Cell::Null;
    }
    match kind {
        Kind::Int => Cell::Int(i64::try_from(random.below(9)).unwrap() - 1),
        Kind::Text => Cell::Text((*random.pick(&TEXTS)).to_string()),
        Kind::Double => Cell::double(*random.pick(&DOUBLES)),
    }
}

/// A statement for a table that holds `table`.
pub(super) fn statement(
    random: &mut Random,
    shape: &Shape,
    table: &[Row],
    merge: bool,
) -> Statement {
    Maker { random, shape, table }.statement(merge)
}

struct Maker<'a> {
    random: &'a mut Random,
    shape: &'a Shape,
    table: &'a [Row],
}

impl Maker<'_> {
    fn statement(&mut self, merge: bool) -> Statement {
        if merge {
            let source = self.source();
            let mut lists = [Vec::new(), Vec::new(), Vec::new()];
            while lists.iter().all(Vec::is_empty) {
                lists = [self.clauses(0, 75), self.clauses(1, 60), self.clauses(2, 30)];
            }
            let [matched, not_matched, by_source] = lists;
            return Statement::Merge { source, on: self.on(), matched, not_matched, by_source };
        }
        let other = self.random.chance(20).then(|| self.source());
        let filter = match &other {
            Some(_) => Some(self.on()),
            None => self.random.chance(92).then(|| self.filter()),
        };
        let action = match self.random.chance(60) {
            true => {
                let sides: &[Side] =
                    if other.is_some() { &[Side::Target, Side::Source] } else { &[Side::Target] };
                self.set(sides, true)
            }
            false => Action::Delete,
        };
        let limit = (other.is_none() && self.random.chance(20)).then(|| self.limit());
        Statement::Change { action, other, filter, limit }
    }

    fn source(&mut self) -> Source {
        let mut order: Vec<usize> = (0..self.shape.columns.len()).collect();
        let form = *self.random.pick(&[Form::Values, Form::Values, Form::Given, Form::Itself]);
        if form == Form::Itself {
            return Source { form, order, rows: self.table.to_vec() };
        }
        self.random.shuffle(&mut order);
        let mut rows = match self.random.chance(10) {
            true => Vec::new(),
            false => rows(self.random, self.shape, 8),
        };
        // A row of the target, as it is or nearly: then little or nothing changes.
        if !self.table.is_empty() && self.random.chance(50) {
            let copy = self.random.pick(self.table).clone();
            rows.push(copy);
        }
        if self.random.chance(80) {
            let mut seen: Vec<Cell> = Vec::new();
            rows.retain(|row| {
                let first = row[KEY] == Cell::Null || !seen.contains(&row[KEY]);
                seen.push(row[KEY].clone());
                first
            });
        }
        Source { form, order, rows }
    }

    fn on(&mut self) -> Condition {
        let equal = |at| {
            let columns = (Expr::Column(Side::Target, at), Expr::Column(Side::Source, at));
            Condition::Compare("=", columns.0, columns.1)
        };
        let both = |left, right| Condition::Both(Box::new(left), Box::new(right));
        let key = equal(KEY);
        let in_table = |negated| Condition::InTable {
            expr: Expr::Column(Side::Target, NUMBER),
            column: KEY,
            number: NUMBER,
            least: 2,
            negated,
        };
        match self.random.below(14) {
            12 => both(key, in_table(self.random.chance(30))),
            0 => both(key, equal(1)),
            1 => both(key, equal(2)),
            2 => both(equal(1), equal(2)),
            3 => both(key, self.simple(&[Side::Target])),
            4 => both(key, self.simple(&[Side::Source])),
            5 => Condition::Same(Expr::Column(Side::Target, KEY), Expr::Column(Side::Source, KEY)),
            6 => match self.random.below(3) {
                0 => Condition::Constant(Some(false)),
                1 => Condition::Constant(None),
                _ => both(key, Condition::Constant(Some(true))),
            },
            _ => key,
        }
    }

    /// Up to three clauses of a kind (0 matched, 1 not matched, 2 by source); all but the last have
    /// conditions.
    fn clauses(&mut self, kind: usize, percent: usize) -> Vec<Clause> {
        if !self.random.chance(percent) {
            return Vec::new();
        }
        let sides: &[Side] = match kind {
            0 => &[Side::Target, Side::Source],
            1 => &[Side::Source],
            _ => &[Side::Target],
        };
        let count = 1 + self.random.below(3);
        (0..count)
            .map(|at| {
                let bare = at + 1 == count && self.random.chance(60);
                let condition = (!bare).then(|| self.condition(sides));
                let action = match kind {
                    1 => self.insert(),
                    0 if self.random.chance(30) => Action::SetAll,
                    _ if self.random.chance(35) => Action::Delete,
                    _ => self.set(sides, false),
                };
                Clause { condition, action }
            })
            .collect()
    }

    fn set(&mut self, sides: &[Side], alone: bool) -> Action {
        let mut columns: Vec<usize> = (0..self.shape.columns.len()).collect();
        self.random.shuffle(&mut columns);
        columns.truncate(1 + self.random.below(3));
        let values = columns.into_iter().map(|at| {
            let kind = self.shape.columns[at].1;
            if alone && kind == Kind::Int && self.random.chance(8) {
                return (at, Expr::Largest(NUMBER));
            }
            (at, self.value(kind, sides))
        });
        Action::Set(values.collect())
    }

    fn insert(&mut self) -> Action {
        let all: Vec<usize> = (0..self.shape.columns.len()).collect();
        let mut columns = all.clone();
        match self.random.below(3) {
            0 => return Action::InsertAll,
            1 => columns.clear(),
            _ => {
                self.random.shuffle(&mut columns);
                columns.truncate(1 + self.random.below(columns.len()));
            }
        }
        let of = if columns.is_empty() { &all } else { &columns };
        let kinds: Vec<Kind> = of.iter().map(|at| self.shape.columns[*at].1).collect();
        let values = kinds.into_iter().map(|kind| self.value(kind, &[Side::Source])).collect();
        Action::Insert(columns, values)
    }

    fn limit(&mut self) -> Limit {
        let mut columns: Vec<usize> = (0..self.shape.columns.len()).collect();
        self.random.shuffle(&mut columns);
        let order = columns.into_iter();
        let order = order.map(|at| (at, self.random.chance(50), self.random.chance(50)));
        Limit { order: order.collect(), rows: self.random.below(6) }
    }

    fn column(&mut self, kind: Kind, sides: &[Side]) -> Expr {
        let all = self.shape.columns.iter().enumerate();
        let of_kind: Vec<usize> =
            all.filter(|(_, column)| column.1 == kind).map(|(at, _)| at).collect();
        Expr::Column(*self.random.pick(sides), *self.random.pick(&of_kind))
    }

    fn value(&mut self, kind: Kind, sides: &[Side]) -> Expr {
        match (self.random.below(10), kind) {
            (0 | 1, _) => Expr::Cell(cell(self.random, kind)),
            (2 | 3, Kind::Int) => Expr::Sum(Box::new(self.column(kind, sides)), 1),
            (2 | 3, Kind::Text) => Expr::Joined(Box::new(self.column(kind, sides)), "'x".into()),
            (4, _) => Expr::Case(
                Box::new(self.simple(sides)),
                Box::new(self.column(kind, sides)),
                Box::new(Expr::Cell(cell(self.random, kind))),
            ),
            _ => self.column(kind, sides),
        }
    }

    /// A condition without subqueries.
    fn condition(&mut self, sides: &[Side]) -> Condition {
        let first = self.simple(sides);
        match self.random.below(8) {
            0 => Condition::Both(Box::new(first), Box::new(self.simple(sides))),
            1 => Condition::Either(Box::new(first), Box::new(self.simple(sides))),
            2 => Condition::Not(Box::new(first)),
            _ => first,
        }
    }

    fn simple(&mut self, sides: &[Side]) -> Condition {
        let kind = *self.random.pick(&[Kind::Int, Kind::Int, Kind::Text, Kind::Double]);
        let left = self.column(kind, sides);
        match self.random.below(10) {
            0 => Condition::IsNull(left),
            1 => Condition::Same(left, self.column(kind, sides)),
            2 | 3 => {
                let count = 1 + self.random.below(3);
                let list = (0..count).map(|_| cell(self.random, kind)).collect();
                Condition::In(left, list, self.random.chance(40))
            }
            4 => Condition::Constant(*self.random.pick(&[Some(true), Some(false), None])),
            _ => {
                let operator = *self.random.pick(&["=", "<>", "<", "<=", ">"]);
                let right = match self.random.chance(50) {
                    true => Expr::Cell(cell(self.random, kind)),
                    false => self.column(kind, sides),
                };
                Condition::Compare(operator, left, right)
            }
        }
    }

    /// What stands behind WHERE.
    fn filter(&mut self) -> Condition {
        let target = [Side::Target];
        let negated = self.random.chance(40);
        let subquery = match self.random.below(6) {
            0 => Condition::InTable {
                expr: self.column(Kind::Int, &target),
                column: *self.random.pick(&[KEY, NUMBER]),
                number: NUMBER,
                least: i64::try_from(self.random.below(9)).unwrap(),
                negated,
            },
            1 => Condition::Exists {
                expr: self.column(Kind::Int, &target),
                column: *self.random.pick(&[KEY, NUMBER]),
                negated,
            },
            _ => return self.condition(&target),
        };
        match self.random.chance(40) {
            true => Condition::Both(Box::new(subquery), Box::new(self.condition(&target))),
            false => subquery,
        }
    }
}
