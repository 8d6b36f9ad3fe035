//! The catalog itself: each call of [`Catalog`] as calls of the REST protocol.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use iceberg::spec::TableMetadata;
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::calls::{Rest, identifier};
use super::failure::Meaning;
use super::place::RestPlace;
use crate::ident::check_name;
use crate::missing::{missing_namespace, missing_table, not_empty, taken};
use crate::waits::{Patience, Waits};
use crate::{Catalog, Error, ErrorKind, Pointer, Result, Swap, TableName};

/// A connection that does not come about in this time is given up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An Iceberg REST catalog, whose tables are read and registered here and committed to elsewhere.
///
/// Of the protocol's namespaces those of one level are taken.
pub struct RestCatalog {
    url: String,
    rest: Rest,
}

impl fmt::Debug for RestCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestCatalog").field("url", &self.url).finish_non_exhaustive()
    }
}

impl RestCatalog {
    /// The catalog of a place. Nothing is sent before the first call of it. `seed` begins the random part
    /// of the waits between attempts.
    ///
    /// # Errors
    /// `Storage` if the machine's certificates cannot be read.
    pub fn connect(place: RestPlace, patience: Patience, seed: u64) -> Result<Self> {
        // A redirection could lead a token elsewhere.
        let http = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(Duration::from_millis(patience.attempt_timeout_ms))
            .user_agent(concat!("northstar/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| {
                Error::new(
                    ErrorKind::Storage,
                    "a client of REST catalogs could not be made; check the machine's certificates",
                )
                .with_source(e)
            })?;
        let url = place.to_string();
        Ok(Self { url, rest: Rest::new(http, place, Waits::new(patience, seed)) })
    }

    /// The names of the namespaces of one level, whatever they are, sorted.
    async fn namespaces(&self) -> Result<Vec<String>> {
        let listed = self.rest.list("namespaces", "namespaces").await;
        let listed = listed.map_err(|failure| failure.into_error(""))?.unwrap_or_default();
        let mut names: Vec<String> = listed
            .iter()
            .filter_map(|levels| match levels.as_array()?.as_slice() {
                [Value::String(name)] => Some(name.clone()),
                _ => None,
            })
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The names of the tables, or views, of a namespace, sorted; `None` if it is not there.
    async fn names(&self, namespace: &str, of: &str) -> Result<Option<Vec<String>>> {
        if check_name("namespace", namespace).is_err() {
            return Ok(None);
        }
        let listed = self.rest.list(&format!("namespaces/{namespace}/{of}"), "identifiers").await;
        let listed = listed.map_err(|failure| failure.into_error(namespace))?;
        Ok(listed.map(|listed| {
            let name = |listed: &Value| listed["name"].as_str().map(str::to_owned);
            let mut names: Vec<String> = listed.iter().filter_map(name).collect();
            names.sort_unstable();
            names
        }))
    }

    async fn missing_namespace(&self, namespace: &str) -> Error {
        match self.namespaces().await {
            Ok(names) => missing_namespace(namespace, &names),
            Err(error) => error,
        }
    }

    async fn missing(&self, table: &TableName) -> Error {
        match self.names(table.namespace(), "tables").await {
            Ok(Some(names)) => missing_table(table, &names),
            Ok(None) => self.missing_namespace(table.namespace()).await,
            Err(error) => error,
        }
    }

    /// A table's pointer; `None` if it is not there.
    async fn find(&self, table: &TableName) -> Result<Option<Pointer>> {
        // Of snapshots those that a branch or tag names are enough: the log is there in any case.
        let loaded = match self.rest.get(&path(table), &[("snapshots", "refs")]).await {
            Ok(loaded) => loaded,
            Err(failure) if failure.meaning == Meaning::NotFound => return Ok(None),
            Err(failure) => return Err(failure.into_error(table)),
        };
        let Some(location) = loaded["metadata-location"].as_str() else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("the REST catalog does not say where the metadata file of `{table}` is"),
            ));
        };
        let log = loaded["metadata"]["metadata-log"].as_array();
        let previous =
            log.and_then(|log| log.last()).and_then(|last| last["metadata-file"].as_str());
        Ok(Some(Pointer {
            metadata_location: location.to_owned(),
            previous_metadata_location: previous.map(str::to_owned),
        }))
    }
}

fn path(table: &TableName) -> String {
    format!("namespaces/{}/tables/{}", table.namespace(), table.table())
}

/// The error for a change whose reply was lost and that reading does not settle.
fn unknown(table: &TableName, cause: Error) -> Error {
    Error::new(
        ErrorKind::CommitUnknown,
        format!("the reply to a change of `{table}` was lost; look at the table again to see"),
    )
    .with_source(cause)
}

#[async_trait]
impl Catalog for RestCatalog {
    fn url(&self) -> &str {
        &self.url
    }

