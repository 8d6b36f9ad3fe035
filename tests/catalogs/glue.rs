//! `glue://` over moto made strict, over ministack and over `northstar serve`, and what the first two do
//! otherwise than AWS.
//!
//! Another server is one more module: any URL will do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_glue::config::{BehaviorVersion, Region};
use aws_sdk_glue::types::TableInput;
use aws_sdk_glue::{Client, Config};
use northstar_catalog::contract::{self, Fixture, metadata, name};
use northstar_catalog::glue::{GlueCatalog, GlueOptions, GluePlace};
use northstar_catalog::{Catalog, Swap};

use crate::stand_in::{OwnServer, Server};

mod moto_strict {
    use super::{Fixture, Server, contract, over};

    async fn fixture() -> Fixture {
        over(Server::moto_strict().url()).await
    }

    contract::tests!(fixture);
}

mod ministack {
    use super::{Fixture, Server, contract, over};

    async fn fixture() -> Fixture {
        over(Server::ministack().url()).await
    }

    contract::tests!(fixture);
}

/// This project's own server, a process of it for each test.
mod northstar {
    use super::{Fixture, OwnServer, contract, over};

    async fn fixture() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let server = OwnServer::over(folder.path());
        let over = over(server.url()).await;
        Fixture { keep: Box::new((server, folder)), ..over }
    }

    contract::tests!(fixture);
}

/// An empty catalog of a server, opened twice.
async fn over(url: &str) -> Fixture {
    let region = region();
    Fixture {
        first: Arc::new(connect(url, &region).await),
        second: Arc::new(connect(url, &region).await),
        keep: Box::new(()),
    }
}

/// A region that nothing else uses: each has a catalog of its own.
fn region() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("test-{}", NEXT.fetch_add(1, Ordering::SeqCst))
}

fn credentials() -> Credentials {
    Credentials::new("test", "test", None, None, "test")
}

async fn connect(url: &str, region: &str) -> GlueCatalog {
    let place = GluePlace { endpoint: Some(url.to_owned()), ..GluePlace::of_region(region) };
    let credentials = Some(SharedCredentialsProvider::new(credentials()));
    GlueCatalog::connect(place, GlueOptions { credentials, ..GlueOptions::default() }).await
}

/// The client of AWS as it is.
fn client(url: &str, region: &str) -> Client {
    let tls = aws_smithy_http_client::tls::Provider::Rustls(
        aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
    );
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().tls_provider(tls).build_https())
        .region(Region::new(region.to_owned()))
        .endpoint_url(url)
        .credentials_provider(credentials());
    Client::from_conf(config.build())
}

/// Sends an UpdateTable of `b.lab` for the version before the current one; the code of the error, if any.
async fn stale_update(url: &str) -> Option<String> {
    let region = region();
    let catalog = connect(url, &region).await;
    catalog.create_namespace("b").await.unwrap();
    catalog.register(&name("b.lab"), "m0", &metadata()).await.unwrap();
    let client = client(url, &region);
    let before = client.get_table().database_name("b").name("lab").send().await.unwrap();
    let swapped = catalog.swap(&name("b.lab"), "m0", "m1", &metadata()).await.unwrap();
    assert!(matches!(swapped, Swap::Committed), "{swapped:?}");
    let input = TableInput::builder().name("lab").parameters("metadata_location", "stale");
    let stale = client
        .update_table()
        .database_name("b")
        .table_input(input.build().unwrap())
        .set_version_id(before.table.unwrap().version_id)
        .send()
        .await;
    stale.err().map(|error| error.into_service_error().meta().code().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_stale_version_is_noticed_by_all_but_moto_as_it_is() {
    let conflict = Some("ConcurrentModificationException".to_owned());
    assert_eq!(stale_update(Server::moto_strict().url()).await, conflict);
    assert_eq!(stale_update(Server::ministack().url()).await, conflict);
    // Once this one is, `moto_strict.py` can go.
    assert_eq!(stale_update(Server::moto().url()).await, None);
}

/// What AWS takes for the same name, these do not. Northstar sends names in lower case only.
#[tokio::test]
async fn upper_case_names_another_table_in_both_but_not_on_aws() {
    for url in [Server::moto_strict().url(), Server::ministack().url()] {
        let region = region();
        let catalog = connect(url, &region).await;
        catalog.create_namespace("b").await.unwrap();
        catalog.register(&name("b.lab"), "m0", &metadata()).await.unwrap();
        let upper = client(url, &region).get_table().database_name("B").name("LAB").send().await;
        let code = upper.unwrap_err().into_service_error().meta().code().map(str::to_owned);
        assert_eq!(code.as_deref(), Some("EntityNotFoundException"), "{url}");
    }
}

/// AWS says EntityNotFoundException, as moto does; ministack has an empty list.
#[tokio::test]
async fn ministack_lists_nothing_for_a_database_that_is_not_there() {
    let region = region();
    let client = client(Server::ministack().url(), &region);
    let listed = client.get_tables().database_name("gone").send().await.unwrap();
    assert_eq!(listed.table_list(), []);
}

/// AWS has at most 100 on a page; both give all at once, so pages are tested in the catalog's own tests.
#[tokio::test]
async fn neither_has_pages() {
    for url in [Server::moto_strict().url(), Server::ministack().url()] {
        let region = region();
        let catalog = connect(url, &region).await;
        for number in 0..120 {
            catalog.create_namespace(&format!("n{number}")).await.unwrap();
        }
        let page = client(url, &region).get_databases().max_results(100).send().await.unwrap();
        assert_eq!((page.database_list().len(), page.next_token()), (120, None), "{url}");
        assert_eq!(catalog.list_namespaces().await.unwrap().len(), 120);
    }
}
