//! What a rerun leaves alone because its sources do not know it, and zones of moments.

use northstar_lakehouse::cdc::change_files;

use super::{Bench, records, scope};

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_changes_that_are_not_named_are_held_back() {
    let mut bench = Bench::new("timestamp", "").await;
    bench
        .load(
            "batch",
            &records(&["1,7,2024-05-02 08:00:00,1,seed", "2,7,2024-05-02 08:00:00,1,two"]),
        )
        .await;
    bench.seed(1).await;
    let late = bench.file("late.csv", &records(&["4,000b,1,01,1,7,2024-05-02 08:00:00,2,late"]));
    bench.merge_only(&bench.lab.lake, std::slice::from_ref(&late)).await;
    bench.sql("UPDATE ns.t SET note = 'damaged'").await;
    let asked = scope("7", "2024-05-01", "2024-05-03");
    let made = bench.rerun(&asked).await;
    assert_eq!((made.plan.held_back, made.plan.updated), (1, 1), "{made:?}");
    assert!(made.plan.ends_early, "{made:?}");
    assert_eq!(
        bench.rows().await,
        [
            "1|7|2024-05-02T08:00:00|2|damaged|000b/0000000001/01|false",
            "2|7|2024-05-02T08:00:00|1|two|NULL|false",
        ]
    );
    bench.changes.push(late);
    let made = bench.rerun(&asked).await;
    assert_eq!((made.plan.held_back, made.plan.updated), (0, 1), "{made:?}");
    assert!(!made.plan.ends_early, "{made:?}");
    assert!(bench.rows().await[0].contains("|late|"));
    // Said to be made of changes alone, the row that bronze brought is not known.
    bench.bronze = None;
    let made = bench.rerun(&asked).await;
    assert_eq!((made.plan.held_back, made.plan.changes()), (1, false), "{made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_be_complete_is() {
    let bench = Bench::new("timestamp", "").await;
    bench.load("batch", &records(&["1,7,2024-05-02 08:00:00,1,seed"])).await;
    bench.seed(1).await;
    let late = bench.file("late.csv", &records(&["4,000b,1,01,1,7,2024-05-02 08:00:00,2,late"]));
    bench.merge_only(&bench.lab.lake, &[late]).await;
    let asked = scope("7", "2024-05-01", "2024-05-03");
    let session = bench.session();
    let mut job = bench.job(&bench.lab.lake, &session, &asked);
    job.complete = true;
    let planned = Box::pin(job.plan(&[])).await.unwrap();
    assert_eq!((planned.plan().held_back, planned.plan().updated), (0, 1));
    Box::pin(planned.apply()).await.unwrap();
    assert_eq!(bench.rows().await, ["1|7|2024-05-02T08:00:00|1|seed|NULL|false"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_moments_are_those_of_the_facilitys_zone() {
    let mut bench = Bench::new("timestamptz", "").await;
    bench.bronze = None;
    // In Chicago, 2024-05-02 is from 05:00 to 05:00.
    let file = bench.file(
        "a.csv",
        &records(&[
            "2,000a,1,01,1,7,2024-05-02 04:59:59Z,1,before",
            "2,000a,2,01,2,7,2024-05-02 05:00:00Z,1,first",
            "2,000a,3,01,3,7,2024-05-03 04:59:59Z,1,last",
            "2,000a,4,01,4,7,2024-05-03 05:00:00Z,1,after",
        ]),
    );
    bench.merge(file).await;
    let mut asked = scope("7", "2024-05-02", "2024-05-03");
    let error = bench.plan(&asked).await.unwrap_err();
    assert!(error.to_string().contains("name it with --zone"), "{error}");
    asked.zone = Some("America/Nowhere".to_string());
    let error = bench.plan(&asked).await.unwrap_err();
    assert!(error.to_string().contains("no such time zone"), "{error}");
    asked.zone = Some("America/Chicago".to_string());
    assert_eq!(bench.plan(&asked).await.unwrap().keys, 2);
    // A table of facilities beside the bronze table says so, too.
    bench.load("batch", &records(&["9,7,2024-01-01 00:00:00Z,1,x"])).await;
    let folder = bench.lab.path("facilities");
    std::fs::create_dir(&folder).unwrap();
    let text = "facility_id,time_zone\n7,America/Chicago\n8,Europe/London\n";
    std::fs::write(folder.join("facility.csv"), text).unwrap();
    bench.lab.load(&folder, "").await.unwrap();
    bench.bronze = Some("bronze.t".parse().unwrap());
    asked.zone = None;
    assert_eq!(bench.plan(&asked).await.unwrap().keys, 2);
    let unknown = scope("9", "2024-05-02", "2024-05-03");
    let error = bench.plan(&unknown).await.unwrap_err();
    assert!(error.to_string().contains("name it with --zone"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_stands_twice_is_there_once_and_rows_without_one_go() {
    let mut bench = Bench::new("timestamp", "").await;
    bench.bronze = None;
    let file = bench.file(
        "a.csv",
        &records(&[
            "2,000a,1,01,1,7,2024-05-02 08:00:00,1,one",
            "2,000a,2,01,2,7,2024-05-02 09:00:00,1,two",
            "2,000a,3,01,3,8,2024-05-02 09:00:00,1,beside",
        ]),
    );
    bench.merge(file).await;
    let rows = bench.rows().await;
    bench.sql("INSERT INTO ns.t SELECT * FROM ns.t WHERE id = 1").await;
    // The second of them stands elsewhere, and of the others one has no key.
    bench.sql("INSERT INTO ns.t SELECT * FROM ns.t WHERE id = 2").await;
    let keyless = "INSERT INTO ns.t SELECT CAST(NULL AS BIGINT) AS id, facility_id, at, version, note, \
                   _source_position, _batch_id, _is_deleted FROM ns.t WHERE id = 3";
    bench.sql(keyless).await;
    bench.sql("UPDATE ns.t SET facility_id = 7 WHERE id IS NULL").await;
    let asked = scope("7", "2024-05-01", "2024-05-03");
    let made = bench.rerun(&asked).await;
    assert_eq!((made.plan.keys, made.plan.doubled, made.plan.held_back), (2, 2, 0), "{made:?}");
    assert_eq!(bench.rows().await, rows);
    let again = bench.rerun(&asked).await;
    assert!(again.changed.is_none(), "{again:?}");
    // Where rows would be held back as well, it cannot be told which of two is right.
    bench.sql("INSERT INTO ns.t SELECT * FROM ns.t WHERE id = 1").await;
    let late = bench.file("late.csv", &records(&["4,000b,1,01,2,7,2024-05-02 09:00:00,2,late"]));
    bench.merge_only(&bench.lab.lake, &[late]).await;
    let error = bench.plan(&asked).await.unwrap_err();
    assert!(error.to_string().contains("name all change files"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_stands_for_the_files_of_the_table_below_it() {
    let bench = Bench::new("timestamp", "").await;
    for name in ["c/day_1/t.csv", "c/day_2/T.PARQUET", "c/day_2/other.csv", "c/.day_3/t.csv", "c/t"]
    {
        let path = bench.lab.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let places = [bench.lab.path("c/day_2/other.csv"), bench.lab.path("c")];
    let found = change_files(&places, "t").unwrap();
    let expected = ["c/day_2/other.csv", "c/day_1/t.csv", "c/day_2/T.PARQUET"];
    assert_eq!(found, expected.map(|name| bench.lab.path(name)));
    assert!(change_files(&[bench.lab.path("c")], "u").unwrap_err().to_string().contains("u.csv"));
    assert!(change_files(&[bench.lab.path("gone")], "t").is_err());
}
