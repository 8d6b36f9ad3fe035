//! Runs and measures one process at a time.
//!
//! `measure.py` starts the command and reads its usage from `wait4`, which safe Rust does not
//! offer: CPU seconds and peak memory are then those of that command alone.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde::{Deserialize, Serialize};

use crate::error::{BenchError, Result};

/// What a command used.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Usage {
    /// Exit code; minus the signal number when a signal ended it.
    pub(crate) exit_code: i32,
    /// CPU seconds in the program.
    pub(crate) user_s: f64,
    /// CPU seconds in the kernel.
    pub(crate) system_s: f64,
    /// Seconds from start to end.
    pub(crate) wall_s: f64,
    /// Peak resident memory in KiB.
    pub(crate) peak_rss_kib: u64,
}

impl Usage {
    /// CPU seconds in program and kernel.
    pub(crate) fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

/// Python with the folder of the scripts.
#[derive(Debug)]
pub(crate) struct Python<'a> {
    /// The interpreter.
    pub(crate) interpreter: &'a Path,
    /// Folder of the scripts.
    pub(crate) scripts: &'a Path,
}

impl Python<'_> {
    /// The words that start a script.
    pub(crate) fn script(&self, name: &str) -> Vec<OsString> {
        vec![self.interpreter.into(), self.scripts.join(name).into()]
    }

    /// Runs `words` to the end and returns what they used; their output goes to `log`.
    ///
    /// # Errors
    /// A command that cannot be started; one that fails is a `Usage` with its exit code.
    pub(crate) fn measure(&self, words: &[OsString], limit_s: u32, log: &Path) -> Result<Usage> {
        let usage = log.with_extension("usage.json");
        let mut wrapper = self.script("measure.py");
        wrapper.push(usage.clone().into());
        wrapper.push(limit_s.to_string().into());
        wrapper.extend_from_slice(words);
        let mut command = command(&wrapper)?;
        let output = File::create(log).map_err(|error| BenchError::at(log, &error))?;
        let errors = output.try_clone().map_err(|error| BenchError::at(log, &error))?;
        let status = command.stdout(output).stderr(errors).status();
        let status = status.map_err(|error| BenchError::at(self.interpreter, &error))?;
        if !status.success() {
            return Err(BenchError::new(format!("measure.py failed:\n{}", tail(log))));
        }
        let text = fs::read(&usage).map_err(|error| BenchError::at(&usage, &error))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Runs a script to the end and returns its standard output.
    ///
    /// # Errors
    /// The script's own last words when it fails.
    pub(crate) fn output(&self, words: &[OsString]) -> Result<Vec<u8>> {
        let output = command(words)?.output();
        let output = output.map_err(|error| BenchError::at(self.interpreter, &error))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(BenchError::new(last_lines(&errors, 6)))
    }
}

/// A server beside the measured process, stopped when it goes out of scope.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// The first line that the server printed: where it listens.
    pub(crate) address: String,
}

impl Server {
    /// Starts a server and waits for its first line.
    ///
    /// # Errors
    /// A server that cannot be started or ends without a line; `log` has its reason.
    pub(crate) fn start(words: &[OsString], log: &Path) -> Result<Self> {
        let errors = File::create(log).map_err(|error| BenchError::at(log, &error))?;
        let mut command = command(words)?;
        command.stdout(Stdio::piped()).stderr(errors).stdin(Stdio::null());
        let mut child = command.spawn().map_err(|error| BenchError::at(log, &error))?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            let read = BufReader::new(output).read_line(&mut line);
            read.map_err(|error| BenchError::at(log, &error))?;
        }
        let server = Self { child, address: line.trim().to_owned() };
        if server.address.is_empty() {
            return Err(BenchError::new(format!("the server did not start:\n{}", tail(log))));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has already ended cannot be stopped again, and there is no one to tell.
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}

/// The last lines of a log, to say why a command failed.
pub(crate) fn tail(log: &Path) -> String {
    last_lines(&fs::read_to_string(log).unwrap_or_default(), 6)
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn command(words: &[impl AsRef<OsStr>]) -> Result<Command> {
    let (program, rest) = words.split_first().ok_or_else(|| BenchError::new("an empty command"))?;
    let mut command = Command::new(program);
    command.args(rest);
    Ok(command)
}
