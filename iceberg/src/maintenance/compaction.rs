//! Which files are compacted: chosen from manifests alone.
//!
//! A file is a candidate if it is small, has deleted rows or, if asked for, is not in the table's sort
//! order; light compaction takes fewer ([`CompactOptions::light`]). Candidates of one partition are read and written together. What is written is none of that,
//! but for at most one small file a partition, which alone is no reason to write again: compaction
//! leaves nothing to compact.

use std::collections::{BTreeMap, HashSet};

use iceberg::spec::TableMetadata;

use crate::scan::{IcebergTable, Inventory, StoredFile};
use crate::table::WriteProperties;
use crate::write::{partition, sort_columns};
use crate::{Error, ErrorKind, LakeTable, Result};

/// A group is closed once its files have this many bytes, or two files' worth if that is more: what
/// one writer sorts and spills is bounded by it.
const GROUP_BYTES: u64 = 2 << 30;

/// Light compaction writes a file with deletes anew when so many of 100 rows are deleted: what a reader
/// decodes in vain is then about what compaction costs.
const LIGHT_DELETED_PERCENT: u64 = 30;

/// Light compaction takes a file along with smaller ones when these have at least this part of its
/// bytes, so that a byte is written anew a few times and not each day.
const LIGHT_PART: u64 = 4;

/// What stands for the partition of files of any spec but the table's.
pub(super) const EARLIER_SPECS: &str = "earlier specs";

/// What is to be compacted.
#[derive(Debug, Clone, Default)]
pub struct CompactOptions {
    /// Partition fields by name, each with the value that a partition must have, as folder names
    /// show it. None of them: all partitions.
    pub partition: Vec<(String, String)>,
    /// Whether files that are not in the table's sort order are written anew too.
    pub sort: bool,
    /// Whether only what pays at once is written anew: small files beside others of about their size,
    /// and files of which a good part is deleted. For every day; the rest can wait for the week's end.
    pub light: bool,
}

/// Files that are read and written together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileGroup {
    /// Their partition as `field=value/…`; `earlier specs` for files of any partition spec but the
    /// table's.
    pub partition: String,
    /// Their paths.
    pub files: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them are small.
    pub small_files: u64,
    /// Rows that position deletes have taken from them.
    pub deleted_rows: u64,
    /// How many of them are written anew for that alone.
    pub worn_files: u64,
    /// How many are not in the table's sort order, where that counts.
    pub unsorted_files: u64,
}

/// What compaction would do to a table.
#[derive(Debug, Clone, Default)]
pub struct CompactionPlan {
    /// The groups, by partition.
    pub groups: Vec<FileGroup>,
    /// Files of position deletes that say nothing once the groups are rewritten: path and bytes.
    pub deletes: Vec<(String, u64)>,
}

impl CompactionPlan {
    /// Plans on the current snapshot of a table. Reads manifests and deletes, and no row.
    ///
    /// # Errors
    /// `InvalidInput` for a partition field that the table does not have, or a sort order that it
    /// does not have; `Unsupported` for a sort order that is not written; as a scan.
    pub async fn read(table: &LakeTable, options: &CompactOptions) -> Result<Self> {
        check(table, options)?;
        let inventory = IcebergTable::try_new(table.inner().clone(), None)?.inventory().await?;
        Self::of(&inventory, table.metadata(), options)
    }

    /// The plan for the live files of a table.
    pub(super) fn of(
        inventory: &Inventory,
        metadata: &TableMetadata,
        options: &CompactOptions,
    ) -> Result<Self> {
        let groups = groups(inventory, metadata, options)?;
        let deletes = silenced(inventory, &groups);
        Ok(Self { groups, deletes })
    }

    /// Files that would be read.
    pub fn files(&self) -> u64 {
        self.groups.iter().map(|group| group.files.len() as u64).sum()
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.groups.iter().map(|group| group.bytes).sum()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The first groups, up to so many bytes but at least one, with the deletes that go with them.
    pub(super) fn first(mut self, bytes: u64, inventory: &Inventory) -> Self {
        let mut sum = 0;
        let fits = self.groups.iter().take_while(|group| {
            let fits = sum == 0 || sum + group.bytes <= bytes;
            sum += group.bytes;
            fits
        });
        let count = fits.count();
        self.groups.truncate(count);
        self.deletes = silenced(inventory, &self.groups);
        self
    }
}

/// Refuses what cannot be asked of this table.
pub(super) fn check(table: &LakeTable, options: &CompactOptions) -> Result<()> {
    let metadata = table.metadata();
    let invalid = |message: String| {
        Err(Error::new(ErrorKind::InvalidInput, message).with_context("table", table.name()))
    };
    let names = || {
        let specs = metadata.partition_specs_iter();
        specs.flat_map(|spec| spec.fields().iter().map(|field| field.name.as_str()))
    };
    for (field, _) in &options.partition {
        if !names().any(|name| name == field) {
            let there: Vec<&str> = names().collect();
            let there = match there.is_empty() {
                true => "it is not partitioned".to_string(),
                false => format!("it has {}", there.join(", ")),
            };
            return invalid(format!("there is no partition field `{field}`; {there}"));
        }
    }
    if options.sort && metadata.default_sort_order().fields.is_empty() {
        return invalid("the table has no sort order; leave out --sort".to_string());
    }
    if options.sort && sort_columns(metadata).is_empty() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the table's sort order has transforms, descending columns or NULLs last, which are not \
             written; leave out --sort",
        )
        .with_context("table", table.name()));
    }
    Ok(())
}

