//! Calls to a REST catalog: signed with a token, tried again where that is safe, lists read to their end.
//!
//! Source: <https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml>

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};

use super::failure::{Failure, Meaning};
use super::place::{Login, RestPlace};
use super::secret::SecretPlace;
use crate::waits::Waits;
use crate::{Error, ErrorKind, Result};

/// A client of one REST catalog.
pub(super) struct Rest {
    pub(super) http: Client,
    pub(super) place: RestPlace,
    pub(super) waits: Waits,
    /// What the server wants between `v1/` and the rest of a path, with a slash at its end.
    prefix: OnceCell<String>,
    token: Mutex<Option<String>>,
}

impl Rest {
    pub(super) fn new(http: Client, place: RestPlace, waits: Waits) -> Self {
        Self { http, place, waits, prefix: OnceCell::new(), token: Mutex::new(None) }
    }

    /// Asks for what stands at a path below the prefix until there is an answer.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let path = format!("{}{path}", self.prefix().await?);
        self.ask(&path, query).await
    }

    /// The items of a list of pages; `None` if what they would be in is not there.
    pub(super) async fn list(
        &self,
        path: &str,
        items: &str,
    ) -> Result<Option<Vec<Value>>, Failure> {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let query = [("pageToken", token.as_str())];
            let page = match self.get(path, if token.is_empty() { &[] } else { &query }).await {
                Ok(page) => page,
                Err(failure) if failure.meaning == Meaning::NotFound => return Ok(None),
                Err(failure) => return Err(failure),
            };
            all.extend(page[items].as_array().ok_or_else(|| Failure::unreadable(items))?.clone());
            let next = page["next-page-token"].as_str().unwrap_or_default().to_owned();
            if next.is_empty() {
                return Ok(Some(all));
            }
            if next == token {
                return Err(Failure::unreadable("page that is not the same again"));
            }
            token = next;
        }
    }

    /// Sends a change, again only if the server turned it away before it did anything.
    pub(super) async fn change(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<(), Failure> {
        let path = format!("{}{path}", self.prefix().await?);
        let mut failures = 0;
        loop {
            let failure = match self.send(&method, &path, query, body).await {
                Ok(_) => return Ok(()),
                Err(failure) => failure,
            };
            failures += 1;
            if failures >= self.waits.attempts() || failure.meaning != Meaning::Throttled {
                return Err(failure);
            }
            self.waits.wait(failures).await;
        }
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let mut failures = 0;
        loop {
            let failure = match self.send(&Method::GET, path, query, None).await {
                Ok(body) => {
                    return serde_json::from_slice(&body).map_err(|_| Failure::unreadable("JSON"));
                }
                Err(failure) => failure,
            };
            failures += 1;
            let again = matches!(failure.meaning, Meaning::Throttled | Meaning::Open);
            if failures >= self.waits.attempts() || !again {
                return Err(failure);
            }
            self.waits.wait(failures).await;
        }
    }

    /// One request; a second one with another token if the first is refused for its token.
    async fn send(
        &self,
        method: &Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Vec<u8>, Failure> {
        let token = self.token(None).await?;
        match self.send_as(token.as_deref(), method, path, query, body).await {
            Err(failure) if failure.meaning == Meaning::Unauthorized && token.is_some() => {
                let token = self.token(token.as_deref()).await?;
                self.send_as(token.as_deref(), method, path, query, body).await
            }
            answered => answered,
        }
    }

    async fn send_as(
        &self,
        token: Option<&str>,
        method: &Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Vec<u8>, Failure> {
        let url = format!("{}/v1/{path}", self.place.http());
        let mut request = self.http.request(method.clone(), url).query(query);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        answer(request).await
    }

    /// The prefix of paths, which the server is asked for once.
    async fn prefix(&self) -> Result<&str, Failure> {
        let prefix = self.prefix.get_or_try_init(|| async {
            let warehouse = self.place.warehouse.as_deref().map(|name| ("warehouse", name));
            let config = self.ask("config", warehouse.as_slice()).await?;
            let text = |of: &str| config[of]["prefix"].as_str().map(str::to_owned);
            let prefix = text("overrides").or_else(|| text("defaults")).unwrap_or_default();
            let prefix = prefix.trim_matches('/');
            Ok::<_, Failure>(if prefix.is_empty() { String::new() } else { format!("{prefix}/") })
        });
        Ok(prefix.await?.as_str())
    }

    /// The token to send, another one than `refused`.
    async fn token(&self, refused: Option<&str>) -> Result<Option<String>, Failure> {
        if self.place.login == Login::Nobody {
            return Ok(None);
        }
        let mut kept = self.token.lock().await;
        if kept.is_none() || kept.as_deref() == refused {
            *kept = Some(match &self.place.login {
                Login::Client { credential, oauth2_uri, scope } => {
                    let own = || format!("{}/v1/oauth/tokens", self.place.http());
                    let uri = oauth2_uri.clone().unwrap_or_else(own);
                    self.new_token(credential, &uri, scope).await?
                }
                Login::Token(place) => place.read()?,
                Login::Nobody => return Ok(None),
            });
        }
        Ok(kept.clone())
    }

    /// Source: RFC 6749, section 4.4.
    async fn new_token(
        &self,
        credential: &SecretPlace,
        uri: &str,
        scope: &str,
    ) -> Result<String, Failure> {
        let credential_text = credential.read()?;
        let Some((id, secret)) = credential_text.split_once(':') else {
            return Err(Failure::from(Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "what stands at {credential} is not CLIENT_ID:CLIENT_SECRET; write that there"
                ),
            )));
        };
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
            ("scope", scope),
        ];
        let mut failures = 0;
        let body = loop {
            match answer(self.http.post(uri).form(&form)).await {
                Ok(body) => break body,
                Err(failure) => {
                    failures += 1;
                    let again = matches!(failure.meaning, Meaning::Throttled | Meaning::Open);
                    if failures >= self.waits.attempts() || !again {
                        return Err(failure);
                    }
                }
            }
            self.waits.wait(failures).await;
        };
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let token = answer["access_token"].as_str().map(str::to_owned);
        token.ok_or_else(|| Failure::unreadable("access_token"))
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Vec<u8>, Failure> {
    let response = request.send().await.map_err(Failure::lost)?;
    let status = response.status();
    let body = response.bytes().await.map_err(Failure::lost)?.to_vec();
    if status.is_success() { Ok(body) } else { Err(Failure::of(status.as_u16(), &body)) }
}

/// A table's name as requests have it.
pub(super) fn identifier(table: &crate::TableName) -> Value {
    json!({ "namespace": [table.namespace()], "name": table.table() })
}
