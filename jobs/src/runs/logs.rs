//! The folder of an attempt: what it prints, and what is handed to and fro.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use northstar_iceberg::{Error, Result};
use serde_json::{Map, Value};

/// No hand-over is larger than this.
const MOST_BYTES: u64 = 1 << 20;

/// A folder that its owner alone may enter.
#[derive(Debug, Clone)]
pub(crate) struct AttemptFolder {
    path: PathBuf,
}

impl AttemptFolder {
    /// The folder of an attempt below that of the state.
    pub(crate) fn of(state: &Path, run: &str, attempt: i64) -> Self {
        Self { path: state.join("logs").join(run).join(attempt.to_string()) }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder, and the files for what the process prints.
    pub(super) fn create(&self) -> Result<(File, File)> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .map_err(|error| Error::io(error, "make the log folder", self.path.display()))?;
        Ok((self.private("stdout")?, self.private("stderr")?))
    }

    /// Keeps what the script is to be given, where command lines do not show it.
    pub(super) fn hand_in(&self, parameters: &Value) -> Result<PathBuf> {
        let path = self.path.join("parameters.json");
        let mut file = self.private("parameters.json")?;
        std::io::Write::write_all(&mut file, parameters.to_string().as_bytes())
            .map_err(|error| Error::io(error, "write the parameters", path.display()))?;
        Ok(path)
    }

    /// Where the process says what it committed and read.
    pub(super) fn watermarks_path(&self) -> PathBuf {
        self.path.join("watermarks.json")
    }

    /// What the process said that it committed and read, if it did.
    pub(super) fn watermarks(&self) -> Option<Map<String, Value>> {
        let file = File::open(self.watermarks_path()).ok()?;
        let mut text = String::new();
        file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Removes what was handed in, and sees that what was printed is on disk.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub(super) fn close(&self) -> Result<()> {
        match std::fs::remove_file(self.path.join("parameters.json")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, "the parameters of a run stay in its log folder");
            }
            _ => {}
        }
        for name in ["stdout", "stderr"] {
            let path = self.path.join(name);
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(|error| Error::io(error, "keep the log", path.display()))?;
        }
        Ok(())
    }

    fn private(&self, name: &str) -> Result<File> {
        let path = self.path.join(name);
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| Error::io(error, "make the log file", path.display()))
    }
}
