//! A statement that writes, done again where another commit came between.

use async_trait::async_trait;

use super::report::ChangeReport;
use super::session::LakeSession;
use crate::commit::{Backoff, CommitRequest, Outcome, lasting_conflict};
use crate::observer::Event;
use crate::table::WriteProperties;
use crate::{LakeTable, Result};

/// What a statement is committed as, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Destination<'a> {
    pub(super) request: &'a CommitRequest,
    /// The branch that is read as the target and committed to.
    pub(super) branch: &'a str,
}

/// What is done on one state of the table.
#[async_trait]
pub(super) trait Round: Send {
    /// Writes and tries to commit, on the table as it is in `base`.
    async fn round(
        &mut self,
        base: &LakeTable,
        to: Destination<'_>,
        report: &mut ChangeReport,
    ) -> Result<Outcome>;
}

/// Does rounds until one is not in conflict, each on the table's newest state.
///
/// # Errors
/// As a round; `Conflict` if other writers keep coming first or the table was dropped.
pub(super) async fn finish(
    session: &LakeSession,
    mut base: LakeTable,
    to: Destination<'_>,
    mut report: ChangeReport,
    mut statement: impl Round,
) -> Result<ChangeReport> {
    let Destination { request, branch } = to;
    if let Some(snapshot_id) = base.snapshot_of_commit_on(branch, &request.commit_id) {
        report.snapshot_id = Some(snapshot_id);
        report.already_committed = true;
        return Ok(report);
    }
    let properties = WriteProperties::read(base.metadata().properties())?;
    let mut backoff = Backoff::new(&properties, session.lake.ids.as_ref());
    loop {
        let outcome = statement.round(&base, to, &mut report).await?;
        let Outcome::Conflicted { reason, .. } = &outcome else {
            let settled = outcome.settled()?;
            report.snapshot_id = settled.map(|(id, _)| id);
            report.already_committed = settled.is_some_and(|(_, is_new)| !is_new);
            return Ok(report);
        };
        tracing::info!(table = %base.name(), %reason, round = report.rounds, "conflict");
        session.lake.observer.event(&Event::Retried { attempts: report.rounds });
        if !backoff.wait().await {
            return outcome.settled().map(|_| report);
        }
        report.rounds += 1;
        base = newest(session, &base, to).await?;
    }
}

/// The table as it is now, for the next round.
///
/// # Errors
/// `Conflict` if the statement can never be put on it; `Unsupported` if it can no longer be written.
async fn newest(session: &LakeSession, base: &LakeTable, to: Destination<'_>) -> Result<LakeTable> {
    let head = session.lake.reload(base).await?;
    if let Some(reason) = lasting_conflict(base, &head, to.request, to.branch) {
        let snapshot_id = head.head_of(to.branch).map(|snapshot| snapshot.snapshot_id());
        Outcome::Conflicted { snapshot_id, reason }.settled()?;
    }
    head.check_writable()?;
    Ok(head)
}

/// The request with what the report counts, for the snapshot's summary.
pub(super) fn counted(request: &CommitRequest, report: &ChangeReport) -> CommitRequest {
    let mut request = request.clone();
    for (key, rows) in [
        ("northstar.inserted-rows", report.inserted_rows),
        ("northstar.updated-rows", report.updated_rows),
        ("northstar.deleted-rows", report.deleted_rows),
    ] {
        request.summary.insert(key.to_string(), rows.to_string());
    }
    request
}
