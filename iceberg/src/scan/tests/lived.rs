//! A table that has lived a little: many row groups and pages, a schema that was changed in every
//! way, position deletes.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Int32Array, Int64Array, StringArray};
use iceberg::spec::PrimitiveType;

use super::fixture::{Fixture, properties, schema, schema_of_ids};

/// The table, and what its first file holds no longer.
pub(crate) struct Lived {
    pub(crate) fixture: Fixture,
    /// The location of the first file, which was written with the first schema.
    pub(crate) old_file: String,
    /// Deleted ids, which are positions in the first file.
    pub(crate) gone: BTreeSet<i64>,
    /// Rows that are left in both files.
    pub(crate) live: i64,
}

/// 100,000 rows `(id, name, amount)` with the last column NULL in each tenth, in row groups of
/// 10,000 and pages of 1,000; then `name` becomes `label`, `amount` a long, a new column takes the
/// name `name`, and the order changes; then five rows from id 200,000 on, and 10,004 rows are
/// deleted.
pub(crate) async fn lived() -> Lived {
    let mut fixture = Fixture::new(
        schema(&[
            ("id", PrimitiveType::Long),
            ("name", PrimitiveType::String),
            ("amount", PrimitiveType::Int),
        ]),
        &[],
    );
    let small = || {
        properties()
            .set_max_row_group_row_count(Some(10_000))
            .set_data_page_row_count_limit(1_000)
            .set_write_batch_size(500)
    };
    let ids: Vec<i32> = (0..100_000).collect();
    let old = fixture.write(
        vec![
            Arc::new(Int64Array::from_iter_values(ids.iter().map(|id| i64::from(*id)))),
            Arc::new(StringArray::from_iter_values(ids.iter().map(|id| format!("old-{id:06}")))),
            Arc::new(Int32Array::from_iter(ids.iter().map(|id| (id % 10 != 0).then_some(*id)))),
        ],
        vec![],
        small(),
    );
    fixture.append(vec![old.clone()], vec![]).await;

    fixture.evolve(schema_of_ids(
        1,
        [
            (1, "id", PrimitiveType::Long),
            (4, "name", PrimitiveType::String),
            (3, "amount", PrimitiveType::Long),
            (2, "label", PrimitiveType::String),
        ],
    ));
    let new = fixture.write(
        vec![
            Arc::new(Int64Array::from_iter_values(200_000..200_005)),
            Arc::new(StringArray::from(vec!["added"; 5])),
            Arc::new(Int64Array::from(vec![1 << 40; 5])),
            Arc::new(StringArray::from(vec!["new"; 5])),
        ],
        vec![],
        small(),
    );
    let gone: BTreeSet<i64> =
        [0, 9_999, 10_000, 55_555].into_iter().chain(20_000..30_000).collect();
    let rows: Vec<i64> = gone.iter().copied().collect();
    let deletes = fixture.delete(&[(&old, &rows)]);
    fixture.append(vec![new], vec![deletes]).await;
    let live = 100_000 - rows.len() as i64 + 5;
    Lived { fixture, old_file: old.file_path().to_owned(), gone, live }
}
