//! Parameters of a request, and pages of a list.

use axum::extract::Query as Parsed;
use axum::http::Uri;
use serde::Deserialize;
use serde_json::Value;

use super::reply::bad_request;
use crate::api::fault::Fault;

/// The most names on a page.
const MOST_NAMES: usize = 1_000;

/// The parameters that some endpoint takes; others are not looked at, as the protocol wants.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Query {
    /// The namespace whose children are listed.
    pub(super) parent: Option<String>,
    page_token: Option<String>,
    page_size: Option<usize>,
    /// Which snapshots of a table are shown: `all` or `refs`.
    pub(super) snapshots: Option<String>,
    /// Whether the files of a table that is dropped should go too.
    pub(super) purge_requested: Option<String>,
}

impl Query {
    /// Reads what stands after the `?`.
    ///
    /// # Errors
    /// 400.
    pub(super) fn read(text: Option<&str>) -> Result<Self, Fault> {
        let Some(text) = text else { return Ok(Self::default()) };
        let unread = || bad_request("the parameters of the request cannot be read");
        let uri: Uri = format!("/?{text}").parse().map_err(|_| unread())?;
        Parsed::try_from_uri(&uri).map(|Parsed(query)| query).map_err(|_| unread())
    }

    /// The names of one page, and the token of the next. Names are sorted; a token is the name that
    /// the page before ended with, so that a list that changes in between loses nothing else. A client
    /// that does not ask for pages gets all names.
    ///
    /// # Errors
    /// 400 for a page without names.
    pub(super) fn page(&self, names: Vec<String>) -> Result<(Vec<String>, Value), Fault> {
        let after = self.page_token.as_deref().unwrap_or_default();
        let size = match (self.page_size, &self.page_token) {
            (Some(0), _) => return Err(bad_request("a page has one name at least")),
            (Some(size), _) => size.min(MOST_NAMES),
            (None, Some(_)) => MOST_NAMES,
            (None, None) => usize::MAX,
        };
        let mut rest = names.into_iter().filter(|name| name.as_str() > after);
        let page: Vec<String> = rest.by_ref().take(size).collect();
        let next = match (rest.next(), page.last()) {
            (Some(_), Some(last)) => Value::from(last.clone()),
            _ => Value::Null,
        };
        Ok((page, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_each_name_once_and_end() {
        let names = || ["a", "b", "c", "d", "e"].map(String::from).to_vec();
        let mut seen = Vec::new();
        let mut text = "pageSize=2&pageToken=".to_string();
        for _ in 0..3 {
            let (page, next) = Query::read(Some(&text)).unwrap().page(names()).unwrap();
            seen.push(page.join(""));
            let Some(next) = next.as_str() else { break };
            text = format!("pageSize=2&pageToken={next}");
        }
        assert_eq!(seen, ["ab", "cd", "e"]);
        let (all, next) = Query::read(None).unwrap().page(names()).unwrap();
        assert_eq!((all.len(), next), (5, Value::Null));
        assert!(Query::read(Some("pageSize=0")).unwrap().page(names()).is_err());
        assert!(Query::read(Some("pageSize=many")).is_err());
        assert!(Query::read(Some("warehouse=any&x=1")).is_ok());
    }
}
