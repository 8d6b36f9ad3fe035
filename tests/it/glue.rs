//! Lakes whose catalog is a Glue: loads, statements and racing writers over moto made strict and over
//! ministack, with the files in a local folder.

#![cfg(test)]

use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use northstar_catalog::glue::{GlueCatalog, GlueOptions, GluePlace};
use northstar_iceberg::Lake;
use northstar_iceberg::ids::RandomIds;
use northstar_tests::changes::{rows, session};
use northstar_tests::csv_files::{VISITS, folder, visits};
use northstar_tests::lab::{self, Lab, tester};
use northstar_tests::stand_in::Server;
use tokio::task::JoinSet;

/// The two services; each test has a region of its own in both, and so a catalog.
fn services() -> [&'static str; 2] {
    [Server::moto_strict().url(), Server::ministack().url()]
}

async fn connect(url: &str, region: &str, seed: u64) -> Arc<GlueCatalog> {
    let place = GluePlace { endpoint: Some(url.to_owned()), ..GluePlace::of_region(region) };
    let credentials = Credentials::new("test", "test", None, None, "test");
    let credentials = Some(SharedCredentialsProvider::new(credentials));
    Arc::new(
        GlueCatalog::connect(place, GlueOptions { credentials, seed, ..Default::default() }).await,
    )
}

/// A lake with its files in a folder and its tables in a region of a service.
async fn lab(url: &str, region: &str) -> Lab {
    let mut lab = Lab::new().await;
    lab.lake.catalog = connect(url, region, 0).await;
    lab
}

/// Glue's entry of a table.
async fn entry(url: &str, region: &str, table: &str) -> aws_sdk_glue::types::Table {
    let tls = aws_smithy_http_client::tls::Provider::Rustls(
        aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
    );
    let config = aws_sdk_glue::Config::builder()
        .behavior_version(aws_sdk_glue::config::BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().tls_provider(tls).build_https())
        .region(aws_sdk_glue::config::Region::new(region.to_owned()))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    let client = aws_sdk_glue::Client::from_conf(config.build());
    let (namespace, name) = table.split_once('.').unwrap();
    let got = client.get_table().database_name(namespace).name(name).send().await.unwrap();
    got.table.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn m5_racing_loads_over_glue_all_land_once_in_one_line() {
    for url in services() {
        let lab = lab(url, "loads").await;
        let base = folder(lab.folder.path(), "base", &[("visit.csv", visits(0, 50).as_bytes())]);
        lab.load(&base, VISITS).await.unwrap();
        let mut writers = JoinSet::new();
        for writer in 1..=4_u64 {
            let catalog = connect(url, "loads", writer).await;
            let lake = Lake { catalog, ids: Arc::new(RandomIds), ..lab.lake.clone() };
            let text = visits(1_000 * writer, 100);
            let name = format!("in{writer}");
            let from = folder(lab.folder.path(), &name, &[("visit.csv", text.as_bytes())]);
            writers.spawn(async move { lab::load(&lake, &from, VISITS).await.unwrap() });
        }
        let reports = writers.join_all().await;
        assert!(reports.iter().all(|report| report.tables[0].landed_rows() == 100), "{url}");
        assert_eq!(lab.number("SELECT count(*) FROM bronze.visit").await, 450, "{url}");
        assert_eq!(lab.number("SELECT count(DISTINCT id) FROM bronze.visit").await, 450);
        assert_eq!(lab.number("SELECT count(DISTINCT _seq) FROM bronze.visit").await, 5);
        let table = "bronze.visit".parse().unwrap();
        let table = lab.lake.open_table(&table, &tester()).await.unwrap();
        assert_eq!(table.ancestors().count(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_over_glue_leave_its_columns_and_pointer_as_the_table_is() {
    for url in services() {
        let lab = lab(url, "statements").await;
        let session = session(&lab);
        for sql in [
            "CREATE SCHEMA ns",
            "CREATE TABLE ns.t (id BIGINT NOT NULL, at TIMESTAMP WITH TIME ZONE, gone STRING)",
            "INSERT INTO ns.t VALUES (1, '2024-01-01T00:00:00Z', 'x'), (2, NULL, 'y')",
            "MERGE INTO ns.t AS t USING (VALUES (2, 'z'), (3, 'w')) AS s(id, gone) ON t.id = s.id \
             WHEN MATCHED THEN UPDATE SET gone = s.gone \
             WHEN NOT MATCHED THEN INSERT (id, gone) VALUES (s.id, s.gone)",
            "ALTER TABLE ns.t DROP COLUMN gone",
            "ALTER TABLE ns.t ADD COLUMN fee DECIMAL(5, 2)",
            "DELETE FROM ns.t WHERE id = 1",
        ] {
            session.execute(sql).await.unwrap_or_else(|error| panic!("{url}: {sql}: {error}"));
        }
        assert_eq!(
            rows(&session, "SELECT id, fee FROM ns.t ORDER BY id").await,
            ["2|NULL", "3|NULL"]
        );
        let table = lab.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
        let entry = entry(url, "statements", "ns.t").await;
        let parameters = entry.parameters.unwrap();
        assert_eq!(parameters["metadata_location"], table.metadata_location());
        assert_eq!(parameters["table_type"], "ICEBERG");
        let columns = entry.storage_descriptor.unwrap().columns.unwrap();
        let columns: Vec<String> = columns
            .into_iter()
            .map(|column| {
                let current = &column.parameters.unwrap()["iceberg.field.current"];
                format!("{} {} {current}", column.name, column.r#type.unwrap())
            })
            .collect();
        assert_eq!(
            columns,
            ["id bigint true", "at timestamp true", "fee decimal(5,2) true", "gone string false"]
        );
    }
}
