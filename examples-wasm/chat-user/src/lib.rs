//! Somebody in a chat: known by a key of a registry, in rooms that are topics, told who comes and goes.
//!
//! Owns what this user has heard, and who is in the same rooms as far as this user was told. Started by `chat-lobby`.

use std::collections::{BTreeMap, VecDeque};

use skep_sdk::prelude::*;

/// Who is there, and in how many rooms.
const USERS: Registry<String, u32> = Registry::named("users");
/// Who is in which room.
const ROOMS: Scope = Scope::named("rooms");

/// Lines that are kept.
const KEPT: usize = 100;

/// What is said in a room: a topic for each.
fn talk(room: &str) -> Topic<Line> {
    Topic::of_name(format!("room:{room}"))
}

/// A user.
#[derive(Serialize, Deserialize)]
pub struct User {
    name: String,
    /// The rooms, with what tells of their members.
    rooms: BTreeMap<String, Room>,
    heard: VecDeque<String>,
}

/// A room that this user is in.
#[derive(Serialize, Deserialize)]
struct Room {
    monitor: Mark,
    /// Who is in there, by name: of the dead the registry knows none.
    members: Vec<(Pid, String)>,
}

/// Something said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// In which room; none for what is said to one user alone.
    room: Option<String>,
    from: String,
    text: String,
}

/// What can be asked of a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Enters a room. Brings who is there.
    Join(String),
    /// Leaves a room.
    Leave(String),
    /// Says something in a room, to all others there.
    Say {
        /// Where.
        room: String,
        /// What.
        text: String,
    },
    /// Says something to one user.
    Tell {
        /// To whom.
        user: String,
        /// What.
        text: String,
    },
    /// What was heard since this was asked last.
    Heard,
}

#[server]
impl Server for User {
    /// The name; the lobby has registered this process under it.
    type Args = String;
    type Call = Request;
    type Reply = Vec<String>;
    type Info = Line;

    fn init(name: String, _: &Context) -> Start<Self> {
        Ok(User { name, rooms: BTreeMap::new(), heard: VecDeque::new() })
    }

    fn handle_call(&mut self, request: Request, _: From<Self>, context: &Context) -> Outcome<Vec<String>> {
        let done = match request {
            Request::Join(room) => self.join(room, context),
            Request::Leave(room) => self.leave(&room, context),
            Request::Say { room, text } => self.say(&room, text, context),
            Request::Tell { user, text } => self.tell(&user, text, context),
            Request::Heard => Ok(self.heard.drain(..).collect()),
        };
        match done {
            Ok(lines) => reply(lines),
            Err(refusal) => reply(vec![refusal.to_string()]),
        }
    }

    fn handle_info(&mut self, line: Line, _: &Context) -> Outcome {
        let Line { room, from, text } = line;
        self.hear(match room {
            Some(room) => format!("{room}: {from}: {text}"),
            None => format!("{from} to you: {text}"),
        });
        noreply()
    }

    fn handle_change(&mut self, change: Change, context: &Context) -> Outcome {
        let Some((name, room)) = self.rooms.iter_mut().find(|(_, room)| room.monitor == change.mark) else {
            return noreply();
        };
        let line = match change.what {
            Changed::Added(entry) => {
                let who = name_of(entry.pid, context);
                room.members.push((entry.pid, who.clone()));
                format!("{name}: {who} came")
            }
            Changed::Removed(removal) => match room.members.iter().position(|(pid, _)| *pid == removal.pid) {
                Some(place) => format!("{name}: {} went", room.members.swap_remove(place).1),
                None => return noreply(),
            },
            Changed::Missed => return fail("too much coming and going"),
        };
        self.hear(line);
        noreply()
    }
}

impl User {
    fn join(&mut self, room: String, context: &Context) -> Result<Vec<String>, Refusal> {
        if self.rooms.contains_key(&room) {
            return Ok(vec![format!("you are in {room} already")]);
        }
        let group = ROOMS.group(room.clone());
        talk(&room).subscribe(context)?;
        group.join(context)?;
        let (monitor, there) = group.monitor(context)?;
        let others = there.into_iter().filter(|pid| *pid != context.me());
        let members: Vec<(Pid, String)> = others.map(|pid| (pid, name_of(pid, context))).collect();
        let names = members.iter().map(|(_, name)| name.clone()).collect();
        self.rooms.insert(room, Room { monitor, members });
        self.show_rooms(context)?;
        Ok(names)
    }