/// The groups that are worth writing anew.
fn groups(
    inventory: &Inventory,
    metadata: &TableMetadata,
    options: &CompactOptions,
) -> Result<Vec<FileGroup>> {
    let properties = WriteProperties::read(metadata.properties())?;
    let order = i32::try_from(metadata.default_sort_order_id()).ok();
    let mut by_partition: BTreeMap<String, Vec<(&StoredFile, Reason)>> = BTreeMap::new();
    for file in &inventory.data {
        let is_current = file.spec.spec_id() == metadata.default_partition_spec_id();
        let texts =
            partition::texts(&file.spec, metadata.current_schema(), file.data().partition());
        let texts = match (is_current, texts) {
            (true, texts) => texts?,
            // An earlier spec may be of a column that is no longer there.
            (false, texts) => texts.unwrap_or_default(),
        };
        if !options.partition.iter().all(|wanted| texts.contains(wanted)) {
            continue;
        }
        let deleted_rows = file.deleted.len();
        let worn_rows = match options.light {
            true => file.data().record_count().saturating_mul(LIGHT_DELETED_PERCENT).div_ceil(100),
            false => 1,
        };
        let reason = Reason {
            small: file.data().file_size_in_bytes() < properties.small_file_bytes(),
            deleted_rows,
            worn: deleted_rows >= worn_rows.max(1),
            unsorted: options.sort && file.data().sort_order_id() != order,
        };
        if reason.small || reason.is_enough() {
            let key = match is_current {
                true => shown(&texts),
                false => EARLIER_SPECS.to_string(),
            };
            by_partition.entry(key).or_default().push((file, reason));
        }
    }
    let most_bytes = GROUP_BYTES.max(properties.target_file_bytes.saturating_mul(2));
    let cut = by_partition.into_iter().flat_map(|(key, mut files)| {
        if options.light {
            files = pays(files);
        }
        files.sort_by_key(|(file, _)| (file.sequence, file.data().file_path().to_owned()));
        cut(&key, &files, most_bytes)
    });
    Ok(cut.filter(FileGroup::is_worth_it).collect())
}

/// Why a file is a candidate.
#[derive(Debug, Clone, Copy)]
struct Reason {
    small: bool,
    deleted_rows: u64,
    /// Whether so many are deleted that the file is written anew for that.
    worn: bool,
    unsorted: bool,
}

impl Reason {
    /// Whether the file is written anew even alone.
    fn is_enough(self) -> bool {
        self.worn || self.unsorted
    }
}

impl FileGroup {
    fn is_worth_it(&self) -> bool {
        self.files.len() > 1 || self.worn_files > 0 || self.unsorted_files > 0
    }
}

/// The files of a partition that light compaction takes: those with a reason of their own, and of the
/// others the smallest, for as long as the next is not too big to be written anew for those before it.
fn pays(files: Vec<(&StoredFile, Reason)>) -> Vec<(&StoredFile, Reason)> {
    let (mut taken, mut small): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|(_, reason)| reason.is_enough());
    small.sort_by_key(|(file, _)| (bytes(file), file.data().file_path().to_owned()));
    let mut sum = taken.iter().map(|(file, _)| bytes(file)).sum::<u64>();
    let smaller = small.into_iter().enumerate().take_while(|(at, (file, _))| {
        let fits = sum >= bytes(file) / LIGHT_PART || (*at == 0 && sum == 0);
        sum += bytes(file);
        fits
    });
    taken.extend(smaller.map(|(_, file)| file));
    taken
}

fn bytes(file: &StoredFile) -> u64 {
    file.data().file_size_in_bytes()
}

fn cut(partition: &str, files: &[(&StoredFile, Reason)], most_bytes: u64) -> Vec<FileGroup> {
    let mut groups: Vec<FileGroup> = Vec::new();
    for (file, reason) in files {
        let bytes = file.data().file_size_in_bytes();
        let open = groups.last_mut().filter(|group| group.bytes + bytes <= most_bytes);
        let group = match open {
            Some(group) => group,
            None => {
                groups.push(FileGroup {
                    partition: partition.to_string(),
                    files: Vec::new(),
                    bytes: 0,
                    small_files: 0,
                    deleted_rows: 0,
                    worn_files: 0,
                    unsorted_files: 0,
                });
                match groups.last_mut() {
                    Some(group) => group,
                    None => continue,
                }
            }
        };
        group.files.push(file.data().file_path().to_owned());
        group.bytes += bytes;
        group.small_files += u64::from(reason.small);
        group.deleted_rows += reason.deleted_rows;
        group.worn_files += u64::from(reason.worn);
        group.unsorted_files += u64::from(reason.unsorted);
    }
    groups
}

/// The files of deletes that speak of files of the groups alone, or of none.
fn silenced(inventory: &Inventory, groups: &[FileGroup]) -> Vec<(String, u64)> {
    if groups.is_empty() {
        return Vec::new();
    }
    let files: HashSet<&str> =
        groups.iter().flat_map(|group| &group.files).map(String::as_str).collect();
    let deletes = inventory.deletes.iter();
    deletes
        .filter(|deletes| deletes.reach.iter().all(|path| files.contains(path.as_str())))
        .map(|deletes| (deletes.path.clone(), deletes.bytes))
        .collect()
}

/// A partition for people; `all` where there are none.
fn shown(texts: &[(String, String)]) -> String {
    if texts.is_empty() {
        return "all".to_string();
    }
    texts.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join("/")
}
