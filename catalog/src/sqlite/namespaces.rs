//! What is said of a namespace: its properties, kept as PyIceberg keeps them.
//!
//! PyIceberg tells a namespace by having a property; one that was made without any is given `exists`.
//! Here each has it, so that a namespace outlives the removal of its other properties. It is the
//! catalog's own and is neither shown nor changed.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::catalog::{NAMESPACE_EXISTS, SqliteCatalog, all_namespaces, namespace_exists};
use super::schema::CATALOG_NAME;
use crate::ident::check_name;
use crate::missing::missing_namespace;
use crate::{Error, ErrorKind, Result};

/// The property by which PyIceberg keeps a namespace that has no other.
const EXISTS: &str = "exists";

/// What an update did to each property that it named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PropertyChanges {
    /// Those that were set, sorted.
    pub updated: Vec<String>,
    /// Those that were there and are not any more, in the order of the request.
    pub removed: Vec<String>,
    /// Those that should be removed and were not there, in the order of the request.
    pub missing: Vec<String>,
}

impl SqliteCatalog {
    /// The properties of a namespace.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` (retry) if the file is locked, as for every call below.
    pub async fn namespace_properties(&self, namespace: &str) -> Result<BTreeMap<String, String>> {
        let namespace = namespace.to_owned();
        self.call(move |live| {
            let sql = "SELECT property_key, property_value FROM iceberg_namespace_properties
                 WHERE catalog_name = ?1 AND namespace = ?2 AND property_key <> ?3";
            let values = params![CATALOG_NAME, namespace, EXISTS];
            let doing = "read the properties of the namespace";
            let found = live.read(doing, sql, values, |row| Ok((row.get(0)?, row.get(1)?)))?;
            if found.is_empty() && !namespace_exists(live, &namespace)? {
                return Err(missing_namespace(&namespace, &all_namespaces(live)?));
            }
            Ok(found.into_iter().collect())
        })
        .await
    }

