//! Changes of the partition spec: from its fields to the next ones. Files keep the spec that they
//! were written with.
//!
//! Source: <https://iceberg.apache.org/spec/#partition-evolution>

use iceberg::spec::{
    NestedField, PartitionField, Schema, TableMetadata, Transform, UnboundPartitionField,
    UnboundPartitionSpec,
};

use super::refused;
use super::settings::{identifies, identifying};
use crate::table::PartitionColumn;
use crate::table::from_arrow::type_text;
use crate::write::partition::struct_path;
use crate::{Error, ErrorKind, Result};

/// A change of one partition field. A field that is there is named by its name, or by what it is
/// made of: `month(at)`.
#[derive(Debug, Clone)]
pub enum FieldChange {
    /// A new field, under its usual name if none is given.
    Add {
        /// What it is made of.
        field: PartitionColumn,
        /// Its name.
        name: Option<String>,
    },
    /// A field goes.
    Drop(PartitionColumn),
    /// A field takes the place of another.
    Replace {
        /// The field that goes.
        from: PartitionColumn,
        /// What the new one is made of.
        to: PartitionColumn,
        /// Its name.
        name: Option<String>,
    },
}

/// The partition spec after these changes; `None` if it stays as it is.
///
/// # Errors
/// `InvalidInput` for a field that cannot be, `AlreadyExists` and `NotFound` for one that is there
/// or missing.
pub(super) fn evolved(
    metadata: &TableMetadata,
    changes: &[FieldChange],
) -> Result<Option<UnboundPartitionSpec>> {
    let before: Vec<UnboundPartitionField> =
        metadata.default_partition_spec().fields().iter().map(unbound).collect();
    let mut fields = before.clone();
    for change in changes {
        match change {
            FieldChange::Add { field, name } => {
                let at = fields.len();
                add(metadata, &mut fields, at, field, name.as_deref())?;
            }
            FieldChange::Drop(field) => {
                let at = position(metadata, &fields, field)?;
                fields.remove(at);
            }
            FieldChange::Replace { from, to, name } => {
                let at = position(metadata, &fields, from)?;
                fields.remove(at);
                add(metadata, &mut fields, at, to, name.as_deref())?;
            }
        }
    }
    let same = |a: &UnboundPartitionField, b: &UnboundPartitionField| {
        (a.source_id, a.transform, &a.name) == (b.source_id, b.transform, &b.name)
    };
    if fields.len() == before.len() && fields.iter().zip(&before).all(|(a, b)| same(a, b)) {
        return Ok(None);
    }
    let spec = UnboundPartitionSpec::builder().add_partition_fields(fields).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "the table cannot be partitioned so").with_source(error)
    })?;
    Ok(Some(spec.build()))
}

fn unbound(field: &PartitionField) -> UnboundPartitionField {
    UnboundPartitionField {
        source_id: field.source_id,
        field_id: Some(field.field_id),
        name: field.name.clone(),
        transform: field.transform,
    }
}

fn add(
    metadata: &TableMetadata,
    fields: &mut Vec<UnboundPartitionField>,
    at: usize,
    field: &PartitionColumn,
    name: Option<&str>,
) -> Result<()> {
    let schema = metadata.current_schema();
    let source = source(schema, &field.column)?;
    check_transform(field, source)?;
    if identifies(metadata.properties(), &field.column) {
        return Err(identifying(&field.column));
    }
    let like = fields.iter().find(|other| {
        other.source_id == source.id && other.transform.dedup_name() == field.transform.dedup_name()
    });
    if let Some(like) = like {
        let there = shown(schema, like);
        return Err(Error::new(
            ErrorKind::AlreadyExists,
            match like.transform == field.transform {
                true => format!("the table is partitioned by {there} already"),
                false => format!(
                    "the table is partitioned by {there}; write REPLACE PARTITION FIELD {there} WITH \
                     {field}"
                ),
            },
        ));
    }
    let name = name.map_or_else(|| field.field_name(), str::to_string);
    check_avro_name(&name)?;
    let taken = fields.iter().any(|other| other.name == name)
        || (schema.field_by_name(&name).is_some()
            && !(field.transform == Transform::Identity && name == field.column));
    if taken {
        return Err(Error::new(
            ErrorKind::AlreadyExists,
            format!(
                "there is a column or partition field `{name}`; write ADD PARTITION FIELD {field} AS \
                 another_name"
            ),
        ));
    }
    let transform = field.transform;
    fields.insert(
        at,
        UnboundPartitionField { source_id: source.id, field_id: None, name, transform },
    );
    Ok(())
}

/// Refuses a name that manifests, which are Avro, cannot have.
fn check_avro_name(name: &str) -> Result<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match name.chars().all(legal) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        true => Ok(()),
        false => Err(refused(format!(
            "the partition field name `{name}` is not allowed: use letters, digits and `_`, not \
             starting with a digit; write ADD PARTITION FIELD … AS another_name"
        ))),
    }
}

fn check_transform(field: &PartitionColumn, source: &NestedField) -> Result<()> {
    match field.transform.result_type(&source.field_type) {
        Ok(_) => Ok(()),
        Err(_) => Err(refused(format!(
            "`{field}` cannot partition a column of type {}",
            type_text(&source.field_type)
        ))),
    }
}

/// The column, or field of structs, that a partition field is made of.
fn source<'a>(schema: &'a Schema, column: &str) -> Result<&'a NestedField> {
    let found = schema.field_by_name(column).ok_or_else(|| {
        let fields = schema.as_struct().fields().iter();
        let names: Vec<&str> = fields.map(|field| field.name.as_str()).collect();
        Error::new(
            ErrorKind::NotFound,
            format!(
                "there is no column `{column}` to partition by; there are {}",
                names.join(", ")
            ),
        )
    })?;
    match struct_path(schema.as_struct().fields(), found.id) {
        Some(_) => Ok(found),
        None => Err(refused(format!(
            "`{column}` has several values in a row, which can be in one partition only"
        ))),
    }
}

fn position(
    metadata: &TableMetadata,
    fields: &[UnboundPartitionField],
    wanted: &PartitionColumn,
) -> Result<usize> {
    let schema = metadata.current_schema();
    let named = |field: &UnboundPartitionField| {
        wanted.transform == Transform::Identity && field.name == wanted.column
    };
    let made_of = |field: &UnboundPartitionField| {
        field.transform == wanted.transform
            && schema.name_by_field_id(field.source_id) == Some(wanted.column.as_str())
    };
    let found = fields.iter().position(named).or_else(|| fields.iter().position(made_of));
    found.ok_or_else(|| {
        let there: Vec<String> = fields.iter().map(|field| shown(schema, field)).collect();
        Error::new(
            ErrorKind::NotFound,
            match there.is_empty() {
                true => "the table is not partitioned".to_string(),
                false => format!(
                    "the table is not partitioned by {wanted}; it is by {}",
                    there.join(", ")
                ),
            },
        )
    })
}

fn shown(schema: &Schema, field: &UnboundPartitionField) -> String {
    match schema.name_by_field_id(field.source_id) {
        Some(column) => {
            let column = column.to_string();
            PartitionColumn { column, transform: field.transform }.to_string()
        }
        None => field.name.clone(),
    }
}
