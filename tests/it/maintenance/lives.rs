//! Random lives of tables: appends, deletes, maintenance, tags and branches in any order. Each
//! snapshot that is there answers as it did when it was made, and knows the watermark of its rows.

use std::collections::BTreeMap;

use iceberg::spec::SnapshotRetention;
use northstar_iceberg::maintenance::{
    CompactOptions, DAY_MS, ExpireOptions, OrphanPlan, expire, rewrite_manifests,
};
use northstar_tests::changes::{rows, session};
use northstar_tests::lab::{START_MS, run_context, tester};

use super::place::Place;
use crate::merge_model::random::Random;

const STEPS: i64 = 24;

/// What is known of a snapshot.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    rows: Vec<String>,
    seq: Option<String>,
}

struct Life {
    place: Place,
    random: Random,
    known: BTreeMap<i64, Known>,
    refs: BTreeMap<String, i64>,
    seq: i64,
}

impl Life {
    async fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let partition: &[&str] = if random.below(2) == 0 { &["site"] } else { &[] };
        let sort: &[&str] = if random.below(2) == 0 { &["n"] } else { &[] };
        let target = if random.below(2) == 0 { 8 << 10 } else { 512 << 20 };
        let place = Place::new(partition, sort, target).await;
        Self { place, random, known: BTreeMap::new(), refs: BTreeMap::new(), seq: 0 }
    }

    async fn step(&mut self, step: i64) {
        self.place.lab.clock.set(START_MS + step * 2 * DAY_MS);
        match self.random.below(10) {
            0..=3 => {
                self.seq += 1;
                let site = *self.random.pick(&["a", "b"]);
                self.place.append(step * 1_000..step * 1_000 + 300, site, self.seq).await;
            }
            4 => self.delete().await,
            5 => {
                self.place.compact(&CompactOptions::default()).await;
                let again = self.place.compact(&CompactOptions::default()).await;
                assert!(again.snapshots.is_empty(), "{again:?}");
            }
            6 => {
                let lake = &self.place.lab.lake;
                let name = &self.place.name;
                rewrite_manifests(lake, &tester(), &run_context(), name).await.unwrap();
                let again = rewrite_manifests(lake, &tester(), &run_context(), name).await.unwrap();
                assert!(again.snapshots.is_empty(), "{again:?}");
            }
            7 => self.expire().await,
            8 => {
                let Some(id) = self.any_snapshot() else { return };
                let name = format!("tag-{step}");
                self.place.tag(&name, id, None).await;
                self.refs.insert(name, id);
            }
            _ => {
                let Some(id) = self.any_snapshot() else { return };
                let retention = SnapshotRetention::branch(None, None, None);
                self.place.set_ref("side", id, retention).await;
                self.refs.insert("side".to_string(), id);
            }
        }
    }

    fn any_snapshot(&mut self) -> Option<i64> {
        let ids: Vec<i64> = self.known.keys().copied().collect();
        (!ids.is_empty()).then(|| *self.random.pick(&ids))
    }

    async fn delete(&mut self) {
        let files = self.place.files().await;
        let Some(file) = files.first() else { return };
        // Positions may be deleted already.
        let rows = usize::try_from(file.record_count()).unwrap();
        let position = i64::try_from(self.random.below(rows)).unwrap();
        self.place.delete(&[(file, &[position])]).await;
    }

    async fn expire(&mut self) {
        let days = i64::try_from(self.random.below(20)).unwrap();
        let options = ExpireOptions { max_age_ms: Some(days * DAY_MS), min_kept: None };
        let lake = &self.place.lab.lake;
        let report = expire(lake, &tester(), &self.place.name, &options).await.unwrap();
        assert_eq!(report.removed.left, 0);
        for id in report.plan.snapshots {
            assert!(!self.refs.values().any(|named| *named == id), "one that is named expired");
            self.known.remove(&id);
        }
    }

    /// Holds all snapshots to what is known of them, and takes up the new ones.
    async fn check(&mut self, when: &str) {
        let table = self.place.table().await;
        let session = session(&self.place.lab);
        let head = table.metadata().current_snapshot_id();
        let mut now = BTreeMap::new();
        for snapshot in table.metadata().snapshots() {
            let id = snapshot.snapshot_id();
            let sql = format!("SELECT * FROM ns.t VERSION AS OF {id}");
            now.insert(id, rows(&session, &sql).await);
        }
        let gone: Vec<&i64> = self.known.keys().filter(|id| !now.contains_key(id)).collect();
        assert!(gone.is_empty(), "{when}: {gone:?} are gone");
        for (name, id) in &self.refs {
            let seq = table.inherited_summary_on(name, "northstar.seq").map(str::to_string);
            assert_eq!(seq, self.known[id].seq, "{when}: the watermark of {name}");
        }
        for (id, rows) in now {
            match self.known.get(&id) {
                Some(known) => assert!(known.rows == rows, "{when}: rows of {id}"),
                None => {
                    let seq = table.inherited_summary("northstar.seq").map(str::to_string);
                    // Only the last of several new ones is the head; maintenance changes no watermark.
                    self.known.insert(id, Known { rows, seq });
                }
            }
        }
        if let Some(head) = head {
            let seq = table.inherited_summary("northstar.seq").map(str::to_string);
            assert_eq!(seq, self.known[&head].seq, "{when}: the watermark");
        }
    }

    /// Nothing is left on disk that nothing refers to, and nothing that is needed is taken for that.
    async fn end(&mut self) {
        self.place.set_properties(&[("write.metadata.previous-versions-max", "1")]).await;
        self.place.set_properties(&[("done", "yes")]).await;
        // Files were written today, which is long after the clock of the table.
        self.place.lab.clock.set(i64::from(u32::MAX) * 1_000);
        let lake = &self.place.lab.lake;
        let plan = OrphanPlan::read(lake, &tester(), &self.place.name, DAY_MS).await.unwrap();
        let unexpected = plan.orphans.iter().filter(|orphan| {
            let path = orphan.path.to_string_lossy();
            !path.ends_with(".metadata.json")
        });
        assert_eq!(unexpected.count(), 0, "each job cleans up after itself: {plan:?}");
        plan.apply(lake).await.unwrap();
    }
}

#[tokio::test]
async fn c1_c2_w3_every_snapshot_answers_as_it_did_whatever_is_done() {
    for seed in 0..8 {
        let mut life = Life::new(seed).await;
        for step in 0..STEPS {
            life.step(step).await;
            life.check(&format!("seed {seed}, step {step}")).await;
        }
        life.end().await;
        life.check(&format!("seed {seed}, end")).await;
    }
}
