//! What every catalog must do, as tests that each back end runs on an empty catalog of its own.
//!
//! A back end writes `contract::tests!(open)` in its tests, where `open` is an async function that
//! makes a [`Fixture`]. Other crates do so with the feature `contract`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "each function is the body of a test, and panics if the catalog does not hold"
)]

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use iceberg::spec::{
    FormatVersion, NestedField, PrimitiveType, Schema, SortOrder, TableMetadata,
    TableMetadataBuilder, Type, UnboundPartitionSpec,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::{Catalog, ErrorKind, Pointer, Swap, TableName};

/// An empty catalog, opened twice, and what must live as long as it.
pub struct Fixture {
    /// The catalog.
    pub first: Arc<dyn Catalog>,
    /// The same one, opened again.
    pub second: Arc<dyn Catalog>,
    /// Goes when the test is over.
    pub keep: Box<dyn Any + Send>,
}

impl std::fmt::Debug for Fixture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fixture").field("first", &self.first).finish_non_exhaustive()
    }
}

/// One test for each body below.
#[macro_export]
macro_rules! catalog_contract {
    ($open:path) => {
        $crate::catalog_contract! { $open:
            a_namespace_is_made_once_listed_and_dropped,
            a_namespace_with_tables_is_not_dropped,
            a_registered_table_has_its_pointer_and_no_previous_one,
            a_name_is_registered_once_and_only_in_a_namespace_that_is_there,
            a_swap_moves_the_pointer_only_from_where_it_is_expected,
            a_missing_name_is_answered_with_near_ones,
            a_dropped_table_is_gone_and_its_name_free,
            a_renamed_table_keeps_its_pointer,
            a_rename_never_replaces_a_table,
            a_name_of_the_wrong_case_is_refused,
            what_one_handle_does_the_other_sees,
            of_racing_swaps_exactly_one_wins_w2,
        }
    };
    ($open:path: $($name:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                $crate::contract::$name($open().await).await;
            }
        )*
    };
}
pub use crate::catalog_contract as tests;

/// The name that a text stands for.
pub fn name(text: &str) -> TableName {
    text.parse().unwrap()
}

/// The metadata of an empty table with one column.
pub fn metadata() -> TableMetadata {
    let id = NestedField::required(1, "id", Type::Primitive(PrimitiveType::Long));
    let schema = Schema::builder().with_fields([Arc::new(id)]).build().unwrap();
    let (spec, order) = (UnboundPartitionSpec::default(), SortOrder::unsorted_order());
    let location = "file:///lake/bronze/lab".to_owned();
    TableMetadataBuilder::new(schema, spec, order, location, FormatVersion::V2, HashMap::new())
        .unwrap()
        .build()
        .unwrap()
        .metadata
}

/// A catalog with the tables `b.lab` and `b.patient`, registered at `m0`, and an empty namespace.
async fn with_tables(catalog: &dyn Catalog) {
    assert!(catalog.create_namespace("b").await.unwrap());
    assert!(catalog.create_namespace("empty").await.unwrap());
    for table in ["b.lab", "b.patient"] {
        catalog.register(&name(table), "m0", &metadata()).await.unwrap();
    }
}

fn at(metadata_location: &str, previous: Option<&str>) -> Pointer {
    Pointer {
        metadata_location: metadata_location.to_owned(),
        previous_metadata_location: previous.map(str::to_owned),
    }
}

/// A namespace is made once listed and dropped.
pub async fn a_namespace_is_made_once_listed_and_dropped(fixture: Fixture) {
    let catalog = fixture.first;
    assert_eq!(catalog.list_namespaces().await.unwrap(), Vec::<String>::new());
    assert!(catalog.create_namespace("silver").await.unwrap());
    assert!(catalog.create_namespace("bronze").await.unwrap());
    assert!(!catalog.create_namespace("bronze").await.unwrap());
    assert_eq!(catalog.list_namespaces().await.unwrap(), ["bronze", "silver"]);
    assert_eq!(catalog.list_tables("bronze").await.unwrap(), []);
    catalog.drop_namespace("bronze").await.unwrap();
    assert_eq!(catalog.list_namespaces().await.unwrap(), ["silver"]);
    let again = catalog.drop_namespace("bronze").await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotFound, "{again}");
    assert!(catalog.create_namespace("bronze").await.unwrap());
}

