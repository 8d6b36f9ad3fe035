//! Stored files that are damaged or gone, under each action: what needs the file fails with `Damaged`
//! and its name, changes nothing and removes nothing; what does not need it works.

use std::path::{Path, PathBuf};

use iceberg::spec::{DataContentType, ManifestContentType};
use northstar_catalog::ErrorKind;
use northstar_iceberg::{Lake, storage};
use northstar_tests::lab::tester;

use super::actions::{Bed, Damage, Trial, actions, bed};

const DAMAGES: [Damage; 6] = [
    Damage::Metadata,
    Damage::List,
    Damage::Manifest,
    Damage::Footer,
    Damage::Pages,
    Damage::Deletes,
];

/// The files that are damaged, one of each kind, all of which lead to the rows of one data file.
struct Targets {
    metadata: PathBuf,
    list: PathBuf,
    manifest: PathBuf,
    data: PathBuf,
    deletes: PathBuf,
}

impl Targets {
    async fn find(lake: &Lake) -> Self {
        let table = lake.open_table(&bed(), &tester()).await.unwrap();
        let path = |location: &str| storage::local_path(location).unwrap();
        let head = table.metadata().current_snapshot().unwrap();
        let list = table.inner().manifest_list_reader(head).load().await.unwrap();
        let (mut data, mut deletes) = (Vec::new(), Vec::new());
        for file in list.entries() {
            let manifest = file.load_manifest(&lake.file_io()).await.unwrap();
            for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
                match entry.data_file().content_type() {
                    DataContentType::Data => {
                        assert_eq!(file.content, ManifestContentType::Data);
                        let file = path(&file.manifest_path);
                        data.push((entry.data_file().file_path().to_string(), file));
                    }
                    _ => deletes.push(entry.data_file().clone()),
                }
            }
        }
        // Of a data file with deletes, so that who reads it needs those as well.
        let deletes = deletes.iter().find(|file| file.referenced_data_file().is_some()).unwrap();
        let about = deletes.referenced_data_file().unwrap();
        let (data, manifest) = data.into_iter().find(|(file, _)| *file == about).unwrap();
        Self {
            metadata: path(table.metadata_location()),
            list: path(head.manifest_list()),
            manifest,
            data: path(&data),
            deletes: path(deletes.file_path()),
        }
    }

    /// The file, and what it holds once it is damaged; `None` where it is removed.
    fn damaged(&self, damage: Damage) -> (&Path, Vec<Option<Vec<u8>>>) {
        let file = match damage {
            Damage::Metadata => &self.metadata,
            Damage::List => &self.list,
            Damage::Manifest => &self.manifest,
            Damage::Footer | Damage::Pages => &self.data,
            Damage::Deletes => &self.deletes,
        };
        let whole = std::fs::read(file).unwrap();
        let filled = |range: std::ops::Range<usize>| {
            let mut bytes = whole.clone();
            bytes[range].fill(0xA5);
            vec![Some(bytes)]
        };
        let end = whole.len() - 8;
        let damages = match damage {
            Damage::Footer => filled(footer(&whole)..end),
            Damage::Pages => filled(4..footer(&whole)),
            _ => vec![Some(whole[..whole.len() / 2].to_vec()), None],
        };
        (file, damages)
    }
}

/// Where the footer of a Parquet file begins.
fn footer(bytes: &[u8]) -> usize {
    let end = bytes.len() - 8;
    let length = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap());
    end - usize::try_from(length).unwrap()
}

impl Trial<'_> {
    /// Does the action while a file holds these bytes.
    async fn damaged(&self, file: &Path, bytes: Option<&[u8]>, damage: Damage) {
        self.bed.restore();
        let when = format!("{damage:?} {}", if bytes.is_some() { "damaged" } else { "gone" });
        let (name, action) = (file.file_name().unwrap().to_str().unwrap(), self.action.name);
        let whole = std::fs::read(file).unwrap();
        match bytes {
            Some(bytes) => std::fs::write(file, bytes).unwrap(),
            None => std::fs::remove_file(file).unwrap(),
        }
        let ended = self.run(&self.bed.place.lake(1).await).await;
        std::fs::write(file, whole).unwrap();
        if self.action.fails_with(damage) {
            let error = ended.expect_err(&format!("{action} works in spite of it: {when}"));
            self.names(&error, ErrorKind::Damaged, name, &when);
            self.nothing_changed(&when).await;
        } else {
            assert!(ended.unwrap_or_else(|error| panic!("{action}, {when}: {error}")), "{action}");
            assert!(self.is_new(&self.bed.place.lake(2).await, &when).await, "{action} {when}");
        }
        self.completes(&when, &self.tidy()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_stops_what_needs_it_and_nothing_else_and_is_named() {
    let bed = Bed::new().await;
    let targets = Targets::find(&bed.place.lake(0).await).await;
    for (at, action) in actions().iter().enumerate() {
        let trial = Trial::of(&bed, action);
        for damage in DAMAGES {
            bed.restore();
            let (file, damages) = targets.damaged(damage);
            // Damaged under one action, gone under the next.
            let bytes = damages[at % damages.len()].as_deref();
            trial.damaged(file, bytes, damage).await;
        }
    }
}
