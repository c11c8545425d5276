//! DSUP-09: partitioned supervisors.

use skep_runtime::kernel::supervisor::{Roster, RouteError};

use super::*;

fn partitioned(count: usize) -> Child {
    let child = |number| teller(&format!("p{number}"));
    let spec =
        SupervisorSpec { roster: Roster::Partitions, name: Some("parts".into()), ..supervisor((1..=count).map(child)) };
    inner(spec)
}

#[tokio::test(flavor = "multi_thread")]
async fn dsup_09_a_key_leads_to_the_same_partition_and_their_number_changes() {
    in_both_modes(probes(["o"]), async |app| {
        let sup = add(app, partitioned(3)).await;
        assert_eq!(told(app, 3).await, ["p1 up", "p2 up", "p3 up"]);
        let route = |key: &str| app.runtime.route(sup, key.as_bytes());
        let keys = || (0..30).map(|number| format!("key {number}"));
        let before: Vec<Pid> = keys().map(|key| route(&key).expect("all run")).collect();
        assert_eq!(before, keys().map(|key| route(&key).expect("all run")).collect::<Vec<_>>());
        let mut distinct = before.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 3);

        assert_eq!(ask(app, sup, Request::Resize(1)).await, Ok(Answer::Done));
        assert_eq!(told(app, 2).await, ["p3 down", "p2 down"]);
        assert!(keys().all(|key| route(&key).expect("it runs") == app.pid("p1")));
        assert_eq!(ask(app, sup, Request::Resize(0)).await, Ok(Answer::Done));
        assert_eq!(told(app, 1).await, ["p1 down"]);
        assert!(matches!(route("x"), Err(RuntimeError::NoRoute(RouteError::NoPartitions))));
        assert_eq!(ask(app, sup, Request::Resize(3)).await, Ok(Answer::Done));
        assert_eq!(told(app, 3).await, ["p1 up", "p2 up", "p3 up"]);
        assert_eq!(ask(app, sup, Request::Resize(4)).await, Err(RequestError::NoSuchPartitions));
        assert!(matches!(app.runtime.route(root(app), b"x"), Err(RuntimeError::NoRoute(RouteError::NotPartitioned)),));
    })
    .await;
}
