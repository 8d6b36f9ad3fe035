//! Changes of columns: from a schema to the next.

use std::sync::Arc;

use arrow::datatypes::DataType;
use iceberg::spec::{NestedField, NestedFieldRef, Schema, TableMetadata, Type};
use northstar_catalog::ident::check_name;

use super::siblings::{Parent, Siblings, at};
use super::{promotion, refused, uses};
use crate::table::schema::{FieldIds, iceberg_type, iceberg_type_with};
use crate::table::{ColumnDefinition, definition};
use crate::{Error, ErrorKind, Result};

/// What names of a statement's own columns begin with.
pub(super) const RESERVED_PREFIX: &str = "__northstar_";

/// Where a column stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Before all others.
    First,
    /// Right after this one, of the same struct.
    After(String),
}

/// A change of one column, or of a field within one, found by its full name: `address.city`; the
/// parts of lists are `element`, those of maps `key` and `value`.
#[derive(Debug, Clone)]
pub enum ColumnChange {
    /// A new column; at the end if no place is given. Rows that are there have NULL in it.
    Add {
        /// The column.
        column: ColumnDefinition,
        /// Where.
        place: Option<Place>,
        /// Whether one of that name may be there already.
        if_not_exists: bool,
    },
    /// A column goes. Its id is never used again.
    Drop {
        /// Its name.
        column: String,
        /// Whether it may be gone already.
        if_exists: bool,
    },
    /// A column gets another name.
    Rename {
        /// Its name.
        from: String,
        /// The new one.
        to: String,
    },
    /// A column gets another place.
    Move {
        /// Its name.
        column: String,
        /// The place.
        place: Place,
    },
    /// A column gets a type that holds all its values.
    Widen {
        /// Its name.
        column: String,
        /// The type.
        to: DataType,
    },
    /// A column may hold NULL from now on.
    MakeOptional(String),
    /// A column gets a comment, or loses it.
    Comment {
        /// Its name.
        column: String,
        /// The comment.
        comment: Option<String>,
    },
}

/// What changes of columns come to.
#[derive(Debug)]
pub(super) struct Evolved {
    pub(super) schema: Schema,
    /// Old and new names, in the order in which they changed.
    pub(super) renamed: Vec<(String, String)>,
    pub(super) dropped: Vec<String>,
}

/// The schema after these changes; `None` if it stays as it is.
///
/// # Errors
/// `InvalidInput` for a change that the format does not allow, `AlreadyExists` and `NotFound` for
/// names that are taken or missing; `Unsupported` for a type that v2 lacks.
pub(super) fn evolved(
    metadata: &TableMetadata,
    changes: &[ColumnChange],
) -> Result<Option<Evolved>> {
    let before = metadata.current_schema();
    let mut draft = Draft {
        metadata,
        fields: before.as_struct().fields().to_vec(),
        ids: FieldIds::after(metadata.last_column_id()),
        renamed: Vec::new(),
        dropped: Vec::new(),
    };
    for change in changes {
        draft.make(change)?;
    }
    let Draft { fields, renamed, dropped, .. } = draft;
    if fields == before.as_struct().fields() {
        return Ok(None);
    }
    let schema = Schema::builder()
        .with_fields(fields)
        .with_identifier_field_ids(before.identifier_field_ids())
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "the columns cannot be changed so")
                .with_source(error)
        })?;
    Ok(Some(Evolved { schema, renamed, dropped }))
}

/// Refuses a name that a new column may not have.
///
/// # Errors
/// `InvalidInput`, with the rule.
pub(crate) fn check_new_name(name: &str) -> Result<()> {
    if name.starts_with(RESERVED_PREFIX) {
        return Err(refused(format!(
            "names that begin with {RESERVED_PREFIX} are those of a statement's own columns; give \
             `{name}` another one"
        )));
    }
    definition::check_name(name)?;
    check_name("column", name)
}

/// Refuses a name that a field within another may not have.
///
/// # Errors
/// `InvalidInput`, with the rule.
pub(crate) fn check_nested_names(kind: &Type) -> Result<()> {
    match kind {
        Type::Primitive(_) => Ok(()),
        Type::List(of) => check_nested_names(&of.element_field.field_type),
        Type::Map(of) => {
            check_nested_names(&of.key_field.field_type)?;
            check_nested_names(&of.value_field.field_type)
        }
        Type::Struct(of) => of.fields().iter().enumerate().try_for_each(|(at, field)| {
            check_name("field", &field.name)?;
            if of.fields()[..at].iter().any(|other| other.name == field.name) {
                return Err(refused(format!("a struct has two fields `{}`", field.name)));
            }
            check_nested_names(&field.field_type)
        }),
    }
}

/// The columns under way.
struct Draft<'a> {
    metadata: &'a TableMetadata,
    fields: Vec<NestedFieldRef>,
    ids: FieldIds,
    renamed: Vec<(String, String)>,
    dropped: Vec<String>,
}

