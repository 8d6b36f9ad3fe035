//! Which endpoint a method and a path mean.

use axum::http::{Method, StatusCode};
use northstar_iceberg::TableName;
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::reply::{Reply, bad_request};
use crate::api::fault::Fault;
use crate::api::request_log::name;

/// What stands between the levels of a namespace in a path.
const LEVELS: char = '\u{1F}';

/// An endpoint, with the names in its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Config,
    ListNamespaces,
    CreateNamespace,
    LoadNamespace(String),
    NamespaceExists(String),
    DropNamespace(String),
    UpdateProperties(String),
    ListTables(String),
    CreateTable(String),
    RegisterTable(String),
    LoadTable(TableName),
    TableExists(TableName),
    CommitTable(TableName),
    DropTable(TableName),
    ReportMetrics,
    RenameTable,
    CommitTransaction,
}

/// Those that are served, as clients are told.
const SERVED: [&str; 16] = [
    "GET /v1/{prefix}/namespaces",
    "POST /v1/{prefix}/namespaces",
    "GET /v1/{prefix}/namespaces/{namespace}",
    "HEAD /v1/{prefix}/namespaces/{namespace}",
    "DELETE /v1/{prefix}/namespaces/{namespace}",
    "POST /v1/{prefix}/namespaces/{namespace}/properties",
    "GET /v1/{prefix}/namespaces/{namespace}/tables",
    "POST /v1/{prefix}/namespaces/{namespace}/tables",
    "POST /v1/{prefix}/namespaces/{namespace}/register",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics",
    "POST /v1/{prefix}/tables/rename",
    "POST /v1/{prefix}/transactions/commit",
];

/// The answer to a client that asks what it may do. One catalog is all there is, so the warehouse that
/// it names does not matter, and its paths need no prefix.
pub(super) fn config() -> Reply {
    Reply::of(json!({ "defaults": {}, "overrides": {}, "endpoints": SERVED }))
}

impl Endpoint {
    /// The endpoint of a request.
    ///
    /// # Errors
    /// 400 for a path that cannot be read; 404 for one that is not served, and for names that nothing
    /// can have here; 405 for a method that it does not take.
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, Fault> {
        let names = names(path)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (get, head) = (method == Method::GET, method == Method::HEAD);
        let (post, delete) = (method == Method::POST, method == Method::DELETE);
        let namespace = |name: &str| namespace(name);
        Ok(match without_prefix(&names) {
            ["config"] if get => Self::Config,
            ["namespaces"] if get => Self::ListNamespaces,
            ["namespaces"] if post => Self::CreateNamespace,
            ["namespaces", name] if get => Self::LoadNamespace(namespace(name)?),
            ["namespaces", name] if head => Self::NamespaceExists(namespace(name)?),
            ["namespaces", name] if delete => Self::DropNamespace(namespace(name)?),
            ["namespaces", name, "properties"] if post => Self::UpdateProperties(namespace(name)?),
            ["namespaces", name, "tables"] if get => Self::ListTables(namespace(name)?),
            ["namespaces", name, "tables"] if post => Self::CreateTable(namespace(name)?),
            ["namespaces", name, "register"] if post => Self::RegisterTable(namespace(name)?),
            ["namespaces", name, "tables", t] if get => Self::LoadTable(table(name, t)?),
            ["namespaces", name, "tables", t] if head => Self::TableExists(table(name, t)?),
            ["namespaces", name, "tables", t] if post => Self::CommitTable(table(name, t)?),
            ["namespaces", name, "tables", t] if delete => Self::DropTable(table(name, t)?),
            ["namespaces", _, "tables", _, "metrics"] if post => Self::ReportMetrics,
            ["tables", "rename"] if post => Self::RenameTable,
            ["transactions", "commit"] if post => Self::CommitTransaction,
            ["namespaces", _, "views", _] if get || head => {
                return Err(missing("NoSuchViewException", "views are not served"));
            }
            names => return Err(unserved(names)),
        })
    }
}

impl Endpoint {
    /// What it does, for the log and the metrics.
    pub(super) fn action(&self) -> &'static str {
        match self {
            Self::Config => "GetConfig",
            Self::ListNamespaces => "ListNamespaces",
            Self::CreateNamespace => "CreateNamespace",
            Self::LoadNamespace(_) => "LoadNamespace",
            Self::NamespaceExists(_) => "NamespaceExists",
            Self::DropNamespace(_) => "DropNamespace",
            Self::UpdateProperties(_) => "UpdateProperties",
            Self::ListTables(_) => "ListTables",
            Self::CreateTable(_) => "CreateTable",
            Self::RegisterTable(_) => "RegisterTable",
            Self::LoadTable(_) => "LoadTable",
            Self::TableExists(_) => "TableExists",
            Self::CommitTable(_) => "CommitTable",
            Self::DropTable(_) => "DropTable",
            Self::ReportMetrics => "ReportMetrics",
            Self::RenameTable => "RenameTable",
            Self::CommitTransaction => "CommitTransaction",
        }
    }

    /// What it is about, for the log: a table or a namespace, if its path names one.
    pub(super) fn resource(&self) -> String {
        match self {
            Self::LoadNamespace(namespace)
            | Self::NamespaceExists(namespace)
            | Self::DropNamespace(namespace)
            | Self::UpdateProperties(namespace)
            | Self::ListTables(namespace)
            | Self::CreateTable(namespace)
            | Self::RegisterTable(namespace) => name(namespace).to_string(),
            Self::LoadTable(table)
            | Self::TableExists(table)
            | Self::CommitTable(table)
            | Self::DropTable(table) => table.to_string(),
            Self::Config
            | Self::ListNamespaces
            | Self::CreateNamespace
            | Self::ReportMetrics
            | Self::RenameTable
            | Self::CommitTransaction => String::new(),
        }
    }
}

