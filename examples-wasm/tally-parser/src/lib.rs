//! Counts the words of a chunk of lines.
//!
//! Owns the rule of what a word is. Keeps nothing between two chunks, and never decides what becomes of a bad line: it
//! has a bug that traps on one, and lets its supervisor and the reader deal with that. Called by the reader.

mod words;

use skep_sdk::Raw;
use skep_sdk::prelude::*;
use tally::{Counted, READER, Ready};

/// The server. It has no state.
#[derive(Serialize, Deserialize)]
pub struct Parser;

#[server]
impl Server for Parser {
    type Call = Raw;
    type Reply = Counted;

    fn init(_: (), _: &Context) -> Start<Self> {
        Ok(Parser)
    }

    /// Asks for work. After a crash, this is how the reader learns that somebody took its place.
    fn handle_started(&mut self, context: &Context) -> Outcome {
        Ref::<tally::Reader>::named(READER).cast(context, Ready { parser: context.me() });
        noreply()
    }

    fn handle_call(&mut self, Raw(lines): Raw, _: From<Self>, _: &Context) -> Outcome<Counted> {
        reply(match &lines {
            Body::Raw(bytes) | Body::Messagepack(bytes) => words::count(bytes),
            // From a person at a terminal.
            Body::Json(text) | Body::Text(text) => words::count(text.as_bytes()),
        })
    }
}

skep_sdk::export!(Parser);

#[cfg(test)]
mod tests {
    use skep_sdk::testing::{Action, Harness};

    use super::*;

    #[test]
    fn asks_for_work_when_it_starts() {
        let mut parser = Harness::<Parser>::start(()).expect("init succeeds");
        let me = parser.world().me();
        let [Action::Cast { to, body }] = &parser.actions()[..] else { panic!("one cast") };
        assert_eq!(*to, Address::from(READER));
        assert_eq!(skep_sdk::Message::decode(body.clone()), Ok(Ready { parser: me }));
    }

    #[test]
    fn answers_a_chunk() {
        let mut parser = Harness::<Parser>::start(()).expect("init succeeds").always_hibernating();
        let counted = parser.call(Raw(Body::Raw(b"One\ntwo, one".to_vec()))).expect("a reply");
        assert_eq!((counted.lines, counted.words, counted.counts.len()), (2, 3, 3));
        assert_eq!(parser.call(Raw(Body::Text("again".into()))).map(|counted| counted.words), Ok(1));
    }

    #[test]
    #[should_panic(expected = "a line of text")]
    fn crashes_on_a_line_that_is_not_utf8() {
        let mut parser = Harness::<Parser>::start(()).expect("init succeeds");
        let _ = parser.call(Raw(Body::Raw(b"good\nb\xffad\n".to_vec())));
    }
}
