//! Who calls: tokens that are kept, renewed, asked for and refused.

use super::connect;
use super::service::Service;
use crate::{Catalog, ErrorKind};

#[tokio::test]
async fn a_token_is_read_again_when_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let service = Service::start();
    let catalog = connect(&service, &format!("?token=file:{}", path.display()));
    service.state().token = Some("first".to_owned());
    std::fs::write(&path, "first\n").unwrap();
    catalog.list_namespaces().await.unwrap();
    service.state().token = Some("second".to_owned());
    std::fs::write(&path, "second\n").unwrap();
    service.forget_calls();
    catalog.list_namespaces().await.unwrap();
    assert_eq!(service.calls().len(), 2);
    service.state().token = Some("third".to_owned());
    let error = catalog.list_namespaces().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let shown = format!("{error} {error:?} {catalog:?} {}", catalog.url());
    assert!(!shown.contains("second") && !shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_token_is_asked_for_with_the_clients_secret_and_again_when_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credential");
    std::fs::write(&path, "northstar:hunter2").unwrap();
    let service = Service::start();
    let catalog = connect(&service, &format!("?credential=file:{}", path.display()));
    service.state().given.extend(["one".to_owned(), "two".to_owned()]);
    service.state().token = Some("one".to_owned());
    assert!(catalog.create_namespace("b").await.unwrap());
    service.state().token = Some("two".to_owned());
    assert_eq!(catalog.list_namespaces().await.unwrap(), ["b"]);
    let asked = service.calls().iter().filter(|call| call.ends_with("oauth/tokens")).count();
    assert_eq!(asked, 2);

    std::fs::write(&path, "northstar:wrong").unwrap();
    service.state().token = Some("three".to_owned());
    let error = catalog.list_namespaces().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
}

#[tokio::test]
async fn without_a_secret_nothing_is_sent() {
    let service = Service::start();
    let catalog = connect(&service, "?token=env:NORTHSTAR_NO_SUCH_VARIABLE");
    let error = catalog.list_namespaces().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.message().contains("env:NORTHSTAR_NO_SUCH_VARIABLE"), "{error}");
    assert_eq!(service.calls(), Vec::<String>::new());
}
