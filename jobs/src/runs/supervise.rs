//! The supervisor: starts what may start, and ends what must end.

use std::sync::Arc;
use std::time::Duration;

use northstar_iceberg::{Error, Result};
use rusqlite::{Transaction, TransactionBehavior};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Runs;
use super::conduct::conduct;
use super::prune::prune;
use super::queue::{Settled, settle};
use super::recover::recover;

/// The queue is looked at so often at the least.
const LOOK: Duration = Duration::from_secs(60);
/// Old runs are let go so often.
const DAY: Duration = Duration::from_secs(86_400);
/// How long to wait after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

impl Runs {
    /// Runs what is asked for until told to stop. Then it ends the processes; what they did not finish
    /// is lost or, if it may be tried again, waits for the next start.
    pub(crate) async fn supervise(self: Arc<Self>, stop: impl Future) {
        let (tell, server) = watch::channel(false);
        let mut conducted = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        let mut recovered = false;
        let mut pruned = None;
        let mut changes = self.changes();
        loop {
            changes.borrow_and_update();
            if !recovered {
                recovered = self.recovered().await;
            }
            if pruned.is_none_or(|pruned: Instant| pruned.elapsed() > DAY) {
                pruned = Some(Instant::now());
                self.pruned().await;
            }
            let pause = match recovered {
                true => self.start_due(&mut conducted, &server).await,
                false => PAUSE,
            };
            tokio::select! {
                _ = &mut stop => break,
                changed = changes.changed(), if recovered => {
                    if changed.is_err() { break; }
                }
                Some(ended) = conducted.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a run is not looked after any more");
                    }
                }
                () = sleep(pause) => {}
            }
        }
        tell.send_replace(true);
        while conducted.join_next().await.is_some() {}
    }

    /// Settles what an earlier server left; whether that could be done.
    async fn recovered(&self) -> bool {
        match recover(self).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "runs of an earlier server cannot be settled yet");
                false
            }
        }
    }

    /// Lets old runs go. What cannot be removed now goes another day.
    async fn pruned(&self) {
        if let Err(error) = prune(self).await {
            tracing::warn!(%error, "old runs and their logs could not be removed");
        }
    }

    /// Starts what may start; when to look again.
    async fn start_due(
        self: &Arc<Self>,
        conducted: &mut JoinSet<()>,
        server: &watch::Receiver<bool>,
    ) -> Duration {
        let now_ms = self.now_ms();
        let settled = match self.settled(now_ms).await {
            Ok(settled) => settled,
            Err(error) => {
                tracing::error!(%error, "the queue of runs cannot be read or changed");
                return PAUSE;
            }
        };
        for claimed in settled.claimed {
            conducted.spawn(conduct(Arc::clone(self), claimed, server.clone()));
        }
        match settled.next_ms {
            Some(next_ms) => {
                Duration::from_millis(next_ms.saturating_sub(now_ms).max(1).unsigned_abs())
                    .min(LOOK)
            }
            None => LOOK,
        }
    }

    async fn settled(&self, now_ms: i64) -> Result<Settled> {
        let most = self.config.most_at_once.max(1);
        let work = move |tx: &Transaction<'_>| settle(tx, most, now_ms).map(Ok::<_, Error>);
        let settled = self.transaction(TransactionBehavior::Immediate, work).await??;
        if settled.changed {
            self.changed();
        }
        Ok(settled)
    }
}
