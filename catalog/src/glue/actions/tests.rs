//! The actions, as clients ask for them.

use std::collections::HashMap;
use std::sync::Arc;

use iceberg::io::{FileIO, FileIOBuilder, LocalFsStorageFactory};
use iceberg::spec::{FormatVersion, SortOrder, TableMetadataBuilder, UnboundPartitionSpec};
use serde_json::{Value, json};

use super::{ACTIONS, GlueService};
use crate::contract::{metadata, name};
use crate::sqlite::SqliteCatalog;
use crate::{Catalog, ErrorKind, OpenMode, Result, Swap};

const ACCOUNT: &str = "000000000000";

struct Fixture {
    service: GlueService,
    catalog: Arc<SqliteCatalog>,
    folder: tempfile::TempDir,
}

fn file_io() -> FileIO {
    FileIOBuilder::new(Arc::new(LocalFsStorageFactory)).build()
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        let catalog = Arc::new(SqliteCatalog::open(&path, OpenMode::Create).await.unwrap());
        let service =
            GlueService::new(Arc::clone(&catalog), file_io(), "file:///lake", ACCOUNT, "us-east-1");
        Self { service: service.await.unwrap(), catalog, folder }
    }

    async fn try_ask(&self, action: &str, input: Value) -> Result<Value> {
        self.service.call(action, input, 1_000).await
    }

    async fn ask(&self, action: &str, input: Value) -> Value {
        self.try_ask(action, input).await.unwrap()
    }

    async fn refused(&self, action: &str, input: Value) -> ErrorKind {
        self.try_ask(action, input).await.unwrap_err().kind()
    }

    /// A metadata file, and its location.
    async fn written(&self, file: &str, comment: &str) -> String {
        let schema = metadata().current_schema().as_ref().clone();
        let properties = HashMap::from([("comment".to_string(), comment.to_string())]);
        let built = TableMetadataBuilder::new(
            schema,
            UnboundPartitionSpec::default(),
            SortOrder::unsorted_order(),
            "file:///lake/b/lab".to_string(),
            FormatVersion::V2,
            properties,
        );
        let metadata = built.unwrap().build().unwrap().metadata;
        let text = serde_json::to_string(&metadata).unwrap();
        let path = self.folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        format!("file://{}", path.display())
    }

    /// A database with tables that clients made.
    async fn with_tables(tables: &[&str]) -> Self {
        let fixture = Self::new().await;
        fixture.ask("CreateDatabase", json!({"DatabaseInput": {"Name": "b"}})).await;
        for table in tables {
            let input = json!({"DatabaseName": "b", "TableInput": table_input(table, "m0", None)});
            fixture.ask("CreateTable", input).await;
        }
        fixture
    }
}

fn table_input(table: &str, location: &str, previous: Option<&str>) -> Value {
    let mut parameters = json!({"table_type": "ICEBERG", "metadata_location": location});
    if let Some(previous) = previous {
        parameters["previous_metadata_location"] = previous.into();
    }
    json!({
        "Name": table, "TableType": "EXTERNAL_TABLE", "Parameters": parameters,
        "StorageDescriptor": {"Location": "file:///lake/b/lab", "Columns": []},
    })
}

