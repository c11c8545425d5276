//! Finds the word that a misspelt one was meant to be.
//!
//! Owns the measure of likeness, and no wording beyond a list. Called wherever a name from outside turns out unknown: in
//! the manifest, by the control API, on the command line.

/// Words longer than this are not compared: the measure takes quadratic time.
const COMPARED_BYTES: usize = 255;

/// How many words a list names before it is cut.
const LISTED: usize = 12;

/// The candidate most like the word, if one is like enough: at most a third of the letters differ.
#[must_use]
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .filter(|candidate| word.len().max(candidate.len()) <= COMPARED_BYTES)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (word.chars().count().max(candidate.chars().count())).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What to do about an unknown word: the one that was meant, or all there are. `what` is their plural, such as `modules`.
#[must_use]
pub fn remedy<'a>(word: &str, what: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    remedy_or(word, what, candidates, "")
}

/// As [`remedy`]; where nothing is like the word, with another way out after the list.
#[must_use]
pub fn remedy_or<'a>(word: &str, what: &str, candidates: impl IntoIterator<Item = &'a str>, way_out: &str) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(meant) = closest(word, candidates.iter().copied()) {
        return format!("did you mean `{meant}`?");
    }
    if candidates.is_empty() {
        return format!("there are no {what}{way_out}");
    }
    let listed: Vec<String> = candidates.iter().take(LISTED).map(|candidate| format!("`{candidate}`")).collect();
    let rest = candidates.len() - listed.len();
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("the {what} are {}{more}{way_out}", listed.join(", "))
}

/// How many letters must be put in, taken out, replaced, or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(x != y)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let keys = ["module", "modules", "restart", "shutdown"];
        assert_eq!(closest("modul", keys), Some("module"));
        assert_eq!(closest("retsart", keys), Some("restart"));
        assert_eq!(closest("shut_down", keys), Some("shutdown"));
        assert_eq!(closest("colour", keys), None);
        assert_eq!(closest("", keys), None);
    }

    #[test]
    fn without_a_likeness_all_are_listed() {
        assert_eq!(remedy("x", "modules", ["parser", "store"]), "the modules are `parser`, `store`");
        assert_eq!(remedy("parsr", "modules", ["parser", "store"]), "did you mean `parser`?");
        assert_eq!(remedy("x", "modules", []), "there are no modules");
        let many: Vec<String> = (0..20).map(|n| format!("worker-{n}")).collect();
        assert!(remedy("zzz", "names", many.iter().map(String::as_str)).ends_with("`worker-11` and 8 more"));
    }
}
