//! What a manifest says of supervisors beyond strategy and restarts.

use std::time::Duration;

use skep_runtime::kernel::supervisor::{AutoShutdown, Backoff, Roster, SupervisorSpec};

use super::*;

/// An app with a supervisor `s`, named so, with these keys, and these child sections.
fn nested(keys: &str, children: &[&str]) -> String {
    let head = "name = 'a'\nmodules.m.path = 'm.wasm'\n[supervisor]\n[[supervisor.children]]\nid = 's'\nname = 's'\n";
    let sections = children.iter().map(|child| format!("[[supervisor.children.supervisor.children]]\n{child}\n"));
    format!("{head}[supervisor.children.supervisor]\n{keys}\n{}", sections.collect::<String>())
}

const CHILD: &str = "id = 'c'\nmodule = 'm'";

fn supervisor(text: &str) -> SupervisorSpec<Blueprint> {
    let manifest = Site::new().parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let Blueprint::Supervisor(spec) = &manifest.root.children[0].start else { panic!("no supervisor") };
    spec.check().expect("the kernel takes what the manifest may say");
    SupervisorSpec::clone(spec)
}

#[test]
fn sup_24_significant_children_and_restarts_that_wait() {
    let keys = "auto_shutdown = 'all_significant'\nbackoff = { first = '100ms', most = '30s' }\nmax_children = 7";
    let spec = supervisor(&nested(keys, &[&format!("{CHILD}\nrestart = 'transient'\nsignificant = true")]));
    assert_eq!(spec.auto_shutdown, AutoShutdown::AllSignificant);
    let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(30) };
    assert_eq!(spec.backoff, Some(backoff));
    assert_eq!((spec.max_children, spec.name.as_deref()), (7, Some("s")));
    assert!(spec.children[0].significant);
    let plain = supervisor(&nested("", &[CHILD]));
    assert_eq!((plain.auto_shutdown, plain.backoff, plain.max_children), (AutoShutdown::Never, None, 10_000));
}

#[test]
fn dsup_01_children_that_come_and_go() {
    let spec = supervisor(&nested("strategy = 'simple_one_for_one'", &[&format!("{CHILD}\nargs = 5")]));
    assert_eq!((&spec.roster, spec.children.len(), spec.max_children), (&Roster::Template, 1, 10_000));
    let spec = supervisor(&nested("strategy = 'dynamic'\nextra_args = [1, 'x']\nmax_children = 3", &[]));
    let extra_args = Some(Body::Json("[1,\"x\"]".into()));
    assert_eq!((spec.roster, spec.children.len(), spec.max_children), (Roster::Dynamic { extra_args }, 0, 3));
    let spec = supervisor(&nested("partitioned = true", &[&format!("{CHILD}\ncount = 4")]));
    assert_eq!((spec.roster, spec.children.len()), (Roster::Partitions, 4));
}

#[test]
fn guests_are_granted_supervisors() {
    let keys = "grants = { supervisors = true, supervise = ['s'] }\nlimits = { supervisors = 2, children = 30 }";
    let manifest = Site::new().parse(&nested("", &[&format!("{CHILD}\n{keys}")])).expect("it makes sense");
    let Blueprint::Supervisor(spec) = &manifest.root.children[0].start else { panic!("no supervisor") };
    let guest = process(&spec.children[0].start);
    assert_eq!((guest.grants.supervisors, &guest.grants.supervise[..]), (true, &["s".into()][..]));
    assert_eq!((guest.limits.supervisors, guest.limits.children), (2, 30));
    let refused = refusal(&nested("", &[&format!("{CHILD}\ngrants.supervise = ['t']")]));
    assert!(refused.contains("no supervisor is called `t`"), "{refused}");
}

#[test]
fn sup_26_what_makes_no_sense_is_refused_with_its_place() {
    let significant = |restart: &str| format!("{CHILD}\nrestart = '{restart}'\nsignificant = true");
    let (transient, permanent) = (significant("transient"), significant("permanent"));
    let counted = format!("{CHILD}\ncount = 2");
    let named = format!("{CHILD}\nname = 'x'");
    let temporary = format!("{CHILD}\nrestart = 'temporary'");
    for (keys, children, expected) in [
        ("", &[&*transient][..], "13:15 child `c` is significant, and its end ends nobody; set `auto_shutdown`"),
        ("auto_shutdown = 'never'", &[&*transient], "is significant, and its end ends nobody"),
        ("auto_shutdown = 'any_significant'", &[&*permanent], "13:15 child `c` is significant and permanent"),
        (
            "strategy = 'simple_one_for_one'\nauto_shutdown = 'any_significant'",
            &[CHILD],
            "9:17 children that come and go are all alike",
        ),
        ("strategy = 'simple_one_for_one'", &[], "8:12 a template is one child section, and there are 0"),
        (
            "strategy = 'simple_one_for_one'",
            &[CHILD, "id = 'd'\nmodule = 'm'"],
            "8:12 a template is one child section, and there are 2",
        ),
        ("strategy = 'simple_one_for_one'", &[&*counted], "12:9 child `c` is a template, of which nobody is started"),
        ("strategy = 'simple_one_for_one'", &[&*named], "12:8 child `c` is a template, and one of its children alone"),
        ("strategy = 'dynamic'", &[CHILD], "8:12 no child is listed with this strategy, and there are 1"),
        ("strategy = 'dynamic'\npartitioned = true", &[], "9:15 `partitioned` is for children that are listed"),
        ("extra_args = 1", &[CHILD], "8:14 `extra_args` are for the strategy \"dynamic\""),
        ("partitioned = true", &[], "a partitioned supervisor without children"),
        ("partitioned = true", &[&*temporary], "12:11 child `c` is a partition, whose place would be lost"),
        ("backoff = { first = 0, most = 5 }", &[CHILD], "8:11 the `first` wait must be above 0"),
        ("backoff = { first = '1s', most = 5 }", &[CHILD], "8:11 the `first` wait must be above 0"),
        ("backoff = { first = 5 }", &[CHILD], "the key `most` is missing"),
        ("max_children = 0", &[CHILD], "8:16 `max_children` cannot be 0; give 1 or more"),
        ("strategy = 'dynamic'\nmax_children = 0", &[], "9:16 `max_children` cannot be 0; give 1 or more"),
    ] {
        let refused = refusal(&nested(keys, children));
        assert!(refused.contains(expected), "{keys} {children:?}\n is refused with {refused}\n not with {expected}");
    }
    let root = child("").replace("[supervisor]", "[supervisor]\nstrategy = 'simple_one_for_one'");
    assert!(refusal(&root).contains("4:12 the root supervisor lists its children"), "{}", refusal(&root));
    let twice = nested("", &[&format!("{CHILD}\nname = 's'")]);
    assert!(refusal(&twice).contains("two processes of this app would have the name `s`"), "{}", refusal(&twice));
}
