//! The queue as a list that counts exactly, and what looking into it costs.

use proptest::prelude::*;

use super::*;
use crate::Body;

fn info(text: &str) -> Event {
    Event::Info(Body::Text(text.into()))
}

fn timer(mark: u64) -> Event {
    Event::Timer { mark: Mark(mark), body: Body::Text("t".into()) }
}

fn limits(mailbox_messages: usize, mailbox_bytes: usize, body_bytes: usize) -> Limits {
    Limits { mailbox_messages, mailbox_bytes, body_bytes, ..Limits::default() }
}

#[test]
fn mbx_01_a_selective_receive_takes_the_oldest_match_and_leaves_the_rest_in_place() {
    let mut mailbox = Mailbox::default();
    for event in [info("a"), timer(1), info("b"), timer(2), timer(1)] {
        mailbox.push(event);
    }
    assert_eq!(mailbox.take_marked(&[Mark(2), Mark(1)]), Some(timer(1)));
    assert_eq!(mailbox.take_marked(&[Mark(2)]), Some(timer(2)));
    assert_eq!(mailbox.take_marked(&[Mark(2)]), None);
    assert_eq!(mailbox.len(), 3);
    assert_eq!((mailbox.pop(), mailbox.pop(), mailbox.pop()), (Some(info("a")), Some(info("b")), Some(timer(1))));
    assert_eq!(mailbox.bytes(), 0);
}

#[test]
fn limits_are_exact() {
    let mut mailbox = Mailbox::default();
    assert_eq!(mailbox.push_bounded(info("four"), &limits(2, 8, 3)), Err(Undelivered::TooLarge));
    assert_eq!(mailbox.push_bounded(info("four"), &limits(2, 8, 4)), Ok(()));
    assert_eq!(mailbox.push_bounded(info("fives"), &limits(2, 8, 8)), Err(Undelivered::MailboxFull));
    assert_eq!(mailbox.push_bounded(info("four"), &limits(2, 8, 4)), Ok(()));
    assert_eq!(mailbox.push_bounded(info(""), &limits(2, 8, 4)), Err(Undelivered::MailboxFull));
    assert_eq!((mailbox.len(), mailbox.bytes(), mailbox.is_empty()), (2, 8, false));
    mailbox.push(info("never refused"));
    assert_eq!(mailbox.len(), 3);
}

#[test]
fn room_that_is_kept_is_there_for_those_it_was_kept_for_and_for_nobody_else() {
    let limits = limits(8, 40, 40);
    let room = |messages, bytes| Reservation { messages, bytes };
    let mut mailbox = Mailbox::default();
    for (messages, bytes, kept) in
        [(3, 0, false), (0, 11, false), (1, 6, true), (1, 4, true), (1, 0, false), (0, 1, false)]
    {
        assert_eq!(mailbox.reserve(room(messages, bytes), &limits), kept, "{messages} {bytes}: a quarter at most");
    }
    for _ in 0..6 {
        assert_eq!(mailbox.push_bounded(info("five."), &limits), Ok(()));
    }
    assert_eq!((mailbox.len(), mailbox.bytes()), (6, 30), "what is kept does not wait");
    assert_eq!(mailbox.push_bounded(info(""), &limits), Err(Undelivered::MailboxFull));
    mailbox.push_reserved([info("sixth.")], room(1, 6));
    mailbox.push_reserved([], room(1, 4));
    assert_eq!(mailbox.push_bounded(info("four"), &limits), Ok(()), "what was not needed is free again");
    assert_eq!(mailbox.push_bounded(info(""), &limits), Err(Undelivered::MailboxFull));
    assert!(!mailbox.reserve(room(1, 0), &limits), "there is none to spare");
    let order: Vec<usize> = std::iter::from_fn(|| mailbox.pop()).map(|event| event.len()).collect();
    assert_eq!(order, [5, 5, 5, 5, 5, 5, 6, 4]);
    mailbox.put_away();
    assert!(!mailbox.is_there(), "nothing is left of it");
}

#[test]
fn an_empty_mailbox_that_keeps_room_remembers_it() {
    let limits = limits(8, 40, 40);
    let room = Reservation { messages: 2, bytes: 10 };
    let mut mailbox = Mailbox::default();
    assert!(mailbox.reserve(room, &limits));
    mailbox.put_away();
    assert!(!mailbox.reserve(room, &limits));
    mailbox.push_reserved([info("a"), info("b")], room);
    assert_eq!(mailbox.len(), 2);
}

