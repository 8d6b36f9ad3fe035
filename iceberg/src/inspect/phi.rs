//! Which columns are tagged as PHI, so that no value of them may be shown by the way.

use std::collections::HashSet;

use iceberg::spec::TableMetadata;

use crate::table::MetricsMode;
use crate::table::properties::{METRICS_DEFAULT, PHI_DIRECT, metrics_key, self_and_parents};

/// The ids of the columns that hold PHI: those that `northstar.phi.direct` lists, and those of
/// which the table's metrics modes say that no bounds be kept. Other writers may have kept them all
/// the same.
///
/// A name counts for each column that ever had it, so that a column stays tagged when it is renamed,
/// and for all parts of a nested one.
pub(super) fn tagged(metadata: &TableMetadata) -> HashSet<i32> {
    let properties = metadata.properties();
    let listed: HashSet<&str> = properties
        .get(PHI_DIRECT)
        .map(|names| names.split(',').map(str::trim).collect())
        .unwrap_or_default();
    // A mode that cannot be read is taken for one that hides.
    let hides = |mode: &String| {
        matches!(mode.parse(), Ok(MetricsMode::None | MetricsMode::Counts) | Err(_))
    };
    let by_default = properties.get(METRICS_DEFAULT).is_some_and(hides);
    let is_tagged = |name: &str| {
        let modes: Vec<&String> =
            self_and_parents(name).filter_map(|name| properties.get(&metrics_key(name))).collect();
        self_and_parents(name).any(|name| listed.contains(name))
            || modes.iter().any(|mode| hides(mode))
            || (by_default && modes.is_empty())
    };
    let fields = metadata.schemas_iter().flat_map(|schema| schema.field_id_to_name_map());
    fields.filter(|(_, name)| is_tagged(name)).map(|(id, _)| *id).collect()
}
