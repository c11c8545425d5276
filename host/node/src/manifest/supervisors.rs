//! What a manifest says of a supervisor beside its strategy and its limit of restarts: where children come from, how many
//! there are, which of them matter most, and whether restarts wait.
//!
//! Owns which of these make sense together. The rules are the kernel's (`SupervisorSpec::check`); here they have places and
//! remedies.

use std::collections::BTreeSet;
use std::ops::Range;

use skep_runtime::kernel::supervisor::{AutoShutdown, Backoff, Roster, SupervisorSpec};
use skep_runtime::kernel::{Body, Name};
use skep_runtime::spec::Blueprint;
use toml::Spanned;

use super::check::arguments;
use super::shape::{Child, Restart, Strategy, Supervisor};
use super::{ManifestError, Source};

/// Children of a supervisor to which others may add some, unless the manifest says otherwise: guests must not fill the host.
const CHILDREN_MOST: usize = 10_000;

type Checked = Result<(), ManifestError>;

/// The root's children are what the app is.
pub(super) fn root(given: &Spanned<Supervisor>, source: &Source) -> Checked {
    let strategy = &given.get_ref().strategy;
    match strategy.get_ref() {
        Strategy::SimpleOneForOne | Strategy::Dynamic => Err(source.error(
            strategy.span(),
            "the root supervisor lists its children; with this strategy they come and go",
            "choose \"one_for_one\" here, and give this strategy to a supervisor among its children",
        )),
        Strategy::OneForOne | Strategy::OneForAll | Strategy::RestForOne => Ok(()),
    }
}

/// The names of all supervisors.
pub(super) fn named(given: &Supervisor) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    let mut open = vec![given];
    while let Some(supervisor) = open.pop() {
        for child in supervisor.children.iter().map(Spanned::get_ref) {
            if let Some(nested) = &child.supervisor {
                names.extend(child.name.as_ref().map(|name| Name::from(name.get_ref().as_str())));
                open.push(nested.get_ref());
            }
        }
    }
    names
}

/// Takes over what does not depend on the children.
pub(super) fn options(given: &Spanned<Supervisor>, spec: &mut SupervisorSpec<Blueprint>, source: &Source) -> Checked {
    let error = |span: Range<usize>, problem: &str, remedy: &str| Err(source.error(span, problem, remedy));
    let Supervisor { strategy, auto_shutdown, backoff, partitioned, extra_args, .. } = given.get_ref();
    let partitions = partitioned.as_ref().filter(|partitioned| *partitioned.get_ref());
    spec.roster = match (strategy.get_ref(), partitions) {
        (Strategy::SimpleOneForOne | Strategy::Dynamic, Some(partitioned)) => {
            let problem = "`partitioned` is for children that are listed, and with this strategy they come and go";
            return error(partitioned.span(), problem, "choose \"one_for_one\", or leave `partitioned` out");
        }
        (Strategy::SimpleOneForOne, None) => Roster::Template,
        (Strategy::Dynamic, None) => {
            let extra = extra_args.as_ref().map(|args| arguments(args, source)).transpose()?;
            Roster::Dynamic { extra_args: extra.map(Body::Json) }
        }
        (_, Some(_)) => Roster::Partitions,
        (_, None) => Roster::Listed,
    };
    if let (Some(args), false) = (extra_args, matches!(spec.roster, Roster::Dynamic { .. })) {
        let problem = "`extra_args` are for the strategy \"dynamic\"";
        return error(
            args.span(),
            problem,
            "give each child its `args`; a template has `args` for all of its children",
        );
    }
    if let Some(auto_shutdown) = auto_shutdown {
        spec.auto_shutdown = (*auto_shutdown.get_ref()).into();
        if spec.roster.is_dynamic() && spec.auto_shutdown != AutoShutdown::Never {
            let problem = "children that come and go are all alike: the end of none can end the supervisor";
            return error(auto_shutdown.span(), problem, "leave `auto_shutdown` out");
        }
    }
    if let Some(backoff) = backoff {
        let (first, most) = (backoff.get_ref().first.0, backoff.get_ref().most.0);
        if first.is_zero() || first > most {
            let problem = "the `first` wait must be above 0 and not above the `most`";
            return error(backoff.span(), problem, "give them as in backoff = { first = \"100ms\", most = \"30s\" }");
        }
        spec.backoff = Some(Backoff { first, most });
    }
    Ok(())
}

