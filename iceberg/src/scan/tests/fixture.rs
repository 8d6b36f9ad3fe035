//! Tables to scan, made without a catalog: metadata in memory; Parquet, manifests and manifest
//! lists in a temporary folder. Everything is described from what was written, as a writer would.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use iceberg::io::{FileIO, FileIOBuilder, LocalFsStorageFactory};
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum, FormatVersion, Literal,
    MAIN_BRANCH, ManifestContentType, ManifestListWriter, ManifestWriterBuilder, NestedField,
    Operation, PartitionSpecRef, PrimitiveType, Schema, Snapshot, SortOrder, Struct, Summary,
    TableMetadata, TableMetadataBuilder, Transform, Type, UnboundPartitionSpec,
};
use iceberg::table::Table;
use iceberg::{Runtime, TableIdent};
use parquet::arrow::ArrowWriter;
use parquet::basic::Type as Physical;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use tempfile::TempDir;

use super::{arrow_schema, with_field_id};

/// Ids that the specification reserves for the columns of position-delete files.
const DELETE_FILE_PATH_ID: i32 = i32::MAX - 101;
const DELETE_POS_ID: i32 = i32::MAX - 102;

/// A table in a folder of its own.
pub(crate) struct Fixture {
    _folder: TempDir,
    pub(crate) metadata: TableMetadata,
    written: u32,
}

/// A schema of named columns with ids from 1.
pub(crate) fn schema(columns: &[(&str, PrimitiveType)]) -> Schema {
    let columns = columns.iter().zip(1..).map(|((name, kind), id)| (id, *name, kind.clone()));
    schema_of_ids(0, columns)
}

/// A schema of columns with given ids.
pub(crate) fn schema_of_ids<'a>(
    schema_id: i32,
    columns: impl IntoIterator<Item = (i32, &'a str, PrimitiveType)>,
) -> Schema {
    let fields = columns
        .into_iter()
        .map(|(id, name, kind)| Arc::new(NestedField::optional(id, name, Type::Primitive(kind))));
    Schema::builder().with_schema_id(schema_id).with_fields(fields).build().unwrap()
}

/// Writer properties with statistics for each page.
pub(crate) fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder().set_statistics_enabled(EnabledStatistics::Page)
}

impl Fixture {
    /// An empty table in a folder whose name needs care, partitioned by transforms of columns.
    pub(crate) fn new(schema: Schema, partition: &[(&str, Transform)]) -> Self {
        Self::of_version(FormatVersion::V2, schema, partition)
    }