/// A namespace with tables is not dropped.
pub async fn a_namespace_with_tables_is_not_dropped(fixture: Fixture) {
    let catalog = fixture.first;
    with_tables(&*catalog).await;
    let error = catalog.drop_namespace("b").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.message().contains("2 stand in it, `lab`"), "{error}");
    catalog.drop_table(&name("b.lab")).await.unwrap();
    catalog.drop_namespace("b").await.unwrap_err();
    catalog.drop_table(&name("b.patient")).await.unwrap();
    catalog.drop_namespace("b").await.unwrap();
}

/// A registered table has its pointer and no previous one.
pub async fn a_registered_table_has_its_pointer_and_no_previous_one(fixture: Fixture) {
    let catalog = fixture.first;
    with_tables(&*catalog).await;
    assert_eq!(catalog.pointer(&name("b.lab")).await.unwrap(), at("m0", None));
    let tables = catalog.list_tables("b").await.unwrap();
    assert_eq!(tables, [name("b.lab"), name("b.patient")]);
}

/// A name is registered once and only in a namespace that is there.
pub async fn a_name_is_registered_once_and_only_in_a_namespace_that_is_there(fixture: Fixture) {
    let catalog = fixture.first;
    with_tables(&*catalog).await;
    let twice = catalog.register(&name("b.lab"), "m1", &metadata()).await.unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::AlreadyExists, "{twice}");
    assert!(twice.to_string().contains("`b.lab`"), "{twice}");
    assert_eq!(catalog.pointer(&name("b.lab")).await.unwrap(), at("m0", None));
    let nowhere = catalog.register(&name("gold.lab"), "m1", &metadata()).await.unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::NotFound, "{nowhere}");
    assert_eq!(catalog.list_namespaces().await.unwrap(), ["b", "empty"]);
}

/// A swap moves the pointer only from where it is expected.
pub async fn a_swap_moves_the_pointer_only_from_where_it_is_expected(fixture: Fixture) {
    let catalog = fixture.first;
    with_tables(&*catalog).await;
    let lab = name("b.lab");
    let swap = catalog.swap(&lab, "m0", "m1", &metadata()).await.unwrap();
    assert!(matches!(swap, Swap::Committed), "{swap:?}");
    assert_eq!(catalog.pointer(&lab).await.unwrap(), at("m1", Some("m0")));
    let stale = catalog.swap(&lab, "m0", "m2", &metadata()).await.unwrap();
    assert!(matches!(stale, Swap::Conflicted), "{stale:?}");
    assert_eq!(catalog.pointer(&lab).await.unwrap(), at("m1", Some("m0")));
    let gone = catalog.swap(&name("b.gone"), "m0", "m1", &metadata()).await.unwrap();
    assert!(matches!(gone, Swap::Conflicted), "{gone:?}");
    assert_eq!(catalog.pointer(&name("b.patient")).await.unwrap(), at("m0", None));
}

/// A missing name is answered with near ones.
pub async fn a_missing_name_is_answered_with_near_ones(fixture: Fixture) {
    let catalog = fixture.first;
    let none = catalog.pointer(&name("b.labs")).await.unwrap_err();
    assert!(none.message().contains("no namespaces yet"), "{none}");
    with_tables(&*catalog).await;
    let near = catalog.pointer(&name("b.labs")).await.unwrap_err();
    assert_eq!(near.kind(), ErrorKind::NotFound, "{near}");
    assert!(near.message().ends_with("did you mean `lab`?"), "{near}");
    let empty = catalog.pointer(&name("empty.labs")).await.unwrap_err();
    assert!(empty.message().contains("`empty` has no tables yet"), "{empty}");
    let namespace = catalog.pointer(&name("elsewhere.lab")).await.unwrap_err();
    assert_eq!(namespace.kind(), ErrorKind::NotFound, "{namespace}");
    assert!(namespace.message().contains("there are `b`, `empty`"), "{namespace}");
    let listed = catalog.list_tables("emtpy").await.unwrap_err();
    assert_eq!(listed.kind(), ErrorKind::NotFound, "{listed}");
}

/// A dropped table is gone and its name free.
pub async fn a_dropped_table_is_gone_and_its_name_free(fixture: Fixture) {
    let catalog = fixture.first;
    with_tables(&*catalog).await;
    catalog.drop_table(&name("b.lab")).await.unwrap();
    assert_eq!(catalog.list_tables("b").await.unwrap(), [name("b.patient")]);
    let again = catalog.drop_table(&name("b.lab")).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotFound, "{again}");
    let nowhere = catalog.drop_table(&name("gold.lab")).await.unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::NotFound, "{nowhere}");
    catalog.register(&name("b.lab"), "m7", &metadata()).await.unwrap();
    assert_eq!(catalog.pointer(&name("b.lab")).await.unwrap(), at("m7", None));
}

