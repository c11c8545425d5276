//! Lets people into a chat: one process each, found by its key in a registry.
//!
//! Owns nothing: who is there is in the registry, which stays right when the lobby is restarted.

use skep_sdk::prelude::*;

/// Who is there, and in how many rooms.
const USERS: Registry<String, u32> = Registry::named("users");
/// What a user is a process of.
const MODULE: &str = "chat-user";

/// The lobby, which has no state.
#[derive(Serialize, Deserialize)]
pub struct Lobby;

/// What can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Lets somebody in, or finds who is in already.
    Enter(String),
    /// Who is there, and in how many rooms.
    Who,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// A process was started for this user.
    Came(Pid),
    /// This process is that user already.
    Here(Pid),
    /// The users.
    Users(Vec<(String, u32)>),
}

/// What the lobby needs to know of `chat-user`.
pub struct User;

impl Protocol for User {
    type Args = String;
    type Call = Never;
    type Reply = Never;
    type Cast = Never;
    type Info = Never;
}

#[server]
impl Server for Lobby {
    type Call = Request;
    type Reply = Reply;

    fn init(_: (), _: &Context) -> Start<Self> {
        Ok(Lobby)
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, context: &Context) -> Outcome<Reply> {
        match request {
            Request::Enter(name) => enter(&name, context),
            Request::Who => match USERS.entries(context) {
                Ok(users) => reply(Reply::Users(users.into_iter().map(|user| (user.key, user.value)).collect())),
                Err(refusal) => fail(refusal),
            },
        }
    }
}

/// Two may enter under one name at once: one of them is started, and both are told the same process.
fn enter(name: &String, context: &Context) -> Outcome<Reply> {
    let options = Options::new().holding(USERS.via(name), &0);
    match context.spawn::<User>(MODULE, name, options) {
        Ok(child) => reply(Reply::Came(child.pid)),
        Err(SpawnError::Refused(Refusal::Taken(pid))) => reply(Reply::Here(pid)),
        Err(error) => fail(error),
    }
}

skep_sdk::export!(Lobby);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::Harness;

    use super::*;

    #[test]
    fn who_is_there_is_found_and_nobody_is_there_twice() {
        let mut lobby = Harness::<Lobby>::start(()).expect("it starts").always_hibernating();
        let mut enter = |name: &str| lobby.call(Request::Enter(name.to_owned())).expect("it answers");
        let (Reply::Came(ada), Reply::Came(bob)) = (enter("ada"), enter("bob")) else { panic!("nobody came") };
        assert_eq!((enter("ada"), enter("bob")), (Reply::Here(ada), Reply::Here(bob)));
        let who = |lobby: &mut Harness<Lobby>| lobby.call(Request::Who);
        assert_eq!(who(&mut lobby), Ok(Reply::Users(vec![("ada".to_owned(), 0), ("bob".to_owned(), 0)])));
        lobby.world().gone(ada);
        assert_eq!(who(&mut lobby), Ok(Reply::Users(vec![("bob".to_owned(), 0)])));
    }
}
