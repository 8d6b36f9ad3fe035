//! How a table is defined: columns, partition spec, sort order, metrics, properties.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow::datatypes::DataType;
use iceberg::spec::{
    NestedField, NullOrder, Schema, SortDirection, SortField, SortOrder, Transform,
    UnboundPartitionSpec,
};

use super::from_arrow::{FieldIds, iceberg_type_with, type_text};
use super::properties::{self, MetricsMode};
use crate::write::partition::struct_path;
use crate::{Error, ErrorKind, Result};

/// A column to be.
#[derive(Debug, Clone)]
pub struct ColumnDefinition {
    /// Its name: lower-case letters, digits and `_`.
    pub name: String,
    /// Its type, one that Iceberg v2 has.
    pub data_type: DataType,
    /// Whether it may hold no NULL.
    pub required: bool,
    /// What it means, for catalogs and people.
    pub doc: Option<String>,
    /// What manifests say of its values, where that differs from the table's default.
    pub metrics: Option<MetricsMode>,
}

impl ColumnDefinition {
    /// An optional column.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: name.into(), data_type, required: false, doc: None, metrics: None }
    }

    /// The same column, holding no NULL.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same column with a comment.
    #[must_use]
    pub fn with_doc(mut self, doc: impl Into<String>) -> Self {
        self.doc = Some(doc.into());
        self
    }

    /// The same column with its own metrics mode.
    #[must_use]
    pub fn with_metrics(mut self, mode: MetricsMode) -> Self {
        self.metrics = Some(mode);
        self
    }
}

/// One field of a partition spec: a transform of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionColumn {
    /// The column whose values are transformed.
    pub column: String,
    /// How.
    pub transform: Transform,
}

impl PartitionColumn {
    /// The field's name in the spec and in folder names, as Spark would call it; but for a field of
    /// a struct, whose dot no Avro field may have in its name: `address_city`.
    pub fn field_name(&self) -> String {
        let column = self.column.replace('.', "_");
        match self.transform {
            Transform::Identity => column,
            Transform::Bucket(_) => format!("{column}_bucket"),
            Transform::Truncate(_) => format!("{column}_trunc"),
            other => format!("{column}_{other}"),
        }
    }
}

impl FromStr for PartitionColumn {
    type Err = Error;

    /// Reads `column`, `month(column)`, `bucket(16, column)`, …
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "`{text}` is not a partition field; write a column's name, or year(…), month(…), \
                     day(…), hour(…), bucket(N, …), truncate(N, …)"
                ),
            )
        };
        let Some((function, rest)) = text.trim().split_once('(') else {
            let column = text.trim().to_string();
            return Ok(Self { column, transform: Transform::Identity });
        };
        let arguments = rest.strip_suffix(')').ok_or_else(wrong)?;
        let (width, column) = match arguments.split_once(',') {
            Some((width, column)) => {
                (Some(width.trim().parse::<u32>().map_err(|_| wrong())?), column)
            }
            None => (None, arguments),
        };
        let transform = match (function.trim(), width) {
            ("identity", None) => Transform::Identity,
            ("year" | "years", None) => Transform::Year,
            ("month" | "months", None) => Transform::Month,
            ("day" | "days" | "date", None) => Transform::Day,
            ("hour" | "hours", None) => Transform::Hour,
            ("bucket", Some(count)) if count > 0 => Transform::Bucket(count),
            ("truncate", Some(width)) if width > 0 => Transform::Truncate(width),
            _ => return Err(wrong()),
        };
        Ok(Self { column: column.trim().to_string(), transform })
    }
}

impl fmt::Display for PartitionColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transform {
            Transform::Identity => f.write_str(&self.column),
            Transform::Bucket(width) => write!(f, "bucket({width}, {})", self.column),
            Transform::Truncate(width) => write!(f, "truncate({width}, {})", self.column),
            other => write!(f, "{other}({})", self.column),
        }
    }
}

/// A table to be.
#[derive(Debug, Clone, Default)]
pub struct TableDefinition {
    /// The columns, in order; they get field ids from 1, and what is nested in them those after.
    pub columns: Vec<ColumnDefinition>,
    /// The partition spec; empty for an unpartitioned table.
    pub partition: Vec<PartitionColumn>,
    /// The columns that files are sorted by, ascending, NULLs first; empty for unsorted files.
    pub sort: Vec<String>,
    /// Table properties, over [`properties::defaults`].
    pub properties: BTreeMap<String, String>,
}

impl TableDefinition {
    /// The Iceberg schema.
    ///
    /// # Errors
    /// `InvalidInput` for two columns of one name or a reserved name; `Unsupported` for a type that
    /// v2 lacks.
    pub fn schema(&self) -> Result<Schema> {
        let mut fields = Vec::with_capacity(self.columns.len());
        let mut ids = FieldIds::after(i32::try_from(self.columns.len()).unwrap_or(i32::MAX));
        for (id, column) in (1..).zip(&self.columns) {
            check_name(&column.name)?;
            let kind = iceberg_type_with(&column.data_type, &mut ids)
                .map_err(|error| error.with_context("column", &column.name))?;
            let mut field = NestedField::new(id, &column.name, kind, column.required);
            field.doc.clone_from(&column.doc);
            fields.push(Arc::new(field));
        }
        Schema::builder().with_fields(fields).build().map_err(invalid)
    }

