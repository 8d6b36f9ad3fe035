//! Changes of columns: from a schema to the next.

use std::sync::Arc;

use arrow::datatypes::DataType;
use iceberg::spec::{NestedField, NestedFieldRef, Schema, TableMetadata};
use northstar_catalog::ident::check_name;

use super::{promotion, refused, uses};
use crate::table::schema::iceberg_type;
use crate::table::{ColumnDefinition, definition};
use crate::{Error, ErrorKind, Result};

/// What names of a statement's own columns begin with.
const RESERVED_PREFIX: &str = "__northstar_";

/// Where a column stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Before all others.
    First,
    /// Right after this one.
    After(String),
}

/// A change of one column, found by its name.
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
        last_column_id: metadata.last_column_id(),
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

/// The columns under way.
struct Draft<'a> {
    metadata: &'a TableMetadata,
    fields: Vec<NestedFieldRef>,
    last_column_id: i32,
    renamed: Vec<(String, String)>,
    dropped: Vec<String>,
}

impl Draft<'_> {
    fn make(&mut self, change: &ColumnChange) -> Result<()> {
        match change {
            ColumnChange::Add { column, place, if_not_exists } => {
                if *if_not_exists && self.fields.iter().any(|field| field.name == column.name) {
                    return Ok(());
                }
                self.add(column, place.as_ref())
            }
            ColumnChange::Drop { column, if_exists } => {
                if *if_exists && !self.fields.iter().any(|field| field.name == *column) {
                    return Ok(());
                }
                self.drop(column)
            }
            ColumnChange::Rename { from, to } => self.rename(from, to),
            ColumnChange::Move { column, place } => self.shift(column, place),
            ColumnChange::Widen { column, to } => self.widen(column, to),
            ColumnChange::MakeOptional(column) => self.make_optional(column),
            ColumnChange::Comment { column, comment } => {
                let at = self.position(column)?;
                self.edit(at, |field| field.doc.clone_from(comment));
                Ok(())
            }
        }
    }

    fn add(&mut self, column: &ColumnDefinition, place: Option<&Place>) -> Result<()> {
        let name = &column.name;
        self.check_free(name, None)?;
        if column.required {
            return Err(refused(format!(
                "column `{name}` cannot be NOT NULL: rows that are there have no value for it, and \
                 format version 2 has no defaults; add it without NOT NULL"
            )));
        }
        let kind =
            iceberg_type(&column.data_type).map_err(|error| error.with_context("column", name))?;
        self.last_column_id += 1;
        let mut field = NestedField::optional(self.last_column_id, name, kind);
        field.doc.clone_from(&column.doc);
        self.fields.push(Arc::new(field));
        match place {
            Some(place) => self.shift(name, place),
            None => Ok(()),
        }
    }

    fn drop(&mut self, column: &str) -> Result<()> {
        let at = self.position(column)?;
        uses::check_unused(self.metadata, &self.fields[at])?;
        if self.fields.len() == 1 {
            return Err(refused(format!(
                "`{column}` is the last column; add another one first, or drop the table"
            )));
        }
        self.fields.remove(at);
        self.dropped.push(column.to_string());
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        let at = self.position(from)?;
        if from == to {
            return Ok(());
        }
        self.check_free(to, Some(self.fields[at].id))?;
        self.edit(at, |field| field.name = to.to_string());
        self.renamed.push((from.to_string(), to.to_string()));
        Ok(())
    }

    fn shift(&mut self, column: &str, place: &Place) -> Result<()> {
        let field = self.fields.remove(self.position(column)?);
        let to = match place {
            Place::First => 0,
            Place::After(other) if other == column => {
                return Err(refused(format!("`{column}` cannot stand after itself")));
            }
            Place::After(other) => self.position(other)? + 1,
        };
        self.fields.insert(to, field);
        Ok(())
    }

    fn widen(&mut self, column: &str, to: &DataType) -> Result<()> {
        let at = self.position(column)?;
        let to = iceberg_type(to).map_err(|error| error.with_context("column", column))?;
        promotion::check(column, &self.fields[at].field_type, &to)?;
        self.edit(at, |field| *field.field_type = to);
        Ok(())
    }

    fn make_optional(&mut self, column: &str) -> Result<()> {
        let at = self.position(column)?;
        uses::check_not_identifying(self.metadata, &self.fields[at])?;
        self.edit(at, |field| field.required = false);
        Ok(())
    }

    fn edit(&mut self, at: usize, edit: impl FnOnce(&mut NestedField)) {
        let mut field = self.fields[at].as_ref().clone();
        edit(&mut field);
        self.fields[at] = Arc::new(field);
    }

    fn position(&self, column: &str) -> Result<usize> {
        self.fields.iter().position(|field| field.name == column).ok_or_else(|| {
            let names: Vec<&str> = self.fields.iter().map(|field| field.name.as_str()).collect();
            Error::new(
                ErrorKind::NotFound,
                format!("there is no column `{column}`; there are {}", names.join(", ")),
            )
        })
    }

    /// Refuses a name that another column has, but for case, or a partition field made of another.
    fn check_free(&self, name: &str, of: Option<i32>) -> Result<()> {
        check_new_name(name)?;
        let others = || self.fields.iter().filter(|field| Some(field.id) != of);
        if let Some(taken) = others().find(|field| field.name.eq_ignore_ascii_case(name)) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("there is a column `{}` already; choose another name", taken.name),
            ));
        }
        uses::check_no_partition_field(self.metadata, name, of)
    }
}
