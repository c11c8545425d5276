//! The full table of supervision: how a child ends x whether it traps exits x when it is restarted x under which strategy,
//! intensity and auto-shutdown, in which place, with and without significant siblings. Each case is played by real
//! processes and a real supervisor, and compared with a model that knows neither.

mod model;
mod node;

use std::sync::Arc;

use skep_kernel::supervisor::{AutoShutdown, ChildSpec, Restart, Strategy, SupervisorSpec};
use skep_kernel::{Body, ExitReason, Fault, Name};

use node::Node;

/// How a child comes to its end, if it does.
#[derive(Clone, Debug)]
enum Cause {
    /// It stops by itself, with this reason.
    Itself(ExitReason),
    /// A stranger sends it an exit signal with this reason.
    Signal(ExitReason),
    /// Somebody kills it.
    Kill,
}

/// One case of the table.
#[derive(Clone, Debug)]
struct Case {
    cause: Cause,
    traps: bool,
    restart: Restart,
    significant: bool,
    strategy: Strategy,
    auto_shutdown: AutoShutdown,
    max_restarts: u32,
    /// How many siblings come before it.
    place: usize,
    /// Whether siblings are significant, too.
    company: bool,
}

impl Case {
    /// The child `x` among `a`, which is permanent, `p`, which is transient, and `t`, which is temporary.
    fn spec(&self) -> SupervisorSpec<Name> {
        let sibling = |id: &str, restart| {
            let significant = self.company && restart != Restart::Permanent;
            ChildSpec { restart, significant, ..ChildSpec::worker(id, Name::from(id)) }
        };
        let mut children = vec![
            sibling("a", Restart::Permanent),
            sibling("p", Restart::Transient),
            sibling("t", Restart::Temporary),
            sibling("z", Restart::Permanent),
        ];
        let x =
            ChildSpec { restart: self.restart, significant: self.significant, ..ChildSpec::worker("x", "x".into()) };
        children.insert(self.place, x);
        SupervisorSpec {
            strategy: self.strategy,
            auto_shutdown: self.auto_shutdown,
            max_restarts: self.max_restarts,
            ..SupervisorSpec::new(children)
        }
    }
}

fn reasons() -> Vec<ExitReason> {
    let body = || Arc::new(Body::Text("text".into()));
    let fault = Fault { kind: "unreachable".into(), message: String::new(), trace: String::new() };
    vec![
        ExitReason::Normal,
        ExitReason::Shutdown(None),
        ExitReason::Shutdown(Some(body())),
        ExitReason::Killed,
        ExitReason::Noproc,
        ExitReason::Noconnection,
        ExitReason::limit("fuel"),
        ExitReason::Trap(Arc::new(fault)),
        ExitReason::failed("text"),
        ExitReason::Custom(body()),
    ]
}

fn causes() -> Vec<Cause> {
    let by_itself = reasons().into_iter().map(Cause::Itself);
    let by_signal = reasons().into_iter().map(Cause::Signal);
    by_itself.chain(by_signal).chain([Cause::Kill]).collect()
}

/// Every combination, those that a supervisor must refuse among them.
fn table() -> Vec<Case> {
    let mut cases = Vec::new();
    let bools = [false, true];
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        for auto_shutdown in [AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant] {
            for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
                for (significant, company) in bools.iter().flat_map(|one| bools.map(|other| (*one, other))) {
                    for (max_restarts, place) in [0, 1].iter().flat_map(|most| [0, 2, 4].map(|place| (*most, place))) {
                        for (cause, traps) in causes().iter().flat_map(|cause| bools.map(|traps| (cause, traps))) {
                            let cause = cause.clone();
                            cases.push(Case {
                                cause,
                                traps,
                                restart,
                                significant,
                                strategy,
                                auto_shutdown,
                                max_restarts,
                                place,
                                company,
                            });
                        }
                    }
                }
            }
        }
    }
    cases
}

#[test]
fn sup_04_sup_05_sup_08_sup_24_sup_26_every_ending_of_every_child_under_every_supervisor() {
    let (mut played, mut refused) = (0, 0);
    for case in table() {
        let expected = model::expected(&case);
        match (Node::start(case.spec(), case.traps), expected) {
            (Some(mut node), Some(expected)) => {
                node.causes("x", &case.cause);
                assert_eq!(node.outcome(), expected, "{case:?}");
                played += 1;
            }
            (None, None) => refused += 1,
            (node, _) => panic!("refused: {}, for {case:?}", node.is_none()),
        }
    }
    assert_eq!((played, refused), (17_388, 9_828));
}
