//! M4: replayed prefixes, repeated files and other groupings give the same table; with soft deletes,
//! so does any order of files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use northstar_tests::changes::{rows, session};
use northstar_tests::lab::Lab;

use super::model::{Change, Draws, Model, stream};
use super::{HEADER, contract, merge};

const FILES: usize = 4;

/// One way to delete and to compare, with random streams.
struct Case {
    lab: Lab,
    more: String,
    hard: bool,
    versioned: bool,
    tables: usize,
}

impl Case {
    async fn new(hard: bool, versioned: bool) -> Self {
        let deletes = if hard { "hard" } else { "soft" };
        let version = if versioned { "version = \"version\"\n" } else { "" };
        let more = format!("deletes = \"{deletes}\"\n{version}");
        Self { lab: Lab::new().await, more, hard, versioned, tables: 0 }
    }

    fn write(&self, name: &str, changes: &[Change]) -> PathBuf {
        let records: Vec<String> = changes.iter().map(Change::record).collect();
        let path = self.lab.path(name);
        std::fs::write(&path, format!("{HEADER}\n{}\n", records.join("\n"))).unwrap();
        path
    }

    /// A new table with rows that no change brought, one of each version; and its model.
    async fn table(&mut self) -> (String, Model) {
        self.tables += 1;
        let table = format!("t{}", self.tables);
        // The table is made by a change that is before all others, and then emptied.
        let first = self.lab.path("first.csv");
        std::fs::write(&first, format!("{HEADER}\n2,00000000,0,000000,99,9,first\n")).unwrap();
        self.merge(&table, &[first]).await;
        let deleted = if self.hard { "" } else { ", false" };
        let sql = format!(
            "MERGE INTO ns.{table} AS t USING (VALUES (0, CAST(NULL AS INT)), (1, 1), (2, 3)) AS \
             s(id, version) ON t.id = s.id WHEN NOT MATCHED THEN INSERT \
             VALUES (s.id, s.version, 'seed', NULL, 'seed'{deleted})"
        );
        session(&self.lab).execute(&sql).await.unwrap();
        let seeds = [(0, None), (1, Some(1)), (2, Some(3))];
        let mut model: BTreeMap<_, _> = seeds
            .into_iter()
            .map(|(id, version)| (id, (version, "seed".to_string(), None, false)))
            .collect();
        let position = Some("00000000/0000000000/000000".to_string());
        model.insert(99, (Some(9), "first".to_string(), position, false));
        (table, Model::new(self.hard, self.versioned, model))
    }

    async fn merge(&self, table: &str, files: &[PathBuf]) {
        let contract = contract(table, &self.more);
        let folder = self.lab.folder.path();
        merge(&self.lab.lake, folder, table, &contract, files).await.unwrap();
    }

    async fn shown(&self, table: &str) -> Vec<String> {
        let deleted = if self.hard { "" } else { ", _is_deleted" };
        let sql = format!("SELECT id, version, note, _source_position{deleted} FROM ns.{table}");
        rows(&session(&self.lab), &sql).await
    }

    async fn hold(&mut self, seed: u64) {
        let mut draws = Draws::new(seed);
        let changes = stream(&mut draws, FILES);
        let files: Vec<PathBuf> = changes
            .iter()
            .enumerate()
            .map(|(at, changes)| self.write(&format!("{seed}-{at}.csv"), changes))
            .collect();
        let (one, mut model) = self.table().await;
        model.apply_all(changes.iter().flatten());
        let expected = model.shown();
        let case = format!("hard {} versioned {} seed {seed}", self.hard, self.versioned);

        self.merge(&one, &files).await;
        assert_eq!(self.shown(&one).await, expected, "{case}: all at once");
        let again = &files[..draws.below(FILES) + 1];
        self.merge(&one, again).await;
        assert_eq!(self.shown(&one).await, expected, "{case}: a prefix again");

        let (grouped, _) = self.table().await;
        let mut next = 0;
        while next < FILES {
            let end = (next + 1 + draws.below(3)).min(FILES);
            self.merge(&grouped, &files[next..end]).await;
            // What was merged comes again, alone or with what is new.
            let from = draws.below(end);
            self.merge(&grouped, &files[from..end]).await;
            next = end;
        }
        assert_eq!(self.shown(&grouped).await, expected, "{case}: in groups");

        if !self.hard {
            let (shuffled, _) = self.table().await;
            let mut left = files.clone();
            while !left.is_empty() {
                let file = left.remove(draws.below(left.len()));
                self.merge(&shuffled, &[file]).await;
            }
            assert_eq!(self.shown(&shuffled).await, expected, "{case}: in another order");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m4_soft_deletes_converge_in_any_order_of_files() {
    for versioned in [false, true] {
        let mut case = Case::new(false, versioned).await;
        for seed in 1..=3 {
            case.hold(seed).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m4_hard_deletes_converge_in_any_grouping_and_replay() {
    for versioned in [false, true] {
        let mut case = Case::new(true, versioned).await;
        for seed in 1..=4 {
            case.hold(seed).await;
        }
    }
}
