//! Servers that stand for AWS, each started once for all tests of a binary.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// A server in a process of its own. It ends when its standard input does, and so with this process,
/// however that ends.
#[derive(Debug)]
pub struct Server {
    url: String,
    _process: Child,
}

impl Server {
    /// moto as it is.
    pub fn moto() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::stand_in("moto"))
    }

    /// moto, made to look at the version of an UpdateTable.
    pub fn moto_strict() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::stand_in("moto_strict"))
    }

    /// ministack.
    pub fn ministack() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::stand_in("ministack"))
    }

    /// Its URL, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The REST catalog that Iceberg's own tests run against.
    pub fn iceberg_rest() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let jars = PathBuf::from(std::env::var_os("NORTHSTAR_REST_JARS").expect(
                "set NORTHSTAR_REST_JARS to a folder with the jars of tests/serve/rest/pom.xml, or run \
                 `make test`",
            ));
            let mut java = Command::new("java");
            java.arg("-cp").arg(jars.join("*")).arg(script("rest/RestCatalog.java"));
            Self::start(java)
        })
    }

    fn stand_in(kind: &str) -> Self {
        let mut python = Command::new(std::env::var_os("NORTHSTAR_AWS_PYTHON").expect(
            "set NORTHSTAR_AWS_PYTHON to a Python with tests/requirements-aws.txt, or run `make test`",
        ));
        python.arg(script("stand_in.py")).arg(kind);
        Self::start(python)
    }

    fn start(mut command: Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut url = String::new();
        let output = process.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut url).expect("a line");
        assert!(url.starts_with("http://"), "this does not start: {command:?}");
        Self { url: url.trim().to_owned(), _process: process }
    }
}

/// `northstar serve` over a warehouse of its own, which ends when this is dropped.
#[derive(Debug)]
pub struct OwnServer {
    url: String,
    process: Child,
}

impl OwnServer {
    /// A server over the warehouse in a folder, for whoever asks on this machine.
    pub fn over(warehouse: &Path) -> Self {
        let program = std::env::var_os("NORTHSTAR_BIN")
            .expect("set NORTHSTAR_BIN to the northstar program, or run `make test`");
        let mut command = Command::new(program);
        command.arg("--warehouse").arg(warehouse);
        command.args(["serve", "--anonymous", "--listen", "127.0.0.1:0"]);
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut line = String::new();
        let output = process.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("listening on ").expect("the server starts").to_owned();
        Self { url, process }
    }

    /// Its URL, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let ended = self.process.kill().and_then(|()| self.process.wait());
        ended.expect("the server ends");
    }
}

/// The path of a server's program.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("serve").join(name)
}
