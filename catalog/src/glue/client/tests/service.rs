//! A Glue in memory, as far as catalogs use it, that speaks HTTP on a free port of 127.0.0.1.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Map, Value, json};

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
    stalled: Vec<TcpStream>,
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
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stopped: Arc<AtomicBool>,
}

impl Service {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (state, stopped) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let service = Self { address, state: Arc::clone(&state), stopped: Arc::clone(&stopped) };
        thread::spawn(move || {
            for connection in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (connection, state) = (connection.unwrap(), Arc::clone(&state));
                thread::spawn(move || serve(connection, &state));
            }
        });
        service
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
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

impl Drop for Service {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

/// One request; each has a connection of its own.
fn serve(mut connection: TcpStream, state: &Mutex<State>) {
    let Some((action, body)) = request(&connection) else { return };
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
        Some(Fault::Stall) => {
            state.stalled.push(connection);
            return;
        }
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
    drop(state);
    let Some(answer) = answer else { return };
    let (status, body) = match answer {
        Ok(body) => (200, body),
        Err((status, code)) => (status, json!({ "__type": code, "Message": format!("{code}!") })),
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/x-amz-json-1.1\r\n\
         x-amzn-requestid: request-1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
}

/// The action and the body of a request; nothing if the other side is gone.
fn request(connection: &TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(connection);
    let (mut action, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        match key.to_ascii_lowercase().as_str() {
            "x-amz-target" => action = value.trim().rsplit('.').next()?.to_owned(),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((action, serde_json::from_slice(&body).ok()?))
}
