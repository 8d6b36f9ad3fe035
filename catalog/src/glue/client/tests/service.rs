//! A Glue in memory, as far as catalogs use it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Map, Value, json};

use crate::listening::{Listening, Reply, Request};

/// A list has so many entries on a page.
const PAGE: usize = 2;

/// What goes wrong with one call.
pub(super) enum Fault {
    /// Refused with a status and a code.
    Refuse(u16, &'static str),
    /// Done, but answered as if refused.
    RefuseAfter(u16, &'static str),
    /// The connection ends without an answer; nothing was done.
    LoseBefore,
    /// The same, but it was done.
    LoseAfter,
    /// Answered with a status and a code, and done only after the next call.
    Late(u16, &'static str),
    /// Never answered, and not done.
    Stall,
    /// Others do something just before.
    Meanwhile(fn(&mut State)),
}

/// What the service has.
#[derive(Default)]
pub(super) struct State {
    /// Tables by name, by database.
    pub(super) databases: BTreeMap<String, BTreeMap<String, Value>>,
    /// Whether tables have no `VersionId`.
    pub(super) unversioned: bool,
    /// Whether each page of a list names itself as the next.
    pub(super) endless: bool,
    faults: VecDeque<(&'static str, Fault)>,
    late: Option<(String, Value)>,
    calls: Vec<(String, Value)>,
}

/// What an action answers: a body, or a status and a code.
type Answer = Result<Value, (u16, &'static str)>;

impl State {
    /// The entry of `b.lab`.
    pub(super) fn lab(&mut self) -> &mut Value {
        self.databases.get_mut("b").unwrap().get_mut("lab").unwrap()
    }

    /// Another writer's commit to `b.lab`.
    pub(super) fn commit(&mut self, location: &str) {
        let lab = self.lab();
        let version: u64 = lab["VersionId"].as_str().unwrap().parse().unwrap();
        lab["VersionId"] = json!((version + 1).to_string());
        let parameters = &mut lab["Parameters"];
        parameters["previous_metadata_location"] = parameters["metadata_location"].clone();
        parameters["metadata_location"] = json!(location);
    }

    fn act(&mut self, action: &str, body: &Value) -> Answer {
        let missing = || (400, "EntityNotFoundException");
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_ascii_lowercase();
        match action {
            "CreateDatabase" => {
                let name = body["DatabaseInput"]["Name"].as_str().unwrap().to_owned();
                if self.databases.contains_key(&name) {
                    return Err((400, "AlreadyExistsException"));
                }
                self.databases.insert(name, BTreeMap::new());
                return Ok(json!({}));
            }
            "GetDatabases" => {
                if self.endless {
                    return Ok(json!({ "DatabaseList": [], "NextToken": "again" }));
                }
                let all = self.databases.keys().map(|name| json!({ "Name": name })).collect();
                return Ok(page("DatabaseList", all, body));
            }
            _ => {}
        }
        let unversioned = self.unversioned;
        let database =
            if action.ends_with("Database") { text("Name") } else { text("DatabaseName") };
        let tables = self.databases.get_mut(&database).ok_or_else(missing)?;
        let input = body["TableInput"].as_object().cloned().unwrap_or_default();
        let named = input.get("Name").and_then(Value::as_str).unwrap_or_default().to_owned();
        match action {
            "GetDatabase" => return Ok(json!({ "Database": { "Name": database } })),
            "DeleteDatabase" => drop(self.databases.remove(&database)),
            "GetTables" => return Ok(page("TableList", tables.values().cloned().collect(), body)),
            "GetTable" => {
                let table = tables.get(&text("Name")).ok_or_else(missing)?;
                return Ok(json!({ "Table": table }));
            }
            "CreateTable" if tables.contains_key(&named) => {
                return Err((400, "AlreadyExistsException"));
            }
            "CreateTable" => {
                tables.insert(named, stored(input, &database, 0, unversioned));
            }
            "UpdateTable" => {
                let table = tables.get_mut(&named).ok_or_else(missing)?;
                let at = table["VersionId"].as_str().map_or(0, |at| at.parse().unwrap());
                let at_text = at.to_string();
                let wanted = body["VersionId"].as_str();
                if wanted.is_some_and(|wanted| wanted != at_text) {
                    return Err((400, "ConcurrentModificationException"));
                }
                *table = stored(input, &database, at + 1, unversioned);
            }
            "DeleteTable" => {
                tables.remove(&text("Name")).ok_or_else(missing)?;
            }
            _ => return Err((400, "UnknownOperationException")),
        }
        Ok(json!({}))
    }
}

fn stored(mut input: Map<String, Value>, database: &str, version: u64, unversioned: bool) -> Value {
    input.insert("DatabaseName".to_owned(), json!(database));
    if !unversioned {
        input.insert("VersionId".to_owned(), json!(version.to_string()));
    }
    Value::Object(input)
}

fn page(list: &str, mut all: Vec<Value>, body: &Value) -> Value {
    let begin: usize = body["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
    let rest = all.split_off(begin.min(all.len()));
    let more = rest.len() > PAGE;
    let shown: Vec<Value> = rest.into_iter().take(PAGE).collect();
    if more {
        json!({ list: shown, "NextToken": (begin + PAGE).to_string() })
    } else {
        json!({ list: shown })
    }
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

    pub(super) fn endpoint(&self) -> String {
        self.server.url()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next call of `action` goes wrong; of several faults for one action each has its turn.
    pub(super) fn fault(&self, action: &'static str, fault: Fault) {
        self.state().faults.push_back((action, fault));
    }

    pub(super) fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// The actions that were called, in order.
    pub(super) fn actions(&self) -> Vec<String> {
        self.state().calls.iter().map(|(action, _)| action.clone()).collect()
    }

    /// The bodies of the calls of one action.
    pub(super) fn bodies(&self, action: &str) -> Vec<Value> {
        let state = self.state();
        let calls = state.calls.iter().filter(|(called, _)| called == action);
        calls.map(|(_, body)| body.clone()).collect()
    }
}

fn serve(request: &Request, state: &Mutex<State>) -> Reply {
    let target = request.header("x-amz-target").unwrap();
    let action = target.rsplit('.').next().unwrap().to_owned();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let mut state = state.lock().unwrap();
    state.calls.push((action.clone(), body.clone()));
    let late = state.late.take();
    let place = state.faults.iter().position(|(called, _)| *called == action);
    let fault = place.and_then(|place| state.faults.remove(place)).map(|(_, fault)| fault);
    let answer = match fault {
        Some(Fault::LoseBefore) => None,
        Some(Fault::LoseAfter) => {
            state.act(&action, &body).unwrap();
            None
        }
        Some(Fault::Stall) => return Reply::Stall,
        Some(Fault::Refuse(status, code)) => Some(Err((status, code))),
        Some(Fault::RefuseAfter(status, code)) => {
            state.act(&action, &body).unwrap();
            Some(Err((status, code)))
        }
        Some(Fault::Late(status, code)) => {
            state.late = Some((action, body));
            Some(Err((status, code)))
        }
        Some(Fault::Meanwhile(others)) => {
            others(&mut state);
            Some(state.act(&action, &body))
        }
        None => Some(state.act(&action, &body)),
    };
    if let Some((action, body)) = late {
        // Perhaps in vain by now.
        drop(state.act(&action, &body));
    }
    match answer {
        None => Reply::Close,
        Some(Ok(body)) => Reply::Answer(200, body.to_string()),
        Some(Err((status, code))) => {
            let body = json!({ "__type": code, "Message": format!("{code}!") });
            Reply::Answer(status, body.to_string())
        }
    }
}
