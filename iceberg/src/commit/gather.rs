//! Small manifests put together by commits, so that their number does not grow with that of commits.
//!
//! Each commit adds a manifest or two. Once so many are small, the next commit writes them together and
//! carries on with few: a commit in so many pays for it, and all others stay as quick as the first.
//!
//! Source: <https://iceberg.apache.org/docs/latest/configuration/#table-behavior-properties>

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{ManifestContentType, ManifestFile};

use super::change::FileChange;
use super::manifests::Manifests;
use crate::Result;
use crate::table::properties::{DEFAULT_MANIFEST_BYTES, MANIFEST_BYTES};

const ENABLED: &str = "commit.manifest-merge.enabled";
const MIN_COUNT: &str = "commit.manifest.min-count-to-merge";

/// The default of that, which is Iceberg's.
const DEFAULT_MIN_COUNT: usize = 100;

/// When commits put manifests together, by the properties of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gathering {
    enabled: bool,
    /// So many small manifests of one kind are put together.
    min_count: usize,
    /// The size that manifests are to have.
    pub(super) target_bytes: u64,
}

impl Gathering {
    /// What cannot be read has its default: no commit fails for how its manifests are laid out.
    pub(super) fn of(properties: &HashMap<String, String>) -> Self {
        let number = |key: &str| properties.get(key).and_then(|text| text.parse::<u64>().ok());
        let min_count = number(MIN_COUNT).and_then(|count| usize::try_from(count).ok());
        Self {
            enabled: properties.get(ENABLED).is_none_or(|text| !text.eq_ignore_ascii_case("false")),
            min_count: min_count.unwrap_or(DEFAULT_MIN_COUNT).max(2),
            target_bytes: number(MANIFEST_BYTES)
                .filter(|bytes| *bytes > 0)
                .unwrap_or(DEFAULT_MANIFEST_BYTES),
        }
    }

    /// Whether a manifest is to be put together with others: one below half of the target.
    fn is_small(&self, file: &ManifestFile) -> bool {
        u64::try_from(file.manifest_length).is_ok_and(|bytes| bytes < self.target_bytes / 2)
    }
}

impl Manifests<'_> {
    /// Writes small manifests of the parent together where, with the one that `change` adds, there are
    /// enough of a kind: of one content and partition spec. Those that this attempt wrote stay as they
    /// are, since they tell what it removes. One that cannot be read leaves all as they are: a commit
    /// that does not need it does not fail for it.
    ///
    /// # Errors
    /// Storage errors.
    pub(super) async fn gather(&mut self, change: &FileChange, by: &Gathering) -> Result<()> {
        let adds = |content| match content {
            ManifestContentType::Data => !change.added.is_empty(),
            ManifestContentType::Deletes => !change.added_deletes.is_empty(),
        };
        if !by.enabled {
            return Ok(());
        }
        let snapshot_id = self.snapshot_id;
        let is_candidate = |file: &ManifestFile| {
            file.added_snapshot_id != snapshot_id && adds(file.content) && by.is_small(file)
        };
        let kind = |file: &ManifestFile| {
            (file.partition_spec_id, file.content == ManifestContentType::Deletes)
        };
        let mut counts: BTreeMap<(i32, bool), usize> = BTreeMap::new();
        for file in self.list.iter().filter(|file| is_candidate(file)) {
            *counts.entry(kind(file)).or_default() += 1;
        }
        counts.retain(|_, count| *count + 1 >= by.min_count);
        if counts.is_empty() {
            return Ok(());
        }
        let goes = |file: &ManifestFile| is_candidate(file) && counts.contains_key(&kind(file));
        let small: Vec<ManifestFile> =
            self.list.iter().filter(|file| goes(file)).cloned().collect();
        match self.loaded(small).await {
            Ok(loaded) => {
                self.list.retain(|file| !goes(file));
                self.regroup(loaded, by.target_bytes).await
            }
            Err(error) => {
                tracing::warn!(%error, table = %self.head.name(), "manifests are not put together");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_that_make_no_sense_have_their_defaults() {
        let of = |pairs: &[(&str, &str)]| {
            Gathering::of(&pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
        };
        let default = of(&[]);
        assert_eq!(
            (default.enabled, default.min_count, default.target_bytes),
            (true, 100, 8 << 20)
        );
        assert_eq!(of(&[(ENABLED, "?"), (MIN_COUNT, "-3"), (MANIFEST_BYTES, "0")]), default);
        let set = of(&[(ENABLED, "false"), (MIN_COUNT, "1"), (MANIFEST_BYTES, "1000")]);
        assert_eq!((set.enabled, set.min_count, set.target_bytes), (false, 2, 1000));
    }
}
