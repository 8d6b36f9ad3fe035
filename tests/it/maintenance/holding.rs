//! What history and tags hold: every file once, under what keeps it.

use northstar_iceberg::maintenance::{CompactOptions, DAY_MS, Holding, Holdings};
use northstar_tests::lab::START_MS;

use super::place::Place;

#[tokio::test]
async fn each_file_counts_under_what_keeps_it() {
    let place = Place::new(&[], &[], 512 << 20).await;
    let first = place.append(0..10, "s", 1).await;
    place.tag("close", first, None).await;
    place.tag("same", first, None).await;
    let tagged = place.files().await;
    place.lab.clock.set(START_MS + DAY_MS);
    place.append(10..40, "s", 2).await;
    let both = place.files().await;
    place.lab.clock.set(START_MS + 2 * DAY_MS);
    place.compact(&CompactOptions::default()).await;
    let live = place.files().await;
    let bytes = |files: &[iceberg::spec::DataFile]| {
        files.iter().map(iceberg::spec::DataFile::file_size_in_bytes).sum::<u64>()
    };
    let read = async |day: i64| {
        place.lab.clock.set(START_MS + day * DAY_MS);
        Holdings::read(&place.lab.lake, &place.table().await).await.unwrap()
    };

    let holdings = read(10).await;
    assert_eq!(holdings.live, Holding { files: 1, bytes: bytes(&live) });
    let days: Vec<Option<i64>> = holdings.history.iter().map(|(days, _)| *days).collect();
    assert_eq!(days, [Some(7), Some(35), Some(365), None]);
    assert_eq!(holdings.history[1].1, Holding { files: 2, bytes: bytes(&both) });
    assert_eq!(holdings.tags, Holding::default(), "history still holds what the tags name");

    // Once the second snapshot has expired, the tags are all that holds the first file.
    let ids: Vec<i64> = place.table().await.ancestors().map(|s| s.snapshot_id()).collect();
    place.alter(|builder| builder.remove_snapshots(&[ids[1]])).await;
    let holdings = read(11).await;
    let held = Holding { files: 1, bytes: bytes(&tagged) };
    assert_eq!(holdings.tags, held);
    assert_eq!((holdings.by_tag["close"], holdings.by_tag["same"]), (held, held));
    assert_eq!(holdings.by_tag_alone["close"], Holding::default(), "the other holds it too");
    assert!(holdings.history.iter().all(|(_, holding)| *holding == Holding::default()));
}
