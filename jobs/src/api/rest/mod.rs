//! The Iceberg REST catalog protocol: what DuckDB, Spark, Trino and PyIceberg speak to a catalog.
//!
//! | file | holds |
//! | --- | --- |
//! | `endpoint.rs` | which endpoint a method and a path mean, and the list of those that are served |
//! | `reply.rs` | replies, and errors as the protocol names them |
//! | `query.rs` | parameters of a request, and pages of a list |
//! | `body.rs` | what a request says in its body; nothing of it is passed over |
//! | `namespaces.rs` | namespaces and their properties |
//! | `tables.rs` | tables: listed, made, loaded, registered, renamed, dropped |
//! | `commits.rs` | commits to one table or to several |
//!
//! Who asks is the server's to find out, and so are tokens. Namespaces have one level. Views are not
//! served.
//!
//! Source: <https://iceberg.apache.org/rest-catalog-spec/>

mod body;
mod commits;
mod endpoint;
mod namespaces;
mod query;
mod reply;
mod tables;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::http::Method;
use northstar_catalog::sqlite::SqliteCatalog;
use northstar_iceberg::Lake;
use northstar_iceberg::access::Access;

use self::endpoint::Endpoint;
use self::query::Query;
pub(crate) use self::reply::Reply;

/// One request under way.
pub(super) struct Call<'a> {
    lake: &'a Lake,
    catalog: &'a SqliteCatalog,
    access: &'a Access,
    query: Query,
    body: &'a [u8],
}

/// What a request does and to what, for the log and the metrics.
pub(crate) fn described(method: &Method, path: &str) -> (&'static str, String) {
    match Endpoint::of(method, path) {
        Ok(endpoint) => (endpoint.action(), endpoint.resource()),
        Err(_) => ("Unknown", String::new()),
    }
}

/// Answers one request. `path` begins with `/v1/`.
pub(crate) async fn call(
    lake: &Lake,
    catalog: &Arc<SqliteCatalog>,
    access: &Access,
    method: &Method,
    path: &str,
    query: Option<&str>,
    body: &[u8],
) -> Reply {
    let answer = async {
        let endpoint = Endpoint::of(method, path)?;
        let call = Call { lake, catalog, access, query: Query::read(query)?, body };
        call.answer(endpoint).await
    };
    let reply = answer.await.unwrap_or_else(Reply::from);
    // A client that only asks whether something is there gets no text.
    if *method == Method::HEAD { reply.without_body() } else { reply }
}

impl Call<'_> {
    async fn answer(&self, endpoint: Endpoint) -> reply::Answer {
        match endpoint {
            Endpoint::Config => Ok(endpoint::config()),
            Endpoint::ListNamespaces => self.list_namespaces().await,
            Endpoint::CreateNamespace => self.create_namespace().await,
            Endpoint::LoadNamespace(namespace) => self.load_namespace(&namespace).await,
            Endpoint::NamespaceExists(namespace) => self.namespace_exists(&namespace).await,
            Endpoint::DropNamespace(namespace) => self.drop_namespace(&namespace).await,
            Endpoint::UpdateProperties(namespace) => self.update_properties(&namespace).await,
            Endpoint::ListTables(namespace) => self.list_tables(&namespace).await,
            Endpoint::CreateTable(namespace) => self.create_table(&namespace).await,
            Endpoint::RegisterTable(namespace) => self.register_table(&namespace).await,
            Endpoint::LoadTable(table) => self.load_table(&table).await,
            Endpoint::TableExists(table) => self.table_exists(&table).await,
            Endpoint::CommitTable(table) => self.commit_table(&table).await,
            Endpoint::DropTable(table) => self.drop_table(&table).await,
            Endpoint::ReportMetrics => self.report_metrics(),
            Endpoint::RenameTable => self.rename_table().await,
            Endpoint::CommitTransaction => self.commit_transaction().await,
        }
    }
}
