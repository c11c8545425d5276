//! Children of a supervisor that an operator starts, stops, lists and forgets while it runs.
//!
//! Owns which supervisor is meant, what a child that is added gets, and why something was not done. What is done to a child
//! is its supervisor's affair.

use std::sync::Arc;

use skep_runtime::inspect::TreeNode;
use skep_runtime::kernel::supervisor::{Answer, ChildKind, ChildSpec, ChildView, RequestError, Restart, Shutdown};
use skep_runtime::kernel::{Body, Name, Pid, Refusal, SpawnError};
use skep_runtime::spec::{Blueprint, Charge, Console, Keep, ProcessSpec};
use skep_runtime::{Request, RuntimeError};

use super::Node;
use super::address::{self, Unresolved};
use super::body;
use crate::suggest;

/// What an operator wants of a supervisor.
#[derive(Clone, Debug)]
pub enum Order {
    /// List the children.
    List,
    /// Start a child that the supervisor does not list.
    Start(NewChild),
    /// Start a child as the template says, with these arguments of its own.
    StartFromTemplate(Option<Body>),
    /// Stop a child: an id, or a pid where children come and go.
    Stop(String),
    /// Start a child that is down.
    Restart(String),
    /// Forget a child that is down.
    Delete(String),
    /// Use so many partitions.
    Resize(usize),
}

/// A child to be added. It has the limits and grants of its module.
#[derive(Clone, Debug)]
pub struct NewChild {
    /// Its id.
    pub id: String,
    /// Its module.
    pub module: String,
    /// Its arguments.
    pub args: Option<Body>,
    /// The name that it is born with.
    pub name: Option<String>,
    /// When it is restarted.
    pub restart: Restart,
    /// How it is stopped.
    pub shutdown: Option<Shutdown>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was started; none: its `init` answered `ignore`.
    Started(Option<Pid>),
    /// It is done.
    Done,
    /// The children, newest first.
    Children(Vec<ChildView>),
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// Nobody is meant.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// Somebody else is meant.
    #[error("`{0}` is no supervisor that runs")]
    NoSupervisor(String),
    /// The app has no such module.
    #[error("the app {app} has no module named `{module}`")]
    UnknownModule {
        /// The app.
        app: Name,
        /// The module.
        module: String,
        /// What to do about it.
        remedy: String,
    },
    /// The supervisor refused.
    #[error("{}", in_words(supervisor, why))]
    Refused {
        /// Which, as it was given.
        supervisor: String,
        /// Why.
        why: RequestError,
    },
    /// The supervisor ended first.
    #[error("the supervisor `{0}` ended before it answered")]
    Ended(String),
}

impl NotDone {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let remedy = match self {
            NotDone::Unresolved(error) => return Some(error.remedy()),
            NotDone::UnknownModule { remedy, .. } => return Some(remedy.clone()),
            NotDone::NoSupervisor(_) | NotDone::Ended(_) => {
                "`skep tree` shows the supervisors: by name, by pid, or by the ids that lead there, such as `tally/parsers`"
            }
            NotDone::Refused { why, .. } => match why {
                RequestError::AlreadyPresent => "`skep child restart` starts a child that is down",
                RequestError::AlreadyStarted(_) => "give the new child another id",
                RequestError::NotFound => "`skep child list` shows its children",
                RequestError::Running => "stop it first: `skep child stop`",
                RequestError::Restarting => "`skep child stop` calls the restart off",
                RequestError::MaxChildren => "stop a child, or raise `max_children` in the manifest and deploy it",
                RequestError::OnlyByPid => "take a pid from `skep child list`; what is stopped there is forgotten",
                RequestError::OnlyByNumber => "`skep child resize` changes how many are in use",
                RequestError::OnlyByTemplate => "leave out --id and --module; --args are the child's own",
                RequestError::NoTemplate => "say what to start: --id and --module",
                RequestError::NoSuchPartitions => "`skep tree` shows how many partitions there are",
                RequestError::Failed(_) => "`skep logs` may have more",
                RequestError::Stopping | RequestError::Invalid(_) => return None,
            },
        };
        Some(remedy.to_owned())
    }

    /// A stable word for it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            NotDone::Unresolved(_) | NotDone::NoSupervisor(_) => "unknown_supervisor",
            NotDone::UnknownModule { .. } => "unknown_module",
            NotDone::Ended(_) => "ended",
            NotDone::Refused { why, .. } => match why {
                RequestError::NotFound => "unknown_child",
                RequestError::AlreadyStarted(_) | RequestError::AlreadyPresent => "already_there",
                RequestError::Failed(_) => "not_started",
                _ => "refused",
            },
        }
    }
}