/// A renamed table keeps its pointer.
pub async fn a_renamed_table_keeps_its_pointer(fixture: Fixture) {
    let catalog = fixture.first;
    with_tables(&*catalog).await;
    let (lab, moved) = (name("b.lab"), name("empty.lab_result"));
    let swap = catalog.swap(&lab, "m0", "m1", &metadata()).await.unwrap();
    assert!(matches!(swap, Swap::Committed), "{swap:?}");
    catalog.rename_table(&lab, &moved).await.unwrap();
    assert_eq!(catalog.pointer(&moved).await.unwrap(), at("m1", Some("m0")));
    assert_eq!(catalog.pointer(&lab).await.unwrap_err().kind(), ErrorKind::NotFound);
    let stale = catalog.swap(&lab, "m1", "m2", &metadata()).await.unwrap();
    assert!(matches!(stale, Swap::Conflicted), "{stale:?}");
}

/// A rename never replaces a table.
pub async fn a_rename_never_replaces_a_table(fixture: Fixture) {
    let catalog = fixture.first;
    with_tables(&*catalog).await;
    for (from, to, kind) in [
        ("b.lab", "b.patient", ErrorKind::AlreadyExists),
        ("b.lab", "b.lab", ErrorKind::AlreadyExists),
        ("b.gone", "b.gone", ErrorKind::NotFound),
        ("b.gone", "b.patient", ErrorKind::NotFound),
        ("b.gone", "b.new", ErrorKind::NotFound),
        ("gold.lab", "b.new", ErrorKind::NotFound),
        ("b.lab", "gold.lab", ErrorKind::NotFound),
    ] {
        let error = catalog.rename_table(&name(from), &name(to)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{from} to {to}: {error}");
    }
    let tables = catalog.list_tables("b").await.unwrap();
    assert_eq!(tables, [name("b.lab"), name("b.patient")]);
}

/// A name of the wrong case is refused.
pub async fn a_name_of_the_wrong_case_is_refused(fixture: Fixture) {
    let catalog = fixture.first;
    with_tables(&*catalog).await;
    let error = catalog.create_namespace("Bronze").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.message().contains("`bronze`"), "{error}");
    let upper = catalog.list_tables("B").await.unwrap_err();
    assert_eq!(upper.kind(), ErrorKind::NotFound, "{upper}");
    assert!(upper.message().contains("did you mean `b`?"), "{upper}");
    assert_eq!(catalog.drop_namespace("EMPTY").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(catalog.list_namespaces().await.unwrap(), ["b", "empty"]);
}

/// What one handle does the other sees.
pub async fn what_one_handle_does_the_other_sees(fixture: Fixture) {
    let (first, second) = (fixture.first, fixture.second);
    with_tables(&*first).await;
    assert_eq!(second.list_tables("b").await.unwrap().len(), 2);
    let swap = second.swap(&name("b.lab"), "m0", "m1", &metadata()).await.unwrap();
    assert!(matches!(swap, Swap::Committed), "{swap:?}");
    assert_eq!(first.pointer(&name("b.lab")).await.unwrap(), at("m1", Some("m0")));
}

/// Of racing swaps exactly one wins (W2).
pub async fn of_racing_swaps_exactly_one_wins_w2(fixture: Fixture) {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 20;
    let (first, second) = (fixture.first, fixture.second);
    with_tables(&*first).await;
    for round in 0..ROUNDS {
        let start = Arc::new(Barrier::new(WRITERS));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let catalog = Arc::clone(if writer % 2 == 0 { &first } else { &second });
            let start = Arc::clone(&start);
            writers.spawn(async move {
                let (lab, metadata) = (name("b.lab"), metadata());
                let expected = catalog.pointer(&lab).await.unwrap().metadata_location;
                let next = format!("m-{round}-{writer}");
                start.wait().await;
                (catalog.swap(&lab, &expected, &next, &metadata).await.unwrap(), next)
            });
        }
        let mut won = Vec::new();
        while let Some(ended) = writers.join_next().await {
            match ended.unwrap() {
                (Swap::Committed, next) => won.push(next),
                (Swap::Conflicted, _) => {}
                (Swap::Unknown(error), _) => panic!("{error}"),
            }
        }
        assert_eq!(won.len(), 1, "round {round}: {won:?}");
        let now = second.pointer(&name("b.lab")).await.unwrap();
        assert_eq!(now.metadata_location, won[0], "round {round}");
    }
}
