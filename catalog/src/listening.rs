//! A server of HTTP for tests: on a free port of 127.0.0.1, with a thread for each request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a client sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path and what follows it.
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The value of a header, whose name is given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A status and a body in JSON.
    Answer(u16, String),
    /// The connection ends without an answer.
    Close,
    /// It stays open without one, until the server goes.
    Stall,
}

/// A running server; it stops when it goes.
pub(crate) struct Listening {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Listening {
    pub(crate) fn start(serve: impl Fn(Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let server = Self { address, stopped: Arc::clone(&stopped) };
        let (serve, stalled) = (Arc::new(serve), Arc::new(Mutex::new(Vec::new())));
        thread::spawn(move || {
            for connection in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (connection, serve) = (connection.unwrap(), Arc::clone(&serve));
                let stalled = Arc::clone(&stalled);
                thread::spawn(move || {
                    let Some(request) = read(&connection) else { return };
                    match serve(request) {
                        Reply::Answer(status, body) => answer(connection, status, &body),
                        Reply::Close => {}
                        Reply::Stall => stalled.lock().unwrap().push(connection),
                    }
                });
            }
        });
        server
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

/// One request, which has a connection of its own; nothing if the other side is gone.
fn read(connection: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(connection);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut first = lines.first()?.split(' ').map(str::to_owned);
    let (method, target) = (first.next()?, first.next()?);
    let headers = lines.iter().skip(1).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    let mut request = Request { method, target, headers: headers.collect(), body: Vec::new() };
    let length = request.header("content-length").unwrap_or("0").parse().ok()?;
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

fn answer(mut connection: TcpStream, status: u16, body: &str) {
    let text = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\nx-amzn-requestid: request-1\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // The client may have given up.
    drop(connection.write_all(text.as_bytes()));
}
