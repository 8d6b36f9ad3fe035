//! What must not grow with the number of files, commits and years.

use northstar_tests::changes::{Changes, rows, session};
use northstar_tests::lab::Lab;
use northstar_tests::scale::daily;
use northstar_tests::scale::many_files::{Shape, listed, make};

#[tokio::test(flavor = "multi_thread")]
async fn of_many_manifests_only_those_whose_summaries_match_are_read() {
    let lab = Lab::new().await;
    let shape = Shape { days: 50, sites: 4, files: 10, rows: 7, asked: (31, 2) };
    assert_eq!(shape.all_files(), 2_000);
    let table = make(&lab, &shape).await;
    let list = listed(&table, &shape).await;
    assert_eq!((list.manifests, list.matching), (50, 1));
    let session = session(&lab);
    let [count, ids, numbers] = shape.answer();
    assert_eq!(rows(&session, &shape.query()).await, [format!("{count}|{ids}|{numbers}")]);
    assert_eq!(session.manifests().reads(), list.matching, "of {}", list.manifests);
    // Without a filter all are read: the count tells something.
    let all = northstar_tests::changes::session(&lab);
    let sum = "SELECT sum(record_count) FROM scale.\"visit$files\"";
    assert_eq!(rows(&all, sum).await, [(shape.all_files() * 7).to_string()]);
    assert_eq!(all.manifests().reads(), list.manifests);
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_of_deletes_are_read_where_they_match_and_no_row_comes_back() {
    let lab = Lab::new().await;
    let changes = Changes::merge_on_read(&lab, "ns.t", &["site"]).await;
    for values in
        ["(1, 'a', 1), (2, 'a', 2)", "(3, 'b', 3), (4, 'b', 4)", "(5, NULL, 5), (6, NULL, 6)"]
    {
        changes.change(&format!("INSERT INTO ns.t VALUES {values}")).await;
    }
    for id in [1, 3, 5] {
        changes.change(&format!("DELETE FROM ns.t WHERE id = {id}")).await;
    }
    // A manifest of data and one of deletes for each site. A summary of NULL alone has no bounds, and
    // what has no bounds is read.
    for (filter, row, manifests) in [
        ("site = 'a'", "2|a|2", 4),
        ("site > 'a'", "4|b|4", 4),
        ("site IS NULL", "6|NULL|6", 2),
        ("site = 'a' AND n > 0", "2|a|2", 4),
        ("n = 4", "4|b|4", 6),
    ] {
        let session = session(&lab);
        assert_eq!(rows(&session, &format!("SELECT * FROM ns.t WHERE {filter}")).await, [row]);
        assert_eq!(session.manifests().reads(), manifests, "{filter}");
    }
}

/// Seven years are 2,557 days; a run of 400 shows whether anything grows but by the tags of months.
#[tokio::test(flavor = "multi_thread")]
async fn metadata_of_daily_commits_grows_by_the_tags_of_months_alone() {
    let days = if std::env::var_os("NORTHSTAR_SOAK").is_some() { 2_557 } else { 400 };
    let lab = Lab::new().await;
    let lived = daily::live(&lab, days).await;
    let largest = |from: usize, to: usize| {
        lived[from..to].iter().map(|day| day.metadata_bytes).max().expect("days")
    };
    let end = lived.len();
    let (first, last) = (largest(70, 130), largest(end - 60, end));
    println!("largest metadata file: {first} bytes up to day 130, {last} at day {end}");
    println!("at the end: {:?}", lived[end - 1]);
    let months = u64::try_from(days / 30 - 130 / 30).expect("a number");
    let a_month = last.saturating_sub(first) / months;
    assert!(first + a_month * 85 < 1 << 20, "{first} bytes, and {a_month} more each month");
    assert!(last < 1 << 20);
    // 35 days, a week until the next expiry, a tag a month, maintenance.
    let tags = u64::try_from(days / 30).expect("a number");
    for (at, day) in lived.iter().enumerate() {
        assert!(day.snapshots <= 35 + 7 + tags + 12, "day {at}: {day:?}");
        assert!(day.manifests <= 20, "day {at}: {day:?}");
        // A tag holds a list, a manifest or two, and the files of a month.
        assert!(day.files <= 500 + tags * 50, "day {at}: {day:?}");
    }
    assert_eq!(lab.number(&format!("SELECT count(*) FROM {}", daily::TABLE)).await, days);
}