/// Whether this supervisor can have such a child.
pub(super) fn child(given: &Spanned<Supervisor>, child: &Child, source: &Source) -> Checked {
    let error = |span: Range<usize>, problem: String, remedy: &str| Err(source.error(span, problem, remedy));
    let Supervisor { strategy, auto_shutdown, partitioned, .. } = given.get_ref();
    let id = child.id.get_ref();
    if let Some(significant) = child.significant.as_ref().filter(|significant| *significant.get_ref()) {
        let never =
            auto_shutdown.as_ref().is_none_or(|word| matches!(word.get_ref(), super::shape::AutoShutdown::Never));
        if never {
            let problem = format!("child `{id}` is significant, and its end ends nobody");
            let remedy = "set `auto_shutdown` of its supervisor to \"any_significant\" or \"all_significant\"";
            return error(significant.span(), problem, remedy);
        }
        if *child.restart.get_ref() == Restart::Permanent {
            let problem = format!("child `{id}` is significant and permanent: it never ends for good");
            return error(significant.span(), problem, "set its `restart` to \"transient\" or \"temporary\"");
        }
    }
    let is_partition = partitioned.as_ref().is_some_and(|partitioned| *partitioned.get_ref());
    if is_partition && *child.restart.get_ref() == Restart::Temporary {
        let problem = format!("child `{id}` is a partition, whose place would be lost with it");
        return error(child.restart.span(), problem, "set its `restart` to \"permanent\" or \"transient\"");
    }
    if *strategy.get_ref() == Strategy::SimpleOneForOne {
        if let Some(count) = &child.count {
            let problem = format!("child `{id}` is a template, of which nobody is started");
            return error(count.span(), problem, "leave `count` out; `max_children` bounds how many there may be");
        }
        if let (Some(name), Some(_)) = (&child.name, &child.module) {
            let problem = format!("child `{id}` is a template, and one of its children alone could have that name");
            return error(name.span(), problem, "leave `name` out; whoever starts a child gets its pid");
        }
    }
    Ok(())
}

/// How many children there are, and may be.
pub(super) fn number(
    given: &Spanned<Supervisor>,
    listed: usize,
    spec: &mut SupervisorSpec<Blueprint>,
    source: &Source,
) -> Checked {
    let error = |span: Range<usize>, problem: String, remedy: &str| Err(source.error(span, problem, remedy));
    let Supervisor { strategy, max_children, .. } = given.get_ref();
    match (&spec.roster, listed) {
        (Roster::Template, 1) | (Roster::Dynamic { .. }, 0) => {}
        (Roster::Template, _) => {
            let problem = format!("a template is one child section, and there are {listed}");
            return error(strategy.span(), problem, "describe in one section what all children are made from");
        }
        (Roster::Dynamic { .. }, _) => {
            let problem = format!("no child is listed with this strategy, and there are {listed}");
            let remedy = "leave them out; or choose \"simple_one_for_one\", with one child as the template";
            return error(strategy.span(), problem, remedy);
        }
        (Roster::Partitions, 0) => {
            let remedy = "add one child section, with `count` for the number of partitions";
            return error(given.span(), "a partitioned supervisor without children".to_owned(), remedy);
        }
        (Roster::Listed | Roster::Partitions, _) => {}
    }
    spec.max_children = CHILDREN_MOST.max(listed);
    if let Some(most) = max_children {
        spec.max_children = usize::try_from(*most.get_ref()).unwrap_or(usize::MAX);
        let least = if spec.roster.is_dynamic() { 1 } else { listed };
        if spec.max_children < least {
            let problem = format!("`max_children` cannot be {}", most.get_ref());
            return error(most.span(), problem, &format!("give {least} or more, or leave it out"));
        }
    }
    Ok(())
}
