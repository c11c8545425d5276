//! Registries, groups and topics, run natively: what each function brings, and what a watcher is told.

use skep_sdk::prelude::*;
use skep_sdk::testing::{World, run_task_in};
use skep_sdk::{Body, Codec, Message};

const USERS: Registry<String, u32> = Registry::named("users");
const BADGES: Registry<(u32, f64), Option<String>> = Registry::named("badges");
const TEAM: Scope = Scope::named("team");
const NEWS: Topic<String> = Topic::named("news");

/// Does what its type says, as a task.
macro_rules! task {
    ($name:ident, $body:expr) => {
        struct $name;
        impl Task for $name {
            type Args = ();
            type Output = ();
            fn run(_: (), context: &TaskContext) -> Result<(), Failure> {
                let body: fn(&TaskContext) -> Result<(), Refusal> = $body;
                body(context).map_err(|refusal| refusal.to_string().into())
            }
        }
    };
}

fn run<T: Task<Args = (), Output = ()>>(world: &mut World) {
    assert_eq!(run_task_in::<T>(world, (), []), Ok(()));
}

fn number(value: u32) -> Body {
    value.encode(Codec::Json).expect("JSON")
}

#[test]
fn a_unique_key_is_one_processs_and_a_value_its_owners() {
    task!(Unique, |context| {
        let me = context.me();
        USERS.register(context, "ada".to_owned(), 1)?;
        assert_eq!(USERS.register(context, "ada".to_owned(), 2), Err(Refusal::Taken(me)));
        let bob = USERS.whereis(context, "bob".to_owned())?.expect("he is there");
        assert_eq!(USERS.register(context, "bob".to_owned(), 2), Err(Refusal::Taken(bob)));
        assert_eq!(USERS.update_value(context, "ada".to_owned(), |value| value + 5)?, 6);
        let refused = USERS.update_value(context, "bob".to_owned(), |value| value + 5);
        assert!(matches!(refused, Err(Refusal::Unknown(_))), "{refused:?}");
        assert_eq!(USERS.values(context, "ada".to_owned(), me)?, [6]);
        assert_eq!(USERS.keys(context, bob)?, ["bob"]);
        let all = USERS.entries(context)?.into_iter().map(|holder| (holder.key, holder.value)).collect::<Vec<_>>();
        assert_eq!((all, USERS.count(context)?), (vec![("ada".to_owned(), 6), ("bob".to_owned(), 7)], 2));
        assert_eq!(
            (USERS.unregister(context, "ada".to_owned())?, USERS.unregister(context, "bob".to_owned())?),
            (1, 0)
        );
        context.send(USERS.via("bob".to_owned()), &"hello".to_owned())?;
        assert!(context.send(USERS.via("ada".to_owned()), &1).is_err());
        Ok(())
    });
    let mut world = World::new();
    let bob = world.pid();
    world.registered("users", "\"bob\"", bob, number(7)).expect("the key is free");
    run::<Unique>(&mut world);
}

#[test]
fn duplicate_keys_are_typed_and_dispatch_needs_somebody() {
    task!(Duplicate, |context| {
        for badge in ["gold", "silver"] {
            BADGES.register(context, (1, 1.0), Some(badge.to_owned()))?;
        }
        assert_eq!(BADGES.keys(context, context.me())?, [(1, 1.0), (1, 1.0)]);
        let mut seen = Vec::new();
        assert!(!BADGES.dispatch(context, (1, 2.0), |_| panic!("there is nobody"))?);
        assert!(BADGES.dispatch(context, (1, 1.0), |holders| seen.extend(holders))?);
        assert_eq!(seen.into_iter().filter_map(|holder| holder.value).collect::<Vec<_>>(), ["gold", "silver"]);
        assert!(matches!(BADGES.set_value(context, (1, 1.0), None), Err(Refusal::Invalid(_))));
        assert_eq!(BADGES.unregister(context, (1, 1.0))?, 2);
        Ok(())
    });
    run::<Duplicate>(&mut World::new().duplicate("badges"));
}

