//! What else of a table depends on a column.

use iceberg::spec::{NestedField, TableMetadata, Transform};

use super::refused;
use super::settings::listed;
use super::siblings::{all_ids, is_within};
use crate::Result;
use crate::table::properties::KEY;

/// Refuses to drop a column, or a field of this full name, that something depends on, or that holds
/// what something depends on.
///
/// # Errors
/// `InvalidInput`, with what it is and how to undo it first.
pub(super) fn check_unused(
    metadata: &TableMetadata,
    field: &NestedField,
    name: &str,
) -> Result<()> {
    check_not_identifying(metadata, field, name)?;
    let ids = all_ids(field);
    let mut specs: Vec<_> = metadata.partition_specs_iter().collect();
    let current = metadata.default_partition_spec_id();
    specs.sort_unstable_by_key(|spec| (spec.spec_id() != current, spec.spec_id()));
    for spec in specs {
        let used = spec.fields().iter().find(|partition| {
            ids.contains(&partition.source_id) && partition.transform != Transform::Void
        });
        let Some(used) = used else { continue };
        return Err(refused(match spec.spec_id() == current {
            true => format!(
                "`{name}` is what partition field `{}` is made of; write first: ALTER TABLE … DROP \
                 PARTITION FIELD {}",
                used.name, used.name
            ),
            false => format!(
                "`{name}` is what partition field `{}` of an earlier partition spec is made of, and \
                 files may be there that only that spec describes; keep the column",
                used.name
            ),
        }));
    }
    if metadata.default_sort_order().fields.iter().any(|sort| ids.contains(&sort.source_id)) {
        return Err(refused(format!("`{name}` is in the table's sort order; keep the column")));
    }
    if listed(metadata.properties(), KEY).any(|column| is_within(column, name)) {
        return Err(refused(format!(
            "`{name}` is part of the table's key; write first: ALTER TABLE … SET TBLPROPERTIES \
             ('{KEY}' = '…') without it, or UNSET TBLPROPERTIES ('{KEY}')"
        )));
    }
    Ok(())
}

/// Refuses to change a column that identifies rows to other engines.
///
/// # Errors
/// `InvalidInput`.
pub(super) fn check_not_identifying(
    metadata: &TableMetadata,
    field: &NestedField,
    name: &str,
) -> Result<()> {
    let ids = all_ids(field);
    if metadata.current_schema().identifier_field_ids().any(|id| ids.contains(&id)) {
        return Err(refused(format!(
            "`{name}` is or holds an identifier field of the table, which must stay and hold no NULL"
        )));
    }
    Ok(())
}

/// Refuses a column name that a partition field has which is made of another column: the format
/// wants both names apart.
///
/// # Errors
/// `InvalidInput`.
pub(super) fn check_no_partition_field(
    metadata: &TableMetadata,
    name: &str,
    of: Option<i32>,
) -> Result<()> {
    let mut fields = metadata.partition_specs_iter().flat_map(|spec| spec.fields());
    match fields.any(|field| {
        field.name == name
            && !(Some(field.source_id) == of && field.transform == Transform::Identity)
    }) {
        false => Ok(()),
        true => Err(refused(format!(
            "`{name}` is the name of a partition field; give the column another one"
        ))),
    }
}
