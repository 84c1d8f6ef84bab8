//! The nearest known name to one that is not known.

/// The candidate that `name` was most likely meant to be, if any is near enough.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A name of a few hundred bytes is no misspelling, and the distance costs time in the square of its length.
    if name.len() > 64 {
        return None;
    }
    let asked = name.to_ascii_lowercase().replace('-', "_");
    let best = candidates.map(|candidate| (distance(&asked, candidate), candidate)).min_by_key(|(steps, _)| *steps)?;
    (best.0 <= asked.len().max(3) / 3).then_some(best.1)
}

/// Insertions, deletions, substitutions and swaps of neighbours that make one text the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = usize::from(a[i - 1] != b[j - 1]);
                let mut steps = (rows[i - 1][j - 1] + change).min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    steps = steps.min(rows[i - 2][j - 2] + 1);
                }
                steps
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn finds_what_was_meant() {
        let names = ["timeout", "connect_timeout", "retries", "tls.ca"];
        let nearest = |name| nearest(name, names.into_iter());
        assert_eq!(nearest("timout"), Some("timeout"));
        assert_eq!(nearest("Connect-Timeout"), Some("connect_timeout"));
        assert_eq!(nearest("retires"), Some("retries"));
        assert_eq!(nearest("tls_ca"), Some("tls.ca"));
        assert_eq!(nearest("colour"), None);
        assert_eq!(nearest(""), None);
        assert_eq!(nearest(&"timeout".repeat(100)), None);
    }

    #[test]
    fn a_swap_is_one_step() {
        assert_eq!(distance("retires", "retries"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
