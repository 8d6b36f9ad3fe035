//! Codes as they are and as they drifted: older systems, local codes, wrong spellings.
//!
//! ICD-9-CM, ICD-10-CM and HCPCS level II are in the public domain. Procedures carry HCPCS level
//! II codes only, since CPT may not be shipped. Drug codes are made up under a labeler that does
//! not exist. Lab codes are LOINC numbers with names of our own: this material contains content
//! from LOINC, which is copyright Regenstrief Institute, Inc. and the LOINC Committee, and is
//! available at no cost under the license at <http://loinc.org/license>.

/// ICD-10-CM code, the ICD-9-CM code that stood for it before October 2015, and our name.
pub(super) const DIAGNOSES: [(&str, &str, &str); 20] = [
    ("I10", "401.9", "High blood pressure"),
    ("E11.9", "250.00", "Type 2 diabetes, no complications"),
    ("E78.5", "272.4", "High blood lipids"),
    ("J06.9", "465.9", "Upper respiratory infection, acute"),
    ("M54.50", "724.2", "Low back pain"),
    ("F41.1", "300.02", "Generalized anxiety"),
    ("F32.A", "311", "Depression"),
    ("J45.909", "493.90", "Asthma, uncomplicated"),
    ("K21.9", "530.81", "Reflux"),
    ("N39.0", "599.0", "Urinary tract infection"),
    ("R51.9", "784.0", "Headache"),
    ("E03.9", "244.9", "Underactive thyroid"),
    ("Z00.00", "V70.0", "Adult check-up"),
    ("Z23", "V06.8", "Immunization"),
    ("L30.9", "692.9", "Dermatitis"),
    ("M25.561", "719.46", "Pain in right knee"),
    ("E66.9", "278.00", "Obesity"),
    ("D64.9", "285.9", "Anemia"),
    ("I25.10", "414.01", "Coronary artery disease"),
    ("N18.30", "585.3", "Chronic kidney disease, stage 3"),
];

/// HCPCS level II code and price in cents.
pub(super) const PROCEDURES: [(&str, i64); 14] = [
    ("G0438", 17_250),
    ("G0439", 13_800),
    ("G0008", 3_100),
    ("G0444", 1_950),
    ("G0463", 12_475),
    ("J1100", 125),
    ("J1885", 240),
    ("J3420", 310),
    ("A4550", 2_600),
    ("Q0091", 5_475),
    ("P9612", 900),
    ("G0101", 4_120),
    ("Q3014", 2_995),
    ("L3908", 6_840),
];

/// Product part of the drug code, drug, dose, route.
pub(super) const DRUGS: [(&str, &str, &str, &str); 14] = [
    ("0110", "lisinopril", "10 mg", "oral"),
    ("0123", "metformin", "500 mg", "oral"),
    ("0145", "atorvastatin", "20 mg", "oral"),
    ("0152", "albuterol", "90 mcg/actuation", "inhaled"),
    ("0168", "levothyroxine", "75 mcg", "oral"),
    ("0171", "amoxicillin", "500 mg", "oral"),
    ("0189", "omeprazole", "20 mg", "oral"),
    ("0194", "sertraline", "50 mg", "oral"),
    ("0206", "insulin glargine", "100 units/mL", "subcutaneous"),
    ("0217", "ibuprofen", "600 mg", "oral"),
    ("0223", "amlodipine", "5 mg", "oral"),
    ("0238", "hydrocortisone 1 %", "30 g", "topical"),
    ("0249", "prednisone", "10 mg", "oral"),
    ("0255", "gabapentin", "300 mg", "oral"),
];

pub(super) const INSTRUCTIONS: [&str; 6] = [
    "1 tab PO daily",
    "Take 1 tablet, by mouth, twice a day",
    "as needed; max 4/day",
    "Use \"rescue\" dose first\nthen call clinic",
    "½ tablet at bedtime",
    "With food, not with milk",
];