#[test]
fn a_request_is_found_among_others_and_taken_back() {
    let caller = |id, mark| Caller { pid: Pid { node: 0, id, tag: id }, mark: Mark(mark) };
    let call = |id, mark| Event::Call { caller: caller(id, mark), body: Body::Text("c".into()) };
    let mut mailbox = Mailbox::default();
    for event in [call(1, 1), info("a"), call(1, 2), call(2, 1), info("b")] {
        mailbox.push(event);
    }
    // The newest are looked at first; what is found where so many looks are allowed, and how many of them are left.
    for (of, looks, found, left) in [
        (caller(1, 1), 9, true, 4),
        (caller(1, 1), 4, false, 0),
        (caller(1, 2), 3, true, 0),
        (caller(2, 1), 3, true, 1),
        (caller(2, 2), 9, false, 4),
        (caller(1, 1), 0, false, 0),
    ] {
        let mut looks_left = looks;
        assert_eq!(mailbox.has_request(of, &mut looks_left), found, "{looks} looks for {of:?}");
        assert_eq!(looks_left, left, "{looks} looks for {of:?}");
    }
    assert!(!mailbox.take_request(caller(2, 2)));
    assert!(mailbox.take_request(caller(1, 2)) && !mailbox.take_request(caller(1, 2)));
    let rest: Vec<_> = std::iter::from_fn(|| mailbox.pop()).collect();
    assert_eq!(rest, [call(1, 1), info("a"), call(2, 1), info("b")]);
}

#[test]
fn a_flushed_loss_is_gone_and_others_stay() {
    let down = |mark| Event::Down {
        mark: Mark(mark),
        target: crate::Address::Name("n".into()),
        reason: crate::ExitReason::Normal,
        tag: None,
    };
    let mut mailbox = Mailbox::default();
    mailbox.push(timer(1));
    mailbox.push(down(1));
    mailbox.push(down(2));
    mailbox.flush_down(Mark(1));
    mailbox.flush_down(Mark(3));
    assert_eq!((mailbox.pop(), mailbox.pop(), mailbox.pop()), (Some(timer(1)), Some(down(2)), None));
}

#[derive(Clone, Debug)]
enum Step {
    Push(u64, usize),
    PushBounded(usize),
    Pop,
    Take(Vec<u64>),
    Flush(u64),
    Look(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..4u64, 0..5usize).prop_map(|(mark, size)| Step::Push(mark, size)),
        3 => (0..7usize).prop_map(Step::PushBounded),
        2 => Just(Step::Pop),
        1 => prop::collection::vec(0..4u64, 0..3).prop_map(Step::Take),
        1 => (0..4u64).prop_map(Step::Flush),
        2 => (0..60u64).prop_map(Step::Look),
    ]
}

proptest! {
    #[test]
    fn behaves_like_a_list_and_counts_exactly(steps in prop::collection::vec(step(), 0..60)) {
        let limits = limits(5, 12, 5);
        let (mut mailbox, mut model) = (Mailbox::default(), Vec::<(u64, Event)>::new());
        let mut came = 0..;
        let mut next = move || came.next().expect("a number");
        for step in steps {
            match step {
                Step::Push(mark, size) => {
                    let event = match size {
                        0 => Event::Down {
                            mark: Mark(mark),
                            target: crate::Address::Name("n".into()),
                            reason: crate::ExitReason::Normal,
        tag: None,
                        },
                        size => Event::Timer { mark: Mark(mark), body: Body::Raw(vec![0; size]) },
                    };
                    mailbox.push(event.clone());
                    model.push((next(), event));
                }
                Step::PushBounded(size) => {
                    let event = Event::Info(Body::Raw(vec![0; size]));
                    let bytes: usize = model.iter().map(|(_, event)| event.len()).sum();
                    let expected = match (size > 5, model.len() >= 5 || bytes + size > 12) {
                        (true, _) => Err(Undelivered::TooLarge),
                        (false, true) => Err(Undelivered::MailboxFull),
                        (false, false) => Ok(()),
                    };
                    model.extend(expected.is_ok().then(|| (next(), event.clone())));
                    prop_assert_eq!(mailbox.push_bounded(event, &limits), expected);
                }
                Step::Pop => {
                    let oldest = (!model.is_empty()).then(|| model.remove(0).1);
                    prop_assert_eq!(mailbox.front(), oldest.as_ref());
                    prop_assert_eq!(mailbox.pop(), oldest);
                }
                Step::Take(marks) => {
                    let marks: Vec<Mark> = marks.into_iter().map(Mark).collect();
                    let place = model.iter().position(|(_, event)| event.mark().is_some_and(|m| marks.contains(&m)));
                    prop_assert_eq!(mailbox.take_marked(&marks), place.map(|place| model.remove(place).1));
                }
                Step::Flush(flushed) => {
                    let is_it =
                        |(_, event): &(u64, Event)| matches!(event, Event::Down { mark, .. } if *mark == Mark(flushed));
                    if let Some(place) = model.iter().position(is_it) {
                        model.remove(place);
                    }
                    mailbox.flush_down(Mark(flushed));
                }
                Step::Look(behind) => {
                    let expected = model.iter().position(|(number, _)| *number > behind);
                    let seen = mailbox.behind(Some(behind)).map(|(number, event)| (number, event.clone()));
                    prop_assert_eq!(&seen, &expected.map(|place| model[place].clone()));
                    let oldest = mailbox.behind(None).map(|(number, event)| (number, event.clone()));
                    prop_assert_eq!(oldest, model.first().cloned());
                    if let Some((number, event)) = seen {
                        prop_assert_eq!(mailbox.take(number), Some(event));
                        prop_assert_eq!(mailbox.take(number), None);
                        model.retain(|(known, _)| *known != number);
                    }
                }
            }
            prop_assert_eq!((mailbox.len(), mailbox.is_empty()), (model.len(), model.is_empty()));
            prop_assert_eq!(mailbox.bytes(), model.iter().map(|(_, event)| event.len()).sum::<usize>());
            prop_assert_eq!(mailbox.mail.marked.len(), model.iter().filter(|(_, event)| event.mark().is_some()).count());
        }
    }
}

