//! Records that no reader can take, at seeded places of the extract.

use super::draws::Purpose;
use super::row::Row;
use super::tables::Table;
use super::world::World;

/// In what way a record is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Flaw {
    TooFewColumns,
    UnclosedQuote,
    NotUtf8,
    NulByte,
    NotANumber,
    TooManyColumns,
}

const FLAWS: [Flaw; 6] = [
    Flaw::TooFewColumns,
    Flaw::UnclosedQuote,
    Flaw::NotUtf8,
    Flaw::NulByte,
    Flaw::NotANumber,
    Flaw::TooManyColumns,
];

const PLACES: [Table; 5] =
    [Table::LabResult, Table::LabResult, Table::Charge, Table::Diagnosis, Table::Encounter];

impl Flaw {
    /// The reason as the truth file names it.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::TooFewColumns | Self::TooManyColumns => "column_count",
            Self::UnclosedQuote => "unclosed_quote",
            Self::NotUtf8 => "not_utf8",
            Self::NulByte => "nul_byte",
            Self::NotANumber => "not_a_number",
        }
    }
}

/// The broken records of a table as (visit before whose rows it stands, flaw), the last one first.
pub(super) fn places(world: &World<'_>, table: Table) -> Vec<(u64, Flaw)> {
    let mut found = Vec::new();
    for number in 0..world.defects().malformed {
        let position = number as usize;
        if PLACES[position % PLACES.len()] == table {
            let mut draws = world.draws(Purpose::Malformed, u64::from(number));
            found.push((draws.below_u64(world.emr().visits()), FLAWS[position % FLAWS.len()]));
        }
    }
    found.sort_unstable();
    found.reverse();
    found
}

/// Appends the record made of `row` with the flaw in it, and its line end.
///
/// The text of an unclosed quote goes on to the end of its line; what follows is a good record.
pub(super) fn encode(row: &Row, table: Table, flaw: Flaw, out: &mut Vec<u8>) {
    let text_at = table.columns().iter().rposition(|column| column.kind == "string").unwrap_or(0);
    let number_at = table.columns().iter().skip(1).position(|column| column.kind == "long");
    let number_at = number_at.map_or(0, |at| at + 1);
    let columns = if flaw == Flaw::TooFewColumns { row.len() - 3 } else { row.len() };
    for at in 0..columns {
        if at > 0 {
            out.push(b',');
        }
        match flaw {
            Flaw::UnclosedQuote if at == text_at => out.extend_from_slice(b"\"see scanned page"),
            Flaw::NotUtf8 if at == text_at => out.extend_from_slice(b"M\xfcller"),
            Flaw::NulByte if at == text_at => out.extend_from_slice(b"see\0page"),
            Flaw::NotANumber if at == number_at => out.extend_from_slice(b"n/a"),
            // Without quotes the record is one line, whatever was in the field.
            _ => out.extend(row.get(at).bytes().filter(|byte| !b",\"\r\n".contains(byte))),
        }
    }
    if flaw == Flaw::TooManyColumns {
        out.extend_from_slice(b",moved,2");
    }
    out.push(b'\n');
}
