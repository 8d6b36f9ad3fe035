//! The load contract `tables.toml`: types, keys, partitions and what identifies a person.

use std::fmt::{self, Write};

use super::tables::{TABLES, Table};

/// The text of `tables.toml`.
pub(super) fn tables_toml() -> Result<String, fmt::Error> {
    let mut out = String::from(
        "# How the files of this legacy EMR load: the type of each column, keys and partitions.\n\
         # Times are local to the facility and have no zone. An empty field is a null.\n",
    );
    for table in TABLES {
        describe(table, &mut out)?;
    }
    Ok(out)
}

fn describe(table: Table, out: &mut String) -> fmt::Result {
    let columns = table.columns();
    let key = columns[0].name;
    writeln!(out, "\n[{}]", table.name())?;
    match table.event_time() {
        Some(time) => {
            writeln!(out, "partition = [\"facility_id\", \"month({time})\"]")?;
            writeln!(out, "sort = [\"{time}\", \"{key}\"]")?;
        }
        None => writeln!(out, "sort = [\"{key}\"]")?,
    }
    writeln!(out, "key = [\"{key}\"]")?;
    if table.position("version").is_some() {
        writeln!(out, "version = \"version\"")?;
    }
    writeln!(out, "\n[{}.columns]", table.name())?;
    for column in columns {
        if column.phi {
            writeln!(out, "{} = {{ type = \"{}\", phi = \"direct\" }}", column.name, column.kind)?;
        } else {
            writeln!(out, "{} = \"{}\"", column.name, column.kind)?;
        }
    }
    Ok(())
}
