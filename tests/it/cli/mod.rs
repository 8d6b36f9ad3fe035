//! The `northstar` program itself, as people and scripts run it.

mod demo;
mod diff;
mod generate;
mod help;
mod loading;
mod maintaining;
mod merging;
mod querying;
mod refs;
mod refusing;
mod rerunning;
mod scripting;
mod shell;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use northstar_tests::csv_files::folder;
use tempfile::TempDir;

/// The program in a folder of its own; its warehouse is `lake` there.
pub(crate) struct Program {
    folder: TempDir,
}

/// How a run went.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Two tables with something to quote, NULLs and all types.
const FILES: [(&str, &[u8]); 2] = [
    (
        "visit.csv",
        b"id,site,at,fee,paid,note\n\
          1,north,2024-01-01 08:00:00,12.50,true,\"a, b\"\n\
          2,south,2024-01-02 09:30:00,0.75,false,\"say \"\"hi\"\"\nthere\"\n\
          3,,,,,\n",
    ),
    ("lab_result.csv", b"id,value\n1,5.5\n2,7.25\n"),
];

impl Program {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// With [`FILES`] loaded into `bronze`.
    fn loaded() -> Self {
        let program = Self::new();
        folder(&program.path(""), "in", &FILES);
        program.run(&["load", "csv", "--from", "in", "--into", "bronze"]).succeeds();
        program
    }

    /// A path below the program's folder.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// A new, empty folder.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).expect("a folder");
        path
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with_input(arguments, "")
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = self.command(arguments).spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // A program that does not read its input may be gone before it is written.
        let written = stdin.write_all(input.as_bytes());
        assert!(written.is_ok() || input.is_empty(), "{written:?}");
        drop(stdin);
        child.wait_with_output().expect("the program ends").into()
    }

    /// Runs it with at most so much memory for data; where it needs more, it breaks off.
    pub(crate) fn within(&self, limit_kib: usize, arguments: &[&str]) -> Run {
        let limited = format!("ulimit -d {limit_kib} && exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.arg("-c").arg(limited).arg(binary()).args(arguments);
        // The limit is one of address space, which the allocator keeps if it is not told otherwise.
        command.env("MALLOC_CONF", "retain:false");
        self.prepared(command).output().expect("a shell").into()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments);
        self.prepared(command)
    }

    fn prepared(&self, mut command: Command) -> Command {
        command
            .current_dir(self.folder.path())
            .env_remove("NORTHSTAR_LOG")
            .env("USER", "tester")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn sql(&self, output: &str, query: &str) -> String {
        let run = self.run(&["--output", output, "sql", query]);
        run.succeeds();
        run.stdout
    }

    /// The snapshots of a table, oldest first, as objects by column name.
    fn snapshots(&self, table: &str) -> Vec<serde_json::Value> {
        let run = self.run(&["--output", "json", "snapshots", table]);
        run.succeeds();
        run.json()
    }
}

impl Run {
    /// Asserts exit code 0.
    pub(crate) fn succeeds(&self) {
        assert_eq!(self.code, Some(0), "{self:?}");
    }

    /// Asserts an exit code, an error that says all `parts`, and that it is no panic.
    fn fails(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is missing in: {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }

    /// Standard output, which must be JSON line by line.
    fn json(&self) -> Vec<serde_json::Value> {
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        self.stdout.lines().map(parse).collect()
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// The program: `NORTHSTAR_BIN`, or the one that was built with this test.
pub(crate) fn binary() -> PathBuf {
    let built = || -> Option<PathBuf> {
        let test = std::env::current_exe().ok()?;
        Some(test.parent()?.parent()?.join("northstar"))
    };
    let path = std::env::var_os("NORTHSTAR_BIN").map(PathBuf::from).or_else(built).expect("a path");
    assert!(
        path.is_file(),
        "there is no program at {}; run `cargo build --release` first, or set NORTHSTAR_BIN",
        path.display()
    );
    path
}

/// The files below a folder with their content, in order.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(folder).expect("a path below").to_path_buf();
                found.push((below, std::fs::read(&path).expect("a file")));
            }
        }
    }
    found.sort();
    found
}
