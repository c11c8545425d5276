//! An agent under test: what it is asked, as a [`Ref`](crate::Ref) would.

use super::Harness;
use crate::agent::{Agent, AgentCall};
use crate::codec::{Message, Raw};
use crate::server::Protocol;
use crate::state::Exported;
use crate::types::CallError;

/// An agent under test.
impl<A> Harness<A>
where
    A: Agent + Exported + Protocol<Call = AgentCall<A::Get, A::Update>, Reply = Raw>,
{
    /// Looks.
    ///
    /// # Errors
    ///
    /// As [`call`](Harness::call).
    pub fn get(&mut self, what: A::Get) -> Result<A::Got, CallError> {
        self.ask(AgentCall::Get(what))
    }

    /// Changes.
    ///
    /// # Errors
    ///
    /// As [`call`](Harness::call).
    pub fn update(&mut self, change: A::Update) -> Result<A::Updated, CallError> {
        self.ask(AgentCall::Update(change))
    }

    fn ask<R: Message>(&mut self, call: AgentCall<A::Get, A::Update>) -> Result<R, CallError> {
        let Raw(reply) = self.call(call)?;
        R::decode(reply).map_err(|error| CallError::Refused(error.to_string()))
    }
}
