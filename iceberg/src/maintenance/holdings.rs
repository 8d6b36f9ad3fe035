//! What each part of a table's history holds, in bytes: what dropping it would give back.

use std::collections::{BTreeMap, HashMap, HashSet};

use iceberg::spec::{MAIN_BRANCH, ManifestFile};

use super::DAY_MS;
use super::reading::{by_age, each_manifest, manifest_list};
use crate::refs::references;
use crate::{Lake, LakeTable, Result};

/// Up to these ages, in days, history is told apart.
const CLASSES_DAYS: [i64; 3] = [7, 35, 365];

/// Files that something holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holding {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The data and delete files of a table, each counted once under the first of these that holds it:
/// the head of `main`; history, by the age of the youngest snapshot that holds it; tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// What the head of `main` reads.
    pub live: Holding,
    /// What the snapshots of branches hold beside, and those that no ref leads to: the most days of
    /// the age class, `None` for all that is older, and the files.
    pub history: Vec<(Option<i64>, Holding)>,
    /// What tags alone hold.
    pub tags: Holding,
    /// Of that, what each tag holds: a file of two tags counts for both.
    pub by_tag: BTreeMap<String, Holding>,
    /// Of that, what each tag alone holds, which dropping it gives back.
    pub by_tag_alone: BTreeMap<String, Holding>,
}

impl Holding {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// What holds a file.
#[derive(Debug, Default)]
struct Holders {
    bytes: u64,
    is_live: bool,
    /// The time of the youngest snapshot of history that holds it.
    youngest_ms: Option<i64>,
    tags: HashSet<usize>,
}

/// What holds a manifest: the same, for all its live files.
#[derive(Debug, Default, Clone)]
struct ManifestHolders {
    is_live: bool,
    youngest_ms: Option<i64>,
    tags: HashSet<usize>,
}

impl Holdings {
    /// Reads all manifests of a table once.
    ///
    /// # Errors
    /// `Damaged` for a list or manifest that cannot be read.
    pub async fn read(lake: &Lake, table: &LakeTable) -> Result<Self> {
        let metadata = table.metadata();
        let now_ms = lake.clock.now_ms();
        let Roles { tags, on_branches } = roles(table)?;
        let mut manifests: BTreeMap<String, (ManifestFile, ManifestHolders)> = BTreeMap::new();
        for snapshot in by_age(table) {
            let id = snapshot.snapshot_id();
            let tagged: Vec<usize> = (0..tags.len()).filter(|tag| tags[*tag].1 == id).collect();
            // A snapshot that no branch leads to is history too, unless a tag keeps it.
            let is_history = on_branches.contains(&id) || tagged.is_empty();
            for file in manifest_list(lake, table, &snapshot).await? {
                let (_, holders) = manifests
                    .entry(file.manifest_path.clone())
                    .or_insert_with(|| (file, ManifestHolders::default()));
                holders.is_live |= metadata.current_snapshot_id() == Some(id);
                holders.tags.extend(&tagged);
                if is_history {
                    holders.youngest_ms = holders.youngest_ms.max(Some(snapshot.timestamp_ms()));
                }
            }
        }
        let files = files(lake, table, manifests).await?;
        let names: Vec<&str> = tags.iter().map(|(name, _)| name.as_str()).collect();
        Ok(Self::of(files.into_values(), &names, now_ms))
    }

    fn of(files: impl Iterator<Item = Holders>, tags: &[&str], now_ms: i64) -> Self {
        let classes = CLASSES_DAYS.map(Some).into_iter().chain([None]);
        let mut all = Self {
            history: classes.map(|days| (days, Holding::default())).collect(),
            ..Self::default()
        };
        for tag in tags {
            all.by_tag.insert((*tag).to_string(), Holding::default());
            all.by_tag_alone.insert((*tag).to_string(), Holding::default());
        }
        for file in files {
            if file.is_live {
                all.live.add(file.bytes);
            } else if let Some(time_ms) = file.youngest_ms {
                let age_ms = now_ms.saturating_sub(time_ms);
                let class = all.history.iter_mut().find(|(days, _)| {
                    days.is_none_or(|days| age_ms <= days.saturating_mul(DAY_MS))
                });
                if let Some((_, holding)) = class {
                    holding.add(file.bytes);
                }
            } else {
                all.tags.add(file.bytes);
                for tag in &file.tags {
                    all.by_tag.entry(tags[*tag].to_string()).or_default().add(file.bytes);
                    if file.tags.len() == 1 {
                        all.by_tag_alone.entry(tags[*tag].to_string()).or_default().add(file.bytes);
                    }
                }
            }
        }
        all
    }
}

/// What tags and branches lead to.
struct Roles {
    /// Tags with their snapshots.
    tags: Vec<(String, i64)>,
    /// The snapshots of branches.
    on_branches: HashSet<i64>,
}

fn roles(table: &LakeTable) -> Result<Roles> {
    let metadata = table.metadata();
    let mut tags = Vec::new();
    let mut heads = vec![MAIN_BRANCH.to_string()];
    for (name, reference) in references(metadata)? {
        match reference.is_branch() {
            true => heads.push(name),
            false => tags.push((name, reference.snapshot_id)),
        }
    }
    let on_branches = heads
        .iter()
        .flat_map(|branch| table.ancestors_on(branch))
        .map(|snapshot| snapshot.snapshot_id())
        .collect();
    Ok(Roles { tags, on_branches })
}

/// The files of all manifests, with all that holds them.
async fn files(
    lake: &Lake,
    table: &LakeTable,
    manifests: BTreeMap<String, (ManifestFile, ManifestHolders)>,
) -> Result<HashMap<String, Holders>> {
    let mut files: HashMap<String, Holders> = HashMap::new();
    let (list, holders): (Vec<ManifestFile>, HashMap<String, ManifestHolders>) = manifests
        .into_values()
        .map(|(file, holders)| (file.clone(), (file.manifest_path, holders)))
        .unzip();
    each_manifest(lake, table, list, false, |manifest_file, manifest| {
        let Some(by) = holders.get(&manifest_file.manifest_path) else { return };
        for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
            let file = files.entry(entry.file_path().to_owned()).or_default();
            file.bytes = entry.file_size_in_bytes();
            file.is_live |= by.is_live;
            file.youngest_ms = file.youngest_ms.max(by.youngest_ms);
            file.tags.extend(&by.tags);
        }
    })
    .await?;
    Ok(files)
}