/// The decoded parts of a path after `/v1`.
fn names(path: &str) -> Result<Vec<String>, Fault> {
    let Some(rest) = path.strip_prefix("/v1/") else {
        return Err(missing("NotFoundException", "there is nothing here; paths begin with /v1/"));
    };
    let decoded = rest.trim_end_matches('/').split('/').map(|part| {
        let text = percent_decode_str(part).decode_utf8();
        text.map(String::from).map_err(|_| bad_request("the path is not of UTF-8"))
    });
    decoded.collect()
}

/// The names without the prefix that clients of AWS Glue put before them: `catalogs/ACCOUNT`.
fn without_prefix<'a, 'b>(names: &'a [&'b str]) -> &'a [&'b str] {
    match names {
        ["catalogs", _, rest @ ..] => rest,
        [one, rest @ ..] if one.starts_with("catalogs/") => rest,
        names => names,
    }
}

/// The one level of a namespace in a path.
fn namespace(name: &str) -> Result<String, Fault> {
    match name.contains(LEVELS) {
        false => Ok(name.to_string()),
        true => Err(missing(
            "NoSuchNamespaceException",
            "namespaces have one level here, so none within another is there",
        )),
    }
}

/// A table in a path. One whose name breaks the rules is not there, whatever is asked of it: Spark asks
/// for a table `snapshots` in a namespace of two levels before it looks for that of a table.
fn table(of: &str, name: &str) -> Result<TableName, Fault> {
    let absent = |message: &str| missing("NoSuchTableException", message);
    let namespace = namespace(of).map_err(|fault| absent(&fault.message))?;
    TableName::new(namespace, name).map_err(|error| absent(error.message()))
}

fn missing(code: &'static str, message: &str) -> Fault {
    Fault::new(code, StatusCode::NOT_FOUND, message)
}

/// The error for an endpoint that is not served, or not by this method.
fn unserved(names: &[&str]) -> Fault {
    let known = matches!(
        names,
        ["config" | "namespaces"]
            | ["namespaces", _]
            | ["namespaces", _, "properties" | "tables" | "register"]
            | ["namespaces", _, "tables", _]
            | ["namespaces", _, "tables", _, "metrics"]
            | ["tables", "rename"]
            | ["transactions", "commit"]
    );
    match known {
        true => Fault::new(
            "MethodNotAllowedException",
            StatusCode::METHOD_NOT_ALLOWED,
            "this endpoint does not take this method; GET /v1/config lists what is served",
        ),
        false => missing(
            "NotFoundException",
            "this endpoint is not served; GET /v1/config lists those that are",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &Method, path: &str) -> Result<Endpoint, u16> {
        Endpoint::of(method, path).map_err(|fault| fault.status.as_u16())
    }

    #[test]
    fn paths_are_read_with_and_without_glues_prefix() {
        let table: TableName = "b.lab".parse().unwrap();
        for path in [
            "/v1/namespaces/b/tables/lab",
            "/v1/namespaces/b/tables/lab/",
            "/v1/catalogs/123456789012/namespaces/b/tables/lab",
            "/v1/catalogs%2F123456789012/namespaces/b/tables/l%61b",
        ] {
            let loaded = of(&Method::GET, path);
            assert_eq!(loaded, Ok(Endpoint::LoadTable(table.clone())), "{path}");
        }
        assert_eq!(of(&Method::GET, "/v1/config"), Ok(Endpoint::Config));
        assert_eq!(of(&Method::POST, "/v1/tables/rename"), Ok(Endpoint::RenameTable));
    }

    #[test]
    fn what_is_not_served_is_told_from_what_is_not_there() {
        for (method, path, status) in [
            (Method::GET, "/v2/namespaces", 404),
            (Method::GET, "/v1/namespaces/a%1Fb", 404),
            (Method::GET, "/v1/namespaces/a%1Fb/tables/c", 404),
            (Method::GET, "/v1/namespaces/b/tables/Lab", 404),
            (Method::GET, "/v1/namespaces/b/tables/%FF", 400),
            (Method::PUT, "/v1/namespaces/b/tables/lab", 405),
            (Method::GET, "/v1/tables/rename", 405),
            (Method::GET, "/v1/namespaces/b/views", 404),
            (Method::POST, "/v1/namespaces/b/tables/lab/plan", 404),
        ] {
            assert_eq!(of(&method, path), Err(status), "{method} {path}");
        }
    }

    #[test]
    fn what_is_listed_is_served_and_nothing_else_is() {
        for listed in SERVED {
            let (method, path) = listed.split_once(' ').unwrap();
            let path = path.replace("{prefix}", "catalogs/1");
            let path = path.replace("{namespace}", "b").replace("{table}", "lab");
            assert!(of(&method.parse().unwrap(), &path).is_ok(), "{listed}");
        }
    }
}