fn update(location: &str, previous: &str, version: Option<&str>, skip: bool) -> Value {
    let mut input = json!({
        "DatabaseName": "b", "SkipArchive": skip,
        "TableInput": table_input("lab", location, Some(previous)),
    });
    if let Some(version) = version {
        input["VersionId"] = version.into();
    }
    input
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["Name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_database_is_made_read_changed_and_removed() {
    let fixture = Fixture::new().await;
    let input = json!({"DatabaseInput": {
        "Name": "Silver", "Description": "checked", "LocationUri": "file:///lake/s",
        "Parameters": {"owner": "lake"},
    }});
    fixture.ask("CreateDatabase", input.clone()).await;
    assert_eq!(fixture.refused("CreateDatabase", input).await, ErrorKind::AlreadyExists);
    let got = fixture.ask("GetDatabase", json!({"Name": "SILVER"})).await;
    let database = &got["Database"];
    assert_eq!(database["Name"], "silver");
    assert_eq!(database["Description"], "checked");
    assert_eq!(database["LocationUri"], "file:///lake/s");
    assert_eq!(database["Parameters"], json!({"owner": "lake"}));
    let changed = json!({"Name": "silver", "DatabaseInput": {"Name": "silver"}});
    fixture.ask("UpdateDatabase", changed).await;
    let got = fixture.ask("GetDatabase", json!({"Name": "silver"})).await;
    assert_eq!(got["Database"]["LocationUri"], "file:///lake/silver", "where tables stand here");
    assert!(
        got["Database"].get("Description").is_none() && got["Database"].get("Parameters").is_none()
    );
    let renamed = json!({"Name": "silver", "DatabaseInput": {"Name": "gold"}});
    assert_eq!(fixture.refused("UpdateDatabase", renamed).await, ErrorKind::InvalidInput);
    fixture.ask("DeleteDatabase", json!({"Name": "silver"})).await;
    let gone = json!({"Name": "silver"});
    assert_eq!(fixture.refused("GetDatabase", gone.clone()).await, ErrorKind::NotFound);
    assert_eq!(fixture.refused("DeleteDatabase", gone).await, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_database_with_tables_is_not_removed() {
    let fixture = Fixture::with_tables(&["lab"]).await;
    let database = json!({"Name": "b"});
    assert_eq!(fixture.refused("DeleteDatabase", database).await, ErrorKind::InvalidInput);
    assert_eq!(
        names(&fixture.ask("GetTables", json!({"DatabaseName": "b"})).await["TableList"]),
        ["lab"]
    );
}

#[tokio::test]
async fn lists_come_in_pages() {
    let fixture = Fixture::with_tables(&["c", "a", "d", "b2"]).await;
    for database in ["x", "y"] {
        fixture.ask("CreateDatabase", json!({"DatabaseInput": {"Name": database}})).await;
    }
    for (action, member, input, all) in [
        ("GetDatabases", "DatabaseList", json!({"MaxResults": 2}), vec!["b", "x", "y"]),
        (
            "GetTables",
            "TableList",
            json!({"DatabaseName": "b", "MaxResults": 3}),
            vec!["a", "b2", "c", "d"],
        ),
        (
            "GetTables",
            "TableList",
            json!({"DatabaseName": "b", "MaxResults": 4}),
            vec!["a", "b2", "c", "d"],
        ),
        ("SearchTables", "TableList", json!({"MaxResults": 1}), vec!["a", "b2", "c", "d"]),
        (
            "GetTables",
            "TableList",
            json!({"DatabaseName": "b", "Expression": "[a-b].*", "MaxResults": 1}),
            vec!["a", "b2"],
        ),
    ] {
        let (mut found, mut input) = (Vec::new(), input);
        loop {
            let page = fixture.ask(action, input.clone()).await;
            found.extend(names(&page[member]).into_iter().map(str::to_string));
            match page.get("NextToken") {
                Some(token) => input["NextToken"] = token.clone(),
                None => break,
            }
        }
        assert_eq!(found, all, "{action}");
    }
    let bad = json!({"DatabaseName": "b", "NextToken": "made up"});
    assert_eq!(fixture.refused("GetTables", bad).await, ErrorKind::InvalidInput);
}

#[tokio::test]
async fn w2_an_update_of_a_version_that_was_overtaken_is_a_conflict() {
    let fixture = Fixture::with_tables(&["lab"]).await;
    let version = async || {
        let got = fixture.ask("GetTable", json!({"DatabaseName": "b", "Name": "lab"})).await;
        got["Table"]["VersionId"].as_str().unwrap().to_string()
    };
    assert_eq!(version().await, "0");
    fixture.ask("UpdateTable", update("m1", "m0", Some("0"), true)).await;
    assert_eq!(version().await, "1");
    let stale = update("m2", "m0", Some("0"), true);
    assert_eq!(fixture.refused("UpdateTable", stale).await, ErrorKind::Conflict);
    // A commit by a program that tells Glue nothing.
    let swap = fixture.catalog.swap(&name("b.lab"), "m1", "m2", &metadata()).await.unwrap();
    assert!(matches!(swap, Swap::Committed));
    let stale = update("m3", "m1", Some("1"), true);
    assert_eq!(fixture.refused("UpdateTable", stale).await, ErrorKind::Conflict);
    let odd = update("m3", "m2", Some("x"), true);
    assert_eq!(fixture.refused("UpdateTable", odd).await, ErrorKind::Conflict);
    fixture.ask("UpdateTable", update("m3", "m2", Some("2"), true)).await;
    assert_eq!(version().await, "3");
    // Without a version, an update says by its previous pointer what it read.
    let stale = update("m4", "m2", None, true);
    assert_eq!(fixture.refused("UpdateTable", stale).await, ErrorKind::Conflict);
    fixture.ask("UpdateTable", update("m4", "m3", None, true)).await;
    let versions = json!({"DatabaseName": "b", "TableName": "lab"});
    let all = fixture.ask("GetTableVersions", versions).await;
    assert_eq!(all["TableVersions"].as_array().unwrap().len(), 1, "none was archived");
}

#[tokio::test]
async fn m5_an_entry_is_retired_for_its_new_name_only_from_the_version_that_was_read() {
    let fixture = Fixture::with_tables(&["lab", "other"]).await;
    let retired = |to: &str, version: &str| {
        let input = json!({"Name": "lab", "Parameters": {"northstar.renamed-to": to}});
        json!({"DatabaseName": "b", "TableInput": input, "VersionId": version})
    };
    fixture.ask("UpdateTable", update("m1", "m0", Some("0"), true)).await;
    let named = json!({"DatabaseName": "b", "TableInput": table_input("new", "m1", None)});
    fixture.ask("CreateTable", named).await;
    for (to, version) in [("b.new", "0"), ("b.other", "1"), ("b.none", "1"), ("b.lab", "1")] {
        let refused = fixture.refused("UpdateTable", retired(to, version)).await;
        assert_eq!(refused, ErrorKind::Conflict, "{to} {version}");
    }
    fixture.ask("UpdateTable", retired("b.new", "1")).await;
    let list = fixture.ask("GetTables", json!({"DatabaseName": "b"})).await;
    assert_eq!(names(&list["TableList"]), ["new", "other"]);
}

#[tokio::test]
async fn versions_that_were_archived_can_be_read_and_removed() {
    let fixture = Fixture::with_tables(&["lab"]).await;
    for (round, version) in ["0", "1", "2"].into_iter().enumerate() {
        let (now, next) = (format!("m{round}"), format!("m{}", round + 1));
        fixture.ask("UpdateTable", update(&next, &now, Some(version), false)).await;
    }
    let mut of_lab = json!({"DatabaseName": "b", "TableName": "lab", "MaxResults": 3});
    let page = fixture.ask("GetTableVersions", of_lab.clone()).await;
    let ids = |page: &Value| -> Vec<String> {
        let versions = page["TableVersions"].as_array().unwrap().iter();
        versions.map(|version| version["VersionId"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(ids(&page), ["3", "2", "1"]);
    of_lab["NextToken"] = page["NextToken"].clone();
    let page = fixture.ask("GetTableVersions", of_lab).await;
    assert_eq!((ids(&page), page.get("NextToken")), (vec!["0".to_string()], None));
    let one = |id: &str| json!({"DatabaseName": "b", "TableName": "lab", "VersionId": id});
    let first = fixture.ask("GetTableVersion", one("0")).await;
    assert_eq!(first["TableVersion"]["Table"]["Parameters"]["metadata_location"], "m0");
    fixture.ask("DeleteTableVersion", one("0")).await;
    for (action, id, kind) in [
        ("GetTableVersion", "0", ErrorKind::NotFound),
        ("GetTableVersion", "x", ErrorKind::NotFound),
        ("DeleteTableVersion", "0", ErrorKind::NotFound),
        ("DeleteTableVersion", "3", ErrorKind::InvalidInput),
    ] {
        assert_eq!(fixture.refused(action, one(id)).await, kind, "{action} {id}");
    }
    let several = json!({"DatabaseName": "b", "TableName": "lab", "VersionIds": ["1", "3", "9"]});
    let errors = fixture.ask("BatchDeleteTableVersion", several).await;
    let errors = errors["Errors"].as_array().unwrap().clone();
    let codes: Vec<_> = errors.iter().map(|error| &error["ErrorDetail"]["ErrorCode"]).collect();
    assert_eq!(codes, ["InvalidInputException", "EntityNotFoundException"]);
}

#[tokio::test]
async fn a_commit_that_told_glue_nothing_shows_in_the_columns() {
    let fixture = Fixture::new().await;
    fixture.catalog.create_namespace("b").await.unwrap();
    let first = fixture.written("m0.json", "first").await;
    fixture.catalog.register(&name("b.lab"), &first, &metadata()).await.unwrap();
    let get = json!({"DatabaseName": "b", "Name": "lab"});
    let table = fixture.ask("GetTable", get.clone()).await["Table"].clone();
    assert_eq!(table["StorageDescriptor"]["Columns"][0]["Name"], "id");
    assert_eq!(table["Description"], "first");
    assert_eq!(table["TableType"], "EXTERNAL_TABLE");
    // A client adds a parameter of its own and an owner; a commit after that keeps both.
    let mut input = table_input("lab", &first, None);
    input["Owner"] = "lake".into();
    input["Parameters"]["classification"] = "iceberg".into();
    fixture.ask("UpdateTable", json!({"DatabaseName": "b", "TableInput": input})).await;
    let second = fixture.written("m1.json", "second").await;
    let swap = fixture.catalog.swap(&name("b.lab"), &first, &second, &metadata()).await.unwrap();
    assert!(matches!(swap, Swap::Committed));
    let table = fixture.ask("GetTable", get.clone()).await["Table"].clone();
    assert_eq!((&table["Description"], &table["Owner"]), (&json!("second"), &json!("lake")));
    assert_eq!(table["Parameters"]["classification"], "iceberg");
    assert_eq!(table["Parameters"]["previous_metadata_location"], first.as_str());
    assert_eq!(table["VersionId"], "2");
    // Without its metadata file a table has still its pointer.
    let swap = fixture.catalog.swap(&name("b.lab"), &second, "gone", &metadata()).await.unwrap();
    assert!(matches!(swap, Swap::Committed));
    let table = fixture.ask("GetTable", get).await["Table"].clone();
    assert_eq!(table["Parameters"]["metadata_location"], "gone");
}

#[tokio::test]
async fn what_is_no_iceberg_table_or_not_there_is_refused() {
    let fixture = Fixture::with_tables(&["lab"]).await;
    let view = json!({"Name": "v", "TableType": "VIRTUAL_VIEW"});
    let there = table_input("lab", "m0", None);
    let format = json!({"IcebergInput": {"MetadataOperation": "CREATE"}});
    for (action, input, kind) in [
        ("CreateTable", json!({"DatabaseName": "b", "TableInput": view}), ErrorKind::InvalidInput),
        (
            "CreateTable",
            json!({"DatabaseName": "b", "TableInput": there}),
            ErrorKind::AlreadyExists,
        ),
        ("CreateTable", json!({"DatabaseName": "no", "TableInput": there}), ErrorKind::NotFound),
        ("CreateTable", json!({"DatabaseName": "b"}), ErrorKind::InvalidInput),
        (
            "CreateTable",
            json!({"DatabaseName": "b", "OpenTableFormatInput": format}),
            ErrorKind::InvalidInput,
        ),
        (
            "CreateTable",
            json!({"DatabaseName": "b", "TableInput": {"Name": 7}}),
            ErrorKind::InvalidInput,
        ),
        ("GetTable", json!({"DatabaseName": "b", "Name": "no"}), ErrorKind::NotFound),
        ("GetTable", json!({"DatabaseName": "b"}), ErrorKind::InvalidInput),
        ("GetTables", json!({"DatabaseName": "no"}), ErrorKind::NotFound),
        ("GetTables", json!({"DatabaseName": "b", "Expression": "("}), ErrorKind::InvalidInput),
        (
            "UpdateTable",
            json!({"DatabaseName": "b", "TableInput": table_input("no", "m", None)}),
            ErrorKind::NotFound,
        ),
        ("DeleteTable", json!({"DatabaseName": "b", "Name": "no"}), ErrorKind::NotFound),
        (
            "GetTable",
            json!({"DatabaseName": "b", "Name": "lab", "CatalogId": "9"}),
            ErrorKind::PermissionDenied,
        ),
        ("GetPartition", json!({"DatabaseName": "b", "TableName": "lab"}), ErrorKind::NotFound),
        (
            "CreatePartition",
            json!({"DatabaseName": "b", "TableName": "lab"}),
            ErrorKind::InvalidInput,
        ),
        ("GetPartitions", json!({"DatabaseName": "b", "TableName": "no"}), ErrorKind::NotFound),
        ("StopCrawler", json!({"Name": "c"}), ErrorKind::Unsupported),
        ("GetTables", json!([]), ErrorKind::InvalidInput),
    ] {
        assert_eq!(fixture.refused(action, input.clone()).await, kind, "{action} {input}");
    }
    let empty = json!({"DatabaseName": "b", "TableName": "lab"});
    assert_eq!(fixture.ask("GetPartitions", empty).await, json!({"Partitions": []}));
    let several = json!({"DatabaseName": "b", "TablesToDelete": ["lab", "no"]});
    let errors = fixture.ask("BatchDeleteTable", several).await;
    assert_eq!(errors["Errors"][0]["TableName"], "no");
    assert_eq!(errors["Errors"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn tags_stand_with_their_resource_and_end_with_it() {
    let fixture = Fixture::with_tables(&["lab"]).await;
    let arn = fixture.service.arn("table/b/lab");
    let tag = json!({"ResourceArn": arn, "TagsToAdd": {"owner": "lab", "tier": "1"}});
    assert!(fixture.service.has_tagged(&tag));
    fixture.ask("TagResource", tag).await;
    fixture.ask("UntagResource", json!({"ResourceArn": arn, "TagsToRemove": ["tier"]})).await;
    let tags = fixture.ask("GetTags", json!({"ResourceArn": arn})).await;
    assert_eq!(tags, json!({"Tags": {"owner": "lab"}}));
    for (bad, kind) in [
        (
            json!({"ResourceArn": fixture.service.arn("table/b/no"), "TagsToAdd": {}}),
            ErrorKind::NotFound,
        ),
        (json!({"ResourceArn": "arn:aws:s3:::bucket", "TagsToAdd": {}}), ErrorKind::InvalidInput),
        (json!({"ResourceArn": arn, "TagsToAdd": {"": "x"}}), ErrorKind::InvalidInput),
    ] {
        assert_eq!(fixture.refused("TagResource", bad).await, kind);
    }
    fixture.ask("DeleteTable", json!({"DatabaseName": "b", "Name": "lab"})).await;
    let again = json!({"DatabaseName": "b", "TableInput": table_input("lab", "m0", None)});
    fixture.ask("CreateTable", again).await;
    assert_eq!(fixture.ask("GetTags", json!({"ResourceArn": arn})).await, json!({"Tags": {}}));
}

#[tokio::test]
async fn each_action_of_the_list_is_answered() {
    let fixture = Fixture::new().await;
    for action in ACTIONS {
        if let Err(error) = fixture.try_ask(action, json!({})).await {
            assert_ne!(error.kind(), ErrorKind::Unsupported, "{action}");
        }
    }
}
