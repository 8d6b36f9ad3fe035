//! A REST catalog in memory, as far as catalogs use one. It has its paths below `v1/in/one`, a list has
//! two entries on a page, and a token if a test wants one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::listening::{Listening, Reply, Request};

/// A list has so many entries on a page.
const PAGE: usize = 2;

/// What goes wrong with one call.
pub(super) enum Fault {
    /// Refused with a status.
    Refuse(u16),
    /// Done, but answered as if refused.
    RefuseAfter(u16),
    /// The connection ends without an answer; nothing was done.
    LoseBefore,
    /// The same, but it was done.
    LoseAfter,
}

/// What the service has.
#[derive(Default)]
pub(super) struct State {
    namespaces: BTreeSet<Vec<String>>,
    /// Tables as they are loaded, by namespace and name.
    tables: BTreeMap<(String, String), Value>,
    /// Views, by namespace and name.
    pub(super) views: Vec<(String, String)>,
    /// The token that is accepted; none if each call is.
    pub(super) token: Option<String>,
    /// The tokens that are given to who asks with the right secret.
    pub(super) given: VecDeque<String>,
    /// Whether the next list of tables has none.
    pub(super) hide_tables_once: bool,
    faults: VecDeque<(&'static str, Fault)>,
    calls: Vec<String>,
}

type Answer = Result<Value, u16>;

impl State {
    pub(super) fn insert_namespace(&mut self, levels: &[&str]) {
        self.namespaces.insert(levels.iter().map(|&level| level.to_owned()).collect());
    }

    /// Gives a table a log of earlier metadata files.
    pub(super) fn log(&mut self, table: &str, files: &[&str]) {
        let (namespace, name) = table.split_once('.').unwrap();
        let log: Vec<Value> = files.iter().map(|file| json!({ "metadata-file": file })).collect();
        let key = (namespace.to_owned(), name.to_owned());
        self.tables.get_mut(&key).unwrap()["metadata"]["metadata-log"] = json!(log);
    }

    fn act(&mut self, request: &Request) -> Answer {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let path = path.strip_prefix("/api/v1/").ok_or(400_u16)?;
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match path {
            "oauth/tokens" => return self.give(&request.body),
            "config" => {
                let (defaults, overrides) =
                    (json!({ "prefix": "no" }), json!({ "prefix": "in/one" }));
                return Ok(json!({ "defaults": defaults, "overrides": overrides }));
            }
            _ => {}
        }
        let path: Vec<&str> = path.strip_prefix("in/one/").ok_or(400_u16)?.split('/').collect();
        if let ["namespaces", namespace, ..] = path.as_slice()
            && !self.namespaces.contains(&vec![(*namespace).to_owned()])
        {
            return Err(404);
        }
        match (request.method.as_str(), path.as_slice()) {
            ("GET", ["namespaces"]) => {
                let all = self.namespaces.iter().map(|levels| json!(levels)).collect();
                Ok(page("namespaces", all, query))
            }
            ("POST", ["namespaces"]) => {
                let levels = serde_json::from_value(body["namespace"].clone()).unwrap();
                if self.namespaces.insert(levels) { Ok(body) } else { Err(409) }
            }
            ("DELETE", ["namespaces", namespace]) => {
                if self.tables.keys().any(|(of, _)| of == namespace) {
                    return Err(409);
                }
                self.namespaces.remove(&vec![(*namespace).to_owned()]);
                Ok(Value::Null)
            }
            (method, path) => self.act_on_tables(method, path, query, &body),
        }
    }

    fn act_on_tables(&mut self, method: &str, path: &[&str], query: &str, body: &Value) -> Answer {
        match (method, path) {
            ("GET", ["namespaces", namespace, "views"]) => {
                let of = self.views.iter().filter(|(of, _)| of == namespace);
                Ok(page(
                    "identifiers",
                    of.map(|(_, name)| json!({ "name": name })).collect(),
                    query,
                ))
            }
            ("GET", ["namespaces", namespace, "tables"]) => {
                let hidden = std::mem::take(&mut self.hide_tables_once);
                let of = self.tables.keys().filter(|(of, _)| of == namespace && !hidden);
                let of = of.map(|(of, name)| json!({ "namespace": [of], "name": name }));
                Ok(page("identifiers", of.collect(), query))
            }
            ("POST", ["namespaces", namespace, "register"]) => {
                let name = body["name"].as_str().unwrap().to_owned();
                let key = ((*namespace).to_owned(), name);
                if self.tables.contains_key(&key) {
                    return Err(409);
                }
                let loaded = json!({
                    "metadata-location": body["metadata-location"],
                    "metadata": { "metadata-log": [] },
                });
                self.tables.insert(key, loaded.clone());
                Ok(loaded)
            }
            (method, ["namespaces", namespace, "tables", name]) => {
                let key = ((*namespace).to_owned(), (*name).to_owned());
                match (method, query) {
                    ("GET", "snapshots=refs") => self.tables.get(&key).cloned().ok_or(404),
                    ("DELETE", "purgeRequested=false") => self.tables.remove(&key).ok_or(404),
                    _ => Err(400),
                }
            }
            ("POST", ["tables", "rename"]) => self.rename(body),
            _ => Err(406),
        }
    }

