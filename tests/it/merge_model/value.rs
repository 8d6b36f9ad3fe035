//! Values of the model: they are the same only if their bits are.

use std::cmp::Ordering;

/// One value. Doubles are kept as bits, so that 0.0 and -0.0 are two values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Double(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Text,
    Double,
}

pub(super) type Row = Vec<Cell>;

impl Kind {
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Int => "BIGINT",
            Self::Text => "VARCHAR",
            Self::Double => "DOUBLE",
        }
    }
}

impl Cell {
    pub(crate) fn double(value: f64) -> Self {
        Self::Double(value.to_bits())
    }

    /// The value as SQL.
    pub(crate) fn sql(&self) -> String {
        match self {
            Self::Null => "NULL".to_string(),
            Self::Int(value) => value.to_string(),
            Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Self::Double(bits) => format!("CAST('{:?}' AS DOUBLE)", f64::from_bits(*bits)),
        }
    }

    /// The value as SQL, with a type even if it is NULL.
    pub(super) fn typed_sql(&self, kind: Kind) -> String {
        match self {
            Self::Double(_) => self.sql(),
            _ => format!("CAST({} AS {})", self.sql(), kind.sql()),
        }
    }

    /// How two values compare in SQL: not at all if one is NULL; 0.0 and -0.0 are equal, so are
    /// NaN, which are more than all else.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => None,
            (Self::Double(left), Self::Double(right)) => {
                let (left, right) = (f64::from_bits(*left), f64::from_bits(*right));
                Some(left.partial_cmp(&right).unwrap_or(left.is_nan().cmp(&right.is_nan())))
            }
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Self::Text(left), Self::Text(right)) => Some(left.cmp(right)),
            _ => panic!("values of two kinds are compared"),
        }
    }

    /// `IS NOT DISTINCT FROM`.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            _ => self.compare(other) == Some(Ordering::Equal),
        }
    }
}
