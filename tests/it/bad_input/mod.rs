//! Bad input through whole loads: a clear error that names the file, or a quarantined record, and
//! never partial rows.
//!
//! Each test loads its files with [`landed`], which puts a good table beside them and loads
//! everything a second time: whatever is wrong with a file, the good ones land, counts balance (W1),
//! and a repetition changes nothing (W2).

mod contracts;
mod files;
mod folders;
mod headers;
mod huge;
mod records;

use std::path::PathBuf;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use northstar_catalog::Error;
use northstar_lakehouse::bronze::{FileOutcome, FileReport, LoadReport};
use northstar_tests::csv_files::folder;
use northstar_tests::lab::{Lab, tester};

/// What came of a load.
struct Landed {
    lab: Lab,
    from: PathBuf,
    report: LoadReport,
}

/// A refused record, as quarantine has it.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    file: String,
    line: i64,
    column: Option<String>,
    code: String,
    reason: String,
    raw: Vec<u8>,
}

/// Loads `files` and a good table `beside`, checks what holds for any input, and loads them again.
async fn landed(contract: &str, files: &[(&str, &[u8])]) -> Landed {
    let lab = Lab::new().await;
    let good: (&str, &[u8]) = ("beside.csv", b"k,v\n1,one\n2,two\n");
    let from = folder(lab.folder.path(), "in", &[&[good], files].concat());
    let report = lab.load(&from, contract).await.expect("a report");
    assert!(report.balances(), "{report:?}");
    assert_eq!(lab.text("SELECT k, v FROM bronze.beside ORDER BY k").await, BESIDE);
    let landed = Landed { lab, from, report };
    landed.again_changes_nothing(contract).await;
    landed
}

const BESIDE: &str = "\
+---+-----+
| k | v   |
+---+-----+
| 1 | one |
| 2 | two |
+---+-----+";

impl Landed {
    async fn again_changes_nothing(&self, contract: &str) {
        let before = state(&self.lab).await;
        let again = self.lab.load(&self.from, contract).await.expect("a second report");
        assert_eq!(again.tables.iter().find_map(|table| table.snapshot_id), None, "{again:?}");
        assert_eq!(state(&self.lab).await, before);
        for (first, second) in self.report.files().zip(again.files()) {
            let expected = match first.outcome {
                FileOutcome::Loaded | FileOutcome::Damaged { .. } if first.landed_rows > 0 => {
                    "already loaded"
                }
                _ => first.outcome.as_str(),
            };
            assert_eq!((&second.name, second.outcome.as_str()), (&first.name, expected));
        }
    }

    fn file(&self, name: &str) -> &FileReport {
        let found = self.report.files().find(|file| file.name == name);
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.report))
    }

    fn outcome(&self, name: &str) -> &'static str {
        self.file(name).outcome.as_str()
    }

    /// Why a file was refused. Such a file has no rows anywhere.
    fn refusal(&self, name: &str) -> &Error {
        let file = self.file(name);
        assert_eq!((file.read_rows, file.landed_rows, file.quarantined_rows), (0, 0, 0));
        match &file.outcome {
            FileOutcome::Refused(error) => error,
            other => panic!("{name} is {}", other.as_str()),
        }
    }

    /// All refused records, in order of file and line.
    async fn quarantine(&self) -> Vec<Refused> {
        let sql = "SELECT _source_file, _source_line, column_name, reason_code, reason, raw \
                   FROM bronze.quarantine ORDER BY _source_file, _source_line";
        let mut refused = Vec::new();
        for batch in self.lab.query(sql).await.expect(sql) {
            let text = |column: usize, row: usize| {
                let values = batch.column(column).as_string::<i32>();
                values.is_valid(row).then(|| values.value(row).to_string())
            };
            for row in 0..batch.num_rows() {
                refused.push(Refused {
                    file: text(0, row).expect("a file"),
                    line: batch.column(1).as_primitive::<Int64Type>().value(row),
                    column: text(2, row),
                    code: text(3, row).expect("a code"),
                    reason: text(4, row).expect("a reason"),
                    raw: batch.column(5).as_binary::<i32>().value(row).to_vec(),
                });
            }
        }
        refused
    }

    /// The tables that there are.
    async fn tables(&self) -> Vec<String> {
        let names = self.lab.lake.catalog.list_tables("bronze").await.expect("tables");
        names.iter().map(|name| name.table().to_string()).collect()
    }
}

/// Each table with its metadata file: nothing was committed between two equal states.
async fn state(lab: &Lab) -> Vec<(String, String)> {
    let mut state = Vec::new();
    for name in lab.lake.catalog.list_tables("bronze").await.expect("tables") {
        let table = lab.lake.open_table(&name, &tester()).await.expect("a table");
        state.push((name.to_string(), table.metadata_location().to_string()));
    }
    state
}

/// That an error's text has each of `parts`.
fn says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}