    async fn create_namespace(&self, namespace: &str) -> Result<bool> {
        check_name("namespace", namespace)?;
        let body = json!({ "namespace": [namespace], "properties": {} });
        match self.rest.change(Method::POST, "namespaces", &[], Some(&body)).await {
            Ok(()) => Ok(true),
            Err(failure) => match failure.meaning {
                Meaning::Taken => Ok(false),
                Meaning::Open if self.namespaces().await?.iter().any(|name| name == namespace) => {
                    Ok(true)
                }
                _ => Err(failure.into_error(namespace)),
            },
        }
    }

    async fn list_namespaces(&self) -> Result<Vec<String>> {
        let mut names = self.namespaces().await?;
        names.retain(|name| check_name("namespace", name).is_ok());
        Ok(names)
    }

    async fn drop_namespace(&self, namespace: &str) -> Result<()> {
        let Some(mut names) = self.names(namespace, "tables").await? else {
            return Err(self.missing_namespace(namespace).await);
        };
        // Not each server has views.
        if let Ok(Some(views)) = self.names(namespace, "views").await {
            names.extend(views);
        }
        if let Some(first) = names.first() {
            return Err(not_empty(namespace, names.len(), first));
        }
        let path = format!("namespaces/{namespace}");
        match self.rest.change(Method::DELETE, &path, &[], None).await {
            Ok(()) => Ok(()),
            Err(failure) => match failure.meaning {
                Meaning::NotFound => Err(self.missing_namespace(namespace).await),
                Meaning::Taken => Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!(
                        "the namespace `{namespace}` is not empty; remove what stands in it first"
                    ),
                )),
                Meaning::Open if !self.namespaces().await?.iter().any(|name| name == namespace) => {
                    Ok(())
                }
                _ => Err(failure.into_error(namespace)),
            },
        }
    }

    async fn register(
        &self,
        table: &TableName,
        metadata_location: &str,
        _metadata: &TableMetadata,
    ) -> Result<()> {
        let path = format!("namespaces/{}/register", table.namespace());
        let body = json!({ "name": table.table(), "metadata-location": metadata_location });
        let failure = match self.rest.change(Method::POST, &path, &[], Some(&body)).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        match failure.meaning {
            Meaning::Taken => Err(taken(table)),
            Meaning::NotFound if self.names(table.namespace(), "tables").await?.is_none() => {
                Err(self.missing_namespace(table.namespace()).await)
            }
            Meaning::Open => match self.find(table).await {
                Ok(Some(now)) if now.metadata_location == metadata_location => Ok(()),
                _ => Err(unknown(table, failure.into_error(table))),
            },
            _ => Err(failure.into_error(table)),
        }
    }

    async fn pointer(&self, table: &TableName) -> Result<Pointer> {
        match self.find(table).await? {
            Some(pointer) => Ok(pointer),
            None => Err(self.missing(table).await),
        }
    }

    /// Refused: a client of the protocol sends changes, of which the server makes a metadata file of its
    /// own, so the pointer can never be moved to a file that is given.
    async fn swap(
        &self,
        table: &TableName,
        _expected: &str,
        _next: &str,
        _metadata: &TableMetadata,
    ) -> Result<Swap> {
        Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "`{table}` is in a REST catalog, whose tables can be read but not changed here; change it \
                 through the catalog behind it (glue:// for AWS Glue) or with another engine"
            ),
        ))
    }

    async fn list_tables(&self, namespace: &str) -> Result<Vec<TableName>> {
        let Some(names) = self.names(namespace, "tables").await? else {
            return Err(self.missing_namespace(namespace).await);
        };
        Ok(names.into_iter().filter_map(|name| TableName::new(namespace, name).ok()).collect())
    }

    async fn drop_table(&self, table: &TableName) -> Result<()> {
        let query = [("purgeRequested", "false")];
        match self.rest.change(Method::DELETE, &path(table), &query, None).await {
            Ok(()) => Ok(()),
            Err(failure) => match failure.meaning {
                Meaning::NotFound => Err(self.missing(table).await),
                Meaning::Open => match self.find(table).await {
                    Ok(None) => Ok(()),
                    _ => Err(unknown(table, failure.into_error(table))),
                },
                _ => Err(failure.into_error(table)),
            },
        }
    }

    async fn rename_table(&self, from: &TableName, to: &TableName) -> Result<()> {
        let pointer = self.pointer(from).await?;
        if from == to {
            return Err(taken(to));
        }
        let body = json!({ "source": identifier(from), "destination": identifier(to) });
        let failure = match self.rest.change(Method::POST, "tables/rename", &[], Some(&body)).await
        {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        match failure.meaning {
            Meaning::Taken => Err(taken(to)),
            Meaning::NotFound if self.names(to.namespace(), "tables").await?.is_none() => {
                Err(self.missing_namespace(to.namespace()).await)
            }
            Meaning::NotFound => Err(self.missing(from).await),
            Meaning::Open => match (self.find(from).await, self.find(to).await) {
                (Ok(None), Ok(Some(now))) if now == pointer => Ok(()),
                _ => Err(unknown(from, failure.into_error(from))),
            },
            _ => Err(failure.into_error(from)),
        }
    }
}
