//! Numbers for tables.

/// The value in the middle; 0 where there are none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        _ if values.is_empty() => 0.0,
        0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

/// A count as a float; the counts here are far below the 2^53 that a float holds exactly.
#[expect(clippy::cast_precision_loss, reason = "sizes and memory stay far below 2^53")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}

/// A count of bytes in KiB.
pub(crate) fn kib(bytes: u64) -> String {
    format!("{:.1}", as_f64(bytes) / 1_024.0)
}

/// Whether a target was met, in a word.
pub(crate) fn word(met: bool) -> &'static str {
    if met { "met" } else { "NOT met" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_is_between_the_middle_two() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
    }
}
