//! Tables that statements change, and sessions that run them.

use std::sync::Arc;

use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use northstar_iceberg::engine::LocalEngine;
use northstar_iceberg::merge::{ChangeOptions, ChangeReport, Executed, FileCosts, LakeSession};
use northstar_iceberg::sql::SqlOptions;
use northstar_iceberg::table::{ColumnDefinition, TableDefinition};
use northstar_iceberg::{Error, Lake};

use crate::lab::{Lab, run_context, small_writes, tester};

/// Costs by which a file is written anew once half of its rows go, whatever its size, so that the
/// small files of tests go either way.
pub const BY_SHARE: FileCosts = FileCosts {
    write_anew_us: 2 << 20,
    decode_us: 4 << 20,
    write_deletes_us: 0,
    read_deletes_us: 0,
    reads: 1,
};

/// A session over a lab's lake.
pub fn session(lab: &Lab) -> LakeSession {
    session_of(&lab.lake, &lab.path("scratch"))
}

/// A session over a lake, with little memory for writing.
pub fn session_of(lake: &Lake, scratch: &std::path::Path) -> LakeSession {
    // Statements of tests are free to read all of their small tables.
    let options = ChangeOptions {
        write: small_writes(scratch),
        scratch_folder: scratch.to_path_buf(),
        whole_table: true,
        costs: BY_SHARE,
    };
    let sql = SqlOptions { target_partitions: 2, ..SqlOptions::default() };
    LakeSession::new(lake.clone(), tester(), run_context(), sql, Arc::new(LocalEngine), options)
        .expect("a session")
}

/// One table `(id bigint, site text, n bigint)` and the statements that change it.
#[derive(Debug)]
pub struct Changes {
    session: LakeSession,
    table: String,
}

impl Changes {
    /// Makes the table, partitioned by `partition`; its statements write files anew.
    pub async fn new(lab: &Lab, table: &str, partition: &[&str]) -> Self {
        Self::in_mode(lab, table, partition, "copy-on-write").await
    }

    /// Makes the table so that its statements delete by position.
    pub async fn merge_on_read(lab: &Lab, table: &str, partition: &[&str]) -> Self {
        Self::in_mode(lab, table, partition, "merge-on-read").await
    }

    /// Makes the table so that each file goes one of the two ways.
    pub async fn auto(lab: &Lab, table: &str, partition: &[&str]) -> Self {
        Self::made(lab, table, partition, &[]).await
    }

    async fn in_mode(lab: &Lab, table: &str, partition: &[&str], mode: &str) -> Self {
        let mode = |verb: &str| (format!("write.{verb}.mode"), mode.to_string());
        Self::made(lab, table, partition, &["merge", "update", "delete"].map(mode)).await
    }

    async fn made(
        lab: &Lab,
        table: &str,
        partition: &[&str],
        properties: &[(String, String)],
    ) -> Self {
        let name: northstar_iceberg::TableName = table.parse().expect("a name");
        // The namespace may be there.
        let made = lab.lake.catalog.create_namespace(name.namespace()).await;
        drop(made);
        let definition = TableDefinition {
            columns: vec![
                ColumnDefinition::new("id", DataType::Int64),
                ColumnDefinition::new("site", DataType::Utf8),
                ColumnDefinition::new("n", DataType::Int64),
            ],
            partition: partition.iter().map(|field| field.parse().expect("a field")).collect(),
            sort: Vec::new(),
            properties: properties.iter().cloned().collect(),
        };
        lab.lake.create_table(&name, &definition, &tester()).await.expect("a table");
        Self { session: session(lab), table: table.to_string() }
    }

    /// The same table with another value of a property.
    pub async fn with_property(self, lab: &Lab, key: &str, value: &str) -> Self {
        let name = self.table.parse().expect("a name");
        let table = lab.lake.open_table(&name, &tester()).await.expect("a table");
        let set = lab.lake.alter(&table, |_, builder| {
            let properties = [(key.to_string(), value.to_string())].into();
            Ok(Some(builder.set_properties(properties).expect("properties")))
        });
        assert!(set.await.expect("a change").settled().expect("a reply"));
        self
    }

    /// Runs a statement that succeeds.
    pub async fn change(&self, sql: &str) -> ChangeReport {
        self.try_change(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs a statement.
    pub async fn try_change(&self, sql: &str) -> Result<ChangeReport, Error> {
        match self.session.execute(sql).await? {
            Executed::Changed(report) => Ok(report),
            Executed::Rows(_) | Executed::Defined(_) => panic!("{sql} only reads"),
        }
    }

    /// The table's rows as `id|site|n`, sorted as text.
    pub async fn rows(&self) -> Vec<String> {
        rows(&self.session, &format!("SELECT * FROM {}", self.table)).await
    }
}

/// The rows of a query as text, sorted.
pub async fn rows(session: &LakeSession, sql: &str) -> Vec<String> {
    let frame = session.sql().query(sql).await.expect(sql);
    let mut rows = Vec::new();
    let options = FormatOptions::default().with_null("NULL");
    for batch in frame.collect().await.expect(sql) {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).expect("text"))
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> =
                columns.iter().map(|column| column.value(row).to_string()).collect();
            rows.push(cells.join("|"));
        }
    }
    rows.sort_unstable();
    rows
}
