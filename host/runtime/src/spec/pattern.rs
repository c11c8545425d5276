//! Patterns of those whom a right lets a process at, and what two of them have in common.
//!
//! Owns the rule by which lists of patterns are passed on, and the patterns of names. Those of hosts are in `network`.

use skep_kernel::Name;

/// What of a list of patterns is passed on by a parent that has another one: an entry of which the parent has all as it is
/// written, and of any other what it has in common with each of the parent's. `meet` says what two have in common.
pub(super) fn within<P: Clone + PartialEq>(own: &[P], parent: &[P], meet: impl Fn(&P, &P) -> Option<P>) -> Vec<P> {
    let mut passed_on = Vec::new();
    for entry in own {
        let shared: Vec<P> = parent.iter().filter_map(|held| meet(entry, held)).collect();
        let shared = if shared.contains(entry) { vec![entry.clone()] } else { shared };
        for pattern in shared {
            if !passed_on.contains(&pattern) {
                passed_on.push(pattern);
            }
        }
    }
    passed_on
}

/// The one of two patterns that the other covers, which is all that they have in common; none if neither does.
pub(super) fn narrower<P: Clone>(own: &P, held: &P, covers: impl Fn(&P, &P) -> bool) -> Option<P> {
    if covers(held, own) { Some(own.clone()) } else { covers(own, held).then(|| held.clone()) }
}

/// What two names have in common, each of them perhaps how names begin, with a `*` behind.
pub(super) fn meet_names(own: &Name, held: &Name) -> Option<Name> {
    narrower(own, held, |wide, narrow| has_name(wide, narrow))
}

/// What two entries for other apps have in common.
pub(super) fn meet_apps(own: &Name, held: &Name) -> Option<Name> {
    narrower(own, held, |wide, narrow| {
        let (app, names) = app_and_names(narrow);
        has_process(wide, app, names)
    })
}

/// Whether a name is this one, or begins as this pattern does; or whether all names of another pattern do.
pub(super) fn has_name(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

/// Whether an entry for other apps has a process that was started under this name, if under any: `app` is all of it, and
/// `app/` has a pattern of such names behind.
pub(super) fn has_process(entry: &str, app: &str, name: &str) -> bool {
    let (own, names) = app_and_names(entry);
    own == app && has_name(names, name)
}

fn app_and_names(entry: &str) -> (&str, &str) {
    entry.split_once('/').unwrap_or((entry, "*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All texts of these letters, up to so many of them.
    fn texts(most: usize) -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut last = texts.clone();
        for _ in 0..most {
            last = last.iter().flat_map(|text| ["a", "b"].map(|letter| format!("{text}{letter}"))).collect();
            texts.extend_from_slice(&last);
        }
        texts
    }

    /// Each as a name, and as the beginning of names.
    fn patterns(most: usize) -> Vec<Name> {
        texts(most).iter().flat_map(|text| [text.as_str().into(), format!("{text}*").into()]).collect()
    }

    #[test]
    fn what_two_patterns_have_in_common_is_what_both_let_in() {
        let patterns = patterns(3);
        for (own, held) in patterns.iter().flat_map(|own| patterns.iter().map(move |held| (own, held))) {
            let meet = meet_names(own, held);
            for name in texts(4) {
                let by_both = has_name(own, &name) && has_name(held, &name);
                let by_meet = meet.as_ref().is_some_and(|meet| has_name(meet, &name));
                assert_eq!(by_meet, by_both, "{name:?} by {meet:?}, of {own} and {held}");
            }
            assert_eq!(meet_names(held, own).is_some(), meet.is_some(), "{own} and {held}");
        }
    }

    #[test]
    fn what_is_passed_on_of_a_list_is_what_both_lists_let_in() {
        let patterns = patterns(2);
        let lists: Vec<[Name; 2]> =
            patterns.iter().flat_map(|a| patterns.iter().map(|b| [a.clone(), b.clone()])).collect();
        let names = texts(3);
        let has = |list: &[Name], name: &str| list.iter().any(|pattern| has_name(pattern, name));
        for (own, parent) in lists.iter().flat_map(|own| lists.iter().map(move |parent| (own, parent))) {
            let passed_on = within(own, parent, meet_names);
            for name in &names {
                let by_both = has(own, name) && has(parent, name);
                assert_eq!(has(&passed_on, name), by_both, "{name:?} by {passed_on:?}, of {own:?} and {parent:?}");
            }
            assert!(passed_on.len() <= 4, "{passed_on:?}, of {own:?} and {parent:?}");
        }
    }

    #[test]
    fn what_two_patterns_of_apps_have_in_common_is_what_both_let_in() {
        let entries =
            ["shop", "shop/", "shop/a", "shop/a*", "shop/*", "shop/ab", "bank", "bank/a", "sho"].map(Name::from);
        let names = ["", "a", "ab", "b"];
        for (own, held) in entries.iter().flat_map(|own| entries.iter().map(move |held| (own, held))) {
            let meet = meet_apps(own, held);
            for (app, name) in ["shop", "bank", "sho", ""].iter().flat_map(|app| names.map(|name| (app, name))) {
                let by_both = has_process(own, app, name) && has_process(held, app, name);
                let by_meet = meet.as_ref().is_some_and(|meet| has_process(meet, app, name));
                assert_eq!(by_meet, by_both, "{app}/{name} by {meet:?}, of {own} and {held}");
            }
        }
    }
}
