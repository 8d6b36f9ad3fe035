//! The rows of one side of a join, on disk in buckets by a hash of the key.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result as DFResult;
use datafusion::execution::{SendableRecordBatchStream, SpillFile};
use datafusion::physical_plan::EmptyRecordBatchStream;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::spill::{SpillManager, get_record_batch_memory_size};

use super::keys::{Keys, hashes};
use super::probe::Joining;

/// The bitmap of a side's keys takes this share of what a bucket may take.
const KEYS_SHARE: usize = 8;

/// Appends a batch to a file, or ends the file and gives it if it has any.
type Append = Box<dyn FnMut(Option<&RecordBatch>) -> DFResult<Option<Arc<dyn SpillFile>>> + Send>;

/// A side that is being divided.
pub(super) struct Dividing {
    on: Vec<Arc<dyn PhysicalExpr>>,
    level: usize,
    spills: SpillManager,
    appends: Vec<Append>,
    sizes: Vec<(usize, usize)>,
    /// The rows of the batch at hand that belong to each bucket.
    places: Vec<Vec<u32>>,
    keys: Option<Keys>,
}

impl Dividing {
    /// Nothing yet of a side with these columns and keys, which are noted on request.
    pub(super) fn new(
        joining: &Joining,
        schema: SchemaRef,
        on: Vec<Arc<dyn PhysicalExpr>>,
        level: usize,
        with_keys: bool,
    ) -> DFResult<Self> {
        let metrics = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
        let spills = SpillManager::new(joining.context.runtime_env(), metrics, schema);
        let mut appends: Vec<Append> = Vec::with_capacity(joining.buckets);
        for _ in 0..joining.buckets {
            let mut file = spills.create_in_progress_file("join")?;
            appends.push(Box::new(move |batch| match batch {
                Some(batch) => file.append_batch(batch).map(|_| None),
                None => file.finish(),
            }));
        }
        Ok(Self {
            on,
            level,
            spills,
            appends,
            sizes: vec![(0, 0); joining.buckets],
            places: vec![Vec::new(); joining.buckets],
            keys: with_keys.then(|| Keys::new(joining.bucket_bytes / KEYS_SHARE)),
        })
    }

    /// Puts the rows of a batch into their buckets; those whose key is surely not among `among` are
    /// given back.
    pub(super) fn push(
        &mut self,
        batch: &RecordBatch,
        among: Option<&Keys>,
    ) -> DFResult<Option<RecordBatch>> {
        self.places.iter_mut().for_each(Vec::clear);
        let mut alone = Vec::new();
        for (row, hash) in (0_u32..).zip(hashes(&self.on, batch, self.level)?) {
            if among.is_some_and(|among| !among.may_have(hash)) {
                alone.push(row);
                continue;
            }
            if let Some(keys) = &mut self.keys {
                keys.add(hash);
            }
            // The upper bits; the bitmap takes the lower ones.
            let bucket = usize::try_from(hash >> 40).unwrap_or(0) % self.places.len();
            self.places[bucket].push(row);
        }
        for (bucket, rows) in self.places.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            let rows = take_record_batch(batch, &UInt32Array::from_iter_values(rows.clone()))?;
            self.sizes[bucket].0 += rows.num_rows();
            self.sizes[bucket].1 += get_record_batch_memory_size(&rows);
            self.appends[bucket](Some(&rows))?;
        }
        match alone.len() {
            0 => Ok(None),
            all if all == batch.num_rows() => Ok(Some(batch.clone())),
            _ => Ok(Some(take_record_batch(batch, &UInt32Array::from(alone))?)),
        }
    }

    /// The side, once all of its rows are there.
    pub(super) fn finish(mut self) -> DFResult<Buckets> {
        let mut buckets = Vec::with_capacity(self.sizes.len());
        for (append, (rows, bytes)) in self.appends.iter_mut().zip(self.sizes) {
            buckets.push(Bucket { file: append(None)?, rows, bytes });
        }
        Ok(Buckets { spills: self.spills, buckets, keys: self.keys })
    }
}

/// Some of a side's rows.
pub(super) struct Bucket {
    file: Option<Arc<dyn SpillFile>>,
    pub(super) rows: usize,
    /// What they take in memory.
    pub(super) bytes: usize,
}

/// A side, divided.
pub(super) struct Buckets {
    spills: SpillManager,
    pub(super) buckets: Vec<Bucket>,
    pub(super) keys: Option<Keys>,
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<usize> = self.buckets.iter().map(|bucket| bucket.rows).collect();
        f.debug_struct("Buckets").field("rows", &rows).finish_non_exhaustive()
    }
}

impl Buckets {
    /// The rows of a bucket. They may be read several times.
    pub(super) fn read(&self, bucket: &Bucket) -> DFResult<SendableRecordBatchStream> {
        match &bucket.file {
            Some(file) => self.spills.read_spill_as_stream(Arc::clone(file), None),
            None => Ok(Box::pin(EmptyRecordBatchStream::new(Arc::clone(self.spills.schema())))),
        }
    }

    /// Whether nearly all rows came into one bucket, so that their keys are likely one.
    pub(super) fn is_one(&self) -> bool {
        let all: usize = self.buckets.iter().map(|bucket| bucket.rows).sum();
        self.buckets.iter().any(|bucket| bucket.rows > all / 10 * 9)
    }
}
