//! The extract agrees with its contract and its truth.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use serde_json::Value;

use super::{assert_live, files, newest, read, truth};

const TABLES: [&str; 9] = [
    "facility",
    "provider",
    "patient",
    "encounter",
    "diagnosis",
    "procedure",
    "medication",
    "lab_result",
    "charge",
];

fn contract() -> toml::Table {
    std::fs::read_to_string(files().join("tables.toml")).unwrap().parse().unwrap()
}

/// The contract's type of a column.
fn kind_of<'a>(contract: &'a toml::Table, table: &str, column: &str) -> &'a str {
    let declared = &contract[table]["columns"][column];
    declared.as_str().or_else(|| declared["type"].as_str()).unwrap()
}

fn fits(kind: &str, value: &str) -> bool {
    match kind {
        "int" => value.parse::<i32>().is_ok(),
        "long" => value.parse::<i64>().is_ok(),
        "double" => value.parse::<f64>().is_ok(),
        "boolean" => ["true", "false"].contains(&value),
        "date" => value.parse::<NaiveDate>().is_ok(),
        "timestamp" => NaiveDateTime::parse_from_str(value, "%Y-%m-%d %H:%M:%S").is_ok(),
        "decimal(12,2)" => value.rsplit_once('.').is_some_and(|(whole, cents)| {
            cents.len() == 2 && whole.len() <= 10 && whole.parse::<u64>().is_ok()
        }),
        _ => kind == "string",
    }
}

#[test]
fn every_cell_fits_the_type_that_the_contract_declares() {
    let contract = contract();
    for table in TABLES {
        let (header, rows) = read(&files().join(format!("extract/{table}.csv")));
        let declared: BTreeSet<&String> =
            contract[table]["columns"].as_table().unwrap().keys().collect();
        assert_eq!(declared, header.iter().collect(), "{table}");
        for (at, column) in header.iter().enumerate() {
            let kind = kind_of(&contract, table, column);
            let misfit = rows.iter().find(|row| !row[at].is_empty() && !fits(kind, &row[at]));
            assert!(misfit.is_none(), "{table}.{column} {kind} {misfit:?}");
        }
        for list in ["partition", "sort", "key"] {
            let named = contract[table].get(list).and_then(toml::Value::as_array);
            for name in named.into_iter().flatten() {
                let name =
                    name.as_str().unwrap().trim_start_matches("month(").trim_end_matches(')');
                let at = header.iter().position(|column| column == name).unwrap();
                assert!(rows.iter().all(|row| !row[at].is_empty()), "{table}.{name}");
            }
        }
    }
    assert_eq!(contract.len(), TABLES.len());
}

#[test]
fn identifying_columns_are_marked_in_the_contract() {
    let contract = contract();
    let marked = |table: &str, column: &str| {
        contract[table]["columns"][column].get("phi").and_then(toml::Value::as_str)
    };
    for column in
        ["mrn", "first_name", "last_name", "birth_date", "ssn", "address", "phone", "email"]
    {
        assert_eq!(marked("patient", column), Some("direct"), "{column}");
    }
    assert_eq!(marked("lab_result", "comment"), Some("direct"));
    assert_eq!(marked("lab_result", "patient_id"), Some("direct"));
    assert_eq!(marked("facility", "name"), None);
}

#[test]
fn the_truth_counts_what_the_extract_holds() {
    let truth = truth(files());
    for table in TABLES {
        let told = &truth["extract"][table];
        let (header, rows) = read(&files().join(told["file"].as_str().unwrap()));
        let keys: HashSet<&String> = rows.iter().map(|row| &row[0]).collect();
        let different: HashSet<&Vec<String>> = rows.iter().collect();
        assert_eq!(told["rows"], rows.len(), "{table}");
        assert_eq!(told["distinct_keys"], keys.len(), "{table}");
        assert_eq!(told["duplicate_rows"], rows.len() - different.len(), "{table}");
        assert_eq!(told["superseded_rows"], different.len() - keys.len(), "{table}");
        let live = newest(&header, rows);
        let version = header.iter().position(|column| column == "version");
        let corrected =
            live.values().filter(|row| version.is_some_and(|at| row[at] != "1")).count();
        assert_eq!(told["corrected_keys"], corrected, "{table}");
        assert_live(&told["live"], &header, &live);
    }
    let labs = &truth["extract"]["lab_result"];
    for count in ["duplicate_rows", "superseded_rows", "corrected_keys"] {
        assert!(labs[count].as_u64().unwrap() > 0, "{count}");
    }
}

#[test]
fn bad_times_are_counted_by_kind() {
    let (truth, contract) = (truth(files()), contract());
    let (_, facilities) = read(&files().join("extract/facility.csv"));
    let zone = |id: &str| -> Tz {
        facilities.iter().find(|row| row[0] == id).unwrap()[4].parse().unwrap()
    };
    for table in &TABLES[2..] {
        let (header, rows) = read(&files().join(format!("extract/{table}.csv")));
        let mut found: BTreeMap<&str, u64> = BTreeMap::new();
        let facility = header.iter().position(|name| name == "facility_id");
        for row in &rows {
            for (name, cell) in header.iter().zip(row) {
                let kind = kind_of(&contract, table, name);
                let bad = match kind {
                    _ if name == "updated_at" || cell.is_empty() => None,
                    "timestamp" => bad_time(zone(&row[facility.unwrap()]), cell),
                    "date" => cell.starts_with("1900-01-01").then_some("year_1900"),
                    _ if name == "checked_in" || name == "received" => {
                        (!fits("timestamp", cell)).then_some("typed_text")
                    }
                    _ => None,
                };
                *found.entry(bad.unwrap_or_default()).or_default() += u64::from(bad.is_some());
            }
        }
        found.remove("");
        assert_eq!(
            truth["extract"][table]["bad_times"],
            serde_json::to_value(found).unwrap(),
            "{table}"
        );
    }
    assert_eq!(truth["extract"]["lab_result"]["bad_times"].as_object().unwrap().len(), 6);
}

