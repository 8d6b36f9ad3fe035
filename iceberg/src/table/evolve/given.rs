//! A schema or partition spec that a client made itself: what it may not do to the rows that are
//! there, and what of the properties must follow it.

use std::collections::HashMap;

use iceberg::spec::{NestedFieldRef, Schema, Transform, Type, UnboundPartitionSpec};

use super::columns::RESERVED_PREFIX;
use super::settings::{column_is_named, follow, identifies, identifying};
use super::siblings::{all_ids, is_within};
use super::{promotion, refused};
use crate::table::definition::check_name;
use crate::table::schema::arrow_schema;
use crate::{Error, ErrorKind, Result};

/// What of the properties follows a schema that a client made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// Properties to be set.
    pub(crate) set: HashMap<String, String>,
    /// Properties to be taken away.
    pub(crate) gone: Vec<String>,
}

/// Refuses a schema that this version does not read.
///
/// # Errors
/// `Unsupported` for types and defaults of format version 3; `InvalidInput` for reserved names.
pub(crate) fn check_schema(schema: &Schema) -> Result<()> {
    for column in schema.as_struct().fields() {
        check_name(&column.name)?;
        if column.name.starts_with(RESERVED_PREFIX) {
            return Err(refused(format!(
                "names that begin with {RESERVED_PREFIX} are those of a statement's own columns; \
                 give the column another one"
            )));
        }
    }
    let fields = schema.field_id_to_fields();
    if fields.values().any(|f| f.initial_default.is_some() || f.write_default.is_some()) {
        let text =
            "defaults of columns need format version 3, which is not written; leave them out";
        return Err(Error::new(ErrorKind::Unsupported, text));
    }
    arrow_schema(schema).map(drop)
}

