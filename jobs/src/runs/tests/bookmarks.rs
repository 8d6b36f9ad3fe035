//! Bookmarks move on with runs that succeed, and with no others.

use serde_json::Value;

use super::*;

async fn bookmark(fixture: &Fixture, owner: i64) -> Option<Bookmark> {
    fixture.runs.read(move |tx| Bookmark::read(tx, owner, None)).await.unwrap()
}

fn marks(bookmark: &Bookmark) -> Value {
    serde_json::from_str(&bookmark.bookmark).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_run_that_succeeds_and_is_to_moves_the_bookmark() {
    let mut fixture = Fixture::new(1);
    let owner = fixture.owner("j", None).await;
    fixture.supervise();
    let mark = |name: &str, text: &str, code: &str, bookmark| NewRun {
        bookmark,
        ..run(owner, name, &["mark", text, code])
    };
    let (one, two) = (r#"{"a.b":{"snapshot-id":"1"}}"#, r#"{"c.d":{"snapshot-id":"2"}}"#);
    for (name, code, mode) in [
        ("jr_failed", "1", BookmarkMode::Enable),
        ("jr_paused", "0", BookmarkMode::Pause),
        ("jr_disabled", "0", BookmarkMode::Disable),
    ] {
        let id = fixture.start(mark(name, one, code, mode)).await;
        fixture.over(id, 1).await;
        assert_eq!(bookmark(&fixture, owner).await, None, "{name}");
    }
    let id = fixture.start(mark("jr_a", one, "0", BookmarkMode::Enable)).await;
    fixture.over(id, 1).await;
    let first = bookmark(&fixture, owner).await.unwrap();
    assert_eq!((first.version, first.number, first.attempt), (1, 4, 0));
    assert_eq!((first.run.as_deref(), first.previous.as_deref()), (Some("jr_a"), None));
    assert_eq!(marks(&first), json!({"a.b": {"snapshot-id": "1"}}));
    // Tables that a run does not touch keep their marks.
    let id = fixture.start(mark("jr_b", two, "0", BookmarkMode::Enable)).await;
    fixture.over(id, 1).await;
    let second = bookmark(&fixture, owner).await.unwrap();
    assert_eq!((second.version, second.previous.as_deref()), (2, Some("jr_a")));
    let both = json!({"a.b": {"snapshot-id": "1"}, "c.d": {"snapshot-id": "2"}});
    assert_eq!(marks(&second), both);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_is_given_the_bookmark_and_its_parameters_out_of_sight() {
    let mut fixture = Fixture::new(1);
    let owner = fixture.owner("j", None).await;
    fixture.supervise();
    let script = |name: &str, bookmark| NewRun {
        work: Work::Script {
            script: "/jobs/a.sql".into(),
            parameters: [("day".to_string(), "it's".to_string())].into(),
        },
        bookmark,
        ..run(owner, name, &[])
    };
    for (name, mode, mark) in [
        ("jr_a", BookmarkMode::Enable, Value::Null),
        ("jr_b", BookmarkMode::Pause, json!("9")),
        ("jr_c", BookmarkMode::Disable, Value::Null),
    ] {
        let id = fixture.start(script(name, mode)).await;
        assert_eq!(fixture.over(id, 1).await.state, State::Succeeded, "{name}");
        let folder = AttemptFolder::of(fixture.folder.path(), name, 1);
        let given: Value = serde_json::from_str(&read(&folder.path().join("stdout"))).unwrap();
        assert_eq!((&given["day"], &given["JOB_RUN_ID"]), (&json!("it's"), &json!(name)));
        assert_eq!(given.get("bookmark_a_b").unwrap_or(&Value::Null), &mark, "{name}");
        let left = folder.path().join("parameters.json").try_exists().unwrap();
        assert!(!left, "{name}");
    }
    fixture.stop().await;
}
