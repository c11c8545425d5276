//! How two trees of one app differ, child by child.
//!
//! Plain data from plain data: whoever shows a plan and whoever performs it read the same differences. A child is the same
//! one if it has the same id under the same supervisors and is a process, or a supervisor, in both.

use std::collections::HashMap;
use std::fmt;
use std::mem::discriminant;
use std::sync::Arc;

use skep_kernel::Name;
use skep_kernel::supervisor::{ChildSpec, Roster, SupervisorSpec};

use crate::spec::{Blueprint, ProcessSpec};

/// Where a child stands: the ids of the supervisors above it, beginning below the root, and its own. The root's is empty.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Path(Vec<Name>);

impl Path {
    /// Where a child of this supervisor stands.
    #[must_use]
    pub fn child(&self, id: &Name) -> Path {
        let mut ids = self.0.clone();
        ids.push(Arc::clone(id));
        Path(ids)
    }

    /// Where its supervisor stands, and its id there; none for the root.
    #[must_use]
    pub fn split(&self) -> Option<(Path, &Name)> {
        let (id, above) = self.0.split_last()?;
        Some((Path(above.to_vec()), id))
    }

    /// The ids, from the top.
    #[must_use]
    pub fn ids(&self) -> &[Name] {
        &self.0
    }
}

/// `parsers/parser.1`; the root is `root`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_first() {
            None => f.write_str("root"),
            Some((first, others)) => {
                f.write_str(first)?;
                others.iter().try_for_each(|id| write!(f, "/{id}"))
            }
        }
    }
}

/// What differs between a tree and the one that is to take its place.
#[derive(Debug, Default)]
pub struct Differences<'a> {
    /// Supervisors in both that are not the same in all that is beneath them, from the top down.
    pub supervisors: Vec<Pair<'a, SupervisorSpec<Blueprint>>>,
    /// Children in both that are not restarted or stopped in the same way, in start order.
    pub policies: Vec<Pair<'a, ChildSpec<Blueprint>>>,
    /// Processes in both that are not made in the same way, in start order.
    pub processes: Vec<Pair<'a, ProcessSpec>>,
    /// Children of the old tree that the new one has not, each with all beneath it, in start order.
    pub removed: Vec<(Path, &'a ChildSpec<Blueprint>)>,
    /// Children of the new tree that the old one has not, each with all beneath it, in start order.
    pub added: Vec<(Path, &'a ChildSpec<Blueprint>)>,
}

/// The same one in both trees.
#[derive(Debug)]
pub struct Pair<'a, T> {
    /// Where it stands.
    pub path: Path,
    /// In the old tree.
    pub was: &'a T,
    /// In the new one.
    pub is: &'a T,
}

type Tree = SupervisorSpec<Blueprint>;
type Child = ChildSpec<Blueprint>;

impl<'a> Differences<'a> {
    /// From one tree to another.
    #[must_use]
    pub fn between(was: &'a Tree, is: &'a Tree) -> Self {
        let mut differences = Differences::default();
        differences.walk_new(Path::default(), was, is);
        differences.walk_old(Path::default(), was, is);
        differences
    }

    /// Finds everything but what is gone, in the start order of the new tree.
    fn walk_new(&mut self, path: Path, was: &'a Tree, is: &'a Tree) {
        if was == is {
            return;
        }
        self.supervisors.push(Pair { path: path.clone(), was, is });
        if let ([known], [child], Roster::Template) = (&was.children[..], &is.children[..], &is.roster) {
            // Nobody is started or stopped for a template.
            return self.child(path.child(&child.id), known, child);
        }
        let old = by_id(was);
        for child in &is.children {
            let below = path.child(&child.id);
            match old.get(&*child.id).copied().filter(|known| is_same_kind(known, child)) {
                Some(known) => self.child(below, known, child),
                None => self.added.push((below, child)),
            }
        }
    }

    fn child(&mut self, path: Path, was: &'a Child, is: &'a Child) {
        if (was.restart, was.shutdown, was.significant) != (is.restart, is.shutdown, is.significant) {
            self.policies.push(Pair { path: path.clone(), was, is });
        }
        match (&was.start, &is.start) {
            (Blueprint::Supervisor(was), Blueprint::Supervisor(is)) => self.walk_new(path, was, is),
            (Blueprint::Process(was), Blueprint::Process(is)) if was != is => {
                self.processes.push(Pair { path, was, is });
            }
            _ => {}
        }
    }

    /// Finds what is gone, in the start order of the old tree.
    fn walk_old(&mut self, path: Path, was: &'a Tree, is: &'a Tree) {
        if was == is || is.roster.is_dynamic() {
            return;
        }
        let new = by_id(is);
        for child in &was.children {
            let below = path.child(&child.id);
            match new.get(&*child.id).filter(|kept| is_same_kind(child, kept)) {
                None => self.removed.push((below, child)),
                Some(kept) => {
                    if let (Blueprint::Supervisor(was), Blueprint::Supervisor(is)) = (&child.start, &kept.start) {
                        self.walk_old(below, was, is);
                    }
                }
            }
        }
    }
}

fn by_id(supervisor: &Tree) -> HashMap<&str, &Child> {
    supervisor.children.iter().map(|child| (&*child.id, child)).collect()
}

