//! "Did you mean …": the nearest of the words that exist.
//!
//! Lives here: an edit distance and a cut-off. Never: what the words are for.

/// How far apart two words may be and still be a likely slip.
const DISTANCE_MAX: usize = 3;

/// The candidate nearest to a word, if any is near enough to be a likely slip.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|c| (distance(word, c), c))
        .filter(|(d, c)| *d <= DISTANCE_MAX && *d < c.chars().count())
        .min()
        .map(|(_, c)| c)
}

/// Levenshtein's distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for (window, cb) in row.windows(2).zip(&b) {
            let [diagonal, above] = window else { continue };
            let left = next.last().copied().unwrap_or(usize::MAX - 1);
            next.push(
                (diagonal + usize::from(ca != *cb))
                    .min(above + 1)
                    .min(left + 1),
            );
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_slip_and_nothing_far() {
        assert_eq!(
            nearest("aproval", ["id", "approval", "approvers"]),
            Some("approval")
        );
        assert_eq!(nearest("colour", ["id", "approval"]), None);
        assert_eq!(
            nearest("env=prodution", ["env=production", "env=staging"]),
            Some("env=production")
        );
        assert_eq!(nearest("ab", ["id"]), None);
    }
}
