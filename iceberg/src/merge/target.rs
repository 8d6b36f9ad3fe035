//! The table that a statement changes, and what its clauses give each column.

use std::collections::HashSet;

use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectName, ObjectNamePart};

use super::query::column;
use super::statement::{Action, Clause, RowStatement, invalid, unsupported};
use crate::{Result, TableName};

/// The target of a statement.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) name: TableName,
    /// What the statement calls it.
    pub(super) alias: String,
    /// The table's own columns.
    pub(super) columns: SchemaRef,
}

/// What a clause gives a column.
#[derive(Debug, Clone)]
pub(super) struct Assigned {
    /// The clause's place in its list.
    pub(super) clause: usize,
    /// The column's place in the target.
    pub(super) column: usize,
    pub(super) value: Expr,
}

/// An identifier as SQL reads it: in lower case unless it is quoted.
pub(super) fn normal(ident: &Ident) -> String {
    match ident.quote_style {
        None => ident.value.to_ascii_lowercase(),
        Some(_) => ident.value.clone(),
    }
}

/// The parts of a name as SQL reads them.
pub(super) fn parts(name: &ObjectName) -> Vec<String> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => normal(ident),
            ObjectNamePart::Function(function) => function.to_string(),
        })
        .collect()
}

impl Target {
    /// What the clauses of a list that update give to which columns.
    ///
    /// # Errors
    /// `InvalidInput` for a column that the target does not have, or that is given twice.
    pub(super) fn updates(
        &self,
        list: &[Clause],
        source: Option<&Source>,
    ) -> Result<Vec<Assigned>> {
        let mut all = Vec::new();
        for (clause, Clause { action, .. }) in list.iter().enumerate() {
            let pairs: Vec<(usize, Expr)> = match action {
                Action::Update(assignments) => assignments
                    .iter()
                    .map(|(name, value)| Ok((self.position(name)?, value.clone())))
                    .collect::<Result<_>>()?,
                Action::UpdateAll => self.all_from(source, "UPDATE SET *")?,
                _ => continue,
            };
            once(pairs.iter().map(|(column, _)| *column), |column| self.field(column))?;
            all.extend(pairs.into_iter().map(|(column, value)| Assigned { clause, column, value }));
        }
        Ok(all)
    }

    /// What the clauses that insert give to which columns. A column that is not given is NULL.
    ///
    /// # Errors
    /// `InvalidInput` for a column that the target does not have or that is given twice, for a
    /// number of values that is not that of the columns, and for a required column that is not given.
    pub(super) fn inserts(&self, list: &[Clause], source: &Source) -> Result<Vec<Assigned>> {
        let mut all = Vec::new();
        for (clause, Clause { action, .. }) in list.iter().enumerate() {
            let pairs: Vec<(usize, Expr)> = match action {
                Action::InsertAll => self.all_from(Some(source), "INSERT *")?,
                Action::Insert(names, values) => {
                    let places = self.places(names, values.len())?;
                    places.into_iter().zip(values.iter().cloned()).collect()
                }
                _ => continue,
            };
            all.extend(pairs.into_iter().map(|(column, value)| Assigned { clause, column, value }));
        }
        Ok(all)
    }

    /// The columns that so many values go to: those that are named, or all in their order.
    ///
    /// # Errors
    /// As [`Target::inserts`].
    pub(super) fn places(&self, names: &[ObjectName], values: usize) -> Result<Vec<usize>> {
        let places: Vec<usize> = if names.is_empty() {
            (0..self.columns.fields().len()).collect()
        } else {
            names.iter().map(|name| self.position(name)).collect::<Result<_>>()?
        };
        if places.len() != values {
            return Err(invalid(format!(
                "INSERT has {} columns and {values} values",
                places.len()
            )));
        }
        once(places.iter().copied(), |column| self.field(column))?;
        let given: HashSet<usize> = places.iter().copied().collect();
        let mut required =
            self.columns.fields().iter().enumerate().filter(|(_, field)| !field.is_nullable());
        match required.find(|(at, _)| !given.contains(at)) {
            None => Ok(places),
            Some((_, missing)) => Err(invalid(format!(
                "INSERT gives no value to column `{}`, which is required",
                missing.name()
            ))),
        }
    }

    /// Each column of the target from the source's column of that name.
    fn all_from(&self, source: Option<&Source>, what: &str) -> Result<Vec<(usize, Expr)>> {
        let Some(source) = source else {
            return Err(invalid(format!("{what} needs a source to take its values from")));
        };
        let fields = self.columns.fields().iter().enumerate();
        fields
            .map(|(at, field)| match source.columns.iter().any(|name| name == field.name()) {
                true => Ok((at, column(&source.alias, field.name()))),
                false => Err(invalid(format!(
                    "{what} needs a column `{}` in the source; name the columns that it has",
                    field.name()
                ))),
            })
            .collect()
    }

    fn field(&self, column: usize) -> &FieldRef {
        &self.columns.fields()[column]
    }

    /// The place of a column, which may be written with the target's name before it.
    fn position(&self, written: &ObjectName) -> Result<usize> {
        let parts = parts(written);
        let (column, table) = match parts.split_last() {
            Some(split) => split,
            None => return Err(invalid("a column has no name".to_string())),
        };
        let full = [self.name.namespace().to_string(), self.name.table().to_string()];
        let of_target = match table {
            [] => true,
            [one] => *one == self.alias || *one == self.name.table(),
            several => several == full,
        };
        let found = self.columns.index_of(column).ok().filter(|_| of_target);
        if let Some(whole) = found.is_none().then(|| self.part_of(&parts)).flatten() {
            return Err(unsupported(
                "an assignment",
                &format!("`{written}`, a part of column `{whole}`,"),
                &format!("{whole} = named_struct(…), with all of its parts"),
            ));
        }
        found.ok_or_else(|| {
            let names: Vec<_> = self.columns.fields().iter().map(|f| f.name().as_str()).collect();
            invalid(format!(
                "`{written}` is no column of {}; it has {}",
                self.name,
                names.join(", ")
            ))
        })
    }
}

impl Target {
    /// The nested column that a name is a part of, with or without the target's name before it.
    fn part_of(&self, parts: &[String]) -> Option<&str> {
        let column = |part: Option<&String>| {
            let field = self.columns.field_with_name(part?).ok()?;
            field.data_type().is_nested().then_some(field.name().as_str())
        };
        let before = [self.alias.as_str(), self.name.table()];
        match parts.first().is_some_and(|first| before.contains(&first.as_str())) {
            true if parts.len() > 2 => column(parts.get(1)),
            _ if parts.len() > 1 => column(parts.first()),
            _ => None,
        }
    }
}

/// What a `MERGE` reads.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) alias: String,
    pub(super) columns: Vec<String>,
}

fn once<'a>(
    columns: impl Iterator<Item = usize>,
    field: impl Fn(usize) -> &'a FieldRef,
) -> Result<()> {
    let mut seen = HashSet::new();
    for column in columns {
        if !seen.insert(column) {
            return Err(invalid(format!(
                "column `{}` is given two values in one clause",
                field(column).name()
            )));
        }
    }
    Ok(())
}

/// The alias of a statement's target: the one it gives, or the table's own name.
pub(super) fn alias_of(statement: &RowStatement) -> String {
    match &statement.alias {
        Some(alias) => normal(alias),
        None => parts(&statement.target).pop().unwrap_or_default(),
    }
}
