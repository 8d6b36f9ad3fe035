//! Openings of tables, recorded on this machine and in a locked bucket.

use std::sync::Arc;

use async_trait::async_trait;
use northstar_iceberg::access::{AccessRecord, AccessSink, JsonLinesSink};
use northstar_iceberg::ids::Ids;
use northstar_iceberg::{Error, ErrorKind, Result};

use super::LockedBucket;

/// Records each access in a file, and if there is a bucket for it then also as a locked object. Only then
/// is the table opened.
#[derive(Debug)]
pub(crate) struct RecordedTwice {
    pub(crate) file: JsonLinesSink,
    pub(crate) bucket: Option<LockedBucket>,
    pub(crate) ids: Arc<dyn Ids>,
}

#[async_trait]
impl AccessSink for RecordedTwice {
    async fn record(&self, record: &AccessRecord) -> Result<()> {
        self.file.record(record).await?;
        let Some(bucket) = &self.bucket else { return Ok(()) };
        let line = serde_json::to_vec(record).map_err(|error| {
            Error::new(ErrorKind::Internal, "an access record cannot be written as JSON")
                .with_source(error)
        })?;
        let name = format!("{}-{}.json", record.time_ms, self.ids.uuid());
        bucket.put("access", record.time_ms, &name, line).await
    }
}