    pub(crate) fn of_version(
        version: FormatVersion,
        schema: Schema,
        partition: &[(&str, Transform)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = format!("file://{}/ware house 100%/größe", folder.path().display());
        let spec = unbound(&schema, partition);
        let order = SortOrder::unsorted_order();
        let built =
            TableMetadataBuilder::new(schema, spec, order, location, version, HashMap::new());
        let metadata = built.unwrap().build().unwrap().metadata;
        Self { _folder: folder, metadata, written: 0 }
    }

    pub(crate) fn file_io() -> FileIO {
        FileIOBuilder::new(Arc::new(LocalFsStorageFactory)).build()
    }

    /// The table as it stands.
    pub(crate) fn table(&self) -> Table {
        Table::builder()
            .file_io(Self::file_io())
            .metadata(self.metadata.clone())
            .identifier(TableIdent::from_strs(["ns", "t"]).unwrap())
            .runtime(Runtime::try_current().unwrap())
            .build()
            .unwrap()
    }

    pub(crate) fn columns(&self) -> SchemaRef {
        arrow_schema(self.metadata.current_schema()).unwrap()
    }

    pub(crate) fn evolve(&mut self, schema: Schema) {
        let builder = self.metadata.clone().into_builder(None);
        self.metadata = builder.add_current_schema(schema).unwrap().build().unwrap().metadata;
    }

    /// Changes the partition spec for files to come.
    pub(crate) fn repartition(&mut self, partition: &[(&str, Transform)]) {
        let spec = unbound(self.metadata.current_schema(), partition);
        let builder = self.metadata.clone().into_builder(None);
        self.metadata = builder.add_default_partition_spec(spec).unwrap().build().unwrap().metadata;
    }

    /// A new location under a folder of the table.
    pub(crate) fn location(&mut self, folder: &str, suffix: &str) -> String {
        self.written += 1;
        let at = format!("{}/{folder}/{:04}{suffix}", self.metadata.location(), self.written);
        std::fs::create_dir_all(Path::new(local(&at)).parent().unwrap()).unwrap();
        at
    }

    /// Writes columns of the current schema as one data file of a partition.
    pub(crate) fn write(
        &mut self,
        columns: Vec<ArrayRef>,
        partition: Vec<Option<Literal>>,
        properties: WriterPropertiesBuilder,
    ) -> DataFile {
        let batch = RecordBatch::try_new(self.columns(), columns).unwrap();
        let at = self.location("data/facility_id=1%2F2/month=2024-01", ".parquet");
        let footer = write_parquet(&at, &batch, properties.build());
        describe(&at, &footer, self.metadata.current_schema())
            .partition(Struct::from_iter(partition))
            .partition_spec_id(self.metadata.default_partition_spec_id())
            .build()
            .unwrap()
    }

    /// Writes one position-delete file for rows of data files, in the partition of the first.
    pub(crate) fn delete(&mut self, rows: &[(&DataFile, &[i64])]) -> DataFile {
        let mut sorted: Vec<(&str, i64)> = rows
            .iter()
            .flat_map(|(file, rows)| rows.iter().map(|row| (file.file_path(), *row)))
            .collect();
        sorted.sort_unstable();
        let fields = vec![
            with_field_id(Field::new("file_path", DataType::Utf8, false), DELETE_FILE_PATH_ID),
            with_field_id(Field::new("pos", DataType::Int64, false), DELETE_POS_ID),
        ];
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(sorted.iter().map(|(path, _)| path))),
            Arc::new(Int64Array::from_iter_values(sorted.iter().map(|(_, row)| *row))),
        ];
        let batch = RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns).unwrap();
        let at = self.location("data", "-deletes.parquet");
        let footer = write_parquet(&at, &batch, properties().build());
        let path = |row: &(&str, i64)| HashMap::from([(DELETE_FILE_PATH_ID, Datum::string(row.0))]);
        DataFileBuilder::default()
            .content(DataContentType::PositionDeletes)
            .file_path(at.clone())
            .file_format(DataFileFormat::Parquet)
            .partition(rows[0].0.partition().clone())
            .partition_spec_id(self.metadata.default_partition_spec_id())
            .record_count(u64::try_from(footer.file_metadata().num_rows()).unwrap())
            .file_size_in_bytes(size(&at))
            .lower_bounds(sorted.first().map(path).unwrap())
            .upper_bounds(sorted.last().map(path).unwrap())
            .build()
            .unwrap()
    }

    /// Commits files as one snapshot on top of what is there: one manifest of data and one of
    /// deletes, in the default partition spec.
    pub(crate) async fn append(&mut self, data: Vec<DataFile>, deletes: Vec<DataFile>) -> i64 {
        let spec = Arc::clone(self.metadata.default_partition_spec());
        let id = self.metadata.snapshots().len() as i64 + 1;
        let parent = self.metadata.current_snapshot().cloned();
        let mut manifests = Vec::new();
        if let Some(parent) = &parent {
            let list = self.table().manifest_list_reader(parent).load().await.unwrap();
            manifests.extend(list.consume_entries());
        }
        let sequence = self.metadata.next_sequence_number();
        for (content, files) in
            [(ManifestContentType::Data, data), (ManifestContentType::Deletes, deletes)]
        {
            if !files.is_empty() {
                manifests.push(self.manifest(content, &spec, files, id, sequence).await);
            }
        }
        let list = self.location("metadata", "-list.avro");
        let output = Self::file_io().new_output(&list).unwrap().writer().await.unwrap();
        let parent_id = self.metadata.current_snapshot_id();
        let mut writer = match self.metadata.format_version() {
            FormatVersion::V1 => ManifestListWriter::v1(output, id, parent_id),
            _ => ManifestListWriter::v2(output, id, parent_id, sequence),
        };
        writer.add_manifests(manifests.into_iter()).unwrap();
        writer.close().await.unwrap();
        let snapshot = Snapshot::builder()
            .with_snapshot_id(id)
            .with_parent_snapshot_id(parent_id)
            .with_sequence_number(sequence)
            .with_schema_id(self.metadata.current_schema_id())
            .with_timestamp_ms(self.metadata.last_updated_ms() + 1)
            .with_manifest_list(list)
            .with_summary(Summary {
                operation: Operation::Append,
                additional_properties: HashMap::new(),
            })
            .build();
        let builder = self.metadata.clone().into_builder(None);
        let builder = builder.set_branch_snapshot(snapshot, MAIN_BRANCH).unwrap();
        self.metadata = builder.build().unwrap().metadata;
        id
    }

    async fn manifest(
        &mut self,
        content: ManifestContentType,
        spec: &PartitionSpecRef,
        files: Vec<DataFile>,
        snapshot_id: i64,
        sequence: i64,
    ) -> iceberg::spec::ManifestFile {
        let at = self.location("metadata", "-manifest.avro");
        let output = Self::file_io().new_output(&at).unwrap();
        let schema = Arc::clone(self.metadata.current_schema());
        let builder =
            ManifestWriterBuilder::new(output, Some(snapshot_id), schema, spec.as_ref().clone());
        let mut writer = match (self.metadata.format_version(), content) {
            (FormatVersion::V1, _) => builder.build_v1(),
            (_, ManifestContentType::Data) => builder.build_v2_data(),
            (_, ManifestContentType::Deletes) => builder.build_v2_deletes(),
        };
        for file in files {
            writer.add_file(file, sequence).unwrap();
        }
        writer.write_manifest_file().await.unwrap()
    }
}

