//! Random sources, random damages and random scopes: a rerun leaves what a simple model says.

use super::model::{Days, Draws, State, after, newest};
use super::{Bench, scope};

const IDS: usize = 14;

/// A table made of random sources, and all states that they hold.
async fn made(draws: &mut Draws, versioned: bool) -> (Bench, Vec<(i64, State)>) {
    let more = if versioned { "version = \"version\"" } else { "" };
    let mut bench = Bench::new("timestamp", more).await;
    let mut states = Vec::new();
    let id = |draws: &mut Draws| i64::try_from(draws.below(IDS)).unwrap();
    for batch in 1..=2 {
        let mut records = Vec::new();
        for at in 0..8 {
            let (id, state) = (id(draws), State::draw(draws, format!("b{batch}{at}")));
            records.push(format!("{id},{}", state.record()));
            states.push((id, state));
        }
        bench.load(&format!("batch_{batch}"), &records).await;
        bench.seed(batch).await;
    }
    for file in 1..=2 {
        let mut records = Vec::new();
        for at in 1..=9 {
            let (id, mut state) = (id(draws), State::draw(draws, format!("c{file}{at}")));
            let op = [1, 2, 4, 4][draws.below(4)];
            state.deleted = op == 1;
            state.position = Some(format!("{file:04x}/{at:010}/01"));
            records.push(format!("{op},{file:04x},{at},01,{id},{}", state.record()));
            states.push((id, state));
        }
        let path = bench.file(&format!("changes_{file}.csv"), &records);
        bench.merge(path).await;
    }
    (bench, states)
}

/// One damage of a random kind, of a random key.
fn damage(draws: &mut Draws) -> String {
    let id = draws.below(IDS);
    let (facility, day) = (1 + draws.below(2), 1 + draws.below(10));
    let update = |set: String| format!("UPDATE ns.t SET {set} WHERE id = {id}");
    let row = |id: &str| {
        format!(
            "MERGE INTO ns.t AS t USING (VALUES ({facility}, TIMESTAMP '2024-05-{day:02} 12:00:00')) AS \
             s(f, at) ON false WHEN NOT MATCHED THEN INSERT (id, facility_id, at, note, _is_deleted) \
             VALUES ({id}, s.f, s.at, 'surplus', false)"
        )
    };
    match draws.below(9) {
        0 => format!("DELETE FROM ns.t WHERE id = {id}"),
        1 => update("note = 'damaged'".to_string()),
        2 => update(format!("facility_id = {facility}")),
        3 => update(format!("at = TIMESTAMP '2024-05-{day:02} 12:00:00'")),
        4 => update("version = 9".to_string()),
        5 => update("_is_deleted = NOT _is_deleted".to_string()),
        6 => row(&(100 + id).to_string()),
        7 => row("CAST(NULL AS BIGINT)"),
        _ => format!("INSERT INTO ns.t SELECT * FROM ns.t WHERE id = {id}"),
    }
}

async fn hold(seed: u64) {
    let mut draws = Draws::new(seed);
    let versioned = !seed.is_multiple_of(3);
    let (bench, states) = made(&mut draws, versioned).await;
    let newest = if versioned { newest(&states) } else { newest_by_position(&states) };
    for _ in 0..1 + draws.below(6) {
        bench.sql(&damage(&mut draws)).await;
    }
    let from = 1 + draws.below(7);
    let days = Days { facility: 1 + draws.below(2), from, to: from + 2 + draws.below(5) };
    let asked = scope(
        &days.facility.to_string(),
        &format!("2024-05-{:02}", days.from),
        &format!("2024-05-{:02}", days.to),
    );
    let damaged = bench.rows().await;
    let expected = after(&damaged, &newest, days);
    let snapshots = bench.snapshots().await;
    let made = bench.rerun(&asked).await;
    assert_eq!(bench.rows().await, expected, "seed {seed}: {days:?} {made:?}");
    assert_eq!(made.plan.held_back, 0, "seed {seed}: {made:?}");
    let commits = usize::from(made.changed.is_some());
    assert_eq!(bench.snapshots().await, snapshots + commits, "seed {seed}");
    assert_eq!(commits == 1, damaged != expected, "seed {seed}: {made:?}");
    let again = bench.rerun(&asked).await;
    assert!(again.changed.is_none(), "seed {seed}: {again:?}");
}

/// The newest states where versions do not count: only positions do, and the order of what has none.
fn newest_by_position(states: &[(i64, State)]) -> std::collections::BTreeMap<i64, State> {
    let blind: Vec<(i64, State)> =
        states.iter().map(|(id, state)| (*id, State { version: None, ..state.clone() })).collect();
    let mut found = newest(&blind);
    for (id, state) in &mut found {
        let whole = states.iter().rev().find(|(other, whole)| {
            other == id && whole.note == state.note && whole.position == state.position
        });
        state.version = whole.and_then(|(_, whole)| whole.version);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn m4_a_rerun_leaves_what_the_model_says() {
    for seed in 1..=12 {
        hold(seed).await;
    }
}
