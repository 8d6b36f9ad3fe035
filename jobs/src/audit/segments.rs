//! The server's request log, in pieces that go into a locked bucket.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use northstar_iceberg::ids::Ids;
use northstar_iceberg::{Error, Result};

use super::LockedBucket;
use crate::api::Api;

/// How often a piece goes: what this machine alone knows is at most so old, if the bucket answers.
const EVERY: Duration = Duration::from_mins(1);

const BEGINS: &str = "requests-";
const ENDS: &str = ".jsonl";

/// Moves the log into a bucket, piece by piece. A piece is a file with a name of its own first, so that
/// the next server finds what one that was killed has left.
#[derive(Debug)]
pub(crate) struct Segments {
    pub(crate) folder: PathBuf,
    pub(crate) bucket: LockedBucket,
    pub(crate) ids: Arc<dyn Ids>,
}

impl Segments {
    /// Moves pieces until `stop` is done, and then a last one.
    pub(crate) async fn keep(&self, api: &Api, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut is_over = false;
        while !is_over {
            is_over = tokio::time::timeout(EVERY, &mut stop).await.is_ok();
            if !is_over {
                self.move_and_tell(api).await;
            }
        }
    }

    /// Moves what there is. What cannot be moved stays, is told, and goes the next time.
    pub(crate) async fn move_and_tell(&self, api: &Api) {
        let moved = self.move_all(api).await;
        let waiting = self.waiting().map_or(0, |files| files.len());
        api.metrics.segments_waiting(waiting);
        if let Err(error) = moved {
            tracing::error!(%error, waiting, "the request log could not be put into the bucket; it will be tried again");
        }
    }

    async fn move_all(&self, api: &Api) -> Result<()> {
        let name = format!("{BEGINS}{}-{}{ENDS}", self.bucket.now_ms(), self.ids.uuid());
        api.log.take(&self.folder.join(name))?;
        for path in self.waiting()? {
            self.move_one(&path).await?;
        }
        Ok(())
    }

    async fn move_one(&self, path: &Path) -> Result<()> {
        let failed = |error| Error::io(error, "move the request log", path.display());
        let body = tokio::fs::read(path).await.map_err(failed)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let rest = name.trim_start_matches(BEGINS);
        let time_ms = rest.split('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
        self.bucket.put("requests", time_ms, rest, body).await?;
        tokio::fs::remove_file(path).await.map_err(failed)
    }

    /// The pieces that are not in the bucket yet, oldest first.
    fn waiting(&self) -> Result<Vec<PathBuf>> {
        let failed = |error| Error::io(error, "look for the request log", self.folder.display());
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(BEGINS) && name.ends_with(ENDS) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }
}
