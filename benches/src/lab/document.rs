//! The document of a wide row: text that hardly compresses, drawn from id and version alone.

/// The letters, 6 bits each; none of them needs quoting in CSV.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Letters of one drawn number.
const LETTERS_OF_NUMBER: usize = 10;

/// Appends the document of a result in one of its versions.
pub(super) fn put_document(result_id: u64, version: u32, bytes: usize, out: &mut Vec<u8>) {
    let end = out.len() + bytes;
    let mut state = state(result_id, version);
    while out.len() < end {
        let mut number = next(&mut state);
        for _ in 0..LETTERS_OF_NUMBER.min(end - out.len()) {
            out.push(letter(number));
            number >>= 6;
        }
    }
}

/// The code of the first letter of a document, by which it is checked.
pub(super) fn first_letter(result_id: u64, version: u32) -> u64 {
    u64::from(letter(next(&mut state(result_id, version))))
}

fn state(result_id: u64, version: u32) -> u64 {
    result_id << 8 ^ u64::from(version)
}

fn letter(number: u64) -> u8 {
    LETTERS[usize::try_from(number & 63).unwrap_or(0)]
}

/// SplitMix64: any two states give numbers that have nothing to do with each other.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_its_length_and_its_first_letter_and_is_of_its_version() {
        let document = |version| {
            let mut out = Vec::new();
            put_document(1_000_000_007, version, 10_001, &mut out);
            out
        };
        assert_eq!(document(1).len(), 10_001);
        assert_eq!(u64::from(document(1)[0]), first_letter(1_000_000_007, 1));
        assert_eq!(document(1), document(1));
        assert_ne!(document(1), document(2));
    }
}
