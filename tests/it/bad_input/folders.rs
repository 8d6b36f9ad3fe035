//! Folders and files that are not what a load expects to find.

use std::os::unix::fs::{PermissionsExt, symlink};

use northstar_catalog::ErrorKind;
use northstar_tests::csv_files::folder;
use northstar_tests::lab::Lab;

use super::says;

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_holds_nothing_to_load_is_named() {
    let lab = Lab::new().await;
    let empty = lab.path("empty");
    std::fs::create_dir(&empty).unwrap();
    let other = folder(lab.folder.path(), "other", &[("readme.txt", b"x"), (".hidden.csv", b"x")]);
    let directory = lab.path("directory");
    std::fs::create_dir_all(directory.join("visit.csv")).unwrap();
    for (from, part) in [
        (&empty, "holds no CSV file; name files TABLE.csv"),
        (&other, "holds no CSV file"),
        (&directory, "holds no CSV file"),
        (&lab.path("gone"), "cannot list the folder"),
    ] {
        let error = lab.load(from, "").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        says(&error, &[part, &from.display().to_string()]);
    }
    let error = lab.load(&other.join("readme.txt"), "").await.unwrap_err();
    says(&error, &["cannot list the folder", "readme.txt"]);
    assert!(lab.lake.catalog.list_namespaces().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn file_names_that_give_no_table_are_told_before_anything_is_loaded() {
    for (name, part) in [
        ("quarantine.csv", "`quarantine` is the name of the quarantine table; rename the file"),
        ("Quarantine/a.csv", "is the name of the quarantine table"),
        ("2024.csv", "the table name `2024` is not allowed"),
    ] {
        let lab = Lab::new().await;
        let from = folder(lab.folder.path(), "in", &[("a.csv", b"id\n1\n"), (name, b"id\n1\n")]);
        let error = lab.load(&from, "").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        says(&error, &[part, name.split('/').next().unwrap()]);
        assert!(lab.lake.catalog.list_namespaces().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_and_holds_nothing_up() {
    let lab = Lab::new().await;
    let files: [(&str, &[u8]); 3] =
        [("a.csv", b"id\n1\n"), ("b/ok.csv", b"id\n2\n"), ("locked.csv", b"id\n3\n")];
    let from = folder(lab.folder.path(), "in", &files);
    // A folder where a file should be; a link to nothing; a pipe that nobody writes to; a file whose
    // reading fails for every user; one that only others' users may not read.
    std::fs::create_dir(from.join("b/nested.csv")).unwrap();
    symlink("/nowhere/at/all.csv", from.join("dangling.csv")).unwrap();
    let pipe = from.join("pipe.csv");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    symlink("/proc/self/mem", from.join("failing.csv")).unwrap();
    let locked = from.join("locked.csv");
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o0)).unwrap();

    let report = lab.load(&from, "").await.unwrap();
    let outcomes: Vec<(&str, &str)> =
        report.files().map(|file| (file.name.as_str(), file.outcome.as_str())).collect();
    let reads_all = std::fs::File::open(&locked).is_ok();
    let expected = [
        ("a.csv", "loaded"),
        ("b/nested.csv", "refused"),
        ("b/ok.csv", "loaded"),
        ("dangling.csv", "refused"),
        ("failing.csv", "refused"),
        ("locked.csv", if reads_all { "loaded" } else { "refused" }),
        ("pipe.csv", "refused"),
    ];
    assert_eq!(outcomes, expected);
    for file in report.files().filter(|file| file.outcome.needs_attention()) {
        let northstar_lakehouse::bronze::FileOutcome::Refused(error) = &file.outcome else {
            panic!("{}", file.name)
        };
        says(error, &[&file.name]);
    }
    assert_eq!(lab.number("SELECT a.id + b.id FROM bronze.a, bronze.b").await, 3);
}