/// A lab test: its codes, units and normal range; numbers are scaled by `10^decimals`.
pub(super) struct LabTest {
    pub(super) loinc: &'static str,
    /// The code of the in-house lab system, used before LOINC came.
    pub(super) local: &'static str,
    pub(super) name: &'static str,
    pub(super) units: &'static str,
    /// How other sites spell the same unit.
    pub(super) units_misspelled: &'static str,
    /// Another unit with the factor to it, times 10,000.
    pub(super) other_unit: Option<(&'static str, i64)>,
    pub(super) decimals: u32,
    pub(super) normal: (i64, i64),
    pub(super) seen: (i64, i64),
}

const fn test(
    codes: (&'static str, &'static str, &'static str),
    units: (&'static str, &'static str),
    other_unit: Option<(&'static str, i64)>,
    decimals: u32,
    normal: (i64, i64),
    seen: (i64, i64),
) -> LabTest {
    let (loinc, local, name) = codes;
    let (units, units_misspelled) = units;
    LabTest { loinc, local, name, units, units_misspelled, other_unit, decimals, normal, seen }
}

/// The tests, in the order in which panels list them.
pub(super) const LAB_TESTS: [LabTest; 20] = [
    test(
        ("2345-7", "GLU", "Glucose"),
        ("mg/dL", "MG/DL"),
        Some(("mmol/L", 555)),
        0,
        (70, 99),
        (50, 260),
    ),
    test(
        ("2160-0", "CREAT", "Creatinine"),
        ("mg/dL", "mg/dl"),
        Some(("umol/L", 884_000)),
        2,
        (60, 130),
        (40, 420),
    ),
    test(
        ("3094-0", "BUN", "Urea nitrogen"),
        ("mg/dL", "MG/DL"),
        Some(("mmol/L", 3_570)),
        0,
        (7, 20),
        (3, 60),
    ),
    test(("2951-2", "NA", "Sodium"), ("mmol/L", "mEq/L"), None, 0, (135, 145), (122, 155)),
    test(("2823-3", "K", "Potassium"), ("mmol/L", "MEQ/L"), None, 1, (35, 51), (28, 65)),
    test(("2075-0", "CL", "Chloride"), ("mmol/L", "mEq/L"), None, 0, (98, 107), (88, 118)),
    test(
        ("17861-6", "CA", "Calcium"),
        ("mg/dL", "mg/dl"),
        Some(("mmol/L", 2_495)),
        1,
        (86, 103),
        (70, 125),
    ),
    test(
        ("718-7", "HGB", "Hemoglobin"),
        ("g/dL", "gm/dl"),
        Some(("g/L", 100_000)),
        1,
        (120, 170),
        (70, 190),
    ),
    test(("4544-3", "HCT", "Hematocrit"), ("%", "pct"), None, 1, (360, 500), (220, 560)),
    test(("6690-2", "WBC", "White cells"), ("10*3/uL", "K/uL"), None, 1, (40, 110), (15, 250)),
    test(("777-3", "PLT", "Platelets"), ("10*3/uL", "x10E3/uL"), None, 0, (150, 400), (60, 620)),
    test(
        ("4548-4", "A1C", "Glycated hemoglobin"),
        ("%", "% of total"),
        None,
        1,
        (40, 56),
        (42, 130),
    ),
    test(
        ("2093-3", "CHOL", "Cholesterol, total"),
        ("mg/dL", "MG/DL"),
        Some(("mmol/L", 259)),
        0,
        (100, 199),
        (90, 340),
    ),
    test(
        ("2085-9", "HDL", "HDL cholesterol"),
        ("mg/dL", "mg/dl"),
        Some(("mmol/L", 259)),
        0,
        (40, 90),
        (20, 110),
    ),
    test(
        ("2571-8", "TRIG", "Triglycerides"),
        ("mg/dL", "MG/DL"),
        Some(("mmol/L", 113)),
        0,
        (40, 149),
        (30, 600),
    ),
    test(("3016-3", "TSH", "Thyrotropin"), ("m[IU]/L", "uIU/mL"), None, 2, (40, 450), (1, 2_000)),
    test(("1742-6", "ALT", "ALT"), ("U/L", "IU/L"), None, 0, (7, 55), (5, 300)),
    test(("1920-8", "AST", "AST"), ("U/L", "IU/L"), None, 0, (8, 48), (5, 300)),
    test(
        ("1975-2", "TBIL", "Bilirubin, total"),
        ("mg/dL", "mg/dl"),
        Some(("umol/L", 171_000)),
        1,
        (2, 12),
        (1, 90),
    ),
    test(
        ("1751-7", "ALB", "Albumin"),
        ("g/dL", "gm/dL"),
        Some(("g/L", 100_000)),
        1,
        (35, 50),
        (20, 56),
    ),
];

/// How lab values read that are not numbers.
pub(super) const TEXT_VALUES: [&str; 6] =
    ["NEGATIVE", "Positive, see comment", "<0.1", ">500", "Not detected", "TNP - clotted"];