    /// The partition spec over [`TableDefinition::schema`].
    ///
    /// # Errors
    /// `InvalidInput` for an unknown column or a transform that its type does not have.
    pub fn partition_spec(&self, schema: &Schema) -> Result<UnboundPartitionSpec> {
        let mut spec = UnboundPartitionSpec::builder();
        for partition in &self.partition {
            let field = self.field(schema, &partition.column)?;
            partition.transform.result_type(&field.field_type).map_err(|_| {
                Error::new(
                    ErrorKind::InvalidInput,
                    format!(
                        "`{partition}` cannot partition a column of type {}",
                        type_text(&field.field_type)
                    ),
                )
            })?;
            if struct_path(schema.as_struct().fields(), field.id).is_none() {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!(
                        "`{partition}` has several values in a row, which can be in one partition only"
                    ),
                ));
            }
            spec = spec
                .add_partition_field(field.id, partition.field_name(), partition.transform)
                .map_err(invalid)?;
        }
        Ok(spec.build())
    }

    /// The sort order over [`TableDefinition::schema`].
    ///
    /// # Errors
    /// `InvalidInput` for an unknown column.
    pub fn sort_order(&self, schema: &Schema) -> Result<SortOrder> {
        if self.sort.is_empty() {
            return Ok(SortOrder::unsorted_order());
        }
        let mut order = SortOrder::builder();
        for column in &self.sort {
            order.with_sort_field(
                SortField::builder()
                    .source_id(self.field(schema, column)?.id)
                    .transform(Transform::Identity)
                    .direction(SortDirection::Ascending)
                    .null_order(NullOrder::First)
                    .build(),
            );
        }
        order.build_unbound().map_err(invalid)
    }

    /// All properties: the defaults, the metrics modes of columns, then what was asked for.
    pub fn all_properties(&self) -> BTreeMap<String, String> {
        let mut all = properties::defaults();
        for column in &self.columns {
            if let Some(mode) = column.metrics {
                all.insert(properties::metrics_key(&column.name), mode.to_string());
            }
        }
        all.extend(self.properties.clone());
        all
    }

    fn field<'a>(&self, schema: &'a Schema, column: &str) -> Result<&'a NestedField> {
        schema.field_by_name(column).map(AsRef::as_ref).ok_or_else(|| {
            let names: Vec<&str> =
                self.columns.iter().map(|column| column.name.as_str()).take(20).collect();
            Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "there is no column `{column}` to partition or sort by; there are {}",
                    names.join(", ")
                ),
            )
        })
    }
}

fn invalid(error: iceberg::Error) -> Error {
    Error::new(ErrorKind::InvalidInput, "the table cannot be defined so").with_source(error)
}

/// Names of the columns that engines make up themselves. Spark reads no table that has one.
///
/// Source: <https://iceberg.apache.org/spec/#reserved-field-ids>
const RESERVED: [&str; 10] = [
    "_file",
    "_pos",
    "_deleted",
    "_spec_id",
    "_partition",
    "_row_id",
    "_last_updated_sequence_number",
    "_change_type",
    "_change_ordinal",
    "_commit_snapshot_id",
];

/// Refuses the names that Iceberg reserves.
///
/// # Errors
/// `InvalidInput`, naming the column.
pub fn check_name(column: &str) -> Result<()> {
    if !RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(column)) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "the column's name is one that Iceberg reserves; other engines could not read the table, so \
         give it another name",
    )
    .with_context("column", column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_fields_are_read_as_they_are_written() {
        for text in ["facility_id", "month(at)", "bucket(16, id)", "truncate(4, code)", "hour(at)"]
        {
            let field: PartitionColumn = text.parse().unwrap();
            assert_eq!(field.to_string(), text);
        }
        for text in ["month(at", "week(at)", "bucket(at)", "bucket(0, id)", "month(3, at)"] {
            let error = text.parse::<PartitionColumn>().unwrap_err();
            assert!(error.message().contains(text), "{error}");
        }
    }

    #[test]
    fn a_definition_names_its_mistakes() {
        let mut definition = TableDefinition {
            columns: vec![ColumnDefinition::new("name", DataType::Utf8)],
            ..TableDefinition::default()
        };
        let schema = definition.schema().unwrap();
        definition.partition = vec!["month(name)".parse().unwrap()];
        let error = definition.partition_spec(&schema).unwrap_err();
        assert!(error.message().contains("month(name)"), "{error}");
        definition.sort = vec!["nothing".into()];
        let error = definition.sort_order(&schema).unwrap_err();
        assert!(error.message().contains("`nothing`"), "{error}");
        definition.columns.push(ColumnDefinition::new("name", DataType::Int64));
        assert_eq!(definition.schema().unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(check_name("_Deleted").unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(check_name("_is_deleted").is_ok());
    }
}