/// A supervisor's refusal.
fn in_words(supervisor: &str, why: &RequestError) -> String {
    match why {
        RequestError::AlreadyStarted(pid) => format!("a child with this id runs in `{supervisor}`: {pid}"),
        RequestError::AlreadyPresent => format!("`{supervisor}` has a child with this id, which is down"),
        RequestError::NotFound => format!("`{supervisor}` has no such child"),
        RequestError::Running => "the child runs".to_owned(),
        RequestError::Restarting => "the child is being restarted".to_owned(),
        RequestError::Stopping => format!("`{supervisor}` is ending"),
        RequestError::MaxChildren => format!("`{supervisor}` has as many children as it may have"),
        RequestError::OnlyByPid => format!("children of `{supervisor}` come and go, and are known by their pids alone"),
        RequestError::OnlyByNumber => format!("children of `{supervisor}` are partitions"),
        RequestError::OnlyByTemplate => format!("`{supervisor}` makes all its children from its template"),
        RequestError::NoTemplate => format!("`{supervisor}` has no template"),
        RequestError::NoSuchPartitions => format!("`{supervisor}` has not so many partitions, or none at all"),
        RequestError::Invalid(why) => why.to_string(),
        RequestError::Failed(error) => {
            let why = match error {
                SpawnError::Ignored => "it ignored its start".to_owned(),
                SpawnError::Failed(reason) => body::reason(reason),
                SpawnError::Refused(Refusal::Taken(pid)) => format!("the name is held by {pid}"),
                SpawnError::Refused(Refusal::Denied(what)) => format!("not granted: {what}"),
                SpawnError::Refused(Refusal::Unknown(what)) => format!("unknown: {what}"),
                SpawnError::Refused(Refusal::Limit(what)) => format!("limit reached: {what}"),
                SpawnError::Refused(Refusal::Invalid(what)) => what.clone(),
            };
            format!("the child did not start: {why}")
        }
    }
}

/// A supervisor that was found.
struct Found {
    app: Name,
    pid: Pid,
}

impl Node {
    /// Asks a supervisor for something.
    pub async fn child(&self, supervisor: &str, order: Order) -> Result<Outcome, NotDone> {
        let found = self.supervisor(supervisor)?;
        let ask = async |request| self.ask(supervisor, found.pid, request).await;
        Ok(match order {
            Order::List => ask(Request::WhichChildren).await?,
            Order::Start(child) => ask(Request::StartChild(self.new_child(&found.app, child)?)).await?,
            Order::StartFromTemplate(args) => ask(Request::StartFromTemplate(args)).await?,
            Order::Stop(child) => match ask(Request::TerminateChild(child.as_str().into())).await {
                Err(NotDone::Refused { why: RequestError::OnlyByPid, .. }) if self.pid(&child).is_some() => {
                    let pid = self.pid(&child).unwrap_or(found.pid);
                    ask(Request::TerminatePid(pid)).await?
                }
                other => other?,
            },
            Order::Restart(id) => ask(Request::RestartChild(id.into())).await?,
            Order::Delete(id) => ask(Request::DeleteChild(id.into())).await?,
            Order::Resize(partitions) => ask(Request::Resize(partitions)).await?,
        })
    }

    async fn ask(&self, supervisor: &str, pid: Pid, request: Request) -> Result<Outcome, NotDone> {
        match self.runtime.supervise(pid, request).await {
            Ok(Answer::Started(pid)) => Ok(Outcome::Started(pid)),
            Ok(Answer::Done | Answer::Counts(_)) => Ok(Outcome::Done),
            Ok(Answer::Children(children)) => Ok(Outcome::Children(children)),
            Err(RuntimeError::Refused(why)) => Err(NotDone::Refused { supervisor: supervisor.to_owned(), why }),
            Err(RuntimeError::NoSuchSupervisor(_)) => Err(NotDone::NoSupervisor(supervisor.to_owned())),
            Err(_) => Err(NotDone::Ended(supervisor.to_owned())),
        }
    }

    /// A supervisor by the ids that lead there, beginning with its app (`tally/parsers`; `tally` is the root), by its name,
    /// or by its pid.
    fn supervisor(&self, text: &str) -> Result<Found, NotDone> {
        let mut ids = text.split('/');
        let app = ids.next().unwrap_or_default();
        let root = self.runtime.tree(app);
        if let Some(pid) = root.and_then(|root| ids.try_fold(root, below)).and_then(|found| found.pid) {
            return Ok(Found { app: app.into(), pid });
        }
        let target = address::resolve(text, &self.runtime)?;
        let found = self.runtime.resolve(&target.app, &target.address);
        let pid = found.ok_or_else(|| NotDone::NoSupervisor(text.to_owned()))?;
        Ok(Found { app: target.app, pid })
    }

    fn pid(&self, text: &str) -> Option<Pid> {
        address::resolve(text, &self.runtime).ok()?.address.pid()
    }

    fn new_child(&self, app: &Name, child: NewChild) -> Result<ChildSpec<Blueprint>, NotDone> {
        let modules = self.runtime.app_spec(app).map(|spec| spec.modules).unwrap_or_default();
        let Some(module) = modules.iter().find(|module| *module.name == *child.module) else {
            let known = modules.iter().map(|module| &*module.name);
            let remedy = suggest::remedy(&child.module, "modules", known);
            return Err(NotDone::UnknownModule { app: app.clone(), module: child.module, remedy });
        };
        let process = ProcessSpec {
            module: Arc::clone(&module.name),
            args: child.args.unwrap_or_else(|| Body::Json("null".to_owned())),
            name: child.name.map(Name::from),
            claim: None,
            limits: module.limits.clone(),
            grants: Arc::clone(&module.grants),
            keep: Keep::default(),
            console: Console::default(),
            charge: Charge::default(),
            awaited: None,
        };
        let mut spec = ChildSpec::worker(child.id, Blueprint::Process(Arc::new(process)));
        spec.restart = child.restart;
        spec.shutdown = child.shutdown.unwrap_or(spec.shutdown);
        Ok(spec)
    }
}

/// A supervisor beneath another.
fn below(node: TreeNode, id: &str) -> Option<TreeNode> {
    node.children.into_iter().find(|child| &*child.id == id && child.kind == ChildKind::Supervisor)
}
