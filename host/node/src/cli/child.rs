//! `skep child`.

use clap::{Args, Subcommand, ValueEnum};

use super::failure::Failure;
use super::{Asking, Shared, json, output, safe, table};
use crate::control::protocol::{AskChildren, ChildOrder, Children, RestartWord};

/// Starts, stops and lists children of a supervisor
///
/// Asks a supervisor that runs, without touching the manifest: a child that is added is lost when its supervisor is
/// restarted, and one that is stopped comes back. A supervisor is meant by its name, by its pid, or by the ids that lead
/// there, as `skep tree` shows them: `tally` is the root of that app, `tally/parsers` one beneath it.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  skep child list tally/parsers\n  skep child start sessions --args '{\"user\": \"ada\"}'\n  \
                  skep child start tally --id extra --module tally-parser --restart temporary\n  \
                  skep child stop tally/parsers parser.3\n  skep child stop sessions '<0.12>' --json\n  \
                  skep child resize stores 2"
)]
pub(super) struct Child {
    #[command(subcommand)]
    order: Order,

    #[command(flatten)]
    pub(super) asking: Asking,
}

#[derive(Subcommand)]
enum Order {
    /// Lists the children, newest first
    List {
        #[command(flatten)]
        of: Supervisor,
    },
    /// Starts a child that is not listed; without --id and --module, one of the supervisor's template
    Start {
        #[command(flatten)]
        of: Supervisor,

        /// The id of the new child
        #[arg(long, requires = "module")]
        id: Option<String>,

        /// Its module, whose limits and grants it gets
        #[arg(long, requires = "id")]
        module: Option<String>,

        /// The arguments of its `init`, as JSON
        #[arg(long, value_name = "JSON", allow_negative_numbers = true)]
        args: Option<String>,

        /// The name that it is born with
        #[arg(long, requires = "id")]
        name: Option<String>,

        /// After which ends it is restarted
        #[arg(long, requires = "id", default_value = "permanent")]
        restart: Restart,
    },
    /// Stops a child, and returns when it is down
    Stop {
        #[command(flatten)]
        of: Supervisor,

        /// Its id; its pid, where children come and go
        child: String,
    },
    /// Starts a child that is down
    Restart {
        #[command(flatten)]
        of: Supervisor,

        /// Its id
        child: String,
    },
    /// Forgets a child that is down
    Delete {
        #[command(flatten)]
        of: Supervisor,

        /// Its id
        child: String,
    },
    /// Changes how many partitions are in use
    Resize {
        #[command(flatten)]
        of: Supervisor,

        /// From 0 to as many as the manifest lists
        partitions: usize,
    },
}

#[derive(Args)]
struct Supervisor {
    /// Which supervisor: a name, a pid, or a path such as `tally/parsers`
    supervisor: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Restart {
    Permanent,
    Transient,
    Temporary,
}

impl From<Restart> for RestartWord {
    fn from(restart: Restart) -> Self {
        match restart {
            Restart::Permanent => RestartWord::Permanent,
            Restart::Transient => RestartWord::Transient,
            Restart::Temporary => RestartWord::Temporary,
        }
    }
}

impl Order {
    /// The request, and what is said when it is done.
    fn request(self) -> Result<(AskChildren, String), Failure> {
        let (of, ask, done) = match self {
            Order::List { of } => (of, ChildOrder::List, String::new()),
            Order::Start { of, id, module, args, name, restart } => {
                let args = args.as_deref().map(json::body).transpose()?;
                let ask = ChildOrder::Start { id, module, args, name, restart: restart.into() };
                (of, ask, "started".to_owned())
            }
            Order::Stop { of, child } => {
                let done = format!("{child} is down");
                (of, ChildOrder::Stop { child }, done)
            }
            Order::Restart { of, child } => {
                let done = format!("started {child}");
                (of, ChildOrder::Restart { child }, done)
            }
            Order::Delete { of, child } => {
                let done = format!("{child} is forgotten");
                (of, ChildOrder::Delete { child }, done)
            }
            Order::Resize { of, partitions } => {
                let done = match partitions {
                    1 => "1 partition is in use".to_owned(),
                    many => format!("{many} partitions are in use"),
                };
                (of, ChildOrder::Resize { partitions }, done)
            }
        };
        Ok((AskChildren { supervisor: of.supervisor, ask }, done))
    }
}

impl Child {
    pub(super) async fn perform(self, shared: &Shared) -> Result<(), Failure> {
        let (request, done) = self.order.request()?;
        let answer: Children = shared.client(&self.asking).await?.post("/v1/children", &request).await?;
        if self.asking.json {
            return output::print_json(&answer);
        }
        output::print(&match answer {
            Children::Started { pid: Some(pid) } => format!("{}\n", safe::line(&format!("{done} as {pid}"))),
            Children::Started { pid: None } => "it ignored its start\n".to_owned(),
            Children::Done => format!("{}\n", safe::line(&done)),
            Children::Children(children) => {
                let rows: Vec<Vec<String>> = children
                    .into_iter()
                    .map(|child| {
                        let restart = format!("{:?}", child.restart).to_lowercase();
                        let restarts = child.restarts.to_string();
                        vec![child.id, child.pid.unwrap_or_default(), child.kind, child.status, restart, restarts]
                    })
                    .collect();
                table::table(&["id", "pid", "kind", "status", "restart", "restarts"], &rows)
            }
        })
    }
}
