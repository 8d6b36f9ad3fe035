//! What to say of a namespace or table that is not there, with the names that come near it, and of
//! one that is in the way.

use crate::{Error, ErrorKind, TableName};

/// How many names a message lists at most.
const MAX_LISTED: usize = 10;

/// How many near names a message offers at most.
const MAX_NEAR: usize = 3;

/// The error for a namespace that is not there, with the near ones or all of `namespaces`.
pub(crate) fn missing_namespace(wanted: &str, namespaces: &[String]) -> Error {
    let hint = match near(wanted, namespaces) {
        near if !near.is_empty() => format!("did you mean {}?", quoted(&near)),
        _ if namespaces.is_empty() => "the catalog has no namespaces yet".to_owned(),
        _ => format!("there are {}", quoted(namespaces)),
    };
    Error::new(ErrorKind::NotFound, format!("the namespace `{wanted}` does not exist; {hint}"))
}

/// The error for a table that is not among the `tables` of its namespace, with the near ones.
pub(crate) fn missing_table(wanted: &TableName, tables: &[String]) -> Error {
    let namespace = wanted.namespace();
    let hint = match near(wanted.table(), tables) {
        near if !near.is_empty() => format!("did you mean {}?", quoted(&near)),
        _ if tables.is_empty() => format!("the namespace `{namespace}` has no tables yet"),
        _ => format!("the namespace `{namespace}` has {}", quoted(tables)),
    };
    Error::new(ErrorKind::NotFound, format!("the table `{wanted}` does not exist; {hint}"))
}

/// The error for a name that a table or view has already.
pub(crate) fn taken(table: &TableName) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!("a table or view `{table}` exists already; choose another name or drop it first"),
    )
}

/// The error for a namespace that is to be removed and has `count` tables and views, `first` for one.
pub(crate) fn not_empty(namespace: &str, count: usize, first: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!(
            "the namespace `{namespace}` is not empty: {count} stand in it, `{first}` for one; remove \
             them first"
        ),
    )
}

/// The names that differ from `wanted` by case, a few letters or an ending, nearest first.
fn near<'a>(wanted: &str, names: &'a [String]) -> Vec<&'a str> {
    let wanted = wanted.to_ascii_lowercase();
    let mut near: Vec<(usize, &str)> = names
        .iter()
        .filter_map(|name| {
            let folded = name.to_ascii_lowercase();
            let distance = edit_distance(&wanted, &folded);
            let begins = folded.starts_with(&wanted) || wanted.starts_with(&folded);
            (begins || distance <= (wanted.len() / 3).max(1)).then_some((distance, name.as_str()))
        })
        .collect();
    near.sort_unstable();
    near.into_iter().take(MAX_NEAR).map(|(_, name)| name).collect()
}

/// How many letters must be put in, taken out or replaced to make `a` of `b`.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (above, to) in row.iter_mut().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = *above;
            left = replaced.min(diagonal + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The names in backticks, at most [`MAX_LISTED`] of them.
fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    let listed: Vec<String> =
        names.iter().take(MAX_LISTED).map(|name| format!("`{}`", name.as_ref())).collect();
    match names.len().saturating_sub(MAX_LISTED) {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_distance_counts_letters() {
        for (a, b, distance) in [
            ("", "", 0),
            ("", "ab", 2),
            ("lab", "lab", 0),
            ("lab", "lag", 1),
            ("patient", "ptaients", 3),
        ] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
    }

    #[test]
    fn near_names_come_before_a_full_list() {
        let tables = names(&["charges", "lab_result", "labs", "patients"]);
        let text = |table| missing_table(&TableName::new("b", table).unwrap(), &tables).to_string();
        assert!(text("lab").ends_with("did you mean `labs`, `lab_result`?"), "{}", text("lab"));
        assert!(text("patient").ends_with("did you mean `patients`?"), "{}", text("patient"));
        assert!(text("zzzz").contains("has `charges`, `lab_result`"), "{}", text("zzzz"));
    }

    #[test]
    fn a_name_of_another_case_is_near() {
        let error = missing_table(&TableName::new("b", "lab").unwrap(), &names(&["LAB"]));
        assert!(error.to_string().contains("did you mean `LAB`?"), "{error}");
    }

    #[test]
    fn a_missing_namespace_is_told_from_an_empty_catalog_and_long_lists_are_cut() {
        assert!(missing_namespace("b", &[]).to_string().contains("no namespaces yet"));
        let many: Vec<String> = (0..12).map(|n| format!("department_{n:02}")).collect();
        let error = missing_namespace("zz", &many).to_string();
        assert!(error.contains("`department_09` and 2 more"), "{error}");
    }
}
