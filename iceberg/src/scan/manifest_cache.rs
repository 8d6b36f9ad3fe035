//! Manifests that were read before: one never changes, so it is read once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::mem::size_of;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iceberg::io::FileIO;
use iceberg::spec::{DataFile, Datum, Manifest, ManifestEntry, ManifestFile, PrimitiveLiteral};
use tokio::sync::OnceCell;

use super::files::unreadable;
use crate::Result;

/// Manifests in memory, those used last, of about so many bytes at most.
///
/// It is for the tables of one lake, and for as long as a session or a statement: a file that is
/// damaged or removed meanwhile is not noticed.
///
/// Source: <https://iceberg.apache.org/spec/#overview>, manifests are immutable.
pub struct ManifestCache {
    max_bytes: u64,
    kept: Mutex<Kept>,
    reads: AtomicU64,
    hits: AtomicU64,
}

/// The path, and what the manifest list lets its entries inherit: the sequence number, and the
/// snapshot that added it.
type Key = (String, i64, i64);

type Cell = Arc<OnceCell<Arc<Manifest>>>;

#[derive(Default)]
struct Kept {
    slots: HashMap<Key, Slot>,
    /// The keys by when they were used last.
    by_use: BTreeMap<u64, Key>,
    bytes: u64,
    uses: u64,
}

struct Slot {
    cell: Cell,
    used: u64,
    bytes: u64,
}

impl ManifestCache {
    /// What sessions keep unless they are told otherwise.
    pub const DEFAULT_BYTES: u64 = 64 << 20;

    /// An empty cache. With 0 bytes nothing is kept.
    pub fn new(max_bytes: u64) -> Self {
        let kept = Mutex::new(Kept::default());
        Self { max_bytes, kept, reads: AtomicU64::new(0), hits: AtomicU64::new(0) }
    }

    /// How many manifests were read from storage.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// How often a manifest was there.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// About how much memory the kept manifests take.
    pub fn bytes(&self) -> u64 {
        self.kept().bytes
    }

    /// A manifest, read if it is not there. Two that ask for one at a time read it once.
    ///
    /// # Errors
    /// `Damaged` for one that cannot be read, `Unsupported` for one with unknown features.
    pub(crate) async fn load(
        &self,
        file_io: &FileIO,
        file: &ManifestFile,
    ) -> Result<Arc<Manifest>> {
        let key = (file.manifest_path.clone(), file.sequence_number, file.added_snapshot_id);
        let cell = self.kept().cell(&key);
        let mut read = false;
        let manifest = cell
            .get_or_try_init(|| async {
                read = true;
                match file.load_manifest(file_io).await {
                    Ok(manifest) => Ok(Arc::new(manifest)),
                    Err(error) => {
                        Err(unreadable(error, file_io, &file.manifest_path, "manifest").await)
                    }
                }
            })
            .await;
        match &manifest {
            Ok(manifest) if read => {
                self.reads.fetch_add(1, Ordering::Relaxed);
                self.kept().keep(&key, bytes_of(manifest), self.max_bytes);
            }
            Ok(_) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => self.kept().forget(&key),
        }
        manifest.cloned()
    }

    /// No step leaves the books half done, so a thread that panicked has not either.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ManifestCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManifestCache({} of {} bytes)", self.bytes(), self.max_bytes)
    }
}

impl Kept {
    /// The place of a manifest, which is used now.
    fn cell(&mut self, key: &Key) -> Cell {
        self.uses += 1;
        let used = self.uses;
        let slot = self.slots.entry(key.clone()).or_insert_with(|| Slot {
            cell: Cell::default(),
            used,
            bytes: 0,
        });
        self.by_use.remove(&slot.used);
        slot.used = used;
        self.by_use.insert(used, key.clone());
        Arc::clone(&slot.cell)
    }

    /// Notes how large a manifest is, and lets go of those that were not used for longest.
    fn keep(&mut self, key: &Key, bytes: u64, max_bytes: u64) {
        if let Some(slot) = self.slots.get_mut(key) {
            self.bytes = self.bytes - slot.bytes + bytes;
            slot.bytes = bytes;
        }
        while self.bytes > max_bytes {
            let Some((_, oldest)) = self.by_use.pop_first() else { break };
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, key: &Key) {
        if let Some(slot) = self.slots.remove(key) {
            self.by_use.remove(&slot.used);
            self.bytes -= slot.bytes;
        }
    }
}

/// An estimate, rather too high: what stands in manifests is small, and maps have gaps.
fn bytes_of(manifest: &Manifest) -> u64 {
    let entries = manifest
        .entries()
        .iter()
        .map(|entry| size_of::<ManifestEntry>() + file_bytes(entry.data_file()));
    u64::try_from(entries.sum::<usize>()).unwrap_or(u64::MAX).saturating_add(4096)
}

fn file_bytes(file: &DataFile) -> usize {
    let counts = [
        file.column_sizes(),
        file.value_counts(),
        file.null_value_counts(),
        file.nan_value_counts(),
    ];
    let counts: usize = counts.iter().map(|map| map.capacity() * 2 * size_of::<(i32, u64)>()).sum();
    let bounds = file.lower_bounds().values().chain(file.upper_bounds().values());
    let bounds: usize = bounds.map(|bound| 2 * size_of::<(i32, Datum)>() + text_bytes(bound)).sum();
    let partition = file.partition().fields().len() * 64;
    file.file_path().len() + counts + bounds + partition
}

fn text_bytes(bound: &Datum) -> usize {
    match bound.literal() {
        PrimitiveLiteral::String(text) => text.len(),
        PrimitiveLiteral::Binary(bytes) => bytes.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        (name.to_string(), 1, 1)
    }

    #[test]
    fn what_was_used_last_stays_within_the_bytes() {
        let mut kept = Kept::default();
        for name in ["a", "b", "c"] {
            kept.cell(&key(name));
            kept.keep(&key(name), 40, 100);
        }
        assert_eq!((kept.bytes, kept.slots.len()), (80, 2), "a had to go");
        assert!(!kept.slots.contains_key(&key("a")));
        kept.cell(&key("b"));
        kept.cell(&key("d"));
        kept.keep(&key("d"), 40, 100);
        assert!(kept.slots.contains_key(&key("b")), "it was used after c");
        assert!(!kept.slots.contains_key(&key("c")));
        kept.cell(&key("e"));
        kept.keep(&key("e"), 1000, 100);
        assert_eq!((kept.bytes, kept.slots.len(), kept.by_use.len()), (0, 0, 0), "one too large");
    }

    #[test]
    fn one_that_failed_is_asked_for_again() {
        let mut kept = Kept::default();
        kept.cell(&key("a"));
        kept.forget(&key("a"));
        assert_eq!((kept.slots.len(), kept.by_use.len()), (0, 0));
    }
}
