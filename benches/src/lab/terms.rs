//! The laboratory's vocabulary: what a row can name.

/// One orderable test.
pub(super) struct Test {
    /// LOINC code.
    pub(super) loinc: &'static str,
    /// Name as printed on the report.
    pub(super) name: &'static str,
    /// Unit; empty for a test that answers in words.
    pub(super) units: &'static str,
    /// Specimen type.
    pub(super) specimen: &'static str,
    /// Reference range in hundredths of the unit; `None` for a test that answers in words.
    pub(super) range: Option<(u32, u32)>,
}

const fn measured(
    loinc: &'static str,
    name: &'static str,
    units: &'static str,
    specimen: &'static str,
    low: u32,
    high: u32,
) -> Test {
    Test { loinc, name, units, specimen, range: Some((low, high)) }
}

const fn worded(loinc: &'static str, name: &'static str, specimen: &'static str) -> Test {
    Test { loinc, name, units: "", specimen, range: None }
}

/// The tests, common panels first.
pub(super) const TESTS: [Test; 24] = [
    measured("2345-7", "Glucose [Mass/volume] in Serum", "mg/dL", "SER", 7000, 9900),
    measured("2160-0", "Creatinine in Serum or Plasma", "mg/dL", "SER", 60, 130),
    measured("3094-0", "Urea nitrogen in Serum", "mg/dL", "SER", 700, 2000),
    measured("2951-2", "Sodium in Serum or Plasma", "mmol/L", "SER", 13500, 14500),
    measured("2823-3", "Potassium in Serum or Plasma", "mmol/L", "SER", 350, 510),
    measured("2075-0", "Chloride in Serum or Plasma", "mmol/L", "SER", 9800, 10700),
    measured("2028-9", "Carbon dioxide, total", "mmol/L", "SER", 2100, 3200),
    measured("17861-6", "Calcium in Serum or Plasma", "mg/dL", "SER", 850, 1020),
    measured("718-7", "Hemoglobin in Blood", "g/dL", "BLD", 1200, 1600),
    measured("4544-3", "Hematocrit of Blood", "%", "BLD", 3600, 4800),
    measured("6690-2", "Leukocytes in Blood", "10*3/uL", "BLD", 450, 1100),
    measured("777-3", "Platelets in Blood", "10*3/uL", "BLD", 15000, 40000),
    measured("789-8", "Erythrocytes in Blood", "10*6/uL", "BLD", 390, 550),
    measured("1742-6", "Alanine aminotransferase", "U/L", "SER", 700, 5600),
    measured("1920-8", "Aspartate aminotransferase", "U/L", "SER", 1000, 4000),
    measured("1975-2", "Bilirubin.total in Serum", "\u{b5}mol/L", "SER", 200, 2100),
    measured("4548-4", "Hemoglobin A1c/Hemoglobin.total", "%", "BLD", 400, 560),
    measured("2093-3", "Cholesterol in Serum or Plasma", "mg/dL", "SER", 12500, 20000),
    measured("2571-8", "Triglyceride in Serum or Plasma", "mg/dL", "SER", 3500, 15000),
    measured("3016-3", "Thyrotropin", "mIU/L", "SER", 40, 400),
    measured("5902-2", "Prothrombin time (PT)", "s", "PLAS", 1100, 1350),
    worded("5778-6", "Color of Urine", "UR"),
    worded("600-7", "Bacteria identified in Blood by Culture", "BLD"),
    worded("94500-6", "SARS-CoV-2 RNA in Respiratory specimen by NAA", "RESP"),
];

/// Answers in words.
pub(super) const WORDS: [&str; 6] =
    ["NEGATIVE", "POSITIVE", "YELLOW", "NO GROWTH 5 DAYS", "NOT DETECTED", "INDETERMINATE"];

/// Remarks of the laboratory; the ones with a comma or a quote need quoting in CSV.
pub(super) const REMARKS: [&str; 6] = [
    "Slight hemolysis",
    "Repeated and verified",
    "Specimen received late, result may be affected",
    "Called to ward, read back",
    "Fasting state not given",
    "See note \"QC-12\" of the laboratory",
];

/// Result states, by weight of their place: the first is by far the most frequent.
pub(super) const STATES: [&str; 4] = ["FINAL", "CORRECTED", "PRELIM", "AMENDED"];
