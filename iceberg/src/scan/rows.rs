//! Rows of data files that one scan reads or leaves out, beside those that are deleted.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringTreemap;

/// Positions of rows, by the path of their data file.
pub(crate) type Positions = HashMap<String, RoaringTreemap>;

/// Which of the live rows are read.
#[derive(Debug, Clone)]
pub(crate) enum RowChoice {
    /// Those that are not here.
    Without(Arc<Positions>),
    /// Those that are here.
    Only(Arc<Positions>),
}

impl RowChoice {
    /// The positions of a file of so many `rows` that are not read, of which `deleted` are not anyway.
    pub(super) fn left_out(
        &self,
        path: &str,
        rows: u64,
        deleted: RoaringTreemap,
    ) -> RoaringTreemap {
        match self {
            Self::Without(positions) => match positions.get(path) {
                Some(positions) => deleted | positions,
                None => deleted,
            },
            Self::Only(positions) => {
                let mut all = RoaringTreemap::new();
                all.insert_range(0..rows);
                if let Some(positions) = positions.get(path) {
                    all -= positions;
                }
                all | deleted
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_left_out_or_chosen_and_a_deleted_one_never_comes_back() {
        let set = |rows: &[u64]| rows.iter().copied().collect::<RoaringTreemap>();
        let chosen = Arc::new(Positions::from([("a".to_string(), set(&[1, 3]))]));
        let without = RowChoice::Without(Arc::clone(&chosen));
        let only = RowChoice::Only(chosen);
        assert_eq!(without.left_out("a", 5, set(&[0])), set(&[0, 1, 3]));
        assert_eq!(without.left_out("b", 5, set(&[0])), set(&[0]));
        assert_eq!(only.left_out("a", 5, set(&[3])), set(&[0, 2, 3, 4]));
        assert_eq!(only.left_out("b", 2, set(&[])), set(&[0, 1]));
    }
}
