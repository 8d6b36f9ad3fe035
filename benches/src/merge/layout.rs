//! What a contract says of a table, and the statements that follow from it.

use std::fmt::Write as _;

use crate::error::{BenchError, Result};

/// The share of keys that a bloom filter takes for ones it has.
const FALSE_SHARE: f64 = 0.0001;

/// A table: its names, columns, partitions and key.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The namespace in which it is merged into.
    pub(crate) namespace: &'static str,
    /// Its name within that.
    pub(crate) name: String,
    columns: Vec<(String, String)>,
    partition: Vec<String>,
    key: Vec<String>,
    /// Whether files get a bloom filter of the key.
    filtered: bool,
}

impl Layout {
    /// Reads a contract of one table as the benchmark writes it: a line a key.
    ///
    /// # Errors
    /// A contract that does not name the table.
    pub(crate) fn read(namespace: &'static str, contract: &str) -> Result<Self> {
        let mut layout = Self {
            namespace,
            name: String::new(),
            columns: Vec::new(),
            partition: Vec::new(),
            key: Vec::new(),
            filtered: false,
        };
        for line in contract.lines() {
            if let Some(section) = line.strip_prefix('[') {
                let section = section.trim_end_matches(']');
                layout.name = section.trim_end_matches(".columns").to_string();
            } else if let Some((key, value)) = line.split_once(" = ") {
                let words = || value.split('"').skip(1).step_by(2).map(str::to_string);
                match key {
                    "partition" => layout.partition = words().collect(),
                    "key" => layout.key = words().collect(),
                    "sort" => {}
                    _ => layout.columns.extend(words().map(|kind| (key.to_string(), kind))),
                }
            }
        }
        match layout.name.is_empty() || layout.key.is_empty() {
            true => Err(BenchError::new("the contract names no table or no key")),
            false => Ok(layout),
        }
    }

    /// The same with bloom filters of the key, narrow enough that hundreds of keys which a file does not have
    /// are all told apart from those it has.
    pub(crate) fn with_filters(mut self) -> Self {
        self.filtered = true;
        self
    }

    /// What tells this table from others of the same rows.
    pub(crate) fn kind(&self) -> &'static str {
        if self.filtered { "filtered" } else { "plain" }
    }

    /// The table as SQL names it.
    pub(crate) fn table(&self) -> String {
        format!("{}.{}", self.namespace, self.name)
    }

    /// The columns, separated by commas.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    }

    /// The statement that makes the empty table.
    pub(crate) fn create(&self) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|(name, kind)| format!("{name} {}", sql_type(kind))).collect();
        let partition = self.partition.join(", ");
        let filters: Vec<String> = self
            .key
            .iter()
            .map(|name| {
                format!(
                    "'write.parquet.bloom-filter-enabled.column.{name}' = 'true', \
                 'write.parquet.bloom-filter-fpp.column.{name}' = '{FALSE_SHARE}'"
                )
            })
            .collect();
        let properties = match self.filtered {
            true => format!(" TBLPROPERTIES ({})", filters.join(", ")),
            false => String::new(),
        };
        format!(
            "CREATE TABLE {} ({}) PARTITIONED BY ({partition}){properties}",
            self.table(),
            columns.join(", ")
        )
    }

    /// One MERGE with all three actions; only the key is in its condition.
    pub(crate) fn merge(&self, source: &str) -> String {
        let on: Vec<String> = self.key.iter().map(|name| format!("t.{name} = s.{name}")).collect();
        let set: Vec<String> =
            self.columns.iter().map(|(name, _)| format!("{name} = s.{name}")).collect();
        let values: Vec<String> =
            self.columns.iter().map(|(name, _)| format!("s.{name}")).collect();
        format!(
            "MERGE INTO {} t USING {source} s ON {} WHEN MATCHED AND s.op = 'D' THEN DELETE WHEN \
             MATCHED THEN UPDATE SET {} WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
            self.table(),
            on.join(" AND "),
            set.join(", "),
            self.names(),
            values.join(", ")
        )
    }

    /// The contract of the files of changes.
    pub(crate) fn contract_of_changes(&self) -> String {
        let mut text = "[changes]\n\n[changes.columns]\nop = \"string\"\n".to_string();
        for (name, kind) in &self.columns {
            // Writing into a String cannot fail.
            writeln!(text, "{name} = \"{kind}\"").ok();
        }
        text
    }
}

fn sql_type(kind: &str) -> String {
    match kind {
        "long" => "BIGINT".to_string(),
        other => other.to_uppercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_follow_from_the_contract() {
        let text = "# c\n[t]\npartition = [\"f\", \"month(at)\"]\nsort = [\"at\"]\nkey = [\"a\", \"b\"]\n\n\
                    [t.columns]\na = \"long\"\nb = \"int\"\nf = \"string\"\nat = \"timestamp\"\n";
        let layout = Layout::read("n", text).unwrap();
        assert_eq!(
            layout.create(),
            "CREATE TABLE n.t (a BIGINT, b INT, f STRING, at TIMESTAMP) PARTITIONED BY (f, month(at))"
        );
        assert_eq!(
            layout.merge("c.d"),
            "MERGE INTO n.t t USING c.d s ON t.a = s.a AND t.b = s.b WHEN MATCHED AND s.op = 'D' THEN \
             DELETE WHEN MATCHED THEN UPDATE SET a = s.a, b = s.b, f = s.f, at = s.at WHEN NOT MATCHED \
             THEN INSERT (a, b, f, at) VALUES (s.a, s.b, s.f, s.at)"
        );
        assert!(Layout::read("n", "[t]\nsort = [\"at\"]\n").is_err());
    }
}