    /// Makes a namespace with properties, in one step.
    ///
    /// # Errors
    /// `AlreadyExists`; `InvalidInput` for a name that breaks the rules of [`crate::ident`], or a
    /// property that is the catalog's own; `CommitUnknown` if it may have been made.
    pub async fn create_namespace_with(
        &self,
        namespace: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<()> {
        check_name("namespace", namespace)?;
        check_properties(properties.keys())?;
        let (namespace, properties) = (namespace.to_owned(), properties.clone());
        self.call(move |live| {
            let made = live.transaction("make the namespace", |live| {
                if exists(live, &namespace)? {
                    return Ok(false);
                }
                keep(live, &namespace)?;
                set(live, &namespace, &properties)?;
                Ok(true)
            })?;
            if made {
                return Ok(());
            }
            let text = format!("the namespace `{namespace}` exists already; choose another name");
            Err(Error::new(ErrorKind::AlreadyExists, text))
        })
        .await
    }

    /// Removes properties of a namespace and sets others, in one step. What is not named stays.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` if a property is both removed and set, or is the catalog's own;
    /// `CommitUnknown` if it may have been done.
    pub async fn set_namespace_properties(
        &self,
        namespace: &str,
        removals: &[String],
        updates: &BTreeMap<String, String>,
    ) -> Result<PropertyChanges> {
        check_properties(updates.keys().chain(removals))?;
        if let Some(both) = removals.iter().find(|key| updates.contains_key(key.as_str())) {
            let text = format!("the property `{both}` is both removed and set; do one of them");
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        let (namespace, removals) = (namespace.to_owned(), removals.to_vec());
        let updates = updates.clone();
        self.call(move |live| {
            let done = live.transaction("change the properties of the namespace", |live| {
                if !exists(live, &namespace)? {
                    return Ok(None);
                }
                // PyIceberg may have made it with other properties only.
                keep(live, &namespace)?;
                let (removed, missing) = remove(live, &namespace, &removals)?;
                set(live, &namespace, &updates)?;
                Ok(Some((removed, missing)))
            })?;
            let Some((removed, missing)) = done else {
                return Err(missing_namespace(&namespace, &all_namespaces(live)?));
            };
            Ok(PropertyChanges { updated: updates.into_keys().collect(), removed, missing })
        })
        .await
    }
}

fn check_properties<'a>(mut keys: impl Iterator<Item = &'a String>) -> Result<()> {
    if keys.any(|key| key == EXISTS) {
        let text = "the property `exists` is the catalog's own; choose another name";
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    Ok(())
}

fn exists(live: &Connection, namespace: &str) -> rusqlite::Result<bool> {
    let sql = format!("SELECT {NAMESPACE_EXISTS}");
    live.query_row(&sql, params![CATALOG_NAME, namespace], |row| row.get(0))
}

/// Sees to it that the namespace stays without its other properties.
fn keep(live: &Connection, namespace: &str) -> rusqlite::Result<()> {
    live.execute(
        "INSERT OR IGNORE INTO iceberg_namespace_properties
           (catalog_name, namespace, property_key, property_value) VALUES (?1, ?2, ?3, 'true')",
        params![CATALOG_NAME, namespace, EXISTS],
    )?;
    Ok(())
}

fn set(
    live: &Connection,
    namespace: &str,
    properties: &BTreeMap<String, String>,
) -> rusqlite::Result<()> {
    let mut statement = live.prepare_cached(
        "INSERT OR REPLACE INTO iceberg_namespace_properties
           (catalog_name, namespace, property_key, property_value) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (key, value) in properties {
        statement.execute(params![CATALOG_NAME, namespace, key, value])?;
    }
    Ok(())
}

/// Removes properties; those that were there, and those that were not.
fn remove(
    live: &Connection,
    namespace: &str,
    keys: &[String],
) -> rusqlite::Result<(Vec<String>, Vec<String>)> {
    let mut statement = live.prepare_cached(
        "DELETE FROM iceberg_namespace_properties
         WHERE catalog_name = ?1 AND namespace = ?2 AND property_key = ?3",
    )?;
    let (mut removed, mut missing) = (Vec::new(), Vec::new());
    for key in keys {
        // One that is named twice is removed once.
        if removed.contains(key) || missing.contains(key) {
            continue;
        }
        match statement.execute(params![CATALOG_NAME, namespace, key])? {
            0 => missing.push(key.clone()),
            _ => removed.push(key.clone()),
        }
    }
    Ok((removed, missing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{metadata, name};
    use crate::{Catalog, OpenMode};

    async fn catalog() -> (SqliteCatalog, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        (SqliteCatalog::open(&path, OpenMode::Create).await.unwrap(), folder)
    }

    fn properties(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn keys(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|&key| key.to_owned()).collect()
    }

    #[tokio::test]
    async fn a_namespace_is_made_once_with_its_properties() {
        let (catalog, _folder) = catalog().await;
        let given = properties(&[("comment", "results"), ("location", "file:///w/b")]);
        catalog.create_namespace_with("b", &given).await.unwrap();
        assert_eq!(catalog.namespace_properties("b").await.unwrap(), given);
        assert!(!catalog.create_namespace("b").await.unwrap());
        let again = catalog.create_namespace_with("b", &properties(&[("comment", "other")])).await;
        assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(catalog.namespace_properties("b").await.unwrap(), given);
        catalog.create_namespace_with("plain", &BTreeMap::new()).await.unwrap();
        assert_eq!(catalog.namespace_properties("plain").await.unwrap(), BTreeMap::new());
        assert_eq!(catalog.list_namespaces().await.unwrap(), ["b", "plain"]);
        let bad = catalog.create_namespace_with("B", &given).await.unwrap_err();
        assert_eq!(bad.kind(), ErrorKind::InvalidInput, "{bad}");
        catalog.drop_namespace("b").await.unwrap();
        let gone = catalog.namespace_properties("b").await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone}");
    }

    #[tokio::test]
    async fn an_update_removes_sets_and_says_what_was_missing() {
        let (catalog, _folder) = catalog().await;
        catalog.create_namespace_with("b", &properties(&[("a", "1"), ("c", "2")])).await.unwrap();
        let updates = properties(&[("c", "3"), ("d", "4")]);
        let removals = keys(&["a", "no", "a"]);
        let done = catalog.set_namespace_properties("b", &removals, &updates).await.unwrap();
        let expected = PropertyChanges {
            updated: keys(&["c", "d"]),
            removed: keys(&["a"]),
            missing: keys(&["no"]),
        };
        assert_eq!(done, expected);
        assert_eq!(catalog.namespace_properties("b").await.unwrap(), updates);
        let none = BTreeMap::new();
        catalog.set_namespace_properties("b", &keys(&["c", "d"]), &none).await.unwrap();
        assert_eq!(catalog.namespace_properties("b").await.unwrap(), none);
        assert_eq!(catalog.list_namespaces().await.unwrap(), ["b"], "it went with its properties");
    }

    #[tokio::test]
    async fn what_makes_no_sense_changes_nothing() {
        let (catalog, _folder) = catalog().await;
        let given = properties(&[("a", "1")]);
        catalog.create_namespace_with("b", &given).await.unwrap();
        for (removals, updates) in [
            (keys(&["a"]), properties(&[("a", "2")])),
            (keys(&["exists"]), BTreeMap::new()),
            (Vec::new(), properties(&[("exists", "false"), ("a", "2")])),
        ] {
            let refused = catalog.set_namespace_properties("b", &removals, &updates).await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(catalog.namespace_properties("b").await.unwrap(), given);
        let missing = catalog.set_namespace_properties("no", &[], &given).await;
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(catalog.list_namespaces().await.unwrap(), ["b"]);
    }

    /// PyIceberg makes a namespace with the properties that it was given and no others, and takes one
    /// that has tables as being there.
    #[tokio::test]
    async fn namespaces_that_pyiceberg_made_keep_and_are_kept() {
        let (catalog, _folder) = catalog().await;
        let made = catalog.call(|live| {
            live.connection
                .execute_batch(
                    "INSERT INTO iceberg_namespace_properties VALUES
                        ('default', 'b', 'owner', 'lab'), ('other', 'b', 'owner', 'hidden');
                     INSERT INTO iceberg_tables VALUES ('default', 'c', 'lab', 'm0', NULL, 'TABLE')",
                )
                .unwrap();
            Ok(())
        });
        made.await.unwrap();
        assert_eq!(
            catalog.namespace_properties("b").await.unwrap(),
            properties(&[("owner", "lab")])
        );
        assert_eq!(catalog.namespace_properties("c").await.unwrap(), BTreeMap::new());
        for namespace in ["b", "c"] {
            let (gone, set) = (keys(&["owner"]), properties(&[("comment", "x")]));
            catalog.set_namespace_properties(namespace, &gone, &set).await.unwrap();
            catalog
                .set_namespace_properties(namespace, &keys(&["comment"]), &BTreeMap::new())
                .await
                .unwrap();
        }
        catalog.drop_table(&name("c.lab")).await.unwrap();
        assert_eq!(catalog.list_namespaces().await.unwrap(), ["b", "c"]);
        catalog.register(&name("b.lab"), "m0", &metadata()).await.unwrap();
        let taken = catalog.create_namespace_with("c", &BTreeMap::new()).await.unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists, "{taken}");
    }
}