/// A supervisor whose children are listed is another one than one whose children come and go, and so on.
fn is_same_kind(a: &Child, b: &Child) -> bool {
    match (&a.start, &b.start) {
        (Blueprint::Process(_), Blueprint::Process(_)) => true,
        (Blueprint::Supervisor(a), Blueprint::Supervisor(b)) => discriminant(&a.roster) == discriminant(&b.roster),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use skep_kernel::Body;
    use skep_kernel::supervisor::{Restart, Shutdown, Strategy};

    use super::*;
    use crate::spec::{Charge, Grants, Keep};

    /// A tree in one line: `a b(c d(e)) f`. A word may have marks: `a!` is restarted in another way, `a~` has other
    /// arguments, `a*(b)` has `b` as a template, `(all …)` is one for all.
    fn tree(text: &str) -> Tree {
        let tokens = text.replace('(', " ( ").replace(')', " ) ");
        let mut words = tokens.split_whitespace().peekable();
        supervisor(&mut words)
    }

    fn supervisor<'t>(words: &mut std::iter::Peekable<impl Iterator<Item = &'t str>>) -> Tree {
        let mut spec = Tree::new(Vec::new());
        while let Some(word) = words.next_if(|word| *word != ")") {
            if word == "all" {
                spec.strategy = Strategy::OneForAll;
                continue;
            }
            let id = word.trim_end_matches(['!', '~', '*']);
            let mut child = match words.next_if_eq(&"(") {
                None => Child::worker(id, Blueprint::Process(Arc::new(process(word.contains('~'))))),
                Some(_) => {
                    let nested = supervisor(words);
                    assert_eq!(words.next(), Some(")"));
                    Child::supervisor(id, Blueprint::Supervisor(Arc::new(nested)))
                }
            };
            if let (true, Blueprint::Supervisor(nested)) = (word.contains('*'), &mut child.start) {
                Arc::make_mut(nested).roster = Roster::Template;
            }
            if word.contains('!') {
                (child.restart, child.shutdown) = (Restart::Transient, Shutdown::Timeout(Duration::from_secs(1)));
            }
            spec.children.push(child);
        }
        spec
    }

    fn process(other: bool) -> ProcessSpec {
        ProcessSpec {
            module: "m".into(),
            args: Body::Json(if other { "1" } else { "null" }.into()),
            name: None,
            claim: None,
            limits: Arc::default(),
            grants: Arc::new(Grants::default()),
            keep: Keep::default(),
            console: crate::spec::Console::default(),
            charge: Charge::default(),
            awaited: None,
        }
    }

    fn show(was: &str, is: &str) -> String {
        let (was, is) = (tree(was), tree(is));
        let Differences { supervisors, policies, processes, removed, added } = Differences::between(&was, &is);
        let lines = [
            ("*", supervisors.iter().map(|pair| pair.path.to_string()).collect::<Vec<_>>()),
            ("!", policies.iter().map(|pair| pair.path.to_string()).collect()),
            ("~", processes.iter().map(|pair| pair.path.to_string()).collect()),
            ("-", removed.iter().map(|(path, _)| path.to_string()).collect()),
            ("+", added.iter().map(|(path, _)| path.to_string()).collect()),
        ];
        let lines = lines.into_iter().filter(|(_, paths)| !paths.is_empty());
        lines.map(|(mark, paths)| format!("{mark} {}", paths.join(" "))).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn every_difference_is_found_once_and_in_order() {
        for (was, is, expected) in [
            ("a b(c)", "a b(c)", ""),
            ("a b", "a b c d", "* root; + c d"),
            ("a b c", "c x a", "* root; - b; + x"),
            ("a b", "b a", "* root"),
            ("a b", "a! b~", "* root; ! a; ~ b"),
            ("a b(c d)", "a b!(all c d)", "* root b; ! b"),
            // What is gone comes in the old order, what is new in the new one, whatever the depth.
            ("a b(c d(e f)) g h", "h b(d(f x) y) z", "* root b b/d; - a b/c b/d/e g; + b/d/x b/y z"),
            // A supervisor comes and goes as a whole.
            ("a p(b c(d))", "a", "* root; - p"),
            ("a", "p(b c(d)) a", "* root; + p"),
            // What was a process and is a supervisor is another child of the same id.
            ("a b", "a b(c)", "* root; - b; + b"),
            ("a b(c)", "a b", "* root; - b; + b"),
            // A template is changed, and nobody started or stopped; children that are listed are something else.
            ("a*(b)", "a*(c)", "* root a"),
            ("a*(b)", "a*(b!)", "* root a; ! a/b"),
            ("a(b)", "a*(b)", "* root; - a; + a"),
        ] {
            assert_eq!(show(was, is), expected, "{was} -> {is}");
        }
    }

    #[test]
    fn a_path_leads_back_to_the_supervisor() {
        let path = Path::default().child(&"b".into()).child(&"c".into());
        let (above, id) = path.split().expect("it is not the root");
        assert_eq!((above.to_string(), &**id, path.to_string()), ("b".into(), "c", "b/c".into()));
        assert_eq!(Path::default().split(), None);
    }
}
