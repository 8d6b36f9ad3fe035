//! Which Glue: its region, and what else a `glue://` URL says.

use std::fmt;

use crate::url::{invalid, names_a_user, options, percent_encoded};
use crate::{Error, ErrorKind, Result};

/// The options of a `glue://` URL.
const OPTIONS: [&str; 3] = ["endpoint", "catalog_id", "unversioned"];

/// Which Data Catalog, without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GluePlace {
    /// The AWS region, such as `eu-west-2`.
    pub region: String,
    /// The URL of a service that stands for AWS; without one, AWS's own or what the environment's
    /// `AWS_ENDPOINT_URL_GLUE` or `AWS_ENDPOINT_URL` says.
    pub endpoint: Option<String>,
    /// The account whose catalog it is, if not that of the credentials.
    pub catalog_id: Option<String>,
    /// Whether tables that have no `VersionId` are committed to all the same. AWS always gives
    /// one. Without it two writers that commit at once may both be told that they did, and the rows
    /// of one are lost.
    pub unversioned: bool,
}

impl GluePlace {
    /// The AWS catalog of a region, in the account of the credentials.
    pub fn of_region(region: impl Into<String>) -> Self {
        Self { region: region.into(), endpoint: None, catalog_id: None, unversioned: false }
    }

    /// Reads `glue://REGION/`, which may go on with `?endpoint=URL`, `&catalog_id=ACCOUNT` and
    /// `&unversioned=allow`.
    ///
    /// # Errors
    /// `InvalidInput`, which shows nothing of a URL that may hold a secret.
    pub fn parse(url: &str) -> Result<Self> {
        let (before, options) = options(url, &OPTIONS)?;
        let region = region(before)?;
        let mut place = Self::of_region(region);
        for (name, value) in options {
            match name {
                "endpoint" => place.endpoint = Some(endpoint(value)?),
                "catalog_id" => place.catalog_id = Some(account(value)?),
                _ if value == "allow" => place.unversioned = true,
                _ => {
                    return Err(invalid(
                        "the option `unversioned` of a glue:// URL takes only `allow`; leave it out \
                         to have tables without a VersionId refused"
                            .to_owned(),
                    ));
                }
            }
        }
        Ok(place)
    }
}

/// The URL; parsing it gives the same place.
impl fmt::Display for GluePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "glue://{}/", self.region)?;
        let endpoint = self.endpoint.as_ref().map(|url| percent_encoded(url.as_bytes(), b":/.-_~"));
        let endpoint = endpoint.transpose().map_err(|_| fmt::Error)?;
        let unversioned = self.unversioned.then(|| "allow".to_owned());
        let options = [
            ("endpoint", endpoint),
            ("catalog_id", self.catalog_id.clone()),
            ("unversioned", unversioned),
        ];
        let said = options.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for (position, (name, value)) in said.enumerate() {
            write!(f, "{}{name}={value}", if position == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

fn region(before: &str) -> Result<&str> {
    let rest = before.split_once("://").map_or("", |(_, rest)| rest);
    let region = rest.strip_suffix('/').unwrap_or(rest);
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if region.is_empty() || region.len() > 63 || !region.chars().all(legal) {
        return Err(invalid(
            "the URL of a Glue catalog names its AWS region and no more; write glue://REGION/, for \
             instance glue://us-east-1/"
                .to_owned(),
        ));
    }
    Ok(region)
}

fn endpoint(url: String) -> Result<String> {
    if names_a_user(&url) {
        return Err(invalid(
            "the endpoint of a glue:// URL names a user; take it out, and have its password \
             replaced where it was shown: credentials come from the environment, a profile or a role"
                .to_owned(),
        ));
    }
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    if host.is_none_or(|host| host.is_empty() || host.starts_with('/') || url.contains(['?', '#']))
    {
        return Err(invalid(
            "the endpoint of a glue:// URL is no URL of a host; write endpoint=https://HOST:PORT"
                .to_owned(),
        ));
    }
    Ok(url)
}

fn account(id: String) -> Result<String> {
    // `123456789012`, or with the name of a catalog within it: `123456789012:s3tablescatalog/bucket`.
    let legal = |c: char| c.is_ascii_alphanumeric() || ":/._-".contains(c);
    if id.len() > 255 || !id.starts_with(|c: char| c.is_ascii_digit()) || !id.chars().all(legal) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "the option `catalog_id` of a glue:// URL is no AWS account; write catalog_id= and its \
             12 digits",
        ));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_from_its_url() {
        for (url, same) in [
            ("glue://us-east-1/", "glue://us-east-1/"),
            ("GLUE://us-gov-west-1", "glue://us-gov-west-1/"),
            (
                "glue://eu-west-2/?catalog_id=123456789012&endpoint=http://127.0.0.1:5000",
                "glue://eu-west-2/?endpoint=http://127.0.0.1:5000&catalog_id=123456789012",
            ),
            ("glue://x/?unversioned=allow", "glue://x/?unversioned=allow"),
        ] {
            let place = GluePlace::parse(url).unwrap();
            assert_eq!(place.to_string(), same);
            assert_eq!(GluePlace::parse(same).unwrap(), place);
        }
    }

    #[test]
    fn what_is_no_place_is_refused_and_secrets_are_not_shown() {
        for url in [
            "glue:",
            "glue://",
            "glue:///",
            "glue://us-east-1/database",
            "glue://hunter2:hunter2@us-east-1/",
            "glue://US-EAST-1/",
            "glue://us-east-1/?endpoint=127.0.0.1:5000",
            "glue://us-east-1/?endpoint=http://",
            "glue://us-east-1/?endpoint=http://me:hunter2@host",
            "glue://us-east-1/?secret_access_key=hunter2",
            "glue://us-east-1/?hunter2",
            "glue://us-east-1/?catalog_id=hunter2",
            "glue://us-east-1/?unversioned=hunter2",
        ] {
            let error = GluePlace::parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
