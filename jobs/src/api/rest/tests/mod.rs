//! Requests as clients send them, against a lake in a temporary folder.

mod commits;
mod faults;
mod namespaces;
mod races;
mod tables;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use axum::http::Method;
use northstar_catalog::faulty::FaultyCatalog;
use northstar_catalog::sqlite::SqliteCatalog;
use northstar_catalog::{Catalog, OpenMode};
use northstar_iceberg::access::{Access, MemorySink};
use northstar_iceberg::clock::SystemClock;
use northstar_iceberg::commit::RunContext;
use northstar_iceberg::engine::LocalEngine;
use northstar_iceberg::ids::RandomIds;
use northstar_iceberg::merge::{ChangeOptions, FileCosts, LakeSession};
use northstar_iceberg::observer::Silent;
use northstar_iceberg::sql::SqlOptions;
use northstar_iceberg::write::WriteOptions;
use northstar_iceberg::{Lake, TableName, storage};
use serde_json::{Value, json};

use super::{Reply, call};

/// A lake that is served, and its folder.
pub(super) struct Served {
    pub(super) lake: Lake,
    pub(super) catalog: Arc<SqliteCatalog>,
    /// The lake's catalog, in front of the other.
    pub(super) faulty: Arc<FaultyCatalog>,
    pub(super) access: Arc<MemorySink>,
    pub(super) folder: tempfile::TempDir,
}

impl Served {
    /// A lake with a namespace `b`.
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Arc::new(catalog(&folder.path().join("catalog.db")).await);
        catalog.create_namespace("b").await.unwrap();
        let faulty = Arc::new(FaultyCatalog::new(Arc::clone(&catalog) as _));
        let access = Arc::new(MemorySink::default());
        let lake = Lake {
            catalog: Arc::clone(&faulty) as _,
            warehouse: storage::location(&folder.path().join("tables")),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            access: Arc::clone(&access) as _,
            observer: Arc::new(Silent),
        };
        Self { lake, catalog, faulty, access, folder }
    }

    /// A lake with the table `b.lab (id bigint, name string)`, and two rows in it.
    pub(super) async fn with_lab() -> Self {
        let served = Self::new().await;
        served.create("lab", json!({})).await;
        let inserted = served.client("lab").await.insert("(1, 'a'), (2, 'b')").await;
        served.post("/v1/namespaces/b/tables/lab", &inserted).await.expect(200);
        served
    }

    pub(super) async fn call(&self, method: Method, path: &str, body: &[u8]) -> Called {
        let access = Access::new("tester", "test").unwrap();
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        Called(call(&self.lake, &self.catalog, &access, &method, path, query, body).await)
    }

    pub(super) async fn get(&self, path: &str) -> Called {
        self.call(Method::GET, path, b"").await
    }

    pub(super) async fn head(&self, path: &str) -> Called {
        self.call(Method::HEAD, path, b"").await
    }

    pub(super) async fn delete(&self, path: &str) -> Called {
        self.call(Method::DELETE, path, b"").await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Called {
        self.call(Method::POST, path, body.to_string().as_bytes()).await
    }

    /// Makes a table `b.NAME (id bigint, name string)`, with other members of the request.
    pub(super) async fn create(&self, name: &str, with: Value) -> Value {
        let body = new_table(name, with);
        self.post("/v1/namespaces/b/tables", &body).await.expect(200)
    }

    /// What a table's metadata says now.
    pub(super) async fn metadata(&self, name: &str) -> Value {
        let mut loaded = self.get(&format!("/v1/namespaces/b/tables/{name}")).await.expect(200);
        loaded["metadata"].take()
    }

    /// A client that has read the table.
    pub(super) async fn client(&self, name: &str) -> Client {
        let loaded = self.get(&format!("/v1/namespaces/b/tables/{name}")).await.expect(200);
        Client::of(self, name, loaded).await
    }

    /// How many rows a table has, by this program's own reader.
    pub(super) async fn rows(&self, name: &str) -> usize {
        let session = session(&self.lake, self.folder.path());
        let query = format!("SELECT * FROM b.{name}");
        let frame = session.sql().query(&query).await.unwrap();
        frame.collect().await.unwrap().iter().map(|batch| batch.num_rows()).sum()
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.lake.clock.now_ms()
    }
}

async fn catalog(path: &Path) -> SqliteCatalog {
    SqliteCatalog::open(path, OpenMode::Create).await.unwrap()
}

/// A reply that a test looks at.
pub(super) struct Called(pub(super) Reply);