#[test]
fn a_lock_is_held_as_long_as_what_is_done_under_it() {
    task!(Lock, |context| {
        let ada = || "ada".to_owned();
        let inner = USERS.lock(context, ada(), None, || USERS.lock(context, ada(), None, || ()))?;
        assert!(matches!(inner, Some(Err(Refusal::Invalid(_)))), "{inner:?}");
        assert_eq!(USERS.lock(context, ada(), None, || 5)?, Some(5), "it was given back");
        Ok(())
    });
    run::<Lock>(&mut World::new());
}

#[test]
fn who_watches_is_told_in_the_types_of_the_registry_and_of_the_group() {
    task!(Watches, |context| {
        let mark = USERS.listen(context)?;
        USERS.register(context, "ada".to_owned(), 1)?;
        let group = TEAM.group("red");
        group.join(context)?;
        let (watch, there) = group.monitor(context)?;
        let (all, everybody) = TEAM.monitor(context)?;
        assert_eq!((there, everybody), (vec![context.me()], vec![("red".to_owned(), context.me())]));
        assert!(group.leave(context)? && !group.leave(context)?);
        assert_eq!((group.members(context)?, TEAM.groups(context)?), (vec![], vec![]));
        let Some(Event::Change(change)) = context.receive_only(&[mark], None) else { panic!("not told") };
        assert_eq!((change.mark, USERS.read(change)?), {
            (mark, Registration::Added(Holder { key: "ada".to_owned(), pid: context.me(), value: 1 }))
        });
        let Some(Event::Change(change)) = context.receive_only(&[watch], None) else { panic!("not told") };
        assert!(matches!(change.what, Changed::Removed(removal) if removal.key == "red"));
        // What is queued is taken back with the watch.
        assert!(TEAM.demonitor(context, all) && !group.demonitor(context, all));
        assert!(USERS.unlisten(context, mark));
        assert_eq!(context.receive(std::time::Duration::ZERO), None);
        Ok(())
    });
    run::<Watches>(&mut World::new());
}

#[test]
fn what_is_published_reaches_who_has_subscribed_as_often_as_that() {
    task!(Publishes, |context| {
        assert_eq!(NEWS.unsubscribe(context)?, 0);
        NEWS.subscribe(context)?;
        NEWS.subscribe(context)?;
        assert_eq!(NEWS.broadcast(context, "one".to_owned())?, 3);
        assert_eq!(NEWS.broadcast_to_others(context, "two".to_owned())?, 1);
        assert_eq!(NEWS.unsubscribe(context)?, 2);
        for _ in 0..2 {
            assert!(matches!(context.receive(None), Some(Event::Info(_))));
        }
        assert_eq!(context.receive(std::time::Duration::ZERO), None);
        Ok(())
    });
    let mut world = World::new();
    let other = world.pid();
    world.subscribed("news", other);
    run::<Publishes>(&mut world);
}

#[test]
fn references_to_all_three_travel_as_their_names() {
    let json = |value: &dyn erased::Json| value.json();
    assert_eq!(json(&USERS), "\"users\"");
    assert_eq!(json(&NEWS), "\"news\"");
    assert_eq!(json(&TEAM.group("red")), r#"{"scope":"team","name":"red"}"#);
    let via = Address::from(USERS.via("ada".to_owned()));
    assert_eq!(json(&via), r#"{"via":{"registry":"users","key":"\"ada\""}}"#);
    assert_eq!(serde_json::from_str::<Address>(&json(&via)).expect("an address"), via);
    assert_eq!(via.to_string(), "\"ada\" in users");
}

/// One function for values of several types.
mod erased {
    pub trait Json {
        fn json(&self) -> String;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> String {
            serde_json::to_string(self).expect("JSON")
        }
    }
}
