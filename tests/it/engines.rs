//! Statements that change rows, on engines: what is given to one, and that all give the same table.

#![cfg(test)]

use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use northstar_catalog::Error;
use northstar_iceberg::engine::{Engine, LocalEngine};
use northstar_iceberg::merge::{ChangeReport, Executed, LakeSession};
use northstar_iceberg::{ErrorKind, Result};
use northstar_tests::changes::{Changes, rows, session};
use northstar_tests::lab::{Lab, tester};

use crate::cluster::Cluster;

const MERGE: &str = "MERGE INTO ns.t USING \
    (SELECT id + 0 AS id, site, n FROM ns.s WHERE n IS NOT NULL) AS s ON t.id = s.id \
    WHEN MATCHED AND s.n = 0 THEN DELETE \
    WHEN MATCHED THEN UPDATE SET n = t.n * 100 + s.n, site = s.site \
    WHEN NOT MATCHED THEN INSERT * \
    WHEN NOT MATCHED BY SOURCE AND t.id > 35 THEN DELETE";

/// `ns.t` with ids 1 to 40 and `ns.s` with ids 21 to 60, each in several files.
async fn tables(lab: &Lab, by_position: bool) {
    for (table, first) in [("ns.t", 1), ("ns.s", 21)] {
        let changes = match by_position {
            true => Changes::merge_on_read(lab, table, &["site"]).await,
            false => Changes::new(lab, table, &["site"]).await,
        };
        for file in 0..4 {
            let rows: Vec<String> = (0..10)
                .map(|row| first + file * 10 + row)
                .map(|id| format!("({id}, 'site {}', {})", id % 3, id % 5))
                .collect();
            changes
                .change(&format!(
                    "MERGE INTO {table} AS x USING (VALUES {}) AS v(id, site, n) ON x.id = v.id \
                     WHEN NOT MATCHED THEN INSERT *",
                    rows.join(", ")
                ))
                .await;
        }
    }
}

async fn merge(session: &LakeSession) -> Result<ChangeReport> {
    match session.execute(MERGE).await? {
        Executed::Changed(report) => Ok(report),
        Executed::Rows(_) | Executed::Defined(_) => panic!("a MERGE only reads"),
    }
}

/// Runs plans here, and notes each; or refuses the n-th.
#[derive(Debug, Default)]
struct Noting {
    plans: Mutex<Vec<String>>,
    refused: Option<usize>,
}

#[async_trait]
impl Engine for Noting {
    async fn collect(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> Result<Vec<RecordBatch>> {
        let count = {
            let mut plans = self.plans.lock().unwrap();
            plans.push(displayable(plan.as_ref()).indent(false).to_string());
            plans.len()
        };
        if Some(count) == self.refused {
            return Err(Error::new(ErrorKind::Unavailable, "the engine is gone"));
        }
        LocalEngine.collect(plan, context).await
    }
}

async fn head(lab: &Lab) -> String {
    let name = "ns.t".parse().unwrap();
    lab.lake.catalog.pointer(&name).await.unwrap().metadata_location
}

#[tokio::test(flavor = "multi_thread")]
async fn no_plan_given_to_an_engine_commits() {
    let lab = Lab::new().await;
    tables(&lab, false).await;
    let before = head(&lab).await;
    let noting = Arc::new(Noting::default());
    let session = session(&lab).with_engine(Arc::clone(&noting) as _);
    merge(&session).await.unwrap();
    let plans = noting.plans.lock().unwrap().clone();
    let top = |plan: &String| plan.split([':', '\n']).next().unwrap_or_default().trim().to_string();
    let tops: Vec<String> = plans.iter().map(top).collect();
    assert_eq!((tops[0].as_str(), tops[1].as_str()), ("KeepExec", "KeepExec"), "source and pairs");
    assert_eq!(tops.last().map(String::as_str), Some("WriteExec"));
    assert_eq!(tops.iter().filter(|top| *top == "WriteExec").count(), 1);
    assert!(plans.iter().all(|plan| !plan.to_lowercase().contains("commitexec")), "{plans:?}");
    assert_ne!(head(&lab).await, before);

    // An engine that ran everything up to any point and then was lost has changed nothing.
    for refused in 1..=plans.len() {
        let lab = Lab::new().await;
        tables(&lab, false).await;
        let before = head(&lab).await;
        let engine = Noting { refused: Some(refused), ..Noting::default() };
        let session = northstar_tests::changes::session(&lab).with_engine(Arc::new(engine));
        assert_eq!(merge(&session).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(head(&lab).await, before, "plan {refused} of {}", plans.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_merge_on_a_cluster_gives_the_same_table() {
    let cluster = Arc::new(Cluster::start(false).await);
    for by_position in [false, true] {
        let (here, there) = (Lab::new().await, Lab::new().await);
        tables(&here, by_position).await;
        tables(&there, by_position).await;
        let local = session(&here);
        let remote =
            session(&there).with_state(cluster.driver()).with_engine(Arc::clone(&cluster) as _);
        let (first, second) = (merge(&local).await.unwrap(), merge(&remote).await.unwrap());
        let counts = |report: &ChangeReport| {
            (report.inserted_rows, report.updated_rows, report.deleted_rows, report.source_rows)
        };
        assert_eq!(counts(&first), (20, 16, 4, 40));
        assert_eq!(counts(&first), counts(&second));
        // Files are chosen before a plan travels; what executors open is not counted here.
        assert_eq!((first.files, first.files_considered), (second.files, second.files_considered));
        assert!(first.files_opened.is_some() && second.files_opened.is_none());
        assert_eq!(second.delete_files_added > 0, by_position);
        assert_eq!(first.delete_files_added, second.delete_files_added);
        let all = "SELECT * FROM ns.t";
        assert_eq!(rows(&local, all).await, rows(&session(&there), all).await);
        let table = there.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
        let snapshot = table.metadata().current_snapshot().unwrap();
        assert_eq!(snapshot.summary().additional_properties["northstar.inserted-rows"], "20");
    }
}
