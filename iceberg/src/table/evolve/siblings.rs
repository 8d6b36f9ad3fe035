//! A field among its like, found by its full name: `address.city`, `tags.element`, `attrs.value.n`.

use std::sync::Arc;

use iceberg::spec::{ListType, MapType, NestedField, NestedFieldRef, StructType, Type};

use super::refused;
use crate::table::schema::{LIST_ELEMENT, MAP_KEY, MAP_VALUE};
use crate::{Error, ErrorKind, Result};

/// What fields are the fields of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    /// The table, or a struct: fields come and go.
    Struct,
    /// A list or a map: its parts are what they are, and only their types may change.
    Fixed,
}

/// The fields of one level.
#[derive(Debug)]
pub(super) struct Siblings<'a> {
    pub(super) fields: &'a mut Vec<NestedFieldRef>,
    pub(super) parent: Parent,
    /// What full names begin with here: `address.`, or nothing for columns.
    pub(super) prefix: String,
}

/// Does something with the field that a full name names, and those beside it. It need not be there
/// yet; all above it must be.
///
/// # Errors
/// `NotFound` for a part of the name that is not there; `InvalidInput` for a part that has no parts,
/// and for the key of a map; those of `work`.
pub(super) fn at<R>(
    siblings: Siblings<'_>,
    name: &str,
    work: impl FnOnce(Siblings<'_>, &str) -> Result<R>,
) -> Result<R> {
    let whole = siblings.fields.iter().any(|field| field.name == name);
    let Some((head, rest)) = name.split_once('.').filter(|_| !whole) else {
        return work(siblings, name);
    };
    let place = siblings.position(head)?;
    let full = format!("{}{head}", siblings.prefix);
    let mut field = siblings.fields[place].as_ref().clone();
    let prefix = format!("{full}.");
    let done;
    *field.field_type = match field.field_type.as_ref() {
        Type::Primitive(kind) => {
            return Err(refused(format!("`{full}` is of type {kind} and has no field `{rest}`")));
        }
        Type::Struct(of) => {
            let mut fields = of.fields().to_vec();
            let below = Siblings { fields: &mut fields, parent: Parent::Struct, prefix };
            done = at(below, rest, work)?;
            Type::Struct(StructType::new(fields))
        }
        Type::List(of) => {
            let mut fields = vec![Arc::clone(&of.element_field)];
            let below = Siblings { fields: &mut fields, parent: Parent::Fixed, prefix };
            done = at(below, rest, work)?;
            Type::List(ListType::new(Arc::clone(&fields[0])))
        }
        Type::Map(of) => {
            let mut fields = vec![Arc::clone(&of.key_field), Arc::clone(&of.value_field)];
            if rest == MAP_KEY || rest.starts_with("key.") {
                return Err(refused(format!(
                    "`{full}.{rest}` is the key of a map: what tells its values apart cannot change; \
                     add a column of another map type and fill it with UPDATE"
                )));
            }
            let below = Siblings { fields: &mut fields, parent: Parent::Fixed, prefix };
            done = at(below, rest, work)?;
            Type::Map(MapType::new(Arc::clone(&fields[0]), Arc::clone(&fields[1])))
        }
    };
    siblings.fields[place] = Arc::new(field);
    Ok(done)
}

impl Siblings<'_> {
    /// The place of a field.
    ///
    /// # Errors
    /// `NotFound`, with what there is.
    pub(super) fn position(&self, name: &str) -> Result<usize> {
        self.fields.iter().position(|field| field.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.fields.iter().map(|field| field.name.as_str()).collect();
            let what = if self.prefix.is_empty() { "column" } else { "field" };
            Error::new(
                ErrorKind::NotFound,
                format!(
                    "there is no {what} `{}{name}`; there are {}",
                    self.prefix,
                    names.join(", ")
                ),
            )
        })
    }

    /// Refuses to add, drop, rename or move the parts of lists and maps.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub(super) fn check_struct(&self, name: &str) -> Result<()> {
        match self.parent {
            Parent::Struct => Ok(()),
            Parent::Fixed => Err(refused(format!(
                "`{}{name}`: a list has its `{LIST_ELEMENT}` and a map its `{MAP_KEY}` and \
                 `{MAP_VALUE}`, which cannot be added, dropped, renamed or moved; their types may be \
                 widened",
                self.prefix
            ))),
        }
    }
}

/// The ids of a field and of all that is in it.
pub(super) fn all_ids(field: &NestedField) -> Vec<i32> {
    let below: Vec<NestedFieldRef> = match field.field_type.as_ref() {
        Type::Primitive(_) => Vec::new(),
        Type::Struct(of) => of.fields().to_vec(),
        Type::List(of) => vec![Arc::clone(&of.element_field)],
        Type::Map(of) => vec![Arc::clone(&of.key_field), Arc::clone(&of.value_field)],
    };
    std::iter::once(field.id).chain(below.iter().flat_map(|field| all_ids(field))).collect()
}

/// Whether `name` is `of`, or a part of it: `address.city` of `address`.
pub(super) fn is_within(name: &str, of: &str) -> bool {
    name.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
