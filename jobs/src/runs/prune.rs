//! Runs that ended long ago go, with what they printed, as on AWS.

use northstar_iceberg::{Error, Result};
use rusqlite::Connection;

use super::Runs;
use super::run::rows;
use super::store::broken;

/// Runs are kept so long after their end.
const KEPT_MS: i64 = 90 * 86_400_000;

/// Lets old runs go. Bookmarks stay.
///
/// # Errors
/// Of the store, or the first of a log folder that could not be removed.
pub(super) async fn prune(runs: &Runs) -> Result<()> {
    let before_ms = runs.now_ms().saturating_sub(KEPT_MS);
    let old = runs.read(move |tx| old(tx, before_ms)).await?;
    let mut outcome = Ok(());
    for (id, name) in old {
        // The log first: a run whose log cannot be removed stays, and is tried another day.
        let folder = runs.config.folder.join("logs").join(&name);
        match tokio::fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let failed = Error::io(error, "remove the log of a run", folder.display());
                outcome = outcome.and(Err(failed));
            }
            _ => runs.read(move |tx| remove(tx, id)).await?,
        }
    }
    outcome
}

fn old(tx: &Connection, before_ms: i64) -> Result<Vec<(i64, String)>> {
    let sql = "SELECT id, name FROM runs WHERE created_ms < ?1 AND NOT EXISTS \
               (SELECT 1 FROM attempts WHERE run = runs.id AND \
                (ended_ms IS NULL OR ended_ms >= ?1))";
    rows(tx, sql, [before_ms], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn remove(tx: &Connection, run: i64) -> Result<()> {
    tx.execute("DELETE FROM attempts WHERE run = ?1", [run])
        .and_then(|_| tx.execute("DELETE FROM runs WHERE id = ?1", [run]))
        .map(drop)
        .map_err(broken)
}