impl Called {
    /// The body, if the status is this one.
    pub(super) fn expect(self, status: u16) -> Value {
        assert_eq!(self.0.status.as_u16(), status, "{:?}", self.0.body);
        self.0.body.unwrap_or_default()
    }

    /// The text of an error of this status and name, in the protocol's form.
    pub(super) fn error(self, status: u16, name: &str) -> String {
        let body = self.expect(status);
        let error = &body["error"];
        assert_eq!((&error["type"], &error["code"]), (&json!(name), &json!(status)), "{body}");
        error["message"].as_str().unwrap().to_string()
    }
}

/// The request for a table `NAME (id bigint, name string)`.
pub(super) fn new_table(name: &str, with: Value) -> Value {
    let mut body = json!({
        "name": name,
        "schema": {"type": "struct", "schema-id": 0, "fields": [
            {"id": 1, "name": "id", "required": false, "type": "long"},
            {"id": 2, "name": "name", "required": false, "type": "string"},
        ]},
    });
    for (key, value) in with.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

/// A client with a catalog of its own, in which it plans a commit: its files are where those of the
/// table are.
pub(super) struct Client {
    table: String,
    /// What it has read.
    pub(super) metadata: Value,
    session: LakeSession,
    lake: Lake,
    _folder: tempfile::TempDir,
}

impl Client {
    async fn of(served: &Served, table: &str, mut loaded: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = catalog(&folder.path().join("own.db")).await;
        let lake = Lake { catalog: Arc::new(own), ..served.lake.clone() };
        let location = loaded["metadata-location"].as_str().unwrap().to_string();
        let metadata = serde_json::from_value(loaded["metadata"].clone()).unwrap();
        let name = TableName::new("b", table).unwrap();
        lake.catalog.create_namespace("b").await.unwrap();
        lake.catalog.register(&name, &location, &metadata).await.unwrap();
        let session = session(&lake, folder.path());
        let metadata = loaded["metadata"].take();
        Self { table: table.to_string(), metadata, session, lake, _folder: folder }
    }

    /// The commit that adds rows to what the client has read.
    pub(super) async fn insert(&self, rows: &str) -> Value {
        self.changed(&format!("INSERT INTO b.{} VALUES {rows}", self.table)).await
    }

    /// The commit of a statement.
    pub(super) async fn changed(&self, statement: &str) -> Value {
        self.session.execute(statement).await.unwrap();
        let access = Access::new("client", "test").unwrap();
        let name = TableName::new("b", &self.table).unwrap();
        let now = self.lake.open_table(&name, &access).await.unwrap();
        let now = serde_json::to_value(now.metadata()).unwrap();
        let id = &now["current-snapshot-id"];
        let is_new = |snapshot: &&Value| snapshot["snapshot-id"] == *id;
        let snapshot = now["snapshots"].as_array().unwrap().iter().find(is_new).unwrap().clone();
        commit(&self.metadata, snapshot)
    }
}

/// The commit of a snapshot to `main`, by a client that has read this.
pub(super) fn commit(read: &Value, snapshot: Value) -> Value {
    let (id, head) = (snapshot["snapshot-id"].clone(), read["refs"]["main"]["snapshot-id"].clone());
    json!({
        "requirements": [
            {"type": "assert-table-uuid", "uuid": read["table-uuid"]},
            {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": head},
        ],
        "updates": [
            {"action": "add-snapshot", "snapshot": snapshot},
            {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch",
             "snapshot-id": id},
        ],
    })
}

/// A change that needs nothing to hold.
pub(super) fn updates(updates: &[Value]) -> Value {
    json!({ "requirements": [], "updates": updates })
}

fn session(lake: &Lake, folder: &Path) -> LakeSession {
    let options = ChangeOptions {
        write: WriteOptions {
            memory_bytes: 1 << 20,
            spill_folder: folder.join("spill"),
            threads: 1,
        },
        scratch_folder: folder.join("scratch"),
        costs: FileCosts::default(),
        whole_table: true,
    };
    let run = RunContext {
        job: "test".into(),
        run_id: "run-1".into(),
        actor: "tester".into(),
        reason: "test".into(),
    };
    let access = Access::new("tester", "test").unwrap();
    let sql = SqlOptions { target_partitions: 1, ..SqlOptions::default() };
    LakeSession::new(lake.clone(), access, run, sql, Arc::new(LocalEngine), options).unwrap()
}

/// The properties of a table as text.
pub(super) fn properties(metadata: &Value) -> HashMap<String, String> {
    serde_json::from_value(metadata["properties"].clone()).unwrap()
}
