//! Sessions over a source that records what it was asked for, and whose rows say it too.

mod honoured;
mod refused;
mod session;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::logical_expr::LogicalPlanBuilder;
use northstar_catalog::{Error, ErrorKind, Result, TableName};

use super::{SqlOptions, SqlSession, TableSource, from_datafusion};
use crate::travel::AsOf;

/// Tables `bronze.{lab,version,changes}`, `silver.lab`, and the view `silver.view`, whose rows are
/// (1, v) and (2, v): v is the version that was asked for.
#[derive(Debug, Default)]
struct Fake {
    asked: Mutex<Vec<String>>,
}

const TABLES: [(&str, &[&str]); 2] =
    [("bronze", &["lab", "version", "changes"]), ("silver", &["lab", "view"])];

#[async_trait]
impl TableSource for Fake {
    async fn namespaces(&self) -> Result<Vec<String>> {
        Ok(TABLES.iter().map(|(name, _)| (*name).to_owned()).collect())
    }

    async fn tables(&self, namespace: &str) -> Result<Vec<String>> {
        let found = TABLES.iter().filter(|(name, _)| *name == namespace);
        Ok(found.flat_map(|(_, tables)| tables.iter().map(|name| (*name).to_owned())).collect())
    }

    async fn provider(&self, table: &TableName, as_of: &AsOf) -> Result<Arc<dyn TableProvider>> {
        if !self.tables(table.namespace()).await?.iter().any(|name| name == table.table()) {
            return Err(Error::new(ErrorKind::NotFound, format!("no table {table}")));
        }
        if *as_of == AsOf::Ref("gone".to_owned()) {
            return Err(Error::new(ErrorKind::NotFound, format!("{table} has no tag `gone`")));
        }
        self.asked.lock().unwrap().push(format!("{table} {as_of}"));
        let schema = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("version", DataType::Utf8, false),
        ]));
        let rows = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![
                Arc::new(Int64Array::from(vec![1, 2])),
                Arc::new(StringArray::from(vec![as_of.to_string(); 2])),
            ],
        );
        let rows = MemTable::try_new(schema, vec![vec![rows.unwrap()]]).unwrap();
        if table.table() == "view" {
            let plan = LogicalPlanBuilder::values(vec![vec![datafusion::prelude::lit(1)]]);
            return Ok(Arc::new(ViewTable::new(plan.unwrap().build().unwrap(), None)));
        }
        Ok(Arc::new(rows))
    }
}

/// A session and its source; tables without a namespace are those of `bronze`.
fn session() -> (SqlSession, Arc<Fake>) {
    let fake = Arc::new(Fake::default());
    let source = Arc::clone(&fake) as Arc<dyn TableSource>;
    let options = SqlOptions {
        target_partitions: 2,
        default_namespace: Some("bronze".to_owned()),
        ..SqlOptions::default()
    };
    (SqlSession::new(options, source).unwrap(), fake)
}

/// What the source was asked for, sorted, and the rows, cells joined by `|`.
async fn run(sql: &str) -> Result<(Vec<String>, Vec<String>)> {
    let (session, fake) = session();
    let rows = rows(&session, sql).await?;
    let mut asked = std::mem::take(&mut *fake.asked.lock().unwrap());
    asked.sort();
    Ok((asked, rows))
}

async fn rows(session: &SqlSession, sql: &str) -> Result<Vec<String>> {
    let frame = session.query(sql).await?;
    let batches = frame.collect().await.map_err(from_datafusion)?;
    let mut rows = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| array_value_to_string(column, row));
            rows.push(cells.collect::<Result<Vec<_>, _>>().unwrap().join("|"));
        }
    }
    Ok(rows)
}

/// The statement's error; its kind must be `kind`, and `text` part of its message.
async fn refused(sql: &str, kind: ErrorKind, text: &str) {
    match run(sql).await {
        Ok((asked, rows)) => panic!("{sql}\nasked for {asked:?} and answered {rows:?}"),
        Err(error) => {
            assert_eq!(error.kind(), kind, "{sql}\n{error:?}");
            assert!(error.to_string().contains(text), "{sql}\n{error:?}");
        }
    }
}

/// How often each thing was asked for.
fn counts(asked: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for one in asked {
        *counts.entry(one.as_str()).or_default() += 1;
    }
    counts
}
