//! Statements as actions: each under an id and with a watermark of its own.

use std::collections::HashMap;

use northstar_iceberg::merge::{Executed, StatementCommit};
use northstar_iceberg::{ErrorKind, Lake};

use super::bed::{bed, of_ids, values};
use super::list::Running;
use super::model::{Model, Rows, SEQ};
use crate::merging::session;

/// The watermark of each statement, which expects the one before.
const MARK: &str = "9";

fn change(lake: Lake, sql: String) -> Running {
    Box::pin(async move {
        let commit = StatementCommit {
            id: Some("statement".to_string()),
            summary: [(SEQ.to_string(), MARK.to_string())].into(),
            expect: Some((SEQ.to_string(), Some("4".to_string()))),
            branch: None,
        };
        let report = session(&lake).change(&sql, HashMap::new(), commit).await?;
        Ok(!report.already_committed)
    })
}

fn commit(model: &mut Model, rows: &Rows) {
    model.commit(rows);
    model.watermark = Some(MARK.into());
}

fn arrivals() -> Rows {
    (0..130).step_by(4).map(|id| (id, (format!("s{}", id % 3), 1))).collect()
}

pub(super) fn merging(lake: Lake) -> Running {
    let sql = format!(
        "MERGE INTO {} AS t USING ({}) AS s (id, site, n) ON t.id = s.id \
         WHEN MATCHED AND s.id % 8 = 0 THEN DELETE \
         WHEN MATCHED THEN UPDATE SET n = t.n + s.n \
         WHEN NOT MATCHED THEN INSERT (id, site, n) VALUES (s.id, s.site, s.n)",
        bed(),
        values(&arrivals())
    );
    change(lake, sql)
}

pub(super) fn merged(model: &mut Model) {
    let mut rows = model.rows();
    for (id, (site, n)) in arrivals() {
        match rows.get_mut(&id) {
            Some(_) if id % 8 == 0 => drop(rows.remove(&id)),
            Some(row) => row.1 += n,
            None => drop(rows.insert(id, (site, n))),
        }
    }
    commit(model, &rows);
}

pub(super) fn deleting(lake: Lake) -> Running {
    change(lake, format!("DELETE FROM {} WHERE n % 40 = 0", bed()))
}

pub(super) fn deleted(model: &mut Model) {
    let mut rows = model.rows();
    rows.retain(|_, (_, n)| *n % 40 != 0);
    commit(model, &rows);
}

pub(super) fn updating(lake: Lake) -> Running {
    change(lake, format!("UPDATE {} SET n = n + 1, site = 's1' WHERE n % 60 = 0", bed()))
}

pub(super) fn updated(model: &mut Model) {
    let mut rows = model.rows();
    for (site, n) in rows.values_mut().filter(|(_, n)| *n % 60 == 0) {
        *site = "s1".to_string();
        *n += 1;
    }
    commit(model, &rows);
}

pub(super) fn inserting(lake: Lake) -> Running {
    change(lake, format!("INSERT INTO {} {}", bed(), values(&of_ids(400..410))))
}

pub(super) fn inserted(model: &mut Model) {
    let mut rows = model.rows();
    rows.extend(of_ids(400..410));
    commit(model, &rows);
}

/// Rows of two partitions.
fn replacement() -> Rows {
    of_ids(300..310).into_iter().filter(|(_, (site, _))| site != "s1").collect()
}

pub(super) fn replacing(lake: Lake) -> Running {
    change(lake, format!("INSERT OVERWRITE {} {}", bed(), values(&replacement())))
}

pub(super) fn replaced(model: &mut Model) {
    let mut rows = model.rows();
    rows.retain(|_, (site, _)| site == "s1");
    rows.extend(replacement());
    commit(model, &rows);
}

pub(super) fn truncating(lake: Lake) -> Running {
    change(lake, format!("TRUNCATE TABLE {}", bed()))
}

pub(super) fn truncated(model: &mut Model) {
    commit(model, &Rows::new());
}

fn define(lake: Lake, sql: String) -> Running {
    Box::pin(async move {
        match session(&lake).execute(&sql).await {
            Ok(Executed::Defined(defined)) => Ok(defined.changed),
            Ok(other) => panic!("{sql} defines nothing: {other:?}"),
            // It was defined before.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    })
}

pub(super) fn widening(lake: Lake) -> Running {
    define(lake, format!("ALTER TABLE {} ADD COLUMN IF NOT EXISTS ward string", bed()))
}

pub(super) fn widened(model: &mut Model) {
    model.columns.push("ward".into());
}

pub(super) fn respeccing(lake: Lake) -> Running {
    define(lake, format!("ALTER TABLE {} ADD PARTITION FIELD bucket(4, id)", bed()))
}

pub(super) fn respecced(model: &mut Model) {
    model.partition.push("id_bucket".into());
}
