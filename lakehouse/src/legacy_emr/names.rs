//! Small lists of made-up names and places. Nothing here belongs to a real person.

pub(super) const FEMALE: [&str; 24] = [
    "Maria",
    "Anna",
    "Zoë",
    "Renée",
    "Siobhán",
    "Linh",
    "Aïcha",
    "Grace",
    "Ruth",
    "Thérèse",
    "Inés",
    "Olga",
    "Mary Ann",
    "Yuki",
    "Fatima",
    "Dolores",
    "Björk",
    "Sade",
    "Wren",
    "Ivy",
    "Nour",
    "Maeve",
    "Carla",
    "Beatrix",
];

pub(super) const MALE: [&str; 24] = [
    "José",
    "William",
    "Łukasz",
    "Søren",
    "Nguyên",
    "Omar",
    "Jürgen",
    "Peter",
    "Amir",
    "Diego",
    "François",
    "Kwame",
    "Jean-Luc",
    "Henry",
    "Ivan",
    "Andrés",
    "Tomáš",
    "Eli",
    "Noah",
    "Ravi",
    "Wei",
    "Moses",
    "Hugo",
    "Abel",
];

/// A given name and the short form under which the same person registers again.
pub(super) const NICKNAMES: [(&str, &str); 6] = [
    ("William", "Bill"),
    ("José", "Jose"),
    ("Zoë", "Zoe"),
    ("Peter", "Pete"),
    ("Andrés", "Andy"),
    ("Mary Ann", "Maryann"),
];

pub(super) const LAST: [&str; 40] = [
    "García",
    "O'Brien",
    "Müller",
    "Nguyễn",
    "Kowalski",
    "Smith-Jones",
    "de la Cruz",
    "Petrović",
    "Öz",
    "Hansen",
    "Okafor",
    "Dvořák",
    "Lindqvist",
    "Ferreira",
    "Mac Giolla",
    "Tanaka",
    "Rossi",
    "Haddad",
    "Novak",
    "Peña",
    "Yılmaz",
    "Castro",
    "Brandt",
    "Moreau",
    "Quinn",
    "Adeyemi",
    "Sørensen",
    "Vargas",
    "Whitfield",
    "Abara",
    "Lefèvre",
    "Katz",
    "Marlow",
    "Ng",
    "Szabó",
    "Torres",
    "Underhill",
    "Van Dyke",
    "Ziegler",
    "王",
];

pub(super) const MIDDLE: [&str; 8] = ["A.", "B", "Lee", "Mae", "J.", "R", "Ann", "Q."];

pub(super) const STREETS: [&str; 10] = [
    "Oak St",
    "Mill Rd",
    "Cañon Ave",
    "Lakeview Dr",
    "2nd St",
    "Old Post Rd",
    "Birch Ln",
    "Elm Ct",
    "Harbor Blvd",
    "St. John's Way",
];

/// A place, see [`CITIES`].
pub(super) type City = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// City, state, the zone its clocks keep, area code, first three digits of the postal code.
pub(super) const CITIES: [City; 12] = [
    ("Albany", "NY", "America/New_York", "518", "122"),
    ("Peoria", "IL", "America/Chicago", "309", "616"),
    ("Flagstaff", "AZ", "America/Phoenix", "928", "860"),
    ("Boulder", "CO", "America/Denver", "303", "803"),
    ("Cañon City", "CO", "America/Denver", "719", "812"),
    ("Fresno", "CA", "America/Los_Angeles", "559", "937"),
    ("Bloomington", "IN", "America/Indiana/Indianapolis", "812", "474"),
    ("Flint", "MI", "America/Detroit", "810", "485"),
    ("Juneau", "AK", "America/Anchorage", "907", "998"),
    ("Hilo", "HI", "Pacific/Honolulu", "808", "967"),
    ("Bowling Green", "KY", "America/Chicago", "270", "421"),
    ("Boise", "ID", "America/Boise", "208", "837"),
];

pub(super) const SPECIALTIES: [&str; 8] = [
    "Family Medicine",
    "Internal Medicine",
    "Pediatrics",
    "Ob/Gyn",
    "Cardiology, general",
    "Endocrinology",
    "Orthopedics",
    "Behavioral Health",
];

pub(super) const LANGUAGES: [&str; 6] = ["en", "es", "vi", "English", "ENG", "pl"];

pub(super) const PAYERS: [&str; 7] = [
    "Medicare",
    "MEDICAID",
    "Self-pay",
    "Blue Plan, PPO",
    "Harbor Mutual",
    "Tri-County \"Basic\" HMO",
    "Workers' Comp",
];

pub(super) const DEPARTMENTS: [&str; 6] =
    ["Primary Care", "Urgent Care", "Lab", "Imaging", "Specialty", "Telehealth"];

pub(super) const REASONS: [&str; 10] = [
    "Follow-up",
    "Cough, 3 days",
    "Annual physical",
    "Back pain - \"worse at night\"",
    "Rash",
    "Medication refill",
    "Headache, nausea",
    "Fièvre",
    "Well child",
    "Results review",
];

pub(super) const COMMENTS: [&str; 7] = [
    "Hemolyzed specimen, interpret with care",
    "Called to clinic\nread back by RN",
    "Patient stated \"not fasting\"",
    "Repeat in 2 weeks, please",
    "Température de l'échantillon élevée",
    "See note;\nspecimen 1 of 2, lipemic",
    "Verified by repeat analysis",
];

pub(super) const LABS: [&str; 4] =
    ["In-house", "Northfield Reference Lab", "Tri-County Pathology, Inc.", "Harbor Diagnostics"];
