//! The catalog itself: each call of [`Catalog`] as calls to Glue.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_glue::Client;
use aws_sdk_glue::config::Builder;
use aws_sdk_glue::config::retry::RetryConfig;
use aws_sdk_glue::types::DatabaseInput;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use iceberg::spec::TableMetadata;

use super::calls::{Glue, unbuilt};
use super::convert::new_table;
use super::failure::Meaning;
use super::place::GluePlace;
use crate::glue::{is_iceberg, pointer_of, table_input};
use crate::ident::check_name;
use crate::missing::{not_empty, taken};
use crate::waits::{Patience, Waits};
use crate::{Catalog, Error, ErrorKind, Pointer, Result, Swap, TableName};

/// A connection that does not come about in this time is given up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How a Glue is spoken to.
#[derive(Debug, Clone, Default)]
pub struct GlueOptions {
    /// Who calls; without it AWS's default chain: environment, profile, web identity, container,
    /// machine.
    pub credentials: Option<SharedCredentialsProvider>,
    /// How often calls are tried.
    pub patience: Patience,
    /// Begins the random part of the waits between attempts.
    pub seed: u64,
}

/// A Data Catalog of AWS Glue, or of a service that stands for it.
///
/// Its databases are the namespaces. Tables that are not Iceberg's are neither listed nor changed.
pub struct GlueCatalog {
    url: String,
    pub(super) glue: Glue,
}

impl fmt::Debug for GlueCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GlueCatalog").field("url", &self.url).finish_non_exhaustive()
    }
}

impl GlueCatalog {
    /// The catalog of a place. Nothing is sent before the first call of it.
    pub async fn connect(place: GluePlace, options: GlueOptions) -> Self {
        let tls = tls::Provider::Rustls(CryptoMode::Ring);
        let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new(place.region.clone()));
        if let Some(credentials) = options.credentials {
            loader = loader.credentials_provider(credentials);
        }
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(Duration::from_millis(options.patience.attempt_timeout_ms))
            .build();
        // An UpdateTable that the client sends again by itself could answer for the first one.
        let mut config = Builder::from(&loader.load().await)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        if let Some(endpoint) = &place.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Self {
            url: place.to_string(),
            glue: Glue {
                client: Client::from_conf(config.build()),
                place,
                waits: Waits::new(options.patience, options.seed),
            },
        }
    }
}

#[async_trait]
impl Catalog for GlueCatalog {
    fn url(&self) -> &str {
        &self.url
    }

    async fn create_namespace(&self, namespace: &str) -> Result<bool> {
        check_name("namespace", namespace)?;
        let glue = &self.glue;
        let input = DatabaseInput::builder().name(namespace).build().map_err(unbuilt)?;
        let attempt = || {
            let call = glue.client.create_database().set_catalog_id(glue.place.catalog_id.clone());
            call.database_input(input.clone()).send()
        };
        let mut failures = 0;
        loop {
            let failure = match glue.change(attempt).await {
                Ok(_) => return Ok(true),
                Err(failure) => failure,
            };
            match failure.meaning {
                // After a lost reply it is the one that was asked for then, or as good as that.
                Meaning::AlreadyExists => return Ok(failures > 0),
                Meaning::Open if failures + 1 < glue.waits.attempts() => failures += 1,
                _ => return Err(glue.error("CreateDatabase", namespace, failure)),
            }
            glue.waits.wait(failures).await;
        }
    }

    async fn list_namespaces(&self) -> Result<Vec<String>> {
        let mut names = self.glue.databases(usize::MAX).await?;
        names.retain(|name| check_name("namespace", name).is_ok());
        names.sort_unstable();
        Ok(names)
    }

    /// Glue removes a database with all that is in it, so what stands in it is looked at first: a
    /// table that another program makes between the two is removed from Glue; its files stay.
    async fn drop_namespace(&self, namespace: &str) -> Result<()> {
        let glue = &self.glue;
        let attempt = || {
            let call = glue.client.delete_database().set_catalog_id(glue.place.catalog_id.clone());
            call.name(namespace).send()
        };
        let mut failures = 0;
        loop {
            let Some(tables) = glue.names(namespace).await? else {
                let gone = failures > 0;
                return if gone { Ok(()) } else { Err(glue.missing_namespace(namespace).await) };
            };
            if let Some(first) = tables.first() {
                return Err(not_empty(namespace, tables.len(), first));
            }
            match glue.change(attempt).await {
                Ok(_) => return Ok(()),
                Err(failure) => match failure.meaning {
                    Meaning::NotFound if failures > 0 => return Ok(()),
                    Meaning::Open if failures + 1 < glue.waits.attempts() => failures += 1,
                    _ => return Err(glue.error("DeleteDatabase", namespace, failure)),
                },
            }
            glue.waits.wait(failures).await;
        }
    }

    async fn register(
        &self,
        table: &TableName,
        metadata_location: &str,
        metadata: &TableMetadata,
    ) -> Result<()> {
        let pointer = Pointer {
            metadata_location: metadata_location.to_owned(),
            previous_metadata_location: None,
        };
        let input = new_table(table_input(table, &pointer, metadata, None)).map_err(unbuilt)?;
        self.glue.add(table, &input, &pointer).await
    }

    async fn pointer(&self, table: &TableName) -> Result<Pointer> {
        let entry = self.glue.iceberg_entry(table).await?;
        pointer_of(&entry.input).ok_or_else(|| {
            Error::new(
                ErrorKind::Damaged,
                format!(
                    "the entry of `{table}` in Glue names no metadata file; drop it and register it \
                     again"
                ),
            )
        })
    }

    async fn swap(
        &self,
        table: &TableName,
        expected: &str,
        next: &str,
        metadata: &TableMetadata,
    ) -> Result<Swap> {
        self.glue.swap(table, expected, next, metadata).await
    }

    async fn list_tables(&self, namespace: &str) -> Result<Vec<TableName>> {
        let entries = match check_name("namespace", namespace) {
            Ok(()) => self.glue.entries(namespace, usize::MAX).await?,
            Err(_) => None,
        };
        let Some(entries) = entries else {
            return Err(self.glue.missing_namespace(namespace).await);
        };
        let tables = entries.into_iter().filter(|entry| is_iceberg(&entry.input));
        let mut names: Vec<TableName> =
            tables.filter_map(|entry| TableName::new(namespace, entry.input.name).ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn drop_table(&self, table: &TableName) -> Result<()> {
        let entry = self.glue.iceberg_entry(table).await?;
        self.glue.remove(table, |now| now.is_as(&entry)).await
    }

    /// Three steps, because Glue has no rename: `Conflict` if another writer changes the table meanwhile,
    /// `CommitUnknown`, saying what may stand where, if an answer was lost.
    async fn rename_table(&self, from: &TableName, to: &TableName) -> Result<()> {
        let entry = self.glue.iceberg_entry(from).await?;
        if from == to {
            return Err(taken(to));
        }
        self.glue.rename(from, to, &entry).await
    }
}
