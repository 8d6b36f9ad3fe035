//! What a backfill did, unit by unit.

use super::descriptor::SourceReport;
use super::unit::UnitName;

/// What became of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitOutcome {
    /// Its rows and rejects were committed.
    Committed,
    /// They were there before; nothing was done.
    AlreadyThere,
    /// None of its files has anything that is not there: they are empty, loaded before, or refused.
    Nothing,
    /// Some of its files came with another unit or writer; the others are for another wave.
    InPart,
}

impl UnitOutcome {
    /// A word or two for tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::AlreadyThere => "already there",
            Self::Nothing => "nothing new",
            Self::InPart => "pending",
        }
    }
}

/// What became of a unit, with its files.
#[derive(Debug, Clone)]
pub struct UnitReport {
    /// The unit.
    pub unit: UnitName,
    /// What became of it.
    pub outcome: UnitOutcome,
    /// Its files.
    pub files: Vec<SourceReport>,
}

impl UnitReport {
    /// Whether a file of it was refused or is damaged.
    pub fn needs_attention(&self) -> bool {
        self.files.iter().any(SourceReport::needs_attention)
    }

    /// Records read, landed and quarantined by this wave.
    pub fn rows(&self) -> [u64; 3] {
        if self.outcome != UnitOutcome::Committed {
            return [0; 3];
        }
        let sum = |count: fn(&SourceReport) -> u64| self.files.iter().map(count).sum();
        [
            sum(|file| file.read_rows),
            sum(|file| file.landed_rows),
            sum(|file| file.quarantined_rows),
        ]
    }
}

/// What the commit of a wave did.
#[derive(Debug, Clone)]
pub struct WaveReport {
    /// Its units.
    pub units: Vec<UnitReport>,
    /// The snapshot that its rows are in, if this commit made one.
    pub snapshot_id: Option<i64>,
}

/// What a backfill did.
#[derive(Debug, Clone, Default)]
pub struct BackfillReport {
    /// Wave by wave.
    pub waves: Vec<WaveReport>,
}

impl BackfillReport {
    /// All units.
    pub fn units(&self) -> impl Iterator<Item = &UnitReport> {
        self.waves.iter().flat_map(|wave| &wave.units)
    }

    /// New snapshots of rows.
    pub fn snapshots(&self) -> usize {
        self.waves.iter().filter(|wave| wave.snapshot_id.is_some()).count()
    }
}
