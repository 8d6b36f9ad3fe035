//! Which service a request is for.

use axum::http::{HeaderMap, Method};

use super::answer::Form;

/// The services of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Glue: Data Catalog and Jobs.
    Glue,
    /// EMR Serverless.
    EmrServerless,
    /// Iceberg REST.
    Iceberg,
    /// Tokens for Iceberg REST.
    Tokens,
    Health,
    Metrics,
}

/// The header that names an action of Glue.
const TARGET: &str = "x-amz-target";

/// What goes before the name.
const GLUE: &str = "AWSGlue.";

impl Service {
    /// The service of a request; `None` if there is none.
    pub(crate) fn of(method: &Method, path: &str, headers: &HeaderMap) -> Option<Self> {
        match path {
            "/healthz" => return Some(Self::Health),
            "/metrics" => return Some(Self::Metrics),
            "/" if method == Method::POST && headers.contains_key(TARGET) => {
                return Some(Self::Glue);
            }
            _ => {}
        }
        match rest_path(path) {
            Some("/v1/oauth/tokens") => Some(Self::Tokens),
            Some(_) => Some(Self::Iceberg),
            None if path.starts_with("/applications") || path.starts_with("/tags/") => {
                Some(Self::EmrServerless)
            }
            None => None,
        }
    }

    /// Its name in logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Glue => "glue",
            Self::EmrServerless => "emr-serverless",
            Self::Iceberg | Self::Tokens => "iceberg",
            Self::Health => "health",
            Self::Metrics => "metrics",
        }
    }

    /// How it writes its answers.
    pub(crate) fn form(self) -> Form {
        match self {
            Self::Glue => Form::Json11,
            Self::EmrServerless | Self::Health | Self::Metrics => Form::RestJson,
            Self::Iceberg | Self::Tokens => Form::Iceberg,
        }
    }

    /// The names that a signature may be for.
    pub(crate) fn signing_names(self) -> &'static [&'static str] {
        match self {
            Self::EmrServerless => &["emr-serverless"],
            Self::Iceberg | Self::Tokens => &["glue", "execute-api", "s3tables"],
            Self::Glue | Self::Health | Self::Metrics => &["glue"],
        }
    }
}

/// The action of a request to Glue, if it names one.
pub(crate) fn glue_action(headers: &HeaderMap) -> &str {
    let target = headers.get(TARGET).and_then(|target| target.to_str().ok()).unwrap_or_default();
    target.strip_prefix(GLUE).unwrap_or_default()
}

/// The path of a request to Iceberg REST below where it is mounted: at the root, and where AWS has it.
pub(crate) fn rest_path(path: &str) -> Option<&str> {
    let path = path.strip_prefix("/iceberg").unwrap_or(path);
    path.starts_with("/v1/").then_some(path)
}

/// Whether a path is as a client would write it: no empty step, and none up or in place. A signature
/// does not tell such paths apart.
pub(crate) fn is_plain(path: &str) -> bool {
    let steps = path.trim_start_matches('/').trim_end_matches('/');
    path.starts_with('/')
        && !path.starts_with("//")
        && !path.ends_with("//")
        && (steps.is_empty() || steps.split('/').all(|step| !matches!(step, "" | "." | "..")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &Method, path: &str, target: Option<&'static str>) -> Option<Service> {
        let mut headers = HeaderMap::new();
        if let Some(target) = target {
            headers.insert(TARGET, target.parse().unwrap());
        }
        Service::of(method, path, &headers)
    }

    #[test]
    fn each_request_has_its_service() {
        let post = &Method::POST;
        assert_eq!(of(post, "/", Some("AWSGlue.GetTable")), Some(Service::Glue));
        assert_eq!(of(post, "/", None), None);
        assert_eq!(of(&Method::GET, "/", Some("AWSGlue.GetTable")), None);
        assert_eq!(of(post, "/applications/a1/jobruns", None), Some(Service::EmrServerless));
        assert_eq!(of(&Method::GET, "/iceberg/v1/config", None), Some(Service::Iceberg));
        assert_eq!(of(&Method::GET, "/v1/namespaces", None), Some(Service::Iceberg));
        assert_eq!(of(post, "/v1/oauth/tokens", None), Some(Service::Tokens));
        assert_eq!(of(&Method::GET, "/healthz", None), Some(Service::Health));
        assert_eq!(of(&Method::GET, "/other", None), None);
    }

    #[test]
    fn a_path_that_a_signature_takes_for_another_is_not_plain() {
        for path in ["/", "/applications", "/v1/namespaces/", "/a/b.c", "/v1/x%2Fy"] {
            assert!(is_plain(path), "{path}");
        }
        for path in ["", "//", "/a//b", "/a/../b", "/./a", "/a/..", "a", "/a//"] {
            assert!(!is_plain(path), "{path}");
        }
    }
}
