//! The messages of the codec, in Protocol Buffers. Driver and executors run the same version, so
//! they carry no version of their own.

use datafusion_proto::protobuf::{PhysicalExprNode, ScalarValue, Schema};
use prost::Message;

/// A plan node of ours.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Node {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4")]
    pub kind: Option<Kind>,
}

/// Which node it is.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Kind {
    #[prost(message, tag = "1")]
    Scan(Box<ScanNode>),
    #[prost(message, tag = "2")]
    Keep(KeepNode),
    #[prost(message, tag = "3")]
    Write(WriteNode),
    #[prost(message, tag = "4")]
    Delete(DeleteNode),
}

/// Writing position deletes of a table.
#[derive(Clone, PartialEq, Message)]
pub(super) struct DeleteNode {
    /// The table's metadata, as JSON.
    #[prost(bytes = "vec", tag = "1")]
    pub metadata: Vec<u8>,
    #[prost(string, tag = "2")]
    pub commit_id: String,
    #[prost(message, repeated, tag = "3")]
    pub files: Vec<DeletesOfNode>,
}

/// A data file and the rows that are deleted from it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct DeletesOfNode {
    #[prost(int32, tag = "1")]
    pub spec_id: i32,
    /// The file's path and partition, as the JSON of a data file.
    #[prost(string, tag = "2")]
    pub data_file: String,
    /// A serialised `RoaringTreemap`.
    #[prost(bytes = "vec", tag = "3")]
    pub positions: Vec<u8>,
}

/// Keeping rows in a file.
#[derive(Clone, PartialEq, Message)]
pub(super) struct KeepNode {
    /// A folder that all of the cluster sees.
    #[prost(string, tag = "1")]
    pub folder: String,
}

/// Writing rows as data files of a table.
#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteNode {
    /// The table's metadata, as JSON.
    #[prost(bytes = "vec", tag = "1")]
    pub metadata: Vec<u8>,
    #[prost(string, tag = "2")]
    pub commit_id: String,
    #[prost(uint64, tag = "3")]
    pub memory_bytes: u64,
    /// A folder of the executor's own.
    #[prost(string, tag = "4")]
    pub spill_folder: String,
    #[prost(uint64, tag = "5")]
    pub threads: u64,
}

/// A scan: the table's columns, the files of each partition, and what was pushed down into it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ScanNode {
    /// The table's own columns, with their field ids.
    #[prost(message, optional, tag = "1")]
    pub columns: Option<Schema>,
    /// Whether `_file` is a column.
    #[prost(bool, tag = "2")]
    pub file_column: bool,
    /// Whether `_pos` is a column.
    #[prost(bool, tag = "3")]
    pub row_numbers: bool,
    /// The object store.
    #[prost(string, tag = "4")]
    pub store: String,
    /// What the locations of all files begin with.
    #[prost(string, tag = "5")]
    pub base: String,
    #[prost(message, repeated, tag = "6")]
    pub groups: Vec<GroupNode>,
    #[prost(message, repeated, tag = "7")]
    pub projection: Vec<PhysicalExprNode>,
    /// The names of the projection's columns.
    #[prost(string, repeated, tag = "8")]
    pub names: Vec<String>,
    #[prost(message, optional, tag = "9")]
    pub predicate: Option<PhysicalExprNode>,
    #[prost(uint64, optional, tag = "10")]
    pub limit: Option<u64>,
    /// Whether the reader filters rows itself (late materialisation).
    #[prost(bool, tag = "11")]
    pub late: bool,
}

/// The files of one partition.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GroupNode {
    #[prost(message, repeated, tag = "1")]
    pub files: Vec<FileNode>,
}

/// A file, or a range of bytes of it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FileNode {
    /// What comes after the scan's `base`.
    #[prost(string, tag = "1")]
    pub path: String,
    #[prost(uint64, tag = "2")]
    pub size_bytes: u64,
    #[prost(uint64, tag = "3")]
    pub rows: u64,
    #[prost(message, optional, tag = "4")]
    pub range: Option<RangeNode>,
    /// A serialised `RoaringTreemap`, or nothing.
    #[prost(bytes = "vec", tag = "5")]
    pub deleted: Vec<u8>,
    #[prost(message, repeated, tag = "6")]
    pub constants: Vec<ConstantNode>,
}

/// Bytes of a file, the end excluded.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RangeNode {
    #[prost(int64, tag = "1")]
    pub start: i64,
    #[prost(int64, tag = "2")]
    pub end: i64,
}

/// A column that has one value in the whole file.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ConstantNode {
    /// The column's place in the table's schema.
    #[prost(uint32, tag = "1")]
    pub column: u32,
    #[prost(message, optional, tag = "2")]
    pub value: Option<ScalarValue>,
}