/// What one selective receive looks at, with so many other events in the queue: some before and some behind what it
/// is after.
fn cost_of_a_receive(others: u64) -> usize {
    let mut mailbox = Mailbox::default();
    for number in 0..others {
        mailbox.push(if number == others / 2 { timer(1) } else { info("x") });
        if number % 100 == 0 {
            mailbox.push(timer(number + 10));
        }
    }
    let mut worst = 0;
    // The first takes what lies deep in the queue; the others what comes while the queue stays as long as it is.
    for round in 0..100 {
        let before = mailbox.looked_at.get();
        assert_eq!(mailbox.take_marked(&[Mark(2), Mark(1)]), Some(timer(1)));
        worst = worst.max(mailbox.looked_at.get() - before);
        mailbox.push(timer(1));
        if round % 2 == 0 {
            mailbox.push(info("y"));
        }
    }
    worst
}

#[test]
fn mbx_01_what_a_selective_receive_costs_does_not_grow_with_the_backlog() {
    assert_eq!(std::mem::size_of::<Slot>(), 8 + std::mem::size_of::<Event>(), "a gap costs nothing beside");
    let (few, many) = (cost_of_a_receive(1_000), cost_of_a_receive(1_000_000));
    assert!(many <= few + 12, "a thousand times as many others, and {many} looks instead of {few}");
    assert!(0 < few && many < 50, "{few} and {many} looks");
}

#[test]
fn mbx_01_a_search_begins_where_the_last_one_ended() {
    let mut mailbox = Mailbox::default();
    for _ in 0..100_000 {
        mailbox.push(info("x"));
    }
    let mut last = None;
    while let Some((number, _)) = mailbox.behind(last) {
        last = Some(number);
    }
    let before = mailbox.looked_at.get();
    assert_eq!(mailbox.behind(last), None);
    mailbox.push(timer(1));
    assert_eq!(mailbox.behind(last), Some((100_000, &timer(1))));
    assert!(mailbox.looked_at.get() - before < 50, "what was skipped is not looked at again");
}

#[test]
fn gaps_do_not_add_up() {
    let mut mailbox = Mailbox::default();
    mailbox.push(info("stays"));
    for _ in 0..100_000 {
        mailbox.push(timer(1));
        assert_eq!(mailbox.take_marked(&[Mark(1)]), Some(timer(1)));
        assert!(mailbox.mail.queue.len() < 100, "{} places for one event", mailbox.mail.queue.len());
    }
    assert!(mailbox.looked_at.get() < 100_000 * 20, "closing them costs little");
    mailbox.push(timer(2));
    assert_eq!(mailbox.behind(Some(0)), Some((100_001, &timer(2))));
    assert_eq!(mailbox.take_marked(&[Mark(2)]), Some(timer(2)));
    assert_eq!((mailbox.pop(), mailbox.pop(), mailbox.bytes()), (Some(info("stays")), None, 0));
}

#[test]
fn gaps_are_closed_once_there_are_so_many_more_of_them_than_events() {
    // Each taking makes one event less and one gap more, so that of an odd number the two differ by odd numbers.
    for events in [100, 101] {
        let mut mailbox = Mailbox::default();
        mailbox.push(info("stays"));
        (1..events).for_each(|_| mailbox.push(timer(1)));
        let left_when_closed = (events - 65) / 2;
        for left in (1..events).rev() {
            assert_eq!(mailbox.take_marked(&[Mark(1)]), Some(timer(1)));
            let places = if left > left_when_closed { events } else { left_when_closed };
            assert_eq!((mailbox.len(), mailbox.mail.queue.len()), (left, places), "of {events}");
        }
    }
}

#[test]
fn a_burst_is_not_paid_for_for_ever() {
    let mut mailbox = Mailbox::default();
    for _ in 0..1000 {
        mailbox.push(info("x"));
    }
    while mailbox.pop().is_some() {}
    assert_eq!(mailbox.mail.queue.capacity(), 0);
    for _ in 0..64 {
        mailbox.push(info("x"));
    }
    while mailbox.pop().is_some() {}
    assert!(mailbox.mail.queue.capacity() > 0, "a small buffer is kept, or each message would allocate");
}
