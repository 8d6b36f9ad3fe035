//! Waiting between attempts: exponential, with jitter, bounded by the table's properties.

use std::time::Duration;

use crate::ids::Ids;
use crate::table::WriteProperties;

/// The waits of one commit.
#[derive(Debug)]
pub(crate) struct Backoff<'a> {
    most: u32,
    wait_ms: u64,
    longest_ms: u64,
    failures: u32,
    ids: &'a dyn Ids,
}

impl<'a> Backoff<'a> {
    pub(crate) fn new(properties: &WriteProperties, ids: &'a dyn Ids) -> Self {
        Self {
            most: properties.commit_retries,
            wait_ms: properties.retry_min_ms,
            longest_ms: properties.retry_max_ms,
            failures: 0,
            ids,
        }
    }

    /// How many attempts have failed.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts a failure and waits; `false`, at once, if that was the last attempt.
    pub(crate) async fn wait(&mut self) -> bool {
        self.failures += 1;
        if self.failures > self.most {
            return false;
        }
        tokio::time::sleep(self.next()).await;
        true
    }

    /// Between half of the wait and all of it, so that writers that met do not meet again.
    fn next(&mut self) -> Duration {
        let wait_ms = self.wait_ms.min(self.longest_ms);
        self.wait_ms = self.wait_ms.saturating_mul(2);
        let random = self.ids.positive_i64().unsigned_abs();
        Duration::from_millis(wait_ms / 2 + random % (wait_ms / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::ids::SeededIds;

    #[test]
    fn waits_double_up_to_the_longest() {
        let properties = WriteProperties::read(&HashMap::from([
            ("commit.retry.min-wait-ms".to_string(), "100".to_string()),
            ("commit.retry.max-wait-ms".to_string(), "300".to_string()),
        ]))
        .unwrap();
        let ids = SeededIds::new(1);
        let mut backoff = Backoff::new(&properties, &ids);
        for longest in [100, 200, 300, 300] {
            let wait = u64::try_from(backoff.next().as_millis()).unwrap();
            assert!((longest / 2..=longest).contains(&wait), "{wait} of {longest}");
        }
    }
}