    fn leave(&mut self, room: &str, context: &Context) -> Result<Vec<String>, Refusal> {
        if let Some(Room { monitor, .. }) = self.rooms.remove(room) {
            let group = ROOMS.group(room.to_owned());
            group.demonitor(context, monitor);
            group.leave(context)?;
            talk(room).unsubscribe(context)?;
            self.show_rooms(context)?;
        }
        Ok(Vec::new())
    }

    /// Shows in the registry in how many rooms this user is.
    fn show_rooms(&self, context: &Context) -> Result<(), Refusal> {
        USERS.set_value(context, &self.name, u32::try_from(self.rooms.len()).unwrap_or(u32::MAX))
    }

    fn say(&self, room: &str, text: String, context: &Context) -> Result<Vec<String>, Refusal> {
        let line = Line { room: Some(room.to_owned()), from: self.name.clone(), text };
        let reached = talk(room).broadcast_to_others(context, line)?;
        Ok(vec![format!("heard by {reached}")])
    }

    fn tell(&self, user: &String, text: String, context: &Context) -> Result<Vec<String>, Refusal> {
        let line = Line { room: None, from: self.name.clone(), text };
        context.send(USERS.via(user), &line)?;
        Ok(Vec::new())
    }

    fn hear(&mut self, line: String) {
        if self.heard.len() == KEPT {
            self.heard.pop_front();
        }
        self.heard.push_back(line);
    }
}

fn name_of(pid: Pid, context: &Context) -> String {
    let names = USERS.keys(context, pid).unwrap_or_default();
    names.into_iter().next().unwrap_or_else(|| "somebody".to_owned())
}

skep_sdk::export!(User);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::{Harness, World};
    use skep_sdk::{Body, Codec, Message};

    use super::*;

    fn lines(lines: &[&str]) -> Result<Vec<String>, CallError> {
        Ok(lines.iter().map(|line| (*line).to_owned()).collect())
    }

    /// Ada, and the pid of bob, who is in the room `tea`.
    fn ada() -> (Harness<User>, Pid) {
        let mut world = World::new();
        let (me, bob) = (world.me(), world.pid());
        for (name, pid) in [("\"ada\"", me), ("\"bob\"", bob)] {
            world.registered("users", name, pid, Body::Json("0".to_owned())).expect("the name is free");
        }
        world.joined("rooms", "tea", bob);
        world.subscribed("room:tea", bob);
        (Harness::start_in(world, "ada".to_owned()).expect("she comes").always_hibernating(), bob)
    }

    #[test]
    fn who_enters_a_room_sees_who_is_there_and_hears_who_comes_and_goes() {
        let (mut ada, bob) = ada();
        assert_eq!(ada.call(Request::Join("tea".to_owned())), lines(&["bob"]));
        assert_eq!(ada.call(Request::Join("tea".to_owned())), lines(&["you are in tea already"]));
        let carol = ada.world().pid();
        ada.world().registered("users", "\"carol\"", carol, Body::Json("0".to_owned())).expect("the name is free");
        ada.world().joined("rooms", "tea", carol);
        ada.world().gone(bob);
        assert_eq!(ada.call(Request::Heard), lines(&["tea: carol came", "tea: bob went"]));
        assert_eq!(ada.call(Request::Leave("tea".to_owned())), lines(&[]));
        ada.world().gone(carol);
        assert_eq!(ada.call(Request::Heard), lines(&[]));
    }

    #[test]
    fn what_is_said_reaches_the_others_in_the_room_and_one_user_alone() {
        let (mut ada, _) = ada();
        let say = |text: &str| Request::Say { room: "tea".to_owned(), text: text.to_owned() };
        assert_eq!(ada.call(Request::Join("tea".to_owned())), lines(&["bob"]));
        assert_eq!(ada.call(say("hello")), lines(&["heard by 1"]));
        let tell = |user: &str| Request::Tell { user: user.to_owned(), text: "psst".to_owned() };
        assert_eq!(ada.call(tell("bob")), lines(&[]));
        assert!(ada.call(tell("nobody")).expect("it answers")[0].starts_with("unknown"));
        for (room, expected) in [(Some("tea"), "tea: bob: hi"), (None, "bob to you: hi")] {
            let line = Line { room: room.map(str::to_owned), from: "bob".to_owned(), text: "hi".to_owned() };
            assert!(line.encode(Codec::Json).is_ok());
            ada.info(line);
            assert_eq!(ada.call(Request::Heard), lines(&[expected]));
        }
    }
}
