//! Servers that stand for AWS, each started once for all tests.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// A server in a process of its own. It ends when its standard input does, and so with this process,
/// however that ends.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    _process: Child,
}

impl Server {
    /// moto as it is.
    pub(crate) fn moto() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::stand_in("moto"))
    }

    /// moto, made to look at the version of an UpdateTable.
    pub(crate) fn moto_strict() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::stand_in("moto_strict"))
    }

    /// ministack.
    pub(crate) fn ministack() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::stand_in("ministack"))
    }

    /// Its URL, `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn stand_in(kind: &str) -> Self {
        let python = std::env::var_os("NORTHSTAR_AWS_PYTHON").expect(
            "set NORTHSTAR_AWS_PYTHON to a Python with tests/requirements-aws.txt, or run `make test`",
        );
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("serve/stand_in.py");
        let mut process = Command::new(&python)
            .arg(&script)
            .arg(kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("NORTHSTAR_AWS_PYTHON is a Python");
        let mut url = String::new();
        let output = process.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut url).expect("a line");
        assert!(
            url.starts_with("http://"),
            "{kind} does not start: see {} {kind}",
            script.display()
        );
        Self { url: url.trim().to_owned(), _process: process }
    }
}