fn unbound(schema: &Schema, partition: &[(&str, Transform)]) -> UnboundPartitionSpec {
    let mut spec = UnboundPartitionSpec::builder();
    for (column, transform) in partition {
        let id = schema.field_id_by_name(column).unwrap();
        // Avro takes no other characters in the names of fields.
        let name = format!("{column}_{transform}").replace(['[', ']'], "_");
        spec = spec.add_partition_field(id, name, *transform).unwrap();
    }
    spec.build()
}

/// The path of a local location.
pub(crate) fn local(location: &str) -> &str {
    location.strip_prefix("file://").unwrap()
}

pub(crate) fn size(location: &str) -> u64 {
    std::fs::metadata(local(location)).unwrap().len()
}

/// Writes a batch with the field ids of its own schema.
pub(crate) fn write_parquet(
    at: &str,
    batch: &RecordBatch,
    properties: WriterProperties,
) -> ParquetMetaData {
    let file = File::create_new(local(at)).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap()
}

/// What a manifest says of a data file, taken from its footer: counts, and bounds of all columns
/// but floats.
pub(crate) fn describe(at: &str, footer: &ParquetMetaData, schema: &Schema) -> DataFileBuilder {
    let mut nulls: HashMap<i32, u64> = HashMap::new();
    let mut lower: HashMap<i32, Datum> = HashMap::new();
    let mut upper: HashMap<i32, Datum> = HashMap::new();
    for column in footer.row_groups().iter().flat_map(|group| group.columns()) {
        let descriptor = column.column_descr();
        let info = descriptor.self_type().get_basic_info();
        if !info.has_id() {
            continue;
        }
        let id = info.id();
        let Some(statistics) = column.statistics() else {
            continue;
        };
        *nulls.entry(id).or_default() += statistics.null_count_opt().unwrap();
        let Some(Type::Primitive(kind)) = schema.field_by_id(id).map(|f| f.field_type.as_ref())
        else {
            continue;
        };
        let datum = |bytes: Option<&[u8]>| {
            let mut bytes = bytes?.to_vec();
            let small = matches!(descriptor.physical_type(), Physical::INT32 | Physical::INT64);
            match kind {
                PrimitiveType::Float | PrimitiveType::Double => return None,
                PrimitiveType::Decimal { .. } if small => bytes.reverse(),
                _ => {}
            }
            Datum::try_from_bytes(&bytes, kind.clone()).ok()
        };
        if let Some(low) = datum(statistics.min_bytes_opt()) {
            let least = lower.entry(id).or_insert_with(|| low.clone());
            if low < *least {
                *least = low;
            }
        }
        if let Some(high) = datum(statistics.max_bytes_opt()) {
            let most = upper.entry(id).or_insert_with(|| high.clone());
            if high > *most {
                *most = high;
            }
        }
    }
    let mut builder = DataFileBuilder::default();
    builder
        .content(DataContentType::Data)
        .file_path(at.to_owned())
        .file_format(DataFileFormat::Parquet)
        .record_count(u64::try_from(footer.file_metadata().num_rows()).unwrap())
        .file_size_in_bytes(size(at))
        .null_value_counts(nulls)
        .lower_bounds(lower)
        .upper_bounds(upper);
    builder
}
