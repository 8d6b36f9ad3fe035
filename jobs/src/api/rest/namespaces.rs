//! Namespaces and their properties.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use northstar_catalog::Catalog;
use northstar_iceberg::ErrorKind;
use serde::Deserialize;
use serde_json::json;

use super::reply::{About, Answer, Reply, bad_request};
use super::{Call, body};
use crate::api::fault::Fault;

/// A namespace to be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    namespace: Vec<String>,
    #[serde(default)]
    properties: Option<BTreeMap<String, String>>,
}

/// A change of properties.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    #[serde(default)]
    removals: Option<Vec<String>>,
    #[serde(default)]
    updates: Option<BTreeMap<String, String>>,
}

impl Call<'_> {
    pub(super) async fn list_namespaces(&self) -> Answer {
        let about = |error| About::Namespace.fault(&error);
        let names = match self.query.parent.as_deref().unwrap_or_default() {
            "" => self.catalog.list_namespaces().await.map_err(about)?,
            parent => {
                // Nothing is within a namespace, but it must be there.
                self.catalog.namespace_properties(parent).await.map_err(about)?;
                Vec::new()
            }
        };
        let (page, next) = self.query.page(names)?;
        let namespaces: Vec<[String; 1]> = page.into_iter().map(|name| [name]).collect();
        Ok(Reply::of(json!({ "namespaces": namespaces, "next-page-token": next })))
    }

    pub(super) async fn create_namespace(&self) -> Answer {
        let Create { namespace, properties } = body::read(self.body)?;
        let (name, properties) = (one_level(namespace)?, properties.unwrap_or_default());
        let made = self.catalog.create_namespace_with(&name, &properties).await;
        made.map_err(|error| About::Namespace.fault(&error))?;
        Ok(Reply::of(json!({ "namespace": [name], "properties": properties })))
    }

    pub(super) async fn load_namespace(&self, name: &str) -> Answer {
        let properties = self.catalog.namespace_properties(name).await;
        let properties = properties.map_err(|error| About::Namespace.fault(&error))?;
        Ok(Reply::of(json!({ "namespace": [name], "properties": properties })))
    }

    pub(super) async fn namespace_exists(&self, name: &str) -> Answer {
        self.load_namespace(name).await.map(|_| Reply::done())
    }

    pub(super) async fn drop_namespace(&self, name: &str) -> Answer {
        match self.catalog.drop_namespace(name).await {
            Ok(()) => Ok(Reply::done()),
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                Err(Fault::new("NamespaceNotEmptyException", StatusCode::CONFLICT, error.message()))
            }
            Err(error) => Err(About::Namespace.fault(&error)),
        }
    }

    pub(super) async fn update_properties(&self, name: &str) -> Answer {
        let Update { removals, updates } = body::read(self.body)?;
        let (removals, updates) = (removals.unwrap_or_default(), updates.unwrap_or_default());
        if let Some(both) = removals.iter().find(|key| updates.contains_key(key.as_str())) {
            return Err(Fault::new(
                "UnprocessableEntityException",
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("the property `{both}` is both removed and set; do one of them"),
            ));
        }
        let done = self.catalog.set_namespace_properties(name, &removals, &updates).await;
        let done = done.map_err(|error| About::Namespace.fault(&error))?;
        Ok(Reply::of(json!({
            "updated": done.updated, "removed": done.removed, "missing": done.missing,
        })))
    }
}

/// The name of a namespace in a body.
///
/// # Errors
/// 400 for several levels.
pub(super) fn one_level(namespace: Vec<String>) -> Result<String, Fault> {
    match <[String; 1]>::try_from(namespace) {
        Ok([name]) => Ok(name),
        Err(_) => {
            Err(bad_request("a namespace has one level here; name one, such as [\"bronze\"]"))
        }
    }
}
