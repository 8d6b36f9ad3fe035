//! Where the delimiters, line ends and quotes of a block are, 64 bytes at a time.

/// Bytes looked at in one step: one bit each in a `u64`.
const CHUNK: usize = 64;

/// Multiplying eight bytes of 0 or 1 by this gathers them as bits in the highest byte.
const GATHER: u64 = 0x0102_0408_1020_4080;

/// Walks over the positions of delimiters, line feeds and quotes in a slice, in order.
///
/// The slice is given anew at each step and must be the same until [`Scanner::move_to`].
#[derive(Debug)]
pub(super) struct Scanner {
    delimiter: u8,
    /// Where the present chunk begins.
    base: usize,
    /// The positions of the chunk that are not yet yielded.
    mask: u64,
}

impl Scanner {
    /// A scanner that must be moved to a position first.
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter, base: 0, mask: 0 }
    }

    /// Goes to `at` of a slice that may be another one.
    pub(super) fn move_to(&mut self, data: &[u8], at: usize) {
        self.base = at;
        self.mask = self.chunk(data);
    }

    /// Goes forward to `at` of the same slice.
    pub(super) fn skip_to(&mut self, data: &[u8], at: usize) {
        match at.checked_sub(self.base) {
            Some(within @ 0..CHUNK) => self.mask &= u64::MAX << within,
            _ => self.move_to(data, at),
        }
    }

    /// The next position, or nothing at the end of the slice.
    #[inline]
    pub(super) fn next(&mut self, data: &[u8]) -> Option<usize> {
        while self.mask == 0 {
            if self.base >= data.len() {
                return None;
            }
            self.base += CHUNK;
            self.mask = self.chunk(data);
        }
        let at = self.base + self.mask.trailing_zeros() as usize;
        self.mask &= self.mask - 1;
        Some(at)
    }

    /// The mask of the chunk at `base`.
    #[inline]
    fn chunk(&self, data: &[u8]) -> u64 {
        let rest = data.get(self.base..).unwrap_or_default();
        if let Some(chunk) = rest.first_chunk::<CHUNK>() {
            return mask(chunk, self.delimiter);
        }
        let mut padded = [0; CHUNK];
        padded[..rest.len()].copy_from_slice(rest);
        mask(&padded, self.delimiter)
    }
}

/// One bit for each byte of the chunk that is a delimiter, line feed or quote.
#[inline]
fn mask(chunk: &[u8; CHUNK], delimiter: u8) -> u64 {
    let mut hits = [0u8; CHUNK];
    for (hit, &byte) in hits.iter_mut().zip(chunk) {
        *hit = u8::from((byte == delimiter) | (byte == b'\n') | (byte == b'"'));
    }
    let (words, _) = hits.as_chunks::<8>();
    let mut mask = 0;
    for (index, word) in words.iter().enumerate() {
        let bits = u64::from_le_bytes(*word).wrapping_mul(GATHER) >> 56;
        mask |= bits << (index * 8);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(data: &[u8], from: usize) -> Vec<usize> {
        let mut scanner = Scanner::new(b',');
        scanner.move_to(data, from);
        std::iter::from_fn(|| scanner.next(data)).collect()
    }

    #[test]
    fn every_position_is_found_from_every_start() {
        let data: Vec<u8> =
            (0..300u32).map(|i| b"a,\n\"x\0\xff-"[(i * i + i / 7) as usize % 8]).collect();
        for from in 0..data.len() {
            let expected: Vec<usize> =
                (from..data.len()).filter(|&at| b",\n\"".contains(&data[at])).collect();
            assert_eq!(positions(&data, from), expected, "from {from}");
        }
    }

    #[test]
    fn skipping_goes_on_at_the_position() {
        let data = [b','; 200];
        for to in [1, 63, 64, 65, 130, 199, 200] {
            let mut scanner = Scanner::new(b',');
            scanner.move_to(&data, 0);
            scanner.skip_to(&data, to);
            assert_eq!(scanner.next(&data), (to < 200).then_some(to));
        }
    }
}
