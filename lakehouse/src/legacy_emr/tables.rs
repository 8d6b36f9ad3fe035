//! The nine tables: columns, types, keys, and which columns identify a person.

/// A table of the legacy EMR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Facility,
    Provider,
    Patient,
    Encounter,
    Diagnosis,
    Procedure,
    Medication,
    LabResult,
    Charge,
}

/// A column: its name, its type as the load contract writes it, and whether it identifies a person.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) phi: bool,
}

const fn col(name: &'static str, kind: &'static str) -> Column {
    Column { name, kind, phi: false }
}

const fn phi(name: &'static str, kind: &'static str) -> Column {
    Column { name, kind, phi: true }
}

const AMOUNT: &str = "decimal(12,2)";

/// Every table; its position is `table as usize`.
pub(super) const TABLES: [Table; 9] = [
    Table::Facility,
    Table::Provider,
    Table::Patient,
    Table::Encounter,
    Table::Diagnosis,
    Table::Procedure,
    Table::Medication,
    Table::LabResult,
    Table::Charge,
];

/// The tables whose rows belong to a visit, the visit itself first.
pub(super) const VISIT_TABLES: [Table; 6] = [
    Table::Encounter,
    Table::Diagnosis,
    Table::Procedure,
    Table::Medication,
    Table::LabResult,
    Table::Charge,
];

impl Table {
    /// The name, which is also that of the file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Facility => "facility",
            Self::Provider => "provider",
            Self::Patient => "patient",
            Self::Encounter => "encounter",
            Self::Diagnosis => "diagnosis",
            Self::Procedure => "procedure",
            Self::Medication => "medication",
            Self::LabResult => "lab_result",
            Self::Charge => "charge",
        }
    }

    /// The columns in file order; the first one is the key.
    pub(super) fn columns(self) -> &'static [Column] {
        match self {
            Self::Facility => &FACILITY,
            Self::Provider => &PROVIDER,
            Self::Patient => &PATIENT,
            Self::Encounter => &ENCOUNTER,
            Self::Diagnosis => &DIAGNOSIS,
            Self::Procedure => &PROCEDURE,
            Self::Medication => &MEDICATION,
            Self::LabResult => &LAB_RESULT,
            Self::Charge => &CHARGE,
        }
    }

    /// The position of a column.
    pub(super) fn position(self, name: &str) -> Option<usize> {
        self.columns().iter().position(|column| column.name == name)
    }

    /// The time by which a large table is partitioned and sorted.
    pub(super) fn event_time(self) -> Option<&'static str> {
        match self {
            Self::Encounter => Some("started_at"),
            Self::LabResult => Some("collected_at"),
            Self::Charge => Some("posted_at"),
            _ => None,
        }
    }
}

const FACILITY: [Column; 6] = [
    col("facility_id", "int"),
    col("name", "string"),
    col("city", "string"),
    col("state", "string"),
    col("time_zone", "string"),
    col("opened_on", "date"),
];

const PROVIDER: [Column; 9] = [
    col("provider_id", "long"),
    col("facility_id", "int"),
    col("npi", "string"),
    col("first_name", "string"),
    col("last_name", "string"),
    col("specialty", "string"),
    col("active", "boolean"),
    col("version", "int"),
    col("updated_at", "timestamp"),
];

const PATIENT: [Column; 18] = [
    phi("patient_id", "long"),
    phi("mrn", "string"),
    phi("first_name", "string"),
    phi("middle_name", "string"),
    phi("last_name", "string"),
    phi("birth_date", "date"),
    col("sex", "string"),
    phi("ssn", "string"),
    phi("address", "string"),
    phi("city", "string"),
    col("state", "string"),
    phi("zip", "string"),
    phi("phone", "string"),
    phi("email", "string"),
    col("language", "string"),
    col("home_facility_id", "int"),
    col("version", "int"),
    col("updated_at", "timestamp"),
];

const ENCOUNTER: [Column; 14] = [
    col("encounter_id", "long"),
    col("facility_id", "int"),
    phi("patient_id", "long"),
    col("provider_id", "long"),
    col("encounter_type", "string"),
    col("status", "string"),
    col("started_at", "timestamp"),
    col("ended_at", "timestamp"),
    col("checked_in", "string"),
    phi("reason", "string"),
    col("department", "string"),
    col("referring_provider_id", "long"),
    col("version", "int"),
    col("updated_at", "timestamp"),
];

const DIAGNOSIS: [Column; 12] = [
    col("diagnosis_id", "long"),
    col("encounter_id", "long"),
    phi("patient_id", "long"),
    col("facility_id", "int"),
    col("code", "string"),
    col("code_system", "string"),
    col("description", "string"),
    col("rank", "int"),
    phi("onset", "string"),
    col("recorded_at", "timestamp"),
    col("version", "int"),
    col("updated_at", "timestamp"),
];

const PROCEDURE: [Column; 12] = [
    col("procedure_id", "long"),
    col("encounter_id", "long"),
    phi("patient_id", "long"),
    col("facility_id", "int"),
    col("provider_id", "long"),
    col("code", "string"),
    col("code_system", "string"),
    col("modifier", "string"),
    col("quantity", "int"),
    col("performed_at", "timestamp"),
    col("version", "int"),
    col("updated_at", "timestamp"),
];

const MEDICATION: [Column; 15] = [
    col("medication_id", "long"),
    col("encounter_id", "long"),
    phi("patient_id", "long"),
    col("facility_id", "int"),
    col("ndc", "string"),
    col("drug_name", "string"),
    col("dose", "string"),
    col("route", "string"),
    phi("instructions", "string"),
    col("refills", "int"),
    col("started_at", "timestamp"),
    col("stopped_at", "timestamp"),
    col("status", "string"),
    col("version", "int"),
    col("updated_at", "timestamp"),
];

const LAB_RESULT: [Column; 22] = [
    col("lab_result_id", "long"),
    col("encounter_id", "long"),
    phi("patient_id", "long"),
    col("facility_id", "int"),
    col("order_id", "string"),
    col("ordering_provider_id", "long"),
    col("loinc_code", "string"),
    col("local_code", "string"),
    col("test_name", "string"),
    col("value", "string"),
    col("value_numeric", "double"),
    col("units", "string"),
    col("reference_range", "string"),
    col("abnormal_flag", "string"),
    col("status", "string"),
    col("collected_at", "timestamp"),
    col("received", "string"),
    col("resulted_at", "timestamp"),
    col("performing_lab", "string"),
    phi("comment", "string"),
    col("version", "int"),
    col("updated_at", "timestamp"),
];

const CHARGE: [Column; 13] = [
    col("charge_id", "long"),
    col("encounter_id", "long"),
    phi("patient_id", "long"),
    col("facility_id", "int"),
    col("code", "string"),
    col("code_system", "string"),
    col("quantity", "int"),
    col("amount", AMOUNT),
    col("payer", "string"),
    col("posted_at", "timestamp"),
    col("voided", "boolean"),
    col("version", "int"),
    col("updated_at", "timestamp"),
];
