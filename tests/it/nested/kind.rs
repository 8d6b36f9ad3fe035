//! Random types, and what a schema says of them.

use arrow::datatypes::{DataType, TimeUnit};
use iceberg::spec::{NestedField, Type};
use northstar_iceberg::table::schema::{UTC, arrow_type};

use crate::merge_model::random::Random;

/// A field: its id and name, and what it holds.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) id: i32,
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) kind: Kind,
}

/// A type, with the ids of all that is in it.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Leaf(DataType),
    Struct(Vec<Part>),
    List(Box<Part>),
    Map(Box<[Part; 2]>),
}

impl Part {
    /// A field as the table has it.
    pub(super) fn of(field: &NestedField) -> Self {
        let kind = match field.field_type.as_ref() {
            primitive @ Type::Primitive(_) => Kind::Leaf(arrow_type(primitive).unwrap()),
            Type::Struct(of) => {
                Kind::Struct(of.fields().iter().map(|field| Self::of(field)).collect())
            }
            Type::List(of) => Kind::List(Box::new(Self::of(&of.element_field))),
            Type::Map(of) => {
                Kind::Map(Box::new([Self::of(&of.key_field), Self::of(&of.value_field)]))
            }
        };
        Self { id: field.id, name: field.name.clone(), required: field.required, kind }
    }

    /// Its id, and those of all that is in it.
    pub(super) fn ids(&self) -> Vec<i32> {
        let below: Vec<&Self> = match &self.kind {
            Kind::Leaf(_) => Vec::new(),
            Kind::Struct(parts) => parts.iter().collect(),
            Kind::List(element) => vec![element],
            Kind::Map(pair) => pair.iter().collect(),
        };
        std::iter::once(self.id).chain(below.into_iter().flat_map(Self::ids)).collect()
    }
}

/// Types with a spelling, and what they may become.
const LEAVES: [(&str, Option<&str>); 11] = [
    ("INT", Some("BIGINT")),
    ("BIGINT", None),
    ("FLOAT", Some("DOUBLE")),
    ("DOUBLE", None),
    ("DECIMAL(5, 2)", Some("DECIMAL(38, 2)")),
    ("STRING", None),
    ("BINARY", None),
    ("BOOLEAN", None),
    ("DATE", None),
    ("TIMESTAMP", None),
    ("TIMESTAMPTZ", None),
];

/// What a leaf may become.
pub(super) fn wider(leaf: &DataType) -> Option<&'static str> {
    match leaf {
        DataType::Int32 => LEAVES[0].1,
        DataType::Float32 => LEAVES[2].1,
        DataType::Decimal128(5, 2) => LEAVES[4].1,
        _ => None,
    }
}

/// A random type as SQL writes it.
pub(super) fn type_sql(random: &mut Random, levels: u32) -> String {
    if levels == 0 || random.chance(35) {
        return random.pick(&LEAVES).0.to_string();
    }
    let required = |random: &mut Random| if random.chance(15) { " NOT NULL" } else { "" };
    match random.below(4) {
        0 => {
            let element = type_sql(random, levels - 1);
            format!("ARRAY<{element}{}>", required(random))
        }
        1 => {
            let value = type_sql(random, levels - 1);
            let key = *random.pick(&["STRING", "INT", "DATE"]);
            format!("MAP<{key}, {value}{}>", required(random))
        }
        _ => {
            let fields: Vec<String> = (0..=random.below(3))
                .map(|at| {
                    let kind = type_sql(random, levels - 1);
                    format!("f{at}: {kind}{}", required(random))
                })
                .collect();
            format!("STRUCT<{}>", fields.join(", "))
        }
    }
}

/// The type as SQL writes it.
pub(super) fn sql(kind: &Kind) -> String {
    let null = |part: &Part| if part.required { " NOT NULL" } else { "" };
    match kind {
        Kind::Leaf(leaf) => match leaf {
            DataType::Int32 => "INT".into(),
            DataType::Int64 => "BIGINT".into(),
            DataType::Float32 => "FLOAT".into(),
            DataType::Float64 => "DOUBLE".into(),
            DataType::Decimal128(digits, scale) => format!("DECIMAL({digits}, {scale})"),
            DataType::Utf8 => "STRING".into(),
            DataType::Binary => "BINARY".into(),
            DataType::Boolean => "BOOLEAN".into(),
            DataType::Date32 => "DATE".into(),
            DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP".into(),
            DataType::Timestamp(_, Some(zone)) if zone.as_ref() == UTC => "TIMESTAMPTZ".into(),
            other => panic!("{other}"),
        },
        Kind::Struct(parts) => {
            let parts = parts.iter().map(|p| format!("{}: {}{}", p.name, sql(&p.kind), null(p)));
            format!("STRUCT<{}>", parts.collect::<Vec<_>>().join(", "))
        }
        Kind::List(element) => format!("ARRAY<{}{}>", sql(&element.kind), null(element)),
        Kind::Map(pair) => {
            format!("MAP<{}, {}{}>", sql(&pair[0].kind), sql(&pair[1].kind), null(&pair[1]))
        }
    }
}