impl Draft<'_> {
    fn make(&mut self, change: &ColumnChange) -> Result<()> {
        let Self { metadata, fields, ids, renamed, dropped } = self;
        let columns = Siblings { fields, parent: Parent::Struct, prefix: String::new() };
        match change {
            ColumnChange::Add { column, place, if_not_exists } => {
                at(columns, &column.name, |mut level, name| {
                    if *if_not_exists && level.position(name).is_ok() {
                        return Ok(());
                    }
                    add(metadata, &mut level, name, column, ids)?;
                    place.as_ref().map_or(Ok(()), |place| shift(&mut level, name, place))
                })
            }
            ColumnChange::Drop { column, if_exists } => at(columns, column, |level, name| {
                level.check_struct(name)?;
                let place = match level.position(name) {
                    Err(_) if *if_exists => return Ok(()),
                    found => found?,
                };
                uses::check_unused(metadata, &level.fields[place], column)?;
                if level.fields.len() == 1 {
                    return Err(refused(match level.prefix.is_empty() {
                        true => format!(
                            "`{column}` is the last column; add another one first, or drop the table"
                        ),
                        false => format!(
                            "`{column}` is the last field of its struct; add another one first, or \
                             drop the struct"
                        ),
                    }));
                }
                level.fields.remove(place);
                dropped.push(column.clone());
                Ok(())
            }),
            ColumnChange::Rename { from, to } => at(columns, from, |mut level, name| {
                level.check_struct(name)?;
                let place = level.position(name)?;
                if name == to {
                    return Ok(());
                }
                check_free(metadata, &level, to, Some(level.fields[place].id))?;
                edit(&mut level, place, |field| field.name.clone_from(to));
                renamed.push((from.clone(), format!("{}{to}", level.prefix)));
                Ok(())
            }),
            ColumnChange::Move { column, place } => at(columns, column, |mut level, name| {
                level.check_struct(name)?;
                shift(&mut level, name, place)
            }),
            ColumnChange::Widen { column, to } => at(columns, column, |mut level, name| {
                let place = level.position(name)?;
                let to = iceberg_type(to).map_err(|error| error.with_context("column", column))?;
                promotion::check(column, &level.fields[place].field_type, &to)?;
                if to.is_primitive() {
                    edit(&mut level, place, |field| *field.field_type = to);
                }
                Ok(())
            }),
            ColumnChange::MakeOptional(column) => at(columns, column, |mut level, name| {
                let place = level.position(name)?;
                uses::check_not_identifying(metadata, &level.fields[place], column)?;
                edit(&mut level, place, |field| field.required = false);
                Ok(())
            }),
            ColumnChange::Comment { column, comment } => at(columns, column, |mut level, name| {
                let place = level.position(name)?;
                edit(&mut level, place, |field| field.doc.clone_from(comment));
                Ok(())
            }),
        }
    }
}

fn add(
    metadata: &TableMetadata,
    level: &mut Siblings<'_>,
    name: &str,
    column: &ColumnDefinition,
    ids: &mut FieldIds,
) -> Result<()> {
    level.check_struct(name)?;
    check_free(metadata, level, name, None)?;
    let full = &column.name;
    if column.required {
        return Err(refused(format!(
            "column `{full}` cannot be NOT NULL: rows that are there have no value for it, and \
             format version 2 has no defaults; add it without NOT NULL"
        )));
    }
    let id = ids.next_id();
    let kind = iceberg_type_with(&column.data_type, ids)
        .and_then(|kind| check_nested_names(&kind).map(|()| kind))
        .map_err(|error| error.with_context("column", full))?;
    let mut field = NestedField::optional(id, name, kind);
    field.doc.clone_from(&column.doc);
    level.fields.push(Arc::new(field));
    Ok(())
}

fn shift(level: &mut Siblings<'_>, name: &str, place: &Place) -> Result<()> {
    let field = level.fields.remove(level.position(name)?);
    let to = match place {
        Place::First => 0,
        Place::After(other) => {
            let other = other.strip_prefix(&level.prefix).unwrap_or(other);
            if other == name {
                return Err(refused(format!("`{name}` cannot stand after itself")));
            }
            level.position(other)? + 1
        }
    };
    level.fields.insert(to, field);
    Ok(())
}

fn edit(level: &mut Siblings<'_>, place: usize, edit: impl FnOnce(&mut NestedField)) {
    let mut field = level.fields[place].as_ref().clone();
    edit(&mut field);
    level.fields[place] = Arc::new(field);
}

/// Refuses a name that another field of the level has, but for case, or a partition field made of
/// another.
fn check_free(
    metadata: &TableMetadata,
    level: &Siblings<'_>,
    name: &str,
    of: Option<i32>,
) -> Result<()> {
    let (what, full) = (if level.prefix.is_empty() { "column" } else { "field" }, &level.prefix);
    match level.prefix.is_empty() {
        true => check_new_name(name)?,
        false => check_name(what, name)?,
    }
    let mut others = level.fields.iter().filter(|field| Some(field.id) != of);
    if let Some(taken) = others.find(|field| field.name.eq_ignore_ascii_case(name)) {
        return Err(Error::new(
            ErrorKind::AlreadyExists,
            format!("there is a {what} `{full}{}` already; choose another name", taken.name),
        ));
    }
    uses::check_no_partition_field(metadata, &format!("{full}{name}"), of)
}