/// Refuses a partition spec that this version does not read, or that would show whom rows are of.
///
/// # Errors
/// `Unsupported` for an unknown transform; `InvalidInput` for a field of a column that identifies
/// people.
pub(crate) fn check_spec(
    spec: &UnboundPartitionSpec,
    schema: &Schema,
    properties: &HashMap<String, String>,
) -> Result<()> {
    for field in spec.fields() {
        if field.transform == Transform::Unknown {
            let text = format!("the transform of partition field `{}` is not known", field.name);
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        let column = schema.name_by_field_id(field.source_id);
        if let Some(column) = column.filter(|column| identifies(properties, column)) {
            return Err(identifying(column));
        }
    }
    Ok(())
}

impl Given {
    /// What follows from going from a schema to another one. Columns are known by their ids. With
    /// `has_rows`, what would make old files mean something else is refused.
    ///
    /// # Errors
    /// `InvalidInput` for a type that does not hold every value of the old one, for a column that
    /// suddenly may hold no NULL, and for names that change places where properties speak of them.
    pub(crate) fn between(
        before: &Schema,
        after: &Schema,
        properties: &HashMap<String, String>,
        has_rows: bool,
    ) -> Result<Self> {
        if has_rows {
            check_rows(before, after)?;
        }
        let mut changed = Changed::default();
        for column in before.as_struct().fields() {
            changed.look(before, after, column);
        }
        let Changed { renamed, dropped, old, new } = changed;
        let meets = |name: &String| old.iter().any(|o| is_within(name, o) || is_within(o, name));
        if new.iter().any(meets) && old.iter().any(|name| column_is_named(properties, name)) {
            return Err(refused(
                "columns take each other's names, and properties of the table speak of them; rename \
                 them one commit after the other"
                    .to_string(),
            ));
        }
        let (set, gone) = follow(properties, &renamed, &dropped);
        Ok(Self { set, gone })
    }
}

/// Full names that changed, from the outermost to those within.
#[derive(Debug, Default)]
struct Changed {
    /// From the name that a field has once what it is in is renamed.
    renamed: Vec<(String, String)>,
    dropped: Vec<String>,
    /// The names of both before.
    old: Vec<String>,
    /// Those of the renamed after.
    new: Vec<String>,
}

impl Changed {
    /// Looks at a field and at what is in it.
    fn look(&mut self, before: &Schema, after: &Schema, field: &NestedFieldRef) {
        let Some(old) = before.name_by_field_id(field.id) else { return };
        let from = self.renamed.iter().fold(old.to_string(), |name, (from, to)| {
            match name.strip_prefix(from.as_str()).filter(|rest| rest.starts_with('.')) {
                Some(rest) => format!("{to}{rest}"),
                None => name,
            }
        });
        let Some(new) = after.name_by_field_id(field.id) else {
            self.old.push(old.to_string());
            self.dropped.push(from);
            return;
        };
        if from != new {
            self.old.push(old.to_string());
            self.new.push(new.to_string());
            self.renamed.push((from, new.to_string()));
        }
        match field.field_type.as_ref() {
            Type::Primitive(_) => {}
            Type::Struct(of) => {
                of.fields().iter().for_each(|field| self.look(before, after, field));
            }
            Type::List(of) => self.look(before, after, &of.element_field),
            Type::Map(of) => {
                self.look(before, after, &of.key_field);
                self.look(before, after, &of.value_field);
            }
        }
    }
}

/// Refuses what would make files that are there mean something else.
fn check_rows(before: &Schema, after: &Schema) -> Result<()> {
    let ids = after.as_struct().fields().iter().flat_map(|column| all_ids(column));
    for id in ids {
        let Some(new) = after.field_by_id(id) else { continue };
        let name = after.name_by_field_id(id).unwrap_or(new.name.as_str());
        let Some(old) = before.field_by_id(id) else {
            // Within a struct that is new itself, nothing is older than it.
            if new.required && after.as_struct().field_by_id(id).is_some() {
                return Err(refused(format!(
                    "column `{name}` is new and may hold no NULL, but the rows that are there have \
                     none of its values; make it optional"
                )));
            }
            continue;
        };
        if new.required && !old.required {
            return Err(refused(format!(
                "column `{name}` may hold NULLs already; leave it optional"
            )));
        }
        match (old.field_type.as_ref(), new.field_type.as_ref()) {
            (Type::Primitive(_), Type::Primitive(_)) => {
                promotion::check(name, &old.field_type, &new.field_type)?;
            }
            // What is in them is looked at for itself.
            (Type::Struct(_), Type::Struct(_))
            | (Type::List(_), Type::List(_))
            | (Type::Map(_), Type::Map(_)) => {}
            _ => {
                return Err(refused(format!(
                    "column `{name}` cannot become one of another kind; add a column instead"
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use iceberg::spec::{NestedField, PrimitiveType, StructType};

    use super::*;
    use crate::table::properties::PHI_DIRECT;

    fn field(id: i32, name: &str, kind: PrimitiveType, required: bool) -> NestedFieldRef {
        Arc::new(NestedField::new(id, name, Type::Primitive(kind), required))
    }

    fn schema(fields: Vec<NestedFieldRef>) -> Schema {
        Schema::builder().with_fields(fields).build().unwrap()
    }

    fn address(id: i32, name: &str, city: &str) -> NestedFieldRef {
        let city = field(12, city, PrimitiveType::String, false);
        let kind = Type::Struct(StructType::new(vec![city]));
        Arc::new(NestedField::new(id, name, kind, false))
    }

    fn properties(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn what_hides_a_column_follows_it_to_its_new_name() {
        let before = schema(vec![
            field(1, "name", PrimitiveType::String, false),
            field(2, "code", PrimitiveType::Int, false),
            address(3, "address", "city"),
        ]);
        let after = schema(vec![
            field(1, "full_name", PrimitiveType::String, false),
            address(3, "home", "town"),
        ]);
        let metrics = |column: &str| format!("write.metadata.metrics.column.{column}");
        let now = properties(&[
            (PHI_DIRECT, "name"),
            (&metrics("name"), "counts"),
            (&metrics("code"), "full"),
            (&metrics("address.city"), "none"),
        ]);
        let given = Given::between(&before, &after, &now, true).unwrap();
        assert_eq!(
            given.set,
            properties(&[
                (PHI_DIRECT, "full_name"),
                (&metrics("full_name"), "counts"),
                (&metrics("home.town"), "none"),
            ])
        );
        let mut gone = given.gone;
        gone.sort_unstable();
        assert_eq!(gone, [metrics("address.city"), metrics("code"), metrics("name")]);
        assert_eq!(Given::between(&before, &before, &now, true).unwrap(), Given::default());
    }

    #[test]
    fn columns_that_swap_names_do_so_only_where_no_property_speaks_of_them() {
        let string = |id, name| field(id, name, PrimitiveType::String, false);
        let before = schema(vec![string(1, "a"), string(2, "b")]);
        let after = schema(vec![string(1, "b"), string(2, "a")]);
        let none = properties(&[("owner", "a")]);
        assert_eq!(Given::between(&before, &after, &none, true).unwrap(), Given::default());
        let tagged = properties(&[(PHI_DIRECT, "b")]);
        let error = Given::between(&before, &after, &tagged, true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        // One that is dropped leaves its name to another.
        let taken = schema(vec![string(1, "b")]);
        assert!(Given::between(&before, &taken, &tagged, true).is_err());
    }

    #[test]
    fn e1_a_schema_that_makes_old_rows_mean_something_else_is_refused() {
        use PrimitiveType::{Int, Long, String};
        let before = schema(vec![field(1, "a", Int, false), address(3, "s", "c")]);
        let none = HashMap::new();
        for (after, has_rows, taken) in [
            (vec![field(1, "a", Long, false)], true, true),
            (vec![field(1, "a", String, false)], true, false),
            (vec![field(1, "a", String, false)], false, true),
            (vec![field(1, "a", Int, true)], true, false),
            (vec![field(1, "a", Int, false), field(4, "n", Int, true)], true, false),
            (vec![field(1, "a", Int, false), field(4, "n", Int, false)], true, true),
            (vec![field(3, "s", Int, false)], true, false),
            (vec![field(12, "c", String, false)], true, true),
        ] {
            let after = schema(after);
            let given = Given::between(&before, &after, &none, has_rows);
            assert_eq!(given.is_ok(), taken, "{after} {has_rows}");
        }
    }

    #[test]
    fn what_is_not_read_is_refused() {
        let nanos = schema(vec![field(1, "a", PrimitiveType::TimestampNs, false)]);
        assert_eq!(check_schema(&nanos).unwrap_err().kind(), ErrorKind::Unsupported);
        for name in ["_pos", "__northstar_a"] {
            let reserved = schema(vec![field(1, name, PrimitiveType::Int, false)]);
            assert_eq!(check_schema(&reserved).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        let names = schema(vec![field(1, "name", PrimitiveType::String, false)]);
        let spec = |transform| {
            let spec = UnboundPartitionSpec::builder();
            spec.add_partition_field(1, "p", transform).unwrap().build()
        };
        let tagged = properties(&[(PHI_DIRECT, "name")]);
        let error = check_spec(&spec(Transform::Bucket(4)), &names, &tagged).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        check_spec(&spec(Transform::Bucket(4)), &names, &HashMap::new()).unwrap();
        let unknown = check_spec(&spec(Transform::Unknown), &names, &HashMap::new()).unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::Unsupported, "{unknown}");
    }
}
