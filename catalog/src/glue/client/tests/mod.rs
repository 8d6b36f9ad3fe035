//! The client beside a small Glue of the tests' own, whose answers can be made to go wrong.

mod names;
mod renames;
mod replies;
mod service;
mod swaps;

use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

use self::service::Service;
use super::{GlueCatalog, GlueOptions, GluePlace};
use crate::contract::{self, Fixture, metadata, name};
use crate::{Catalog, Patience, Swap};

contract::tests!(fixture);

/// What stands for the secret part of the credentials, and must be seen nowhere.
const SECRET: &str = "hunter2";

async fn fixture() -> Fixture {
    let service = Service::start();
    Fixture {
        first: Arc::new(connect(&service).await),
        second: Arc::new(connect(&service).await),
        keep: Box::new(service),
    }
}

fn place(service: &Service) -> GluePlace {
    GluePlace { endpoint: Some(service.endpoint()), ..GluePlace::of_region("eu-west-2") }
}

async fn connect(service: &Service) -> GlueCatalog {
    GlueCatalog::connect(place(service), options()).await
}

/// Three attempts with hardly a wait.
fn options() -> GlueOptions {
    let patience =
        Patience { attempts: 3, first_wait_ms: 1, longest_wait_ms: 2, ..Patience::default() };
    let credentials = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "test");
    GlueOptions {
        credentials: Some(SharedCredentialsProvider::new(credentials)),
        patience,
        seed: 7,
    }
}

/// A service with the table `b.lab` at `m0`.
async fn with_lab() -> (Service, GlueCatalog) {
    let service = Service::start();
    let catalog = connect(&service).await;
    catalog.create_namespace("b").await.unwrap();
    catalog.register(&name("b.lab"), "m0", &metadata()).await.unwrap();
    service.forget_calls();
    (service, catalog)
}

async fn swap(catalog: &GlueCatalog) -> crate::Result<Swap> {
    catalog.swap(&name("b.lab"), "m0", "m1", &metadata()).await
}

async fn location(catalog: &GlueCatalog) -> String {
    catalog.pointer(&name("b.lab")).await.unwrap().metadata_location
}