fn bad_time(zone: Tz, cell: &str) -> Option<&'static str> {
    let time = NaiveDateTime::parse_from_str(cell, "%Y-%m-%d %H:%M:%S").unwrap();
    match (&cell[..4], zone.from_local_datetime(&time)) {
        ("0001", _) => Some("year_1"),
        ("1900", _) => Some("year_1900"),
        ("2099", _) => Some("year_2099"),
        (_, chrono::LocalResult::None) => Some("daylight_saving_gap"),
        (_, chrono::LocalResult::Ambiguous(..)) => Some("daylight_saving_fold"),
        _ => None,
    }
}

#[test]
fn drifted_diagnosis_codes_are_counted_by_kind() {
    let (_, rows) = read(&files().join("extract/diagnosis.csv"));
    let count = |fits: &dyn Fn(&str, &str) -> bool| {
        rows.iter().filter(|row| fits(&row[4], &row[5])).count()
    };
    let told = &truth(files())["extract"]["diagnosis"]["drifted_codes"];
    assert_eq!(told["lower_case"], count(&|code, _| code.bytes().any(|b| b.is_ascii_lowercase())));
    assert_eq!(told["separator_missing"], count(&|_, system| system == "ICD10"));
    assert_eq!(told["older_code_system"], count(&|_, system| ["ICD-9-CM", ""].contains(&system)));
    assert!(told["older_code_system"].as_u64().unwrap() > 0);
    let (_, labs) = read(&files().join("extract/lab_result.csv"));
    let local = labs.iter().filter(|row| row[6].is_empty()).count();
    let told: &Value = &truth(files())["extract"]["lab_result"]["drifted_codes"];
    assert_eq!(told["local_code"], local);
    assert_eq!(told.as_object().unwrap().len(), 4);
}

#[test]
fn foreign_keys_resolve() {
    let keys = |table: &str| -> HashSet<String> {
        let (_, rows) = read(&files().join(format!("extract/{table}.csv")));
        rows.into_iter().map(|mut row| row.swap_remove(0)).collect()
    };
    let (facilities, providers) = (keys("facility"), keys("provider"));
    let (patients, encounters) = (keys("patient"), keys("encounter"));
    let mut checked = 0;
    for table in &TABLES[1..] {
        let (header, rows) = read(&files().join(format!("extract/{table}.csv")));
        for (at, column) in header.iter().enumerate().skip(1) {
            let target = match column.trim_start_matches("home_").trim_start_matches("ordering_") {
                "facility_id" => &facilities,
                "provider_id" | "referring_provider_id" => &providers,
                "patient_id" => &patients,
                "encounter_id" => &encounters,
                _ => continue,
            };
            checked += 1;
            let lost = rows.iter().find(|row| !row[at].is_empty() && !target.contains(&row[at]));
            assert!(lost.is_none(), "{table}.{column} {lost:?}");
        }
    }
    assert_eq!(checked, 2 + 3 + 5 * 3 + 2 + 1);
}

#[test]
fn people_have_no_number_that_anyone_could_have() {
    let (header, rows) = read(&files().join("extract/patient.csv"));
    let at = |name: &str| header.iter().position(|column| column == name).unwrap();
    for row in &rows {
        let (ssn, phone, email) = (&row[at("ssn")], &row[at("phone")], &row[at("email")]);
        let group = ssn.get(4..6).map_or(1, |group| group.parse::<u32>().unwrap());
        let reserved = ssn.starts_with('9') && (1..50).contains(&group);
        assert!(ssn.is_empty() || ssn == "999-99-9999" || reserved, "{ssn}");
        assert!(phone.is_empty() || phone.contains("555-01") || phone.contains("55501"), "{phone}");
        assert!(email.is_empty() || email.ends_with("@example.org"), "{email}");
    }
    assert!(rows.iter().any(|row| !row[at("last_name")].is_ascii()));
}

#[test]
fn people_registered_twice_are_listed_with_their_first_registration() {
    let (_, pairs) = read(&files().join("people.csv"));
    assert_eq!(truth(files())["duplicate_people"], pairs.len());
    assert!(!pairs.is_empty());
    let (_, rows) = read(&files().join("extract/patient.csv"));
    let last: BTreeMap<&String, &Vec<String>> = rows.iter().map(|row| (&row[0], row)).collect();
    let again: HashSet<&String> = pairs.iter().map(|pair| &pair[0]).collect();
    let alike = pairs.iter().filter(|pair| last[&pair[0]][4] == last[&pair[1]][4]).count();
    assert!(alike * 10 >= pairs.len() * 8, "{alike} of {}", pairs.len());
    assert!(pairs.iter().all(|pair| !again.contains(&pair[1])));
}