    fn rename(&mut self, body: &Value) -> Answer {
        let key = |of: &str| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&body[of]["namespace"][0]), text(&body[of]["name"]))
        };
        let (from, to) = (key("source"), key("destination"));
        if !self.tables.contains_key(&from) || !self.namespaces.contains(&vec![to.0.clone()]) {
            return Err(404);
        }
        if self.tables.contains_key(&to) {
            return Err(409);
        }
        let table = self.tables.remove(&from).unwrap();
        self.tables.insert(to, table);
        Ok(Value::Null)
    }

    /// A token for the client `northstar` with the secret `hunter2`.
    fn give(&mut self, form: &[u8]) -> Answer {
        let form = std::str::from_utf8(form).unwrap();
        let expected =
            "grant_type=client_credentials&client_id=northstar&client_secret=hunter2&scope=catalog";
        if form != expected {
            return Err(401);
        }
        let token = self.given.pop_front().unwrap();
        Ok(json!({ "access_token": token, "token_type": "bearer" }))
    }
}

fn page(list: &str, mut all: Vec<Value>, query: &str) -> Value {
    let begin: usize = query.strip_prefix("pageToken=").map_or(0, |token| token.parse().unwrap());
    let rest = all.split_off(begin.min(all.len()));
    let next = (rest.len() > PAGE).then(|| (begin + PAGE).to_string());
    let shown: Vec<Value> = rest.into_iter().take(PAGE).collect();
    json!({ list: shown, "next-page-token": next })
}

/// A running service; it stops when it goes.
pub(super) struct Service {
    server: Listening,
    state: Arc<Mutex<State>>,
}

impl Service {
    pub(super) fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let served = Arc::clone(&state);
        Self { server: Listening::start(move |request| serve(&request, &served)), state }
    }

    /// Host and port.
    pub(super) fn address(&self) -> String {
        self.server.url().replace("http://", "")
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next call whose method and path begin with `call` goes wrong.
    pub(super) fn fault(&self, call: &'static str, fault: Fault) {
        self.state().faults.push_back((call, fault));
    }

    pub(super) fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// Methods and paths of the calls, in order.
    pub(super) fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }
}

fn serve(request: &Request, state: &Mutex<State>) -> Reply {
    let mut state = state.lock().unwrap();
    let call = format!("{} {}", request.method, request.target);
    state.calls.push(call.clone());
    let short = call.replace("/api/v1/in/one/", "").replace("/api/v1/", "");
    let place = state.faults.iter().position(|(called, _)| short.starts_with(called));
    let fault = place.and_then(|place| state.faults.remove(place)).map(|(_, fault)| fault);
    let wanted = state.token.as_ref().map(|token| format!("Bearer {token}"));
    let is_known = wanted.is_none() || request.header("authorization") == wanted.as_deref();
    if !is_known && !request.target.ends_with("oauth/tokens") {
        return refused(401);
    }
    let refusal = match fault {
        Some(Fault::Refuse(status)) => return refused(status),
        Some(Fault::LoseBefore) => return Reply::Close,
        Some(Fault::RefuseAfter(status)) => Some(refused(status)),
        Some(Fault::LoseAfter) => Some(Reply::Close),
        None => None,
    };
    let answer = state.act(request);
    match (refusal, answer) {
        (Some(refusal), _) => refusal,
        (None, Ok(body)) => Reply::Answer(200, body.to_string()),
        (None, Err(status)) => refused(status),
    }
}

fn refused(status: u16) -> Reply {
    let error = json!({ "message": "hunter2 said so", "type": "SomeException", "code": status });
    Reply::Answer(status, json!({ "error": error }).to_string())
}
