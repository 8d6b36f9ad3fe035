//! Each fault does what its text says, to the catalog below and to the caller.

use super::*;
use crate::contract::{Fixture, metadata, name};
use crate::sqlite::tests::fixture;

/// A catalog with `b.lab` committed once, from `m0` to `m1`.
async fn faulty() -> (Fixture, FaultyCatalog) {
    let fixture = fixture().await;
    let inner = &fixture.first;
    inner.create_namespace("b").await.unwrap();
    inner.register(&name("b.lab"), "m0", &metadata()).await.unwrap();
    let swap = inner.swap(&name("b.lab"), "m0", "m1", &metadata()).await.unwrap();
    assert!(matches!(swap, Swap::Committed));
    let faulty = FaultyCatalog::new(Arc::clone(inner));
    (fixture, faulty)
}

async fn swap(catalog: &FaultyCatalog) -> Result<Swap> {
    catalog.swap(&name("b.lab"), "m1", "m2", &metadata()).await
}

async fn location(catalog: &dyn Catalog) -> String {
    catalog.pointer(&name("b.lab")).await.unwrap().metadata_location
}

#[tokio::test]
async fn without_a_script_calls_go_through() {
    let (_fixture, catalog) = faulty().await;
    assert_eq!(location(&catalog).await, "m1");
    assert!(matches!(swap(&catalog).await.unwrap(), Swap::Committed));
    catalog.rename_table(&name("b.lab"), &name("b.lab2")).await.unwrap();
    assert_eq!(catalog.list_tables("b").await.unwrap(), [name("b.lab2")]);
}

#[tokio::test]
async fn a_lost_reply_and_a_lost_request_look_alike_and_differ_in_the_catalog() {
    for (fault, moved) in [(Fault::LoseReply, "m2"), (Fault::LoseRequest, "m1")] {
        let (_fixture, catalog) = faulty().await;
        catalog.on_swap([fault]);
        match swap(&catalog).await.unwrap() {
            Swap::Unknown(error) => assert_eq!(error.kind(), ErrorKind::CommitUnknown),
            other => panic!("{other:?}"),
        }
        assert_eq!(location(&catalog).await, moved);
        assert_eq!(catalog.unplayed(), 0);
    }
}

#[tokio::test]
async fn a_register_loses_its_reply_or_request_too() {
    let (_fixture, catalog) = faulty().await;
    catalog.on_register([Fault::LoseRequest, Fault::LoseReply, Fault::Stale]);
    for (expected, tables) in [
        (ErrorKind::CommitUnknown, 1),
        (ErrorKind::CommitUnknown, 2),
        (ErrorKind::AlreadyExists, 2),
    ] {
        let error = catalog.register(&name("b.new"), "m0", &metadata()).await.unwrap_err();
        assert_eq!(error.kind(), expected);
        assert_eq!(catalog.list_tables("b").await.unwrap().len(), tables);
    }
}

#[tokio::test]
async fn faults_are_played_in_order_and_a_stale_swap_does_nothing() {
    let (_fixture, catalog) = faulty().await;
    catalog.on_swap([Fault::Stale, Fault::Fail(ErrorKind::Unavailable), Fault::Pass]);
    assert_eq!(catalog.unplayed(), 3);
    assert!(matches!(swap(&catalog).await.unwrap(), Swap::Conflicted));
    assert_eq!(swap(&catalog).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(location(&catalog).await, "m1");
    assert!(matches!(swap(&catalog).await.unwrap(), Swap::Committed));
    assert_eq!(catalog.unplayed(), 0);
}

#[tokio::test]
async fn an_overtaken_swap_finds_the_other_commit() {
    let (_fixture, catalog) = faulty().await;
    catalog.on_swap([Fault::overtaken(|inner| async move {
        let other = inner.swap(&name("b.lab"), "m1", "other", &metadata()).await.unwrap();
        assert!(matches!(other, Swap::Committed));
    })]);
    assert!(matches!(swap(&catalog).await.unwrap(), Swap::Conflicted));
    assert_eq!(location(&catalog).await, "other");
}

#[tokio::test]
async fn a_stale_pointer_is_the_previous_one_once() {
    let (_fixture, catalog) = faulty().await;
    catalog.on_pointer([PointerFault::Stale, PointerFault::Fail(ErrorKind::Unavailable)]);
    assert_eq!(location(&catalog).await, "m0");
    let failed = catalog.pointer(&name("b.lab")).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unavailable);
    assert_eq!(location(&catalog).await, "m1");
    catalog.register(&name("b.new"), "m0", &metadata()).await.unwrap();
    catalog.on_pointer([PointerFault::Stale]);
    let none = catalog.pointer(&name("b.new")).await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn a_slow_swap_waits_before_it_is_made_and_a_slow_reply_after() {
    for (reply, while_waiting) in [(false, "m1"), (true, "m2")] {
        let (_fixture, catalog) = faulty().await;
        let gate = Gate::new();
        let at_gate = Arc::clone(&gate);
        catalog.on_swap([if reply { Fault::SlowReply(at_gate) } else { Fault::Slow(at_gate) }]);
        let test = async {
            gate.arrived().await;
            assert_eq!(location(&*catalog.inner()).await, while_waiting);
            gate.open();
        };
        let (swapped, ()) = tokio::join!(swap(&catalog), test);
        assert!(matches!(swapped.unwrap(), Swap::Committed));
        assert_eq!(location(&catalog).await, "m2");
    }
}

#[tokio::test]
async fn a_slow_pointer_shows_what_was_committed_while_it_waited() {
    let (_fixture, catalog) = faulty().await;
    let gate = Gate::new();
    catalog.on_pointer([PointerFault::Slow(Arc::clone(&gate))]);
    let test = async {
        gate.arrived().await;
        assert!(matches!(swap(&catalog).await.unwrap(), Swap::Committed));
        gate.open();
    };
    let (seen, ()) = tokio::join!(location(&catalog), test);
    assert_eq!(seen, "m2");
}
