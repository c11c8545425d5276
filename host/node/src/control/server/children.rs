//! Answers what is asked about children of a supervisor.
//!
//! Owns what of a request belongs together. Decides nothing else: one call on the node.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::{Extension, Json};
use skep_runtime::kernel::Body;

use super::caller::Ticket;
use super::refusal::Refusal;
use super::{Answer, Shared};
use crate::control::protocol::{AskChildren, ChildLine, ChildOrder, Children};
use crate::node::children::{NewChild, Order, Outcome};

/// `POST /v1/children`
pub(super) async fn children(
    State(node): Shared,
    Extension(ticket): Extension<Ticket>,
    request: Result<Bytes, BytesRejection>,
) -> Answer<Children> {
    let AskChildren { supervisor, ask } = serde_json::from_slice(&request?)
        .map_err(|error| Refusal::bad_request(format!("the request is not {{\"supervisor\", \"ask\"}}: {error}")))?;
    ticket.about(&supervisor);
    let outcome = node.child(&supervisor, order(ask)?).await?;
    Ok(Json(match outcome {
        Outcome::Started(pid) => Children::Started { pid: pid.map(|pid| pid.to_string()) },
        Outcome::Done => Children::Done,
        Outcome::Children(children) => Children::Children(children.iter().map(ChildLine::from).collect()),
    }))
}

fn order(ask: ChildOrder) -> Result<Order, Refusal> {
    Ok(match ask {
        ChildOrder::List => Order::List,
        ChildOrder::Start { id, module, args, name, restart } => {
            let args = args.map(|args| Body::Json(args.get().to_owned()));
            match (id, module) {
                (Some(id), Some(module)) => {
                    Order::Start(NewChild { id, module, args, name, restart: restart.into(), shutdown: None })
                }
                (None, None) if name.is_none() => Order::StartFromTemplate(args),
                _ => {
                    return Err(Refusal::bad_request(
                        "a child that is not made from a template has an id and a module",
                    ));
                }
            }
        }
        ChildOrder::Stop { child } => Order::Stop(child),
        ChildOrder::Restart { child } => Order::Restart(child),
        ChildOrder::Delete { child } => Order::Delete(child),
        ChildOrder::Resize { partitions } => Order::Resize(partitions),
    })
}
